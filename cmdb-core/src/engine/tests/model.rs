//! The engine against a plain model in memory: who says what, the best source wins, and every revision as it was.
//!
//! The model knows nothing of tables, logs, indexes or graphs. It keeps what each source said last of each key, and a
//! copy of everything for each revision. Keys are shared by no two sources and identifiers by no two keys, so that
//! which item is meant is never in question; identification has tests of its own.

use std::collections::BTreeMap;

use arbtest::arbitrary::{Result, Unstructured};

use super::harness::*;
use crate::claim::Claim;
use crate::engine::When;
use crate::model::{Item, Revision, SourceKind};

/// Who speaks; each calls a machine by a name of its own, and says its serial number.
const SOURCES: [(&str, SourceKind); 3] =
    [("person-ann", SourceKind::Person), ("agent-1", SourceKind::Agent), ("files", SourceKind::Import)];
const ATTRIBUTES: [&str; 3] = ["description", "host_name", "location"];
const MACHINES: u8 = 4;

/// What one source says of one machine.
#[derive(Clone, PartialEq, Debug, Default)]
struct Said {
    attributes: BTreeMap<&'static str, String>,
    depends_on: Vec<u8>,
}

/// What everybody says: (machine, source) → claim.
#[derive(Clone, Default)]
struct World(BTreeMap<(u8, usize), Said>);

impl World {
    /// A machine knows itself best; what people agree on, the files know better.
    fn effective(&self, machine: u8, attribute: &str) -> Option<&String> {
        let order = if attribute == "description" { [0, 2, 1] } else { [0, 1, 2] };
        order.iter().find_map(|source| self.0.get(&(machine, *source))?.attributes.get(attribute))
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

#[test]
fn every_revision_shows_what_a_plain_model_says() {
    arbtest::arbtest(|u| {
        let bench = bench();
        let mut world = World::default();
        let mut worlds = BTreeMap::from([(bench.head(), World::default())]);
        for _ in 0..u.int_in_range(1..=10)? {
            step(u, &bench, &mut world)?;
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
