//! Relationships packed by item, in chunks of neighbours.
//!
//! The same shape in both directions: an item's edges in order of (type, far end), cut into chunks of at most
//! [`CHUNK_MAX`]. A chunk's key is the item and the first edge it may hold; the first chunk's is the item alone. So
//! one more dependent of an item with 10⁵ of them rewrites one chunk, not all.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::made::{self, Part};
use crate::model::{ItemId, Relationship};
use crate::store::record::{self, EndRecord, IncomingRecord, OutgoingRecord, OutgoingRow};
use crate::store::{Batch, Range, Read, StoreError, Table, key};

/// The most edges one chunk holds.
pub(super) const CHUNK_MAX: usize = 256;

/// Items whose chunks are read together: opening a table costs as much as some chunks do.
const TOGETHER: usize = 500;

/// An edge's place among the edges of one item.
pub(crate) type EdgeKey = Vec<u8>;

/// What one direction keeps of an edge.
pub(crate) trait Packed: Sized {
    const TABLE: Table;

    fn edge(&self) -> EdgeKey;
    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError>;
}

/// What of an edge is written.
pub(super) trait Pack: Packed + Clone {
    const PART: Part;

    fn pack(entries: &[Cow<'_, Self>], schema: u32, to: &mut Vec<u8>);
}

impl Packed for Relationship {
    const TABLE: Table = Table::Outgoing;

    fn edge(&self) -> EdgeKey {
        key::edge(&self.kind, self.to)
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let chunk: OutgoingRecord = record::decode(Self::TABLE, bytes)?;
        chunk.relationships.into_iter().map(record::relationship_from).collect()
    }
}

impl Pack for Relationship {
    const PART: Part = Part::Outgoing;

    fn pack(relationships: &[Cow<'_, Self>], schema: u32, to: &mut Vec<u8>) {
        record::append(to, schema, &OutgoingRow(relationships));
    }
}

impl Packed for EndRecord {
    const TABLE: Table = Table::Incoming;

    fn edge(&self) -> EdgeKey {
        key::edge(&self.kind, ItemId(self.from))
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let chunk: IncomingRecord = record::decode(Self::TABLE, bytes)?;
        Ok(chunk.ends)
    }
}

impl Pack for EndRecord {
    const PART: Part = Part::Incoming;

    fn pack(ends: &[Cow<'_, Self>], schema: u32, to: &mut Vec<u8>) {
        let ends = ends.iter().map(|end| Self::clone(end)).collect();
        record::append(to, schema, &IncomingRecord { ends });
    }
}

/// A chunk: its key and entries.
type Chunk<P> = (Vec<u8>, Vec<P>);

/// The rows of which the first is the chunk that holds, or would hold, an edge.
fn holding(item: ItemId, edge: &[u8]) -> Range {
    let mut beyond = key::chunk(item, edge);
    beyond.push(0);
    Range { from: key::item(item), to: Some(beyond), order: crate::store::Order::Descending }
}

/// One edge as it is stored.
pub(super) fn find<P: Packed>(read: &dyn Read, item: ItemId, edge: &[u8]) -> Result<Option<P>, StoreError> {
    let Some((_, value)) = read.scan(P::TABLE, &holding(item, edge), 1)?.pop() else { return Ok(None) };
    Ok(P::unpack(&value)?.into_iter().find(|entry| entry.edge() == edge))
}

/// One relationship as it is stored.
pub(crate) fn find_edge(
    read: &dyn Read,
    from: ItemId,
    kind: &str,
    to: ItemId,
) -> Result<Option<Relationship>, StoreError> {
    find(read, from, &key::edge(kind, to))
}

/// All edges of an item as they are stored, at most about `limit`; whether there are more.
pub(crate) fn all<P: Packed>(
    read: &dyn Read,
    item: ItemId,
    limit: usize,
) -> Result<(Vec<P>, bool), StoreError> {
    const PAGE: usize = 16;
    let mut range = Range::prefix(key::item(item));
    let mut edges = Vec::new();
    loop {
        let rows = read.scan(P::TABLE, &range, PAGE)?;
        for (_, value) in &rows {
            edges.extend(P::unpack(value)?);
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE && edges.len() < limit => range = range.after(last),
            Some(_) if rows.len() == PAGE => return Ok((edges, true)),
            _ => return Ok((edges, false)),
        }
    }
}

/// What changed of an edge: it is so now, or it is gone.
pub(super) enum Edit<'e, P: Pack> {
    Is(Cow<'e, P>),
    Gone(EdgeKey),
}

/// What changed of the edges of an item, in their order, each once.
pub(super) type Edits<'e, P> = Vec<Edit<'e, P>>;

/// The same, where chunks are met that hold some of them.
type ByKey<'e, P> = BTreeMap<EdgeKey, Option<Cow<'e, P>>>;

/// Writes the edges that changed, of items in their order.
pub(super) fn rewrite<P: Pack>(
    read: &dyn Read,
    batch: &mut Batch,
    schema: u32,
    made: &mut made::Items,
    changes: Vec<(ItemId, Edits<'_, P>)>,
) -> Result<(), StoreError> {
    let mut stored = Vec::new();
    for (item, edits) in changes {
        if made.may_have(item, P::PART) {
            stored.push((item, edits));
            continue;
        }
        made.note(item, P::PART);
        let there = edits.into_iter().filter_map(|edit| match edit {
            Edit::Is(entry) => Some(entry),
            Edit::Gone(_) => None,
        });
        write_chunks(batch, schema, item, key::item(item), &there.collect::<Vec<_>>());
    }
    let mut stored = stored.into_iter().peekable();
    while stored.peek().is_some() {
        let some = stored.by_ref().take(TOGETHER).map(|(item, edits)| (item, by_key(edits)));
        rewrite_some(read, batch, schema, some.collect())?;
    }
    Ok(())
}

fn by_key<P: Pack>(edits: Edits<'_, P>) -> ByKey<'_, P> {
    let keyed = |edit| match edit {
        Edit::Is(entry) => (Cow::<P>::as_ref(&entry).edge(), Some(entry)),
        Edit::Gone(edge) => (edge, None),
    };
    edits.into_iter().map(keyed).collect()
}

fn rewrite_some<P: Pack>(
    read: &dyn Read,
    batch: &mut Batch,
    schema: u32,
    mut changes: BTreeMap<ItemId, ByKey<'_, P>>,
) -> Result<(), StoreError> {
    // A round writes one chunk of each item. Few items have more than one.
    while !changes.is_empty() {
        let holding: Vec<Range> = changes
            .iter()
            .map(|(item, edits)| holding(*item, edits.keys().next().map_or(&[], |edge| edge)))
            .collect();
        let chunks: Vec<Chunk<P>> = changes
            .keys()
            .zip(read.first_of_each(P::TABLE, &holding)?)
            .map(|(item, row)| match row {
                Some((key, value)) => Ok((key, P::unpack(&value)?)),
                None => Ok((key::item(*item), Vec::new())),
            })
            .collect::<Result<_, StoreError>>()?;
        let following: Vec<Range> = changes
            .keys()
            .zip(&chunks)
            .map(|(item, (key, _))| Range::prefix(key::item(*item)).after(key))
            .collect();
        let following = read.first_of_each(P::TABLE, &following)?;
        let mut rest = BTreeMap::new();
        for (((item, mut here), (chunk_key, entries)), next) in changes.into_iter().zip(chunks).zip(following)
        {
            // Everything up to the next chunk belongs here.
            let beyond = next.map(|(next, _)| here.split_off(&next[size_of::<u64>()..])).unwrap_or_default();
            if !beyond.is_empty() {
                rest.insert(item, beyond);
            }
            write_chunks(batch, schema, item, chunk_key, &merged(entries, here));
        }
        changes = rest;
    }
    Ok(())
}

fn merged<'e, P: Pack>(entries: Vec<P>, edits: ByKey<'e, P>) -> Vec<Cow<'e, P>> {
    let mut merged: BTreeMap<EdgeKey, Cow<'e, P>> =
        entries.into_iter().map(|entry| (entry.edge(), Cow::Owned(entry))).collect();
    for (edge, change) in edits {
        match change {
            Some(entry) => merged.insert(edge, entry),
            None => merged.remove(&edge),
        };
    }
    merged.into_values().collect()
}

/// Writes entries in their order, the first of them into the chunk of that key.
fn write_chunks<P: Pack>(
    batch: &mut Batch,
    schema: u32,
    item: ItemId,
    chunk_key: Vec<u8>,
    entries: &[Cow<'_, P>],
) {
    if entries.is_empty() {
        batch.delete(P::TABLE, chunk_key);
        return;
    }
    // Full chunks are cut in halves, so that neither is full again at the next edge.
    let size = if entries.len() <= CHUNK_MAX { CHUNK_MAX } else { CHUNK_MAX / 2 };
    let mut first = Some(chunk_key);
    for chunk in entries.chunks(size) {
        let key = first.take().unwrap_or_else(|| key::chunk(item, &chunk[0].edge()));
        batch.put_with(P::TABLE, key, |to| P::pack(chunk, schema, to));
    }
}
