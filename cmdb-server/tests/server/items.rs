use cmdb_proto::v1;
use tonic::Code;

use crate::harness::{Server, by, item, refused, relates, said, text};

#[tokio::test]
async fn what_is_stated_is_there_with_who_says_so() {
    let server = Server::start().await;
    let mut claim = item("db", "database_instance", "Orders");
    claim.item.as_mut().unwrap().attributes.insert("version".to_owned(), text("15.4"));
    let answer = server.apply("shop", vec![claim.clone()]).await;
    assert_eq!(answer.decisions[0].outcome(), v1::decision::Outcome::Created);
    assert_eq!(answer.changes[0].kind(), v1::change::Kind::ItemCreated);
    let ask = v1::GetItemRequest { item: "shop:db".to_owned(), claims: true, ..Default::default() };
    let found = server.items().get(ask).await.unwrap().into_inner();
    assert_eq!((found.key.as_str(), found.source.as_str(), found.name.as_str()), ("db", "shop", "Orders"));
    assert_eq!(found.status(), v1::Status::Active);
    assert_eq!(found.revision, answer.revision);
    let version = &found.attributes["version"];
    assert_eq!((version.value.clone(), version.source.as_str()), (Some(text("15.4")), "shop"));
    assert_eq!(found.claims[0].identification.as_ref().unwrap().method(), v1::identification::Method::New);

    let again = server.apply("shop", vec![claim]).await;
    assert_eq!(again.decisions[0].outcome(), v1::decision::Outcome::Unchanged);
    assert_eq!(again.revision, 0, "nothing changed, so nothing was committed");
}

#[tokio::test]
async fn an_item_shows_its_relationships_and_how_many_members_its_groups_have() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::GetItemRequest { item: "lb".to_owned(), relationships: true, ..Default::default() };
    let found = server.items().get(ask.clone()).await.unwrap().into_inner();
    let mut to: Vec<_> =
        found.relationships.iter().map(|edge| (edge.r#type.as_str(), edge.to_name.as_str())).collect();
    to.sort_unstable();
    assert_eq!(to, [("depends_on", "Web 1"), ("depends_on", "Web 2")]);
    let group = &found.groups[0];
    assert_eq!((group.group.as_str(), group.require.as_str(), group.members), ("web", "at_least 1", 2));
    let one =
        server.items().get(v1::GetItemRequest { relationships_max: 1, ..ask }).await.unwrap().into_inner();
    assert_eq!((one.relationships.len(), one.relationships_omitted), (1, 1));
}

#[tokio::test]
async fn listings_come_in_pages_and_say_how_many_there_are() {
    let server = Server::start().await;
    let many = (0..25).map(|n| item(&format!("app-{n:02}"), "application", &format!("App {n:02}"))).collect();
    server.apply("shop", many).await;
    let mut ask =
        v1::ListItemsRequest { class: "application".to_owned(), page_size: 10, ..Default::default() };
    ask.sort = "name".to_owned();
    let mut names = Vec::new();
    loop {
        let page = server.items().list(ask.clone()).await.unwrap().into_inner();
        assert_eq!(page.total, 25);
        names.extend(page.items.into_iter().map(|item| item.name));
        if page.next_page_token.is_empty() {
            break;
        }
        ask.page_token = page.next_page_token;
    }
    let expected: Vec<String> = (0..25).map(|n| format!("App {n:02}")).collect();
    assert_eq!(names, expected);
    let count = v1::ListItemsRequest { count_only: true, ..Default::default() };
    assert_eq!(server.items().list(count).await.unwrap().into_inner().total, 25);
}

#[tokio::test]
async fn people_are_sources_and_a_dry_run_changes_nothing() {
    let server = Server::start().await;
    server.shop().await;
    let mut claim = item("@4", "", "");
    claim.item.as_mut().unwrap().attributes.insert("description".to_owned(), text("by hand"));
    let mut ask = v1::ApplyRequest {
        claims: vec![claim],
        merge: true,
        dry_run: true,
        reason: "the wiki was wrong".to_owned(),
        ..Default::default()
    };
    let dry = server.items().apply(by("ada", ask.clone())).await.unwrap().into_inner();
    assert_eq!((dry.revision, dry.changes.len(), refused(&dry)), (0, 1, vec![]));
    assert_eq!(dry.changes[0].attributes[0].source, "person-ada", "named before the store knows her");
    ask.dry_run = false;
    let done = server.items().apply(by("ada", ask)).await.unwrap().into_inner();
    let commit = v1::GetCommitRequest { revision: done.revision, changes_max: 0 };
    let commit = server.commits().get(commit).await.unwrap().into_inner();
    assert_eq!((commit.actor.as_str(), commit.reason.as_str()), ("ada", "the wiki was wrong"));
    let change = &commit.changes[0].attributes[0];
    assert_eq!((change.name.as_str(), change.source.as_str()), ("description", "person-ada"));
}

#[tokio::test]
async fn an_item_is_retired_and_its_history_tells() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::RetireRequest { item: "web-2".to_owned(), reason: "sold".to_owned(), ..Default::default() };
    let retired = server.items().retire(by("ada", ask)).await.unwrap().into_inner();
    assert!(retired.revision > 0);
    let ask = v1::HistoryRequest { item: "web-2".to_owned(), ..Default::default() };
    let history = server.items().history(ask).await.unwrap().into_inner();
    assert_eq!(history.name, "Web 2");
    let reasons: Vec<_> = history.commits.iter().map(|commit| commit.reason.as_str()).collect();
    assert_eq!(reasons, ["sold", ""]);
    assert_eq!(history.commits[0].changes[0].status_after(), v1::Status::Retired);
}

#[tokio::test]
async fn errors_carry_code_reason_and_what_to_do() {
    let server = Server::start().await;
    server.shop().await;
    server.apply("other", vec![item("web-1", "web_server", "Web 1")]).await;
    let get = async |text: &str| {
        let ask = v1::GetItemRequest { item: text.to_owned(), ..Default::default() };
        said(&server.items().get(ask).await.unwrap_err())
    };
    let (code, reason, hint) = get("web-3").await;
    assert_eq!((code, reason.as_str()), (Code::NotFound, "ITEM_NOT_FOUND"));
    assert!(hint.contains("did you mean \"web"), "{hint}");
    let (code, reason, hint) = get("web-1").await;
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "ITEM_AMBIGUOUS"));
    assert!(hint.contains("shop:web-1") || hint.contains('@'), "{hint}");

    let list = async |class: &str, filter: &str, page_size| {
        let ask = v1::ListItemsRequest {
            class: class.to_owned(),
            r#where: filter.to_owned(),
            page_size,
            ..Default::default()
        };
        said(&server.items().list(ask).await.unwrap_err())
    };
    let (code, reason, hint) = list("sever", "", 0).await;
    assert_eq!((code, reason.as_str()), (Code::NotFound, "CLASS_UNKNOWN"));
    assert!(hint.contains("server"), "{hint}");
    assert_eq!(list("", "name ==== 3", 0).await.1, "FILTER_INVALID");
    assert_eq!(list("", "", 10_001).await.1, "OUT_OF_RANGE");

    let apply = async |actor: &str, source: &str, claims| {
        let ask = v1::ApplyRequest { source: source.to_owned(), claims, ..Default::default() };
        said(&server.items().apply(by(actor, ask)).await.unwrap_err()).1
    };
    assert_eq!(apply("a b", "", vec![]).await, "ACTOR_INVALID");
    assert_eq!(apply("ada", "agent-0b6f3c1e5a0e", vec![]).await, "SOURCE_INVALID");
}

#[tokio::test]
async fn a_claim_that_is_wrong_is_refused_in_its_decision() {
    let server = Server::start().await;
    let mut unknown = item("x", "databse_instance", "x");
    unknown.relationships.push(relates("depends_on", "y", ""));
    let claims = vec![
        item("", "application", "x"),
        unknown,
        item("y", "application", "y"),
        item("a\nb", "application", "x"),
    ];
    let answer = server.apply("shop", claims).await;
    let reasons: Vec<_> = answer
        .decisions
        .iter()
        .map(|decision| decision.problem.as_ref().map(|problem| problem.reason.as_str()))
        .collect();
    assert_eq!(reasons, [Some("KEY_INVALID"), Some("CLASS_UNKNOWN"), None, Some("KEY_INVALID")]);
    assert_eq!(answer.decisions[2].outcome(), v1::decision::Outcome::Created);
    let problem = answer.decisions[1].problem.as_ref().unwrap();
    assert_eq!(problem.reason, "CLASS_UNKNOWN");
    assert!(problem.hint.contains("database_instance"), "{problem:?}");
}
