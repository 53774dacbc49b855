//! Whatever way reports take, the graph is the same in the end: late ones, repeated ones, ones that were lost at first.

use std::collections::{BTreeMap, BTreeSet};

use arbtest::arbitrary::{Result, Unstructured};

use super::harness::*;
use crate::claim::{Claim, Match, RedundancyClaim, Reference};
use crate::engine::{List, Section};
use crate::model::{Item, ItemId, Relationship, SourceKind, Timestamp};

const SOURCES: [&str; 2] = ["agent-1", "agent-2"];
const SCOPES: [&str; 2] = ["one", "two"];
const STORIES: u64 = 120;
/// The low half of a seed: from how many random bytes a story is made.
const STORY_BYTES: u64 = 1 << 16;
/// Before the bench's clock, so that no report comes from the future.
const FIRST: Timestamp = Timestamp(1_799_999_000_000_000);

/// A report as it was seen, before it is known when it arrives.
#[derive(Clone)]
struct Seen {
    source: &'static str,
    observed_at: Timestamp,
    sections: Vec<Section>,
}

/// A machine that both sources know, by the serial number that both of them read.
fn machine(u: &mut Unstructured<'_>, scope: &str) -> Result<Claim> {
    let number = u.int_in_range(0..=1)?;
    let serial = text(&format!("SN-{scope}-{number}"));
    let mut attributes = vec![("serial_number", serial)];
    for name in ["model", "chassis"] {
        if u.arbitrary()? {
            attributes.push((name, text(u.choose(&["a", "b", "c"])?)));
        }
    }
    let mut claim = item(&format!("machine-{scope}-{number}"), "server", &attributes);
    if u.ratio(1, 4)? {
        claim.item.as_mut().expect("an item").cleared.push("chassis".to_owned());
    }
    Ok(claim)
}

/// A program that one source knows, and what it needs of what the section names.
fn program(u: &mut Unstructured<'_>, source: &str, scope: &str, named: &[String]) -> Result<Claim> {
    let key = format!("{source}-{scope}-{}", u.int_in_range(0..=2)?);
    let class = if key.ends_with('2') { "disk" } else { "application" };
    let mut claim = item(&key, class, &[("version", text(u.choose(&["1", "2", "3"])?))]);
    for to in named {
        let (kind, inferred) = *u.choose(&[("depends_on", true), ("runs_on", false), ("", false)])?;
        if kind.is_empty() || *to == key {
            continue;
        }
        let mut said = relationship(Reference::This, kind, key_of(to), inferred);
        said.weight = f64::from(u.int_in_range(1..=3u8)?);
        if kind == "runs_on" && u.arbitrary()? {
            said.group = "g".to_owned();
        }
        claim.relationships.push(said);
    }
    if u.ratio(1, 4)? {
        let name = format!("machine-{}-{}", u.choose(&SCOPES)?, u.int_in_range(0..=1)?);
        let wanted =
            Match { class: "server".to_owned(), attributes: [("name".to_owned(), text(&name))].into() };
        claim.relationships.push(relationship(Reference::This, "contains", Reference::Match(wanted), false));
    }
    if claim.relationships.iter().any(|said| said.group == "g") {
        claim.redundancies.push(group(u)?);
    }
    Ok(claim)
}

fn group(u: &mut Unstructured<'_>) -> Result<RedundancyClaim> {
    Ok(RedundancyClaim {
        item: Reference::This,
        group: "g".to_owned(),
        require: u.choose(&["any", "all"])?.parse().expect("a requirement"),
        inferred: false,
        confidence: 1.0,
        evidence: String::new(),
        rejected: false,
    })
}

fn key_of(name: &str) -> Reference {
    Reference::Key(name.to_owned())
}

fn seen_section(u: &mut Unstructured<'_>, source: &str, scope: &str) -> Result<Section> {
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    for _ in 0..u.int_in_range(0..=2)? {
        let claim = machine(u, scope)?;
        claims.insert(claim.key.clone(), claim);
    }
    let named: Vec<String> = claims.keys().cloned().collect();
    // Both sources may say it of the same two machines; what a source observes it does not declare at other times.
    if let [from, to] = &named[..]
        && u.ratio(2, 3)?
    {
        let observed = (source == SOURCES[0]) == (scope == SCOPES[0]);
        let mut said = relationship(Reference::This, "depends_on", key_of(to), observed);
        said.weight = f64::from(u.int_in_range(1..=3u8)?);
        let from = claims.get_mut(from).expect("named");
        if u.arbitrary()? {
            said.group = "g".to_owned();
            from.redundancies.push(group(u)?);
        }
        from.relationships.push(said);
    }
    for _ in 0..u.int_in_range(0..=2)? {
        let claim = program(u, source, scope, &named)?;
        claims.insert(claim.key.clone(), claim);
    }
    let claims: Vec<Claim> = claims.into_values().collect();
    let mut section = section(scope, &claims);
    if u.ratio(1, 3)? {
        section.complete = Err("no permission".to_owned());
    }
    Ok(section)
}

/// What the sources see, in the order in which they see it.
fn seen(u: &mut Unstructured<'_>) -> Result<Vec<Seen>> {
    let mut all: Vec<Seen> = Vec::new();
    let mut at = FIRST;
    for _ in 0..u.int_in_range(2..=7)? {
        at = at.plus_us(1_000);
        let source = *u.choose(&SOURCES)?;
        // Often nothing has changed.
        let before =
            all.iter().rfind(|seen| seen.source == source).filter(|_| u.ratio(1, 4).unwrap_or(false));
        let sections = match before {
            Some(before) => before.sections.clone(),
            None => {
                let mut sections = Vec::new();
                for scope in SCOPES {
                    if u.ratio(3, 4)? {
                        sections.push(seen_section(u, source, scope)?);
                    }
                }
                sections
            }
        };
        all.push(Seen { source, observed_at: at, sections });
    }
    Ok(all)
}

/// In any order, some of them several times; each at least once.
fn delivered(u: &mut Unstructured<'_>, seen: &[Seen]) -> Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..seen.len()).collect();
    for _ in 0..u.int_in_range(0..=3)? {
        order.push(u.choose_index(seen.len())?);
    }
    for place in (1..order.len()).rev() {
        order.swap(place, u.int_in_range(0..=place)?);
    }
    Ok(order)
}

fn send(bench: &Bench, seen: &Seen) {
    bench.report_seen_at(seen.source, seen.sections.clone(), seen.observed_at);
}

/// One story: what is seen, straight and crooked.
fn converge(u: &mut Unstructured<'_>) -> Result<()> {
    let seen = seen(u)?;
    let order = delivered(u, &seen)?;
    let (straight, crooked) = (bench(), bench());
    for seen in &seen {
        send(&straight, seen);
    }
    for place in &order {
        send(&crooked, &seen[*place]);
    }
    let told = || told(&seen, &order);
    assert_same(&picture(&straight), &picture(&crooked), &told);
    crooked.check();
    // And what is known by then leaves no trace, however old.
    let head = crooked.head();
    for seen in &seen {
        send(&crooked, seen);
    }
    assert_eq!(crooked.head(), head, "a repeated report made a commit: {}", told());
    Ok(())
}

fn told(seen: &[Seen], order: &[usize]) -> String {
    let of = |seen: &Seen| {
        let sections = seen.sections.iter().map(|section| {
            let keys = section.entries.iter().map(|entry| {
                let body = decode(entry.body.as_ref().expect("sent")).expect("a claim");
                format!("\n    {body:?}")
            });
            format!("\n  {} {:?}{}", section.scope, section.complete, keys.collect::<String>())
        });
        format!("{} {}{}", seen.observed_at.0, seen.source, sections.collect::<String>())
    };
    format!("order {order:?} of\n{}", seen.iter().map(of).collect::<Vec<_>>().join("\n"))
}

/// The same stories each time, so that a red run can be run again.
#[test]
fn reports_converge_whatever_way_they_take() {
    for story in 1..=STORIES {
        arbtest::arbtest(converge).seed(((story * 0x9e37_79b9 % 0xffff_fffb) << 32) | STORY_BYTES);
    }
}

#[test]
#[ignore = "ten minutes of stories that nobody has told before: run it after a change of how reports are read"]
fn reports_converge_in_stories_never_told() {
    arbtest::arbtest(converge).size_min(STORY_BYTES.try_into().expect("small")).budget_ms(600_000);
}

fn assert_same(expected: &[String], found: &[String], told: &dyn Fn() -> String) {
    let (expected, found): (BTreeSet<_>, BTreeSet<_>) = (expected.iter().collect(), found.iter().collect());
    let missing: Vec<_> = expected.difference(&found).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing {missing:#?}\nsurplus {surplus:#?}\n{}",
        told()
    );
}

/// Everything that is held true and everything that is claimed, by the names that sources give. When something was
/// first seen, and since when it is so, belong to the way the reports took.
fn picture(bench: &Bench) -> Vec<String> {
    let reader = bench.cmdb.reader().expect("readable");
    let list = List { page_size: 1_000, retired: true, ..List::default() };
    let items = reader.list(&list).expect("readable").items;
    let source = |id| reader.source(id).expect("a source").name.clone();
    let called = |item: &Item| {
        let mut names: Vec<_> =
            item.claims.iter().map(|claim| format!("{}:{}", source(claim.source), claim.key)).collect();
        names.sort();
        names.join("=")
    };
    let names: BTreeMap<ItemId, String> = items.iter().map(|item| (item.id, called(item))).collect();
    let mut lines = Vec::new();
    for item in &items {
        let name = &names[&item.id];
        let duplicates: BTreeSet<_> = item.duplicates.iter().map(|id| &names[id]).collect();
        lines.push(format!("{name} {} \"{}\" {} {duplicates:?}", item.class, item.name, item.status));
        for claim in &item.claims {
            let values: Vec<_> = claim
                .attributes
                .iter()
                .map(|(name, stated)| (name, stated.value.to_string(), stated.effective))
                .collect();
            lines.push(format!(
                "{name}: {}:{} {} {} \"{}\" withdrawn {} {values:?} {:?}",
                source(claim.source),
                claim.key,
                claim.scope,
                claim.class,
                claim.name,
                claim.withdrawn_at.is_some(),
                claim.marks.nulls
            ));
        }
        for group in &item.groups {
            lines.push(format!(
                "{name} needs {} of {} ({})",
                group.require,
                group.name,
                source(group.source)
            ));
        }
        for relationship in reader.relationships(item.id, 1_000).expect("readable").0 {
            let Relationship { from, to, .. } = relationship;
            let edge = format!("{} {} {}", names[&from], relationship.kind, names[&to]);
            let effective = relationship.effective();
            lines.push(format!("{edge} {} as {} says", relationship.status, source(effective.source)));
            for claim in &relationship.claims {
                let says = match claim.withdrawn_at {
                    None => format!("\"{}\" {}", claim.group, claim.weight),
                    Some(_) => format!("withdrawn \"{}\" {}", claim.group, claim.weight),
                };
                let (source, inferred) = (source(claim.source), claim.inferred);
                lines.push(format!("{edge}: {source}:{} {} {inferred} {says}", claim.key, claim.scope));
            }
        }
    }
    lines.sort();
    lines
}

#[test]
fn an_equal_report_moves_last_seen_and_nothing_else() {
    let bench = bench();
    let sections = || vec![section("one", &[item("db", "application", &[("version", text("1"))])])];
    bench.report_seen_at("agent-1", sections(), FIRST);
    let head = bench.head();
    bench.report_seen_at("agent-1", sections(), FIRST.plus_us(2_000));
    assert_eq!(bench.head(), head);
    let reader = bench.cmdb.reader().expect("readable");
    assert_eq!(reader.sources().expect("readable")[0].last_seen, Some(FIRST.plus_us(2_000)));
    // One that was seen between the two, and says otherwise, comes too late.
    let other = vec![section("one", &[item("db", "application", &[("version", text("2"))])])];
    let outcome = bench.report_seen_at("agent-1", other, FIRST.plus_us(1_000));
    assert_eq!((outcome.late, outcome.updated, outcome.created), (1, 0, 0));
    assert_eq!(bench.find("db").attribute("version").expect("said").value.to_string(), "1");
    bench.check();
}

#[test]
fn a_clock_that_runs_ahead_does_not_silence_its_source() {
    let bench = bench();
    let database =
        |version: &str| vec![section("one", &[item("db", "application", &[("version", text(version))])])];
    let now = Timestamp(bench.clock.load(std::sync::atomic::Ordering::SeqCst));
    bench.report_seen_at("agent-1", database("1"), now.plus_us(400 * DAY_US));
    bench.clock.fetch_add(5, std::sync::atomic::Ordering::SeqCst);
    bench.report_seen_at("agent-1", database("2"), now.plus_us(1));
    let item = bench.find("db");
    assert_eq!(item.attribute("version").expect("said").value.to_string(), "2");
    assert!(item.claims[0].observed_at <= now.plus_us(5), "nothing is observed after it arrived");
}

#[test]
fn an_older_batch_does_not_undo_a_newer_one() {
    let bench = bench();
    let source = || named("cmdb", SourceKind::Connector);
    let claim = |to: &str| related(item("app", "application", &[]), "depends_on", key(to), false);
    let ends = || vec![item("old", "application", &[]), item("new", "application", &[])];
    bench.apply_seen_at(source(), ends(), FIRST);
    bench.apply_seen_at(source(), vec![claim("new")], FIRST.plus_us(2_000));
    let head = bench.head();
    let applied = bench.apply_seen_at(source(), vec![claim("old")], FIRST.plus_us(1_000));
    assert_eq!(outcomes(&applied), ["unchanged"]);
    assert_eq!(applied.decisions[0].notes.len(), 1, "it says why");
    assert_eq!(bench.head(), head);
    assert_eq!(bench.relationships("app"), ["app depends_on new active"]);
    bench.check();
}
