use cmdb_proto::v1;
use tonic::Code;

use crate::harness::{Server, item, relates, said};

fn impact(items: &[&str]) -> v1::ImpactRequest {
    v1::ImpactRequest { items: items.iter().map(|item| (*item).to_owned()).collect(), ..Default::default() }
}

fn lines(answer: &v1::ImpactResponse) -> Vec<String> {
    let line = |affected: &v1::Affected| {
        let name = affected.item.as_ref().unwrap().name.clone();
        format!("{name} {} {}: {}", affected.state, affected.distance, affected.reason)
    };
    answer.affected.iter().map(line).collect()
}

#[tokio::test]
async fn impact_counts_redundancy_and_says_why() {
    let server = Server::start().await;
    server.shop().await;
    let one = server.graph().impact(impact(&["web-1"])).await.unwrap().into_inner();
    assert_eq!(lines(&one), ["Balancer degraded 1: group web: 1 of 2 members is up; no redundancy is left"]);
    let both = server.graph().impact(impact(&["web-1", "shop:web-2", "web-1"])).await.unwrap().into_inner();
    assert_eq!(lines(&both), ["Balancer failed 1: group web: 0 of 2 members are up, and 1 is needed"]);
    assert_eq!(both.seeds.len(), 2, "a seed that is named twice is one seed");
    let database = server.graph().impact(impact(&["db"])).await.unwrap().into_inner();
    assert_eq!(
        lines(&database),
        [
            "Web 1 failed 1: needs Orders (depends_on), which fails",
            "Web 2 failed 1: needs Orders (depends_on), which fails",
            "Balancer failed 2: group web: 0 of 2 members are up, and 1 is needed",
        ]
    );
    let counts = database.counts.as_ref().unwrap();
    assert_eq!((counts.failed, counts.degraded, counts.by_class["web_server"]), (3, 0, 2));
    assert!(database.coverage.unwrap().observed_since_us > 0);
    assert!(!database.truncated && database.hidden == 0);
}

#[tokio::test]
async fn what_is_left_out_is_said() {
    let server = Server::start().await;
    server.shop().await;
    let first = v1::ImpactRequest { limit: 1, ..impact(&["db"]) };
    let first = server.graph().impact(first).await.unwrap().into_inner();
    assert_eq!((first.affected.len(), first.truncated, first.counts.unwrap().failed), (1, true, 3));
    let near = v1::ImpactRequest { depth: 1, ..impact(&["db"]) };
    let counts = server.graph().impact(near).await.unwrap().into_inner().counts.unwrap();
    assert_eq!((counts.failed, counts.beyond_depth), (2, 1));
    let count = v1::ImpactRequest { count_only: true, ..impact(&["db"]) };
    let count = server.graph().impact(count).await.unwrap().into_inner();
    assert_eq!((count.affected.len(), count.truncated, count.counts.unwrap().failed), (0, false, 3));
    let nothing = server.graph().impact(impact(&["lb"])).await.unwrap().into_inner();
    assert!(nothing.affected.is_empty() && nothing.coverage.is_some(), "nothing is an answer, not an error");
}

#[tokio::test]
async fn dependencies_say_what_can_be_spared() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::DependenciesRequest { items: vec!["lb".to_owned()], ..Default::default() };
    let answer = server.graph().dependencies(ask).await.unwrap().into_inner();
    let needed: Vec<_> = answer
        .dependencies
        .iter()
        .map(|needed| (needed.item.as_ref().unwrap().name.as_str(), needed.distance, needed.redundant))
        .collect();
    assert_eq!(needed, [("Web 1", 1, true), ("Web 2", 1, true), ("Orders", 2, false)]);
    assert_eq!(answer.total, 3);
    let via: Vec<_> = answer.dependencies[2].via.iter().map(|via| via.name.as_str()).collect();
    assert_eq!(via, ["Web 1", "Web 2"]);
}

#[tokio::test]
async fn chains_lead_from_the_one_to_the_other() {
    let server = Server::start().await;
    server.shop().await;
    let ask = |from: &str, to: &str, chains_max| v1::TraceRequest {
        from: from.to_owned(),
        to: to.to_owned(),
        chains_max,
        ..Default::default()
    };
    let answer = server.graph().trace(ask("lb", "db", 0)).await.unwrap().into_inner();
    let chains: Vec<Vec<_>> = answer
        .chains
        .iter()
        .map(|chain| chain.steps.iter().map(|step| step.item.as_ref().unwrap().name.clone()).collect())
        .collect();
    assert_eq!(chains, [["Balancer", "Web 1", "Orders"], ["Balancer", "Web 2", "Orders"]]);
    assert_eq!(answer.chains[0].direction, "from_needs_to");
    assert_eq!(answer.chains[0].steps[0].group, "web");
    assert!(!answer.truncated);
    let one = server.graph().trace(ask("db", "lb", 1)).await.unwrap().into_inner();
    assert_eq!((one.chains.len(), one.truncated, one.truncated_reason.is_empty()), (1, true, false));
}

#[tokio::test]
async fn neighbours_of_both_ends() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::NeighboursRequest { item: "web-1".to_owned(), ..Default::default() };
    let answer = server.graph().neighbours(ask.clone()).await.unwrap().into_inner();
    let mut names: Vec<_> = answer.items.iter().map(|item| item.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!((names, answer.edges.len()), (vec!["Balancer", "Orders"], 2));
    let out = v1::NeighboursRequest { direction: "out".to_owned(), ..ask.clone() };
    assert_eq!(server.graph().neighbours(out).await.unwrap().into_inner().items[0].name, "Orders");
    let wrong = v1::NeighboursRequest { direction: "up".to_owned(), ..ask.clone() };
    assert_eq!(said(&server.graph().neighbours(wrong).await.unwrap_err()).1, "OUT_OF_RANGE");
    let wrong = v1::NeighboursRequest { types: vec!["depend_on".to_owned()], ..ask };
    let (code, reason, hint) = said(&server.graph().neighbours(wrong).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::NotFound, "RELATIONSHIP_TYPE_UNKNOWN"));
    assert!(hint.contains("depends_on"), "{hint}");
}

#[tokio::test]
async fn a_question_about_nothing_and_one_about_what_is_not_there() {
    let server = Server::start().await;
    assert_eq!(said(&server.graph().impact(impact(&[])).await.unwrap_err()).1, "OUT_OF_RANGE");
    assert_eq!(said(&server.graph().impact(impact(&["web-1"])).await.unwrap_err()).1, "ITEM_NOT_FOUND");
}

#[tokio::test]
async fn a_retired_seed_is_said_to_be_one() {
    let server = Server::start().await;
    server.shop().await;
    let retire = v1::RetireRequest { item: "db".to_owned(), ..Default::default() };
    server.items().retire(retire).await.unwrap();
    let answer = server.graph().impact(impact(&["db"])).await.unwrap().into_inner();
    assert_eq!(answer.affected.len(), 0);
    assert_eq!(answer.assumptions, ["Orders is retired: its relationships count no more"]);
}

#[tokio::test]
async fn how_likely_a_service_is_to_be_up_and_what_would_help_most() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::AvailabilityRequest { items: vec!["lb".to_owned()], ..Default::default() };
    let answer = server.availability(ask.clone()).await.unwrap();
    let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-12, "{one} is not {other}");
    let down = |answer: &v1::AvailabilityResponse| answer.uptimes[0].unavailability.unwrap().value;
    // Software is up of itself 0.9995 of the time: balancer, database, and one of two servers.
    close(down(&answer), 1.0 - 0.9995 * 0.9995 * (1.0 - 0.0005 * 0.0005));
    assert!(answer.uptimes[0].exact && answer.uptimes[0].needed == 3);
    let items: u64 = answer.classes.iter().map(|class| class.items).sum();
    assert_eq!((items, answer.own_figures), (4, 0));

    set(&server, "db", 0.9).await;
    let answer = server.availability(ask.clone()).await.unwrap();
    close(down(&answer), 1.0 - 0.9 * 0.9995 * (1.0 - 0.0005 * 0.0005));
    assert_eq!(
        (answer.uptimes[0].gains[0].item.as_ref().unwrap().name.as_str(), answer.own_figures),
        ("Orders", 1)
    );
    let without = v1::AvailabilityRequest { down: vec!["web-1".to_owned()], ..ask.clone() };
    let answer = server.availability(without).await.unwrap();
    close(down(&answer), 1.0 - 0.9 * 0.9995 * 0.9995);

    set(&server, "db", 99.9).await;
    let sampled = v1::AvailabilityRequest { samples: 200_000, seed: 3, ..ask.clone() };
    let answer = server.availability(sampled.clone()).await.unwrap();
    let unusable = &answer.unusable[0];
    assert_eq!((unusable.item.as_ref().unwrap().name.as_str(), unusable.given.as_str()), ("Orders", "99.9"));
    assert!(!answer.uptimes[0].exact && answer.uptimes[0].samples >= 200_000);
    let again = server.availability(sampled).await.unwrap();
    assert_eq!(answer, again, "the same seed gives the same answer");
    let many = v1::AvailabilityRequest { samples: 100_000_001, ..ask };
    assert_eq!(said(&server.availability(many).await.unwrap_err()).1, "OUT_OF_RANGE");
}

async fn set(server: &Server, key: &str, availability: f64) {
    let mut claim = item(key, "database_instance", "Orders");
    let value = v1::Value { kind: Some(v1::value::Kind::Float(availability)) };
    claim.item.as_mut().unwrap().attributes.insert("availability".to_owned(), value);
    server.apply("shop", vec![claim]).await;
}

#[tokio::test]
async fn what_cannot_start_again_and_who_must_be_started_by_hand() {
    let server = Server::start().await;
    server.shop().await;
    let ask = v1::ColdStartRequest::default();
    let answer = server.graph().cold_start(ask.clone()).await.unwrap().into_inner();
    assert_eq!((answer.items, answer.stuck, answer.deadlocks.len()), (4, 0, 0));
    let mut database = item("db", "database_instance", "Orders");
    database.relationships = vec![relates("depends_on", "web-1", "")];
    server.apply("shop", vec![database]).await;
    let answer = server.graph().cold_start(ask).await.unwrap().into_inner();
    let names = |items: &[v1::GraphItem]| items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
    let deadlock = &answer.deadlocks[0];
    assert_eq!((answer.stuck, answer.deadlocks_total, deadlock.waiting), (4, 1, 2));
    assert_eq!((names(&deadlock.items), names(&deadlock.starters)), {
        let both = vec!["Web 1".to_owned(), "Orders".to_owned()];
        (both.clone(), both)
    });
}

#[tokio::test]
async fn a_question_goes_over_the_relationships_that_it_wants() {
    let server = Server::start().await;
    server.shop().await;
    let mut app = item("app", "application", "App");
    let sure = v1::RelationshipClaim { confidence: 0.9, ..relates("depends_on", "db", "") };
    let guess = v1::RelationshipClaim { confidence: 0.3, inferred: true, ..relates("runs_on", "web-1", "") };
    app.relationships = vec![sure, guess];
    server.apply("shop", vec![app]).await;
    let names = |answer: &v1::ImpactResponse| {
        answer.affected.iter().map(|one| one.item.as_ref().unwrap().name.clone()).collect::<Vec<_>>()
    };
    let narrow = |types: &[&str], min_confidence| {
        Some(v1::Narrow { types: types.iter().map(|name| (*name).to_owned()).collect(), min_confidence })
    };
    let ask = |item: &str, narrow| v1::ImpactRequest { narrow, ..impact(&[item]) };
    let all = server.graph().impact(ask("web-1", None)).await.unwrap().into_inner();
    assert_eq!(names(&all), ["Balancer", "App"]);
    let over = all.over.unwrap();
    assert!(over.types.iter().any(|name| name == "depends_on") && over.left_out == 0);
    assert_eq!(over.weak_types, ["connects_to"]);
    let sure = server.graph().impact(ask("web-1", narrow(&[], 0.5))).await.unwrap().into_inner();
    assert_eq!((names(&sure), sure.over.unwrap().left_out), (vec!["Balancer".to_owned()], 1));
    let surer = server.graph().impact(ask("db", narrow(&[], 0.95))).await.unwrap().into_inner();
    assert_eq!(names(&surer), ["Web 1", "Web 2", "Balancer"]);
    let runs = server.graph().impact(ask("web-1", narrow(&["runs_on"], 0.0))).await.unwrap().into_inner();
    assert_eq!(names(&runs), ["App"]);
    let wrong = server.graph().impact(ask("web-1", narrow(&["run_on"], 0.0))).await.unwrap_err();
    assert_eq!(said(&wrong).1, "RELATIONSHIP_TYPE_UNKNOWN");
    assert!(said(&wrong).2.contains("runs_on"));
    let wrong = server.graph().impact(ask("web-1", narrow(&[], 1.5))).await.unwrap_err();
    assert_eq!(said(&wrong).1, "OUT_OF_RANGE");

    let depends =
        |narrow| v1::DependenciesRequest { items: vec!["app".to_owned()], narrow, ..Default::default() };
    let sure = server.graph().dependencies(depends(narrow(&[], 0.5))).await.unwrap().into_inner();
    assert_eq!((sure.total, sure.over.unwrap().left_out), (1, 1));
    let around = v1::NeighboursRequest { item: "app".to_owned(), min_confidence: 0.5, ..Default::default() };
    let around = server.graph().neighbours(around).await.unwrap().into_inner();
    assert_eq!((around.edges.len(), around.left_out), (1, 1));
}

#[tokio::test]
async fn what_is_in_maintenance_counts_as_down() {
    let server = Server::start().await;
    server.shop().await;
    let down =
        |answer: &v1::ImpactResponse| answer.down.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
    let named = v1::ImpactRequest { down: vec!["web-2".to_owned()], ..impact(&["web-1"]) };
    let named = server.graph().impact(named).await.unwrap().into_inner();
    let failed = ["Balancer failed 1: group web: 0 of 2 members are up, and 1 is needed"];
    assert_eq!((lines(&named), down(&named)), (failed.map(str::to_owned).to_vec(), vec!["Web 2".to_owned()]));

    let mut web_2 = item("web-2", "web_server", "Web 2");
    web_2.relationships = vec![relates("depends_on", "db", "")];
    let value = v1::Value { kind: Some(v1::value::Kind::Boolean(true)) };
    web_2.item.as_mut().unwrap().attributes.insert("maintenance".to_owned(), value);
    server.apply("shop", vec![web_2]).await;
    let other = server.graph().impact(impact(&["web-1"])).await.unwrap().into_inner();
    assert_eq!((lines(&other), down(&other)), (lines(&named), down(&named)));
    let itself = server.graph().impact(impact(&["web-2"])).await.unwrap().into_inner();
    assert_eq!((itself.counts.as_ref().unwrap().degraded, down(&itself).len()), (1, 0));
    // The parent's failure is told, whatever its child's state hides.
    let database = server.graph().impact(impact(&["db"])).await.unwrap().into_inner();
    let mut names: Vec<_> =
        database.affected.iter().map(|one| one.item.as_ref().unwrap().name.clone()).collect();
    names.sort();
    assert_eq!(names, ["Balancer", "Web 1"]);
    let ask = v1::CriticalRequest { items: vec!["lb".to_owned()], ..Default::default() };
    let critical = server.critical(ask).await.unwrap();
    assert_eq!((critical.down.len(), critical.standings[0].margin, critical.points_total), (1, 0, 2));
    let shop = v1::Claim { key: "shop".to_owned(), ..item("shop", "business_service", "Shop") };
    let shop = v1::Claim { relationships: vec![relates("depends_on", "lb", "")], ..shop };
    server.apply("shop", vec![shop]).await;
    let all = server.critical(v1::CriticalRequest::default()).await.unwrap();
    let points: Vec<_> = all.points.iter().map(|point| point.item.as_ref().unwrap().name.clone()).collect();
    assert_eq!(
        (all.down.len(), points),
        (1, vec!["Balancer".to_owned(), "Web 1".to_owned(), "Orders".to_owned()])
    );
    let past = v1::ImpactRequest { as_of: "1".to_owned(), ..impact(&["web-1"]) };
    assert_eq!(server.graph().impact(past).await.unwrap().into_inner().down.len(), 0);
}

/// Three services: two on one database, the third on two of which one will do.
async fn services(server: &Server) {
    let mut claims = vec![
        item("db-1", "database_instance", "One"),
        item("db-2", "database_instance", "Two"),
        item("host", "server", "Host"),
    ];
    claims[0].relationships = vec![relates("runs_on", "host", "")];
    for (key, name) in [("first", "First"), ("second", "Second")] {
        let mut service = item(key, "business_service", name);
        service.relationships = vec![relates("depends_on", "db-1", "")];
        claims.push(service);
    }
    let mut third = item("third", "business_service", "Third");
    third.relationships = vec![relates("depends_on", "db-1", "db"), relates("depends_on", "db-2", "db")];
    third.redundancies =
        vec![v1::RedundancyClaim { group: "db".to_owned(), require: "any".to_owned(), ..Default::default() }];
    claims.push(third);
    assert_eq!(crate::harness::refused(&server.apply("estate", claims).await), Vec::<String>::new());
}

#[tokio::test]
async fn those_that_stand_worst_are_told_first_however_few_are_listed() {
    let server = Server::start().await;
    services(&server).await;
    let ask = async |limit| {
        let ask = v1::CriticalRequest { limit, ..Default::default() };
        server.critical(ask).await.unwrap()
    };
    let all = ask(10).await;
    let told = |answer: &v1::CriticalResponse| {
        let line = |one: &v1::Standing| {
            let name = one.item.as_ref().unwrap().name.clone();
            format!("{name} {} {} {}", one.margin, one.alone, one.sets_total)
        };
        answer.standings.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(told(&all), ["First 0 2 0", "Second 0 2 0", "Third 1 0 2"]);
    let points = |answer: &v1::CriticalResponse| {
        let line = |point: &v1::SinglePoint| (point.item.as_ref().unwrap().name.clone(), point.fails);
        answer.points.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(points(&all), [("One".to_owned(), 2), ("Host".to_owned(), 2)]);
    for limit in [1, 2] {
        let some = ask(limit).await;
        assert_eq!(some.standings[..], all.standings[..limit as usize]);
        assert_eq!(some.points[..], all.points[..limit as usize]);
        assert_eq!((some.standings_total, some.points_total, some.truncated), (3, 2, true));
    }
}
