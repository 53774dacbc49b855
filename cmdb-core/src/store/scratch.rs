//! A set on disk that is forgotten afterwards: for work whose memory must not grow with its input.
//!
//! Names become digests, digests are sorted in runs that fit in memory, and the runs are merged once: everything is
//! read and written in order, so a million names cost about as much as writing them down. Invariant: after `finish` the
//! set is in order of the digests, each once, with the place where it was first met.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::StoreError;

/// Names sorted in memory at a time: 32 MiB.
const RUN_MAX: usize = 1 << 20;
const ENTRY_BYTES: usize = 28;

/// File and line.
pub(crate) type Place = (u32, u64);
/// A digest, and where it was met.
type Entry = (u128, Place);

/// Names, each with the place where it was first met.
pub(crate) struct Scratch {
    directory: PathBuf,
    run_max: usize,
    /// What is not yet in a run; after `finish`, the whole set where it fits.
    run: Vec<Entry>,
    /// Files without names, each in order. After `finish` at most one.
    runs: Vec<File>,
    /// How many are in the last file.
    kept: u64,
}

impl Scratch {
    /// Makes an empty one whose files go into a directory. They go away with the program, or when it is dropped.
    pub(crate) fn new(directory: &Path) -> Scratch {
        Scratch::with_runs_of(directory, RUN_MAX)
    }

    fn with_runs_of(directory: &Path, run_max: usize) -> Scratch {
        Scratch { directory: directory.to_owned(), run_max, run: Vec::new(), runs: Vec::new(), kept: 0 }
    }

    /// Adds a name.
    pub(crate) fn add(&mut self, name: &[u8], place: Place) -> Result<(), StoreError> {
        self.run.push((short(name), place));
        if self.run.len() >= self.run_max { self.spill() } else { Ok(()) }
    }

    /// Ends adding. Tells of each name that was met again: where, and where first.
    pub(crate) fn finish(&mut self, mut again: impl FnMut(Place, Place)) -> Result<(), StoreError> {
        if self.runs.is_empty() {
            self.run.sort_unstable();
            self.run.dedup_by(|later, first| {
                let same = later.0 == first.0;
                if same {
                    again(later.1, first.1);
                }
                same
            });
            return Ok(());
        }
        self.spill()?;
        let runs: Vec<File> = self.runs.drain(..).collect();
        let mut heads: BinaryHeap<Reverse<(Entry, usize)>> = BinaryHeap::new();
        let mut readers: Vec<_> = runs.into_iter().map(BufReader::new).collect();
        for (number, reader) in readers.iter_mut().enumerate() {
            heads.extend(next(reader)?.map(|entry| Reverse((entry, number))));
        }
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.directory).map_err(failed)?);
        let mut last: Option<Entry> = None;
        while let Some(Reverse((entry, number))) = heads.pop() {
            heads.extend(next(&mut readers[number])?.map(|entry| Reverse((entry, number))));
            match last {
                Some(first) if first.0 == entry.0 => again(entry.1, first.1),
                _ => {
                    out.write_all(&bytes_of(entry)).map_err(failed)?;
                    self.kept += 1;
                    last = Some(entry);
                }
            }
        }
        self.runs.push(out.into_inner().map_err(|error| failed(error.error()))?);
        Ok(())
    }

    /// Whether a name was added, once adding has ended.
    pub(crate) fn has(&self, name: &[u8]) -> Result<bool, StoreError> {
        let wanted = short(name);
        let Some(file) = self.runs.last() else {
            return Ok(self.run.binary_search_by_key(&wanted, |(digest, _)| *digest).is_ok());
        };
        let (mut low, mut high) = (0, self.kept);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut digest = [0; 16];
            file.read_exact_at(&mut digest, middle * ENTRY_BYTES as u64).map_err(failed)?;
            match u128::from_be_bytes(digest).cmp(&wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }

    fn spill(&mut self) -> Result<(), StoreError> {
        self.run.sort_unstable();
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.directory).map_err(failed)?);
        for entry in self.run.drain(..) {
            out.write_all(&bytes_of(entry)).map_err(failed)?;
        }
        let mut file = out.into_inner().map_err(|error| failed(error.error()))?;
        file.rewind().map_err(failed)?;
        self.runs.push(file);
        Ok(())
    }
}

fn bytes_of((digest, (file, line)): Entry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..16].copy_from_slice(&digest.to_be_bytes());
    bytes[16..20].copy_from_slice(&file.to_be_bytes());
    bytes[20..].copy_from_slice(&line.to_be_bytes());
    bytes
}

fn next(reader: &mut impl Read) -> Result<Option<Entry>, StoreError> {
    let (mut digest, mut file, mut line) = ([0; 16], [0; 4], [0; 8]);
    match reader.read_exact(&mut digest) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    reader.read_exact(&mut file).and_then(|()| reader.read_exact(&mut line)).map_err(failed)?;
    Ok(Some((u128::from_be_bytes(digest), (u32::from_be_bytes(file), u64::from_be_bytes(line)))))
}

fn short(name: &[u8]) -> u128 {
    let digest = blake3::hash(name);
    u128::from_le_bytes(*digest.as_bytes().first_chunk().expect("a digest has 32 bytes"))
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
            let mut scratch = Scratch::with_runs_of(directory.path(), run_max);
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
