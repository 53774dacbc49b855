//! Redundancy that the machine concludes: proposed, refreshed, withdrawn, confirmed, rejected, taken back.

use super::harness::*;
use crate::claim::Claim;
use crate::engine::{EngineError, GroupShown, GroupsAsked, Verdict, When};
use crate::model::{ItemId, Reason, Require, Revision, SourceKind, Value};

const GROUP: &str = "postgresql:5432";

/// What the agent of a database host reports.
fn database(host: &str) -> Claim {
    item(
        "postgresql",
        "database_instance",
        &[("product", text("postgresql")), ("port", Value::Integer(5432)), ("host_name", text(host))],
    )
}

fn reports(bench: &Bench, host: &str) {
    let os = item("os", "operating_system", &[("host_name", text(host)), ("machine_id", text(host))]);
    let endpoint = item(
        "endpoint:tcp/5432",
        "endpoint",
        &[
            ("protocol", text("tcp")),
            ("port", Value::Integer(5432)),
            ("host_name", text(host)),
            ("binding", text("tcp/5432")),
            ("sockets", Value::List(vec![text(&format!("tcp/{host}:5432"))])),
        ],
    );
    let endpoint = related(within(endpoint, "os"), "provided_by", key("postgresql"), false);
    bench.report(host, vec![section("software", &[os, within(database(host), "os"), endpoint])]);
}

/// What the agent of the client sees: it uses the databases of these hosts.
fn uses(bench: &Bench, hosts: &[&str]) {
    let os = item("os", "operating_system", &[("host_name", text("app")), ("machine_id", text("app"))]);
    let mut client = within(item("shop", "application", &[("product", text("shop"))]), "os");
    let mut claims = vec![os];
    for host in hosts {
        let socket = format!("tcp/{host}:5432");
        claims.push(item(
            &format!("remote:{socket}"),
            "endpoint",
            &[
                ("protocol", text("tcp")),
                ("port", Value::Integer(5432)),
                ("sockets", Value::List(vec![text(&socket)])),
            ],
        ));
        client = related(client, "depends_on", key(&format!("remote:{socket}")), true);
    }
    claims.push(client);
    bench.report("app", vec![section("software", &claims)]);
}

fn estate(hosts: &[&str]) -> Bench {
    let bench = bench();
    for host in hosts {
        reports(&bench, host);
    }
    uses(&bench, hosts);
    look(&bench);
    bench
}

/// Looks, and finds nothing new when it looks again.
fn look(bench: &Bench) {
    bench.cmdb.propose_groups().expect("a look");
    let head = bench.head();
    assert_eq!(bench.cmdb.propose_groups().expect("a look").changed, 0);
    assert_eq!(bench.head(), head, "a second look writes nothing");
    bench.check();
}

fn groups(bench: &Bench, when: When) -> Vec<GroupShown> {
    let reader = bench.cmdb.reader_at(when).expect("to be had");
    reader.groups(&GroupsAsked { limit: 100, ..GroupsAsked::default() }).expect("readable").groups
}

fn lines_at(bench: &Bench, when: When) -> Vec<String> {
    let reader = bench.cmdb.reader().expect("readable");
    let name = |id: &ItemId| reader.item(*id).expect("readable").expect("there").name;
    let line = |group: GroupShown| {
        let members: Vec<String> = group.members.iter().map(name).collect();
        let (name, standing) = (name(&group.item), group.standing.name());
        format!(
            "{name} {} {} {standing} {} [{}]",
            group.name,
            group.require,
            group.confidence,
            members.join(" ")
        )
    };
    groups(bench, when).into_iter().map(line).collect()
}

fn lines(bench: &Bench) -> Vec<String> {
    lines_at(bench, When::Now)
}

/// How the live graph reads the client's groups: name, requirement, whether it is a guess, members.
fn gates(bench: &Bench) -> Vec<String> {
    let graph = bench.cmdb.graph();
    let client = graph.index(bench.find("shop").id).expect("in the graph");
    let gate = |gate: crate::graph::Gate<'_>| {
        let guess = if gate.inferred() { " guess" } else { "" };
        format!("{} {} of {}{guess}", gate.name(), gate.require(), gate.member_count())
    };
    graph.gates(client).map(|(_, found)| gate(found)).collect()
}

fn refused(answer: Result<crate::engine::Applied, EngineError>) -> Reason {
    match answer {
        Err(EngineError::Refused(problem)) => problem.reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn servers_alike_behind_one_client_are_proposed_as_a_group_of_which_any_will_do() {
    let bench = estate(&["db1", "db2"]);
    assert_eq!(
        lines(&bench),
        ["shop postgresql:5432 any proposed 0.7 [endpoint:tcp/5432 endpoint:tcp/5432]"]
    );
    assert_eq!(gates(&bench), ["postgresql:5432 any of 2 guess"]);
    let evidence = "one client uses postgresql on port 5432 of 2 hosts; the hosts' names differ in a \
                    number only";
    assert_eq!(groups(&bench, When::Now)[0].evidence, evidence);
    let (header, _) = bench.cmdb.reader().unwrap().commit(bench.head(), 1).unwrap().unwrap();
    assert_eq!(
        (header.actor.name.as_str(), header.actor.reason.as_str()),
        ("rule", "redundancy seen in what clients use")
    );
    assert!(
        lines_at(&bench, When::Revision(Revision(bench.head().0 - 1))).is_empty(),
        "the past knew nothing of it"
    );
    bench.reopen().check();
}

/// A replica knows its primary by the address that it copies from, which is the primary's own endpoint.
#[test]
fn a_replica_that_names_its_primary_by_its_endpoint_makes_the_group_surer() {
    let bench = estate(&["oak", "elm"]);
    let confidence = |bench: &Bench| groups(bench, When::Now)[0].confidence;
    assert_eq!(confidence(&bench), 0.6);
    let os = item("os", "operating_system", &[("host_name", text("elm")), ("machine_id", text("elm"))]);
    let remote = item(
        "remote:tcp/oak:5432",
        "endpoint",
        &[
            ("protocol", text("tcp")),
            ("port", Value::Integer(5432)),
            ("sockets", Value::List(vec![text("tcp/oak:5432")])),
        ],
    );
    let endpoint = item(
        "endpoint:tcp/5432",
        "endpoint",
        &[
            ("protocol", text("tcp")),
            ("port", Value::Integer(5432)),
            ("host_name", text("elm")),
            ("binding", text("tcp/5432")),
            ("sockets", Value::List(vec![text("tcp/elm:5432")])),
        ],
    );
    let endpoint = related(within(endpoint, "os"), "provided_by", key("postgresql"), false);
    let mut replica = within(database("elm"), "os");
    let mut fed = relationship(key("remote:tcp/oak:5432"), "replicates_to", key("postgresql"), false);
    fed.to = crate::claim::Reference::This;
    replica.relationships.push(fed);
    bench.report("elm", vec![section("software", &[os, replica, endpoint, remote])]);
    look(&bench);
    assert_eq!(confidence(&bench), 0.9);
    let evidence = &groups(&bench, When::Now)[0].evidence;
    assert!(evidence.ends_with("they replicate to one another"), "{evidence}");
}

#[test]
fn a_proposal_follows_the_facts_and_goes_with_them() {
    let bench = estate(&["db1", "db2"]);
    reports(&bench, "db3");
    uses(&bench, &["db1", "db2", "db3"]);
    look(&bench);
    assert_eq!(gates(&bench), ["postgresql:5432 any of 3 guess"]);
    // Another product on one of the hosts: it stands in for nobody, and keeps its relationship.
    let db3 = bench
        .cmdb
        .reader()
        .unwrap()
        .list(&crate::engine::List {
            class: "database_instance".to_owned(),
            filter: "host_name = db3".to_owned(),
            page_size: 1,
            ..Default::default()
        })
        .unwrap()
        .items
        .remove(0)
        .id;
    let mut said = item("x", "", &[("product", text("yugabytedb"))]);
    said.key = db3.to_string();
    said.item.as_mut().expect("an item").name.clear();
    bench.apply(person("ann"), vec![said], true).expect("taken");
    look(&bench);
    assert_eq!(gates(&bench), ["postgresql:5432 any of 2 guess"]);
    // One server is left: the group goes, what it was made of stays.
    uses(&bench, &["db1", "db3"]);
    bench.pass(31 * DAY_US);
    look(&bench);
    assert_eq!((lines(&bench), gates(&bench)), (vec![], vec![]));
    assert_eq!(bench.relationships("shop").iter().filter(|line| line.contains("depends_on")).count(), 2);
    bench.reopen().check();
}

#[test]
fn a_proposal_keeps_no_relationship_alive() {
    let bench = estate(&["db1", "db2"]);
    uses(&bench, &[]);
    let stopped = bench
        .relationships("shop")
        .iter()
        .filter(|line| line.ends_with("depends_on endpoint:tcp/5432 stopped"))
        .count();
    assert_eq!(stopped, 2, "{:?}", bench.relationships("shop"));
    look(&bench);
    assert_eq!(
        gates(&bench),
        ["postgresql:5432 any of 2 guess"],
        "an outage does not erase its own evidence"
    );
    bench.pass(31 * DAY_US);
    look(&bench);
    assert_eq!((lines(&bench), gates(&bench)), (vec![], vec![]));
    assert!(!bench.relationships("shop").iter().any(|line| line.contains("depends_on")));
}

#[test]
fn what_a_person_confirms_is_no_guess_any_more_until_it_is_taken_back() {
    let bench = estate(&["db1", "db2"]);
    let shop = bench.find("shop").id;
    let applied = bench.judge("ann", shop, GROUP, Verdict::Confirm(None)).expect("confirmed");
    assert_eq!(gates(&bench), ["postgresql:5432 any of 2"]);
    assert_eq!(groups(&bench, When::Now)[0].reason, "because");
    look(&bench);
    // The members follow the evidence; a person's word of it stays.
    reports(&bench, "db3");
    uses(&bench, &["db1", "db2", "db3"]);
    look(&bench);
    assert_eq!(gates(&bench), ["postgresql:5432 any of 3"]);
    bench.judge("bob", shop, GROUP, Verdict::Confirm(Some(Require::AtLeast(2)))).expect("confirmed");
    assert_eq!(gates(&bench), ["postgresql:5432 at_least 2 of 3"], "the last word counts");
    let too_many = bench.judge("bob", shop, GROUP, Verdict::Confirm(Some(Require::AtLeast(4))));
    assert_eq!(refused(too_many), Reason::GroupTooSmall);
    let bobs = bench.head();
    bench.revert(bobs).expect("taken back");
    assert_eq!(gates(&bench), ["postgresql:5432 any of 3"]);
    bench.revert(applied.revision.expect("a commit")).expect("taken back");
    assert_eq!(gates(&bench), ["postgresql:5432 any of 3 guess"]);
    look(&bench);
    bench.reopen().check();
}

#[test]
fn what_a_person_rejects_is_never_proposed_again() {
    let bench = estate(&["db1", "db2"]);
    let shop = bench.find("shop").id;
    let applied = bench.judge("ann", shop, GROUP, Verdict::Reject).expect("rejected");
    let rejected = |members: usize| format!("postgresql:5432 all of {members}");
    assert_eq!(gates(&bench), [rejected(2)]);
    assert_eq!(lines(&bench)[0].split(' ').nth(3), Some("rejected"));
    reports(&bench, "db3");
    uses(&bench, &["db1", "db2", "db3"]);
    look(&bench);
    assert_eq!(gates(&bench), [rejected(3)]);
    // The evidence goes, and returns.
    uses(&bench, &["db1"]);
    bench.pass(31 * DAY_US);
    look(&bench);
    uses(&bench, &["db1", "db2"]);
    look(&bench);
    assert_eq!(gates(&bench), [rejected(2)]);
    bench.revert(applied.revision.expect("a commit")).expect("taken back");
    look(&bench);
    assert_eq!(gates(&bench), ["postgresql:5432 any of 2 guess"]);
    bench.reopen().check();
}

#[test]
fn only_guesses_are_judged() {
    let bench = estate(&["db1", "db2"]);
    let shop = bench.find("shop").id;
    assert_eq!(refused(bench.judge("ann", shop, "redis:6379", Verdict::Reject)), Reason::GroupUnknown);
    assert_eq!(refused(bench.judge("ann", ItemId(999), GROUP, Verdict::Reject)), Reason::ItemNotFound);
    bench
        .apply(person("ann"), vec![item("a", "server", &[]), item("b", "server", &[])], true)
        .expect("taken");
    let mut declared = item("hv", "hypervisor", &[]);
    for end in ["a", "b"] {
        let mut said = relationship(crate::claim::Reference::This, "powered_by", key(end), false);
        said.group = "power".to_owned();
        declared.relationships.push(said);
    }
    declared.redundancies.push(crate::claim::RedundancyClaim {
        item: crate::claim::Reference::This,
        group: "power".to_owned(),
        require: Require::Any,
        inferred: false,
        confidence: 1.0,
        evidence: String::new(),
        rejected: false,
    });
    bench.apply(person("ann"), vec![declared], true).expect("taken");
    let hv = bench.find("hv").id;
    assert_eq!(refused(bench.judge("ann", hv, "power", Verdict::Reject)), Reason::GroupUnknown);
}

#[test]
fn what_somebody_declares_is_left_to_them() {
    let bench = bench();
    for host in ["db1", "db2"] {
        reports(&bench, host);
    }
    uses(&bench, &["db1", "db2"]);
    // A file puts both in a group of its own.
    let mut shop = item("shop", "application", &[]);
    shop.key = bench.find("shop").id.to_string();
    for host in ["db1", "db2"] {
        let to = crate::claim::Reference::SourceKey {
            source: host.to_owned(),
            key: "endpoint:tcp/5432".to_owned(),
        };
        let mut said = relationship(crate::claim::Reference::This, "depends_on", to, false);
        said.group = "db".to_owned();
        shop.relationships.push(said);
    }
    bench.apply(person("ann"), vec![shop], true).expect("taken");
    look(&bench);
    assert_eq!(gates(&bench), ["db all of 2"]);
}

#[test]
fn a_merge_takes_the_group_along() {
    let bench = estate(&["db1", "db2"]);
    let shop = bench.find("shop").id;
    bench.judge("ann", shop, GROUP, Verdict::Confirm(None)).expect("confirmed");
    bench
        .apply(named("files", SourceKind::Import), vec![item("shop2", "application", &[])], false)
        .expect("taken");
    let into = bench.find("shop2").id;
    bench.merge(into, shop).expect("merged");
    look(&bench);
    assert_eq!(gates(&bench), ["postgresql:5432 any of 2"]);
    bench.judge("bob", into, GROUP, Verdict::Reject).expect("rejected");
    assert_eq!(
        gates(&bench),
        ["postgresql:5432 all of 2"],
        "the last word counts, under whatever id it was said"
    );
    bench.split(shop, Vec::new()).expect("split");
    look(&bench);
    bench.reopen().check();
}

#[test]
fn an_export_takes_everything_along() {
    let bench = estate(&["db1", "db2"]);
    let shop = bench.find("shop").id;
    bench.judge("ann", shop, GROUP, Verdict::Reject).expect("rejected");
    let mut lines_out = String::new();
    bench
        .cmdb
        .reader()
        .expect("readable")
        .export(true, &mut |line| {
            lines_out.push_str(line);
            lines_out.push('\n');
            Ok(())
        })
        .expect("readable");
    let other = super::harness::bench();
    let (outcome, said) = other.import(&lines_out, false, 0);
    outcome.unwrap_or_else(|error| panic!("{error}: {said:?}"));
    assert_eq!((lines(&other), gates(&other)), (lines(&bench), gates(&bench)));
    look(&other);
    assert_eq!(gates(&other), ["postgresql:5432 all of 2"]);
}

/// The first look at a large estate finds much at once: the writer is given a part at a time.
#[test]
fn a_look_that_finds_much_leaves_the_rest_to_the_next() {
    const SERVERS: usize = 250;
    let bench = bench();
    let name = |number: usize| format!("db{number:03}");
    let mut claims: Vec<Claim> =
        (0..SERVERS).map(|number| Claim { key: name(number), ..database(&name(number)) }).collect();
    // Each client's group and its members; one client more than is judged at once.
    let clients = crate::engine::redundancy::PARTS_MAX.div_ceil(1 + SERVERS) + 1;
    for number in 0..clients {
        let mut client = item(&format!("app{number}"), "application", &[]);
        for server in 0..SERVERS {
            client = related(client, "depends_on", key(&name(server)), false);
        }
        claims.push(client);
    }
    bench.apply(named("files", SourceKind::Import), claims, true).expect("taken");
    let first = bench.cmdb.propose_groups().expect("a look");
    assert_eq!((first.changed, first.looked_at, first.left > 0), (clients - 1, first.looked_at, true));
    let mut changed = first.changed;
    loop {
        let next = bench.cmdb.propose_groups().expect("a look");
        changed += next.changed;
        if next.left == 0 {
            break;
        }
    }
    assert_eq!(changed, clients);
    bench.check();
}
