//! What is wrong with a line, and where.

use std::fmt;
use std::io;

use super::{Located, TEXT_BYTES_MAX};
use crate::model::{Problem, Reason};

/// One line that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LineProblem {
    /// From 1.
    pub line: u64,
    /// In characters from 1; 0: the whole line.
    pub column: u64,
    /// What is wrong, and what would be right.
    pub problem: Problem,
    /// The line, cut at [`TEXT_BYTES_MAX`]; what is not UTF-8 is replaced.
    pub text: String,
    /// The whole line without its end; empty when it is longer than [`super::LINE_BYTES_MAX`].
    pub raw: Vec<u8>,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl std::error::Error for LineProblem {}

/// Why there is no record.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// One line is wrong.
    #[error(transparent)]
    Line(Box<LineProblem>),
    /// The file cannot be read any further.
    #[error("the file cannot be read on")]
    File(#[from] io::Error),
}

/// A problem at a place in a line or row.
#[derive(Debug)]
pub(super) struct Fault {
    /// Byte offset in the line.
    pub offset: usize,
    pub problem: Problem,
}

impl Fault {
    pub(super) fn new(offset: usize, problem: Problem) -> Fault {
        Fault { offset, problem }
    }

    /// Something is not written as the format wants it.
    pub(super) fn format(offset: usize, thing: &str, message: impl Into<String>) -> Fault {
        Fault::new(offset, Problem::new(Reason::FormatInvalid, message, thing))
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.problem = self.problem.hint(hint);
        self
    }

    pub(super) fn expected(mut self, expected: impl Into<String>, given: impl Into<String>) -> Fault {
        self.problem = self.problem.expected(expected, given);
        self
    }

    /// The fault as a problem of a whole line, of which only the beginning is known.
    pub(super) fn whole_line(self, line: u64, beginning: &[u8]) -> ReadError {
        let text = shown(beginning);
        ReadError::Line(Box::new(LineProblem {
            line,
            column: 0,
            problem: self.problem,
            text,
            raw: Vec::new(),
        }))
    }

    /// The fault as a problem of a line, or of a row that begins at this line.
    pub(super) fn at(self, line: u64, raw: &[u8]) -> ReadError {
        let before = &raw[..self.offset.min(raw.len())];
        let newlines = before.iter().filter(|byte| **byte == b'\n').count();
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let characters = String::from_utf8_lossy(&before[line_start..]).chars().count();
        ReadError::Line(Box::new(LineProblem {
            line: line + newlines as u64,
            column: characters as u64 + 1,
            problem: self.problem,
            text: shown(raw),
            raw: raw.to_vec(),
        }))
    }
}

/// The beginning of a line as text, at most [`TEXT_BYTES_MAX`] of it.
fn shown(raw: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(&raw[..raw.len().min(TEXT_BYTES_MAX)]).into_owned();
    // What is not UTF-8 grows when it is replaced.
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    text
}

/// A record at a line.
pub(super) fn located<T>(line: u64, value: T) -> Located<T> {
    Located { line, column: 1, value }
}
