//! How sure a relationship still is, and when nobody confirms it any more.

use super::harness::*;
use crate::model::{Relationship, SourceKind};

/// An agent sees that the shop uses the database.
fn observed() -> Bench {
    let bench = bench();
    bench.report(
        "web01",
        vec![section(
            "connections",
            &[
                item("db", "database_instance", &[]),
                related(item("app", "application", &[]), "depends_on", key("db"), true),
            ],
        )],
    );
    bench
}

fn relationship_of(bench: &Bench) -> Relationship {
    let reader = bench.cmdb.reader().expect("readable");
    let (found, _) = reader.relationships(bench.find("app").id, 10).expect("readable");
    found.into_iter().next().expect("one")
}

/// The confidence in percent, whether it is stale, and how many are.
fn known(bench: &Bench) -> (f64, bool, u64) {
    let reader = bench.cmdb.reader().expect("readable");
    let evidence = reader.evidence(&relationship_of(bench)).expect("readable");
    let stale = reader.coverage().expect("readable").stale_relationships;
    ((evidence.confidence * 100.0).round(), evidence.stale, stale)
}

#[test]
fn confidence_decays_unseen_and_comes_back_without_a_write() {
    let bench = observed();
    let head = bench.head();
    assert_eq!(known(&bench), (60.0, false, 0));
    bench.pass(7 * DAY_US);
    assert_eq!(known(&bench), (42.0, false, 0));
    bench.pass(7 * DAY_US);
    assert_eq!(known(&bench), (30.0, true, 1));
    bench
        .cmdb
        .heartbeat("web01", crate::model::Timestamp(bench.clock.load(std::sync::atomic::Ordering::SeqCst)));
    assert_eq!(known(&bench), (60.0, false, 0));
    assert_eq!(bench.head(), head, "reading writes nothing");
    bench.check();
}

#[test]
fn what_a_file_declares_as_well_does_not_go_stale() {
    let bench = observed();
    bench.pass(20 * DAY_US);
    assert!(known(&bench).1);
    let (app, db) = (bench.find("app").id, bench.find("db").id);
    let mut claim = related(item("x", "", &[]), "depends_on", crate::claim::Reference::Id(db), false);
    claim.key = app.to_string();
    claim.item = None;
    bench.apply(named("cmdb", SourceKind::Import), vec![claim], false).expect("taken");
    let (_, stale, count) = known(&bench);
    assert_eq!((stale, count), (false, 0));
    bench.check();
    bench.reopen().check();
}
