//! Whatever is done, tables and log agree, and the live graph is what a rebuild gives.

use arbtest::arbitrary::{Result, Unstructured};

use super::harness::*;
use super::inventory;
use crate::claim::{Claim, PinClaim, RedundancyClaim, Reference};
use crate::engine::{Purgeable, Purging, Verdict, When};
use crate::model::{ItemId, Require, Revision, SourceKind, Timestamp, Value};

const KINDS: [&str; 5] = ["depends_on", "runs_on", "member_of", "contains", "connects_to"];
const CLASSES: [&str; 5] = ["server", "application", "cluster", "database_instance", "endpoint"];

fn name(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(format!("k{}", u.int_in_range(0..=9)?))
}

fn claim(u: &mut Unstructured<'_>) -> Result<Claim> {
    let key = name(u)?;
    let mut attributes = Vec::new();
    if u.arbitrary()? {
        attributes.push(("host_name", text(&name(u)?)));
    }
    if u.arbitrary()? {
        attributes.push(("serial_number", text(&format!("SN{}", u.int_in_range(0..=3)?))));
    }
    if u.arbitrary()? {
        attributes.push(("version", text(&name(u)?)));
    }
    if u.arbitrary()? {
        attributes.push(("product", text(u.choose(&["k1", "k2"])?)));
        attributes.push(("port", Value::Integer(1)));
    }
    let mut claim = item(&key, u.choose(&CLASSES)?, &attributes);
    if u.int_in_range(0..=3)? == 0 {
        claim.item.as_mut().expect("an item").cleared.push("port".to_owned());
    }
    if claim.item.as_ref().is_some_and(|said| said.class == "database_instance") && u.arbitrary()? {
        // It may not be there yet, or be the thing itself.
        claim = within(claim, &name(u)?);
    }
    for _ in 0..u.int_in_range(0..=3)? {
        let to = match u.int_in_range(0..=4)? {
            0 => Reference::Match(crate::claim::Match {
                class: String::new(),
                attributes: [("host_name".to_owned(), text(&name(u)?))].into(),
            }),
            _ => Reference::Key(name(u)?),
        };
        let mut said = relationship(Reference::This, u.choose(&KINDS)?, to, u.arbitrary()?);
        if u.arbitrary()? && said.kind != "contains" {
            said.group = "g".to_owned();
        }
        claim.relationships.push(said);
    }
    if u.int_in_range(0..=4)? == 0 {
        claim.redundancies.push(RedundancyClaim {
            item: Reference::This,
            group: "g".to_owned(),
            require: u.choose(&["any", "all", "at_least 2"])?.parse().expect("a requirement"),
            inferred: u.arbitrary()?,
            confidence: 0.5,
            evidence: String::new(),
            rejected: false,
        });
    }
    Ok(claim)
}

/// A person pins, or unpins, the version of an item that may be there.
fn pin(u: &mut Unstructured<'_>, bench: &Bench) -> Result<Claim> {
    let mut claim = item("x", "", &[("version", text(&name(u)?))]);
    claim.key = ItemId(u.int_in_range(1..=10)?).to_string();
    let said = claim.item.as_mut().expect("an item");
    said.name.clear();
    if u.arbitrary()? {
        said.unpinned.push("version".to_owned());
    }
    if u.arbitrary()? {
        let days = i64::from(u.int_in_range(1..=60u8)?);
        let now = bench.clock.load(std::sync::atomic::Ordering::SeqCst);
        let until = if u.arbitrary()? { Some(Timestamp(now).plus_us(days * DAY_US)) } else { None };
        said.pins.insert("version".to_owned(), PinClaim { until, reason: "because".to_owned() });
    }
    Ok(claim)
}

fn distinct(mut claims: Vec<Claim>) -> Vec<Claim> {
    claims.sort_by(|one, other| one.key.cmp(&other.key));
    claims.dedup_by(|one, other| one.key == other.key);
    claims
}

/// What a step may do to the past.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    Stands,
    Erased,
    Compacted,
}

pub(super) fn step(u: &mut Unstructured<'_>, bench: &Bench) -> Result<Past> {
    match u.int_in_range(0..=24)? {
        0..=3 => {
            let source = *u.choose(&["agent-1", "agent-2"])?;
            let mut claims = Vec::new();
            for _ in 0..u.int_in_range(0..=6)? {
                claims.push(claim(u)?);
            }
            let scope = *u.choose(&["one", "two"])?;
            bench.report(source, vec![section(scope, &distinct(claims))]);
        }
        4..=6 => {
            let source = match u.arbitrary()? {
                true => named("cmdb", SourceKind::Import),
                false => person("ann"),
            };
            let claims = vec![claim(u)?, claim(u)?];
            let merge = u.arbitrary()?;
            bench.apply(source, claims, merge).expect("taken");
        }
        7 => {
            let revision = Revision(u.int_in_range(0..=bench.head().0 + 1)?);
            // A commit that is not there is refused, and that is all.
            let _refused = bench.revert(revision);
        }
        8 => {
            let _unknown = bench.retire(ItemId(u.int_in_range(1..=20)?));
        }
        9 | 10 => {
            let into = ItemId(u.int_in_range(1..=12)?);
            // Not there, merged already, or the same: refused.
            let _refused = bench.merge(into, ItemId(u.int_in_range(1..=12)?));
        }
        11 => {
            let _refused = bench.split(ItemId(u.int_in_range(1..=12)?), Vec::new());
        }
        12 | 13 => {
            let host = inventory::any_host(u)?;
            bench.report(host.agent, host.sections());
        }
        14 => {
            // What is pinned by another, or of no item, is refused.
            let claim = pin(u, bench)?;
            bench.apply(person(u.choose(&["ann", "bob"])?), vec![claim], true).expect("answered");
        }
        15 => {
            let item = ItemId(u.int_in_range(1..=10)?);
            let attribute = *u.choose(&["version", "serial_number", "host_name"])?;
            let what = *u.choose(&[Purging::Erase, Purging::Erase, Purging::Lift])?;
            // Of no item, or of one that never had it: refused.
            if bench.purge(item, attribute, what, false).is_ok() && what == Purging::Erase {
                return Ok(Past::Erased);
            }
        }
        16 => {
            // Seen before what is known, or not; of a section that may be incomplete.
            let mut late = section(u.choose(&["one", "two"])?, &distinct(vec![claim(u)?, claim(u)?]));
            if u.arbitrary()? {
                late.complete = Err("no permission".to_owned());
            }
            let now = Timestamp(bench.clock.load(std::sync::atomic::Ordering::SeqCst));
            let seen = now.plus_us(-i64::from(u.int_in_range(0..=3u8)?) * DAY_US);
            bench.report_seen_at(u.choose(&["agent-1", "agent-2"])?, vec![late], seen);
        }
        17 => drop(bench.cmdb.propose_groups().expect("a look")),
        18 => {
            let verdict = match u.int_in_range(0..=2)? {
                0 => Verdict::Reject,
                1 => Verdict::Confirm(None),
                _ => Verdict::Confirm(Some(Require::AtLeast(2))),
            };
            let item = ItemId(u.int_in_range(1..=12)?);
            let group = *u.choose(&["g", "k1:1", "k2:1"])?;
            // No such group, not a guess, or too few members: refused.
            let _refused = bench.judge(u.choose(&["ann", "bob"])?, item, group, verdict);
        }
        19 => {
            // There is one of that name, or none; or the moment is not kept any more.
            let name = format!("b{}", u.int_in_range(0..=2)?);
            let revision = Revision(u.int_in_range(0..=bench.head().0)?);
            let _refused = match u.int_in_range(0..=3)? {
                0 => bench.forget_baseline(&name),
                _ => bench.baseline(&name, revision),
            };
        }
        20 => {
            let horizon = Revision(u.int_in_range(0..=bench.head().0)?);
            let reader = bench.cmdb.reader().expect("readable");
            let (would, retained) =
                (reader.to_drop(horizon).expect("counted"), reader.retained().expect("readable"));
            let done = bench.compact(horizon).expect("compacted");
            assert!(!would.at_least && !retained.unfinished);
            assert_eq!((would.changes, would.commits), (done.changes, done.commits));
            return Ok(Past::Compacted);
        }
        21 => {
            let days = u.int_in_range(0..=2)?;
            bench.keep_history(days).expect("taken");
            assert_eq!(bench.cmdb.reader().expect("readable").history_kept().expect("readable").days, days);
        }
        22 => {
            // No such commit, or one without a reason: refused.
            let revision = Revision(u.int_in_range(0..=bench.head().0)?);
            if bench.purge_other(Purgeable::Reason(revision)).is_ok() {
                return Ok(Past::Erased);
            }
        }
        _ => bench.pass(i64::from(u.int_in_range(0..=60u8)?) * DAY_US),
    }
    Ok(Past::Stands)
}

#[test]
fn tables_log_and_graph_agree_after_anything() {
    arbtest::arbtest(|u| {
        let bench = bench_under(rules());
        for _ in 0..u.int_in_range(1..=12)? {
            step(u, &bench)?;
        }
        bench.check();
        bench.reopen().check();
        Ok(())
    })
    .budget_ms(8_000);
}

#[test]
fn looking_for_redundancy_again_writes_nothing() {
    arbtest::arbtest(|u| {
        let bench = bench_under(rules());
        for _ in 0..u.int_in_range(1..=12)? {
            step(u, &bench)?;
        }
        bench.cmdb.propose_groups().expect("a look");
        let head = bench.head();
        // The look's own commit concerns clients again; it finds them as it left them.
        let again = bench.cmdb.propose_groups().expect("a look");
        assert_eq!((again.changed, bench.head()), (0, head));
        // One that looks at everything from nothing finds what following the log has found.
        let fresh = bench.reopen_under(rules());
        let anew = fresh.cmdb.propose_groups().expect("a look");
        assert_eq!((anew.changed, fresh.head()), (0, head));
        fresh.check();
        Ok(())
    })
    .budget_ms(8_000);
}

#[test]
fn the_past_answers_as_it_did_when_it_was_the_present() {
    arbtest::arbtest(|u| {
        let bench = bench_under(rules());
        let mut then = vec![(bench.head(), picture(&bench, When::Now))];
        for _ in 0..u.int_in_range(1..=10)? {
            let past = step(u, &bench)?;
            if past == Past::Erased {
                for (revision, before) in &mut then {
                    let after = picture(&bench, When::Revision(*revision));
                    only_purged(before, &after);
                    *before = after;
                }
            }
            if past == Past::Compacted {
                let (oldest, kept) = kept(&bench);
                then.retain_mut(|(revision, before)| {
                    before.forget_until(oldest);
                    let there = *revision >= oldest || kept.contains(revision);
                    assert_eq!(bench.cmdb.reader_at(When::Revision(*revision)).is_ok(), there);
                    there
                });
            }
            then.push((bench.head(), picture(&bench, When::Now)));
        }
        for (revision, expected) in then {
            // Presence is a stream of its own: within one revision only the last picture can be asked for again.
            assert_eq!(picture(&bench, When::Revision(revision)), expected, "as of {revision}");
        }
        Ok(())
    })
    .budget_ms(8_000);
}

/// Everything that a reader shows at a moment.
#[derive(PartialEq, Debug)]
struct Picture {
    lines: Vec<String>,
    histories: Vec<(ItemId, Vec<Revision>)>,
}

impl Picture {
    /// The history up to there was compacted.
    fn forget_until(&mut self, oldest: Revision) {
        for (_, revisions) in &mut self.histories {
            revisions.retain(|revision| *revision > oldest);
        }
    }
}

/// The oldest revision that can be asked, and the baselines.
fn kept(bench: &Bench) -> (Revision, Vec<Revision>) {
    let reader = bench.cmdb.reader().expect("readable");
    let baselines = reader.baselines().expect("readable");
    let kept = baselines.iter().map(|baseline| baseline.revision).collect();
    (reader.oldest_kept().expect("readable"), kept)
}

/// A purge changes nothing but the items that say so.
fn only_purged(before: &Picture, after: &Picture) {
    assert_eq!(before.histories, after.histories);
    assert_eq!(before.lines.len(), after.lines.len());
    for (before, after) in before.lines.iter().zip(&after.lines) {
        let id = |line: &str| line.split_once(',').map(|(id, _)| id.to_owned());
        let erased = after.starts_with("{\"item\"") && after.contains("purged") && id(before) == id(after);
        assert!(before == after || erased, "{before}\n{after}");
    }
}

fn picture(bench: &Bench, when: When) -> Picture {
    let reader = bench.cmdb.reader_at(when).expect("to be had");
    let mut lines = crate::engine::describe_graph(reader.graph());
    // An item that is not there yet is retired in an old graph and absent in a new one: neither says anything.
    let live: std::collections::BTreeSet<String> =
        lines.iter().filter(|line| line.ends_with(" retired")).cloned().collect();
    lines.retain(|line| !live.contains(line));
    reader
        .export(true, &mut |line| {
            // A source may speak without changing anything, so that no revision tells it apart.
            // What waits has no past, and the first line of a past export says so.
            let is_first = line.starts_with("{\"export\"");
            if !is_first && !line.starts_with("{\"source\"") && !line.starts_with("{\"waiting\"") {
                lines.push(line.to_owned());
            }
            Ok(())
        })
        .expect("readable");
    let mut histories = Vec::new();
    let page = reader.list(&crate::engine::List { page_size: 100, ..Default::default() }).expect("readable");
    for item in page.items {
        let (mut related, _) = reader.relationships(item.id, 1_000).expect("readable");
        related.sort_by_key(|relationship| (relationship.from, relationship.kind.clone(), relationship.to));
        lines.push(format!("{} {related:?}", item.id));
        lines.push(format!("{} {:?}", item.name, reader.resolve(&item.name).ok()));
        let history = reader.history(item.id, None, 1_000).expect("readable");
        histories.push((item.id, history.commits.iter().map(|(header, _)| header.revision).collect()));
        lines.push(format!("{:?}", reader.last_change(item.id).expect("readable")));
    }
    // What is stale by now depends on now, which goes on without a revision.
    let coverage = crate::engine::Coverage { stale_relationships: 0, ..reader.coverage().expect("readable") };
    lines.push(format!("{coverage:?}"));
    Picture { lines, histories }
}

#[test]
fn a_diff_is_what_lies_between_two_moments() {
    arbtest::arbtest(|u| {
        let bench = bench_under(rules());
        for _ in 0..u.int_in_range(1..=8)? {
            step(u, &bench)?;
        }
        let head = bench.head().0;
        let from = Revision(u.int_in_range(kept(&bench).0.0..=head)?);
        let to = Revision(u.int_in_range(from.0..=head)?);
        let reader = bench.cmdb.reader().expect("readable");
        let diff = reader.diff(When::Revision(from), When::Revision(to), None, 10_000).expect("to be had");
        assert_eq!(diff.total, diff.differences.len() as u64);
        let (old, new) = (facts(&bench, from), facts(&bench, to));
        let mut expected: Vec<(Option<String>, Option<String>)> = Vec::new();
        for name in old.keys().chain(new.keys()).collect::<std::collections::BTreeSet<_>>() {
            let sides = (old.get(name).cloned(), new.get(name).cloned());
            if sides.0 != sides.1 {
                expected.push(sides);
            }
        }
        let mut found: Vec<_> = diff.differences.iter().map(|difference| sides(&difference.change)).collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "from {from} to {to}");
        Ok(())
    })
    .budget_ms(5_000);
}

fn sides(change: &crate::change::Change) -> (Option<String>, Option<String>) {
    match change {
        crate::change::Change::Item { before, after } => {
            (before.as_ref().map(|item| format!("{item:?}")), Some(format!("{after:?}")))
        }
        crate::change::Change::Relationship { before, after } => (
            before.as_ref().map(|relationship| format!("{relationship:?}")),
            after.as_ref().map(|relationship| format!("{relationship:?}")),
        ),
    }
}

/// Every fact at a revision by its name.
fn facts(bench: &Bench, revision: Revision) -> std::collections::BTreeMap<String, String> {
    let reader = bench.cmdb.reader_at(When::Revision(revision)).expect("to be had");
    let mut facts = std::collections::BTreeMap::new();
    let list = crate::engine::List { page_size: 1_000, retired: true, ..Default::default() };
    for item in reader.list(&list).expect("readable").items {
        for relationship in reader.relationships(item.id, 1_000).expect("readable").0 {
            let name = format!("{} {} {}", relationship.from, relationship.kind, relationship.to);
            facts.insert(name, format!("{relationship:?}"));
        }
        facts.insert(item.id.to_string(), format!("{item:?}"));
    }
    facts
}

#[test]
fn a_history_is_every_change_of_the_item_and_of_relationships_with_an_end_in_it() {
    arbtest::arbtest(|u| {
        let bench = bench();
        for _ in 0..u.int_in_range(1..=8)? {
            step(u, &bench)?;
        }
        let head = bench.head().0;
        let oldest = kept(&bench).0.0;
        let as_of = Revision(u.int_in_range(oldest..=head)?);
        let limit = u.int_in_range(1..=4)?;
        let reader = bench.cmdb.reader_at(When::Revision(as_of)).expect("to be had");
        let list = crate::engine::List { page_size: 1_000, retired: true, ..Default::default() };
        for item in reader.list(&list).expect("readable").items {
            let mut expected = Vec::new();
            for revision in (oldest + 1..=as_of.0).rev().map(Revision) {
                let (_, changes) = reader.commit(revision, 10_000).expect("readable").expect("there");
                let of_it: Vec<_> = changes.into_iter().filter(|change| concerns(change, item.id)).collect();
                if !of_it.is_empty() {
                    expected.push((revision, of_it));
                }
            }
            let (mut found, mut before) = (Vec::new(), None);
            loop {
                let page = reader.history(item.id, before, limit).expect("readable");
                for (header, changes) in page.commits {
                    assert_eq!(header.changes, changes.len() as u64);
                    found.push((header.revision, changes));
                }
                before = page.next_before;
                if before.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "{} as of {as_of}", item.id);
            let own = |change: &&crate::change::Change| match change {
                crate::change::Change::Item { .. } => true,
                crate::change::Change::Relationship { .. } => ends(change).0 == item.id,
            };
            let last = expected.iter().find(|(_, changes)| changes.iter().any(|change| own(&change)));
            // Below the horizon the last change is still known, but not what it was.
            let found = reader.last_change(item.id).expect("readable");
            assert_eq!(found.filter(|revision| revision.0 > oldest), last.map(|(revision, _)| *revision));
        }
        Ok(())
    })
    .budget_ms(5_000);
}

fn concerns(change: &crate::change::Change, id: ItemId) -> bool {
    let (one, other) = ends(change);
    one == id || other == id
}

fn ends(change: &crate::change::Change) -> (ItemId, ItemId) {
    match change {
        crate::change::Change::Item { after, .. } => (after.id, after.id),
        crate::change::Change::Relationship { before, after } => {
            let edge = after.as_ref().or(before.as_ref()).expect("a change has at least one side");
            (edge.from, edge.to)
        }
    }
}

/// Everything that is exported, but for the header, which names the revision.
fn exported(bench: &Bench) -> Vec<String> {
    let mut lines = Vec::new();
    let reader = bench.cmdb.reader().expect("readable");
    reader
        .export(true, &mut |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .expect("readable");
    lines.split_off(1)
}

#[test]
fn an_imported_store_goes_on_as_the_one_it_was_exported_from() {
    arbtest::arbtest(|u| {
        let bench = bench_under(rules());
        for _ in 0..u.int_in_range(1..=10)? {
            step(u, &bench)?;
        }
        let other = bench_under(rules());
        let now = bench.clock.load(std::sync::atomic::Ordering::SeqCst);
        other.clock.store(now, std::sync::atomic::Ordering::SeqCst);
        let lines = exported(&bench);
        let (outcome, refused) = other.import(&(lines.join("\n") + "\n"), false, 0);
        assert!(outcome.is_ok() && refused.is_empty(), "{outcome:?} {refused:?}");
        assert_eq!(exported(&other), lines);
        other.check();
        // What was missing arrives, and what matched goes.
        let arrives: Vec<Claim> = (0..10)
            .map(|number| {
                let name = format!("k{number}");
                item(
                    &name,
                    "server",
                    &[("host_name", text(&name)), ("serial_number", text(&format!("N{number}")))],
                )
            })
            .collect();
        let gone = ItemId(u.int_in_range(1..=10)?);
        for bench in [&bench, &other] {
            // Each of these at the same time in both, however many commits went before.
            let after =
                |days: i64| bench.clock.store(now + days * DAY_US, std::sync::atomic::Ordering::SeqCst);
            after(1);
            bench.report("agent-3", vec![section("three", &arrives)]);
            after(2);
            bench.apply(named("hub", SourceKind::Connector), arrives.clone(), true).expect("taken");
            after(3);
            let _not_there = bench.retire(gone);
        }
        let related = |bench: &Bench| {
            let mut lines = exported(bench);
            lines.retain(|line| line.starts_with("{\"relationship\"") || line.starts_with("{\"waiting\""));
            lines
        };
        assert_eq!(related(&other), related(&bench));
        other.check();
        Ok(())
    })
    .budget_ms(8_000);
}
