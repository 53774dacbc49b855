use cmdb_proto::v1;
use tokio::time::timeout;
use tonic::Code;

use crate::harness::{PATIENCE, Server, by, item, said};

async fn next(stream: &mut tonic::Streaming<v1::Commit>) -> v1::Commit {
    timeout(PATIENCE, stream.message()).await.expect("a commit comes").unwrap().expect("the stream goes on")
}

#[tokio::test]
async fn a_follower_sees_every_commit_in_order_the_old_ones_first() {
    let server = Server::start().await;
    for n in 0..3 {
        server.apply("shop", vec![item(&format!("a{n}"), "application", "A")]).await;
    }
    let ask = v1::WatchRequest { after_revision: 1, ..Default::default() };
    let mut commits = server.commits().watch(ask).await.unwrap().into_inner();
    assert_eq!((next(&mut commits).await.revision, next(&mut commits).await.revision), (2, 3));
    let from_now = v1::WatchRequest { from_now: true, ..Default::default() };
    let mut news = server.commits().watch(from_now).await.unwrap().into_inner();
    server.apply("shop", vec![item("a3", "application", "A3")]).await;
    let (old, new) = (next(&mut commits).await, next(&mut news).await);
    assert_eq!((old.revision, new.revision), (4, 4));
    assert_eq!(new.changes[0].item_name, "A3");
    assert_eq!((old.hash.len(), old.hash == new.hash), (32, true));
}

#[tokio::test]
async fn a_follower_who_is_slow_neither_holds_up_the_writer_nor_misses_anything() {
    const COMMITS: u64 = 200;
    let server = Server::start().await;
    let ask = v1::WatchRequest::default();
    let mut commits = server.commits().watch(ask).await.unwrap().into_inner();
    for n in 0..COMMITS {
        server.apply("shop", vec![item(&format!("a{n}"), "application", "A")]).await;
    }
    for expected in 1..=COMMITS {
        assert_eq!(next(&mut commits).await.revision, expected);
    }
}

#[tokio::test]
async fn following_ends_when_the_server_closes() {
    let server = Server::start().await;
    let mut commits = server.commits().watch(v1::WatchRequest::default()).await.unwrap().into_inner();
    timeout(PATIENCE, server.running.stop()).await.expect("closing does not wait for followers").unwrap();
    assert!(matches!(commits.message().await, Ok(None) | Err(_)));
}

#[tokio::test]
async fn a_commit_is_undone_by_a_new_one() {
    let server = Server::start().await;
    server.shop().await;
    let changed = server.apply("shop", vec![item("db", "database_instance", "Renamed")]).await;
    let ask = v1::RevertRequest {
        revision: changed.revision,
        reason: "a mistake".to_owned(),
        ..Default::default()
    };
    let undone = server.commits().revert(by("ada", ask)).await.unwrap().into_inner();
    assert!(undone.revision > changed.revision);
    let ask = v1::GetItemRequest { item: "shop:db".to_owned(), ..Default::default() };
    assert_eq!(server.items().get(ask).await.unwrap().into_inner().name, "Orders");
}

#[tokio::test]
async fn a_commit_that_is_not_there() {
    let server = Server::start().await;
    let ask = v1::GetCommitRequest { revision: 7, changes_max: 0 };
    let (code, reason, _) = said(&server.commits().get(ask).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::NotFound, "COMMIT_UNKNOWN"));
    let ask = v1::WatchRequest { after_revision: 7, ..Default::default() };
    assert_eq!(said(&server.commits().watch(ask).await.unwrap_err()).1, "COMMIT_UNKNOWN");
    let ask = v1::RevertRequest { revision: 7, ..Default::default() };
    assert_eq!(said(&server.commits().revert(ask).await.unwrap_err()).1, "COMMIT_UNKNOWN");
}
