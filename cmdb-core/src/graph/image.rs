//! A snapshot as bytes, and back, so that a start need not read everything that the graph was made of.
//!
//! ```text
//! names, labels, declarations, weights ┆ items ┆ rows of dependents ┆ rows of dependencies ┆ groups ┆ what waits
//! ```
//!
//! Written as the rows lie in memory, little-endian, so that reading is copying. Whoever keeps the bytes guards them
//! with a checksum and says which commit they are of and which layout they have; what is read is looked over all the
//! same, and refused where an answer could run into what is not there. Invariant: what is read back equals what was
//! written, in every answer.

mod bytes;
mod check;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io::{self, Write};

use super::Graph;
use crate::model::{Revision, Status};

const STATUSES: [Status; 4] = [Status::Active, Status::Stopped, Status::Missing, Status::Retired];

impl Graph {
    /// Writes the snapshot.
    ///
    /// # Errors
    /// When `out` does not take it.
    pub fn write_image(&self, out: &mut dyn Write) -> io::Result<()> {
        write::graph(&self.folded(), &mut bytes::Out(out))
    }

    /// The snapshot that [`write_image`](Graph::write_image) wrote; none when these bytes are not one.
    #[must_use]
    pub fn read_image(bytes: &[u8], revision: Revision) -> Option<Graph> {
        let mut input = bytes::In::new(bytes);
        let graph = read::graph(&mut input, revision)?;
        input.is_empty().then_some(graph)
    }
}
