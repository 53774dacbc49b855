//! A set on disk that is forgotten afterwards: for work whose memory must not grow with its input.
//!
//! Names become digests, which are [sorted in runs](super::runs) and written once: everything is read and written in
//! order, so a million names cost about as much as writing them down. Invariant: after `finish` the set is in order of
//! the digests, each once, with the place where it was first met.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::runs::{RUN_BYTES, Runs};

const DIGEST_BYTES: usize = 16;
/// Digest, file, line; big-endian, so that they sort as they are.
const ENTRY_BYTES: usize = DIGEST_BYTES + 4 + 8;
type Entry = [u8; ENTRY_BYTES];

/// File and line.
pub(crate) type Place = (u32, u64);

/// Names, each with the place where it was first met.
pub(crate) struct Scratch {
    directory: PathBuf,
    /// Until `finish`.
    runs: Option<Runs<ENTRY_BYTES>>,
    /// After `finish`: the entries in order, and how many.
    kept: Option<(File, u64)>,
}

impl Scratch {
    /// Makes an empty one whose files go into a directory. They go away with the program, or when it is dropped.
    pub(crate) fn new(directory: &Path) -> Scratch {
        Scratch::with_runs_of(directory, RUN_BYTES)
    }

    fn with_runs_of(directory: &Path, run_bytes: usize) -> Scratch {
        Scratch { directory: directory.to_owned(), runs: Some(Runs::new(directory, run_bytes)), kept: None }
    }

    /// Adds a name.
    pub(crate) fn add(&mut self, name: &[u8], (file, line): Place) -> Result<(), StoreError> {
        let mut entry = [0; ENTRY_BYTES];
        entry[..DIGEST_BYTES].copy_from_slice(&short(name));
        entry[DIGEST_BYTES..DIGEST_BYTES + 4].copy_from_slice(&file.to_be_bytes());
        entry[DIGEST_BYTES + 4..].copy_from_slice(&line.to_be_bytes());
        self.runs.as_mut().expect("nothing is added after the end").push(entry)
    }

    /// Ends adding. Tells of each name that was met again: where, and where first.
    pub(crate) fn finish(&mut self, mut again: impl FnMut(Place, Place)) -> Result<(), StoreError> {
        let Some(runs) = self.runs.take() else { return Ok(()) };
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.directory).map_err(failed)?);
        let (mut count, mut last) = (0, None::<Entry>);
        runs.for_each(|entry| {
            match last {
                Some(first) if first[..DIGEST_BYTES] == entry[..DIGEST_BYTES] => {
                    again(place(entry), place(&first));
                }
                _ => {
                    out.write_all(entry).map_err(failed)?;
                    count += 1;
                    last = Some(*entry);
                }
            }
            Ok::<(), StoreError>(())
        })?;
        self.kept = Some((out.into_inner().map_err(|error| failed(error.error()))?, count));
        Ok(())
    }

    /// Whether a name was added, once adding has ended.
    pub(crate) fn has(&self, name: &[u8]) -> Result<bool, StoreError> {
        let wanted = short(name);
        let (file, count) = self.kept.as_ref().expect("asked after the end");
        let (mut low, mut high) = (0, *count);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut digest = [0; DIGEST_BYTES];
            file.read_exact_at(&mut digest, middle * ENTRY_BYTES as u64).map_err(failed)?;
            match digest.cmp(&wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}

fn place(entry: &Entry) -> Place {
    let (file, line) = entry[DIGEST_BYTES..].split_first_chunk::<4>().expect("an entry is that long");
    let line = line.first_chunk::<8>().expect("an entry is that long");
    (u32::from_be_bytes(*file), u64::from_be_bytes(*line))
}

fn short(name: &[u8]) -> [u8; DIGEST_BYTES] {
    *blake3::hash(name).as_bytes().first_chunk().expect("a digest has 32 bytes")
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io { doing: "keeping track of an import", detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_met_again_is_told_with_where_it_was_first() {
        let directory = tempfile::tempdir().unwrap();
        // In memory, in one run and a rest, and in many runs.
        for run_max in [1_000, 60, 7] {
            let mut scratch = Scratch::with_runs_of(directory.path(), run_max * ENTRY_BYTES);
            let mut first: BTreeMap<u64, Place> = BTreeMap::new();
            let mut expected = Vec::new();
            for line in 0..100 {
                let (name, place) = (line * line % 83, (u32::from(line >= 50), line));
                match first.get(&name) {
                    Some(first) => expected.push((place, *first)),
                    None => drop(first.insert(name, place)),
                }
                scratch.add(name.to_string().as_bytes(), place).unwrap();
            }
            let mut told = Vec::new();
            scratch.finish(|place, first| told.push((place, first))).unwrap();
            told.sort_unstable();
            assert_eq!(told, expected, "runs of {run_max}");
            for name in 0..100 {
                let has = scratch.has(name.to_string().as_bytes()).unwrap();
                assert_eq!(has, first.contains_key(&name), "{name} with runs of {run_max}");
            }
        }
    }

    #[test]
    fn nothing_was_added() {
        let directory = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::new(directory.path());
        scratch.finish(|_, _| panic!("nothing is met again")).unwrap();
        assert!(!scratch.has(b"anything").unwrap());
    }
}
