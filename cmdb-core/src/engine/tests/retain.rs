//! What is compacted is refused, what is kept answers as it did, and what is left is proven.

use std::sync::Arc;

use super::harness::*;
use crate::engine::{EngineError, HISTORY_DAYS_MAX, HistoryKept, Purging, When};
use crate::model::schema::Schema;
use crate::model::{Problem, Reason, Revision, SourceKind};
use crate::scenario::Scenario;
use crate::store::disk::Disk;
use crate::store::record::{self, CommitRecord};
use crate::store::{Batch, Range, RedbStore, Store, Table};

/// Ten commits: a server and an application that change, and a relationship that comes and goes.
fn told(bench: &Bench) {
    for version in 1..=10 {
        let version = format!("v{version}");
        let server =
            item("web", "server", &[("serial_number", text("SN1")), ("description", text(&version))]);
        let mut shop = item("shop", "application", &[("version", text(&version))]);
        if bench.head().0.is_multiple_of(3) {
            shop = related(shop, "runs_on", key("web"), false);
        }
        bench.report("agent-1", vec![section("one", &[server, shop])]);
    }
    assert_eq!(bench.head(), Revision(10));
}

fn exported(bench: &Bench, revision: u64) -> Vec<String> {
    let reader = bench.cmdb.reader_at(When::Revision(Revision(revision))).expect("to be had");
    let mut lines = Vec::new();
    let each = &mut |line: &str| {
        // The first line is another one once the moment is past.
        if !line.starts_with("{\"export\"") {
            lines.push(line.to_owned());
        }
        Ok(())
    };
    reader.export(true, each).expect("readable");
    lines
}

fn refused<T>(answer: Result<T, EngineError>) -> Problem {
    match answer {
        Err(EngineError::Refused(problem)) => problem,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is to be refused"),
    }
}

fn rows(bench: &Bench, table: Table) -> usize {
    let snapshot = bench.cmdb.inner.store.snapshot().expect("readable");
    snapshot.scan(table, &Range::all(), 10_000).expect("readable").len()
}

#[test]
fn what_is_kept_answers_as_it_did_and_the_rest_is_refused_by_name() {
    let bench = bench();
    told(&bench);
    let before: Vec<Vec<String>> = (0..=10).map(|revision| exported(&bench, revision)).collect();
    let (changes, arrivals) = (rows(&bench, Table::Changes), rows(&bench, Table::Arrivals));
    bench.baseline("audit-2026", Revision(3)).expect("kept");
    let compacted = bench.compact(Revision(7)).expect("compacted");
    assert_eq!((compacted.horizon, compacted.revision), (Revision(7), Some(Revision(11))));
    assert!(compacted.changes > 0 && compacted.commits == 5, "{compacted:?}");
    assert_eq!(rows(&bench, Table::Changes), changes - usize::try_from(compacted.changes).expect("few"));
    assert!(rows(&bench, Table::Arrivals) < arrivals);
    for revision in [3, 7, 8, 9, 10] {
        assert_eq!(exported(&bench, revision), before[usize::try_from(revision).expect("few")], "{revision}");
    }
    let problem = refused(bench.cmdb.reader_at(When::Revision(Revision(5))));
    assert_eq!(problem.reason, Reason::HistoryCompacted);
    assert!(problem.message.contains("before revision 7 was compacted"), "{problem}");
    assert!(problem.expected.starts_with("revision 7, of "), "{problem:?}");
    assert!(problem.hint.contains("audit-2026 (revision 3)"), "{problem:?}");
    let long_ago = crate::model::Timestamp(1);
    assert_eq!(refused(bench.cmdb.reader_at(When::Time(long_ago))).reason, Reason::HistoryCompacted);
    assert_eq!(refused(bench.revert(Revision(6))).reason, Reason::HistoryCompacted);
    let reader = bench.cmdb.reader().expect("readable");
    assert_eq!(refused(reader.commit(Revision(3), 10)).reason, Reason::HistoryCompacted);
    assert_eq!(bench.cmdb.baseline("audit-2026"), Some(Revision(3)));
    // Differences from a baseline are as they were; whoever reads on is led to what is left.
    let diff =
        reader.diff(When::Revision(Revision(3)), When::Revision(Revision(10)), None, 100).expect("to be had");
    assert!(diff.total > 0 && diff.commits.keys().all(|revision| *revision > Revision(7)));
    assert_eq!(reader.commits_after(Revision(0), 1).expect("readable")[0].revision, Revision(8));
    // The act is there for all to see.
    let (header, _) = reader.commit(Revision(11), 10).expect("readable").expect("there");
    let dropped = format!("{} changes and 5 commits dropped", compacted.changes);
    assert_eq!(header.actor.name, "test");
    assert!(header.actor.reason.ends_with(&dropped), "{}", header.actor.reason);
    bench.check();
    let bench = bench.reopen();
    assert_eq!(bench.cmdb.baseline("audit-2026"), Some(Revision(3)));
    assert_eq!(exported(&bench, 3), before[3]);
    bench.check();
}

#[test]
fn a_baseline_that_is_forgotten_is_dropped_by_the_next_run() {
    let bench = bench();
    told(&bench);
    bench.baseline("one", Revision(2)).expect("kept");
    bench.baseline("two", Revision(4)).expect("kept");
    let name = refused(bench.baseline("one", Revision(5)));
    assert_eq!(name.reason, Reason::NotEmpty);
    for bad in ["", "7", "r7", "now", "a b", "2026"] {
        assert_eq!(refused(bench.baseline(bad, Revision(5))).reason, Reason::KeyInvalid, "{bad}");
    }
    bench.compact(Revision(8)).expect("compacted");
    assert_eq!(refused(bench.baseline("three", Revision(5))).reason, Reason::HistoryCompacted);
    bench.baseline("again", Revision(4)).expect("a moment that is kept");
    bench.forget_baseline("one").expect("there");
    assert_eq!(refused(bench.forget_baseline("one")).reason, Reason::MomentInvalid);
    let (before, four) = (rows(&bench, Table::Changes), exported(&bench, 4));
    bench.check();
    bench.compact(Revision(8)).expect("compacted");
    assert!(rows(&bench, Table::Changes) < before);
    assert_eq!(exported(&bench, 4), four);
    assert_eq!(refused(bench.cmdb.reader_at(When::Revision(Revision(2)))).reason, Reason::HistoryCompacted);
    // Nothing is left to do, and nobody is told that something was done.
    assert_eq!(bench.compact(Revision(8)).expect("compacted").revision, None);
    bench.check();
}

#[test]
fn scenarios_keep_their_base_and_merges_what_they_are_split_by() {
    let bench = bench();
    let server = |name: &str, serial: &str| item(name, "server", &[("serial_number", text(serial))]);
    for (name, serial) in [("a", "SN1"), ("b", "SN2")] {
        bench.apply(named(name, SourceKind::Import), vec![server(name, serial)], true).expect("taken");
    }
    let (one, two) = (bench.find("a").id, bench.find("b").id);
    let before = bench.find("b");
    bench.merge(one, two).expect("merged");
    for version in 0..5 {
        let more = item("a", "server", &[("description", text(&format!("v{version}")))]);
        bench.apply(named("a", SourceKind::Import), vec![more], true).expect("taken");
    }
    bench.keep_scenario(Scenario {
        name: "what if".to_owned(),
        base: Revision(2),
        created_at: crate::model::Timestamp(0),
        created_by: "ann".to_owned(),
        reason: String::new(),
        edits: Vec::new(),
    });
    let then = exported(&bench, 2);
    bench.compact(bench.head()).expect("compacted");
    assert_eq!(exported(&bench, 2), then);
    bench.split(two, Vec::new()).expect("split");
    let after = bench.find("b");
    assert_eq!((after.id, &after.claims[0].key), (before.id, &before.claims[0].key));
    assert_eq!(after.attribute("serial_number").map(|said| said.value.clone()), Some(text("SN2")));
    bench.check();
}

#[test]
fn a_purge_reaches_what_is_left_below_the_horizon() {
    let bench = bench();
    told(&bench);
    bench.baseline("kept", Revision(3)).expect("kept");
    bench.compact(Revision(7)).expect("compacted");
    let id = bench.find("web").id;
    bench.purge(id, "description", Purging::Erase, false).expect("purged");
    assert!(
        !exported(&bench, 3).concat().contains("\"v3\"") || exported(&bench, 3).concat().contains("version")
    );
    let then = bench.cmdb.reader_at(When::Revision(Revision(3))).expect("to be had");
    let then = then.item(id).expect("readable").expect("there");
    assert!(then.attribute("description").is_none() && then.purged.contains_key("description"));
    bench.check();
    // And a compaction what a purge replaced.
    bench.compact(bench.head()).expect("compacted");
    bench.check();
    bench.reopen().check();
}

#[test]
fn what_is_left_below_the_horizon_cannot_be_altered_unseen() {
    let store = Arc::new(RedbStore::on_disk(Disk::default()).expect("a new store"));
    let bench = bench_on(store.clone(), Schema::built_in());
    told(&bench);
    bench.baseline("kept", Revision(3)).expect("kept");
    bench.compact(Revision(7)).expect("compacted");
    bench.check();
    // A store that cannot be read at all is noticed as well.
    let findings = || bench.cmdb.verify(&mut |_| {}).map_or(1, |verified| verified.findings);
    let snapshot = store.snapshot().expect("readable");
    let epoch = snapshot.get(Table::Meta, b"epoch").expect("readable").expect("there");
    let epoch = u64::from_be_bytes(epoch.try_into().expect("a number"));
    let write = |table, row: &[u8], bytes: Option<Vec<u8>>| {
        let mut batch = Batch::default();
        batch.set(table, row, bytes);
        crate::store::commit(&*store, snapshot.head(), epoch, &batch, snapshot.head()).expect("written");
    };
    let mut altered = 0;
    for table in [Table::Changes, Table::Commits, Table::Retention] {
        for (row, bytes) in snapshot.scan(table, &Range::all(), 1_000).expect("readable") {
            // An unknown field, which no reader minds; or another actor, where the head is covered by its fields.
            let mut other = [bytes.as_slice(), &[0xf8, 0x3f, 1]].concat();
            if table == Table::Commits {
                let mut commit: CommitRecord = record::decode(table, &bytes).expect("whole");
                commit.actor.push('x');
                other = record::encode(1, &commit);
            }
            for other in [Some(other), None] {
                let harmless = table == Table::Retention && other.is_some();
                write(table, &row, other);
                assert!(harmless || findings() > 0, "{} {row:?}", table.name());
                write(table, &row, Some(bytes.clone()));
                altered += 1;
            }
        }
    }
    assert!(altered > 20, "{altered}");
    assert_eq!(findings(), 0);
}

/// The power went in the middle of a run: what was dropped is not asked for, and the next run ends it.
#[test]
fn a_run_that_was_cut_off_is_taken_up_again() {
    let bench = bench();
    told(&bench);
    bench.baseline("kept", Revision(3)).expect("kept");
    let (three, nine) = (exported(&bench, 3), exported(&bench, 9));
    bench.cmdb.begin_compaction(Revision(7)).expect("begun");
    assert_eq!(refused(bench.cmdb.reader_at(When::Revision(Revision(5)))).reason, Reason::HistoryCompacted);
    bench.check();
    let bench = bench.reopen();
    bench.check();
    assert_eq!((exported(&bench, 3), exported(&bench, 9)), (three.clone(), nine.clone()));
    assert_eq!(bench.compact(Revision(2)).expect("compacted").horizon, Revision(7));
    assert_eq!((exported(&bench, 3), exported(&bench, 9)), (three, nine));
    bench.check();
}

#[test]
fn how_long_the_history_is_kept_is_a_commit_of_the_one_who_says_so() {
    let bench = bench();
    told(&bench);
    let kept = |bench: &Bench| bench.cmdb.reader().expect("readable").history_kept().expect("readable");
    assert_eq!(kept(&bench), HistoryKept::default());
    let set = bench.keep_history(90).expect("taken");
    assert_eq!((set.revision, set.days_before), (Some(Revision(11)), 0));
    // What is so already is said once.
    let again = bench.keep_history(90).expect("taken");
    assert_eq!((again.revision, again.days_before, bench.head()), (None, 90, Revision(11)));
    let said = kept(&bench);
    assert_eq!((said.days, said.revision, said.set_by.as_str()), (90, Revision(11), "test"));
    let header = |bench: &Bench, revision| {
        let reader = bench.cmdb.reader().expect("readable");
        reader.commit(Revision(revision), 10).expect("readable").expect("there").0
    };
    assert_eq!(header(&bench, 11).actor.reason, "because; every change is kept for 90 days, before for good");
    let undone = refused(bench.revert(Revision(11)));
    assert!(undone.hint.contains("cmdb retention set"), "{undone:?}");
    let far = refused(bench.keep_history(HISTORY_DAYS_MAX + 1));
    assert_eq!((far.reason, far.given.as_str()), (Reason::LimitExceeded, "36501 days"));
    // It outlives the commit that said so, and is as well proven as before.
    bench.check();
    bench.report("agent-1", vec![section("one", &[item("web", "server", &[])])]);
    bench.compact(Revision(12)).expect("compacted");
    bench.check();
    let bench = bench.reopen();
    assert_eq!(kept(&bench), said);
    bench.keep_history(0).expect("taken");
    assert_eq!((kept(&bench).days, bench.head()), (0, Revision(14)));
    assert_eq!(header(&bench, 14).actor.reason, "because; every change is kept for good, before for 90 days");
    bench.check();
}

#[test]
fn how_long_the_history_is_kept_cannot_be_altered_unseen() {
    let store = Arc::new(RedbStore::on_disk(Disk::default()).expect("a new store"));
    let bench = bench_on(store.clone(), Schema::built_in());
    told(&bench);
    bench.keep_history(90).expect("taken");
    let findings = || bench.cmdb.verify(&mut |_| {}).expect("readable").findings;
    let alter = |table, row: &[u8], bytes: Option<Vec<u8>>| {
        let snapshot = store.snapshot().expect("readable");
        let before = snapshot.get(table, row).expect("readable");
        let epoch = snapshot.get(Table::Meta, b"epoch").expect("readable").expect("there");
        let epoch = u64::from_be_bytes(epoch.try_into().expect("a number"));
        let mut batch = Batch::default();
        batch.set(table, row, bytes);
        crate::store::commit(&*store, snapshot.head(), epoch, &batch, snapshot.head()).expect("written");
        before
    };
    let commit = |days: Option<u64>| {
        let bytes = store.snapshot().expect("readable").get(Table::Commits, &key_of(11)).expect("readable");
        let mut commit: CommitRecord = record::decode(Table::Commits, &bytes.expect("there")).expect("whole");
        commit.history_days = days;
        record::encode(1, &commit)
    };
    for compacted in [false, true] {
        if compacted {
            bench.compact(Revision(9)).expect("compacted");
        }
        assert_eq!(findings(), 0);
        let other = record::HistoryKeptRecord { days: 1, revision: 11, ..Default::default() };
        for other in [Some(record::encode(1, &other)), None] {
            let before = alter(Table::Retention, b"setting", other);
            assert!(findings() > 0);
            alter(Table::Retention, b"setting", before);
        }
        for days in [Some(1), None] {
            let before = alter(Table::Commits, &key_of(11), Some(commit(days)));
            assert!(findings() > 0);
            alter(Table::Commits, &key_of(11), before);
        }
    }
    assert_eq!(findings(), 0);
}

fn key_of(revision: u64) -> Vec<u8> {
    crate::store::key::revision(Revision(revision))
}
