use cmdb_proto::v1;
use cmdb_proto::v1::scenario_edit::Edit;
use tonic::Code;

use crate::harness::{Server, by, said};

async fn create(server: &Server, name: &str) -> v1::Scenario {
    let ask = v1::CreateScenarioRequest { name: name.to_owned(), ..Default::default() };
    server.scenarios().create(by("ada", ask)).await.unwrap().into_inner()
}

async fn edit(server: &Server, edits: Vec<Edit>) -> Result<v1::Scenario, tonic::Status> {
    let edits = edits.into_iter().map(|edit| v1::ScenarioEdit { edit: Some(edit) }).collect();
    let ask = v1::EditScenarioRequest { name: "spare".to_owned(), edits };
    server.scenarios().edit(ask).await.map(tonic::Response::into_inner)
}

fn add(name: &str) -> Edit {
    let class = "web_server".to_owned();
    Edit::Add(v1::ScenarioAdd { class, name: name.to_owned(), ..Default::default() })
}

fn relate(from: &str, to: &str) -> Edit {
    Edit::Relate(v1::ScenarioRelate {
        from: from.to_owned(),
        r#type: "depends_on".to_owned(),
        to: to.to_owned(),
        group: "web".to_owned(),
        weight: 0.0,
    })
}

#[tokio::test]
async fn what_is_taken_out_in_a_scenario_is_retired_there_and_nowhere_else() {
    let server = Server::start().await;
    server.shop().await;
    assert_eq!(create(&server, "spare").await.created_by, "ada");
    let edits = vec![
        add("Web 3"),
        relate("lb", "+Web 3"),
        Edit::Remove(v1::ScenarioRemove { item: "web-1".to_owned() }),
    ];
    let edited = edit(&server, edits).await.unwrap();
    assert_eq!((edited.edits_total, edited.items.len()), (3, 2));
    let ask = |item: &str, scenario: &str| v1::ImpactRequest {
        items: vec![item.to_owned()],
        scenario: scenario.to_owned(),
        ..Default::default()
    };
    let there = server.graph().impact(ask("web-1", "spare")).await.unwrap().into_inner();
    assert_eq!(there.assumptions, ["Web 1 is retired: its relationships count no more"]);
    assert_eq!(there.seeds[0].status, "retired");
    let new = server.graph().impact(ask("+Web 3", "spare")).await.unwrap().into_inner();
    assert_eq!((new.seeds[0].id.as_str(), new.affected.len()), ("+Web 3", 1));
    assert_eq!(new.affected[0].via[0].id, "+Web 3");
    let both = v1::ImpactRequest { as_of: "1".to_owned(), ..ask("web-1", "spare") };
    let (code, _, hint) = said(&server.graph().impact(both).await.unwrap_err());
    assert_eq!((code, hint.contains("--base")), (Code::InvalidArgument, true));
    let here = server.graph().impact(ask("web-1", "")).await.unwrap().into_inner();
    assert_eq!((here.assumptions.len(), here.seeds[0].status.as_str()), (0, "active"));
    let ask = v1::DiffScenarioRequest { name: "spare".to_owned() };
    let diff = server.scenarios().diff(ask).await.unwrap().into_inner();
    assert_eq!((diff.changes.len(), diff.conflicts.len()), (3, 0));
    let related = diff.changes.iter().find_map(|change| change.relationship.as_ref()).unwrap();
    assert_eq!((related.to.as_str(), related.to_name.as_str()), ("+Web 3", "Web 3"));
}

#[tokio::test]
async fn edits_come_all_or_none_and_none_is_lost() {
    let server = Server::start().await;
    server.shop().await;
    create(&server, "spare").await;
    let (code, reason, _) = said(&edit(&server, vec![add("a"), relate("lb", "+b")]).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::NotFound, "ITEM_NOT_FOUND"));
    let (one, two) = (edit(&server, vec![add("a")]), edit(&server, vec![add("b")]));
    let (one, two) = tokio::join!(one, two);
    one.unwrap();
    two.unwrap();
    let ask = v1::GetScenarioRequest { name: "spare".to_owned() };
    assert_eq!(server.scenarios().get(ask).await.unwrap().into_inner().edits_total, 2);
    assert_eq!(said(&edit(&server, vec![add("a")]).await.unwrap_err()).1, "KEY_REPEATED");
}

#[tokio::test]
async fn a_scenario_that_is_there_is_not_made_again_and_one_that_is_not_is_not_found() {
    let server = Server::start().await;
    create(&server, "spare").await;
    let ask = |name: &str| v1::CreateScenarioRequest { name: name.to_owned(), ..Default::default() };
    assert_eq!(said(&server.scenarios().create(ask("spare")).await.unwrap_err()).1, "KEY_REPEATED");
    assert_eq!(said(&server.scenarios().create(ask("a b")).await.unwrap_err()).1, "KEY_INVALID");
    let wrong = v1::CreateScenarioRequest { base: "9".to_owned(), ..ask("other") };
    assert_eq!(said(&server.scenarios().create(wrong).await.unwrap_err()).1, "COMMIT_UNKNOWN");
    let ask = v1::DeleteScenarioRequest { name: "other".to_owned() };
    assert_eq!(said(&server.scenarios().delete(ask).await.unwrap_err()).0, Code::NotFound);
    let take = v1::ApplyScenarioRequest {
        name: "spare".to_owned(),
        take_all: "ours".to_owned(),
        ..Default::default()
    };
    assert_eq!(said(&server.scenarios().apply(take).await.unwrap_err()).1, "VALUE_TYPE");
}
