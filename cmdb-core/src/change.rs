//! The commit: the only way to alter anything.
//!
//! A [`Draft`] is a commit in the making on top of a store transaction. It reads what is there and what it wrote
//! itself, keeps indexes in step with items, and at the end writes what really changed: versions, relationships,
//! the log. Knows nothing of claims' meaning; the engine decides, the draft records.
//!
//! Definitions: a *change* is a new version of an item or of a relationship; it stands in the log under its
//! [`Place`](crate::store::key::Place) and points to the change before it on the same item.
//!
//! Invariants:
//! - what is put equal to what is there leaves no change;
//! - indexes hold exactly what the items say;
//! - an outgoing relationship and its incoming end are written together;
//! - the hash of a commit covers the hash of the one before it and every change;
//! - a row of the log is dropped by a compaction alone, and replaced by a purge alone, whose commit covers what stood there and what stands there.

mod adjacency;
mod chain;
mod draft;
mod erase;
mod hash;
mod index;
mod late;
mod made;
mod rows;
mod units;
mod write;

pub(crate) use adjacency::{all as all_edges, find_edge};
pub(crate) use chain::linked;
pub(crate) use draft::edge_record;
pub use draft::{CHANGES_KEPT_MAX, Draft, Sealed, Start, Waiting};
pub use erase::VERSIONS_MAX;
pub(crate) use hash::{
    ChangesHash, ReplacedHash, all_replaced, besides, changes_before, commit_hash, digest_before, head_of,
    head_replaced,
};
pub(crate) use index::index_rows;
pub use index::{claim_identifiers, item_identifiers};
pub(crate) use write::{commit_header, place_of, purged_in, read_change, read_version};

use crate::model::{Item, Relationship, Revision, Timestamp};

/// Who asks for a change, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Actor {
    /// A person's or a source's name.
    pub name: String,
    /// Why; may be empty.
    pub reason: String,
}

/// One thing that a commit changed.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// An item; `before` is `None` when it was created.
    Item {
        /// The version before.
        before: Option<Box<Item>>,
        /// The version made.
        after: Box<Item>,
    },
    /// A relationship; at least one side is set.
    Relationship {
        /// The version before.
        before: Option<Box<Relationship>>,
        /// The version made; `None`: removed.
        after: Option<Box<Relationship>>,
    },
}

/// The head of a commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommitHeader {
    /// Its place.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who, and why.
    pub actor: Actor,
    /// How many changes it made.
    pub changes: u64,
    /// Chained with the commit before.
    pub hash: [u8; 32],
}
