//! A set on disk that is forgotten afterwards: for work whose memory must not grow with its input.

use std::path::Path;

use redb::{Durability, ReadableTable, TableDefinition, WriteTransaction};

use super::StoreError;

const SET: TableDefinition<'static, u128, (u32, u64)> = TableDefinition::new("set");
/// How much of the set stays in memory, in bytes.
const CACHE_BYTES: usize = 64 << 20;

/// Names, each with the place where it was first met (file and line).
pub(crate) struct Scratch {
    // Dropped in this order: the transaction before the file that it writes.
    transaction: Option<WriteTransaction>,
    _database: redb::Database,
}

impl Scratch {
    /// Makes an empty one in a directory. It goes away with the program, or when dropped.
    pub(crate) fn new(directory: &Path) -> Result<Scratch, StoreError> {
        let file = tempfile::tempfile_in(directory).map_err(failed)?;
        let backend = redb::backends::FileBackend::new(file).map_err(failed)?;
        let database =
            redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend).map_err(failed)?;
        let mut transaction = database.begin_write().map_err(failed)?;
        transaction.set_durability(Durability::None).map_err(failed)?;
        Ok(Scratch { transaction: Some(transaction), _database: database })
    }

    /// Adds names, in order; for each, where it was met before, when it was.
    pub(crate) fn add(
        &mut self,
        names: impl Iterator<Item = (Vec<u8>, (u32, u64))>,
    ) -> Result<Vec<Option<(u32, u64)>>, StoreError> {
        let transaction = self.transaction.as_ref().expect("held until dropped");
        let mut set = transaction.open_table(SET).map_err(failed)?;
        let mut met = Vec::new();
        for (name, place) in names {
            let key = short(&name);
            let before = set.get(key).map_err(failed)?.map(|place| place.value());
            if before.is_none() {
                set.insert(key, place).map_err(failed)?;
            }
            met.push(before);
        }
        Ok(met)
    }

    /// Whether a name was added.
    pub(crate) fn has(&self, name: &[u8]) -> Result<bool, StoreError> {
        let transaction = self.transaction.as_ref().expect("held until dropped");
        let set = transaction.open_table(SET).map_err(failed)?;
        Ok(set.get(short(name)).map_err(failed)?.is_some())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(transaction) = self.transaction.take() {
            // Nothing of it is wanted: an error changes nothing.
            let _forgotten = transaction.abort();
        }
    }
}

fn short(name: &[u8]) -> u128 {
    let digest = blake3::hash(name);
    u128::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io { doing: "keeping track of an import", detail: error.to_string() }
}
