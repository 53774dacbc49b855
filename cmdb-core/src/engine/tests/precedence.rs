//! Whose value counts: what goes stale, who takes over, and what a person pins.

use super::harness::*;
use crate::claim::{Claim, PinClaim, UnitKind};
use crate::engine::When;
use crate::model::{ItemId, Revision, SourceKind, Timestamp, Value};

fn database(version: &str) -> Claim {
    item("db", "database_instance", &[("version", text(version))])
}

/// An agent says 15, and an import 14, of one database.
fn two_sources() -> (Bench, ItemId) {
    let bench = bench_under(rules());
    bench.report("web01", vec![section("databases", &[database("15")])]);
    let id = bench.find("db").id;
    let mut said = item("db", "database_instance", &[("version", text("14"))]);
    said.key = id.to_string();
    said.item.as_mut().expect("an item").name.clear();
    bench.apply(named("cmdb", SourceKind::Import), vec![said], false).expect("taken");
    (bench, id)
}

fn version(bench: &Bench, id: ItemId, when: When) -> String {
    let reader = bench.cmdb.reader_at(when).expect("to be had");
    let item = reader.item(id).expect("readable").expect("there");
    item.attribute("version").map_or_else(|| "none".to_owned(), |effective| effective.value.to_string())
}

fn last_commit(bench: &Bench) -> (String, String) {
    let reader = bench.cmdb.reader().expect("readable");
    let (header, _) = reader.commit(bench.head(), 1).expect("readable").expect("there");
    (header.actor.name, header.actor.reason)
}

#[test]
fn a_source_that_is_silent_gives_way_and_takes_back_when_it_speaks() {
    let (bench, id) = two_sources();
    assert_eq!(version(&bench, id, When::Now), "15");
    bench.pass(6 * DAY_US);
    assert_eq!(version(&bench, id, When::Now), "15", "not yet");
    let before = bench.head();
    bench.pass(2 * DAY_US);
    assert_eq!(version(&bench, id, When::Now), "14");
    let (actor, reason) = last_commit(&bench);
    assert_eq!(
        (actor.as_str(), reason.as_str()),
        ("time", "not confirmed in time: the next source takes over")
    );
    bench.check();
    // The very same report costs no write of its own, and is heard all the same.
    bench.report("web01", vec![section("databases", &[database("15")])]);
    bench.pass(1);
    assert_eq!(version(&bench, id, When::Now), "15");
    assert_eq!(last_commit(&bench).1, "heard again");
    assert_eq!(version(&bench, id, When::Revision(before)), "15");
    assert_eq!(version(&bench, id, When::Revision(Revision(before.0 + 1))), "14");
    bench.check();
}

#[test]
fn a_source_that_keeps_speaking_never_gives_way() {
    let (bench, id) = two_sources();
    let head = bench.head();
    for _ in 0..10 {
        bench.pass(5 * DAY_US);
        bench.report("web01", vec![section("databases", &[database("15")])]);
    }
    assert_eq!(version(&bench, id, When::Now), "15");
    assert_eq!(bench.head(), head, "and leaves no trace in the log");
    bench.pass(8 * DAY_US);
    assert_eq!(version(&bench, id, When::Now), "14", "until it is silent");
    bench.reopen_under(rules()).check();
}

#[test]
fn who_is_silent_and_alone_stays() {
    let bench = bench_under(rules());
    bench.report("web01", vec![section("databases", &[database("15")])]);
    let head = bench.head();
    bench.pass(29 * DAY_US);
    assert_eq!(bench.head(), head);
    let id = bench.find("db").id;
    let said = Claim { key: id.to_string(), ..database("14") };
    bench.apply(named("cmdb", SourceKind::Import), vec![said], false).expect("taken");
    bench.pass(1);
    assert_eq!(version(&bench, id, When::Now), "14", "it gives way to who comes later");
    bench.check();
}

#[test]
fn no_value_never_overwrites_unless_the_schema_lists_the_attribute() {
    let (bench, id) = two_sources();
    let port = |item: &crate::model::Item| item.attribute("port").map(|effective| effective.value.clone());
    let mut said =
        item("db", "database_instance", &[("version", text("14")), ("port", Value::Integer(5432))]);
    said.key = id.to_string();
    bench.apply(named("cmdb", SourceKind::Import), vec![said], false).expect("taken");
    assert_eq!(port(&bench.find("db")), Some(Value::Integer(5432)));
    let mut null = item("db", "database_instance", &[]);
    null.item.as_mut().expect("an item").cleared = vec!["port".to_owned(), "version".to_owned()];
    bench.report("web01", vec![section("databases", &[null])]);
    assert_eq!(port(&bench.find("db")), None, "listed");
    assert_eq!(version(&bench, id, When::Now), "14", "not listed");
    bench.check();
}

fn pin(id: ItemId, version: &str, until: Option<Timestamp>, reason: &str) -> Claim {
    let mut claim = set(id, version);
    let how = PinClaim { until, reason: reason.to_owned() };
    claim.item.as_mut().expect("an item").pins.insert("version".to_owned(), how);
    claim
}

fn set(id: ItemId, version: &str) -> Claim {
    let mut claim = item("x", "", &[("version", text(version))]);
    claim.key = id.to_string();
    claim.item.as_mut().expect("an item").name.clear();
    claim
}

fn unpin(id: ItemId) -> Claim {
    let item = crate::claim::ItemClaim { unpinned: vec!["version".to_owned()], ..Default::default() };
    Claim {
        kind: UnitKind::Item,
        key: id.to_string(),
        item: Some(item),
        relationships: Vec::new(),
        redundancies: Vec::new(),
    }
}

#[test]
fn a_pinned_value_wins_until_its_end() {
    let (bench, id) = two_sources();
    let until = Timestamp(bench.clock.load(std::sync::atomic::Ordering::SeqCst)).plus_us(10 * DAY_US);
    let applied =
        bench.apply(person("ann"), vec![pin(id, "16", Some(until), "agreed")], true).expect("taken");
    assert_eq!(outcomes(&applied), ["updated"]);
    let later = bench.apply(person("bob"), vec![set(id, "17")], true).expect("taken");
    assert_eq!(outcomes(&later), ["updated"]);
    assert!(later.decisions[0].notes[0].contains("pinned by person-ann"), "{:?}", later.decisions);
    assert_eq!(version(&bench, id, When::Now), "16", "also over a later person");
    for (who, claim) in [("bob", pin(id, "18", None, "mine")), ("ann", set(id, "19"))] {
        let refused = bench.apply(person(who), vec![claim], true).expect("answered");
        assert_eq!(outcomes(&refused), ["refused PINNED"], "{who}");
    }
    bench.check();
    bench.pass(11 * DAY_US);
    assert_eq!(version(&bench, id, When::Now), "17");
    assert!(last_commit(&bench).1.contains("a pin ended"));
    bench.reopen_under(rules()).check();
}

#[test]
fn anybody_unpins_and_a_pin_needs_a_reason_and_a_moment_to_come() {
    let (bench, id) = two_sources();
    bench.apply(person("ann"), vec![pin(id, "16", None, "agreed")], true).expect("taken");
    bench.apply(person("bob"), vec![set(id, "17")], true).expect("taken");
    bench.apply(person("bob"), vec![unpin(id)], true).expect("taken");
    assert_eq!(version(&bench, id, When::Now), "17");
    let cases = [
        (person("ann"), pin(id, "18", None, " "), "refused PIN_INVALID"),
        (person("ann"), pin(id, "18", Some(Timestamp(1)), "late"), "refused PIN_INVALID"),
        (named("cmdb", SourceKind::Import), pin(id, "18", None, "a machine"), "refused PIN_INVALID"),
    ];
    for (who, claim, expected) in cases {
        let refused = bench.apply(who, vec![claim], true).expect("answered");
        assert_eq!(outcomes(&refused), [expected]);
    }
    bench.check();
}

/// What is said of the version of an item: source, whether it counts, why.
fn explained(bench: &Bench, id: ItemId) -> Vec<(String, bool, String)> {
    let reader = bench.cmdb.reader().expect("readable");
    let why = reader.explain(id).expect("readable").expect("there");
    let contest = why.attributes.into_iter().find(|contest| contest.attribute == "version").expect("said");
    let name = |id| reader.source(id).expect("a source").name.clone();
    contest.bids.into_iter().map(|bid| (name(bid.source), bid.effective, bid.why)).collect()
}

#[test]
fn an_explanation_names_the_pin_and_what_is_stale() {
    let (bench, id) = two_sources();
    let (heard, head) = (bench.clock.load(std::sync::atomic::Ordering::SeqCst), bench.head());
    bench.apply(person("ann"), vec![pin(id, "16", None, "agreed")], true).expect("taken");
    let told = explained(&bench, id);
    assert_eq!((told[0].0.as_str(), told[0].1), ("person-ann", true));
    assert!(
        told.iter().all(|(_, _, why)| why.contains("pinned by person-ann") && why.contains("agreed")),
        "{told:?}"
    );
    assert!(told[1..].iter().all(|(_, effective, _)| !effective), "{told:?}");
    // Undone, it leaves no pin behind.
    let pinned = Revision(head.0 + 1);
    bench.revert(pinned).expect("undone");
    assert_eq!(version(&bench, id, When::Now), "15");
    let left = bench.find("db").claims.into_iter().filter(|claim| claim.withdrawn_at.is_none());
    assert!(left.flat_map(|claim| claim.marks.pins).next().is_none());
    bench.apply(person("ann"), vec![set(id, "19")], true).expect("taken, so nothing holds it");
    assert_eq!(version(&bench, id, When::Now), "19");
    bench.revert(bench.head()).expect("undone");
    bench.pass(8 * DAY_US);
    let told = explained(&bench, id);
    assert_eq!((told[0].0.as_str(), told[0].1), ("cmdb", true));
    let agent = told.iter().find(|(source, _, _)| source == "web01").expect("still said");
    assert!(!agent.1 && agent.2.starts_with("stale since 2027-01-"), "{told:?}, heard {heard}");
    bench.check();
}
