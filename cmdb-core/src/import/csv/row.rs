//! Rows and cells: RFC 4180, with LF or CRLF.

use std::borrow::Cow;
use std::io::BufRead;

use crate::import::json_lines::{too_long, utf8};
use crate::import::lines::{Line, Lines};
use crate::import::problem::{Fault, ReadError};

/// One cell, and its byte offset in the row.
#[derive(Debug)]
pub(super) struct Cell<'r> {
    pub offset: usize,
    pub text: Cow<'r, str>,
}

/// Reads row after row; a row goes on over line ends that stand between quotes.
pub(super) struct Rows<R> {
    lines: Lines<R>,
    buffer: Vec<u8>,
    /// The line on which the present row begins.
    pub first_line: u64,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(input: R) -> Rows<R> {
        Rows { lines: Lines::new(input), buffer: Vec::new(), first_line: 0 }
    }

    /// Reads the next row that is not blank; `false` at the end of the file.
    pub(super) fn next(&mut self) -> Result<bool, ReadError> {
        loop {
            self.buffer.clear();
            if !self.line()? {
                return Ok(false);
            }
            self.first_line = self.lines.number;
            let mut state = State::default();
            let mut scanned = 0;
            loop {
                state.scan(&self.buffer[scanned..]);
                scanned = self.buffer.len();
                if !state.quoted {
                    break;
                }
                self.buffer.push(b'\n');
                if !self.line()? {
                    return Err(self.never_closed(state.opened));
                }
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Appends a line to the row; `false` at the end of the file.
    fn line(&mut self) -> Result<bool, ReadError> {
        let begun = !self.buffer.is_empty();
        match self.lines.next(&mut self.buffer)? {
            Line::Read => Ok(true),
            Line::End => Ok(false),
            Line::TooLong => {
                let first = if begun { self.first_line } else { self.lines.number };
                Err(too_long("the row").whole_line(first, &self.buffer))
            }
        }
    }

    fn never_closed(&self, opened: usize) -> ReadError {
        Fault::format(opened, "the row", "the quote that opens here is never closed")
            .hint("close it with \"; a quote inside a quoted cell is written twice")
            .at(self.first_line, &self.buffer)
    }

    /// The present row as it was read.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// The cells of the present row.
    pub(super) fn cells(&self) -> Result<Vec<Cell<'_>>, Fault> {
        let row = utf8(&self.buffer)?;
        let mut cells = Vec::new();
        let mut offset = 0;
        loop {
            let (cell, after) = cell(row, offset)?;
            cells.push(cell);
            match after {
                Some(next) => offset = next,
                None => return Ok(cells),
            }
        }
    }
}

/// Where a scan of a row stands.
#[derive(Default)]
struct State {
    /// Between quotes.
    quoted: bool,
    /// The last byte was a quote that may close the cell or be doubled.
    closing: bool,
    /// The cell has begun, and not with a quote.
    bare: bool,
    /// Where the last quote opened.
    opened: usize,
    offset: usize,
}

impl State {
    /// Takes in one more line.
    fn scan(&mut self, line: &[u8]) {
        for byte in line {
            match byte {
                b'"' if self.quoted => (self.quoted, self.closing) = (false, true),
                b'"' if self.closing => (self.quoted, self.closing) = (true, false),
                b'"' if !self.bare => (self.quoted, self.opened) = (true, self.offset),
                b',' if !self.quoted => (self.bare, self.closing) = (false, false),
                _ if !self.quoted => (self.bare, self.closing) = (true, false),
                _ => {}
            }
            self.offset += 1;
        }
    }
}

/// The cell at an offset, and where the next one begins.
fn cell(row: &str, offset: usize) -> Result<(Cell<'_>, Option<usize>), Fault> {
    let rest = &row[offset..];
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find(',');
        let text = &rest[..end.unwrap_or(rest.len())];
        return Ok((Cell { offset, text: Cow::Borrowed(text) }, end.map(|end| offset + end + 1)));
    };
    let mut text = String::new();
    let mut place = 0;
    loop {
        let Some(quote) = quoted[place..].find('"') else {
            return Err(Fault::format(offset, "the row", "the quote that opens here is never closed"));
        };
        text.push_str(&quoted[place..place + quote]);
        place += quote + 1;
        if !quoted[place..].starts_with('"') {
            break;
        }
        text.push('"');
        place += 1;
    }
    let after = offset + 1 + place;
    let next = match row[after..].chars().next() {
        None => None,
        Some(',') => Some(after + 1),
        Some(_) => {
            return Err(Fault::format(after, "the row", "something follows the closing quote")
                .hint("write \"\" for a quote inside a quoted cell"));
        }
    };
    Ok((Cell { offset, text: Cow::Owned(text) }, next))
}
