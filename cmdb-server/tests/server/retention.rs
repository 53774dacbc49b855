//! Baselines, and what is not kept any more.

use cmdb_proto::v1;
use tonic::Code;

use crate::harness::*;

#[tokio::test]
async fn a_baseline_is_a_moment_by_its_name() {
    let server = Server::start().await;
    server.shop().await;
    let first = server.apply("other", vec![item("web-9", "web_server", "Web 9")]).await.revision;
    let create = |name: &str, as_of: &str| v1::CreateBaselineRequest {
        name: name.to_owned(),
        as_of: as_of.to_owned(),
        reason: "the audit".to_owned(),
    };
    let made =
        server.commits().create_baseline(by("ada", create("audit-2026", ""))).await.unwrap().into_inner();
    assert_eq!((made.revision, made.created_by.as_str(), made.reason.as_str()), (first, "ada", "the audit"));
    let again = server.commits().create_baseline(by("ada", create("audit-2026", "1"))).await.unwrap_err();
    assert_eq!(said(&again).0, Code::FailedPrecondition);
    let bad = server.commits().create_baseline(by("ada", create("7", ""))).await.unwrap_err();
    assert_eq!(said(&bad).1, "KEY_INVALID");
    server.apply("other", vec![item("web-9", "web_server", "Web nine")]).await;

    let get = async |as_of: &str| {
        let ask =
            v1::GetItemRequest { item: "web-9".to_owned(), as_of: as_of.to_owned(), ..Default::default() };
        server.items().get(ask).await
    };
    let then = get("audit-2026").await.unwrap().into_inner();
    assert_eq!((then.name.as_str(), then.as_of_revision), ("Web 9", first));
    let (code, reason, _) = said(&get("audit-2025").await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "MOMENT_INVALID"));

    let list =
        async || server.commits().list_baselines(v1::ListBaselinesRequest {}).await.unwrap().into_inner();
    let all = list().await;
    assert_eq!((all.baselines, all.oldest_revision), (vec![made], 0));
    let delete = v1::DeleteBaselineRequest { name: "audit-2026".to_owned() };
    server.commits().delete_baseline(delete.clone()).await.unwrap();
    assert!(list().await.baselines.is_empty());
    assert_eq!(said(&server.commits().delete_baseline(delete).await.unwrap_err()).1, "MOMENT_INVALID");
}

#[tokio::test]
async fn what_was_compacted_is_refused_and_a_follower_is_told_where_to_resume() {
    let server = Server::start().await;
    for name in ["one", "two", "three", "four"] {
        server.apply("other", vec![item("web-9", "web_server", name)]).await;
    }
    let create =
        v1::CreateBaselineRequest { name: "second".to_owned(), as_of: "2".to_owned(), ..Default::default() };
    server.commits().create_baseline(create).await.unwrap();
    let server = server.compacted(3).await;

    let get = async |as_of: &str| {
        let ask =
            v1::GetItemRequest { item: "web-9".to_owned(), as_of: as_of.to_owned(), ..Default::default() };
        server.items().get(ask).await
    };
    let (code, reason, hint) = said(&get("1").await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::OutOfRange, "HISTORY_COMPACTED"));
    assert!(hint.contains("second (revision 2)"), "{hint}");
    assert_eq!(get("second").await.unwrap().into_inner().name, "two");
    assert_eq!(get("3").await.unwrap().into_inner().name, "three");
    let listed = server.commits().list_baselines(v1::ListBaselinesRequest {}).await.unwrap().into_inner();
    assert_eq!(listed.oldest_revision, 3);

    let watch = v1::WatchRequest { after_revision: 1, ..Default::default() };
    let mut behind = server.commits().watch(watch).await.unwrap().into_inner();
    let behind = behind.message().await.unwrap_err();
    assert!(
        behind.message().contains("fell behind") && behind.message().contains("the oldest is 4"),
        "{behind:?}"
    );
    assert!(said(&behind).2.contains("cmdb watch --after 3"), "{behind:?}");
    let watch = v1::WatchRequest { after_revision: 3, until_revision: 5, ..Default::default() };
    let mut resumed = server.commits().watch(watch).await.unwrap().into_inner();
    assert_eq!(resumed.message().await.unwrap().unwrap().revision, 4);
    let act = resumed.message().await.unwrap().unwrap();
    assert_eq!((act.revision, act.actor.as_str()), (5, "keeper"));
    assert!(act.reason.contains("history before revision 3 compacted: "), "{}", act.reason);
    let history = v1::HistoryRequest { item: "web-9".to_owned(), ..Default::default() };
    let history = server.items().history(history).await.unwrap().into_inner();
    assert_eq!(history.commits.iter().map(|commit| commit.revision).collect::<Vec<_>>(), [4]);
}

#[tokio::test]
async fn the_history_is_compacted_on_demand_while_the_server_runs() {
    let server = Server::start().await;
    for name in ["one", "two", "three", "four"] {
        server.apply("other", vec![item("web-9", "web_server", name)]).await;
    }
    let keep =
        v1::CreateBaselineRequest { name: "first".to_owned(), as_of: "1".to_owned(), ..Default::default() };
    server.commits().create_baseline(keep).await.unwrap();
    let shown = async || server.commits().retention(v1::RetentionRequest {}).await.unwrap().into_inner();
    let before = shown().await;
    assert_eq!((before.history_days, before.oldest_revision, before.head, before.baselines), (0, 0, 4, 1));
    let ask = |before: &str, dry_run| {
        let reason = "room".to_owned();
        by("ada", v1::CompactRequest { before: before.to_owned(), reason, dry_run })
    };
    let would = server.commits().compact(ask("r3", true)).await.unwrap().into_inner();
    assert_eq!((would.revision, shown().await), (0, before));
    let done = server.commits().compact(ask("r3", false)).await.unwrap().into_inner();
    assert_eq!((done.changes, done.commits, done.oldest_revision), (would.changes, would.commits, 3));
    assert_eq!((done.revision, done.commits), (5, 1));
    assert_eq!(shown().await.oldest_revision, 3);
    let commit = v1::GetCommitRequest { revision: 5, ..Default::default() };
    let commit = server.commits().get(commit).await.unwrap().into_inner();
    assert_eq!(commit.actor, "ada");
    assert!(commit.reason.contains("room"), "{}", commit.reason);
    let get = async |as_of: &str| {
        let ask =
            v1::GetItemRequest { item: "web-9".to_owned(), as_of: as_of.to_owned(), ..Default::default() };
        server.items().get(ask).await
    };
    assert_eq!(get("first").await.unwrap().into_inner().name, "one");
    assert_eq!(said(&get("2").await.unwrap_err()).1, "HISTORY_COMPACTED");
    assert_eq!(said(&server.commits().compact(ask("", false)).await.unwrap_err()).1, "OUT_OF_RANGE");
    assert_eq!(said(&server.commits().compact(ask("r99", false)).await.unwrap_err()).1, "COMMIT_UNKNOWN");
}

#[tokio::test]
async fn how_long_the_history_is_kept_is_said_by_somebody_and_outlives_the_server() {
    let server = Server::start().await;
    server.shop().await;
    let set = |history_days, dry_run| {
        let reason = "a quarter is enough".to_owned();
        by("ada", v1::SetRetentionRequest { history_days, reason, dry_run })
    };
    let would = server.commits().set_retention(set(90, true)).await.unwrap().into_inner();
    assert_eq!((would.revision, would.retention.map(|kept| kept.history_days)), (0, Some(90)));
    let done = server.commits().set_retention(set(90, false)).await.unwrap().into_inner();
    assert_eq!((done.revision, done.history_days_before), (2, 0));
    let far = server.commits().set_retention(set(99_999, false)).await.unwrap_err();
    assert_eq!(said(&far).0, Code::ResourceExhausted);
    let commit = v1::GetCommitRequest { revision: 2, ..Default::default() };
    let commit = server.commits().get(commit).await.unwrap().into_inner();
    assert_eq!((commit.actor.as_str(), commit.changes_total), ("ada", 0));
    assert!(commit.reason.starts_with("a quarter is enough; every change is kept for 90 days"), "{commit:?}");

    let server = server.restart().await;
    let kept = server.commits().retention(v1::RetentionRequest {}).await.unwrap().into_inner();
    assert_eq!((kept.history_days, kept.set_revision, kept.set_by.as_str()), (90, 2, "ada"));
    assert_eq!(kept.reason, "a quarter is enough");
    let again = server.commits().set_retention(set(90, false)).await.unwrap().into_inner();
    assert_eq!((again.revision, again.retention), (0, Some(kept)));
}
