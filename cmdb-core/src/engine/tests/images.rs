//! A start reads the image of the graph where it may be believed, and the store where not; the graph is the same.

use std::sync::Arc;

use super::harness::*;
use crate::engine::Opened;
use crate::model::Revision;
use crate::model::schema::Schema;
use crate::store::{RedbStore, Store};

/// A database on a host, and something that needs both.
fn estate() -> Bench {
    let bench = bench();
    let shop = related(item("shop", "application", &[]), "depends_on", key("db"), false);
    let db = related(item("db", "database_instance", &[]), "runs_on", key("host"), false);
    let claims = vec![item("host", "server", &[("serial_number", text("S1"))]), db, shop];
    bench.apply(named("estate", crate::model::SourceKind::Import), claims, false).unwrap();
    bench
}

/// The same store opened anew, without ending the engine that has it first: as after a kill.
fn killed(bench: &Bench) -> Bench {
    let moved = tempfile::tempdir().unwrap();
    std::fs::copy(RedbStore::file(bench.directory.path()), RedbStore::file(moved.path())).unwrap();
    if image(&bench.directory).exists() {
        std::fs::copy(image(&bench.directory), image(&moved)).unwrap();
    }
    let clock = Arc::clone(&bench.clock);
    let cmdb = open(&moved, &clock, Schema::built_in());
    Bench { cmdb, clock, directory: moved }
}

fn why(bench: &Bench) -> String {
    match bench.cmdb.opened() {
        Opened::Built { why } => why.clone().unwrap_or_default(),
        Opened::Read { revision, followed } => {
            panic!("an image of {revision} was believed, and {followed} facts since")
        }
    }
}

#[test]
fn after_an_orderly_end_the_image_is_all_there_is_to_read() {
    let bench = estate();
    assert!(matches!(bench.cmdb.opened(), Opened::Built { .. }));
    let bench = bench.reopen();
    assert_eq!(*bench.cmdb.opened(), Opened::Read { revision: Revision(1), followed: 0 });
    bench.cmdb.check_live_graph();
}

#[test]
fn what_was_committed_after_the_image_is_followed() {
    let bench = estate().reopen();
    let web = related(item("web", "application", &[]), "depends_on", key("db"), false);
    let source = || named("estate", crate::model::SourceKind::Import);
    bench.apply(source(), vec![web, item("passing", "application", &[])], false).unwrap();
    let host = item("host", "server", &[("serial_number", text("S1")), ("description", text("rebuilt"))]);
    bench.apply(source(), vec![host], false).unwrap();
    let after = killed(&bench);
    let Opened::Read { revision: Revision(1), followed } = *after.cmdb.opened() else {
        panic!("{:?}", after.cmdb.opened())
    };
    assert_eq!(followed, 4, "two items that are new, one that changed, one relationship");
    after.cmdb.check_live_graph();
    assert_eq!(after.cmdb.graph().relationship_count(), 3);
}

#[test]
fn a_damaged_image_is_left_aside() {
    let bench = estate();
    bench.cmdb.close();
    let file = image(&bench.directory);
    let whole = std::fs::read(&file).unwrap();
    for place in (0..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        std::fs::write(&file, damaged).unwrap();
        let after = killed(&bench);
        assert!(why(&after).contains("checksum"), "byte {place}: {}", why(&after));
        after.cmdb.check_live_graph();
    }
    std::fs::write(&file, &whole[..20]).unwrap();
    assert!(why(&killed(&bench)).contains("cut short"));
    std::fs::remove_file(&file).unwrap();
    assert!(why(&killed(&bench)).contains("graph.image"));
}

#[test]
fn an_image_of_another_store_is_left_aside() {
    let (bench, other) = (estate(), estate());
    other.apply(person("ann"), vec![item("more", "application", &[])], false).unwrap();
    other.cmdb.close();
    bench.cmdb.close();
    // Equal commits of equal stores are equal; this one is later than all that the store has.
    std::fs::copy(image(&other.directory), image(&bench.directory)).unwrap();
    let after = killed(&bench);
    assert!(why(&after).contains("another store"), "{}", why(&after));
    after.cmdb.check_live_graph();
}

#[test]
fn an_image_under_another_schema_is_left_aside() {
    let bench = estate().reopen().reopen_under(rules());
    assert!(why(&bench).contains("another schema"), "{}", why(&bench));
    bench.cmdb.check_live_graph();
}

#[test]
fn an_image_is_written_along_the_way() {
    let bench = estate();
    // The first open found none, and the first commit makes one.
    bench.cmdb.inner.image.wait();
    assert!(matches!(killed(&bench).cmdb.opened(), Opened::Read { .. }));
}

#[test]
fn without_a_file_nothing_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(directory.path()).unwrap());
    let clock = Arc::new(std::sync::atomic::AtomicI64::new(1));
    let cmdb = open_on(store, &clock, Schema::built_in()).unwrap();
    assert_eq!(*cmdb.opened(), Opened::Built { why: None });
    cmdb.close();
}
