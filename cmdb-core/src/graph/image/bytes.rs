//! Numbers, texts and lists of numbers as bytes.
//!
//! Knows nothing of graphs. Invariant: a list is never longer than the bytes that it is read from.

use std::io::{self, Write};

/// Words turned into bytes at a time.
const WORDS_AT_ONCE: usize = 4_096;

pub(super) struct Out<'w>(pub &'w mut dyn Write);

impl Out<'_> {
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    pub fn u8(&mut self, number: u8) -> io::Result<()> {
        self.0.write_all(&[number])
    }

    pub fn u16(&mut self, number: u16) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    pub fn u32(&mut self, number: u32) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    pub fn u128(&mut self, number: u128) -> io::Result<()> {
        self.0.write_all(&number.to_le_bytes())
    }

    pub fn flag(&mut self, flag: bool) -> io::Result<()> {
        self.u8(u8::from(flag))
    }

    pub fn count(&mut self, count: usize) -> io::Result<()> {
        self.u32(crate::graph::dense(count))
    }

    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.count(text.len())?;
        self.0.write_all(text.as_bytes())
    }

    /// So many words, without saying how many.
    pub fn words(&mut self, words: impl Iterator<Item = u32>) -> io::Result<()> {
        self.list(words.map(u32::to_le_bytes))
    }

    /// So many double words, without saying how many.
    pub fn double_words(&mut self, words: impl Iterator<Item = u64>) -> io::Result<()> {
        self.list(words.map(u64::to_le_bytes))
    }

    pub fn shorts(&mut self, shorts: impl Iterator<Item = u16>) -> io::Result<()> {
        self.list(shorts.map(u16::to_le_bytes))
    }

    fn list<const N: usize>(&mut self, numbers: impl Iterator<Item = [u8; N]>) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(WORDS_AT_ONCE * N);
        for number in numbers {
            buffer.extend_from_slice(&number);
            if buffer.len() == WORDS_AT_ONCE * N {
                self.0.write_all(&buffer)?;
                buffer.clear();
            }
        }
        self.0.write_all(&buffer)
    }
}

pub(super) struct In<'b>(&'b [u8]);

impl<'b> In<'b> {
    pub fn new(bytes: &'b [u8]) -> In<'b> {
        In(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn bytes(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    pub fn u128(&mut self) -> Option<u128> {
        self.take().map(u128::from_le_bytes)
    }

    pub fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn count(&mut self) -> Option<usize> {
        Some(self.u32()? as usize)
    }

    pub fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        String::from_utf8(self.bytes(length)?.to_vec()).ok()
    }

    pub fn words(&mut self, count: usize) -> Option<impl ExactSizeIterator<Item = u32> + Clone + use<'b>> {
        Some(self.list::<4>(count)?.iter().map(|bytes| u32::from_le_bytes(*bytes)))
    }

    pub fn double_words(&mut self, count: usize) -> Option<impl ExactSizeIterator<Item = u64> + use<'b>> {
        Some(self.list::<8>(count)?.iter().map(|bytes| u64::from_le_bytes(*bytes)))
    }

    pub fn shorts(&mut self, count: usize) -> Option<impl ExactSizeIterator<Item = u16> + use<'b>> {
        Some(self.list::<2>(count)?.iter().map(|bytes| u16::from_le_bytes(*bytes)))
    }

    fn list<const N: usize>(&mut self, count: usize) -> Option<&'b [[u8; N]]> {
        let bytes = self.bytes(count.checked_mul(N)?)?;
        Some(bytes.as_chunks().0)
    }
}
