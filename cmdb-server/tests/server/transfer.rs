use cmdb_proto::v1;
use cmdb_proto::v1::import_event::Event;
use cmdb_proto::v1::import_request::Part;
use tonic::Status;

use crate::harness::{Server, said};

const SHOP: &str = r#"{"item":{"key":"web-1","class":"web_server","name":"Web 1"}}
{"relationship":{"from":"web-1","type":"depends_on","to":"db"}}
{"item":{"key":"db","class":"database_instance","name":"Orders"}}
"#;

fn begin(source: &str) -> v1::ImportBegin {
    v1::ImportBegin { source: source.to_owned(), ..Default::default() }
}

fn file(name: &str, text: &str) -> Vec<Part> {
    let file = v1::ImportFile { name: name.to_owned(), format: 0 };
    let data = text.as_bytes().chunks(7).map(|part| Part::Data(part.to_vec()));
    [Part::File(file)].into_iter().chain(data).collect()
}

async fn send(server: &Server, parts: Vec<Part>) -> Result<(Vec<v1::RefusedLine>, v1::ImportResult), Status> {
    let parts = parts.into_iter().map(|part| v1::ImportRequest { part: Some(part) });
    let mut events =
        server.transfer().import(tokio_stream::iter(parts.collect::<Vec<_>>())).await?.into_inner();
    let (mut refused, mut result) = (Vec::new(), None);
    while let Some(event) = events.message().await? {
        match event.event.unwrap() {
            Event::Progress(_) => assert!(result.is_none(), "the result comes last"),
            Event::Refused(line) => refused.push(line),
            Event::Result(done) => result = Some(done),
        }
    }
    Ok((refused, result.expect("an import ends with its result")))
}

async fn import(
    server: &Server,
    begin: v1::ImportBegin,
    text: &str,
) -> Result<(Vec<v1::RefusedLine>, v1::ImportResult), Status> {
    let mut parts = vec![Part::Begin(begin)];
    parts.extend(file("shop.jsonl", text));
    parts.push(Part::End(v1::ImportEnd {}));
    send(server, parts).await
}

fn staged(server: &Server) -> usize {
    std::fs::read_dir(server.directory.path().join("staging")).unwrap().count()
}

#[tokio::test]
async fn files_become_one_revision_and_nothing_stays_behind() {
    let server = Server::start().await;
    let mut parts = vec![Part::Begin(begin("shop"))];
    parts.extend(file("shop.jsonl", SHOP));
    parts.extend(file("more.csv", "key,class,name\napp,application,App\n"));
    parts.push(Part::End(v1::ImportEnd {}));
    let (refused, result) = send(&server, parts).await.unwrap();
    assert_eq!(refused, []);
    assert_eq!((result.revision, result.created, result.relationships_created), (1, 3, 1));
    assert_eq!(staged(&server), 0);
}

#[tokio::test]
async fn a_bad_line_is_named_and_nothing_is_imported_unless_told_to_skip() {
    let server = Server::start().await;
    let text =
        format!("{SHOP}{{\"item\":{{\"key\":\"x\",\"class\":\"databse_instance\",\"name\":\"x\"}}}}\n");
    let (refused, result) = import(&server, begin("shop"), &text).await.unwrap();
    assert_eq!((result.revision, result.refused, refused.len()), (0, 1, 1));
    assert_eq!((refused[0].file.as_str(), refused[0].line), ("shop.jsonl", 4));
    assert_eq!(refused[0].problem.as_ref().unwrap().reason, "CLASS_UNKNOWN");
    let skip = v1::ImportBegin { skip_bad: true, ..begin("shop") };
    let (refused, result) = import(&server, skip, &text).await.unwrap();
    assert_eq!((result.revision, result.created, refused.len()), (1, 2, 1));
    assert!(text.as_bytes().windows(refused[0].raw.len()).any(|part| part == refused[0].raw));
}

#[tokio::test]
async fn a_dry_run_counts_and_changes_nothing() {
    let server = Server::start().await;
    let dry = v1::ImportBegin { dry_run: true, ..begin("shop") };
    let (_, result) = import(&server, dry, SHOP).await.unwrap();
    assert_eq!((result.revision, result.created), (0, 2));
    let status = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.items, status.revision), (0, 0));
}

#[tokio::test]
async fn what_is_exported_gives_the_same_graph() {
    let server = Server::start().await;
    import(&server, begin("shop"), SHOP).await.unwrap();
    let lines = export(&server).await;
    let other = Server::start().await;
    import(&other, begin("shop"), &lines).await.unwrap();
    assert_eq!(export(&other).await, lines);
}

async fn export(server: &Server) -> String {
    let mut chunks = server.transfer().export(v1::ExportRequest::default()).await.unwrap().into_inner();
    let mut lines = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        lines.extend(chunk.data);
    }
    String::from_utf8(lines).unwrap()
}

#[tokio::test]
async fn parts_in_the_wrong_order_and_an_import_that_ends_early() {
    let server = Server::start().await;
    let end = || Part::End(v1::ImportEnd {});
    let table = [
        (vec![], "IMPORT_ORDER"),
        (file("a.jsonl", SHOP), "IMPORT_ORDER"),
        (vec![Part::Begin(begin("shop")), Part::Data(b"x".to_vec())], "IMPORT_ORDER"),
        (vec![Part::Begin(begin("shop")), Part::Begin(begin("shop"))], "IMPORT_ORDER"),
        ([vec![Part::Begin(begin("shop"))], file("a.jsonl", SHOP)].concat(), "IMPORT_CUT"),
        (vec![Part::Begin(begin("agent-x")), end()], "SOURCE_INVALID"),
    ];
    for (parts, reason) in table {
        assert_eq!(said(&send(&server, parts).await.unwrap_err()).1, reason);
    }
    assert_eq!(staged(&server), 0);
}

#[tokio::test]
async fn a_part_above_the_limit_is_refused() {
    let server = Server::start().await;
    let mut parts = vec![Part::Begin(begin("shop"))];
    parts.extend(file("a.jsonl", ""));
    parts.push(Part::Data(vec![b' '; (1 << 20) + 1]));
    assert_eq!(said(&send(&server, parts).await.unwrap_err()).1, "IMPORT_ORDER");
}
