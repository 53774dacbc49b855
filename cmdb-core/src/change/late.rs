//! What relationships leave at the items that they are written to: kept until there is much of it, then written in order.
//!
//! A file names relationships by the item that they are written from, so their targets lie anywhere. Written with each flush,
//! every one of them would read, change and write another chunk. Kept together they are written item by item, each chunk
//! once.
//!
//! Invariant: a draft that is sealed or flushed leaves nothing here; until then, what is here goes before what is stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use rustc_hash::FxHashMap;

use super::adjacency::{self, Edit, Edits};
use super::draft::{Draft, EdgeName};
use super::made::Part;
use crate::model::ItemId;
use crate::store::key::{self, Place};
use crate::store::record::EndRecord;
use crate::store::{Batch, StoreError, Table};

/// The most changes that are kept: 32 bytes each, about 200 MB with what finds them.
const KEPT_MAX: usize = if cfg!(test) { 50 } else { 4 << 20 };
/// Rows that are written in one go, so that their spelt-out form takes little.
const AT_ONCE: usize = 10_000;

/// What became of the relationship.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Became {
    Came,
    Went,
    /// It was there, and is.
    Another,
}

/// A change of a relationship, at the item that it is written to.
#[derive(Clone, Copy)]
struct Arrival {
    to: ItemId,
    from: ItemId,
    sequence: u32,
    kind: u16,
    became: Became,
    /// The one before it at the same item.
    before: Option<NonZeroU32>,
}

/// What is kept.
#[derive(Default)]
pub(super) struct Late {
    /// In the order of the log.
    arrivals: Vec<Arrival>,
    /// How many there were with the last one at an item.
    last: FxHashMap<ItemId, NonZeroU32>,
    /// Types of relationships, by number.
    kinds: Vec<String>,
}

impl Late {
    /// A relationship was changed there; whether it is there now, and was.
    pub(super) fn arrived(&mut self, (from, kind, to): &EdgeName, place: Place, [is, was]: [bool; 2]) {
        let number = self.kinds.iter().position(|known| known == kind).unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        });
        let became = match (is, was) {
            (true, false) => Became::Came,
            (false, true) => Became::Went,
            _ => Became::Another,
        };
        let count = u32::try_from(self.arrivals.len() + 1).ok().and_then(NonZeroU32::new);
        let before = self.last.insert(*to, count.expect("a bounded number of them"));
        self.arrivals.push(Arrival {
            to: *to,
            from: *from,
            sequence: place.sequence,
            kind: u16::try_from(number).expect("a schema has fewer types"),
            became,
            before,
        });
    }

    /// The ends at an item, in the order in which they came or went: type, source end, whether it came.
    pub(super) fn ends(&self, to: ItemId) -> Vec<(&str, ItemId, bool)> {
        let mut next = self.last.get(&to).copied();
        let mut ends = Vec::new();
        while let Some(count) = next {
            let arrival = &self.arrivals[count.get() as usize - 1];
            ends.extend(self.end(arrival));
            next = arrival.before;
        }
        ends.reverse();
        ends
    }

    fn end(&self, arrival: &Arrival) -> Option<(&str, ItemId, bool)> {
        let kind = self.kinds[usize::from(arrival.kind)].as_str();
        (arrival.became != Became::Another).then_some((kind, arrival.from, arrival.became == Became::Came))
    }

    /// What became of the ends at one item: of each the last, in their order.
    fn edits(&self, arrivals: &[Arrival]) -> Edits<'static, EndRecord> {
        let mut last: BTreeMap<(&str, ItemId), bool> = BTreeMap::new();
        last.extend(arrivals.iter().filter_map(|arrival| {
            let (kind, from, there) = self.end(arrival)?;
            Some(((kind, from), there))
        }));
        let edit = |((kind, from), there): ((&str, ItemId), bool)| match there {
            true => Edit::Is(Cow::Owned(EndRecord { kind: kind.to_owned(), from: from.0 })),
            false => Edit::Gone(key::edge(kind, from)),
        };
        last.into_iter().map(edit).collect()
    }

    fn is_full(&self) -> bool {
        self.arrivals.len() >= KEPT_MAX
    }
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
        let mut late = std::mem::take(&mut self.late);
        late.last = FxHashMap::default();
        let mut arrivals = std::mem::take(&mut late.arrivals);
        arrivals.sort_unstable_by_key(|arrival| (arrival.to, arrival.sequence));
        let (revision, mut batch) = (self.revision(), Batch::default());
        for some in arrivals.chunks(AT_ONCE) {
            // What is written from an item to itself stands in its own chain.
            for Arrival { to, sequence, .. } in some.iter().filter(|arrival| arrival.from != arrival.to) {
                let place = Place { revision, sequence: *sequence };
                batch.put(Table::Arrivals, key::arrival(*to, place), []);
            }
            self.transaction.write(&batch)?;
            batch.clear();
        }
        let mut items = arrivals.chunk_by(|one, other| one.to == other.to).peekable();
        while items.peek().is_some() {
            let some = items.by_ref().take(AT_ONCE / 4);
            let edits = some.map(|of_item| (of_item[0].to, late.edits(of_item)));
            let edits = edits.filter(|(_, edits)| !edits.is_empty()).collect();
            let schema = self.start.schema_number;
            adjacency::rewrite(&*self.transaction, &mut batch, schema, &mut self.made, edits)?;
            self.transaction.write(&batch)?;
            batch.clear();
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
