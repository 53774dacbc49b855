//! Claims whose host is not known yet wait, and are placed when it is.

use super::harness::*;
use crate::claim::Claim;
use crate::engine::ingest::waiting::WAITS_FOR_US;
use crate::model::SourceKind;

fn os() -> Claim {
    item("os", "operating_system", &[("host_name", text("db01"))])
}

fn database() -> Claim {
    let database = within(item("db", "database_instance", &[("product", text("postgresql"))]), "os");
    related(database, "runs_on", key("os"), false)
}

/// A database within what is itself within what is not known.
fn chain() -> [Claim; 3] {
    let part = |key: &str, host: &str| within(item(key, "database", &[("database", text(key))]), host);
    [part("three", "two"), part("two", "one"), part("one", "os")]
}

/// How many wait, were given up for their age, and for room.
fn waiting(bench: &Bench) -> (u64, u64, u64) {
    let figures = bench.cmdb.reader().expect("readable").figures().expect("readable");
    (figures.waiting_claims, figures.waiting_claims_expired, figures.waiting_claims_evicted)
}

fn is_there(bench: &Bench, text: &str) -> bool {
    bench.cmdb.reader().expect("readable").resolve(text).is_ok()
}

#[test]
fn a_part_waits_for_its_host_and_joins_when_it_comes() {
    let bench = bench();
    let outcome = bench.report("agent-1", vec![section("software", &[database()])]);
    assert_eq!((outcome.waiting, outcome.refused_total, outcome.created), (1, 0, 0));
    assert_eq!(waiting(&bench), (1, 0, 0));
    bench.report("agent-1", vec![section("software", &[database()]), section("units", &[])]);
    assert_eq!(waiting(&bench), (1, 0, 0));
    bench.check();
    // It survives a restart.
    let bench = bench.reopen();
    assert_eq!(waiting(&bench), (1, 0, 0));
    let outcome = bench.report("agent-1", vec![section("os", &[os()])]);
    assert_eq!((outcome.created, outcome.rescan.len()), (1, 0));
    assert_eq!(waiting(&bench), (0, 0, 0));
    let host = bench.find("agent-1:os").id;
    assert_eq!(bench.find("agent-1:db").claims[0].within, Some(host));
    assert_eq!(bench.relationships("agent-1:db"), ["db runs_on os active"]);
    bench.check();
    bench.reopen().check();
}

#[test]
fn a_chain_of_parts_is_placed_from_its_root() {
    let bench = bench();
    let outcome = bench.report("agent-1", vec![section("software", &chain())]);
    assert_eq!((outcome.waiting, waiting(&bench)), (3, (3, 0, 0)));
    bench.report("agent-1", vec![section("os", &[os()])]);
    assert_eq!(waiting(&bench), (0, 0, 0));
    let hosts: Vec<_> =
        ["three", "two", "one"].iter().map(|name| bench.find(name).claims[0].within).collect();
    let ids = ["two", "one", "agent-1:os"].map(|name| Some(bench.find(name).id));
    assert_eq!(hosts, ids);
    bench.check();
}

#[test]
fn what_is_said_anew_or_taken_back_waits_no_longer() {
    let bench = bench();
    bench.report("agent-1", vec![section("software", &[database()])]);
    let other = within(item("db", "database_instance", &[("product", text("mariadb"))]), "os");
    bench.report("agent-1", vec![section("software", &[other])]);
    assert_eq!(waiting(&bench), (1, 0, 0));
    bench.report("agent-1", vec![section("os", &[os()])]);
    let product = bench.find("agent-1:db").attribute("product").map(|found| found.value.clone());
    assert_eq!(product, Some(text("mariadb")));
    bench.report("agent-2", vec![section("software", &[database()])]);
    bench.report("agent-2", vec![section("software", &[])]);
    assert_eq!(waiting(&bench), (0, 0, 0));
    bench.report("agent-2", vec![section("os", &[os()])]);
    assert!(!is_there(&bench, "agent-2:db"));
    bench.check();
}

#[test]
fn a_part_waits_for_what_another_source_will_call_so() {
    let bench = bench();
    bench.report("agent-1", vec![section("os", &[])]);
    let guest = within(item("vm", "database", &[("database", text("shop"))]), "agent-1:os");
    let applied = bench.apply(named("hub", SourceKind::Connector), vec![guest], false).expect("taken");
    assert_eq!(outcomes(&applied), ["waits"]);
    bench.report("agent-1", vec![section("os", &[os()])]);
    assert_eq!(bench.find("hub:vm").claims[0].within, Some(bench.find("agent-1:os").id));
    bench.check();
}

#[test]
fn people_and_files_are_told_of_a_slip() {
    let bench = bench();
    for source in [person("ann"), named("files", SourceKind::Import)] {
        let applied = bench.apply(source, vec![database()], false).expect("taken");
        assert_eq!(outcomes(&applied), ["refused REFERENCE_UNKNOWN"]);
    }
    assert_eq!(waiting(&bench), (0, 0, 0));
}

#[test]
fn what_waits_for_too_long_is_given_up_counted_and_asked_for_again() {
    let bench = bench();
    bench.report("agent-1", vec![section("software", &[database()])]);
    bench.pass(WAITS_FOR_US - DAY_US);
    assert_eq!(waiting(&bench), (1, 0, 0));
    bench.pass(2 * DAY_US);
    assert_eq!(waiting(&bench), (0, 1, 0));
    bench.check();
    let bench = bench.reopen();
    assert_eq!(waiting(&bench), (0, 1, 0), "the count survives");
    bench.report("agent-1", vec![section("os", &[os()])]);
    assert!(!is_there(&bench, "agent-1:db"));
    // The section counts as unknown, so that its source sends it in full.
    let mut known = section("software", &[database()]);
    known.entries.clear();
    known.unchanged = true;
    let outcome = bench.report("agent-1", vec![section("os", &[os()]), known]);
    assert_eq!(outcome.rescan, ["software"]);
    bench.report("agent-1", vec![section("software", &[database()])]);
    assert!(is_there(&bench, "agent-1:db"));
    bench.check();
}

#[test]
fn the_oldest_make_room() {
    use crate::engine::ingest::waiting::{CLAIMS_MAX, EVICTED_AT_ONCE};
    let bench = bench();
    let part = |number: u64| {
        within(item(&format!("p{number}"), "database", &[("database", text("x"))]), &format!("host-{number}"))
    };
    let all: Vec<Claim> = (0..CLAIMS_MAX).map(part).collect();
    assert_eq!(u64::from(bench.report("agent-1", vec![section("one", &all)]).waiting), CLAIMS_MAX);
    bench.report("agent-2", vec![section("one", &[part(CLAIMS_MAX), part(CLAIMS_MAX + 1)])]);
    let gone = EVICTED_AT_ONCE as u64;
    assert_eq!(waiting(&bench), (CLAIMS_MAX - gone + 2, 0, gone));
    let hosts = [0, gone - 1, gone].map(|number| item(&format!("host-{number}"), "server", &[]));
    bench.report("agent-1", vec![section("two", &hosts)]);
    assert_eq!(waiting(&bench), (CLAIMS_MAX - gone + 1, 0, gone));
    let placed = [0, gone - 1, gone].map(|number| is_there(&bench, &format!("agent-1:p{number}")));
    assert_eq!(placed, [false, false, true]);
    bench.check();
}
