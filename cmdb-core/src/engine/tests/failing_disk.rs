//! The disk fails or is full: whoever asks is told, reading goes on, and what was acknowledged is there afterwards.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::harness::*;
use crate::engine::{Cmdb, EngineError};
use crate::model::Value;
use crate::model::schema::Schema;
use crate::store::disk::{Disk, Fault};
use crate::store::{RedbStore, Store, StoreError};

const FIRST: i64 = 1_800_000_000_000_000;

fn open(disk: &Disk) -> Cmdb {
    let store: Arc<dyn Store> = Arc::new(RedbStore::on_disk(disk.clone()).expect("a store"));
    open_on(store, &Arc::new(AtomicI64::new(FIRST)), Schema::built_in()).expect("the engine opens")
}

/// Servers with so much to say that a few commits do not fit into what the file has left.
fn servers(from: usize) -> Vec<crate::claim::Claim> {
    let attributes = |number: usize| [("description", text(&format!("{number:06}").repeat(200)))];
    (from..from + 40).map(|number| item(&format!("s{number}"), "server", &attributes(number))).collect()
}

fn names(cmdb: &Cmdb) -> Vec<(String, Option<Value>)> {
    let list = crate::engine::List { page_size: 10_000, ..Default::default() };
    let page = cmdb.reader().expect("readable").list(&list).expect("readable");
    let said = |item: crate::model::Item| {
        let description = item.attribute("description").map(|effective| effective.value.clone());
        (item.name, description)
    };
    page.items.into_iter().map(said).collect()
}

fn check(cmdb: &Cmdb) {
    let verified = cmdb.verify(&mut |_| {}).expect("readable");
    assert_eq!(verified.findings, 0);
    cmdb.check_live_graph();
}

/// Commits until the disk fails; what was acknowledged, and what the one who asked in vain was told.
fn until_it_fails(cmdb: &Cmdb) -> (usize, EngineError) {
    for round in 0..400 {
        if let Err(error) = apply_to(cmdb, person("ann"), servers(round * 40)) {
            return (round, error);
        }
    }
    panic!("the disk did not fail");
}

fn fails(fault: impl Fn(usize) -> Fault, after: usize, cause: &str) {
    let disk = Disk::default();
    let cmdb = open(&disk);
    apply_to(&cmdb, person("ann"), servers(100_000)).expect("it works so far");
    disk.set_fault(fault(disk.asked() + after));
    let (rounds, error) = until_it_fails(&cmdb);
    let told = match error {
        EngineError::Store(error @ StoreError::ReadOnly { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(told.contains(cause), "{told}");
    let said = cmdb.store().read_only.expect("it says so");
    assert!(said.contains(cause), "{said}");
    // Reading goes on, with nothing of what was refused.
    let known = names(&cmdb);
    assert_eq!(known.len(), (rounds + 1) * 40);
    check(&cmdb);
    // It stays so, also when the disk works again: what is in memory and what is on disk are no longer the same.
    disk.set_fault(Fault::None);
    let again = apply_to(&cmdb, person("ann"), servers(200_000));
    assert!(matches!(again, Err(EngineError::Store(StoreError::ReadOnly { .. }))), "{again:?}");
    assert_eq!(names(&cmdb), known);
    cmdb.close();
    drop(cmdb);
    // After a restart everything acknowledged is there, and it can be written.
    let cmdb = open(&Disk::holding(disk.content()));
    assert!(cmdb.store().read_only.is_none());
    let found = names(&cmdb);
    // A commit that was refused because its last sync failed may be there; whole, if at all.
    assert!(found.starts_with(&known) && [0, 40].contains(&(found.len() - known.len())), "{}", found.len());
    check(&cmdb);
    apply_to(&cmdb, person("ann"), servers(300_000)).expect("it works again");
    check(&cmdb);
    cmdb.close();
}

#[test]
fn a_full_disk_is_told_and_nothing_is_lost() {
    for after in [0, 1, 7, 40] {
        fails(|after| Fault::Full { after }, after, "no space left on device");
    }
}

#[test]
fn a_broken_disk_is_told_and_nothing_is_lost() {
    for after in (0..40).step_by(3) {
        fails(|after| Fault::Broken { after }, after, "input/output error");
    }
}

#[test]
fn a_sync_that_fails_is_told_and_nothing_is_lost() {
    for after in (0..80).step_by(7) {
        fails(|after| Fault::Unsynced { after }, after, "input/output error");
    }
}

#[test]
fn agents_are_told_why_as_well() {
    let disk = Disk::default();
    let cmdb = open(&disk);
    disk.set_fault(Fault::Broken { after: 0 });
    let told = report_to(&cmdb, "agent-1", vec![section("one", &servers(0))]);
    let Err(EngineError::Store(error)) = told else { panic!("{told:?}") };
    assert!(error.to_string().contains("input/output error"), "{error}");
    assert!(cmdb.report_digest("agent-1").is_empty(), "what was not kept must be sent again");
    cmdb.close();
}
