//! The past, and what differs between two moments.

use cmdb_proto::v1;
use cmdb_proto::v1::change::Kind;
use tokio::time::timeout;
use tonic::Code;

use crate::harness::{PATIENCE, Server, by, item, relates, said};

/// Revision 1: the shop. 2: a cache, which web-1 depends on. 3: web-2 is retired. Later ones: as told.
async fn estate() -> Server {
    let server = Server::start().await;
    server.shop().await;
    let mut web = item("web-1", "web_server", "Web 1");
    web.relationships = vec![relates("depends_on", "db", ""), relates("depends_on", "cache", "")];
    server.apply("shop", vec![web, item("cache", "cache", "Cache")]).await;
    let retire =
        v1::RetireRequest { item: "web-2".to_owned(), reason: "worn out".to_owned(), ..Default::default() };
    server.items().retire(by("ada", retire)).await.unwrap();
    server
}

fn affected(answer: &v1::ImpactResponse) -> Vec<(&str, &str)> {
    let named = answer.affected.iter();
    named.map(|one| (one.item.as_ref().unwrap().name.as_str(), one.state.as_str())).collect()
}

#[tokio::test]
async fn every_question_may_be_asked_of_a_past_revision() {
    let server = estate().await;
    let ask = |item: &str, as_of: &str| v1::ImpactRequest {
        items: vec![item.to_owned()],
        as_of: as_of.to_owned(),
        ..Default::default()
    };
    let then = server.graph().impact(ask("web-2", "r1")).await.unwrap().into_inner();
    assert_eq!((then.revision, affected(&then)), (1, vec![("Balancer", "degraded")]));
    assert!(then.assumptions.is_empty(), "{:?}", then.assumptions);
    let now = server.graph().impact(ask("web-2", "")).await.unwrap().into_inner();
    assert_eq!((now.revision, affected(&now)), (3, vec![]));
    assert!(then.as_of_us < now.as_of_us);

    let needs = |as_of: &str| v1::DependenciesRequest {
        items: vec!["web-1".to_owned()],
        as_of: as_of.to_owned(),
        ..Default::default()
    };
    let (then, now) = (needs("1"), needs("3"));
    assert_eq!(server.graph().dependencies(then).await.unwrap().into_inner().total, 1);
    assert_eq!(server.graph().dependencies(now).await.unwrap().into_inner().total, 2);

    let trace = |as_of: &str| v1::TraceRequest {
        from: "lb".to_owned(),
        to: "db".to_owned(),
        as_of: as_of.to_owned(),
        ..Default::default()
    };
    assert_eq!(server.graph().trace(trace("2")).await.unwrap().into_inner().chains.len(), 2);
    assert_eq!(server.graph().trace(trace("3")).await.unwrap().into_inner().chains.len(), 1);

    let around =
        v1::NeighboursRequest { item: "web-1".to_owned(), as_of: "1".to_owned(), ..Default::default() };
    assert_eq!(server.graph().neighbours(around).await.unwrap().into_inner().edges.len(), 2);

    let get = v1::GetItemRequest { item: "web-2".to_owned(), as_of: "r2".to_owned(), ..Default::default() };
    let web_2 = server.items().get(get.clone()).await.unwrap().into_inner();
    assert_eq!((web_2.status(), web_2.as_of_revision), (v1::Status::Active, 2));
    let now =
        server.items().get(v1::GetItemRequest { as_of: String::new(), ..get }).await.unwrap().into_inner();
    assert_eq!((now.status(), now.as_of_revision), (v1::Status::Retired, 3));

    let list = |as_of: &str| v1::ListItemsRequest { as_of: as_of.to_owned(), ..Default::default() };
    let totals = [list("1"), list("2"), list("3")];
    for (list, expected) in totals.into_iter().zip([4, 5, 4]) {
        let page = server.items().list(list).await.unwrap().into_inner();
        assert_eq!(page.total, expected, "as of {}", page.revision);
    }

    let history =
        v1::HistoryRequest { item: "web-2".to_owned(), as_of: "2".to_owned(), ..Default::default() };
    let history = server.items().history(history).await.unwrap().into_inner();
    assert_eq!(history.revision, 2);
    assert!(history.commits.iter().all(|commit| commit.revision <= 2), "{history:?}");

    // The moment of a revision is as good as its number.
    let moment = jiff::Timestamp::from_microsecond(web_2.as_of_us).unwrap().to_string();
    let get = v1::GetItemRequest { item: "web-2".to_owned(), as_of: moment, ..Default::default() };
    assert_eq!(server.items().get(get).await.unwrap().into_inner().as_of_revision, 2);
}

#[tokio::test]
async fn an_export_of_the_past_is_that_of_then() {
    async fn export(server: &Server, as_of: &str) -> Vec<u8> {
        let ask = v1::ExportRequest { retired: true, as_of: as_of.to_owned() };
        let mut chunks = server.transfer().export(ask).await.unwrap().into_inner();
        let mut whole = Vec::new();
        while let Some(chunk) = chunks.message().await.unwrap() {
            whole.extend(chunk.data);
        }
        whole
    }
    let server = Server::start().await;
    server.shop().await;
    let then = export(&server, "").await;
    server.apply("shop", vec![item("db", "database_instance", "Renamed")]).await;
    assert_ne!(export(&server, "").await, then);
    // Nothing of then is left out, and so it reads as it did.
    assert_eq!(export(&server, "r1").await, then);
}

#[tokio::test]
async fn a_moment_that_is_not_to_be_had_is_refused_with_what_would_be() {
    let server = Server::start().await;
    let ask = |as_of: &str| v1::ListItemsRequest { as_of: as_of.to_owned(), ..Default::default() };
    let refused = async |as_of: &str| said(&server.items().list(ask(as_of)).await.unwrap_err());
    assert_eq!(refused("0").await.1, "COMMIT_UNKNOWN", "nothing is recorded yet");
    server.shop().await;
    let cases = [
        ("last tuesday", Code::InvalidArgument, "MOMENT_INVALID"),
        ("2999-01-01", Code::InvalidArgument, "MOMENT_INVALID"),
        ("r9", Code::NotFound, "COMMIT_UNKNOWN"),
        ("0", Code::NotFound, "COMMIT_UNKNOWN"),
        ("2 days ago", Code::NotFound, "COMMIT_UNKNOWN"),
        ("1971-01-01", Code::NotFound, "COMMIT_UNKNOWN"),
    ];
    for (as_of, code, reason) in cases {
        let (given_code, given_reason, _) = refused(as_of).await;
        assert_eq!((given_code, given_reason.as_str()), (code, reason), "{as_of}");
    }
    let exported =
        server.transfer().export(v1::ExportRequest { as_of: "0".to_owned(), retired: false }).await;
    assert_eq!(exported.unwrap().into_inner().message().await.unwrap_err().code(), Code::NotFound);
}

fn differs(answer: &v1::DiffResponse) -> Vec<(Kind, String)> {
    let changes = answer.differences.iter().map(|difference| difference.change.as_ref().unwrap());
    changes
        .map(|change| match &change.relationship {
            Some(edge) => (change.kind(), format!("{} {} {}", edge.from_name, edge.r#type, edge.to_name)),
            None => (change.kind(), change.item_name.clone()),
        })
        .collect()
}

#[tokio::test]
async fn a_diff_names_what_came_what_changed_and_what_went_with_who_and_why() {
    let server = estate().await;
    let ask = v1::DiffRequest { from: "r1".to_owned(), ..Default::default() };
    let answer = server.commits().diff(ask.clone()).await.unwrap().into_inner();
    assert_eq!((answer.from_revision, answer.to_revision, answer.truncated), (1, 3, false));
    let found = differs(&answer);
    assert!(found.contains(&(Kind::ItemCreated, "Cache".to_owned())), "{found:?}");
    assert!(found.contains(&(Kind::RelationshipAdded, "Web 1 depends_on Cache".to_owned())), "{found:?}");
    let totals = answer.totals.unwrap();
    assert_eq!((totals.items_added, totals.items_removed), (1, 1));
    let retired =
        answer.differences.iter().find(|one| one.change.as_ref().unwrap().item_name == "Web 2").unwrap();
    assert_eq!(retired.revisions, [3]);
    let commit = answer.commits.iter().find(|commit| commit.revision == 3).unwrap();
    assert_eq!((commit.actor.as_str(), commit.reason.as_str()), ("ada", "worn out"));

    let cut = v1::DiffRequest { limit: 1, ..ask.clone() };
    let cut = server.commits().diff(cut).await.unwrap().into_inner();
    assert_eq!((cut.differences.len(), cut.truncated, cut.totals), (1, true, Some(totals)));
    let whole = server.commits().diff(v1::DiffRequest::default()).await.unwrap().into_inner();
    assert_eq!(
        (whole.from_revision, whole.totals.unwrap().items_added),
        (0, 5),
        "yesterday there was nothing"
    );
    let nothing = v1::DiffRequest { from: "3".to_owned(), ..ask.clone() };
    assert_eq!(server.commits().diff(nothing).await.unwrap().into_inner().differences, []);
    let wrong = v1::DiffRequest { from: "3".to_owned(), to: "1".to_owned(), ..ask };
    assert_eq!(said(&server.commits().diff(wrong).await.unwrap_err()).1, "MOMENT_INVALID");
}

#[tokio::test]
async fn around_an_item_only_what_it_needs_or_needed_is_compared() {
    let server = estate().await;
    server.apply("shop", vec![item("other", "application", "Other")]).await;
    let ask = |around: &str, depth| v1::DiffRequest {
        from: "1".to_owned(),
        around: around.to_owned(),
        depth,
        ..Default::default()
    };
    let answer = server.commits().diff(ask("lb", 0)).await.unwrap().into_inner();
    let names: Vec<String> = differs(&answer).into_iter().map(|(_, name)| name).collect();
    assert!(names.contains(&"Cache".to_owned()) && names.contains(&"Web 2".to_owned()), "{names:?}");
    assert!(!names.contains(&"Other".to_owned()), "{names:?}");
    // The balancer, both web servers (one of them until lately), the database, the cache.
    assert_eq!((answer.around.unwrap().name.as_str(), answer.around_items), ("Balancer", 5));
    let near = server.commits().diff(ask("lb", 1)).await.unwrap().into_inner();
    assert!(!differs(&near).contains(&(Kind::ItemCreated, "Cache".to_owned())), "the cache is two away");
    assert_eq!(near.around_items, 3);
    assert_eq!(said(&server.commits().diff(ask("nobody", 0)).await.unwrap_err()).1, "ITEM_NOT_FOUND");
}

#[tokio::test]
async fn a_watch_with_a_filter_sends_what_concerns_it_and_passes_over_the_rest() {
    let server = estate().await;
    let watch = |class: &str, item: &str| v1::WatchRequest {
        class: class.to_owned(),
        item: item.to_owned(),
        until_revision: 3,
        ..Default::default()
    };
    let seen = async |ask: v1::WatchRequest| {
        let mut commits = server.commits().watch(ask).await.unwrap().into_inner();
        let mut seen = Vec::new();
        while let Some(commit) = timeout(PATIENCE, commits.message()).await.expect("it ends").unwrap() {
            assert_eq!(commit.changes.len() as u64, commit.changes_total);
            seen.push((commit.revision, commit.changes.len()));
        }
        seen
    };
    assert_eq!(seen(watch("", "")).await.len(), 3);
    // The cache, and the relationship to it.
    assert_eq!(seen(watch("cache", "")).await, [(2, 2)]);
    assert_eq!(seen(watch("", "cache")).await, [(2, 2)]);
    let web_2: Vec<u64> = seen(watch("", "web-2")).await.into_iter().map(|(revision, _)| revision).collect();
    assert_eq!(web_2, [1, 3]);
    assert_eq!(seen(watch("team", "")).await, []);
    assert_eq!(said(&server.commits().watch(watch("cahce", "")).await.unwrap_err()).1, "CLASS_UNKNOWN");
    assert_eq!(said(&server.commits().watch(watch("", "nobody")).await.unwrap_err()).1, "ITEM_NOT_FOUND");
}

#[tokio::test]
async fn the_history_of_an_item_tells_who_began_to_depend_on_it() {
    let server = estate().await;
    let history = async |as_of: &str| {
        let ask = v1::HistoryRequest { item: "db".to_owned(), as_of: as_of.to_owned(), ..Default::default() };
        server.items().history(ask).await.unwrap().into_inner()
    };
    let mut job = item("job", "application", "Job");
    job.relationships = vec![relates("depends_on", "db", "")];
    server.apply("shop", vec![job]).await;
    let now = history("").await;
    let newest = &now.commits[0];
    assert_eq!((newest.revision, newest.changes.len(), newest.changes_total), (4, 1, 1));
    let edge = newest.changes[0].relationship.as_ref().unwrap();
    assert_eq!((edge.from_name.as_str(), edge.to_name.as_str()), ("Job", "Orders"));
    assert!(history("r3").await.commits.iter().all(|commit| commit.revision <= 3));
    // It is a change around the item, and not one of it.
    let get = v1::GetItemRequest { item: "db".to_owned(), ..Default::default() };
    assert_eq!(server.items().get(get).await.unwrap().into_inner().revision, 1);
}
