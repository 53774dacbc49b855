//! Files in, files out: JSON Lines, CSV, and the form in which everything is exported.
//!
//! Pure: bytes become records, each checked against the schema as far as one line can be checked alone. Knows nothing
//! of files, compression, other lines or the store.
//!
//! ```text
//! bytes ──lines──▶ line ──json · csv──▶ fields ──item · relationship · redundancy──▶ Record
//!                                                └─exported──▶ Exported ──write_line──▶ line
//! ```
//!
//! Invariant: memory is bounded by one line, whatever the input; a bad line is named and reading goes on after it.

mod csv;
mod exported;
mod field;
mod json;
mod json_lines;
mod key;
mod lines;
mod problem;
mod value;

#[cfg(test)]
mod tests;

use std::io::BufRead;

use self::csv::Csv;
use self::json_lines::JsonLines;
use crate::claim::Claim;
use crate::model::Schema;

pub use exported::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, ExportedWaiting, FORMAT, Header, LeftOut, Waits, write_line,
};
pub use problem::{LineProblem, ReadError};

/// The longest line of JSON Lines, and the longest row of CSV, in bytes.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of a bad line a problem repeats, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// The most columns of a CSV file.
pub const COLUMNS_MAX: usize = 1_000;
/// The deepest nesting of a value.
pub const VALUE_DEPTH_MAX: usize = 32;

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// A header, then one row for each item or relationship.
    Csv,
}

/// Something, and where it begins: line and column from 1, columns in characters.
#[derive(Clone, PartialEq, Debug)]
pub struct Located<T> {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
    /// The thing.
    pub value: T,
}

/// What one line says.
#[derive(Clone, PartialEq, Debug)]
pub enum Record {
    /// An item, a relationship or a redundancy group.
    Claim(Box<Claim>),
    /// A line of an export.
    Exported(Exported),
}

/// Reads records one by one.
///
/// A bad line is one `Err(ReadError::Line)` and reading goes on; after `Err(ReadError::File)` nothing more comes.
pub struct Reader<'s, R> {
    inner: Inner<'s, R>,
}

enum Inner<'s, R> {
    JsonLines(JsonLines<'s, R>),
    Csv(Csv<'s, R>),
}

/// A reader of a file that is already decompressed.
pub fn reader<R: BufRead>(format: Format, input: R, schema: &Schema) -> Reader<'_, R> {
    let inner = match format {
        Format::JsonLines => Inner::JsonLines(JsonLines::new(input, schema)),
        Format::Csv => Inner::Csv(Csv::new(input, schema)),
    };
    Reader { inner }
}

impl<R: BufRead> Iterator for Reader<'_, R> {
    type Item = Result<Located<Record>, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.inner {
            Inner::JsonLines(lines) => lines.next(),
            Inner::Csv(rows) => rows.next(),
        }
    }
}
