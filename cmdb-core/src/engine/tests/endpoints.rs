//! Both ends of a connection, said by different hosts, minutes apart and in any order: the same graph.

use super::harness::*;
use crate::claim::Claim;
use crate::engine::Section;
use crate::model::{Item, ItemId, Status, Value};

/// By which the host is known.
const SERVER: &str = "3f1b2c4d5e6f708192a3b4c5d6e7f809";
const FIRST: &str = "a0b1c2d3e4f5061728394a5b6c7d8e9f";
const SECOND: &str = "b0b1c2d3e4f5061728394a5b6c7d8e9f";
/// The server's two addresses, and what it is called by itself.
const FOUR: &str = "tcp/10.0.0.5:5432";
const SIX: &str = "tcp/[fd00::5]:5432";
const OWN: &str = "endpoint:tcp/5432";

fn host(machine_id: &str) -> Section {
    section("os", &[item("os", "operating_system", &[("machine_id", text(machine_id))])])
}

fn endpoint(sockets: &[&str]) -> Claim {
    let sockets = Value::List(sockets.iter().map(|socket| text(socket)).collect());
    within(item(OWN, "endpoint", &[("sockets", sockets), ("binding", text("tcp/5432"))]), "os")
}

fn remote(socket: &str) -> Claim {
    item(&format!("remote:{socket}"), "endpoint", &[("sockets", Value::List(vec![text(socket)]))])
}

/// A program that uses the server by one of its addresses.
fn user(name: &str, socket: &str) -> Section {
    let app = within(item(&format!("software:{name}"), "application", &[("product", text(name))]), "os");
    let app = related(app, "depends_on", key(&format!("remote:{socket}")), true);
    section("software", &[app, remote(socket)])
}

/// Each of the three hosts reports; `who` counts them.
fn report(bench: &Bench, who: usize) {
    match who {
        0 => bench.report("agent-1", vec![host(FIRST), user("shop", FOUR)]),
        1 => bench.report("agent-2", vec![host(SECOND), user("crm", SIX)]),
        _ => bench.report("agent-3", vec![host(SERVER), section("software", &[endpoint(&[FOUR, SIX])])]),
    };
}

/// What is there, without ids: endpoints that stand, and who uses them.
fn shown(bench: &Bench) -> Vec<String> {
    let endpoint = bench.find(OWN);
    let found = |key: &str| bench.find(key).id == endpoint.id;
    let coverage = bench.cmdb.reader().expect("readable").coverage().expect("readable");
    vec![
        format!("by the first address {}", found(&format!("remote:{FOUR}"))),
        format!("by the second address {}", found(&format!("remote:{SIX}"))),
        format!("external {}", coverage.external_endpoints),
        format!("duplicates {:?}", endpoint.duplicates),
        bench.relationships("software:shop").len().to_string(),
        bench.relationships("software:crm").len().to_string(),
    ]
}

#[test]
fn a_server_with_two_addresses_is_one_endpoint_in_whatever_order_the_ends_are_said() {
    let expected =
        ["by the first address true", "by the second address true", "external 0", "duplicates []", "1", "1"];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let bench = bench();
        for who in order {
            report(&bench, who);
            bench.pass(60_000_000);
        }
        assert_eq!(shown(&bench), expected, "{order:?}");
        bench.check();
        // And again, with nothing new.
        let head = bench.head();
        for who in order {
            report(&bench, who);
        }
        assert_eq!(bench.head(), head, "{order:?}");
        let bench = bench.reopen();
        bench.check();
        assert_eq!(shown(&bench), expected, "{order:?} after a start");
    }
}

#[test]
fn an_address_that_a_server_gets_later_is_its_own_as_well() {
    let bench = bench();
    bench.report("agent-3", vec![host(SERVER), section("software", &[endpoint(&[FOUR])])]);
    report(&bench, 1);
    let external = bench.find(&format!("remote:{SIX}"));
    assert_ne!(external.id, bench.find(OWN).id);
    report(&bench, 2);
    assert_eq!(bench.find(&format!("remote:{SIX}")).id, bench.find(OWN).id);
    assert_eq!(bench.relationships("software:crm").len(), 1);
    let gone = stored(&bench, external.id);
    assert_eq!((gone.merged_into, gone.status), (Some(bench.find(OWN).id), Status::Retired));
    bench.check();
}

#[test]
fn two_hosts_with_one_address_stay_two() {
    let bench = bench();
    for (agent, machine) in [("agent-3", SERVER), ("agent-2", SECOND)] {
        bench.report(agent, vec![host(machine), section("software", &[endpoint(&[FOUR])])]);
    }
    let id = |agent: &str| bench.find(&format!("{agent}:{OWN}")).id;
    assert_ne!(id("agent-2"), id("agent-3"));
    bench.check();
}

#[test]
fn what_a_person_told_apart_is_not_joined_again() {
    let bench = bench();
    (0..3).for_each(|who| report(&bench, who));
    let own = bench.find(OWN).id;
    // Of the two that were seen from outside, one or both were joined to another item.
    let joined = (0..own.0 + 9)
        .map(ItemId)
        .find(|id| known(&bench, *id).is_some_and(|item| item.merged_into == Some(own)));
    let joined = joined.expect("one was joined");
    bench.split(joined, Vec::new()).expect("taken");
    bench.report(
        "agent-3",
        vec![host(SERVER), section("software", &[endpoint(&[FOUR, SIX, "tcp/10.0.0.9:5432"])])],
    );
    assert_eq!(stored(&bench, joined).merged_into, None);
    bench.check();
}

fn known(bench: &Bench, id: ItemId) -> Option<Item> {
    bench.cmdb.reader().expect("readable").item(id).expect("readable")
}

fn stored(bench: &Bench, id: ItemId) -> Item {
    known(bench, id).expect("there")
}
