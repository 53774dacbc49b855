//! Numbers, moments and texts in few bytes.
//!
//! ```text
//! number   7 bits a byte, least first
//! moment   its distance to the moment before it in the record, the first one to 1970
//! text     header = number: what it is (2 bits), and
//!            0 length, then the bytes        2 which text before it (0: the last) it repeats
//!            1 number of a word              3 number of a word W: "A W B" follows as text A, how much of A begins B,
//!                                              length of the rest of B, its bytes
//! ```
//!
//! Invariant: a reader meets the same texts and moments in the same order as the writer, so both count alike.

use std::borrow::Cow;

use super::words;

/// The most texts of one record that can be repeated; later ones are spelt again.
const REPEATED_MAX: usize = 32;
/// Shorter texts are not worth repeating.
const REPEATED_BYTES_MIN: usize = 3;

const SPELT: u64 = 0;
const WORD: u64 = 1;
const REPEATED: u64 = 2;
const JOINED: u64 = 3;

/// Writes one record.
pub(super) struct Writer<'a> {
    pub(super) bytes: &'a mut Vec<u8>,
    said: [&'a str; REPEATED_MAX],
    /// How many texts were said.
    count: usize,
    moment: i64,
}

impl<'a> Writer<'a> {
    /// Goes on after what is there.
    pub(super) fn after(bytes: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { bytes, said: [""; REPEATED_MAX], count: 0, moment: 0 }
    }

    pub(super) fn number(&mut self, number: u64) {
        prost::encoding::encode_varint(number, self.bytes);
    }

    pub(super) fn count(&mut self, of: usize) {
        self.number(of as u64);
    }

    pub(super) fn signed(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    pub(super) fn moment(&mut self, moment: i64) {
        self.signed(moment.wrapping_sub(self.moment));
        self.moment = moment;
    }

    /// The moment that was written last.
    pub(super) fn last_moment(&self) -> i64 {
        self.moment
    }

    pub(super) fn float(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn all(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &'a str) {
        if let Some(word) = words::number_of(text) {
            self.number(word << 2 | WORD);
        } else if let Some(before) = self.said[..self.count].iter().rev().position(|said| *said == text) {
            self.number((before as u64) << 2 | REPEATED);
        } else {
            self.number((text.len() as u64) << 2 | SPELT);
            self.bytes.extend_from_slice(text.as_bytes());
            if text.len() >= REPEATED_BYTES_MIN && self.count < REPEATED_MAX {
                self.said[self.count] = text;
                self.count += 1;
            }
        }
    }

    /// A key that may be made of a word and what it stands between.
    pub(super) fn key(&mut self, key: &'a str, word: &str) {
        let Some((number, (left, right))) = words::number_of(word).zip(split(key, word)) else {
            return self.text(key);
        };
        self.number(number << 2 | JOINED);
        self.text(left);
        let shared = left.bytes().zip(right.bytes()).take_while(|(one, other)| one == other).count();
        self.count(shared);
        self.all(&right.as_bytes()[shared..]);
    }
}

/// The texts around a word and its blanks.
fn split<'a>(key: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    key.match_indices(word)
        .find_map(|(at, _)| Some((key[..at].strip_suffix(' ')?, key[at + word.len()..].strip_prefix(' ')?)))
}

/// Reads one record; `None` wherever it is damaged.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    said: Vec<&'b str>,
    moment: i64,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Reader<'b> {
        Reader { rest: bytes, said: Vec::new(), moment: 0 }
    }

    /// Whether everything was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// A number of things, each of which takes a byte at least.
    pub(super) fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.rest.len())
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    pub(super) fn moment(&mut self) -> Option<i64> {
        self.moment = self.moment.wrapping_add(self.signed()?);
        Some(self.moment)
    }

    /// The moment that was read last.
    pub(super) fn last_moment(&self) -> i64 {
        self.moment
    }

    pub(super) fn float(&mut self) -> Option<f64> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(f64::from_le_bytes(*bytes))
    }

    pub(super) fn exactly(&mut self, length: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    pub(super) fn all(&mut self) -> Option<&'b [u8]> {
        let length = self.count()?;
        self.exactly(length)
    }

    pub(super) fn text(&mut self) -> Option<String> {
        Some(self.any_text()?.into_owned())
    }

    fn any_text(&mut self) -> Option<Cow<'b, str>> {
        let header = self.number()?;
        if header & 3 != JOINED {
            return self.plain(header).map(Cow::Borrowed);
        }
        let word = words::word(header >> 2)?;
        let left = self.number()?;
        let left = self.plain(left)?;
        let shared = usize::try_from(self.number()?).ok()?;
        let shared = left.as_bytes().get(..shared)?;
        let rest = self.all()?;
        let mut bytes = Vec::with_capacity(left.len() + word.len() + shared.len() + rest.len() + 2);
        for part in [left.as_bytes(), b" ", word.as_bytes(), b" ", shared, rest] {
            bytes.extend_from_slice(part);
        }
        String::from_utf8(bytes).ok().map(Cow::Owned)
    }

    fn plain(&mut self, header: u64) -> Option<&'b str> {
        match header & 3 {
            SPELT => {
                let bytes = self.exactly(usize::try_from(header >> 2).ok()?)?;
                let text = std::str::from_utf8(bytes).ok()?;
                if text.len() >= REPEATED_BYTES_MIN && self.said.len() < REPEATED_MAX {
                    self.said.push(text);
                }
                Some(text)
            }
            WORD => words::word(header >> 2),
            REPEATED => self.said.iter().rev().nth(usize::try_from(header >> 2).ok()?).copied(),
            _ => None,
        }
    }
}

/// Which parts of a record are there, and how they are: one bit each, the usual ones unset.
#[derive(Clone, Copy, Default)]
pub(super) struct Flags(pub(super) u64);

impl Flags {
    /// Sets a bit.
    pub(super) fn with(self, bit: u32, set: bool) -> Flags {
        Flags(self.0 | u64::from(set) << bit)
    }

    pub(super) fn has(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// What this program does not know, it must not pass over.
    pub(super) fn within(self, bits: u32) -> Option<Flags> {
        (self.0 >> bits == 0).then_some(self)
    }
}
