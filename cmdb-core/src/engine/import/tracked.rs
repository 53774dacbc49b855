//! Which lines were refused, and what deserves attention.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};

use super::LineProblem;
use crate::engine::request::{EngineError, Import, ImportEvent};
use crate::engine::writer::Events;
use crate::import::{LINE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::Problem;

/// The most refused lines, and the most distinct notes, that are kept; all are counted.
pub(super) const LISTED_MAX: usize = 100_000;
const NOTES_MAX: usize = 100;

/// A line of one of the files.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Line {
    pub(super) file: u32,
    pub(super) line: u64,
    pub(super) column: u64,
}

pub(super) struct Tracked<'a> {
    import: &'a Import,
    refused: u64,
    /// By file and line; told of at the end, with the line's text.
    listed: BTreeMap<(u32, u64), (u64, Problem)>,
    notes: BTreeMap<String, u64>,
}

impl<'a> Tracked<'a> {
    pub(super) fn new(import: &'a Import) -> Tracked<'a> {
        Tracked { import, refused: 0, listed: BTreeMap::new(), notes: BTreeMap::new() }
    }

    /// A line that could not be read: told of at once, with its text.
    pub(super) fn line(&mut self, file: u32, line: LineProblem, events: &mut Events) {
        self.refused += 1;
        let file = self.import.files[file as usize].name.clone();
        events(ImportEvent::Refused { file, line });
    }

    /// A line that was read and does not fit what there is.
    pub(super) fn refuse(&mut self, line: Line, problem: Problem) {
        let key = (line.file, line.line);
        if !self.listed.contains_key(&key) {
            self.refused += 1;
            if self.listed.len() < LISTED_MAX {
                self.listed.insert(key, (line.column, problem));
            }
        }
    }

    /// More lines that are refused than are told of.
    pub(super) fn refuse_unlisted(&mut self, lines: u64) {
        self.refused += lines;
    }

    pub(super) fn is_refused(&self, line: Line) -> bool {
        self.listed.contains_key(&(line.file, line.line))
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < NOTES_MAX || self.notes.contains_key(&note) {
            *self.notes.entry(note).or_default() += 1;
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let counted = |(note, times): (&String, &u64)| {
            if *times == 1 { note.clone() } else { format!("{note} ({times} items)") }
        };
        self.notes.iter().map(counted).collect()
    }

    /// Tells of the refused lines, in order, with their texts.
    pub(super) fn report(&mut self, events: &mut Events) -> Result<(), EngineError> {
        let listed = std::mem::take(&mut self.listed);
        for (number, file) in (0u32..).zip(&self.import.files) {
            let wanted: BTreeSet<u64> =
                listed.range((number, 0)..=(number, u64::MAX)).map(|((_, line), _)| *line).collect();
            if wanted.is_empty() {
                continue;
            }
            let mut texts = texts(&file.path, &wanted).unwrap_or_default();
            for ((_, line), (column, problem)) in listed.range((number, 0)..=(number, u64::MAX)) {
                let raw = texts.remove(line).unwrap_or_default();
                let text = String::from_utf8_lossy(&raw[..raw.len().min(TEXT_BYTES_MAX)]).into_owned();
                events(ImportEvent::Refused {
                    file: file.name.clone(),
                    line: LineProblem { line: *line, column: *column, problem: problem.clone(), text, raw },
                });
            }
        }
        Ok(())
    }
}

/// Some lines of a file, without their ends. A row of CSV that spans lines is given by its first.
fn texts(path: &std::path::Path, wanted: &BTreeSet<u64>) -> std::io::Result<BTreeMap<u64, Vec<u8>>> {
    let mut input = BufReader::new(File::open(path)?);
    let mut found = BTreeMap::new();
    let last = wanted.last().copied().unwrap_or(0);
    for number in 1..=last {
        let mut line = Vec::new();
        let read = input.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        if !line.ends_with(b"\n") {
            input.skip_until(b'\n')?;
        }
        if wanted.contains(&number) {
            while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                line.pop();
            }
            found.insert(number, line);
        }
    }
    Ok(found)
}
