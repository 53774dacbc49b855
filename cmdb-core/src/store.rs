//! Where everything is kept: ordered tables, one writer, snapshots, durable commits in one order.
//!
//! Knows bytes and tables, not items; [`record`] says what the bytes mean and [`key`] how they are ordered.
//! Nothing above the trait knows which implementation runs.
//!
//! Definitions: a *table* maps byte strings to byte strings, in order of the keys. The *head* is the revision of
//! the last commit. An *epoch* counts the openings for writing, so that a writer that lost its place is refused.
//!
//! Invariants:
//! - a commit is whole or not there, and durable when `commit` returns;
//! - a snapshot never changes, whatever is committed after it;
//! - a transaction begun on a head that has moved, or under an older epoch, fails with [`StoreError::Moved`].

pub mod backup;
mod batch;
#[cfg(test)]
pub(crate) mod disk;
mod guard;
pub mod key;
pub mod record;
mod redb_store;
pub(crate) mod runs;
pub(crate) mod scratch;

pub use backup::restore;
pub use batch::Batch;
pub use redb_store::RedbStore;

use crate::model::Revision;

/// The format of what is on disk. A store of an older format is migrated on opening; a newer one is refused.
pub const FORMAT: u32 = 2;

/// The most rows one `scan` returns, whatever it is asked for.
pub const SCAN_ROWS_MAX: usize = 65_536;

/// The tables. The number is part of the backup format and never changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Table {
    /// Single facts about the store: format, head, epoch, counters.
    Meta = 0,
    /// revision → commit header.
    Commits = 1,
    /// (revision, sequence) → change.
    Changes = 2,
    /// item → where its current version and its last change stand in `Changes`.
    Items = 3,
    /// (from, type, to) chunks → packed relationships.
    Outgoing = 4,
    /// (to, type, from) chunks → packed names of relationships.
    Incoming = 5,
    /// (kind, key, source) → what became of that unit of that source, of units that are about an item.
    Units = 6,
    /// (source, scope, kind, key) → something, or nothing once it is withdrawn: which items a scope names.
    ScopeUnits = 7,
    /// source → name, kind, what it last reported.
    Sources = 8,
    /// digest of an identifier → items that have it.
    Identifiers = 9,
    /// (attribute, value, item): indexed attributes.
    Attributes = 10,
    /// (class, item).
    Classes = 11,
    /// match → a reference that waits for, or holds on to, the one item that matches.
    Matches = 12,
    /// (attribute, value, match): which matches an attribute's change may concern.
    Probes = 13,
    /// (due, subject): what time will change.
    Timers = 14,
    /// (source, scope) → digest, completeness.
    Scopes = 15,
    /// (source, scope, time bucket): last seen; a stream, outside the hash chain.
    Presence = 16,
    /// digest → schema texts under which commits were made.
    Schemas = 17,
    /// name → a scenario: edits that were never made.
    Scenarios = 18,
    /// (target item, place): changes of relationships written to an item, which its own chain does not hold.
    Arrivals = 19,
    /// (place, revision of a purge) → what a purge put in place of a row of the log: digest before, digest after.
    Replaced = 20,
    /// (source, scope, kind, key) → when an incomplete section last named that unit.
    Heard = 21,
    /// name → a moment that is kept for good.
    Baselines = 22,
    /// "state" → how far the history is compacted; "setting" → for how long it is kept.
    Retention = 23,
    /// place of a change that was dropped → where its item's chain goes on; empty: it ends.
    Skips = 24,
    /// (source, kind, key) → what became of that unit, of units that are about relationships or a group alone.
    EdgeUnits = 25,
    /// What the server keeps of its own: tokens and agents. Beside the log; the engine reads none of it.
    Enrolment = 26,
}

impl Table {
    /// All of them, in order.
    pub const ALL: [Table; 27] = [
        Table::Meta,
        Table::Commits,
        Table::Changes,
        Table::Items,
        Table::Outgoing,
        Table::Incoming,
        Table::Units,
        Table::ScopeUnits,
        Table::Sources,
        Table::Identifiers,
        Table::Attributes,
        Table::Classes,
        Table::Matches,
        Table::Probes,
        Table::Timers,
        Table::Scopes,
        Table::Presence,
        Table::Schemas,
        Table::Scenarios,
        Table::Arrivals,
        Table::Replaced,
        Table::Heard,
        Table::Baselines,
        Table::Retention,
        Table::Skips,
        Table::EdgeUnits,
        Table::Enrolment,
    ];

    /// Its name on disk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Commits => "commits",
            Table::Changes => "changes",
            Table::Items => "items",
            Table::Outgoing => "outgoing",
            Table::Incoming => "incoming",
            Table::Units => "units",
            Table::ScopeUnits => "scope_units",
            Table::Sources => "sources",
            Table::Identifiers => "identifiers",
            Table::Attributes => "attributes",
            Table::Classes => "classes",
            Table::Matches => "matches",
            Table::Probes => "probes",
            Table::Timers => "timers",
            Table::Scopes => "scopes",
            Table::Presence => "presence",
            Table::Schemas => "schemas",
            Table::Scenarios => "scenarios",
            Table::Arrivals => "arrivals",
            Table::Replaced => "replaced",
            Table::Heard => "heard",
            Table::Baselines => "baselines",
            Table::Retention => "retention",
            Table::Skips => "skips",
            Table::EdgeUnits => "edge_units",
            Table::Enrolment => "enrolment",
        }
    }
}

/// A row: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Which rows a scan returns: those with `from <= key < to`.
#[derive(Clone, Debug)]
pub struct Range {
    /// The first key.
    pub from: Vec<u8>,
    /// The first key beyond; `None`: to the end of the table.
    pub to: Option<Vec<u8>>,
    /// From which end.
    pub order: Order,
}

/// From which end a scan begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// From the smallest key.
    Ascending,
    /// From the largest key.
    Descending,
}

impl Range {
    /// Every row.
    #[must_use]
    pub fn all() -> Range {
        Range { from: Vec::new(), to: None, order: Order::Ascending }
    }

    /// The rows whose key begins with `prefix`.
    #[must_use]
    pub fn prefix(prefix: Vec<u8>) -> Range {
        let to = key::after_prefix(&prefix);
        Range { from: prefix, to, order: Order::Ascending }
    }

    /// The same rows, beginning after `last`.
    #[must_use]
    pub fn after(mut self, last: &[u8]) -> Range {
        self.from = last.to_vec();
        self.from.push(0);
        self
    }

    /// The same rows from the other end.
    #[must_use]
    pub fn descending(mut self) -> Range {
        self.order = Order::Descending;
        self
    }
}

/// Reading, from a snapshot or from within a transaction.
pub trait Read {
    /// The values of the keys, in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;

    /// At most `limit` rows (and at most [`SCAN_ROWS_MAX`]) of a range.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn scan(&self, table: Table, range: &Range, limit: usize) -> Result<Vec<Row>, StoreError>;

    /// The first row of each of the ranges, in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn first_of_each(&self, table: Table, ranges: &[Range]) -> Result<Vec<Option<Row>>, StoreError>;

    /// The value of one key.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get_many(table, &[key.to_vec()])?.pop().flatten())
    }
}

/// Calls `row` for every row of a range, a page at a time.
///
/// # Errors
/// When the store cannot be read, or `row` fails.
pub fn for_each<E: From<StoreError>>(
    read: &dyn Read,
    table: Table,
    range: Range,
    mut row: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    const PAGE: usize = 4_096;
    let mut range = range;
    loop {
        let rows = read.scan(table, &range, PAGE)?;
        for (key, value) in &rows {
            row(key, value)?;
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE => range = range.after(last),
            _ => return Ok(()),
        }
    }
}

/// A moment of the store that stays as it is.
pub trait Snapshot: Read + Send + Sync {
    /// The revision it shows.
    fn head(&self) -> Revision;
}

/// One atomic change in the making. Reads see what it wrote. Dropping it undoes it.
pub trait Transaction: Read {
    /// Writes.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes it durable, as revision `head`: the present one, when only streams were written, or the next.
    ///
    /// # Errors
    /// When it could not be made durable; then it is not there.
    fn commit(self: Box<Self>, head: Revision) -> Result<(), StoreError>;
}

/// A store.
pub trait Store: Send + Sync {
    /// The present moment.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Begins a transaction; waits for another to end.
    ///
    /// # Errors
    /// [`StoreError::Moved`] when the head is not `expected_head` or the epoch not `epoch`.
    fn begin(&self, expected_head: Revision, epoch: u64) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// Takes the place of the one writer; the epoch to begin transactions with.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn claim_writer(&self) -> Result<u64, StoreError>;

    /// The kind of store, where it is, and how many bytes it takes there.
    fn describe(&self) -> Description;
}

/// One commit in one call.
///
/// # Errors
/// As [`Store::begin`] and [`Transaction::commit`].
pub fn commit(
    store: &dyn Store,
    expected_head: Revision,
    epoch: u64,
    batch: &Batch,
    head: Revision,
) -> Result<(), StoreError> {
    let mut transaction = store.begin(expected_head, epoch)?;
    transaction.write(batch)?;
    transaction.commit(head)
}

/// What a store is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// redb
    pub kind: &'static str,
    /// Where it is.
    pub place: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Why it cannot be written until it is opened anew; `None`: it can.
    pub read_only: Option<String>,
}

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{place} is in use by another process: stop that server, or give this one another --data")]
    Locked {
        /// The file.
        place: String,
    },
    /// A newer program wrote it.
    #[error("{place} has format {found}, and this program reads up to format {FORMAT}: use a newer program")]
    Newer {
        /// The file.
        place: String,
        /// Its format.
        found: u32,
    },
    /// It is not one of ours, or damaged beyond reading.
    #[error("{place} is not a store of this program, or is damaged: {detail}")]
    NotAStore {
        /// The file.
        place: String,
        /// What was seen.
        detail: String,
    },
    /// The head or the writer has changed since.
    #[error(
        "the store has moved: expected revision {expected}, epoch {epoch}; found revision {found}, epoch {found_epoch}"
    )]
    Moved {
        /// The revision the writer knew.
        expected: Revision,
        /// The writer's epoch.
        epoch: u64,
        /// The revision there is.
        found: Revision,
        /// The epoch there is.
        found_epoch: u64,
    },
    /// A record that does not decode, or a pointer that leads nowhere.
    #[error("a record of table {table} is damaged: {detail}; restore a backup, and run verify")]
    Damaged {
        /// The table.
        table: &'static str,
        /// What was seen.
        detail: String,
    },
    /// The input of a restore is not a whole backup.
    #[error("this is not a whole backup: {detail}")]
    NotABackup {
        /// What was seen.
        detail: String,
    },
    /// It could not be written, and is not any more: what was acknowledged is kept, and can be read.
    #[error(
        "the store cannot be written any more, because {cause}; what was acknowledged before is kept and can be \
         read; mend the disk and restart the server"
    )]
    ReadOnly {
        /// What failed first.
        cause: String,
    },
    /// Reading or writing failed.
    #[error("{doing} failed: {detail}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system or the store said.
        detail: String,
    },
}
