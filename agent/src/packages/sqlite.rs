//! Reads the rows of a table from an SQLite file, page by page, without a database library.
//!
//! The format is the published one (sqlite.org/fileformat2.html): a file of pages; a table is a tree of pages,
//! leaves hold the rows, long rows go on in overflow pages; pages written lately may stand in the log beside the
//! file. Only what reading a table needs is here: no indexes, no queries, no locks.
//!
//! Invariant: every page number, length and offset of the file is checked before it is used, and no more pages
//! are visited than the file has.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::root::{ReadError, Root};

/// The most bytes of one row.
const ROW_BYTES_MAX: usize = 64 << 20;
/// The most bytes of the log that are looked at.
const LOG_BYTES_MAX: u64 = 512 << 20;
/// The deepest tree.
const DEPTH_MAX: usize = 40;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
const LOG_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const LEAF: u8 = 0x0d;
const INTERIOR: u8 = 0x05;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("it is not an SQLite database")]
    NotSqlite,
    #[error("reading it failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("it is damaged, or was written to while it was read: {0}")]
    Damaged(&'static str),
    #[error("it has no table {0}")]
    NoTable(&'static str),
}

/// An SQLite file that is open for reading.
pub struct Database {
    file: File,
    page_bytes: usize,
    usable_bytes: usize,
    pages: u32,
    log: Option<Log>,
}

/// The newest version of each page that the log holds.
struct Log {
    file: File,
    offsets: HashMap<u32, u64>,
    pages: u32,
}

impl Database {
    /// Opens the file and reads its log.
    pub fn open(root: &Root, path: &str) -> Result<Self, SqliteError> {
        let mut file = root.open(path)?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header).map_err(|_| SqliteError::NotSqlite)?;
        if &header[..16] != MAGIC {
            return Err(SqliteError::NotSqlite);
        }
        let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65_536,
            bytes => usize::from(bytes),
        };
        if !page_bytes.is_power_of_two() || page_bytes < 512 {
            return Err(SqliteError::NotSqlite);
        }
        let usable_bytes = page_bytes - usize::from(header[20]);
        if usable_bytes < 480 {
            return Err(SqliteError::NotSqlite);
        }
        let file_bytes = file.metadata()?.len();
        let pages = u32::try_from(file_bytes / page_bytes as u64).unwrap_or(u32::MAX);
        let log = match root.open(&format!("{path}-wal")) {
            Ok(log) => Log::read(log, page_bytes)?,
            Err(_) => None,
        };
        let pages = log.as_ref().map_or(pages, |log| log.pages.max(pages));
        Ok(Self { file, page_bytes, usable_bytes, pages, log })
    }

    /// Calls `see` with the record of each row of the table, in the order of their numbers.
    pub fn rows(
        &mut self,
        table: &'static str,
        mut see: impl FnMut(&[Column<'_>]),
    ) -> Result<(), SqliteError> {
        let mut table_page = None;
        self.walk(1, &mut |record| {
            // sqlite_schema: type, name, tbl_name, rootpage, sql
            if let [Column::Text(b"table"), Column::Text(name), _, Column::Integer(page), ..] = record
                && *name == table.as_bytes()
            {
                table_page = u32::try_from(*page).ok();
            }
        })?;
        let table_page = table_page.ok_or(SqliteError::NoTable(table))?;
        self.walk(table_page, &mut see)
    }

    fn walk(&mut self, start: u32, see: &mut dyn FnMut(&[Column<'_>])) -> Result<(), SqliteError> {
        let mut waiting = vec![(start, 0usize)];
        let mut visited = 0u32;
        let mut row = Vec::new();
        while let Some((number, depth)) = waiting.pop() {
            visited += 1;
            if visited > self.pages || depth > DEPTH_MAX {
                return Err(SqliteError::Damaged("its pages go round in a circle"));
            }
            let page = self.page(number)?;
            let at = if number == 1 { HEADER_BYTES } else { 0 };
            let kind = *page.get(at).ok_or(SqliteError::Damaged("an empty page"))?;
            let cells = u16_at(&page, at + 3)?;
            let pointers = at + if kind == INTERIOR { 12 } else { 8 };
            match kind {
                INTERIOR => {
                    // Pushed from the right, so that the leftmost is taken first.
                    waiting.push((u32_at(&page, at + 8)?, depth + 1));
                    for cell in (0..cells).rev() {
                        let cell = usize::from(u16_at(&page, pointers + 2 * usize::from(cell))?);
                        waiting.push((u32_at(&page, cell)?, depth + 1));
                    }
                    if waiting.len() > self.pages as usize {
                        return Err(SqliteError::Damaged("more pages than the file has"));
                    }
                }
                LEAF => {
                    for cell in 0..cells {
                        let cell = usize::from(u16_at(&page, pointers + 2 * usize::from(cell))?);
                        self.row(&page, cell, &mut row)?;
                        see(&columns(&row)?);
                    }
                }
                _ => return Err(SqliteError::Damaged("a page of another kind in a table")),
            }
        }
        Ok(())
    }

    /// Puts together the row whose cell starts at `cell`.
    fn row(&mut self, page: &[u8], cell: usize, row: &mut Vec<u8>) -> Result<(), SqliteError> {
        let mut rest = page.get(cell..).ok_or(SqliteError::Damaged("a cell outside its page"))?;
        let length = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
        varint(&mut rest)?;
        if length > ROW_BYTES_MAX {
            return Err(SqliteError::Damaged("a row above the limit"));
        }
        let local = self.local_bytes(length);
        row.clear();
        row.extend_from_slice(rest.get(..local).ok_or(SqliteError::Damaged("a row outside its page"))?);
        let mut next = if local < length { u32_at(rest, local)? } else { 0 };
        while row.len() < length {
            let page = self.page(next)?;
            next = u32_at(&page, 0)?;
            let part = (length - row.len()).min(self.usable_bytes - 4);
            row.extend_from_slice(&page[4..4 + part]);
        }
        Ok(())
    }

    /// How much of a row stands in its leaf; the rest is in overflow pages.
    fn local_bytes(&self, length: usize) -> usize {
        let usable = self.usable_bytes;
        let most = usable - 35;
        if length <= most {
            return length;
        }
        let least = (usable - 12) * 32 / 255 - 23;
        let local = least + (length - least) % (usable - 4);
        if local <= most { local } else { least }
    }

    fn page(&mut self, number: u32) -> Result<Vec<u8>, SqliteError> {
        if number == 0 || number > self.pages {
            return Err(SqliteError::Damaged("a page that the file does not have"));
        }
        let mut page = vec![0; self.page_bytes];
        let (file, offset) = match &mut self.log {
            Some(log) if log.offsets.contains_key(&number) => (&mut log.file, log.offsets[&number]),
            _ => (&mut self.file, u64::from(number - 1) * self.page_bytes as u64),
        };
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut page)?;
        Ok(page)
    }
}

impl Log {
    /// Reads the log up to its last whole transaction. A frame that carries another generation's salt, or a wrong
    /// checksum, is where it ends.
    fn read(mut file: File, page_bytes: usize) -> Result<Option<Self>, SqliteError> {
        let mut header = [0; LOG_HEADER_BYTES];
        if file.read_exact(&mut header).is_err() {
            return Ok(None);
        }
        let big_endian = match u32_at(&header, 0)? {
            0x377f_0682 => false,
            0x377f_0683 => true,
            _ => return Ok(None),
        };
        let mut sum = Checksum { big_endian, parts: (0, 0) };
        sum.add(&header[..24]);
        if u32_at(&header, 8)? as usize != page_bytes
            || sum.parts != (u32_at(&header, 24)?, u32_at(&header, 28)?)
        {
            return Ok(None);
        }
        let salt = &header[16..24];
        let mut found = HashMap::new();
        let mut committed = HashMap::new();
        let mut pages = 0;
        let mut offset = LOG_HEADER_BYTES as u64;
        let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
        while offset < LOG_BYTES_MAX && file.read_exact(&mut frame).is_ok() {
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER_BYTES..]);
            let whole = sum.parts == (u32_at(&frame, 16)?, u32_at(&frame, 20)?);
            if &frame[8..16] != salt || !whole {
                break;
            }
            found.insert(u32_at(&frame, 0)?, offset + FRAME_HEADER_BYTES as u64);
            let pages_after = u32_at(&frame, 4)?;
            if pages_after != 0 {
                committed.extend(found.drain());
                pages = pages_after;
            }
            offset += frame.len() as u64;
        }
        Ok((!committed.is_empty()).then_some(Self { file, offsets: committed, pages }))
    }
}

struct Checksum {
    big_endian: bool,
    parts: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let word = |bytes: &[u8]| {
            let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
            if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        let (mut one, mut two) = self.parts;
        for pair in bytes.chunks_exact(8) {
            one = one.wrapping_add(word(&pair[..4])).wrapping_add(two);
            two = two.wrapping_add(word(&pair[4..])).wrapping_add(one);
        }
        self.parts = (one, two);
    }
}

/// One value of a row. What rpm does not use is not told apart.
#[derive(Debug, PartialEq)]
pub enum Column<'a> {
    Integer(i64),
    Text(&'a [u8]),
    Blob(&'a [u8]),
    Other,
}

/// A record: the length of its header, a type for each column, then the values.
fn columns(record: &[u8]) -> Result<Vec<Column<'_>>, SqliteError> {
    let mut rest = record;
    let header_bytes = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
    let prefix = record.len() - rest.len();
    let mut types = record.get(prefix..header_bytes).ok_or(SqliteError::Damaged("a row's header"))?;
    let mut values = &record[header_bytes..];
    let mut found = Vec::new();
    while !types.is_empty() {
        let kind = varint(&mut types)?;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).expect("at most four"),
            5 => 6,
            6 | 7 => 8,
            10 | 11 => return Err(SqliteError::Damaged("a value of an unknown type")),
            _ => usize::try_from((kind - 12) / 2).unwrap_or(usize::MAX),
        };
        let (value, after) =
            values.split_at_checked(length).ok_or(SqliteError::Damaged("a value outside its row"))?;
        values = after;
        found.push(match kind {
            1..=6 => Column::Integer(integer(value)),
            8 => Column::Integer(0),
            9 => Column::Integer(1),
            _ if kind >= 12 && kind % 2 == 0 => Column::Blob(value),
            _ if kind >= 13 => Column::Text(value),
            _ => Column::Other,
        });
    }
    Ok(found)
}

fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    bytes.iter().fold(if negative { -1 } else { 0 }, |value: i64, byte| (value << 8) | i64::from(*byte))
}

/// One to nine bytes, seven bits each, eight in the ninth.
fn varint(bytes: &mut &[u8]) -> Result<u64, SqliteError> {
    let mut value = 0u64;
    for at in 0..9 {
        let (&byte, rest) = bytes.split_first().ok_or(SqliteError::Damaged("a number that is cut off"))?;
        *bytes = rest;
        if at == 8 {
            return Ok(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    unreachable!("the ninth byte returns")
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, SqliteError> {
    let bytes = bytes.get(at..at + 2).ok_or(SqliteError::Damaged("a number outside its page"))?;
    Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, SqliteError> {
    let bytes = bytes.get(at..at + 4).ok_or(SqliteError::Damaged("a number outside its page"))?;
    Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints() {
        let cases: [(&[u8], u64, usize); 4] = [
            (&[0x05], 5, 1),
            (&[0x81, 0x00], 128, 2),
            (&[0xff; 9], u64::MAX, 9),
            (&[0x80, 0x80, 0x01, 0x77], 1, 3),
        ];
        for (bytes, value, length) in cases {
            let mut rest = bytes;
            assert_eq!(varint(&mut rest).unwrap(), value);
            assert_eq!(bytes.len() - rest.len(), length);
        }
        assert!(varint(&mut &[0x80u8, 0x80][..]).is_err());
    }

    #[test]
    fn records() {
        // header of four bytes: a one-byte integer, a text of two, a blob of one
        let record = [4, 1, 17, 14, 0xff, b'h', b'i', 7];
        let found = columns(&record).unwrap();
        assert_eq!(found, [Column::Integer(-1), Column::Text(b"hi"), Column::Blob(&[7])]);
        assert!(columns(&record[..6]).is_err());
        assert!(columns(&[200]).is_err());
        assert!(columns(&[]).is_err());
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(directory.path());
        let mut bytes = vec![0u8; 4096];
        bytes[..16].copy_from_slice(MAGIC);
        let cases: [(&str, Vec<u8>); 4] = [
            ("short", b"SQLite".to_vec()),
            ("other", vec![7; 4096]),
            ("page-size", bytes.clone()),
            ("circle", {
                let mut circle = bytes.clone();
                circle[16] = 0x10; // pages of 4,096 bytes
                circle[100] = INTERIOR;
                circle[108..112].copy_from_slice(&1u32.to_be_bytes());
                circle
            }),
        ];
        for (name, content) in cases {
            std::fs::write(directory.path().join(name), content).unwrap();
            let rows = Database::open(&root, &format!("/{name}"))
                .and_then(|mut database| database.rows("Packages", |_| panic!("{name} has no rows")));
            assert!(rows.is_err(), "{name}");
        }
    }
}
