//! What depends on what: the live graph asked by `cmdb-impact`, with the names of the store.
//!
//! A question sees the graph and the store of one moment, or what a scenario makes of them. Invariant: an answer that
//! leaves something out says so.

mod availability;
mod blast;
mod cold_start;
mod critical;
mod depends;
mod impact;
mod narrow;
mod neighbours;
mod shown;
mod stage;
mod trace;
mod words;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Coverage, Label, Reader};
use cmdb_core::graph::{GateIndex, Graph, Index, TypeIndex};
use cmdb_core::model::schema::{Failure, Schema};
use cmdb_core::model::{ItemId, Revision, Timestamp};

pub use availability::{
    AVAILABILITY_LISTED, AVAILABILITY_LISTED_MAX, AvailabilityAnswer, AvailabilityAsk, Figure, Uptime,
};
pub use blast::{
    BLAST_DEFAULT, BLAST_MAX, Basis, Blast, BlastAnswer, BlastAsk, BlastOrder, Figures, Kept, Weighted,
    weight,
};
pub use cold_start::{COLD_START_LISTED, COLD_START_LISTED_MAX, ColdStartAnswer, ColdStartAsk};
pub use critical::{CRITICAL_LISTED, CRITICAL_LISTED_MAX, CriticalAnswer, CriticalAsk};
pub use depends::{DependsAnswer, Needed};
pub use impact::{AffectedItem, AssumedGroup, ImpactAnswer, Show};
pub use narrow::{Narrow, Over};
pub use neighbours::{DEPTH_MAX, EDGES_DEFAULT, EDGES_MAX, NeighboursAnswer, NeighboursAsk};
pub use shown::Shown;
pub use stage::{Scene, Stage, Staged, scene};
pub use trace::{CHAINS_DEFAULT, StepAnswer, TraceAnswer, TraceAsk};

use super::{Error, labels_of};
use stage::Imagined;

/// The class whose items are asked about when none is named.
const SERVICE: &str = "service";
/// Items that one question may be about.
pub const SEEDS_MAX: usize = 10_000;
/// Items that one answer lists at most, and when nobody says how many.
pub const LISTED_MAX: usize = 1_000_000;

/// A question about what is reached from some items.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The items, as people name them.
    pub items: Vec<String>,
    /// What is taken to be down already. Only of an impact.
    pub down: Vec<String>,
    /// The graph.
    pub stage: Stage,
    /// Which items are listed and counted.
    pub shown: Shown,
    /// Relationships from a seed at most; `None`: any.
    pub depth: Option<u32>,
    /// Items listed at most; `None`: count only.
    pub listed_max: Option<usize>,
}

/// The moment that an answer speaks of.
#[derive(Clone, Copy, Debug)]
pub struct AsOf {
    /// The revision.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

impl AsOf {
    /// The moment that a reader shows.
    pub fn of(reader: &Reader) -> AsOf {
        AsOf { revision: reader.revision(), recorded_at: reader.recorded_at() }
    }
}

/// What carried something from one item to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carrier {
    /// The item it came from.
    pub item: ItemId,
    /// The relationship's type.
    pub kind: String,
    /// The redundancy group; empty: none.
    pub group: String,
    /// Nobody who was heard in time says that the relationship exists.
    pub stale: bool,
}

/// The graph and the store at one moment, or in a scenario on it.
struct Moment<'a> {
    graph: &'a Graph,
    reader: &'a Reader,
    imagined: Option<&'a Imagined>,
    /// Which relationships the question wants.
    narrow: &'a Narrow,
    /// How many of those that it could have gone over are not in the graph any more, because it does not want them.
    left_out: u64,
    /// Whether any relationship is stale, once somebody asked.
    any_stale: Cell<Option<bool>>,
}

/// One relationship of the graph.
#[derive(Clone, Copy)]
struct Joint {
    dependent: Index,
    provider: Index,
    kind: TypeIndex,
    gate: Option<GateIndex>,
}

impl Moment<'_> {
    fn as_of(&self) -> AsOf {
        AsOf::of(self.reader)
    }

    /// Whether an item is of a class that is listed.
    fn shows(&self, shown: &Shown, item: Index) -> bool {
        shown.shows(self.reader.schema(), self.graph.class(item))
    }

    /// The items that the question names, each once.
    fn seeds(&self, texts: &[String]) -> Result<Vec<Seed>, Error> {
        if texts.is_empty() || texts.len() > SEEDS_MAX {
            return Err(Error::OutOfRange {
                what: "the number of items",
                expected: format!("1 to {SEEDS_MAX}"),
                given: texts.len().to_string(),
            });
        }
        let mut seeds: Vec<Seed> = Vec::new();
        let mut seen = BTreeSet::new();
        for text in texts {
            let id = self.resolve(text)?;
            if seen.insert(id) {
                seeds.push(Seed { id, index: self.graph.index(id) });
            }
        }
        Ok(seeds)
    }

    /// What counts as down before anything is asked: the items that are named, and those in maintenance.
    fn down(&self, texts: &[String]) -> Result<Vec<Seed>, Error> {
        let mut down = if texts.is_empty() { Vec::new() } else { self.seeds(texts)? };
        let mut known: BTreeSet<ItemId> = down.iter().map(|seed| seed.id).collect();
        for id in self.reader.in_maintenance()? {
            if known.insert(id) {
                down.push(Seed { id, index: self.graph.index(id) });
            }
        }
        Ok(down)
    }

    fn resolve(&self, text: &str) -> Result<ItemId, Error> {
        let imagined = self.imagined.map(|imagined| imagined.resolve(text)).transpose()?.flatten();
        imagined.map_or_else(|| Ok(self.reader.resolve(text)?), Ok)
    }

    fn label(&self, id: ItemId) -> Result<Label, Error> {
        self.labels(&[id])?.pop().ok_or(Error::Internal)
    }

    fn labels(&self, ids: &[ItemId]) -> Result<Vec<Label>, Error> {
        let labels = self.labels_by_id(ids)?;
        Ok(ids.iter().filter_map(|id| labels.get(id).cloned()).collect())
    }

    fn labels_by_id(&self, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Label>, Error> {
        let mut labels = labels_of(self.reader, ids)?;
        if let Some(imagined) = self.imagined {
            labels.extend(ids.iter().filter_map(|id| Some((*id, imagined.label(*id)?.clone()))));
        }
        Ok(labels)
    }

    fn group(&self, gate: Option<GateIndex>) -> String {
        gate.map_or_else(String::new, |gate| self.graph.gate(gate).name().to_owned())
    }

    /// What carried a walk over `joint` to `item`.
    fn carrier(&self, item: Index, joint: Joint) -> Result<Carrier, Error> {
        Ok(Carrier {
            item: self.graph.id(item),
            kind: self.graph.type_name(joint.kind).to_owned(),
            group: self.group(joint.gate),
            stale: self.is_stale(joint)?,
        })
    }

    /// Whether nobody who was heard in time says that a relationship exists.
    fn is_stale(&self, joint: Joint) -> Result<bool, Error> {
        // The usual case: every relationship is confirmed, and none has to be looked up.
        let any = match self.any_stale.get() {
            Some(any) => any,
            None => self.coverage()?.stale_relationships > 0,
        };
        self.any_stale.set(Some(any));
        if !any {
            return Ok(false);
        }
        let (dependent, provider) = (self.graph.id(joint.dependent), self.graph.id(joint.provider));
        let kind = self.graph.type_name(joint.kind);
        let (from, to) = written(self.reader.schema(), kind, dependent, provider);
        match self.reader.related(from, kind, to)? {
            Some(relationship) => Ok(self.reader.evidence(&relationship)?.stale),
            None => Ok(false),
        }
    }

    fn coverage(&self) -> Result<Coverage, Error> {
        Ok(self.reader.coverage()?)
    }
}

/// The ends of a relationship of this type as it is written: from and to.
fn written(schema: &Schema, kind: &str, dependent: ItemId, provider: ItemId) -> (ItemId, ItemId) {
    let declared = schema.relationship_type(kind);
    match declared.is_none_or(|declared| declared.failure != Failure::SourceToTarget) {
        true => (dependent, provider),
        false => (provider, dependent),
    }
}

/// An item that a question is about.
#[derive(Clone, Copy)]
struct Seed {
    id: ItemId,
    /// `None`: the graph does not know it, so nothing is related to it.
    index: Option<Index>,
}

fn ids(seeds: &[Seed]) -> Vec<ItemId> {
    seeds.iter().map(|seed| seed.id).collect()
}

fn indexes(seeds: &[Seed]) -> Vec<Index> {
    seeds.iter().filter_map(|seed| seed.index).collect()
}
