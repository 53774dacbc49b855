//! Rules are tried on what is stored: what is shown is what would come true.

use std::collections::BTreeMap;

use super::harness::*;
use crate::claim::Claim;
use crate::engine::{List, Trial, TrialOptions};
use crate::model::schema::Schema;
use crate::model::{Item, ItemId, SourceKind, Value};

const NOW: &str = r#"
[[class]]
name = "gadget"
parent = "hardware"
title = "Gadget"
description = "A thing of the test."
[class.attributes]
tag = { type = "text", description = "A label." }
slots = { type = "text", description = "How many." }
"#;

const OTHER_ORDER: &str = r#"
[[order]]
classes = ["gadget"]
sources = ["import", "agent"]
"#;

fn schema(text: &str) -> Schema {
    Schema::load(&[("own.toml".to_owned(), text.to_owned())]).expect("valid")
}

fn tags_identify() -> String {
    NOW.replace(
        "[class.attributes]",
        "identified_by = [{ attributes = [\"tag\"], strength = \"strong\" }]\n[class.attributes]",
    )
}

fn gadget(key: &str, tag: &str, slots: &str) -> Claim {
    item(key, "gadget", &[("tag", text(tag)), ("slots", text(slots))])
}

/// Three gadgets, two of them with one tag; an agent and a file disagree on the first.
fn estate() -> Bench {
    let bench = bench_under(schema(NOW));
    bench.report("agent-1", vec![section("one", &[gadget("a", "T1", "4"), gadget("b", "T1", "many")])]);
    let id = bench.find("a").id;
    let mut said = gadget("x", "T9", "6");
    said.key = id.to_string();
    let other = gadget("c", "T3", "2");
    bench.apply(named("cmdb", SourceKind::Import), vec![said, other], false).expect("taken");
    bench
}

fn try_out(bench: &Bench, schema: &Schema, limit: usize, memory_bytes: usize) -> Trial {
    let options = TrialOptions { memory_bytes, ..TrialOptions::new(limit, bench.directory.path()) };
    bench.cmdb.reader().expect("readable").try_schema(schema, options).expect("tried")
}

fn effective(item: &Item) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> = item
        .effective()
        .into_iter()
        .map(|(name, effective)| (name.to_owned(), effective.value.clone()))
        .collect();
    all.insert("name".to_owned(), text(&item.name));
    all
}

fn all(bench: &Bench) -> BTreeMap<ItemId, BTreeMap<String, Value>> {
    let list = List { page_size: 100, ..List::default() };
    let page = bench.cmdb.reader().expect("readable").list(&list).expect("readable");
    page.items.iter().map(|item| (item.id, effective(item))).collect()
}

#[test]
fn what_an_order_would_change_is_what_it_changes() {
    let bench = estate();
    let (head, before) = (bench.head(), all(&bench));
    let tried = schema(&format!("{NOW}{OTHER_ORDER}"));
    let trial = try_out(&bench, &tried, 100, 1 << 20);
    assert_eq!((trial.items, trial.items_changed), (3, 1));
    assert_eq!((trial.refused.total, trial.shared.total, trial.parted.total), (0, 0, 0));
    assert_eq!(bench.head(), head, "nothing is written");
    let bench = bench.reopen_under(tried);
    let mut promised = before;
    for change in trial.changes.first {
        let of = promised.get_mut(&change.item).expect("known");
        assert_eq!(of.get(&change.attribute), change.before.map(|stands| stands.value).as_ref());
        of.insert(change.attribute, change.after.expect("nothing would go away").value);
    }
    assert_eq!(all(&bench), promised);
    bench.check();
}

#[test]
fn identifiers_that_would_be_shared_are_found_in_little_memory() {
    let bench = estate();
    let tried = schema(&tags_identify());
    let trial = try_out(&bench, &tried, 100, 1 << 20);
    assert_eq!(trial.changes.total, 0);
    let [shared] = trial.shared.first.as_slice() else { panic!("{:?}", trial.shared) };
    assert_eq!((shared.attributes.as_slice(), shared.strong), (["tag".to_owned()].as_slice(), true));
    assert_eq!(shared.items, [bench.find("a").id, bench.find("b").id]);
    assert_eq!(try_out(&bench, &tried, 100, 1), trial, "each row a run of its own");
    // And back: what is shared now would not be.
    let bench = bench.reopen_under(tried);
    let back = try_out(&bench, &schema(NOW), 100, 1 << 20);
    assert_eq!((back.shared.total, back.parted.first.len()), (0, 1));
}

#[test]
fn what_would_be_refused_is_told_and_lists_end_while_counts_go_on() {
    let bench = estate();
    let number = NOW.replace("slots = { type = \"text\"", "slots = { type = \"integer\"");
    let trial = try_out(&bench, &schema(&number), 100, 1 << 20);
    let told: Vec<_> = trial.refused.first.iter().map(|refusal| refusal.problem.to_string()).collect();
    assert!(told.iter().any(|told| told.contains("many")), "{told:?}");
    let gone = try_out(&bench, &Schema::built_in(), 1, 1 << 20);
    assert_eq!((gone.refused.first.len(), gone.refused.total), (1, 4), "every claim that says gadget");
}

const SLOT: &str = r#"
[[class]]
name = "slot"
parent = "hardware"
title = "Slot"
description = "A part of a gadget."
[class.attributes]
mark = { type = "text", indexed = true, description = "What is written on it." }
"#;

#[test]
fn rows_of_items_are_tried_as_well() {
    let bench = bench_under(schema(&format!("{NOW}{SLOT}")));
    let slot = |key: &str, mark: &str, of: &str| within(item(key, "slot", &[("mark", text(mark))]), of);
    bench.report(
        "agent-1",
        vec![section(
            "one",
            &[
                gadget("a", "T1", "1"),
                gadget("b", "T2", "1"),
                gadget("c", "T3", "1"),
                slot("a-1", "M-1", "a"),
                slot("b-1", "M-1", "b"),
                slot("c-1", "M-2", "c"),
            ],
        )],
    );
    let lookup =
        "identified_by = [{ lookup = { class = \"slot\", attribute = \"mark\" } }]\n[class.attributes]";
    let tried = schema(&format!("{}{SLOT}", NOW.replace("[class.attributes]", lookup)));
    let trial = try_out(&bench, &tried, 100, 1 << 20);
    let [shared] = trial.shared.first.as_slice() else { panic!("{:?}", trial.shared) };
    assert_eq!(shared.items, [bench.find("a").id, bench.find("b").id]);
    assert_eq!((shared.values.len(), shared.strong), (1, false), "{shared:?}");
    let bench = bench.reopen_under(tried);
    let back = try_out(&bench, &schema(&format!("{NOW}{SLOT}")), 100, 1 << 20);
    assert_eq!((back.shared.total, back.parted.total), (0, 1));
}

#[test]
fn claims_that_only_a_rule_holds_together_are_told_one_by_one() {
    let bench = bench_under(schema(&tags_identify()));
    for (source, key) in [("agent-1", "a"), ("agent-2", "z")] {
        bench.report(source, vec![section("one", &[gadget(key, "T1", "4")])]);
    }
    let id = bench.find("a").id;
    assert_eq!(bench.find("z").id, id);
    let of = |trial: &Trial| -> Vec<(ItemId, Vec<Vec<String>>)> {
        let keys = |part: &Vec<(_, String)>| part.iter().map(|(_, key)| key.clone()).collect();
        trial.split.first.iter().map(|split| (split.item, split.parts.iter().map(keys).collect())).collect()
    };
    let same = try_out(&bench, &schema(&tags_identify()), 100, 1 << 20);
    assert_eq!(same.split.total, 0);
    let without = try_out(&bench, &schema(NOW), 100, 1 << 20);
    assert_eq!(of(&without), [(id, vec![vec!["a".to_owned()], vec!["z".to_owned()]])]);
}
