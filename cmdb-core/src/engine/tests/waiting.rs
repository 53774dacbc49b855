//! Claims whose host is not known yet wait, and are placed when it is.

use super::harness::*;
use crate::claim::{Claim, Match, Reference};
use crate::engine::ingest::queue::{DECLARED_WAITS_FOR_US, WAITS_FOR_US};
use crate::model::{Reason, SourceKind};

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
    use crate::engine::ingest::queue::{EVICTED_AT_ONCE, WAITING_MAX as CLAIMS_MAX};
    let bench = bench();
    let part = |number: u64| {
        within(item(&format!("p{number}"), "database", &[("database", text("x"))]), &format!("host-{number}"))
    };
    // The oldest of all is a reference.
    bench.report("agent-0", vec![section("one", &[client()])]);
    let all: Vec<Claim> = (1..CLAIMS_MAX).map(part).collect();
    assert_eq!(u64::from(bench.report("agent-1", vec![section("one", &all)]).waiting), CLAIMS_MAX - 1);
    bench.report("agent-2", vec![section("one", &[part(CLAIMS_MAX), part(CLAIMS_MAX + 1)])]);
    let gone = EVICTED_AT_ONCE as u64;
    assert_eq!(waiting(&bench), (CLAIMS_MAX - gone + 2, 0, gone - 1));
    assert_eq!(references(&bench), (0, 0, 1));
    let hosts = [1, gone - 1, gone].map(|number| item(&format!("host-{number}"), "server", &[]));
    bench.report("agent-1", vec![section("two", &hosts)]);
    assert_eq!(waiting(&bench), (CLAIMS_MAX - gone + 1, 0, gone - 1));
    let placed = [1, gone - 1, gone].map(|number| is_there(&bench, &format!("agent-1:p{number}")));
    assert_eq!(placed, [false, false, true]);
    bench.check();
}

/// How many references wait, were given up for their age, and for room.
fn references(bench: &Bench) -> (u64, u64, u64) {
    let figures = bench.cmdb.reader().expect("readable").figures().expect("readable");
    (figures.waiting_references, figures.waiting_references_expired, figures.waiting_references_evicted)
}

/// An application that uses what is not known yet.
fn client() -> Claim {
    related(item("app", "application", &[]), "depends_on", key("db"), false)
}

fn server() -> Claim {
    item("db", "database_instance", &[("product", text("postgresql"))])
}

/// What a person or a file says of an application whose database nobody has found yet.
fn wanted(host: &str) -> Claim {
    let found =
        Match { class: "server".to_owned(), attributes: [("host_name".to_owned(), text(host))].into() };
    related(item("shop", "application", &[]), "runs_on", Reference::Match(found), false)
}

#[test]
fn a_relationship_waits_for_a_key_and_is_then_as_if_it_never_had() {
    let bench = bench();
    let outcome = bench.report("agent-1", vec![section("software", &[client()])]);
    assert_eq!((outcome.created, outcome.refused_total, references(&bench)), (1, 0, (1, 0, 0)));
    bench.check();
    let bench = bench.reopen();
    bench.report("agent-1", vec![section("databases", &[server()])]);
    assert_eq!(references(&bench), (0, 0, 0));
    assert_eq!(bench.relationships("agent-1:app"), ["app depends_on db active"]);
    bench.check();
    // The other order gives the same graph, and what is no longer said ends in both.
    let other = super::harness::bench();
    other.report("agent-1", vec![section("databases", &[server()])]);
    other.report("agent-1", vec![section("software", &[client()])]);
    assert_eq!(other.relationships("agent-1:app"), bench.relationships("agent-1:app"));
    for bench in [bench, other] {
        bench.report("agent-1", vec![section("software", &[item("app", "application", &[])])]);
        assert_eq!(bench.relationships("agent-1:app"), Vec::<String>::new());
        bench.check();
    }
}

#[test]
fn a_relationship_waits_for_what_another_source_will_call_so() {
    let bench = bench();
    bench.report("agent-1", vec![section("os", &[])]);
    let seen = related(item("lb", "load_balancer", &[]), "depends_on", key("agent-1:db"), false);
    let hub = || named("hub", SourceKind::Connector);
    bench.apply(hub(), vec![seen.clone()], true).expect("taken");
    // Saying it again adds no second question.
    let again = bench.apply(hub(), vec![seen], true).expect("taken");
    assert_eq!((outcomes(&again), references(&bench)), (vec!["unchanged".to_owned()], (1, 0, 0)));
    bench.report("agent-1", vec![section("databases", &[server()])]);
    assert_eq!(bench.relationships("hub:lb"), ["lb depends_on db active"]);
    bench.check();
    // People and files are told of a slip.
    for source in [person("ann"), named("files", SourceKind::Import)] {
        let claim = related(item("x", "application", &[]), "depends_on", key("dbb"), false);
        let applied = bench.apply(source, vec![claim], true).expect("answered");
        assert_eq!(applied.decisions[0].problems.len(), 1);
    }
    assert_eq!(references(&bench), (0, 0, 0));
}

/// A machine was set up anew under its old key, so its source had to state everything again; that forgot what the same
/// report had named just before, and a relationship to it went on waiting for its key.
#[test]
fn what_a_report_names_first_is_known_when_its_source_is_to_state_everything_again() {
    let bench = bench();
    let host = |serial: &str| item("host", "server", &[("serial_number", text(serial))]);
    let on_host = || related(item("app", "application", &[]), "runs_on", key("host"), false);
    bench.report("agent-1", vec![section("all", &[host("SN1"), on_host()])]);
    let before = bench.find("agent-1:host").id;
    let app = related(on_host(), "depends_on", key("db"), false);
    let outcome = bench.report("agent-1", vec![section("all", &[server(), host("SN2"), app])]);
    assert_ne!(bench.find("agent-1:host").id, before, "another machine");
    assert_eq!(outcome.rescan, ["all"], "everything is to be stated again");
    assert_eq!(references(&bench), (0, 0, 0));
    assert_eq!(bench.relationships("agent-1:app"), ["app depends_on db active", "app runs_on host active"]);
    bench.check();
}

#[test]
fn a_reference_of_a_machine_is_given_up_after_its_time_and_asked_for_again() {
    let bench = bench();
    bench.report("agent-1", vec![section("software", &[client()])]);
    bench.pass(WAITS_FOR_US - DAY_US);
    assert_eq!(references(&bench), (1, 0, 0));
    bench.pass(2 * DAY_US);
    assert_eq!(references(&bench), (0, 1, 0));
    bench.check();
    let mut known = section("software", &[client()]);
    known.entries.clear();
    known.unchanged = true;
    let outcome = bench.report("agent-1", vec![section("databases", &[server()]), known]);
    assert_eq!(outcome.rescan, ["software"]);
    bench.report("agent-1", vec![section("software", &[client()])]);
    assert_eq!(bench.relationships("agent-1:app"), ["app depends_on db active"]);
    bench.check();
}

#[test]
fn what_is_declared_waits_for_a_year_from_when_it_last_held() {
    let bench = bench();
    let files = || named("files", SourceKind::Import);
    bench.apply(files(), vec![wanted("h1")], false).expect("taken");
    bench.pass(DECLARED_WAITS_FOR_US - DAY_US);
    assert_eq!(references(&bench), (1, 0, 0));
    bench.apply(person("ann"), vec![item("h", "server", &[("host_name", text("h1"))])], true).expect("taken");
    assert_eq!(references(&bench), (0, 0, 0));
    bench.check();
    let host = bench.find("h").id;
    bench.retire(host).expect("retired");
    assert_eq!(references(&bench), (1, 0, 0));
    bench.pass(2 * DAY_US);
    assert_eq!(references(&bench), (1, 0, 0), "it waits anew");
    bench.pass(DECLARED_WAITS_FOR_US);
    assert_eq!(references(&bench), (0, 1, 0));
    bench.check();
    // Said again, it counts as new.
    bench.apply(files(), vec![wanted("h1")], false).expect("taken");
    assert_eq!(references(&bench), (1, 1, 0));
    bench.check();
}

#[test]
fn one_declared_reference_too_many_is_refused() {
    use crate::engine::ingest::queue::WAITING_MAX;
    let bench = bench();
    let mut shop = item("shop", "application", &[]);
    for number in 0..WAITING_MAX {
        shop.relationships.push(wanted(&format!("h{number}")).relationships.remove(0));
    }
    bench.apply(named("files", SourceKind::Import), vec![shop], false).expect("taken");
    assert_eq!(references(&bench), (WAITING_MAX, 0, 0));
    let refused = bench.apply(person("ann"), vec![wanted("one more")], true).expect("answered");
    let problem = &refused.decisions[0].problems[0];
    assert_eq!(problem.reason, Reason::LimitExceeded, "{problem}");
    assert_eq!(references(&bench), (WAITING_MAX, 0, 0));
    // What holds at once does not wait.
    let host = item("h", "server", &[("host_name", text("there"))]);
    let taken = bench.apply(person("ann"), vec![host, wanted("there")], true).expect("taken");
    assert!(taken.decisions.iter().all(|decision| decision.problems.is_empty()));
    assert_eq!(bench.relationships("person-ann:shop"), ["shop runs_on h active"]);
}
