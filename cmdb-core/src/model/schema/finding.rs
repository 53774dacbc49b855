//! What is wrong with schema files, to the line and column.

use std::fmt;

use super::document::File;
use super::{FILE_BYTES_MAX, FILES_MAX};

/// The most findings that are listed.
const FINDINGS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file's place in the order of reading, then line and column sort the findings.
    order: usize,
    /// The file.
    pub file: String,
    /// From 1; 0: the whole file.
    pub line: usize,
    /// From 1, in characters; 0: the whole line.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// The schema cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct SchemaError {
    /// What is wrong, in the order of the files. Never empty.
    pub findings: Vec<Finding>,
    /// Findings that are not listed.
    pub omitted: usize,
}

impl SchemaError {
    /// Findings in the order of the files.
    pub(crate) fn new(mut findings: Vec<Finding>) -> SchemaError {
        findings.sort();
        findings.dedup();
        let omitted = findings.len().saturating_sub(FINDINGS_MAX);
        findings.truncate(FINDINGS_MAX);
        SchemaError { findings, omitted }
    }
}

/// One finding a line.
impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, finding) in self.findings.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

/// Where something is declared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    order: usize,
    /// The file, as findings name it.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Place {
    /// What is wrong there.
    #[must_use]
    pub fn finding(&self, message: impl Into<String>) -> Finding {
        let Place { order, file, line, column } = self.clone();
        Finding { order, file, line, column, message: message.into() }
    }
}

/// A place in one of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct At {
    /// Which file, by its place.
    pub file: usize,
    /// Byte offset.
    pub offset: usize,
}

impl At {
    pub(super) fn place(self, files: &[File<'_>]) -> Place {
        let file = &files[self.file];
        let (line, column) = position(file.text, self.offset);
        Place { order: self.file, file: file.shown(), line, column }
    }

    pub(super) fn finding(self, files: &[File<'_>], message: impl Into<String>) -> Finding {
        let file = &files[self.file];
        let (line, column) = position(file.text, self.offset);
        Finding { order: self.file, file: file.shown(), line, column, message: message.into() }
    }
}

/// Line and column, both from 1; columns count characters.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

pub(super) fn check_sizes(files: &[File<'_>]) -> Result<(), SchemaError> {
    let whole = |order: usize, file: &File<'_>, message: String| {
        SchemaError::new(vec![Finding { order, file: file.shown(), line: 0, column: 0, message }])
    };
    if let Some(file) = files.get(FILES_MAX) {
        return Err(whole(FILES_MAX, file, format!("a schema has at most {FILES_MAX} files")));
    }
    for (order, file) in files.iter().enumerate() {
        if file.text.len() > FILE_BYTES_MAX {
            let message =
                format!("the file has {} bytes; a schema file has at most {FILE_BYTES_MAX}", file.text.len());
            return Err(whole(order, file, message));
        }
    }
    Ok(())
}
