//! Between redb and the file: when the file can no longer be written, reading goes on.
//!
//! redb refuses reads as well once a write has failed. So a failure is not handed to it. Instead the file is left as
//! it is from that moment, as if the power had gone, and what redb still writes goes into memory, over the file. The
//! store asks [`Health`] after each commit, and acknowledges nothing any more.
//!
//! Invariants:
//! - after the first failure nothing is written to the file: what opens it next finds what a crash leaves;
//! - a read gives what was written last, wherever that lies.
//!
//! A read that fails is handed on: there is nothing to put in its place.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{BackendError, StorageBackend};

/// How the file does.
#[derive(Default, Debug)]
pub(super) struct Health {
    failure: OnceLock<String>,
}

impl Health {
    /// Why the file can no longer be written.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn failed(&self, doing: &str, error: &io::Error) {
        // The first failure is the cause of the others.
        let _known = self.failure.set(format!("{doing} failed: {error}"));
    }
}

/// What was written since the failure.
#[derive(Default)]
struct Overlay {
    length: Option<u64>,
    /// From here on nothing of the file counts, because it was cut there and grew again.
    file_ends: Option<u64>,
    /// Offset → bytes; the pieces do not overlap.
    pieces: BTreeMap<u64, Vec<u8>>,
}

/// A file that may fail.
pub(super) struct Guard<B> {
    file: B,
    health: Arc<Health>,
    overlay: Mutex<Overlay>,
}

impl<B> std::fmt::Debug for Guard<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("health", &self.health).finish_non_exhaustive()
    }
}

impl<B: StorageBackend> Guard<B> {
    pub(super) fn new(file: B, health: Arc<Health>) -> Guard<B> {
        Guard { file, health, overlay: Mutex::default() }
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does it to the file while that goes well; whether it is done.
    fn attempt(&self, doing: &str, ask: impl FnOnce(&B) -> io::Result<()>) -> bool {
        if self.health.failure().is_some() {
            return false;
        }
        ask(&self.file).map_err(|error| self.health.failed(doing, &error)).is_ok()
    }
}

impl Overlay {
    fn put(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        self.clear(offset, end);
        self.pieces.insert(offset, data.to_vec());
    }

    /// Makes room: what overlaps is cut.
    fn clear(&mut self, from: u64, to: u64) {
        let before = self.pieces.range(..from).next_back();
        if let Some((start, end)) = before.map(|(start, piece)| (*start, start + piece.len() as u64))
            && end > from
        {
            let mut piece = self.pieces.remove(&start).expect("found above");
            if end > to {
                self.pieces.insert(to, piece.split_off(index(to - start)));
            }
            piece.truncate(index(from - start));
            self.pieces.insert(start, piece);
        }
        let within: Vec<u64> = self.pieces.range(from..to).map(|(start, _)| *start).collect();
        for start in within {
            let mut piece = self.pieces.remove(&start).expect("found above");
            if start + piece.len() as u64 > to {
                self.pieces.insert(to, piece.split_off(index(to - start)));
            }
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) {
        let end = offset + out.len() as u64;
        let first = self.pieces.range(..=offset).next_back().map_or(offset, |(start, _)| *start);
        for (start, piece) in self.pieces.range(first..end) {
            let (from, to) = ((*start).max(offset), (start + piece.len() as u64).min(end));
            if from < to {
                let source = &piece[index(from - start)..index(to - start)];
                out[index(from - offset)..index(to - offset)].copy_from_slice(source);
            }
        }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it lies within what is in memory")
}

impl<B: StorageBackend> StorageBackend for Guard<B> {
    fn len(&self) -> io::Result<u64> {
        match self.overlay().length {
            Some(length) => Ok(length),
            None => self.file.len(),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.health.failure().is_none() {
            return self.file.read(offset, out);
        }
        let overlay = self.overlay();
        let length = match overlay.length {
            Some(length) => length,
            None => self.file.len()?,
        };
        if offset + out.len() as u64 > length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let file_ends = self.file.len()?.min(overlay.file_ends.unwrap_or(u64::MAX));
        let on_file = file_ends.saturating_sub(offset).min(out.len() as u64);
        let (known, beyond) = out.split_at_mut(index(on_file));
        if !known.is_empty() {
            self.file.read(offset, known)?;
        }
        beyond.fill(0);
        overlay.read(offset, out);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.attempt("growing the file", |file| file.set_len(len)) {
            let mut overlay = self.overlay();
            overlay.clear(len, u64::MAX);
            overlay.length = Some(len);
            overlay.file_ends = Some(overlay.file_ends.unwrap_or(u64::MAX).min(len));
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.attempt("making a write durable", B::sync_data);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.attempt("writing", |file| file.write(offset, data)) {
            let length = self.len()?.max(offset + data.len() as u64);
            let mut overlay = self.overlay();
            overlay.put(offset, data);
            overlay.length = Some(length);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::{Disk, Fault};

    /// Whatever is written after a failure reads back as from a file that works, and the file stays as it was.
    #[test]
    fn after_a_failure_memory_stands_in_for_the_file() {
        arbtest::arbtest(|u| {
            let before = vec![7; u.int_in_range(0..=64)?];
            let disk = Disk::holding(before.clone());
            let model = Disk::holding(before.clone());
            disk.set_fault(Fault::Broken { after: 0 });
            let guard = Guard::new(disk.clone(), Arc::default());
            for _ in 0..u.int_in_range(1..=12)? {
                let offset = u.int_in_range(0..=96u64)?;
                if u.int_in_range(0..=4)? == 0 {
                    guard.set_len(offset).expect("it does not fail");
                    model.set_len(offset).expect("it does not fail");
                } else {
                    let data = vec![u.arbitrary()?; u.int_in_range(1..=40)?];
                    guard.write(offset, &data).expect("it does not fail");
                    model.write(offset, &data).expect("it does not fail");
                }
                let length = model.len().expect("it does not fail");
                assert_eq!(guard.len().expect("it does not fail"), length);
                let mut read = vec![0; index(length)];
                guard.read(0, &mut read).expect("it does not fail");
                assert_eq!(read, model.content());
                assert!(guard.read(length, &mut [0]).is_err());
            }
            assert_eq!(disk.content(), before);
            Ok(())
        });
    }
}
