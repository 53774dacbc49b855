use cmdb_proto::v1;
use tokio::time::timeout;
use tonic::Code;

use crate::harness::{PATIENCE, Server, by, item, relates, said, text};

const GROUP: &str = "postgresql:5432";

fn database(host: &str) -> v1::Claim {
    let mut claim = item(&format!("pg-{host}"), "database_instance", &format!("PostgreSQL {host}"));
    let port = v1::Value { kind: Some(v1::value::Kind::Integer(5432)) };
    let attributes = [("product", text("postgresql")), ("host_name", text(host)), ("port", port)];
    claim.item.as_mut().unwrap().attributes =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    claim
}

/// A shop that uses the same database of two hosts, and of which nobody has said that one of them is enough.
async fn estate() -> Server {
    let server = Server::start().await;
    let ask = v1::WatchRequest { from_now: true, ..Default::default() };
    let mut commits = server.commits().watch(ask).await.unwrap().into_inner();
    let mut shop = item("shop", "application", "Shop");
    shop.relationships = vec![relates("depends_on", "pg-db1", ""), relates("depends_on", "pg-db2", "")];
    let mut site = item("site", "business_service", "Web site");
    site.relationships = vec![relates("depends_on", "shop", "")];
    server.apply("estate", vec![database("db1"), database("db2"), shop, site]).await;
    // The group is looked for beside the commit; its own commit says that it is there.
    loop {
        let commit = timeout(PATIENCE, commits.message()).await.expect("a commit comes").unwrap().unwrap();
        if commit.actor == "rule" {
            assert_eq!(commit.reason, "redundancy seen in what clients use");
            return server;
        }
    }
}

async fn list(server: &Server, ask: v1::ListGroupsRequest) -> Vec<String> {
    let answer = server.groups().list(ask).await.unwrap().into_inner();
    assert_eq!(answer.total, answer.groups.len() as u64);
    let line = |group: &v1::Group| {
        let members: Vec<&str> = group.members.iter().map(|member| member.name.as_str()).collect();
        let item = group.item.as_ref().unwrap();
        format!("{} {} {} {} [{}]", item.name, group.group, group.standing, group.require, members.join(", "))
    };
    answer.groups.iter().map(line).collect()
}

async fn impact(server: &Server, items: &[&str]) -> (Vec<String>, v1::ImpactResponse) {
    let items = items.iter().map(|item| (*item).to_owned()).collect();
    let answer = server.graph().impact(v1::ImpactRequest { items, ..Default::default() }).await;
    let answer = answer.unwrap().into_inner();
    let line = |one: &v1::Affected| format!("{} {}", one.item.as_ref().unwrap().name, one.state);
    (answer.affected.iter().map(line).collect(), answer)
}

fn confirm(require: &str) -> v1::ConfirmGroupRequest {
    v1::ConfirmGroupRequest {
        item: "shop".to_owned(),
        group: GROUP.to_owned(),
        require: require.to_owned(),
        reason: "they replicate".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn what_rests_on_a_guess_is_at_risk_until_a_person_judges_it() {
    let server = estate().await;
    let proposed = "Shop postgresql:5432 proposed any [PostgreSQL db1, PostgreSQL db2]";
    assert_eq!(list(&server, v1::ListGroupsRequest::default()).await, [proposed]);
    let (lines, answer) = impact(&server, &["pg-db1"]).await;
    assert_eq!(lines, ["Shop at_risk", "Web site at_risk"]);
    let assumed = &answer.assumed_groups[0];
    assert_eq!((answer.assumed_groups.len(), assumed.item.as_ref().unwrap().name.as_str()), (1, "Shop"));
    assert_eq!((assumed.group.as_str(), assumed.require.as_str(), assumed.confidence), (GROUP, "any", 0.7));
    let evidence = "one client uses postgresql on port 5432 of 2 hosts; the hosts' names differ in a \
                    number only";
    assert_eq!(assumed.evidence, evidence);
    assert_eq!(
        answer.assumptions,
        [format!(
            "group {GROUP} of Shop is inferred with confidence 0.70 (any), and nobody has confirmed it, because \
             {evidence}"
        )]
    );
    // Both: whatever the group is worth, nothing is left of it.
    assert_eq!(impact(&server, &["pg-db1", "pg-db2"]).await.0, ["Shop failed", "Web site failed"]);

    let mut groups = server.groups();
    let dry = v1::ConfirmGroupRequest { dry_run: true, ..confirm("") };
    let dry = groups.confirm(by("ann", dry)).await.unwrap().into_inner();
    assert_eq!((dry.revision, dry.changes.is_empty()), (0, false));
    let confirmed = groups.confirm(by("ann", confirm(""))).await.unwrap().into_inner();
    assert_eq!(impact(&server, &["pg-db1"]).await.0, ["Shop degraded"]);
    assert!(impact(&server, &["pg-db1"]).await.1.assumed_groups.is_empty());
    let commit = v1::GetCommitRequest { revision: confirmed.revision, ..Default::default() };
    let commit = server.commits().get(commit).await.unwrap().into_inner();
    assert_eq!((commit.actor.as_str(), commit.reason.as_str()), ("ann", "they replicate"));

    let all_needed = groups.confirm(by("ann", confirm("at_least 2"))).await.unwrap().into_inner();
    assert_eq!(impact(&server, &["pg-db1"]).await.0, ["Shop failed", "Web site failed"]);
    let revert = v1::RevertRequest { revision: all_needed.revision, ..Default::default() };
    server.commits().revert(by("ann", revert)).await.unwrap();
    assert_eq!(impact(&server, &["pg-db1"]).await.0, ["Shop degraded"]);

    let reject = v1::RejectGroupRequest {
        item: "shop".to_owned(),
        group: GROUP.to_owned(),
        reason: "two shards".to_owned(),
        ..Default::default()
    };
    groups.reject(by("bob", reject)).await.unwrap();
    assert_eq!(impact(&server, &["pg-db1"]).await.0, ["Shop failed", "Web site failed"]);
    let rejected = groups.list(v1::ListGroupsRequest::default()).await.unwrap().into_inner().groups;
    assert_eq!((rejected[0].standing.as_str(), rejected[0].reason.as_str()), ("rejected", "two shards"));
    assert_eq!(rejected[0].sources, ["rule-redundancy", "person-bob"]);
    // What was answered before is answered again.
    let then = v1::ListGroupsRequest {
        as_of: confirmed.revision.to_string(),
        standings: vec!["confirmed".to_owned()],
        ..Default::default()
    };
    assert_eq!(list(&server, then).await, [proposed.replace("proposed", "confirmed")]);
}

#[tokio::test]
async fn groups_are_filtered_and_what_cannot_be_judged_is_refused() {
    let server = estate().await;
    server.shop().await;
    let of = |item: &str| v1::ListGroupsRequest { item: item.to_owned(), ..Default::default() };
    assert_eq!(list(&server, of("lb")).await, ["Balancer web declared at_least 1 [Web 1, Web 2]"]);
    assert_eq!(list(&server, of("site")).await, Vec::<String>::new());
    let sure = v1::ListGroupsRequest { confidence_min: 0.8, ..Default::default() };
    assert_eq!(list(&server, sure).await.len(), 1);
    let one = v1::ListGroupsRequest { limit: 1, ..Default::default() };
    let one = server.groups().list(one).await.unwrap().into_inner();
    assert_eq!((one.groups.len(), one.total), (1, 2), "what is left out is counted");
    let mut groups = server.groups();
    let bad = v1::ListGroupsRequest { standings: vec!["sure".to_owned()], ..Default::default() };
    let bad = groups.list(bad).await.unwrap_err();
    assert_eq!((bad.code(), said(&bad).1.as_str()), (Code::InvalidArgument, "FILTER_INVALID"));
    let bad = v1::ListGroupsRequest { confidence_min: 1.5, ..Default::default() };
    assert_eq!(groups.list(bad).await.unwrap_err().code(), Code::InvalidArgument);
    let declared = v1::ConfirmGroupRequest { item: "lb".to_owned(), group: "web".to_owned(), ..confirm("") };
    for (ask, code, reason) in [
        (declared, Code::NotFound, "GROUP_UNKNOWN"),
        (v1::ConfirmGroupRequest { group: "x".to_owned(), ..confirm("") }, Code::NotFound, "GROUP_UNKNOWN"),
        (confirm("most"), Code::InvalidArgument, "REQUIRE_INVALID"),
        (confirm("at_least 3"), Code::InvalidArgument, "GROUP_TOO_SMALL"),
        (
            v1::ConfirmGroupRequest { item: "nobody".to_owned(), ..confirm("") },
            Code::NotFound,
            "ITEM_NOT_FOUND",
        ),
    ] {
        let refused = groups.confirm(by("ann", ask)).await.unwrap_err();
        assert_eq!((refused.code(), said(&refused).1.as_str()), (code, reason));
    }
}
