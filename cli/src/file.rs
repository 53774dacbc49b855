//! Files that are written whole or not at all: into `FILE.part`, which takes the name FILE when it is complete.
//!
//! Invariant: FILE never holds a part of an answer, and an earlier FILE stays until the new one is durable.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::CommandError;

/// What to do where the file exists already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    Refuse,
    Replace,
}

/// A file in the making. Dropped before [`PartFile::finish`], it is removed.
pub struct PartFile {
    path: PathBuf,
    part: PathBuf,
    file: Option<BufWriter<File>>,
}

impl PartFile {
    pub fn create(path: &Path, existing: Existing) -> Result<Self, CommandError> {
        if existing == Existing::Refuse && path.symlink_metadata().is_ok() {
            return Err(CommandError::failure("the file exists already")
                .with("file", path.display())
                .hint("choose another name, or overwrite it with --force"));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let mut options = OpenOptions::new();
        options.write(true);
        match existing {
            Existing::Refuse => options.create_new(true),
            Existing::Replace => options.create(true).truncate(true),
        };
        let file = options.open(&part).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                CommandError::failure("another call left this file, or still writes it")
                    .with("file", part.display())
                    .hint("remove it when nothing writes it, or overwrite it with --force")
            }
            _ => CommandError::file("writing", &part, &error),
        })?;
        Ok(PartFile { path: path.to_owned(), part, file: Some(BufWriter::new(file)) })
    }

    pub fn write(&mut self, data: &[u8]) -> Result<(), CommandError> {
        let file = self.file.as_mut().expect("the file is open until it is finished");
        file.write_all(data).map_err(|error| CommandError::file("writing", &self.part, &error))
    }

    /// Makes the file durable and gives it its name.
    pub fn finish(mut self) -> Result<(), CommandError> {
        let file = self.file.take().expect("the file is open until it is finished");
        let finished = file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .and_then(|()| std::fs::rename(&self.part, &self.path))
            .and_then(|()| sync_directory(&self.path));
        finished.map_err(|error| {
            // Nothing is left to do about a part file that cannot be removed either.
            let _ = std::fs::remove_file(&self.part);
            CommandError::file("writing", &self.path, &error)
        })
    }
}

/// The new name is durable only with its directory.
fn sync_directory(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)?.sync_all()
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = std::fs::remove_file(&self.part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("out");
        let part = directory.path().join("out.part");

        let mut unfinished = PartFile::create(&path, Existing::Refuse).expect("a new file");
        unfinished.write(b"half").expect("room on the disk");
        assert!(part.exists() && !path.exists());
        assert!(PartFile::create(&path, Existing::Refuse).is_err(), "another call writes it");
        drop(unfinished);
        assert!(!part.exists() && !path.exists());

        let mut file = PartFile::create(&path, Existing::Refuse).expect("a new file");
        file.write(b"whole").expect("room on the disk");
        file.finish().expect("finished");
        assert_eq!(std::fs::read(&path).expect("the file"), b"whole");
        assert!(!part.exists());

        assert!(PartFile::create(&path, Existing::Refuse).is_err(), "it exists");
        let mut file = PartFile::create(&path, Existing::Replace).expect("it may be replaced");
        file.write(b"new").expect("room on the disk");
        assert_eq!(std::fs::read(&path).expect("the file"), b"whole", "until the new one is complete");
        file.finish().expect("finished");
        assert_eq!(std::fs::read(&path).expect("the file"), b"new");
    }
}
