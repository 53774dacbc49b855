//! Where files lie between their arrival and their import: on disk, never in memory.
//!
//! Invariant: what is staged is gone when its import ends, and at the latest when the server starts again; and the
//! disk keeps room for the store's commits.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cmdb_core::engine::StagedFile;
use cmdb_core::import::Format;
use cmdb_core::model::{Problem, Reason};
use tempfile::TempDir;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Error;
use super::room::free_bytes;

/// Imports at the same time.
const IMPORTS_MAX: usize = 4;
/// Files in one import.
const FILES_MAX: usize = 1_000;
/// The longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 4_096;
/// What staging leaves free on the disk, in bytes: the store must still be able to commit.
const RESERVE_BYTES: u64 = 256 << 20;
/// Bytes written between two looks at the disk.
const LOOK_BYTES: u64 = 16 << 20;

/// Where imports are staged.
#[derive(Clone)]
pub struct Staging {
    directory: PathBuf,
    permits: Arc<Semaphore>,
}

/// The files of one import. Dropping it removes them.
pub struct Upload {
    directory: TempDir,
    files: Vec<StagedFile>,
    open: Option<BufWriter<File>>,
    unlooked: u64,
    _permit: OwnedSemaphorePermit,
}

impl Staging {
    /// Takes the place below the data directory, and removes what a server that was killed left there.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn open(data: &Path) -> Result<Staging, Error> {
        let directory = data.join("staging");
        match std::fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&directory, error));
            }
            _ => {}
        }
        std::fs::create_dir_all(&directory).map_err(|error| failed(&directory, error))?;
        Ok(Staging { directory, permits: Arc::new(Semaphore::new(IMPORTS_MAX)) })
    }

    /// Room for the files of one import.
    ///
    /// # Errors
    /// When as many imports as may are running, or the disk is full.
    pub fn begin(&self) -> Result<Upload, Error> {
        let permits = Arc::clone(&self.permits);
        let permit = permits.try_acquire_owned().map_err(|_| Error::ImportsFull { limit: IMPORTS_MAX })?;
        check_room(&self.directory)?;
        let directory = TempDir::with_prefix_in("import-", &self.directory);
        let directory = directory.map_err(|error| failed(&self.directory, error))?;
        Ok(Upload { directory, files: Vec::new(), open: None, unlooked: 0, _permit: permit })
    }
}

impl Upload {
    /// Begins a file.
    ///
    /// # Errors
    /// When there are too many, or it cannot be written.
    pub async fn file(&mut self, name: String, format: Format) -> Result<(), Error> {
        self.close().await?;
        if self.files.len() == FILES_MAX || name.len() > NAME_BYTES_MAX {
            let message = "the import has too many files, or the name of one is too long";
            let limits = format!("at most {FILES_MAX} files, names of at most {NAME_BYTES_MAX} bytes");
            let shown: String = name.chars().take(80).collect();
            return Err(Problem::new(Reason::LimitExceeded, message, shown).expected(limits, "more").into());
        }
        // The name is the user's and may hold anything: on disk, a number stands for it.
        let path = self.directory.path().join(self.files.len().to_string());
        let file = File::create(&path).await.map_err(|error| failed(&path, error))?;
        self.open = Some(BufWriter::new(file));
        self.files.push(StagedFile { name, format, path });
        Ok(())
    }

    /// More of the file that was begun last.
    ///
    /// # Errors
    /// When no file was begun, or the disk is full.
    pub async fn data(&mut self, data: &[u8]) -> Result<(), Error> {
        let Some(file) = &mut self.open else {
            return Err(Error::ImportOrder {
                given: "data before a file",
                expected: "begin, then file, then data",
            });
        };
        self.unlooked += data.len() as u64;
        if self.unlooked >= LOOK_BYTES {
            self.unlooked = 0;
            check_room(self.directory.path())?;
        }
        file.write_all(data).await.map_err(|error| failed(self.directory.path(), error))
    }

    /// All files are whole; the names, formats and places.
    ///
    /// # Errors
    /// When the last one cannot be written.
    pub async fn finish(&mut self) -> Result<Vec<StagedFile>, Error> {
        self.close().await?;
        Ok(self.files.clone())
    }

    /// Where more may be put that belongs to this import.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    async fn close(&mut self) -> Result<(), Error> {
        match self.open.take() {
            Some(mut file) => file.flush().await.map_err(|error| failed(self.directory.path(), error)),
            None => Ok(()),
        }
    }
}

/// A failure of the disk, with its own name when it is full.
pub fn failed(place: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => full(place, 0),
        _ => Error::Staging { place: place.display().to_string(), source: error },
    }
}

fn full(place: &Path, free: u64) -> Error {
    Error::StagingFull { place: place.display().to_string(), free, reserve: RESERVE_BYTES }
}

fn check_room(directory: &Path) -> Result<(), Error> {
    let free = free_bytes(directory).map_err(|error| failed(directory, error))?;
    if free < RESERVE_BYTES { Err(full(directory, free)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> usize {
        std::fs::read_dir(path).unwrap().count()
    }

    #[tokio::test]
    async fn what_is_staged_is_whole_and_gone_afterwards() {
        let data = tempfile::tempdir().unwrap();
        let staging = Staging::open(data.path()).unwrap();
        let mut upload = staging.begin().unwrap();
        upload.file("../../a.jsonl".to_owned(), Format::JsonLines).await.unwrap();
        upload.data(b"one").await.unwrap();
        upload.data(b"two").await.unwrap();
        upload.file("b.csv".to_owned(), Format::Csv).await.unwrap();
        let files = upload.finish().await.unwrap();
        assert_eq!(files.len(), 2);
        assert_eq!(std::fs::read(&files[0].path).unwrap(), b"onetwo");
        assert!(files.iter().all(|file| file.path.starts_with(data.path())), "a name never leads elsewhere");
        drop(upload);
        assert_eq!(entries(&data.path().join("staging")), 0);
    }

    #[tokio::test]
    async fn what_a_killed_server_left_is_removed_at_start() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(data.path().join("staging/import-old")).unwrap();
        Staging::open(data.path()).unwrap();
        assert_eq!(entries(&data.path().join("staging")), 0);
    }

    #[tokio::test]
    async fn data_without_a_file_and_too_many_imports_are_refused() {
        let data = tempfile::tempdir().unwrap();
        let staging = Staging::open(data.path()).unwrap();
        let mut uploads: Vec<Upload> = (0..IMPORTS_MAX).map(|_| staging.begin().unwrap()).collect();
        assert!(matches!(staging.begin(), Err(Error::ImportsFull { .. })));
        assert!(matches!(uploads[0].data(b"x").await, Err(Error::ImportOrder { .. })));
        uploads.pop();
        assert!(staging.begin().is_ok());
    }
}
