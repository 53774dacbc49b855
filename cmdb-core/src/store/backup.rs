//! A backup: every row of a moment, as a stream that any store can be made from.
//!
//! ```text
//! "CMDBBAK1" · revision u64 · { table u8 · key length u32 · key · value length u32 · value }* · 0xff · BLAKE3
//! ```
//!
//! Numbers are big-endian. The digest covers everything before it, so that a backup that was cut off or altered is
//! refused, and nothing of it is restored.

use std::io::{self, Read as _, Write};

use super::{Batch, Range, Read, Store, StoreError, Table};
use crate::model::Revision;

const MAGIC: &[u8; 8] = b"CMDBBAK1";
const END: u8 = 0xff;
/// The longest key or value that a backup may hold, in bytes.
const PART_BYTES_MAX: usize = 1 << 30;
/// Bytes written to the store at a time while restoring.
const CHUNK_BYTES: usize = 8 << 20;

/// Writes all rows of a moment.
///
/// # Errors
/// When the store cannot be read or `out` cannot be written.
pub fn write(read: &dyn Read, revision: Revision, out: &mut dyn Write) -> Result<(), StoreError> {
    let mut out = Hashed { inner: out, hasher: blake3::Hasher::new() };
    out.all(MAGIC)?;
    out.all(&revision.0.to_be_bytes())?;
    for table in Table::ALL {
        super::for_each(read, table, Range::all(), |key, value| {
            out.all(&[table as u8])?;
            for part in [key, value] {
                let length = u32::try_from(part.len()).map_err(|_| too_long(part.len()))?;
                out.all(&length.to_be_bytes())?;
                out.all(part)?;
            }
            Ok::<(), StoreError>(())
        })?;
    }
    out.all(&[END])?;
    let digest = out.hasher.finalize();
    out.inner.write_all(digest.as_bytes()).map_err(writing)?;
    out.inner.flush().map_err(writing)
}

/// Fills an empty store from a backup; the revision it holds.
///
/// # Errors
/// When the store is not empty, the input is not a whole backup, or the store cannot be written.
pub fn restore(store: &dyn Store, input: &mut dyn io::Read) -> Result<Revision, StoreError> {
    let epoch = store.claim_writer()?;
    if store.snapshot()?.head() != Revision(0) {
        return Err(StoreError::NotABackup {
            detail: format!(
                "{} already holds data: restore into an empty --data directory",
                store.describe().place
            ),
        });
    }
    let mut input = Checked { inner: input, hasher: blake3::Hasher::new() };
    if input.array::<8>()? != *MAGIC {
        return Err(not_whole("it does not begin like one"));
    }
    let revision = Revision(u64::from_be_bytes(input.array()?));
    let mut transaction = store.begin(Revision(0), epoch)?;
    let mut batch = Batch::default();
    let mut bytes = 0;
    loop {
        let [table] = input.array::<1>()?;
        if table == END {
            break;
        }
        let table =
            *Table::ALL.get(usize::from(table)).ok_or_else(|| not_whole("it names an unknown table"))?;
        let key = input.part()?;
        let value = input.part()?;
        // The store keeps its own word on format, head and epoch.
        if table == Table::Meta {
            continue;
        }
        bytes += key.len() + value.len();
        batch.put(table, key, value);
        if bytes > CHUNK_BYTES {
            transaction.write(&std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    let computed = *input.hasher.finalize().as_bytes();
    let mut said = [0; 32];
    input.inner.read_exact(&mut said).map_err(reading)?;
    if said != computed {
        return Err(not_whole("its digest does not fit its content"));
    }
    transaction.write(&batch)?;
    transaction.commit(revision)?;
    Ok(revision)
}

struct Hashed<'a> {
    inner: &'a mut dyn Write,
    hasher: blake3::Hasher,
}

impl Hashed<'_> {
    fn all(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hasher.update(bytes);
        self.inner.write_all(bytes).map_err(writing)
    }
}

struct Checked<'a> {
    inner: &'a mut dyn io::Read,
    hasher: blake3::Hasher,
}

impl Checked<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], StoreError> {
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes).map_err(reading)?;
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn part(&mut self) -> Result<Vec<u8>, StoreError> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        if length > PART_BYTES_MAX {
            return Err(not_whole("a part of it is too long"));
        }
        let mut bytes = Vec::new();
        let read = self.inner.take(length as u64).read_to_end(&mut bytes).map_err(reading)?;
        if read < length {
            return Err(not_whole("it ends too early"));
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }
}

fn too_long(length: usize) -> StoreError {
    StoreError::Io { doing: "writing the backup", detail: format!("a row of {length} bytes is too long") }
}

fn writing(error: io::Error) -> StoreError {
    StoreError::Io { doing: "writing the backup", detail: error.to_string() }
}

fn reading(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        not_whole("it ends too early")
    } else {
        StoreError::Io { doing: "reading the backup", detail: error.to_string() }
    }
}

fn not_whole(detail: &str) -> StoreError {
    StoreError::NotABackup { detail: detail.to_owned() }
}
