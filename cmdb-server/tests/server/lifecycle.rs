use cmdb_proto::v1;
use cmdb_proto::v1::admin_service_client::AdminServiceClient;
use cmdb_server::server::Running;

use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use crate::harness::{Server, config, item};

async fn refusal(data: &std::path::Path, flags: &[&str]) -> String {
    match Running::start(&config(data, flags)).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    }
}

fn check(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is not in: {text}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let server = Server::start().await;
    server.shop().await;
    let server = server.restart().await;
    let ask = v1::GetItemRequest { item: "shop:db".to_owned(), ..Default::default() };
    assert_eq!(server.items().get(ask).await.unwrap().into_inner().name, "Orders");
}

#[tokio::test]
async fn the_address_is_written_while_the_server_runs() {
    let server = Server::start().await;
    let file = server.directory.path().join("address");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{}\n", server.running.address));
    server.running.stop().await.unwrap();
    assert!(!file.exists());
}

#[tokio::test]
async fn one_store_has_one_server_and_one_port_too() {
    let server = Server::start().await;
    let same_store = refusal(server.directory.path(), &[]).await;
    check(&same_store, &["in use by another process", "--data"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let address = server.running.address.to_string();
    let mut taken = config(elsewhere.path(), &[]);
    taken.listen = server.running.address;
    let same_port = format!("{:#}", Running::start(&taken).await.err().unwrap());
    check(&same_port, &[&address, "in use", "--listen"]);
    assert!(server.directory.path().join("address").exists(), "a server that is refused changes nothing");
}

#[tokio::test]
async fn a_schema_that_is_wrong_is_named_to_the_line() {
    let data = tempfile::tempdir().unwrap();
    let schema = tempfile::tempdir().unwrap();
    let path = schema.path().to_str().unwrap();
    std::fs::write(
        schema.path().join("mine.toml"),
        "\n[[class]]\nname = \"robot\"\nparrent = \"hardware\"\n",
    )
    .unwrap();
    let text = refusal(data.path(), &["--schema", path]).await;
    check(&text, &["mine.toml:4:", "parrent", "parent"]);
    let text = refusal(data.path(), &["--schema", "/no/such/directory"]).await;
    check(&text, &["/no/such/directory"]);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_and_a_file_that_is_no_store() {
    let text = refusal(std::path::Path::new("/dev/null/data"), &[]).await;
    check(&text, &["/dev/null/data", "--data"]);
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("cmdb.redb"), "this is no store").unwrap();
    check(&refusal(data.path(), &[]).await, &["cmdb.redb", "not a store"]);
}

#[tokio::test]
async fn certificates_that_are_none_are_named() {
    let data = tempfile::tempdir().unwrap();
    let bad = data.path().join("bad.pem");
    std::fs::write(&bad, "not PEM").unwrap();
    let bad = bad.to_str().unwrap();
    check(&refusal(data.path(), &["--tls-cert", bad, "--tls-key", bad]).await, &["bad.pem", "PEM"]);
    check(&refusal(data.path(), &["--tls-cert", "/no/cert", "--tls-key", bad]).await, &["/no/cert"]);
}

#[tokio::test]
async fn with_a_certificate_it_speaks_tls_and_nothing_else() {
    let data = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (data.path().join("cert.pem"), data.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let flags = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let running = Running::start(&config(data.path(), &flags)).await.unwrap();
    let port = running.address.port();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(made.cert.pem()));
    let channel = Channel::from_shared(format!("https://localhost:{port}")).unwrap().tls_config(tls).unwrap();
    let mut admin = AdminServiceClient::new(channel.connect().await.unwrap());
    assert_eq!(admin.status(v1::StatusRequest {}).await.unwrap().into_inner().items, 0);
    let plain = Channel::from_shared(format!("http://localhost:{port}")).unwrap();
    let asked = async {
        AdminServiceClient::new(plain.connect().await?).status(v1::StatusRequest {}).await.map_err(Box::from)
    };
    let refused: Result<_, Box<dyn std::error::Error>> = asked.await;
    assert!(refused.is_err(), "a client without TLS is not answered");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_under_way_when_the_server_closes_is_done_or_refused_and_never_half() {
    const BATCHES: usize = 50;
    let server = Server::start().await;
    let mut asked = Vec::new();
    for n in 0..BATCHES {
        let mut items = server.items();
        asked.push(tokio::spawn(async move {
            let claims = vec![item(&format!("a{n}"), "application", "A")];
            let ask = v1::ApplyRequest { source: "shop".to_owned(), claims, ..Default::default() };
            (n, items.apply(ask).await.is_ok())
        }));
    }
    let server = server.restart().await;
    for answer in asked {
        let (n, acknowledged) = answer.await.unwrap();
        let ask = v1::GetItemRequest { item: format!("shop:a{n}"), ..Default::default() };
        let there = server.items().get(ask).await.is_ok();
        assert!(there || !acknowledged, "a{n} was acknowledged and is not there");
    }
}
