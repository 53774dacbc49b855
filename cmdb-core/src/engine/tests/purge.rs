//! What is purged is nowhere any more, and whoever alters the log otherwise is found out.

use super::harness::*;
use crate::claim::{Match, Reference};
use crate::engine::{Actor, Applied, EngineError, PurgeOutcome, Purgeable, Purging, Verdict, When};
use crate::model::schema::Schema;
use crate::model::{Problem, Reason, Revision, SourceKind};
use crate::scenario::{Edit, Scenario, Subject};
use crate::store::disk::Disk;
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, CommitRecord};
use crate::store::{Batch, RedbStore, Store, Table, key as row};

const SECRET: &str = "xk7-secret-xk7";

fn purge(bench: &Bench, item: &str, attribute: &str) -> Result<PurgeOutcome, EngineError> {
    bench.purge(bench.find(item).id, attribute, Purging::Erase, false)
}

fn applied(outcome: Result<Applied, EngineError>) {
    outcome.expect("taken");
}

/// A server whose serial number and host name are the secret, said by three sources, over several versions.
fn told(bench: &Bench) {
    let said = |description: &str| {
        item(
            "web",
            "server",
            &[
                ("serial_number", text(SECRET)),
                ("host_name", text(SECRET)),
                ("uuid", text("1b4e28ba-2fa1-11d2-883f-0016d3cca427")),
                ("description", text(description)),
            ],
        )
    };
    bench.report("agent-1", vec![section("one", &[said("one")])]);
    applied(bench.apply(named("cmdb", SourceKind::Import), vec![said("two")], true));
    applied(bench.apply(person("ann"), vec![said("three")], true));
    bench.report("agent-1", vec![section("one", &[said("four")])]);
}

fn exported(bench: &Bench, when: When) -> String {
    let mut lines = String::new();
    let reader = bench.cmdb.reader_at(when).expect("to be had");
    reader
        .export(true, &mut |line| {
            lines.push_str(line);
            lines.push('\n');
            Ok(())
        })
        .expect("readable");
    lines
}

/// Everything that a reader tells of every moment.
fn everything(bench: &Bench) -> String {
    let mut said = String::new();
    let reader = bench.cmdb.reader().expect("readable");
    for revision in 0..=bench.head().0 {
        said += &exported(bench, When::Revision(Revision(revision)));
        said += &format!("{:?}", reader.commit(Revision(revision), 1_000).expect("readable"));
    }
    let diff = reader.diff(When::Revision(Revision(0)), When::Now, None, 1_000).expect("to be had");
    said += &format!("{diff:?}");
    let list = crate::engine::List { page_size: 100, retired: true, ..Default::default() };
    for item in reader.list(&list).expect("readable").items {
        said += &format!("{:?}", reader.history(item.id, None, 1_000).expect("readable"));
        said += &format!("{:?}", reader.explain(item.id).expect("readable"));
    }
    said
}

#[test]
fn a_purged_value_is_in_no_answer_about_any_moment() {
    let bench = bench();
    told(&bench);
    assert!(everything(&bench).contains(SECRET));
    let at = bench.head();
    let outcome = purge(&bench, "web", "serial_number").expect("purged");
    assert_eq!((outcome.revision, outcome.versions), (Some(at.next()), at.0));
    assert!(!format!("{outcome:?}").contains(SECRET) || everything(&bench).contains("host_name"));
    purge(&bench, "web", "host_name").expect("purged");
    let said = everything(&bench);
    assert!(!said.contains(SECRET), "{said}");
    // What stands in its place says who, when and why, then as now.
    let then = bench.cmdb.reader_at(When::Revision(Revision(2))).expect("to be had");
    let then = then.item(bench.find("web").id).expect("readable").expect("there");
    let mark = &then.purged["serial_number"];
    assert_eq!((mark.revision, mark.by.as_str(), mark.reason.as_str()), (at.next(), "test", "because"));
    assert!(!mark.suppressed && bench.find("web").purged["serial_number"].suppressed);
    assert!(
        exported(&bench, When::Revision(Revision(2))).contains("\"purged\":[{\"attribute\":\"host_name\"")
    );
    bench.check();
    bench.reopen().check();
}

#[test]
fn after_a_purge_and_a_compaction_the_file_does_not_hold_the_value() {
    let bench = bench();
    told(&bench);
    let id = bench.find("web").id;
    bench.keep_scenario(Scenario {
        name: "what if".to_owned(),
        base: bench.head(),
        created_at: crate::model::Timestamp(0),
        created_by: "ann".to_owned(),
        reason: String::new(),
        edits: vec![Edit::Set {
            item: Subject::Item(id),
            attributes: [("serial_number".to_owned(), text(SECRET))].into(),
            cleared: Vec::new(),
        }],
    });
    let holds = |path: &std::path::Path| {
        let bytes = std::fs::read(RedbStore::file(path)).expect("readable");
        bytes.windows(SECRET.len()).any(|window| window.eq_ignore_ascii_case(SECRET.as_bytes()))
    };
    assert!(holds(bench.directory.path()));
    let first = purge(&bench, "web", "serial_number").expect("purged");
    assert_eq!(first.scenarios, ["what if"]);
    purge(&bench, "web", "host_name").expect("purged");
    let (head, bench) = (bench.head(), bench.reopen());
    bench.cmdb.close();
    let copied = tempfile::tempdir().expect("a directory");
    let file = RedbStore::file(bench.directory.path());
    std::fs::copy(file, RedbStore::file(copied.path())).expect("a copy");
    RedbStore::compact(copied.path()).expect("compacted");
    assert!(!holds(copied.path()));
    let bench =
        bench_on(std::sync::Arc::new(RedbStore::open(copied.path()).expect("it opens")), Schema::built_in());
    assert_eq!(bench.head(), head);
    bench.check();
}

#[test]
fn nothing_finds_the_item_by_what_was_purged() {
    let bench = bench();
    told(&bench);
    let id = bench.find("web").id;
    purge(&bench, "web", "serial_number").expect("purged");
    purge(&bench, "web", "host_name").expect("purged");
    let other = item("other", "server", &[("serial_number", text(SECRET))]);
    applied(bench.apply(named("second", SourceKind::Import), vec![other], true));
    assert_ne!(bench.find("other").id, id);
    bench.check();
}

#[test]
fn machines_do_not_bring_it_back_and_people_may() {
    let bench = bench();
    told(&bench);
    purge(&bench, "web", "serial_number").expect("purged");
    let said =
        |serial: &str| item("web", "server", &[("serial_number", text(serial)), ("host_name", text("web"))]);
    bench.report("agent-1", vec![section("one", &[said(SECRET)])]);
    let again = bench.apply(named("cmdb", SourceKind::Import), vec![said("another")], false).expect("taken");
    assert!(
        again.decisions[0].notes[0].contains("was purged by test and is not taken: because"),
        "{again:?}"
    );
    assert!(bench.find("web").attribute("serial_number").is_none());
    // A person who says it means it; and it can be purged again.
    applied(bench.apply(person("ann"), vec![said("by hand")], true));
    assert_eq!(bench.find("web").attribute("serial_number").expect("said").value, &text("by hand"));
    purge(&bench, "web", "serial_number").expect("purged");
    assert!(bench.find("web").attribute("serial_number").is_none());
    // Once it is lifted, the sources are listened to again.
    let id = bench.find("web").id;
    bench.purge(id, "serial_number", Purging::Lift, false).expect("lifted");
    bench.report("agent-1", vec![section("one", &[said("fresh")])]);
    assert_eq!(bench.find("web").attribute("serial_number").expect("said").value, &text("fresh"));
    bench.check();
}

#[test]
fn items_merged_into_it_and_items_it_was_merged_into_forget_it_too() {
    let bench = bench();
    let server = |name: &str, serial: &str| item(name, "server", &[("serial_number", text(serial))]);
    applied(bench.apply(named("a", SourceKind::Import), vec![server("one", SECRET)], true));
    applied(bench.apply(named("b", SourceKind::Import), vec![server("two", "SN2")], true));
    let (one, two) = (bench.find("one").id, bench.find("two").id);
    // The other one holds the claim for a while.
    applied(bench.merge(two, one));
    applied(bench.split(one, Vec::new()));
    purge(&bench, "one", "serial_number").expect("purged");
    assert!(!everything(&bench).contains(SECRET));
    assert_eq!(bench.find("two").attribute("serial_number").expect("its own").value, &text("SN2"));
    bench.check();
    // What was merged into it: its own history is erased with it, and stays so when it is split off.
    applied(bench.merge(one, two));
    purge(&bench, "one", "serial_number").expect("purged");
    applied(bench.split(two, Vec::new()));
    assert!(!everything(&bench).contains("SN2"));
    bench.check();
}

#[test]
fn what_cannot_be_purged_is_refused() {
    let bench = bench();
    told(&bench);
    let id = bench.find("web").id;
    let refused = |outcome: Result<PurgeOutcome, EngineError>| match outcome {
        Err(EngineError::Refused(problem)) => problem.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(purge(&bench, "web", "name")), Reason::AttributeUnusable);
    assert_eq!(refused(purge(&bench, "web", "port")), Reason::AttributeUnusable);
    let nobody = crate::model::ItemId(99);
    assert_eq!(refused(bench.purge(nobody, "port", Purging::Erase, false)), Reason::ItemNotFound);
    assert_eq!(refused(bench.purge(id, "serial_number", Purging::Lift, false)), Reason::AttributeUnusable);
    let (head, before) = (bench.head(), everything(&bench));
    let dry = bench.purge(id, "serial_number", Purging::Erase, true).expect("shown");
    assert_eq!((dry.revision, dry.versions, dry.items), (None, head.0, vec![id]));
    assert_eq!((bench.head(), everything(&bench)), (head, before));
    let purged = purge(&bench, "web", "serial_number").expect("purged").revision.expect("a commit");
    let revert = bench.revert(purged);
    assert!(
        matches!(&revert, Err(EngineError::Refused(problem)) if problem.message.contains("cannot be undone"))
    );
}

#[test]
fn a_reference_that_asked_by_the_value_lets_go_and_is_told_of() {
    let bench = bench();
    told(&bench);
    let asks = Reference::Match(Match {
        class: String::new(),
        attributes: [("host_name".to_owned(), text(SECRET))].into(),
    });
    let asking = related(item("shop", "application", &[]), "runs_on", asks, false);
    applied(bench.apply(named("cmdb", SourceKind::Import), vec![asking], true));
    assert_eq!(bench.relationships("shop").len(), 1);
    let outcome = purge(&bench, "web", "host_name").expect("purged");
    assert_eq!(outcome.remains.len(), 1);
    assert!(outcome.remains[0].starts_with("1 references ask"), "{:?}", outcome.remains);
    assert_eq!(bench.relationships("shop"), Vec::<String>::new());
    bench.check();
}

/// A store of its own, so that it can be tampered with.
fn on_disk() -> (Bench, std::sync::Arc<RedbStore>) {
    let store = std::sync::Arc::new(RedbStore::on_disk(Disk::default()).expect("a new store"));
    (bench_on(store.clone(), Schema::built_in()), store)
}

fn findings(bench: &Bench) -> u64 {
    bench.cmdb.verify(&mut |_| {}).expect("readable").findings
}

/// Puts other bytes into a row, past the engine; what was there.
fn tamper(store: &RedbStore, table: Table, row: &[u8], bytes: Vec<u8>) -> Vec<u8> {
    let snapshot = store.snapshot().expect("readable");
    let before = snapshot.get(table, row).expect("readable").expect("there");
    let epoch = u64::from_be_bytes(
        snapshot.get(Table::Meta, b"epoch").expect("readable").expect("there").try_into().expect("a number"),
    );
    let mut batch = Batch::default();
    batch.put(table, row, bytes);
    let head = snapshot.head();
    crate::store::commit(store, head, epoch, &batch, head).expect("written");
    before
}

#[test]
fn verify_takes_what_a_purge_replaced_and_nothing_else() {
    use crate::store::Range;
    let (bench, store) = on_disk();
    told(&bench);
    purge(&bench, "web", "serial_number").expect("purged");
    purge(&bench, "web", "host_name").expect("purged");
    bench.check();
    let snapshot = store.snapshot().expect("readable");
    let mut altered = 0;
    // Every row that a purge replaced, the rows of the purges themselves, and what says what was replaced.
    for table in [Table::Changes, Table::Commits, Table::Replaced] {
        for (row, bytes) in snapshot.scan(table, &Range::all(), 1_000).expect("readable") {
            let other = match table {
                Table::Changes => {
                    let mut change: ChangeRecord = record::decode(table, &bytes).expect("whole");
                    change.item.as_mut().expect("an item").purged.clear();
                    change.salt.push(1);
                    record::encode(1, &change)
                }
                Table::Commits => {
                    let mut commit: CommitRecord = record::decode(table, &bytes).expect("whole");
                    commit.replaced = if commit.replaced.is_empty() { vec![1; 32] } else { Vec::new() };
                    record::encode(1, &commit)
                }
                _ => {
                    let mut replaced: record::ReplacedRecord = record::decode(table, &bytes).expect("whole");
                    replaced.after[0] ^= 1;
                    record::encode(1, &replaced)
                }
            };
            let before = tamper(&store, table, &row, other);
            assert!(findings(&bench) > 0, "{} {row:?}", table.name());
            tamper(&store, table, &row, before);
            altered += 1;
        }
    }
    // 4 commits and 2 purges; a row each; what each purge replaced: 4, and the version of the first purge.
    assert_eq!(altered, 6 + 6 + 4 + 5);
    // The pair of a row and what is said of it is no better: the commit covers it.
    let place = row::replaced(Place { revision: Revision(1), sequence: 0 }, Revision(5));
    let mut replaced: record::ReplacedRecord = record::decode(
        Table::Replaced,
        &snapshot.get(Table::Replaced, &place).expect("readable").expect("there"),
    )
    .expect("whole");
    let forged = snapshot.get(Table::Changes, &place[..12]).expect("readable").expect("there");
    let mut change: ChangeRecord = record::decode(Table::Changes, &forged).expect("whole");
    change.salt.push(1);
    let forged = record::encode(1, &change);
    replaced.after = blake3::hash(&forged).as_bytes().to_vec();
    tamper(&store, Table::Changes, &place[..12], forged);
    tamper(&store, Table::Replaced, &place, record::encode(1, &replaced));
    assert!(findings(&bench) > 0);
}

#[test]
fn equal_values_leave_different_digests() {
    use crate::store::Range;
    let (bench, store) = on_disk();
    let server = |name: &str| item(name, "server", &[("host_name", text("same"))]);
    applied(bench.apply(named("cmdb", SourceKind::Import), vec![server("one")], true));
    applied(bench.apply(named("cmdb", SourceKind::Import), vec![server("two")], true));
    let snapshot = store.snapshot().expect("readable");
    let salts: std::collections::BTreeSet<Vec<u8>> = snapshot
        .scan(Table::Changes, &Range::all(), 10)
        .expect("readable")
        .into_iter()
        .map(|(_, bytes)| record::decode::<ChangeRecord>(Table::Changes, &bytes).expect("whole").salt)
        .collect();
    assert_eq!(salts.len(), 2);
    assert!(salts.iter().all(|salt| salt.len() == 16));
}

fn refused<T>(answer: Result<T, EngineError>) -> Problem {
    match answer {
        Err(EngineError::Refused(problem)) => problem,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is to be refused"),
    }
}

/// The tables with a row that holds the secret.
fn holding(store: &RedbStore) -> Vec<&'static str> {
    let snapshot = store.snapshot().expect("readable");
    let holds = |bytes: &[u8]| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    let tables = Table::ALL.into_iter().filter(|table| {
        let rows = snapshot.scan(*table, &crate::store::Range::all(), 10_000).expect("readable");
        rows.iter().any(|(row, bytes)| holds(row) || holds(bytes))
    });
    tables.map(Table::name).collect()
}

/// Somebody pins a value, purges another, judges a group and says how long the history is kept, with the secret for a reason
/// each time.
fn told_why(bench: &Bench) -> Vec<Revision> {
    told(bench);
    let mut revisions = Vec::new();
    let why = || Actor { name: "ann".to_owned(), reason: SECRET.to_owned() };
    let id = bench.find("web").id;
    let mut pinned = item(&id.to_string(), "", &[("description", text("five"))]);
    let said = pinned.item.as_mut().expect("an item");
    said.name.clear();
    said.pins
        .insert("description".to_owned(), crate::claim::PinClaim { until: None, reason: SECRET.to_owned() });
    revisions.push(bench.apply_by(why(), person("ann"), vec![pinned]).revision.expect("new"));
    let subject = Purgeable::Attribute { item: id, attribute: "uuid".to_owned() };
    revisions.push(bench.purge_by(why(), subject).expect("purged").revision.expect("new"));
    let mut client = item("app", "application", &[]);
    client.redundancies.push(crate::claim::RedundancyClaim {
        item: Reference::This,
        group: "g".to_owned(),
        require: "any".parse().expect("a requirement"),
        inferred: true,
        confidence: 0.5,
        evidence: String::new(),
        rejected: false,
    });
    for member in ["app-2", "app-3"] {
        client = related(client, "depends_on", key(member), true);
    }
    client.relationships.iter_mut().for_each(|said| said.group = "g".to_owned());
    let members = ["app-2", "app-3"].map(|member| item(member, "application", &[]));
    bench.report("agent-2", vec![section("two", &[&members[..], &[client]].concat())]);
    let app = bench.find("app").id;
    revisions.push(bench.judge_by(why(), "ann", app, "g", Verdict::Reject).revision.expect("new"));
    revisions.push(bench.keep_history_by(why(), 90).revision.expect("new"));
    revisions
}

#[test]
fn a_purged_reason_is_in_no_row_and_the_chain_proves_the_rest() {
    let (bench, store) = on_disk();
    let revisions = told_why(&bench);
    // The value is another matter: only the reasons are purged here.
    for attribute in ["serial_number", "host_name"] {
        purge(&bench, "web", attribute).expect("purged");
    }
    assert_eq!(holding(&store), ["commits", "changes", "retention"]);
    bench.check();
    for (place, revision) in revisions.iter().enumerate() {
        let outcome = bench.purge_other(Purgeable::Reason(*revision)).expect("purged");
        let by = outcome.revision.expect("a commit");
        let reader = bench.cmdb.reader().expect("readable");
        let (header, _) = reader.commit(*revision, 10).expect("readable").expect("there");
        assert_eq!(header.actor.reason, format!("(purged in revision {by})"));
        assert_eq!(header.actor.name, "ann");
        bench.check();
        assert!(place < 3 || holding(&store).is_empty(), "{:?}", holding(&store));
        assert!(!everything(&bench).contains(SECRET) || place < 3);
    }
    let again = refused(bench.purge_other(Purgeable::Reason(revisions[0])));
    assert!(again.message.contains("erased before"), "{again}");
    assert!(refused(bench.revert(bench.head())).message.contains("cannot be undone"));
    // Whoever puts another head there, or takes out a reason himself, is found out.
    let snapshot = store.snapshot().expect("readable");
    for (row, bytes) in snapshot.scan(Table::Commits, &crate::store::Range::all(), 100).expect("readable") {
        let commit: CommitRecord = record::decode(Table::Commits, &bytes).expect("whole");
        let mut others = vec![CommitRecord { actor: "eve".to_owned(), ..commit.clone() }];
        if commit.reason_purged > 0 {
            others.push(CommitRecord { reason: "well".to_owned(), ..commit.clone() });
            others.push(CommitRecord { reason_purged: commit.reason_purged + 1, ..commit.clone() });
            others.push(CommitRecord { reason_purged: 0, ..commit.clone() });
        } else if !commit.reason.is_empty() {
            let mut hasher = blake3::Hasher::new_derive_key("cmdb reason of a commit");
            hasher.update(&commit.reason_salt).update(commit.reason.as_bytes());
            others.push(CommitRecord {
                reason: String::new(),
                reason_salt: Vec::new(),
                reason_digest: hasher.finalize().as_bytes().to_vec(),
                reason_purged: 3,
                ..commit.clone()
            });
        }
        for other in others {
            let before = tamper(&store, Table::Commits, &row, record::encode(1, &other));
            assert!(findings(&bench) > 0, "{row:?} {other:?}");
            tamper(&store, Table::Commits, &row, before);
        }
    }
    bench.check();
    // What is compacted around it is as well proven as before.
    bench.baseline("kept", revisions[0]).expect("kept");
    bench.compact(bench.head()).expect("compacted");
    bench.check();
}

#[test]
fn a_reason_that_is_kept_below_the_horizon_is_erased_there_as_well() {
    let (bench, store) = on_disk();
    let revisions = told_why(&bench);
    for (name, revision) in [("one", revisions[0]), ("two", revisions[2])] {
        bench.baseline(name, revision).expect("kept");
    }
    bench.compact(revisions[3]).expect("compacted");
    for revision in [revisions[0], revisions[2]] {
        bench.purge_other(Purgeable::Reason(revision)).expect("purged");
        bench.check();
    }
    let gone = refused(bench.purge_other(Purgeable::Reason(revisions[1])));
    assert!(gone.message.contains("there is no commit"), "{gone}");
    for attribute in ["serial_number", "host_name"] {
        purge(&bench, "web", attribute).expect("purged");
    }
    // The commit at the horizon says how long the history is kept, and why.
    bench.purge_other(Purgeable::Reason(revisions[3])).expect("purged");
    assert_eq!(holding(&store), Vec::<&str>::new());
    bench.check();
    bench.compact(bench.head()).expect("compacted");
    bench.check();
}

#[test]
fn the_reason_of_a_purge_must_not_repeat_what_is_erased() {
    let bench = bench();
    let revisions = told_why(&bench);
    let why = Actor { name: "ann".to_owned(), reason: format!("it was {SECRET}") };
    let problem = refused(bench.purge_by(why, Purgeable::Reason(revisions[0])));
    assert!(problem.message.contains("repeats"), "{problem}");
    for revision in [0, 99] {
        let problem = refused(bench.purge_other(Purgeable::Reason(Revision(revision))));
        assert_eq!(problem.reason, Reason::CommitUnknown);
    }
}

#[test]
fn what_waits_holds_a_purged_value_no_more() {
    let (bench, store) = on_disk();
    let secret = |key: &str, host: &str| {
        within(
            item(
                key,
                "database_instance",
                &[("connection", text(SECRET)), ("port", crate::model::Value::Integer(1))],
            ),
            host,
        )
    };
    // One waits under a key that an item of another report has; one for a host that nobody knows.
    bench.report("agent-1", vec![section("one", &[item("os", "server", &[]), secret("db", "os")])]);
    bench.report("agent-2", vec![section("one", &[secret("db", "nowhere")])]);
    assert!(holding(&store).contains(&"matches"));
    let id = bench.find("db").id;
    let outcome = bench.purge(id, "connection", Purging::Erase, false).expect("purged");
    assert_eq!(outcome.waiting, 1);
    assert_eq!(holding(&store), Vec::<&str>::new());
    bench.check();
    // Of what has no item yet, by source and key.
    bench.report("agent-3", vec![section("one", &[secret("db", "nowhere")])]);
    assert_eq!(holding(&store), ["matches"]);
    let of = |key: &str, attribute: &str| Purgeable::Waiting {
        source: "agent-3".to_owned(),
        key: key.to_owned(),
        attribute: attribute.to_owned(),
    };
    assert_eq!(refused(bench.purge_other(of("db", "version"))).reason, Reason::ItemNotFound);
    assert_eq!(refused(bench.purge_other(of("other", "connection"))).reason, Reason::ItemNotFound);
    let outcome = bench.purge_other(of("db", "connection")).expect("purged");
    assert_eq!((outcome.waiting, outcome.revision, outcome.remains.len()), (1, None, 1));
    assert_eq!(holding(&store), Vec::<&str>::new());
    // It is placed without the value when its host comes.
    bench.report("agent-3", vec![section("zero", &[item("nowhere", "server", &[])])]);
    let placed = bench.find("agent-3:db");
    assert!(placed.attribute("port").is_some() && placed.attribute("connection").is_none());
    bench.check();
}
