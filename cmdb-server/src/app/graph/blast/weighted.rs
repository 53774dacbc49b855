//! How much each item could take with it, where what is more critical counts more.

use std::cmp::Reverse;

use cmdb_core::engine::Reader;
use cmdb_core::graph::Index;
use cmdb_core::model::{ItemId, Revision, Status, Value};
use cmdb_impact::criticality::{LEVELS, Level, Origin, criticality};
use cmdb_impact::{Condensed, Progress};
use rustc_hash::FxHashMap;

use super::kept::Made;
use crate::app::Error;
use crate::app::graph::{AsOf, SERVICE};

/// The attribute by which an item says how critical it is.
const ATTRIBUTE: &str = "business_criticality";
/// Items that are read together.
const READ: usize = 1_024;
/// Services that say nothing of it and are named.
const SERVICES_NAMED_MAX: usize = 16;

/// The figures of one revision.
pub struct Weighted {
    /// The moment for which they are exact.
    pub as_of: AsOf,
    /// What each item reaches, by criticality: heaviest first, then by id; without those that reach nothing.
    pub heaviest: Vec<(ItemId, [u32; LEVELS])>,
    /// What the weights rest on.
    pub basis: Basis,
}

/// Where the criticality of the items comes from.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Basis {
    /// Items that say how critical they are.
    pub declared: u64,
    /// Items that inherit it from what needs them.
    pub inherited: u64,
    /// Items that are taken to be the most critical because nothing is known.
    pub assumed: u64,
    /// Services among these that nothing known needs, by id; at most so many are named.
    pub services: Vec<ItemId>,
    /// All of them.
    pub services_total: u64,
    /// Items whose value is no number from 1 to 4, and counts for nothing.
    pub unusable: u64,
}

/// How much that weighs.
pub fn weight(by_level: &[u32; LEVELS]) -> u64 {
    Level::all().map(|level| level.weight() * u64::from(by_level[level.place()])).sum()
}

impl Made for Weighted {
    const NAME: &'static str = "weighted blast radius";

    fn make(reader: &Reader, progress: &Progress) -> Result<Weighted, Error> {
        let (graph, schema) = (reader.graph(), reader.schema());
        let said = Said::read(reader, progress)?;
        let live = |item: &Index| graph.status(*item) != Status::Retired;
        let is_service = |item: &Index| live(item) && schema.is_a(graph.class(*item), SERVICE);
        let services: Vec<Index> = graph.indexes().filter(is_service).collect();
        let critical = criticality(graph, &said.declared, &services);
        let mut basis = Basis { unusable: said.unusable, ..Basis::default() };
        for item in graph.indexes().filter(live) {
            match critical.known(item).1 {
                Origin::Declared => basis.declared += 1,
                Origin::Inherited => basis.inherited += 1,
                Origin::Assumed => basis.assumed += 1,
            }
        }
        let mut unknown: Vec<ItemId> = critical.unknown().iter().map(|item| graph.id(*item)).collect();
        unknown.sort_unstable();
        basis.services_total = unknown.len() as u64;
        unknown.truncate(SERVICES_NAMED_MAX);
        basis.services = unknown;
        let condensed = Condensed::of(graph, progress).ok_or(Error::Gone)?;
        let counts = condensed.counts_by_level(|item| critical.level(item), progress).ok_or(Error::Gone)?;
        let named = graph.indexes().zip(counts).map(|(item, counts)| (graph.id(item), counts));
        let mut heaviest: Vec<(ItemId, [u32; LEVELS])> =
            named.filter(|(_, by_level)| by_level.iter().any(|count| *count > 0)).collect();
        heaviest.sort_unstable_by_key(|(id, by_level)| (Reverse(weight(by_level)), *id));
        Ok(Weighted { as_of: AsOf::of(reader), heaviest, basis })
    }

    fn revision(&self) -> Revision {
        self.as_of.revision
    }
}

/// What items say of how critical they are.
#[derive(Default)]
struct Said {
    declared: FxHashMap<Index, Level>,
    unusable: u64,
}

impl Said {
    /// Reads the items whose class declares the attribute.
    fn read(reader: &Reader, progress: &Progress) -> Result<Said, Error> {
        let (graph, schema) = (reader.graph(), reader.schema());
        let says = |item: &Index| {
            graph.status(*item) != Status::Retired
                && schema.attribute(graph.class(*item), ATTRIBUTE).is_some()
        };
        let asked: Vec<Index> = graph.indexes().filter(says).collect();
        progress.begin("reading how critical items are", asked.len() as u64);
        let mut said = Said::default();
        for some in asked.chunks(READ) {
            if progress.is_cancelled() {
                return Err(Error::Gone);
            }
            let ids: Vec<ItemId> = some.iter().map(|item| graph.id(*item)).collect();
            for (index, item) in some.iter().zip(reader.items(&ids)?) {
                let value = item.as_ref().and_then(|item| item.attribute(ATTRIBUTE));
                match value.map(|effective| level(effective.value)) {
                    Some(Some(level)) => drop(said.declared.insert(*index, level)),
                    Some(None) => said.unusable += 1,
                    None => {}
                }
            }
            progress.advance(some.len() as u64);
        }
        Ok(said)
    }
}

fn level(value: &Value) -> Option<Level> {
    match value {
        Value::Integer(number) => Level::new(*number),
        _ => None,
    }
}
