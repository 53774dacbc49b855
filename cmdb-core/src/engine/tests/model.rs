//! The engine against a plain model in memory: who says what, the best source wins, and every revision as it was.
//!
//! The model knows nothing of tables, logs, indexes or graphs. It keeps what each source said last of each key, and a
//! copy of everything for each revision. Keys are shared by no two sources and identifiers by no two keys, so that
//! which item is meant is never in question; identification has tests of its own.

use std::collections::{BTreeMap, BTreeSet};

use arbtest::arbitrary::{Result, Unstructured};

use super::harness::*;
use crate::claim::Claim;
use crate::engine::{Purging, When};
use crate::model::{Item, Revision, SourceKind};

/// Who speaks; each calls a machine by a name of its own, and says its serial number.
const SOURCES: [(&str, SourceKind); 3] =
    [("person-ann", SourceKind::Person), ("agent-1", SourceKind::Agent), ("files", SourceKind::Import)];
const PERSON: usize = 0;
const ATTRIBUTES: [&str; 3] = ["description", "host_name", "location"];
const MACHINES: u8 = 4;

/// What one source says of one machine.
#[derive(Clone, PartialEq, Debug, Default)]
struct Said {
    attributes: BTreeMap<&'static str, String>,
    depends_on: Vec<u8>,
}

/// What everybody says: (machine, source) → claim; and what only people may state of which machine.
#[derive(Clone, Default)]
struct World(BTreeMap<(u8, usize), Said>, BTreeSet<(u8, &'static str)>);

impl World {
    /// A machine knows itself best; what people agree on, the files know better.
    fn effective(&self, machine: u8, attribute: &str) -> Option<&String> {
        let order = if attribute == "description" { [0, 2, 1] } else { [0, 1, 2] };
        let heard = |source: &&usize| {
            **source == PERSON || !self.1.iter().any(|purged| *purged == (machine, attribute))
        };
        order
            .iter()
            .filter(heard)
            .find_map(|source| self.0.get(&(machine, *source))?.attributes.get(attribute))
    }

    /// Whether anything is kept of what anybody said.
    fn holds(&self, machine: u8, attribute: &'static str) -> bool {
        (0..SOURCES.len()).any(|source| {
            let said = self.0.get(&(machine, source));
            let heard = source == PERSON || !self.1.contains(&(machine, attribute));
            heard && said.is_some_and(|said| said.attributes.contains_key(attribute))
        })
    }

    /// It was never said; who may still say it.
    fn erase(&mut self, machine: u8, attribute: &'static str, sources: &[usize]) {
        for source in sources {
            if let Some(said) = self.0.get_mut(&(machine, *source)) {
                said.attributes.remove(attribute);
            }
        }
    }

    /// `serial attribute=value …` and `serial -> serial`, as the engine should show them.
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for machine in 0..MACHINES {
            let claims: Vec<&Said> =
                (0..SOURCES.len()).filter_map(|source| self.0.get(&(machine, source))).collect();
            if claims.is_empty() {
                continue;
            }
            let mut line = format!("SN{machine}");
            for attribute in ATTRIBUTES {
                if let Some(value) = self.effective(machine, attribute) {
                    line += &format!(" {attribute}={value}");
                }
            }
            lines.push(line);
            for other in 0..MACHINES {
                if claims.iter().any(|said| said.depends_on.contains(&other)) {
                    lines.push(format!("SN{machine} -> SN{other}"));
                }
            }
        }
        lines.sort();
        lines
    }
}

fn key_of(machine: u8, source: usize) -> String {
    format!("{}-m{machine}", SOURCES[source].0)
}

fn claim_of(machine: u8, source: usize, said: &Said) -> Claim {
    let mut attributes = vec![("serial_number", text(&format!("SN{machine}")))];
    attributes.extend(said.attributes.iter().map(|(name, value)| (*name, text(value))));
    let mut claim = item(&key_of(machine, source), "server", &attributes);
    for other in &said.depends_on {
        claim = related(claim, "depends_on", key(&key_of(*other, source)), false);
    }
    claim
}

/// The same lines from the engine.
fn shown(bench: &Bench, when: When) -> Vec<String> {
    let reader = bench.cmdb.reader_at(when).expect("to be had");
    let list = crate::engine::List { page_size: 1_000, ..Default::default() };
    let items = reader.list(&list).expect("readable").items;
    let value = |item: &Item, name: &str| {
        item.attribute(name).map(|effective| match &effective.value {
            crate::model::Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        })
    };
    let serial = |item: &Item| value(item, "serial_number").expect("each has one");
    let mut lines = Vec::new();
    for item in &items {
        let mut line = serial(item);
        for attribute in ATTRIBUTES {
            if let Some(value) = value(item, attribute) {
                line += &format!(" {attribute}={value}");
            }
        }
        lines.push(line);
        for relationship in reader.relationships(item.id, 1_000).expect("readable").0 {
            let standing = relationship.status == crate::model::Status::Active;
            if relationship.from == item.id && standing {
                let other = reader.item(relationship.to).expect("readable").expect("there");
                lines.push(format!("{} -> {}", serial(item), serial(&other)));
            }
        }
    }
    lines.sort();
    lines
}

/// Somebody says something new of some machines; whom they depend on they name as well.
fn step(u: &mut Unstructured<'_>, bench: &Bench, world: &mut World) -> Result<()> {
    let source = u.choose_index(SOURCES.len())?;
    for _ in 0..u.int_in_range(1..=2)? {
        let mut said = Said::default();
        for attribute in ATTRIBUTES {
            if u.arbitrary()? {
                said.attributes.insert(attribute, format!("v{}", u.int_in_range(0..=3)?));
            }
        }
        let machine = u.int_in_range(0..=MACHINES - 1)?;
        for other in 0..MACHINES {
            if other != machine && u.int_in_range(0..=3)? == 0 {
                said.depends_on.push(other);
            }
        }
        world.0.insert((machine, source), said.clone());
        for other in &said.depends_on {
            world.0.entry((*other, source)).or_default();
        }
    }
    let (name, kind) = SOURCES[source];
    let claims: Vec<Claim> = world
        .0
        .iter()
        .filter(|((_, by), _)| *by == source)
        .map(|((machine, _), said)| claim_of(*machine, source, said))
        .collect();
    match kind {
        SourceKind::Agent => {
            bench.report(name, vec![section("one", &claims)]);
        }
        SourceKind::Import | SourceKind::Person | SourceKind::Connector | SourceKind::Rule => {
            let applied = bench.apply(named(name, kind), claims, false).expect("taken");
            let refused =
                outcomes(&applied).into_iter().filter(|outcome| outcome.contains("refused")).count();
            assert_eq!(refused, 0, "{applied:?}");
        }
    }
    Ok(())
}

/// Somebody erases an attribute of a machine, from every revision there is.
fn purge(
    u: &mut Unstructured<'_>,
    bench: &Bench,
    world: &mut World,
    worlds: &mut BTreeMap<Revision, World>,
) -> Result<()> {
    let (machine, attribute) = (u.int_in_range(0..=MACHINES - 1)?, *u.choose(&ATTRIBUTES)?);
    let Some(source) = (0..SOURCES.len()).find(|source| world.0.contains_key(&(machine, *source))) else {
        return Ok(());
    };
    let held =
        world.holds(machine, attribute) || worlds.values().any(|world| world.holds(machine, attribute));
    let id = bench.find(&key_of(machine, source)).id;
    let purged = bench.purge(id, attribute, Purging::Erase, false);
    assert_eq!(purged.is_ok(), held, "{machine} {attribute}: {purged:?}");
    if held {
        worlds.values_mut().for_each(|world| world.erase(machine, attribute, &[0, 1, 2]));
        // The machines go on saying it; nobody listens.
        world.erase(machine, attribute, &[PERSON]);
        world.1.insert((machine, attribute));
    }
    Ok(())
}

#[test]
fn every_revision_shows_what_a_plain_model_says() {
    arbtest::arbtest(|u| {
        let bench = bench();
        let mut world = World::default();
        let mut worlds = BTreeMap::from([(bench.head(), World::default())]);
        for _ in 0..u.int_in_range(1..=10)? {
            match u.int_in_range(0..=6)? {
                0 => purge(u, &bench, &mut world, &mut worlds)?,
                1 => {
                    let horizon = Revision(u.int_in_range(0..=bench.head().0)?);
                    bench.compact(horizon).expect("compacted");
                    let oldest =
                        bench.cmdb.reader().and_then(|reader| reader.oldest_kept()).expect("readable");
                    worlds.retain(|revision, _| *revision >= oldest);
                }
                _ => step(u, &bench, &mut world)?,
            }
            assert_eq!(shown(&bench, When::Now), world.lines());
            worlds.insert(bench.head(), world.clone());
        }
        let bench = if u.arbitrary()? { bench.reopen() } else { bench };
        for (revision, world) in &worlds {
            let when = When::Revision(Revision(revision.0));
            assert_eq!(shown(&bench, when), world.lines(), "as of {revision}");
        }
        Ok(())
    })
    .budget_ms(6_000);
}
