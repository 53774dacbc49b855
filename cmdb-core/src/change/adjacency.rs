//! Relationships packed by item, in chunks of neighbours.
//!
//! The same shape in both directions: an item's edges in order of (type, far end), cut into chunks of at most
//! [`CHUNK_MAX`]. A chunk's key is the item and the first edge it may hold; the first chunk's is the item alone. So
//! one more dependent of an item with 10⁵ of them rewrites one chunk, not all.

use std::collections::BTreeMap;

use crate::model::{ItemId, Relationship};
use crate::store::record::{self, EndRecord, IncomingRecord, OutgoingRecord};
use crate::store::{Batch, Range, Read, StoreError, Table, key};

/// The most edges one chunk holds.
pub(super) const CHUNK_MAX: usize = 256;

/// An edge's place among the edges of one item.
pub(crate) type EdgeKey = Vec<u8>;

/// What one direction keeps of an edge.
pub(crate) trait Packed: Sized {
    const TABLE: Table;

    fn edge(&self) -> EdgeKey;
    fn pack(entries: Vec<Self>, schema: u32) -> Vec<u8>;
    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError>;
}

impl Packed for Relationship {
    const TABLE: Table = Table::Outgoing;

    fn edge(&self) -> EdgeKey {
        key::edge(&self.kind, self.to)
    }

    fn pack(entries: Vec<Self>, schema: u32) -> Vec<u8> {
        let relationships = entries.iter().map(record::relationship_record).collect();
        record::encode(schema, &OutgoingRecord { relationships })
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let chunk: OutgoingRecord = record::decode(Self::TABLE, bytes)?;
        chunk.relationships.into_iter().map(record::relationship_from).collect()
    }
}

impl Packed for EndRecord {
    const TABLE: Table = Table::Incoming;

    fn edge(&self) -> EdgeKey {
        key::edge(&self.kind, ItemId(self.from))
    }

    fn pack(entries: Vec<Self>, schema: u32) -> Vec<u8> {
        record::encode(schema, &IncomingRecord { ends: entries })
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let chunk: IncomingRecord = record::decode(Self::TABLE, bytes)?;
        Ok(chunk.ends)
    }
}

/// A chunk: its key and entries.
type Chunk<P> = (Vec<u8>, Vec<P>);

/// The chunk that holds, or would hold, an edge.
fn chunk_of<P: Packed>(read: &dyn Read, item: ItemId, edge: &[u8]) -> Result<Option<Chunk<P>>, StoreError> {
    let mut beyond = key::chunk(item, edge);
    beyond.push(0);
    let range = Range { from: key::item(item), to: Some(beyond), order: crate::store::Order::Descending };
    match read.scan(P::TABLE, &range, 1)?.pop() {
        Some((key, value)) => Ok(Some((key, P::unpack(&value)?))),
        None => Ok(None),
    }
}

/// One edge as it is stored.
pub(super) fn find<P: Packed>(read: &dyn Read, item: ItemId, edge: &[u8]) -> Result<Option<P>, StoreError> {
    let Some((_, entries)) = chunk_of::<P>(read, item, edge)? else { return Ok(None) };
    Ok(entries.into_iter().find(|entry| entry.edge() == edge))
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

/// Writes the edges of one item that changed: `None` takes an edge away.
pub(super) fn rewrite<P: Packed>(
    read: &dyn Read,
    batch: &mut Batch,
    schema: u32,
    item: ItemId,
    mut changes: BTreeMap<EdgeKey, Option<P>>,
) -> Result<(), StoreError> {
    while let Some((first, _)) = changes.first_key_value() {
        let found = chunk_of::<P>(read, item, first)?;
        let (chunk_key, entries) = found.unwrap_or_else(|| (key::item(item), Vec::new()));
        // Everything up to the next chunk belongs here.
        let next = read.scan(P::TABLE, &Range::prefix(key::item(item)).after(&chunk_key), 1)?;
        let rest = match next.first() {
            Some((next, _)) => changes.split_off(&next[8..]),
            None => BTreeMap::new(),
        };
        let here = std::mem::replace(&mut changes, rest);
        let mut merged: BTreeMap<EdgeKey, P> =
            entries.into_iter().map(|entry| (entry.edge(), entry)).collect();
        for (edge, change) in here {
            match change {
                Some(entry) => merged.insert(edge, entry),
                None => merged.remove(&edge),
            };
        }
        write_chunks(batch, schema, item, chunk_key, merged);
    }
    Ok(())
}

fn write_chunks<P: Packed>(
    batch: &mut Batch,
    schema: u32,
    item: ItemId,
    chunk_key: Vec<u8>,
    merged: BTreeMap<EdgeKey, P>,
) {
    if merged.is_empty() {
        batch.delete(P::TABLE, chunk_key);
        return;
    }
    // Full chunks are cut in halves, so that neither is full again at the next edge.
    let size = if merged.len() <= CHUNK_MAX { CHUNK_MAX } else { CHUNK_MAX / 2 };
    let mut key_of_chunk = Some(chunk_key);
    let mut entries: Vec<P> = Vec::new();
    for (edge, entry) in merged {
        if entries.len() == size {
            let key = key_of_chunk.take().expect("set with the first entry");
            batch.put(P::TABLE, key, P::pack(std::mem::take(&mut entries), schema));
        }
        key_of_chunk.get_or_insert_with(|| key::chunk(item, &edge));
        entries.push(entry);
    }
    let key = key_of_chunk.expect("set with the first entry");
    batch.put(P::TABLE, key, P::pack(entries, schema));
}
