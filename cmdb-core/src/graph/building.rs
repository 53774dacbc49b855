//! A graph in the making, from nothing: each fact is taken in as it comes, so that no list of all of them is needed.

use super::parts::Parts;
use super::{Delta, Graph};
use crate::model::Revision;

/// A graph in the making.
pub struct Building {
    parts: Parts,
}

impl Default for Building {
    fn default() -> Self {
        Building { parts: Parts::new(Default::default(), Default::default()) }
    }
}

impl Building {
    /// Takes in one fact. Of several about one thing the last one counts.
    pub fn add(&mut self, delta: Delta) {
        self.parts.take(delta);
    }

    /// The graph of all facts.
    #[must_use]
    pub fn finish(self, revision: Revision) -> Graph {
        self.parts.assemble(revision)
    }
}
