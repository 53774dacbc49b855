//! What relationships leave at the items that they are written to: kept until there is much of it, then written in order.
//!
//! A file names relationships by the item that they are written from, so their targets lie anywhere. Written with each flush,
//! every one of them would read, change and write another chunk. Kept together they are written item by item, each chunk
//! once.
//!
//! Invariant: a draft that is sealed or flushed leaves nothing here; until then, what is here goes before what is stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::adjacency::{self, Edit, Edits};
use super::draft::Draft;
use super::made::Part;
use crate::model::ItemId;
use crate::store::key::{self, Place};
use crate::store::record::EndRecord;
use crate::store::{Batch, StoreError, Table};

/// The most changes that are kept: a row of 20 bytes and an end of 16 for each, about 200 MB with what finds them.
const KEPT_MAX: usize = if cfg!(test) { 50 } else { 4 << 20 };
/// Rows that are written in one go, so that their spelt-out form does not take as much again.
const AT_ONCE: usize = 100_000;
/// Of a key in `Arrivals`.
const ARRIVAL_BYTES: usize = 20;

/// The source end of a relationship that came, or went.
struct End {
    kind: u32,
    from: ItemId,
    there: bool,
}

/// What is kept.
#[derive(Default)]
pub(super) struct Late {
    arrivals: Vec<[u8; ARRIVAL_BYTES]>,
    ends: FxHashMap<ItemId, Vec<End>>,
    count: usize,
    /// Types of relationships, by number.
    kinds: Vec<String>,
}

impl Late {
    /// A relationship to an item was changed there.
    pub(super) fn arrived(&mut self, to: ItemId, place: Place) {
        let key = key::arrival(to, place);
        self.arrivals.push(key.try_into().expect("an item and a place"));
    }

    /// A relationship to an item came, or went.
    pub(super) fn end(&mut self, to: ItemId, kind: &str, from: ItemId, there: bool) {
        let number = self.kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
            self.kinds.push(kind.to_owned());
            self.kinds.len() - 1
        });
        let kind = u32::try_from(number).expect("a schema has fewer types");
        self.ends.entry(to).or_default().push(End { kind, from, there });
        self.count += 1;
    }

    /// The ends at an item, in the order in which they came or went: type, source end, whether it came.
    pub(super) fn ends(&self, to: ItemId) -> impl Iterator<Item = (&str, ItemId, bool)> {
        let ends = self.ends.get(&to).map_or(&[][..], Vec::as_slice);
        ends.iter().map(|end| (self.kinds[end.kind as usize].as_str(), end.from, end.there))
    }

    fn is_full(&self) -> bool {
        self.arrivals.len().max(self.count) >= KEPT_MAX
    }
}

/// What became of the ends at an item: of each the last, in their order.
fn edits<'k>(ends: Vec<End>, kinds: &'k [String]) -> Edits<'static, EndRecord> {
    let name = |end: &End| (kinds[end.kind as usize].as_str(), end.from);
    let mut last: BTreeMap<(&'k str, ItemId), bool> = BTreeMap::new();
    last.extend(ends.iter().map(|end| (name(end), end.there)));
    let edit = |((kind, from), there): ((&'k str, ItemId), bool)| match there {
        true => Edit::Is(Cow::Owned(EndRecord { kind: kind.to_owned(), from: from.0 })),
        false => Edit::Gone(key::edge(kind, from)),
    };
    last.into_iter().map(edit).collect()
}

impl Draft<'_> {
    /// Writes what changed so far into the transaction as [`Draft::flush`] does, but for what waits to be written in order.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn spill(&mut self) -> Result<(), StoreError> {
        self.write_changes()?;
        if self.late.is_full() { self.write_late() } else { Ok(()) }
    }

    /// Writes what waits to be written in order.
    pub(super) fn write_late(&mut self) -> Result<(), StoreError> {
        let Late { mut arrivals, ends, kinds, .. } = std::mem::take(&mut self.late);
        arrivals.sort_unstable();
        for some in arrivals.chunks(AT_ONCE) {
            let mut batch = Batch::default();
            some.iter().for_each(|key| batch.put(Table::Arrivals, key, []));
            self.transaction.write(&batch)?;
        }
        drop(arrivals);
        let mut ends: Vec<(ItemId, Vec<End>)> = ends.into_iter().collect();
        ends.sort_unstable_by_key(|(to, _)| *to);
        let mut ends = ends.into_iter().peekable();
        while ends.peek().is_some() {
            let edits: Vec<(ItemId, Edits<'_, EndRecord>)> =
                ends.by_ref().take(AT_ONCE / 4).map(|(to, of_item)| (to, edits(of_item, &kinds))).collect();
            let mut batch = Batch::default();
            let schema = self.start.schema_number;
            adjacency::rewrite(&*self.transaction, &mut batch, schema, &mut self.made, edits)?;
            self.transaction.write(&batch)?;
        }
        Ok(())
    }

    /// The ends of the relationships written to an item, as they were when it was flushed last.
    pub(super) fn written_incoming(&self, item: ItemId) -> Result<BTreeSet<(String, ItemId)>, StoreError> {
        let stored: Vec<EndRecord> = self.stored_edges(item, Part::Incoming)?;
        let mut found: BTreeSet<_> = stored.into_iter().map(|end| (end.kind, ItemId(end.from))).collect();
        for (kind, from, there) in self.late.ends(item) {
            let end = (kind.to_owned(), from);
            if there {
                found.insert(end)
            } else {
                found.remove(&end)
            };
        }
        Ok(found)
    }
}
