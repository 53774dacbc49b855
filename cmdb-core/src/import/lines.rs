//! Lines of bounded length from any bytes.

use std::io::{self, BufRead, Read};

use super::LINE_BYTES_MAX;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads lines; both `\n` and `\r\n` end one.
pub(super) struct Lines<R> {
    input: R,
    /// The number of the line last read.
    pub number: u64,
}

/// What the next line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// It was appended to the buffer, without its end.
    Read,
    /// It is longer than there is room for, and was skipped. Its beginning was appended.
    TooLong,
    End,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Lines<R> {
        Lines { input, number: 0 }
    }

    /// Appends the next line to `buffer`, which may come to hold [`LINE_BYTES_MAX`].
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Line> {
        let start = buffer.len();
        let room = LINE_BYTES_MAX.saturating_sub(start);
        // Two more bytes: the line's end.
        let taken = self.input.by_ref().take(room as u64 + 2).read_until(b'\n', buffer)?;
        if taken == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        let ended = buffer.last() == Some(&b'\n');
        if ended {
            buffer.pop();
            if buffer.len() > start && buffer.last() == Some(&b'\r') {
                buffer.pop();
            }
        }
        if self.number == 1 && buffer.starts_with(BYTE_ORDER_MARK) {
            buffer.drain(..BYTE_ORDER_MARK.len());
        }
        if buffer.len() - start <= room {
            return Ok(Line::Read);
        }
        if !ended {
            self.skip_rest()?;
        }
        Ok(Line::TooLong)
    }

    /// Passes over everything up to the end of the line.
    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let available = match self.input.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let newline = available.iter().position(|byte| *byte == b'\n');
            let used = newline.map_or(available.len(), |newline| newline + 1);
            self.input.consume(used);
            if newline.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}
