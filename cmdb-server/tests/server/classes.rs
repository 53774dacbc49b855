//! Answers of the graph of which only some classes are listed: the question goes through the others all the same.

use cmdb_proto::v1;
use tonic::Code;

use crate::harness::{Server, said};

fn names(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|class| (*class).to_owned()).collect()
}

#[tokio::test]
async fn who_fails_does_not_depend_on_what_is_listed() {
    let server = Server::start().await;
    server.shop().await;
    let ask = |classes: &[&str]| v1::ImpactRequest {
        items: names(&["db"]),
        classes: names(classes),
        ..Default::default()
    };
    let whole = server.graph().impact(ask(&[])).await.unwrap().into_inner();
    for (classes, listed, others) in [
        (&["load_balancer"][..], &["Balancer"][..], 2),
        (&["web_server", "cache"], &["Web 1", "Web 2"], 1),
        // Classes below it are of it.
        (&["software"], &["Web 1", "Web 2", "Balancer"], 0),
        (&["server"], &[], 3),
    ] {
        let answer = server.graph().impact(ask(classes)).await.unwrap().into_inner();
        let told: Vec<&str> =
            answer.affected.iter().map(|affected| affected.item.as_ref().unwrap().name.as_str()).collect();
        assert_eq!((told.as_slice(), answer.other_classes), (listed, others), "{classes:?}");
        let counts = answer.counts.unwrap();
        assert_eq!((counts.failed, counts.by_class.values().sum::<u64>()), (3 - others, 3 - others));
        assert!(
            answer.affected.iter().all(|affected| whole.affected.contains(affected)),
            "as it stands in the whole"
        );
        assert_eq!((answer.classes, answer.truncated), (names(classes), false));
    }
    let first = v1::ImpactRequest { limit: 1, ..ask(&["web_server"]) };
    let first = server.graph().impact(first).await.unwrap().into_inner();
    assert_eq!((first.affected.len(), first.truncated, first.other_classes), (1, true, 1));
    let both = v1::ImpactRequest { why: "lb".to_owned(), ..ask(&["web_server"]) };
    assert_eq!(said(&server.graph().impact(both).await.unwrap_err()).1, "OUT_OF_RANGE");
}

#[tokio::test]
async fn dependencies_chains_and_neighbours_are_listed_by_class() {
    let server = Server::start().await;
    server.shop().await;
    let depends = |classes: &[&str]| v1::DependenciesRequest {
        items: names(&["lb"]),
        classes: names(classes),
        ..Default::default()
    };
    let answer = server.graph().dependencies(depends(&["database_instance"])).await.unwrap().into_inner();
    assert_eq!((answer.dependencies.len(), answer.total, answer.other_classes), (1, 1, 2));
    assert_eq!((answer.dependencies[0].distance, answer.dependencies[0].redundant), (2, false));
    assert_eq!(answer.by_class.keys().collect::<Vec<_>>(), ["database_instance"]);

    let trace = |classes: &[&str], chains_max| v1::TraceRequest {
        from: "lb".to_owned(),
        to: "db".to_owned(),
        classes: names(classes),
        chains_max,
        ..Default::default()
    };
    for (classes, chains_max, listed, others, truncated) in [
        (&["web_server"][..], 0, 2, 0, false),
        (&["web_server"], 1, 1, 0, true),
        // The ends are of every chain.
        (&["load_balancer", "database_instance"], 0, 0, 2, false),
    ] {
        let answer = server.graph().trace(trace(classes, chains_max)).await.unwrap().into_inner();
        let told = (answer.chains.len(), answer.other_chains, answer.truncated);
        assert_eq!(told, (listed, others, truncated), "{classes:?}");
    }

    let around = |classes: &[&str], depth| v1::NeighboursRequest {
        item: "lb".to_owned(),
        classes: names(classes),
        depth,
        ..Default::default()
    };
    let answer = server.graph().neighbours(around(&["database_instance"], 2)).await.unwrap().into_inner();
    let listed: Vec<&str> = answer.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!((listed, answer.edges.len()), (vec!["Web 1", "Orders", "Web 2"], 2));
    assert_eq!((answer.other_relationships, answer.truncated), (2, false));
    let answer = server.graph().neighbours(around(&["load_balancer"], 1)).await.unwrap().into_inner();
    assert_eq!((answer.edges.len(), answer.other_relationships), (0, 2), "the item itself is in all of them");
}

#[tokio::test]
async fn a_class_that_there_is_not_is_refused_with_the_nearest() {
    let server = Server::start().await;
    server.shop().await;
    let classes = names(&["web_serve"]);
    let impact = v1::ImpactRequest { items: names(&["db"]), classes: classes.clone(), ..Default::default() };
    let depends =
        v1::DependenciesRequest { items: names(&["lb"]), classes: classes.clone(), ..Default::default() };
    let (from, to) = ("lb".to_owned(), "db".to_owned());
    let trace = v1::TraceRequest { from, to, classes: classes.clone(), ..Default::default() };
    let around = v1::NeighboursRequest { item: "lb".to_owned(), classes, ..Default::default() };
    for refused in [
        server.graph().impact(impact).await.unwrap_err(),
        server.graph().dependencies(depends).await.unwrap_err(),
        server.graph().trace(trace).await.unwrap_err(),
        server.graph().neighbours(around).await.unwrap_err(),
    ] {
        let (code, reason, hint) = said(&refused);
        assert_eq!((code, reason.as_str()), (Code::NotFound, "CLASS_UNKNOWN"));
        assert!(hint.contains("web_server"), "{hint}");
    }
}
