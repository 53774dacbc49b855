//! What is directly related to an item, up to a depth. Read from the store: also what carries no failure.

use std::collections::BTreeMap;

use cmdb_core::engine::{Direction, Evidence, Label, Wanted, When};
use cmdb_core::model::{ItemId, Relationship};

use super::narrow::check_type;
use super::{AsOf, Shown};
use crate::app::{App, Error, labels_of};

/// Relationships from the item at most.
pub const DEPTH_MAX: u32 = 10;
/// Relationships listed when nobody says how many.
pub const EDGES_DEFAULT: usize = 1_000;
/// Relationships listed at most.
pub const EDGES_MAX: usize = 100_000;

/// A question about what is around an item.
pub struct NeighboursAsk {
    /// The item, as people name it.
    pub item: String,
    /// The moment.
    pub when: When,
    /// Relationships from it at most.
    pub depth: u32,
    /// Types of relationships; empty: all.
    pub types: Vec<String>,
    /// How sure they are at least, 0 to 1.
    pub min_confidence: f64,
    /// Listed are relationships with such an item beside the one that is asked about.
    pub shown: Shown,
    /// Which way.
    pub direction: Direction,
    /// Relationships at most.
    pub limit: usize,
}

/// What is around an item.
pub struct NeighboursAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// The item.
    pub item: Label,
    /// The others.
    pub items: Vec<ItemId>,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// What relates them.
    pub relationships: Vec<(Relationship, Evidence)>,
    /// There are more than the limit.
    pub truncated: bool,
    /// Relationships that are less sure than was asked for.
    pub left_out: u64,
    /// Which relationships are listed.
    pub shown: Shown,
    /// Relationships with no such item.
    pub other_relationships: u64,
}

impl App {
    /// What is around an item.
    ///
    /// # Errors
    /// When there is no such item, or no such relationship type.
    pub async fn neighbours(&self, ask: NeighboursAsk) -> Result<NeighboursAnswer, Error> {
        let schema = self.engine.schema();
        for name in &ask.types {
            check_type(&schema, name)?;
        }
        self.read_at(ask.when, move |reader| {
            let id = reader.resolve(&ask.item)?;
            ask.shown.check(reader.schema())?;
            let wanted =
                Wanted { types: &ask.types, min_confidence: ask.min_confidence, classes: &ask.shown.classes };
            let found = reader.neighbours(id, ask.depth, ask.direction, wanted, ask.limit)?;
            let labels = labels_of(reader, &found.items)?;
            let mut relationships = Vec::with_capacity(found.relationships.len());
            for relationship in found.relationships {
                let evidence = reader.evidence(&relationship)?;
                relationships.push((relationship, evidence));
            }
            Ok(NeighboursAnswer {
                as_of: AsOf::of(reader),
                item: labels.get(&id).cloned().ok_or(Error::Internal)?,
                items: found.items.into_iter().filter(|other| *other != id).collect(),
                labels,
                relationships,
                truncated: found.truncated,
                left_out: found.left_out,
                other_relationships: found.other_classes,
                shown: ask.shown,
            })
        })
        .await
    }
}
