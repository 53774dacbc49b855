//! What stands around an item, read from the store: also what carries no failure, which the live graph does not know.
//!
//! Invariant: what is listed decides nothing about what is followed.

use std::collections::BTreeSet;

use super::Reader;
use crate::engine::request::EngineError;
use crate::model::{ItemId, Relationship};

/// The deepest that neighbours are followed.
pub const NEIGHBOURS_DEPTH_MAX: u32 = 10;
/// The most relationships around an item that are followed and not listed.
pub const NEIGHBOURS_UNLISTED_MAX: u64 = 100_000;

/// Which way relationships are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Direction {
    Outgoing,
    Incoming,
    Both,
}

/// What stands around an item.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Neighbours {
    /// The items, nearest first, the item itself included.
    pub items: Vec<ItemId>,
    /// The relationships among them that were followed.
    pub relationships: Vec<Relationship>,
    /// There are more.
    pub truncated: bool,
    /// How many were less sure than was wanted, and not followed.
    pub left_out: u64,
    /// How many were followed and are not among them, because no item of them is of a class that was wanted.
    pub other_classes: u64,
}

/// Which relationships are followed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Wanted<'a> {
    /// Of these types; none: of all.
    pub types: &'a [String],
    /// At least so sure now, 0 to 1.
    pub min_confidence: f64,
    /// Listed are only those with an item of these classes, or of those below them, beside the one that is asked about;
    /// none: all. The others are followed all the same.
    pub classes: &'a [String],
}

impl Reader {
    /// What stands around an item, over relationships of some types (none named: all). Ends early, and says so, where
    /// [`NEIGHBOURS_UNLISTED_MAX`] are followed and not listed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn neighbours(
        &self,
        id: ItemId,
        depth: u32,
        direction: Direction,
        wanted: Wanted<'_>,
        limit: usize,
    ) -> Result<Neighbours, EngineError> {
        let mut found = Neighbours { items: vec![id], ..Neighbours::default() };
        let mut seen = BTreeSet::from([id]);
        let mut named = seen.clone();
        let mut edges = BTreeSet::new();
        let mut ring = vec![id];
        for _ in 0..depth.min(NEIGHBOURS_DEPTH_MAX) {
            let mut next = Vec::new();
            for item in ring {
                for relationship in self.around(item, direction)? {
                    let of_type = wanted.types.is_empty() || wanted.types.contains(&relationship.kind);
                    let name = (relationship.from, relationship.kind.clone(), relationship.to);
                    if !of_type || relationship.denied || !edges.insert(name) {
                        continue;
                    }
                    if self.evidence(&relationship)?.confidence < wanted.min_confidence {
                        found.left_out += 1;
                        continue;
                    }
                    let listed = self.is_listed(id, &relationship, wanted.classes);
                    let full = match listed {
                        true => found.relationships.len() == limit,
                        false => found.other_classes == NEIGHBOURS_UNLISTED_MAX,
                    };
                    if full {
                        found.truncated = true;
                        return Ok(found);
                    }
                    let other = if relationship.from == item { relationship.to } else { relationship.from };
                    if seen.insert(other) {
                        next.push(other);
                    }
                    if !listed {
                        found.other_classes += 1;
                        continue;
                    }
                    for end in [item, other] {
                        if named.insert(end) {
                            found.items.push(end);
                        }
                    }
                    found.relationships.push(relationship);
                }
            }
            ring = next;
        }
        Ok(found)
    }

    /// Whether an end of a relationship, other than the item that is asked about, is of one of the classes.
    fn is_listed(&self, asked: ItemId, relationship: &Relationship, classes: &[String]) -> bool {
        let (graph, schema) = (self.graph(), self.schema());
        let of_class = |id: ItemId| {
            let class = graph.index(id).map(|index| graph.class(index));
            class.is_some_and(|class| classes.iter().any(|wanted| schema.is_a(class, wanted)))
        };
        let ends = [relationship.from, relationship.to];
        let around_itself = ends == [asked, asked];
        classes.is_empty() || ends.into_iter().any(|end| (around_itself || end != asked) && of_class(end))
    }

    fn around(&self, item: ItemId, direction: Direction) -> Result<Vec<Relationship>, EngineError> {
        let mut found = Vec::new();
        if direction != Direction::Incoming {
            found = self.outgoing(item)?;
        }
        if direction != Direction::Outgoing {
            for (kind, from) in self.incoming(item)? {
                found.extend(self.relationship(from, &kind, item)?);
            }
        }
        Ok(found)
    }
}
