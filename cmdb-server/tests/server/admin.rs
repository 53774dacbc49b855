use std::collections::BTreeSet;
use std::path::Path;

use cmdb_proto::v1;
use cmdb_server::offline;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1 as reflection;

use crate::harness::{Server, said};

async fn backup(server: &Server, to: &Path) {
    let mut chunks = server.admin().backup(v1::BackupRequest {}).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.message().await.unwrap() {
        bytes.extend(chunk.data);
    }
    std::fs::write(to, bytes).unwrap();
}

#[tokio::test]
async fn status_counts_what_there_is() {
    let server = Server::start().await;
    server.shop().await;
    let status = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.items, status.relationships, status.revision), (4, 4, 1));
    assert_eq!(status.items_by_class["web_server"], 2);
    assert_eq!((status.store.as_str(), status.version.as_str()), ("redb", env!("CARGO_PKG_VERSION")));
    assert!(status.file_bytes > 0 && status.recorded_at_us > 0);
    assert!(Path::new(&status.data_path).starts_with(server.directory.path()));
}

#[tokio::test]
async fn a_sound_store_verifies() {
    let server = Server::start().await;
    server.shop().await;
    let mut events = server.admin().verify(v1::VerifyRequest {}).await.unwrap().into_inner();
    let mut last = None;
    while let Some(event) = events.message().await.unwrap() {
        last = event.event;
    }
    let Some(v1::verify_event::Event::Result(result)) = last else {
        panic!("the result comes last: {last:?}")
    };
    assert_eq!((result.revision, result.items, result.relationships, result.findings), (1, 4, 4, 0));
}

#[tokio::test]
async fn a_backup_becomes_a_store_and_never_overwrites_one() {
    let server = Server::start().await;
    server.shop().await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.cmdb");
    backup(&server, &file).await;
    let data = place.path().join("data");
    offline::restore(&file, &data, None).unwrap();
    let again = offline::restore(&file, &data, None).unwrap_err();
    assert!(format!("{again:#}").contains("holds a store already"), "{again:#}");
    offline::compact(&data).unwrap();

    let restored = tempfile::tempdir().unwrap();
    std::fs::rename(data.join("cmdb.redb"), restored.path().join("cmdb.redb")).unwrap();
    let restored = Server::start_in(restored, &[]).await;
    let impact = v1::ImpactRequest { items: vec!["shop:db".to_owned()], ..Default::default() };
    let answer = restored.graph().impact(impact).await.unwrap().into_inner();
    assert_eq!((answer.revision, answer.counts.unwrap().failed), (1, 3));
}

#[tokio::test]
async fn a_backup_that_is_cut_or_none_leaves_nothing_behind() {
    let server = Server::start().await;
    server.shop().await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.cmdb");
    backup(&server, &file).await;
    let whole = std::fs::read(&file).unwrap();
    for bytes in [&whole[..whole.len() / 2], b"not a backup", b""] {
        std::fs::write(&file, bytes).unwrap();
        let data = place.path().join("data");
        let error = offline::restore(&file, &data, None).unwrap_err();
        assert!(format!("{error:#}").contains("is as it was"), "{error:#}");
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn health_speaks_for_the_server_and_for_each_service() {
    let server = Server::start().await;
    let mut health = HealthClient::new(server.channel.clone());
    for service in ["", "cmdb.v1.ItemService", "cmdb.v1.DiscoveryService", "cmdb.v1.AdminService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
}

#[tokio::test]
async fn reflection_lists_every_service() {
    use reflection::server_reflection_client::ServerReflectionClient;
    use reflection::server_reflection_request::MessageRequest;
    use reflection::server_reflection_response::MessageResponse;
    let server = Server::start().await;
    let ask = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(server.channel.clone());
    let mut answers = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("{answer:?}") };
    let names: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["Admin", "Commit", "Discovery", "Graph", "Item", "Schema", "Transfer"] {
        assert!(names.contains(&format!("cmdb.v1.{name}Service")), "{names:?}");
    }
}

#[tokio::test]
async fn classes_are_shown_with_what_they_inherit_and_how_many_there_are() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::ClassesRequest { class: "software".to_owned(), ..Default::default() };
    let answer = server.schema().classes(ask).await.unwrap().into_inner();
    let web = answer.classes.iter().find(|class| class.name == "web_server").unwrap();
    assert_eq!((web.items, web.declared_in.as_str()), (2, "built-in"));
    assert!(web.attributes.iter().any(|attribute| !attribute.inherited_from.is_empty()));
    assert!(!answer.classes.iter().any(|class| class.name == "server"));
    assert_eq!(answer.schema_digest.len(), 64);
    let wrong = v1::ClassesRequest { class: "sofware".to_owned(), ..Default::default() };
    let (_, reason, hint) = said(&server.schema().classes(wrong).await.unwrap_err());
    assert_eq!((reason.as_str(), hint.as_str()), ("CLASS_UNKNOWN", "did you mean \"software\"?"));
    let types = server
        .schema()
        .relationship_types(v1::RelationshipTypesRequest::default())
        .await
        .unwrap()
        .into_inner();
    let runs_on = types.types.iter().find(|kind| kind.name == "runs_on").unwrap();
    assert_eq!(
        (runs_on.inverse.as_str(), runs_on.failure.as_str(), runs_on.weak),
        ("runs", "target_to_source", false)
    );
}

#[tokio::test]
async fn rules_are_tried_on_what_is_stored_and_wrong_ones_are_named_by_file_and_line() {
    let server = Server::start().await;
    server.shop().await;
    let ask = |text: &str| v1::TestRulesRequest {
        files: vec![v1::RulesFile { name: "own.toml".to_owned(), text: text.to_owned() }],
        limit: 1,
    };
    let (_, reason, _) =
        said(&server.schema().test_rules(ask("[[order]]\nclasses = [\"wbe\"]")).await.unwrap_err());
    assert_eq!(reason, "RULES_INVALID");
    let error = server.schema().test_rules(ask("[[order]]\nclasses = [")).await.unwrap_err();
    assert!(error.message().contains("own.toml:"), "{error:?}");
    let nothing = server.schema().test_rules(v1::TestRulesRequest::default()).await.unwrap_err();
    assert_eq!(said(&nothing).1, "RULES_INVALID");
    let before = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    let one = "[[order]]\nclasses = [\"web_server\"]\nsources = [\"import\"]\n";
    let answer = server.schema().test_rules(ask(one)).await.unwrap().into_inner();
    assert_eq!(answer.files, ["own.toml"]);
    assert_eq!((answer.items, answer.changes_total, answer.revision), (before.items, 0, before.revision));
    let after = server.admin().status(v1::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(after.revision, before.revision, "nothing is written");
}
