//! Room on the store's disk. A store whose commit met a full disk must be opened again; so changes stop before.
//!
//! Invariant: with less than [`RESERVE_BYTES`] free nothing is handed to the writer, and every question is answered.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Error;

/// What must be free for changes to be taken, in bytes. An ordinary commit needs a small part of it.
const RESERVE_BYTES: u64 = 64 << 20;

/// The room on the disk, as last seen.
pub struct Room {
    directory: PathBuf,
    free: AtomicU64,
    /// The log has said so.
    told: AtomicBool,
}

impl Room {
    /// On the disk of the directory.
    pub fn new(directory: &Path) -> Room {
        let room = Room {
            directory: directory.to_owned(),
            free: AtomicU64::new(u64::MAX),
            told: AtomicBool::new(false),
        };
        room.look();
        room
    }

    /// Looks again.
    pub fn look(&self) {
        match free_bytes(&self.directory) {
            Ok(free) => self.free.store(free, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "cannot see how much room the disk has"),
        }
        let full = self.check().is_err();
        if full != self.told.swap(full, Ordering::Relaxed) {
            let free = self.free.load(Ordering::Relaxed);
            match full {
                true => {
                    tracing::error!(free, reserve = RESERVE_BYTES, "the disk is full: no changes are taken")
                }
                false => tracing::info!(free, "the disk has room again: changes are taken"),
            }
        }
    }

    /// Whether there is room for a change.
    ///
    /// # Errors
    /// When there is not.
    pub fn check(&self) -> Result<(), Error> {
        let free = self.free.load(Ordering::Relaxed);
        if free >= RESERVE_BYTES {
            return Ok(());
        }
        Err(Error::DiskFull { place: self.directory.display().to_string(), free, reserve: RESERVE_BYTES })
    }
}

/// Bytes that this user may still write on the disk of a directory.
///
/// # Errors
/// What the system says.
pub fn free_bytes(directory: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_taken_while_there_is_room() {
        let directory = tempfile::tempdir().unwrap();
        let room = Room::new(directory.path());
        for (free, taken) in [(RESERVE_BYTES, true), (RESERVE_BYTES - 1, false), (0, false)] {
            room.free.store(free, Ordering::Relaxed);
            assert_eq!(room.check().is_ok(), taken, "{free} bytes free");
        }
    }
}
