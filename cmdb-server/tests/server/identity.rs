use cmdb_proto::v1;
use tonic::Code;

use crate::harness::{Server, by, item, said, text};

/// Two sources that know one machine; a third that finds both.
async fn machines() -> Server {
    let server = Server::start().await;
    let with = |key: &str, pairs: &[(&str, &str)]| {
        let mut claim = item(key, "server", key);
        let said = claim.item.as_mut().unwrap();
        said.attributes = pairs.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        claim
    };
    let uuid = ("uuid", "4c4c4544-0042-3510-8056-b2c04f4e3332");
    server.apply("assets", vec![with("web01", &[("serial_number", "J6P5NQ2")])]).await;
    server.apply("cloud", vec![with("vm-7", &[uuid])]).await;
    server.apply("scan", vec![with("s-1", &[("serial_number", "J6P5NQ2"), uuid])]).await;
    server
}

async fn get(server: &Server, item: &str) -> v1::Item {
    let ask = v1::GetItemRequest { item: item.to_owned(), ..Default::default() };
    server.items().get(ask).await.unwrap().into_inner()
}

#[tokio::test]
async fn duplicates_are_listed_with_who_says_what() {
    let server = machines().await;
    let answer = server.identity().duplicates(v1::DuplicatesRequest::default()).await.unwrap().into_inner();
    assert_eq!((answer.total, answer.sets.len()), (1, 1));
    let set = &answer.sets[0];
    let names: Vec<_> = set.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!((set.kind(), names), (v1::duplicate_set::Kind::Duplicate, vec!["web01", "vm-7", "s-1"]));
    let shared: Vec<_> = set
        .evidence
        .iter()
        .filter(|row| row.agrees && row.strong)
        .map(|row| row.attributes.join(" "))
        .collect();
    assert_eq!(shared, ["serial_number", "uuid"]);
    assert_eq!(set.evidence[0].stated[0].said_by[0].source, "assets");
    let one = v1::DuplicatesRequest { item: "cloud:vm-7".to_owned(), ..Default::default() };
    assert_eq!(server.identity().duplicates(one).await.unwrap().into_inner().sets, answer.sets);
}

#[tokio::test]
async fn a_merge_redirects_and_a_split_takes_it_back() {
    let server = machines().await;
    let old = get(&server, "cloud:vm-7").await.id;
    let merge = |dry_run| v1::MergeRequest {
        into: "assets:web01".to_owned(),
        item: old.clone(),
        dry_run,
        reason: "one machine".to_owned(),
    };
    let dry = server.identity().merge(by("ann", merge(true))).await.unwrap().into_inner();
    assert_eq!((dry.revision, dry.changes.is_empty()), (0, false));
    let done = server.identity().merge(by("ann", merge(false))).await.unwrap().into_inner();
    assert_eq!((done.item.as_str(), done.revision), (old.as_str(), 4));
    let retire = v1::RetireRequest { item: old.clone(), ..Default::default() };
    let (_, reason, hint) = said(&server.items().retire(by("ann", retire)).await.unwrap_err());
    assert_eq!(reason, "MERGE_INVALID");
    assert!(hint.contains(&format!("cmdb split {old}")), "{hint}");
    let led = get(&server, &old).await;
    assert_eq!((led.id.as_str(), led.redirected_from.as_str()), (done.into.as_str(), old.as_str()));
    let twice = server.identity().merge(by("ann", merge(false))).await.unwrap_err();
    assert_eq!((twice.code(), said(&twice).1.as_str()), (Code::FailedPrecondition, "MERGE_INVALID"));

    let ask = v1::ExplainRequest { item: "assets:web01".to_owned(), ..Default::default() };
    let why = server.identity().explain(ask).await.unwrap().into_inner();
    assert_eq!(why.merged.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(), [old.as_str()]);
    assert_eq!(why.item.unwrap().claims.len(), 2);
    let name = why.attributes.iter().find(|contest| contest.name == "name").unwrap();
    assert!(name.bids[0].effective && name.bids[0].why.starts_with("observed later than by"), "{name:?}");

    let choice = |item: &str| v1::ClaimChoice {
        source: "assets".to_owned(),
        key: "web01".to_owned(),
        item: item.to_owned(),
    };
    let split = |choices| v1::SplitRequest { item: old.clone(), choices, ..Default::default() };
    let wrong = server.identity().split(by("ann", split(vec![choice("web01")]))).await.unwrap_err();
    assert_eq!(said(&wrong).1, "MERGE_INVALID");
    let done = server.identity().split(by("ann", split(Vec::new()))).await.unwrap().into_inner();
    assert_eq!((done.item.as_str(), done.undecided.len()), (old.as_str(), 0));
    let back = get(&server, "cloud:vm-7").await;
    assert_eq!((back.id, back.redirected_from), (old.clone(), String::new()));
    assert_eq!(back.distinct_from, [done.from]);
    let none = server.identity().split(by("ann", split(Vec::new()))).await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
}

#[tokio::test]
async fn a_report_is_looked_at_and_nothing_is_written() {
    use v1::decision::Outcome;
    let server = machines().await;
    let machine = |key: &str, serial: &str| {
        let mut claim = item(key, "server", key);
        let said = claim.item.as_mut().unwrap();
        said.attributes = [("serial_number".to_owned(), text(serial))].into();
        claim
    };
    let mut lost = item("data", "file_system", "/data");
    lost.item.as_mut().unwrap().within =
        Some(v1::Reference { to: Some(v1::reference::To::Key("nowhere".to_owned())) });
    let claims = vec![item("", "server", ""), machine("machine", "X-NEW"), machine("other", "j6p5nq2"), lost];
    let section = v1::IdentifySection { scope: "machine".to_owned(), claims };
    let ask = v1::IdentifyRequest { source: String::new(), sections: vec![section] };
    let before = get(&server, "web01").await;
    let answer = server.identity().identify(ask).await.unwrap().into_inner();
    let outcomes: Vec<_> = answer.decisions.iter().map(v1::Decision::outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused, Outcome::Created, Outcome::Created, Outcome::Waits]);
    assert!(answer.decisions[1].item.is_empty(), "a new item has no id yet");
    let found = answer.decisions[2].identification.clone().unwrap();
    assert_eq!(
        (found.method(), found.rule),
        (v1::identification::Method::Duplicate, vec!["serial_number".to_owned()])
    );
    assert_eq!(found.values["serial_number"], "j6p5nq2");
    let named: Vec<_> = answer.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(named, ["web01", "s-1"]);
    assert_eq!(get(&server, "web01").await, before);
    let status = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.revision, status.waiting_claims, status.sources.len()), (answer.revision, 0, 3));
}
