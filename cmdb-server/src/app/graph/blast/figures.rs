//! How many items each item could take with it.

use std::cmp::Reverse;

use cmdb_core::engine::Reader;
use cmdb_core::model::{ItemId, Revision};
use cmdb_impact::{Condensed, Progress};

use super::kept::Made;
use crate::app::Error;
use crate::app::graph::AsOf;

/// The figures of one revision.
pub struct Figures {
    /// The moment for which they are exact.
    pub as_of: AsOf,
    /// Of every item, by id.
    counts: Vec<(ItemId, u32)>,
    /// Where in that list the items are that reach any other: largest first, then by id.
    largest: Vec<u32>,
}

impl Made for Figures {
    const NAME: &'static str = "blast radius";

    fn make(reader: &Reader, progress: &Progress) -> Result<Figures, Error> {
        let graph = reader.graph();
        let condensed = Condensed::of(graph, progress).ok_or(Error::Gone)?;
        let counted = condensed.counts(progress).ok_or(Error::Gone)?;
        let named = graph.indexes().zip(counted).map(|(item, count)| (graph.id(item), count));
        let mut counts: Vec<(ItemId, u32)> = named.collect();
        counts.sort_unstable();
        let mut largest: Vec<u32> =
            (0..).zip(&counts).filter(|(_, (_, count))| *count > 0).map(|(place, _)| place).collect();
        largest.sort_by_key(|place| Reverse(counts[*place as usize].1));
        Ok(Figures { as_of: AsOf::of(reader), counts, largest })
    }

    fn revision(&self) -> Revision {
        self.as_of.revision
    }
}

impl Figures {
    /// The items that could take any other with them, largest first.
    pub fn largest(&self) -> impl Iterator<Item = (ItemId, u32)> {
        self.largest.iter().map(|place| self.counts[*place as usize])
    }

    /// How many these are.
    pub fn total(&self) -> u64 {
        self.largest.len() as u64
    }

    /// Of one item; none: it was not there yet.
    pub fn of(&self, id: ItemId) -> Option<u32> {
        let place = self.counts.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        Some(self.counts[place].1)
    }
}
