//! Sorting more than fits into memory: sorted runs on disk, read back as one.
//!
//! Rows are of one length, so that they are read without looking for their ends. The files go away with the program,
//! or when dropped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// Bytes that are sorted in memory before they are written as one run.
pub(crate) const RUN_BYTES: usize = 32 << 20;
/// Bytes that are read ahead of each run.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// Rows on their way to be sorted.
pub(crate) struct Runs<const N: usize> {
    directory: PathBuf,
    rows_max: usize,
    rows: Vec<[u8; N]>,
    files: Vec<File>,
}

impl<const N: usize> Runs<N> {
    /// None yet; runs are written into a directory.
    pub(crate) fn new(directory: &Path, run_bytes: usize) -> Runs<N> {
        let rows_max = (run_bytes / N).max(1);
        Runs { directory: directory.to_owned(), rows_max, rows: Vec::new(), files: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, row: [u8; N]) -> Result<(), StoreError> {
        self.rows.push(row);
        if self.rows.len() >= self.rows_max { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), StoreError> {
        self.rows.sort_unstable();
        let mut out = BufWriter::new(tempfile::tempfile_in(&self.directory).map_err(failed)?);
        for row in self.rows.drain(..) {
            out.write_all(&row).map_err(failed)?;
        }
        let mut file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.rewind().map_err(failed)?;
        self.files.push(file);
        Ok(())
    }

    /// Every row, in order.
    pub(crate) fn for_each<E: From<StoreError>>(
        mut self,
        mut each: impl FnMut(&[u8; N]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.files.is_empty() {
            self.rows.sort_unstable();
            return self.rows.iter().try_for_each(each);
        }
        self.spill()?;
        let mut runs: Vec<_> = std::mem::take(&mut self.files)
            .into_iter()
            .map(|file| BufReader::with_capacity(READ_AHEAD_BYTES, file))
            .collect();
        let mut next = BinaryHeap::new();
        for (place, run) in runs.iter_mut().enumerate() {
            next.extend(read_row::<N>(run)?.map(|row| Reverse((row, place))));
        }
        while let Some(Reverse((row, place))) = next.pop() {
            each(&row)?;
            next.extend(read_row::<N>(&mut runs[place])?.map(|row| Reverse((row, place))));
        }
        Ok(())
    }
}

fn read_row<const N: usize>(run: &mut impl Read) -> Result<Option<[u8; N]>, StoreError> {
    let mut row = [0; N];
    match run.read_exact(&mut row) {
        Ok(()) => Ok(Some(row)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Io { doing: "sorting on disk", detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_give_what_sorting_in_memory_gives() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for rows_per_run in [1, 2, 3, 7, 1_000] {
            let mut runs: Runs<4> = Runs::new(directory.path(), rows_per_run * 4);
            let rows: Vec<[u8; 4]> =
                (0..50u32).map(|n| (n.wrapping_mul(2_654_435_761) % 97).to_be_bytes()).collect();
            for row in &rows {
                runs.push(*row).expect("written");
            }
            let mut found = Vec::new();
            runs.for_each(|row| {
                found.push(*row);
                Ok::<(), StoreError>(())
            })
            .expect("read back");
            let mut expected = rows;
            expected.sort_unstable();
            assert_eq!(found, expected, "{rows_per_run} rows in a run");
        }
    }
}
