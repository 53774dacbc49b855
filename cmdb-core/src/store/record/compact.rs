//! The compact form of the rows of which there are most: what is as usual takes no room.
//!
//! ```text
//! row        [format u8][schema varint][payload]
//! payload    format 1: a protobuf message      format 2: what this room writes
//! ```
//!
//! A protobuf message spells every name, writes eight bytes for each moment and number of its own, and repeats what its
//! neighbours say. Here names that are built in are numbers, moments are distances, texts that come again are pointed
//! at, and a byte of flags says what is not as usual.
//!
//! A record that is unusual (it was merged, purged, pinned … or has a field that came later) has no compact form and is
//! written as format 1 is: so records can grow, and only what is common is written twice in code.
//!
//! Invariant: what is read is what was written, field by field, whichever form it took.

mod bytes;
mod item;
mod keys;
mod relationship;
mod rows;
#[cfg(test)]
mod tests;
mod words;

use bytes::{Reader, Writer};
pub(in crate::store) use keys::{join_key, split_key};
use prost::Message;

use super::{
    BaselineRecord, CommitRecord, HistoryKeptRecord, MatchRecord, ReplacedRecord, RetentionRecord,
    ScenarioRecord, SchemaRecord, ScopeRecord, SourceRecord,
};

/// What a row may hold, as it is read.
pub trait Record: Message + Default {
    /// Appends the compact form; `None`: it has none.
    fn compact(&self, _to: &mut Vec<u8>) -> Option<()> {
        None
    }

    /// Reads the compact form; `None`: it is damaged.
    fn read_compact(_payload: &[u8]) -> Option<Self> {
        None
    }
}

/// What is written as a row: a record, or what of the model a row holds, so that no record is made of it first.
pub trait Row {
    /// Appends the compact form; `None`: it has none, and what was appended means nothing.
    fn append_compact(&self, to: &mut Vec<u8>) -> Option<()>;

    /// Appends the protobuf message.
    fn append_plain(&self, to: &mut Vec<u8>);
}

impl<R: Record> Row for R {
    fn append_compact(&self, to: &mut Vec<u8>) -> Option<()> {
        self.compact(to)
    }

    fn append_plain(&self, to: &mut Vec<u8>) {
        self.encode(to).expect("a vector has room");
    }
}

/// Something that is written compactly.
trait Write {
    /// `None`: it is unusual.
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()>;
}

/// Something that is read from its compact form.
trait Compact: Sized {
    /// `None`: it is damaged.
    fn read(from: &mut Reader<'_>) -> Option<Self>;
}

/// Appends the compact form.
fn append(what: &impl Write, to: &mut Vec<u8>) -> Option<()> {
    what.write(&mut Writer::after(to))
}

/// A record that takes the whole payload.
fn whole<R: Compact>(payload: &[u8]) -> Option<R> {
    let mut reader = Reader::new(payload);
    let record = R::read(&mut reader)?;
    reader.is_at_end().then_some(record)
}

/// Of these a store holds few, or they are long anyway.
macro_rules! plain {
    ($($record:ty),*) => { $(impl Record for $record {})* };
}

plain!(
    BaselineRecord,
    CommitRecord,
    HistoryKeptRecord,
    MatchRecord,
    ReplacedRecord,
    RetentionRecord,
    ScenarioRecord,
    SchemaRecord,
    ScopeRecord,
    SourceRecord
);
