//! The embedded store: one redb file.

mod ordered;
mod recent;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{
    Database, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata,
    TableDefinition, WriteTransaction,
};

use super::guard::{Guard, Health};
use super::{
    Batch, Description, FORMAT, Order, Range, Read, Row, SCAN_ROWS_MAX, Snapshot, Store, StoreError, Table,
    Transaction,
};
use crate::model::Revision;

/// The store's file within the data directory.
const FILE: &str = "cmdb.redb";

/// What the file is called while it is made.
const UNFINISHED: &str = "unfinished";

/// What the file is called that a compaction writes.
const BESIDE: &str = "compacting";

/// How much of the file redb keeps in memory, in bytes: what a million items change at random places.
const CACHE_BYTES: usize = 512 << 20;

const FORMAT_KEY: &[u8] = b"format";
const HEAD_KEY: &[u8] = b"head";
const EPOCH_KEY: &[u8] = b"epoch";

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

fn definition(table: Table) -> Definition {
    TableDefinition::new(table.name())
}

/// A store in one redb file.
///
/// When the file can no longer be written, the store stays as it was at the last durable commit until it is opened
/// anew.
pub struct RedbStore {
    database: Database,
    path: PathBuf,
    health: Arc<Health>,
    /// The last durable commit, while the next one is on its way and when that failed.
    last: Mutex<Option<Arc<ReadTransaction>>>,
    /// Where moving rows that were kept together goes on.
    next_moved: Mutex<Vec<u8>>,
}

impl RedbStore {
    /// Opens the store in a directory, or makes it.
    ///
    /// # Errors
    /// When the directory cannot be made, another process has it, or it is not a store that this program reads.
    pub fn open(directory: &Path) -> Result<RedbStore, StoreError> {
        std::fs::create_dir_all(directory).map_err(|error| StoreError::Io {
            doing: "making the data directory",
            detail: format!("{}: {error}", directory.display()),
        })?;
        let path = RedbStore::file(directory);
        if path.exists() {
            return RedbStore::open_file(&path);
        }
        // A store that is half made does not open. So it gets its name when it is whole; the lock goes with it.
        let unfinished = path.with_extension(UNFINISHED);
        let made = match RedbStore::open_file(&unfinished) {
            Err(StoreError::NotAStore { .. }) => {
                std::fs::remove_file(&unfinished).map_err(|error| io("removing a half made store", error))?;
                RedbStore::open_file(&unfinished)?
            }
            made => made?,
        };
        if path.exists() {
            // Another process was quicker, and has it.
            return Err(StoreError::Locked { place: path.display().to_string() });
        }
        std::fs::rename(&unfinished, &path).map_err(|error| io("naming the new store", error))?;
        let folder = std::fs::File::open(directory);
        folder
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io("making the new store's name durable", error))?;
        Ok(RedbStore { path, ..made })
    }

    fn open_file(path: &Path) -> Result<RedbStore, StoreError> {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| StoreError::Io {
            doing: "opening the store",
            detail: format!("{}: {error}", path.display()),
        })?;
        let backend = redb::backends::FileBackend::new(file).map_err(|error| open_error(path, error))?;
        RedbStore::with_backend(backend, path)
    }

    /// A store on whatever keeps its bytes.
    pub(super) fn with_backend(
        backend: impl redb::StorageBackend,
        path: &Path,
    ) -> Result<RedbStore, StoreError> {
        let health = Arc::new(Health::default());
        let database = redb::Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Guard::new(backend, Arc::clone(&health)))
            .map_err(|error| open_error(path, error))?;
        let store = RedbStore {
            database,
            path: path.to_owned(),
            health,
            last: Mutex::default(),
            next_moved: Mutex::default(),
        };
        store.prepare()?;
        Ok(store)
    }

    /// A store on a disk of a test.
    #[cfg(test)]
    pub(crate) fn on_disk(disk: super::disk::Disk) -> Result<RedbStore, StoreError> {
        RedbStore::with_backend(disk, Path::new("the disk of a test"))
    }

    /// Gives unused space of the file back, and with it what was deleted or replaced there: pages that are free hold
    /// what they held. So everything is written anew, beside the file, and takes its place when it is whole. The store
    /// must not be open elsewhere, and there must be room for both.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn compact(directory: &Path) -> Result<(), StoreError> {
        let store = RedbStore::open(directory)?;
        let beside = store.path.with_extension(BESIDE);
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("removing what an earlier compaction left", error));
            }
            _ => {}
        }
        let mut fresh = RedbStore::open_file(&beside)?;
        store.copy_to(&fresh)?;
        // One pass frees what the last one moved; it says when nothing is left to do.
        while fresh.database.compact().map_err(|error| io("compacting", error))? {}
        drop(fresh);
        std::fs::rename(&beside, &store.path).map_err(|error| io("naming the compacted store", error))?;
        let folder = std::fs::File::open(directory);
        folder
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io("making the compacted store's name durable", error))
    }

    fn copy_to(&self, fresh: &RedbStore) -> Result<(), StoreError> {
        let snapshot = self.snapshot()?;
        let transaction = fresh.begin_durable()?;
        for table in Table::ALL {
            let mut open =
                transaction.open_table(definition(table)).map_err(|error| io("opening a table", error))?;
            super::for_each(&*snapshot, table, Range::all(), |key, value| {
                open.insert(key, value).map(drop).map_err(|error| io("writing", error))
            })?;
        }
        fresh.commit("copying the store", transaction)
    }

    /// The store's file in a data directory.
    #[must_use]
    pub fn file(directory: &Path) -> PathBuf {
        directory.join(FILE)
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|error| io("opening the store", error))?;
        let there = transaction.list_tables().map_err(|error| io("listing the tables", error))?.count();
        for table in Table::ALL {
            transaction.open_table(definition(table)).map_err(|error| io("opening a table", error))?;
        }
        recent::count(&transaction)?;
        let found = read_number(&transaction, FORMAT_KEY)?;
        match found {
            None => write_number(&transaction, FORMAT_KEY, u64::from(FORMAT))?,
            Some(found) if found == u64::from(FORMAT) && there == Table::ALL.len() + 1 => return Ok(()),
            // Tables that came later are made, and filled by whoever knows what belongs there. Rows of an older
            // format are read as they are; from now on there may be others among them.
            Some(found) if found <= u64::from(FORMAT) => {
                write_number(&transaction, FORMAT_KEY, u64::from(FORMAT))?
            }
            Some(found) => {
                return Err(StoreError::Newer {
                    place: self.path.display().to_string(),
                    found: u32::try_from(found).unwrap_or(u32::MAX),
                });
            }
        }
        self.commit("preparing the store", transaction)
    }

    /// Makes it durable, or lets the store stand as it was before.
    fn commit(&self, doing: &'static str, transaction: WriteTransaction) -> Result<(), StoreError> {
        // What went wrong on the way leaves nothing of the transaction; dropping it undoes it.
        self.writable()?;
        let before = self.database.begin_read().map_err(|error| io("beginning to read", error))?;
        *self.last() = Some(Arc::new(before));
        let committed = transaction.commit().map_err(|error| io(doing, error));
        self.writable()?;
        *self.last() = None;
        committed
    }

    fn last(&self) -> MutexGuard<'_, Option<Arc<ReadTransaction>>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_moved(&self) -> MutexGuard<'_, Vec<u8>> {
        self.next_moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writable(&self) -> Result<(), StoreError> {
        match self.health.failure() {
            None => Ok(()),
            Some(cause) => Err(StoreError::ReadOnly { cause: cause.to_owned() }),
        }
    }

    fn begin_durable(&self) -> Result<WriteTransaction, StoreError> {
        self.writable()?;
        let mut transaction =
            self.database.begin_write().map_err(|error| io("beginning a transaction", error))?;
        // Costs a little at each commit; without it, opening after a crash walks the whole file.
        transaction.set_quick_repair(true);
        Ok(transaction)
    }
}

impl Store for RedbStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let present = self.database.begin_read().map_err(|error| io("beginning to read", error))?;
        let mut transaction = Arc::new(present);
        // Asked after beginning: what shows a commit that failed was begun after the failure.
        if self.health.failure().is_some()
            && let Some(last) = &*self.last()
        {
            transaction = Arc::clone(last);
        }
        let tables = std::array::from_fn(|_| OnceLock::new());
        let mut snapshot = RedbSnapshot { transaction, tables, recent: OnceLock::new(), head: Revision(0) };
        let head = snapshot.get(Table::Meta, HEAD_KEY)?;
        snapshot.head = Revision(head.map_or(Ok(0), |bytes| number(&bytes))?);
        Ok(Box::new(snapshot))
    }

    fn begin(&self, expected_head: Revision, epoch: u64) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let transaction = self.begin_durable()?;
        let found = Revision(read_number(&transaction, HEAD_KEY)?.unwrap_or(0));
        let found_epoch = read_number(&transaction, EPOCH_KEY)?.unwrap_or(0);
        if found != expected_head || found_epoch != epoch {
            return Err(StoreError::Moved { expected: expected_head, epoch, found, found_epoch });
        }
        let recent = recent::count(&transaction)?;
        Ok(Box::new(RedbTransaction { store: self, transaction, recent, kept_rows: [0; Table::ALL.len()] }))
    }

    fn claim_writer(&self) -> Result<u64, StoreError> {
        let transaction = self.begin_durable()?;
        let epoch = read_number(&transaction, EPOCH_KEY)?.unwrap_or(0) + 1;
        write_number(&transaction, EPOCH_KEY, epoch)?;
        self.commit("taking the writer's place", transaction)?;
        Ok(epoch)
    }

    fn describe(&self) -> Description {
        let bytes = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let read_only = self.health.failure().map(ToOwned::to_owned);
        Description { kind: "redb", place: self.path.display().to_string(), bytes, read_only }
    }
}

/// A table of a snapshot.
type Opened = ReadOnlyTable<&'static [u8], &'static [u8]>;

struct RedbSnapshot {
    transaction: Arc<ReadTransaction>,
    tables: [OnceLock<Opened>; Table::ALL.len()],
    /// `None` where nothing is kept there.
    recent: OnceLock<Option<Opened>>,
    head: Revision,
}

impl RedbSnapshot {
    fn table(&self, table: Table) -> Result<&Opened, StoreError> {
        let cell = &self.tables[table as usize];
        if let Some(open) = cell.get() {
            return Ok(open);
        }
        let open =
            self.transaction.open_table(definition(table)).map_err(|error| io("opening a table", error))?;
        Ok(cell.get_or_init(|| open))
    }

    /// What goes before the rows of a table.
    fn recent(&self, table: Table) -> Result<Option<&Opened>, StoreError> {
        if !recent::keeps(table) {
            return Ok(None);
        }
        if let Some(open) = self.recent.get() {
            return Ok(open.as_ref());
        }
        let open = self
            .transaction
            .open_table(recent::definition_of_recent())
            .map_err(|error| io("opening a table", error))?;
        let empty = open.is_empty().map_err(|error| io("reading", error))?;
        Ok(self.recent.get_or_init(|| (!empty).then_some(open)).as_ref())
    }
}

impl Read for RedbSnapshot {
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        get_from(self.table(table)?, self.recent(table)?, table, keys)
    }

    fn scan(&self, table: Table, range: &Range, limit: usize) -> Result<Vec<Row>, StoreError> {
        match self.recent(table)? {
            Some(recent) => recent::scan(self.table(table)?, recent, table, range, limit),
            None => scan_from(self.table(table)?, range, limit),
        }
    }

    fn first_of_each(&self, table: Table, ranges: &[Range]) -> Result<Vec<Option<Row>>, StoreError> {
        if self.recent(table)?.is_some() {
            return ranges.iter().map(|range| Ok(self.scan(table, range, 1)?.pop())).collect();
        }
        first_from(self.table(table)?, ranges)
    }
}

impl Snapshot for RedbSnapshot {
    fn head(&self) -> Revision {
        self.head
    }
}

/// A table of a transaction.
type OpenTable<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

struct RedbTransaction<'s> {
    store: &'s RedbStore,
    transaction: WriteTransaction,
    /// How many rows are kept before they go into their tables.
    recent: u64,
    /// How many rows of each table that is kept so were written by now.
    kept_rows: [usize; Table::ALL.len()],
}

impl RedbTransaction<'_> {
    fn open(&self, definition: Definition) -> Result<OpenTable<'_>, StoreError> {
        self.transaction.open_table(definition).map_err(|error| io("opening a table", error))
    }

    /// What goes before the rows of a table.
    fn recent(&self, table: Table) -> Result<Option<OpenTable<'_>>, StoreError> {
        let some = self.recent > 0 && recent::keeps(table);
        some.then(|| self.open(recent::definition_of_recent())).transpose()
    }
}

impl Read for RedbTransaction<'_> {
    fn get_many(&self, table: Table, keys: &[Vec<u8>]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        get_from(&self.open(definition(table))?, self.recent(table)?.as_ref(), table, keys)
    }

    fn scan(&self, table: Table, range: &Range, limit: usize) -> Result<Vec<Row>, StoreError> {
        let open = self.open(definition(table))?;
        match self.recent(table)? {
            Some(recent) => recent::scan(&open, &recent, table, range, limit),
            None => scan_from(&open, range, limit),
        }
    }

    fn first_of_each(&self, table: Table, ranges: &[Range]) -> Result<Vec<Option<Row>>, StoreError> {
        if self.recent > 0 && recent::keeps(table) {
            return ranges.iter().map(|range| Ok(self.scan(table, range, 1)?.pop())).collect();
        }
        first_from(&self.open(definition(table))?, ranges)
    }
}

impl Transaction for RedbTransaction<'_> {
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        // Beyond a failure everything stays in memory: it must not be a whole import.
        self.store.writable()?;
        // By table and key: a table is opened once, and neighbours in it are written together.
        let mut by_table: [Vec<ordered::Write<'_>>; Table::ALL.len()] = Default::default();
        for (table, key, value) in batch.writes() {
            by_table[table as usize].push((key, value));
        }
        for (table, mut rows) in Table::ALL.into_iter().zip(by_table) {
            if rows.is_empty() {
                continue;
            }
            // Often they are in order already, which costs next to nothing to find out.
            rows.sort_by_key(|(key, _)| *key);
            if recent::keeps(table) {
                self.kept_rows[table as usize] += rows.len();
                if self.kept_rows[table as usize] < recent::IN_BULK {
                    self.recent = recent::put(&self.transaction, table, rows.iter().copied())?;
                    continue;
                }
                if self.recent > 0 {
                    let keys = rows.iter().map(|(key, _)| *key);
                    self.recent = recent::forget(&self.transaction, table, keys)?;
                }
            }
            let mut open = self
                .transaction
                .open_table(definition(table))
                .map_err(|error| io("opening a table", error))?;
            ordered::write(&mut open, &rows)?;
        }
        Ok(())
    }

    fn commit(self: Box<Self>, head: Revision) -> Result<(), StoreError> {
        self.store.writable()?;
        recent::settle(&self.transaction, self.recent, &mut self.store.next_moved())?;
        write_number(&self.transaction, HEAD_KEY, head.0)?;
        self.store.commit("committing", self.transaction)
    }
}

/// A row as redb hands it out.
type StoredRow<'a> = Result<(StoredBytes<'a>, StoredBytes<'a>), redb::StorageError>;
type StoredBytes<'a> = redb::AccessGuard<'a, &'static [u8]>;

fn get_from(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    recent: Option<&impl ReadableTable<&'static [u8], &'static [u8]>>,
    table: Table,
    keys: &[Vec<u8>],
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    keys.iter()
        .map(|key| {
            if let Some(recent) = recent
                && let Some(said) = recent::get(recent, table, key)?
            {
                return Ok(said);
            }
            let found = rows.get(key.as_slice()).map_err(|error| io("reading", error))?;
            Ok(found.map(|value| value.value().to_vec()))
        })
        .collect()
}

fn first_from(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    ranges: &[Range],
) -> Result<Vec<Option<Row>>, StoreError> {
    ranges.iter().map(|range| Ok(scan_from(table, range, 1)?.pop())).collect()
}

fn scan_from(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: &Range,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    if range.to.as_ref().is_some_and(|to| *to <= range.from) {
        return Ok(Vec::new());
    }
    let rows = match &range.to {
        Some(to) => table.range(range.from.as_slice()..to.as_slice()),
        None => table.range(range.from.as_slice()..),
    }
    .map_err(|error| io("reading", error))?;
    let owned = |row: StoredRow<'_>| {
        row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
            .map_err(|error| io("reading", error))
    };
    let limit = limit.min(SCAN_ROWS_MAX);
    match range.order {
        Order::Ascending => rows.take(limit).map(owned).collect(),
        Order::Descending => rows.rev().take(limit).map(owned).collect(),
    }
}

fn number(bytes: &[u8]) -> Result<u64, StoreError> {
    let bytes: [u8; 8] = bytes.try_into().map_err(|_| StoreError::Damaged {
        table: Table::Meta.name(),
        detail: format!("a number of {} bytes", bytes.len()),
    })?;
    Ok(u64::from_be_bytes(bytes))
}

fn read_number(transaction: &WriteTransaction, key: &[u8]) -> Result<Option<u64>, StoreError> {
    let open =
        transaction.open_table(definition(Table::Meta)).map_err(|error| io("opening a table", error))?;
    let found = open.get(key).map_err(|error| io("reading", error))?;
    found.map(|bytes| number(bytes.value())).transpose()
}

fn write_number(transaction: &WriteTransaction, key: &[u8], value: u64) -> Result<(), StoreError> {
    let mut open =
        transaction.open_table(definition(Table::Meta)).map_err(|error| io("opening a table", error))?;
    open.insert(key, value.to_be_bytes().as_slice()).map_err(|error| io("writing", error))?;
    Ok(())
}

fn io(doing: &'static str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Io { doing, detail: error.to_string() }
}

fn open_error(path: &Path, error: redb::DatabaseError) -> StoreError {
    let place = path.display().to_string();
    match error {
        redb::DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { place },
        redb::DatabaseError::Storage(redb::StorageError::Io(error))
            if error.kind() != std::io::ErrorKind::InvalidData =>
        {
            StoreError::Io { doing: "opening the store", detail: format!("{place}: {error}") }
        }
        other => StoreError::NotAStore { place, detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The power went while the store was made: redb refused what was left, and a person had to remove it.
    #[test]
    fn a_store_that_was_half_made_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let unfinished = RedbStore::file(directory.path()).with_extension(UNFINISHED);
        std::fs::write(&unfinished, vec![0; 8_192]).unwrap();
        let store = RedbStore::open(directory.path()).unwrap();
        assert!(!unfinished.exists());
        assert_eq!(store.describe().place, RedbStore::file(directory.path()).display().to_string());
        let locked = RedbStore::open(directory.path());
        assert!(matches!(locked, Err(StoreError::Locked { .. })));
        drop(store);
        RedbStore::open(directory.path()).unwrap();
    }

    #[test]
    fn what_is_no_store_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let file = RedbStore::file(directory.path());
        std::fs::write(&file, b"my only copy of something else").unwrap();
        let refused = RedbStore::open(directory.path());
        assert!(matches!(refused, Err(StoreError::NotAStore { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), b"my only copy of something else");
    }
}
