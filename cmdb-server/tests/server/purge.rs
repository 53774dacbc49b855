//! Erasing a value through every answer that could show it.

use cmdb_proto::v1;
use tonic::Code;

use crate::harness::*;

const SECRET: &str = "xk7-secret-xk7";

#[tokio::test]
async fn what_is_purged_is_shown_as_purged_everywhere() {
    let server = Server::start().await;
    let mut claim = item("db-1", "database_instance", "Orders");
    let secret = v1::Value { kind: Some(v1::value::Kind::Text(SECRET.to_owned())) };
    claim.item.as_mut().unwrap().attributes.insert("connection".to_owned(), secret);
    let first = server.apply("shop", vec![claim]).await.revision;

    let ask = |lift, dry_run, reason: &str| v1::PurgeRequest {
        item: "db-1".to_owned(),
        attribute: "connection".to_owned(),
        lift,
        dry_run,
        reason: reason.to_owned(),
        commit: 0,
    };
    let refused = server.items().purge(by("ada", ask(false, false, ""))).await.unwrap_err();
    assert_eq!(said(&refused).0, Code::InvalidArgument);
    let dry = server.items().purge(by("ada", ask(false, true, "a password"))).await.unwrap().into_inner();
    assert_eq!((dry.revision, dry.versions), (0, 1));
    let done = server.items().purge(by("ada", ask(false, false, "a password"))).await.unwrap().into_inner();
    assert_eq!((done.revision, done.items.as_slice()), (first + 1, &[done.item.clone()][..]));
    assert_eq!(done.changes[0].purged[0].by, "ada");

    let mark = |purged: &[v1::Purged]| {
        let purged = &purged[0];
        (
            purged.attribute.clone(),
            purged.by.clone(),
            purged.reason.clone(),
            purged.revision,
            purged.suppressed,
        )
    };
    let expected = |suppressed| {
        ("connection".to_owned(), "ada".to_owned(), "a password".to_owned(), first + 1, suppressed)
    };
    for (as_of, suppressed) in [(String::new(), true), (first.to_string(), false)] {
        let get = v1::GetItemRequest { item: "db-1".to_owned(), claims: true, as_of, ..Default::default() };
        let shown = server.items().get(get).await.unwrap().into_inner();
        assert_eq!(mark(&shown.purged), expected(suppressed));
        assert!(!format!("{shown:?}").contains(SECRET));
    }
    let history = v1::HistoryRequest { item: "db-1".to_owned(), ..Default::default() };
    let history = server.items().history(history).await.unwrap().into_inner();
    assert_eq!(mark(&history.commits[0].changes[0].purged), expected(true));
    assert_eq!(mark(&history.commits[1].changes[0].purged), expected(false));
    let diff = v1::DiffRequest { from: "0".to_owned(), ..Default::default() };
    let diff = server.commits().diff(diff).await.unwrap().into_inner();
    let watched = v1::GetCommitRequest { revision: first, changes_max: 0 };
    let watched = server.commits().get(watched).await.unwrap().into_inner();
    assert_eq!(mark(&watched.changes[0].purged), expected(false));
    assert!(!format!("{history:?}{diff:?}{watched:?}{done:?}").contains(SECRET));

    let revert = v1::RevertRequest { revision: first + 1, ..Default::default() };
    let revert = server.commits().revert(by("ada", revert)).await.unwrap_err();
    assert!(revert.message().contains("cannot be undone"), "{revert:?}");
    let lifted = server.items().purge(by("ada", ask(true, false, ""))).await.unwrap().into_inner();
    assert_eq!(lifted.changes[0].notes, ["connection may be stated again"]);
}

#[tokio::test]
async fn the_reason_of_a_commit_is_purged_and_says_so() {
    let server = Server::start().await;
    let ask = v1::ApplyRequest {
        claims: vec![item("db-1", "database_instance", "Orders")],
        reason: SECRET.to_owned(),
        ..Default::default()
    };
    let revision = server.items().apply(by("ada", ask)).await.unwrap().into_inner().revision;
    let purge = |commit, lift, reason: &str| {
        let reason = reason.to_owned();
        by("ada", v1::PurgeRequest { commit, lift, reason, ..Default::default() })
    };
    for (commit, lift, reason) in [(revision, false, ""), (revision, true, "x"), (99, false, "x")] {
        server.items().purge(purge(commit, lift, reason)).await.unwrap_err();
    }
    let done = server.items().purge(purge(revision, false, "a slip")).await.unwrap().into_inner();
    assert_eq!((done.revision, done.item.as_str(), done.changes.len()), (revision + 1, "", 0));
    let commit = v1::GetCommitRequest { revision, ..Default::default() };
    let commit = server.commits().get(commit).await.unwrap().into_inner();
    assert_eq!(
        (commit.actor.as_str(), commit.reason),
        ("ada", format!("(purged in revision {})", done.revision))
    );
    let server = server.restart().await;
    let mut verified = server.admin().verify(v1::VerifyRequest {}).await.unwrap().into_inner();
    while let Some(event) = verified.message().await.unwrap() {
        if let Some(v1::verify_event::Event::Result(result)) = event.event {
            assert_eq!(result.findings, 0);
        }
    }
}

#[tokio::test]
async fn of_what_no_item_is_called_the_one_who_asks_is_told() {
    let server = Server::start().await;
    server.shop().await;
    for (item, code) in
        [("shop:nothing", Code::NotFound), ("nobody:db", Code::NotFound), ("nothing", Code::NotFound)]
    {
        let ask = v1::PurgeRequest {
            item: item.to_owned(),
            attribute: "connection".to_owned(),
            reason: "a password".to_owned(),
            ..Default::default()
        };
        assert_eq!(said(&server.items().purge(by("ada", ask)).await.unwrap_err()).0, code, "{item}");
    }
}
