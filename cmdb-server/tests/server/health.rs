use cmdb_proto::v1;
use cmdb_proto::v1::health_service_client::HealthServiceClient;
use tonic::Code;

use crate::harness::{Server, item, relates, said, text};

#[tokio::test]
async fn figures_name_the_items_behind_them() {
    let server = Server::start().await;
    let mut shop = item("shop", "business_service", "Shop");
    shop.item.as_mut().unwrap().attributes.insert("owner".to_owned(), text("Shop team"));
    shop.relationships.push(relates("depends_on", "db", ""));
    let db = item("db", "database_instance", "Orders");
    let lone = item("lone", "database_instance", "Lone");
    server.apply("shop", vec![shop, db, lone]).await;
    let mut client = HealthServiceClient::new(server.channel.clone());
    let ask = |list: &str| v1::HealthRequest { list: list.to_owned(), ..Default::default() };
    let health = client.health(ask("unowned")).await.unwrap().into_inner();
    assert_eq!((health.items, health.interval_s, health.omitted), (3, 86_400, 0));
    let listed: Vec<_> = health.listed.iter().map(|item| (item.name.as_str(), item.key.as_str())).collect();
    assert_eq!(listed, [("Lone", "lone")], "Orders is the shop's");
    let figure = health.figures.iter().find(|figure| figure.name == "unowned").unwrap();
    assert_eq!((figure.area.as_str(), figure.count, figure.of), ("ownership", 1, 3));
    let ask_item = v1::GetItemRequest { item: "db".to_owned(), ..Default::default() };
    let given = server.items().get(ask_item).await.unwrap().into_inner().given;
    let given: Vec<_> = given
        .iter()
        .map(|given| (given.attribute.as_str(), given.value.as_str(), given.service_name.as_str()))
        .collect();
    assert_eq!(given, [("owner", "Shop team", "Shop")]);

    let (code, reason, hint) = said(&client.health(ask("unownd")).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::NotFound, "FIGURE_UNKNOWN"));
    assert!(hint.contains("unowned"), "{hint}");
    let ask = v1::HealthRequest { interval_s: u64::MAX, ..Default::default() };
    assert_eq!(said(&client.health(ask).await.unwrap_err()).1, "OUT_OF_RANGE");
}

#[tokio::test]
async fn a_past_moment_has_its_own_figures() {
    let server = Server::start().await;
    server.apply("shop", vec![item("db", "database_instance", "Orders")]).await;
    server.apply("shop", vec![item("db2", "database_instance", "Lone")]).await;
    let mut client = HealthServiceClient::new(server.channel.clone());
    let ask = |as_of: &str| v1::HealthRequest { as_of: as_of.to_owned(), ..Default::default() };
    let then = client.health(ask("r1")).await.unwrap().into_inner();
    assert_eq!((then.revision, then.items), (1, 1));
    let now = client.health(ask("")).await.unwrap().into_inner();
    assert_eq!((now.revision, now.items), (2, 2));
    assert_eq!(said(&client.health(ask("r9")).await.unwrap_err()).1, "COMMIT_UNKNOWN");

    let classes = v1::ClassesRequest { class: "database_instance".to_owned(), as_of: "r1".to_owned() };
    let classes = server.schema().classes(classes).await.unwrap().into_inner();
    assert_eq!((classes.revision, classes.classes[0].items), (1, 1));
    let types = v1::RelationshipTypesRequest { as_of: "r1".to_owned() };
    let types = server.schema().relationship_types(types).await.unwrap().into_inner();
    assert!(types.revision == 1 && types.types.iter().any(|kind| kind.name == "runs_on"));
}
