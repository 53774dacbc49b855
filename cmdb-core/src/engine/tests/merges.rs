//! Two items become one, and are told apart again.

use super::harness::*;
use crate::claim::{Claim, Reference};
use crate::engine::{ClaimChoice, DuplicateKind, EngineError, When};
use crate::model::{ItemId, Problem, Reason, Revision, SourceKind, Status};

const SERIAL: &str = "J6P5NQ2";

/// Two sources that know one machine by different identifiers, and what hangs on each.
fn estate() -> Bench {
    let bench = bench();
    let one = vec![
        item("web01", "server", &[("serial_number", text(SERIAL))]),
        within(item("data", "file_system", &[("mount_point", text("/data"))]), "web01"),
        related(item("shop", "application", &[]), "runs_on", key("web01"), false),
    ];
    bench.apply(named("assets", SourceKind::Import), one, false).expect("taken");
    let two = vec![
        item("vm-7", "server", &[("uuid", text("4c4c4544-0042-3510-8056-b2c04f4e3332"))]),
        within(item("root", "file_system", &[("mount_point", text("/"))]), "vm-7"),
        related(item("mail", "application", &[]), "runs_on", key("vm-7"), false),
        related(item("rack-4", "rack", &[]), "contains", key("vm-7"), false),
    ];
    bench.apply(named("cloud", SourceKind::Import), two, false).expect("taken");
    bench
}

fn ids(bench: &Bench) -> (ItemId, ItemId) {
    (bench.find("assets:web01").id, bench.find("cloud:vm-7").id)
}

fn refused<T: std::fmt::Debug>(answer: Result<T, EngineError>) -> Problem {
    match answer {
        Err(EngineError::Refused(problem)) => problem,
        other => panic!("not refused: {other:?}"),
    }
}

fn as_it_is(bench: &Bench, id: ItemId) -> crate::model::Item {
    bench.cmdb.reader().expect("readable").item(id).expect("readable").expect("there")
}

#[test]
fn everything_moves_and_every_old_name_leads_there() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let before = bench.head();
    bench.merge(web, vm).expect("taken");
    let reader = bench.cmdb.reader().expect("readable");
    for text in ["web01", "vm-7", "cloud:vm-7", "assets:web01", &vm.to_string()] {
        assert_eq!(reader.resolve(text).ok(), Some(web), "{text}");
    }
    let led = reader.resolve_followed(&vm.to_string()).expect("there");
    assert_eq!(led.redirected_from, Some(vm));
    assert_eq!(
        reader.resolve_followed("vm-7").expect("there").redirected_from,
        None,
        "a key of the item itself"
    );
    let merged = as_it_is(&bench, vm);
    assert_eq!((merged.status, merged.merged_into, merged.claims.len()), (Status::Retired, Some(web), 0));
    assert_eq!(
        bench.relationships("web01"),
        ["mail runs_on vm-7 active", "rack-4 contains vm-7 active", "shop runs_on vm-7 active"],
        "the later observation names it"
    );
    assert_eq!(bench.find("root").claims[0].within, Some(web));
    assert!(bench.find("web01").attribute("uuid").is_some());
    bench.check();
    // Before, both answer for themselves.
    let then = bench.cmdb.reader_at(When::Revision(before)).expect("to be had");
    assert_eq!(then.resolve("vm-7").ok(), Some(vm));
    assert_eq!(then.resolve(&vm.to_string()).ok(), Some(vm));
    assert_eq!(then.resolve("web01").ok(), Some(web));
    // What both sources know finds the one item.
    let both = [("serial_number", text(SERIAL)), ("uuid", text("4c4c4544-0042-3510-8056-b2c04f4e3332"))];
    let seen = bench.apply(named("other", SourceKind::Import), vec![item("x", "server", &both)], false);
    assert_eq!(seen.expect("taken").decisions[0].item, Some(web));
    // And what is said by the old id is said of it.
    bench
        .apply(
            person("ann"),
            vec![Claim {
                item: None,
                ..related(item(&vm.to_string(), "", &[]), "depends_on", key("assets:shop"), false)
            }],
            true,
        )
        .expect("taken");
    assert_eq!(bench.relationships("web01").len(), 4);
    bench.check();
    bench.reopen().check();
}

#[test]
fn what_would_relate_an_item_to_itself_is_dropped_and_listed() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let link = related(item("web01", "server", &[]), "connects_to", key("cloud:vm-7"), false);
    bench.apply(named("assets", SourceKind::Import), vec![link], true).expect("taken");
    let merged = bench.merge(web, vm).expect("taken");
    assert_eq!(merged.skipped, [format!("{web} connects_to {vm}")]);
    bench.check();
    let split = bench.split(vm, Vec::new()).expect("taken");
    assert_eq!((split.skipped.len(), split.undecided.len()), (0, 0));
    assert!(bench.relationships("vm-7").contains(&"web01 connects_to vm-7 active".to_owned()));
    bench.check();
}

#[test]
fn a_split_long_after_gives_back_what_was_the_old_items() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let before = (bench.relationships("web01"), bench.relationships("vm-7"));
    bench.merge(web, vm).expect("taken");
    // What came since: by a key of the old item's source, by a source of its own, by the old id.
    let cloud = vec![
        item(
            "vm-7",
            "server",
            &[
                ("uuid", text("4c4c4544-0042-3510-8056-b2c04f4e3332")),
                ("cpu.cores", crate::model::Value::Integer(8)),
            ],
        ),
        within(item("tmp", "file_system", &[("mount_point", text("/tmp"))]), "vm-7"),
        related(item("queue", "application", &[]), "runs_on", key("vm-7"), false),
    ];
    bench.apply(named("cloud", SourceKind::Import), cloud, false).expect("taken");
    bench
        .apply(
            named("scan", SourceKind::Import),
            vec![nameless(item("s-1", "server", &[("serial_number", text(SERIAL))]))],
            false,
        )
        .expect("taken");
    bench.pass(40 * DAY_US);
    let split = bench.split(vm, Vec::new()).expect("taken");
    assert_eq!(split.undecided, [("scan".to_owned(), "s-1".to_owned())]);
    let old = bench.find("cloud:vm-7");
    assert_eq!((old.id, old.status, old.merged_into), (vm, Status::Active, None));
    assert!(old.attribute("cpu.cores").is_some());
    assert_eq!(bench.find("tmp").claims[0].within, Some(vm));
    assert_eq!(bench.find("root").claims[0].within, Some(vm));
    assert_eq!(bench.find("data").claims[0].within, Some(web));
    assert_eq!(bench.relationships("web01"), before.0);
    assert_eq!(bench.relationships("vm-7").len(), before.1.len() + 1);
    bench.check();
    // The pair stays apart, whatever is seen.
    let both = [("serial_number", text(SERIAL)), ("uuid", text("4c4c4544-0042-3510-8056-b2c04f4e3332"))];
    bench
        .apply(named("cloud", SourceKind::Import), vec![item("vm-7", "server", &both)], false)
        .expect("taken");
    assert_eq!((bench.find("cloud:vm-7").id, bench.find("cloud:vm-7").duplicates), (vm, vec![]));
    bench.check();
    bench.reopen().check();
}

#[test]
fn a_choice_says_where_a_claim_goes() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    bench.merge(web, vm).expect("taken");
    let scan = vec![item("s-1", "server", &[("serial_number", text(SERIAL))])];
    bench.apply(named("scan", SourceKind::Import), scan, false).expect("taken");
    let choice = |key: &str, item| ClaimChoice { source: "scan".to_owned(), key: key.to_owned(), item };
    assert_eq!(refused(bench.split(vm, vec![choice("s-2", vm)])).reason, Reason::MergeInvalid);
    assert_eq!(refused(bench.split(vm, vec![choice("s-1", ItemId(2))])).reason, Reason::MergeInvalid);
    let split = bench.split(vm, vec![choice("s-1", vm)]).expect("taken");
    assert!(split.undecided.is_empty());
    assert_eq!(bench.find("scan:s-1").id, vm);
    bench.check();
}

#[test]
fn what_cannot_be_merged_or_split_is_refused() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    assert_eq!(refused(bench.merge(web, web)).reason, Reason::MergeInvalid);
    assert_eq!(refused(bench.merge(web, ItemId(99))).reason, Reason::ItemNotFound);
    assert_eq!(refused(bench.split(vm, Vec::new())).reason, Reason::MergeInvalid);
    bench.merge(web, vm).expect("taken");
    assert_eq!(refused(bench.merge(web, vm)).reason, Reason::MergeInvalid);
    assert_eq!(refused(bench.merge(vm, web)).reason, Reason::MergeInvalid);
    assert_eq!(refused(bench.retire(vm)).reason, Reason::MergeInvalid, "the old id retires nothing else");
    let head = bench.head();
    assert_eq!(head, Revision(3));
}

#[test]
fn a_merge_is_reverted_by_a_split_and_a_split_by_a_merge() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let merged = bench.merge(web, vm).expect("taken").revision.expect("a commit");
    let split = bench.revert(merged).expect("taken").revision.expect("a commit");
    assert_eq!(bench.find("vm-7").id, vm);
    bench.check();
    bench.revert(split).expect("taken");
    assert_eq!(bench.find("vm-7").id, web);
    bench.check();
}

#[test]
fn a_chain_of_merges_is_split_from_either_end() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let third = vec![
        item("old", "server", &[]),
        related(item("app", "application", &[]), "runs_on", key("old"), false),
    ];
    bench.apply(named("books", SourceKind::Import), third, false).expect("taken");
    let old = bench.find("old").id;
    bench.merge(web, vm).expect("taken");
    bench.merge(old, web).expect("taken");
    assert_eq!(bench.find(&vm.to_string()).id, old);
    assert_eq!(bench.relationships("old").len(), 4);
    bench.check();
    bench.split(vm, Vec::new()).expect("taken");
    assert_eq!(bench.find("cloud:vm-7").id, vm);
    assert_eq!(bench.relationships("cloud:vm-7").len(), 2);
    bench.check();
    bench.split(web, Vec::new()).expect("taken");
    assert_eq!(bench.relationships("assets:web01"), ["shop runs_on web01 active"]);
    assert_eq!(bench.relationships("old"), ["app runs_on old active"]);
    bench.check();
}

#[test]
fn references_that_wait_follow() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let wanted = crate::claim::Match {
        class: "server".to_owned(),
        attributes: [("uuid".to_owned(), text("4c4c4544-0042-3510-8056-b2c04f4e3332"))].into(),
    };
    let asks =
        related(item("portal", "business_service", &[]), "depends_on", Reference::Match(wanted), false);
    bench.apply(named("books", SourceKind::Import), vec![asks], false).expect("taken");
    let line = |to: &str| format!("portal depends_on {to} active");
    assert!(bench.relationships("vm-7").contains(&line("vm-7")));
    bench.merge(web, vm).expect("taken");
    assert!(bench.relationships("web01").contains(&line("vm-7")));
    bench.check();
    bench.split(vm, Vec::new()).expect("taken");
    assert!(bench.relationships("vm-7").contains(&line("vm-7")));
    assert_eq!(bench.relationships("assets:web01"), ["shop runs_on web01 active"]);
    bench.check();
}

/// The claim leaves the name that the item has.
fn nameless(mut claim: Claim) -> Claim {
    if let Some(said) = &mut claim.item {
        "web01".clone_into(&mut said.name);
    }
    claim
}

#[test]
fn duplicate_sets_and_explanations_say_who_says_what() {
    let bench = estate();
    let (web, vm) = ids(&bench);
    let both = [("serial_number", text(SERIAL)), ("uuid", text("4c4c4544-0042-3510-8056-b2c04f4e3332"))];
    bench.apply(named("scan", SourceKind::Import), vec![item("s-1", "server", &both)], false).expect("taken");
    let scanned = bench.find("scan:s-1").id;
    let reader = bench.cmdb.reader().expect("readable");
    let (sets, total) = reader.duplicate_sets(10).expect("readable");
    assert_eq!((sets.len(), total), (1, 1));
    assert_eq!(sets[0].items, [web, vm, scanned]);
    assert_eq!(sets[0].kind, DuplicateKind::Duplicate);
    let rows: Vec<_> =
        sets[0].evidence.iter().map(|row| (row.attributes.join(" "), row.agrees, row.stated.len())).collect();
    assert_eq!(rows, [("serial_number".to_owned(), true, 2), ("uuid".to_owned(), true, 2)]);
    assert_eq!(reader.duplicate_set_of(vm).expect("readable"), Some(sets[0].clone()));
    // Before the scan there was nothing to doubt.
    let then = bench.cmdb.reader_at(When::Revision(Revision(2))).expect("to be had");
    assert_eq!(then.duplicate_sets(10).expect("readable"), (vec![], 0));

    bench.merge(web, vm).expect("taken");
    bench.merge(web, scanned).expect("taken");
    let reader = bench.cmdb.reader().expect("readable");
    assert_eq!(reader.duplicate_sets(10).expect("readable"), (vec![], 0), "a merged pair is not flagged");
    let why = reader.explain(web).expect("readable").expect("there");
    assert_eq!(why.merged, [vm, scanned]);
    let uuid = why.identifiers.iter().find(|row| row.attributes == ["uuid"]).expect("stated");
    assert_eq!(uuid.stated[0].said_by.len(), 2, "the cloud and the scan");
    let name = why.attributes.iter().find(|contest| contest.attribute == "name").expect("stated");
    assert_eq!(
        name.bids.iter().map(|bid| bid.why.as_str()).collect::<Vec<_>>(),
        ["observed later than by cloud", "observed earlier than by scan", "observed earlier than by scan"]
    );
    bench.check();
}
