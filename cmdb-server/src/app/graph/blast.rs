//! How many items each item could take with it, redundancy set aside; and how critical these are.
//!
//! All figures are made at once and kept. A question is answered from what is kept, which says the revision that it is
//! exact for; where that is not the newest, a thread of its own makes it anew and nobody waits. Only the very first
//! question waits, and those about another moment; whoever else asks the same meanwhile waits for it too. Figures that
//! nobody waits for any more are not made. Invariant: the figures of one answer are of one revision.

mod figures;
mod kept;
mod weighted;

use std::collections::BTreeMap;
use std::sync::Arc;

use cmdb_core::engine::{Label, Reader, When};
use cmdb_core::model::{ItemId, Revision};
use cmdb_impact::Progress;
use cmdb_impact::criticality::LEVELS;

pub use figures::Figures;
pub use kept::Kept;
pub use weighted::{Basis, Weighted, weight};

use super::AsOf;
use crate::app::{App, Asker, Error, labels_of};

/// Items listed when nobody says how many.
pub const BLAST_DEFAULT: usize = 20;
/// Items listed at most.
pub const BLAST_MAX: usize = 100_000;

/// A question about the items that could take most with them.
#[derive(Clone, Copy, Debug)]
pub struct BlastAsk {
    /// The moment.
    pub when: When,
    /// Items listed at most.
    pub top: usize,
    /// In what order.
    pub order: BlastOrder,
}

/// Which items are the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlastOrder {
    /// Those that could take the most items with them.
    ByItems,
    /// Those that could take the most with them, where an item counts the more the more critical it is.
    ByCriticality,
}

/// The items that could take most with them.
pub struct BlastAnswer {
    /// The moment for which the figures are exact.
    pub as_of: AsOf,
    /// The newest revision.
    pub head: Revision,
    /// Largest first.
    pub items: Vec<Blast>,
    /// How many items could take any other with them.
    pub total: u64,
    /// What the weights rest on; none: nothing is weighed.
    pub basis: Option<Basis>,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
}

/// What one item could take with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blast {
    /// Which item.
    pub id: ItemId,
    /// How many others.
    pub items: u64,
    /// How many of each level of criticality, the most critical first; none: nothing is weighed.
    pub by_level: Option<[u32; LEVELS]>,
}

impl App {
    /// The items that could take most with them.
    ///
    /// # Errors
    /// When the moment is not to be had.
    pub async fn blast_radius(&self, ask: BlastAsk, progress: Arc<Progress>) -> Result<BlastAnswer, Error> {
        let engine = self.engine.clone();
        let (blast, weighted) = (Arc::clone(&self.blast), Arc::clone(&self.weighted));
        let asker = Asker::of(&progress);
        let work = self.work(move || match ask.order {
            BlastOrder::ByItems => {
                let (reader, figures) = blast.figures(&engine, ask.when, &progress)?;
                plain(&reader, &figures, ask.top)
            }
            BlastOrder::ByCriticality => {
                let (reader, figures) = weighted.figures(&engine, ask.when, &progress)?;
                weighed(&reader, &figures, ask.top)
            }
        });
        let answered = work.await;
        drop(asker);
        answered
    }
}

fn plain(reader: &Reader, figures: &Figures, top: usize) -> Result<BlastAnswer, Error> {
    let largest = figures.largest().take(top);
    let items = largest.map(|(id, count)| Blast { id, items: count.into(), by_level: None }).collect();
    answer(reader, figures.as_of, items, figures.total(), None)
}

fn weighed(reader: &Reader, figures: &Weighted, top: usize) -> Result<BlastAnswer, Error> {
    let heaviest = figures.heaviest.iter().take(top);
    let items = heaviest.map(|(id, by_level)| Blast {
        id: *id,
        items: by_level.iter().copied().map(u64::from).sum(),
        by_level: Some(*by_level),
    });
    let (items, total) = (items.collect(), figures.heaviest.len() as u64);
    answer(reader, figures.as_of, items, total, Some(figures.basis.clone()))
}

fn answer(
    reader: &Reader,
    as_of: AsOf,
    items: Vec<Blast>,
    total: u64,
    basis: Option<Basis>,
) -> Result<BlastAnswer, Error> {
    let assumed = basis.iter().flat_map(|basis| &basis.services).copied();
    let ids: Vec<ItemId> = items.iter().map(|blast| blast.id).chain(assumed).collect();
    Ok(BlastAnswer { as_of, head: reader.revision(), items, total, basis, labels: labels_of(reader, &ids)? })
}
