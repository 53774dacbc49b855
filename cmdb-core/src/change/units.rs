//! What became of the units of sources, as it shall be: read once, decoded once, written once.
//!
//! A unit is asked for several times while it is decided, and by every reference to it. So what is read or put stays here,
//! decoded, until the draft is flushed; and beyond that, of the units that are items, which item each is.
//!
//! Invariant: what is here is as the store has it, or goes there with the next flush.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::draft::Draft;
use super::made;
use crate::model::unit::UnitKind;
use crate::model::{ItemId, SourceId};
use crate::store::record::{self, UnitRecord};
use crate::store::{Batch, Read, StoreError, Table, key};

/// The most units that are kept from reading; with more, reading begins anew.
const READ_MAX: usize = 50_000;
/// The most units of which it is remembered beyond a flush which item each is; about 80 bytes each.
const BOUND_MAX: usize = 1_000_000;

/// A unit, where there is one.
type Kept = Option<Arc<UnitRecord>>;

struct Known {
    kept: Kept,
    /// It is to be written.
    put: bool,
}

/// By source and kind, then by key.
type ByKey<T> = FxHashMap<(SourceId, UnitKind), FxHashMap<Box<str>, T>>;

/// Units by source and kind, then by key.
#[derive(Default)]
pub(super) struct Units {
    known: RefCell<ByKey<Known>>,
    /// How many were read since all of them were last forgotten.
    read: Cell<usize>,
    bound: FxHashMap<SourceId, FxHashMap<Box<str>, ItemId>>,
    bound_count: usize,
    pub(super) made: made::Units,
}

impl Units {
    fn known(&self, source: SourceId, kind: UnitKind, unit: &str) -> Option<Kept> {
        self.known.borrow().get(&(source, kind))?.get(unit).map(|known| known.kept.clone())
    }

    fn keep(&self, source: SourceId, kind: UnitKind, unit: &str, kept: Kept) {
        let known = Known { kept, put: false };
        self.read.set(self.read.get() + 1);
        self.known.borrow_mut().entry((source, kind)).or_default().insert(unit.into(), known);
    }

    /// As it is, or shall be.
    pub(super) fn get(
        &self,
        read: &dyn Read,
        source: SourceId,
        kind: UnitKind,
        unit: &str,
    ) -> Result<Kept, StoreError> {
        if let Some(kept) = self.known(source, kind, unit) {
            return Ok(kept);
        }
        let (table, row) = unit_row(source, kind, unit);
        let found = if self.made.may_have(source, kind, unit) { read.get(table, &row)? } else { None };
        let kept = decoded(table, found)?;
        self.keep(source, kind, unit, kept.clone());
        Ok(kept)
    }

    /// Which item it is.
    pub(super) fn item(
        &self,
        read: &dyn Read,
        source: SourceId,
        unit: &str,
    ) -> Result<Option<ItemId>, StoreError> {
        if let Some(known) = self.known.borrow().get(&(source, UnitKind::Item)).and_then(|of| of.get(unit)) {
            return Ok(known.kept.as_ref().and_then(|kept| kept.item).map(ItemId));
        }
        if let Some(item) = self.bound.get(&source).and_then(|bound| bound.get(unit)) {
            return Ok(Some(*item));
        }
        Ok(self.get(read, source, UnitKind::Item, unit)?.and_then(|kept| kept.item).map(ItemId))
    }

    pub(super) fn put(&mut self, source: SourceId, kind: UnitKind, unit: &str, kept: Option<UnitRecord>) {
        let known = Known { kept: kept.map(Arc::new), put: true };
        let units = self.known.get_mut().entry((source, kind)).or_default();
        match units.get_mut(unit) {
            Some(before) => *before = known,
            None => drop(units.insert(unit.into(), known)),
        }
    }

    /// Reads units ahead in one go: opening a table costs as much as some rows do. Of those that are only `referred` to,
    /// which item they are is enough.
    pub(super) fn fetch<'u>(
        &mut self,
        read: &dyn Read,
        source: SourceId,
        own: impl Iterator<Item = (UnitKind, &'u str)>,
        referred: impl Iterator<Item = &'u str>,
    ) -> Result<(), StoreError> {
        if self.read.get() > READ_MAX {
            self.read.set(0);
            self.known.get_mut().retain(|_, units| {
                units.retain(|_, known| known.put);
                true
            });
        }
        let bound = self.bound.get(&source);
        let referred = referred.filter(|unit| bound.is_none_or(|bound| !bound.contains_key(*unit)));
        let mut asked: [Vec<(Vec<u8>, UnitKind, &str)>; 2] = Default::default();
        for (kind, unit) in own.chain(referred.map(|unit| (UnitKind::Item, unit))) {
            if self.known(source, kind, unit).is_some() {
                continue;
            }
            if !self.made.may_have(source, kind, unit) {
                self.keep(source, kind, unit, None);
                continue;
            }
            let (table, row) = unit_row(source, kind, unit);
            asked[usize::from(table != Table::Units)].push((row, kind, unit));
        }
        for (table, mut asked) in [Table::Units, Table::EdgeUnits].into_iter().zip(asked) {
            asked.sort_unstable();
            asked.dedup();
            let (rows, units): (Vec<_>, Vec<_>) =
                asked.into_iter().map(|(row, kind, unit)| (row, (kind, unit))).unzip();
            for ((kind, unit), found) in units.into_iter().zip(read.get_many(table, &rows)?) {
                self.keep(source, kind, unit, decoded(table, found)?);
            }
        }
        Ok(())
    }

    /// What is to be written goes into a batch as well, and stays known here: what is in no store yet is found nowhere else.
    pub(super) fn copy_into(&self, schema: u32, batch: &mut Batch) {
        for ((source, kind), units) in &*self.known.borrow() {
            for (unit, Known { kept, put }) in units {
                if *put {
                    write(batch, schema, (*source, *kind, unit), kept.as_deref());
                }
            }
        }
    }

    /// What is to be written goes into a batch.
    pub(super) fn drain_into(&mut self, schema: u32, batch: &mut Batch) {
        self.read.set(0);
        for ((source, kind), units) in std::mem::take(self.known.get_mut()) {
            for (unit, Known { kept, put }) in units {
                if put {
                    write(batch, schema, (source, kind, &unit), kept.as_deref());
                    self.made.note(source, kind, &unit);
                }
                if kind == UnitKind::Item {
                    self.bind(source, unit, kept.and_then(|kept| kept.item).map(ItemId));
                }
            }
        }
    }

    fn bind(&mut self, source: SourceId, unit: Box<str>, item: Option<ItemId>) {
        let bound = self.bound.entry(source).or_default();
        match item {
            Some(item) => {
                if let Some(known) = bound.get_mut(&unit) {
                    *known = item;
                } else if self.bound_count < BOUND_MAX {
                    bound.insert(unit, item);
                    self.bound_count += 1;
                }
            }
            None => self.bound_count -= usize::from(bound.remove(&unit).is_some()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.borrow().is_empty()
    }
}

fn decoded(table: Table, found: Option<Vec<u8>>) -> Result<Kept, StoreError> {
    found.map(|bytes| record::decode(table, &bytes).map(Arc::new)).transpose()
}

fn write(
    batch: &mut Batch,
    schema: u32,
    (source, kind, unit): (SourceId, UnitKind, &str),
    kept: Option<&UnitRecord>,
) {
    let (table, row) = unit_row(source, kind, unit);
    if let Some(kept) = kept {
        batch.put_with(table, row, |to| record::append(to, schema, kept));
    } else {
        batch.delete(table, row);
    }
}

/// Where a unit is kept.
fn unit_row(source: SourceId, kind: UnitKind, unit: &str) -> (Table, Vec<u8>) {
    match kind {
        UnitKind::Item => (Table::Units, key::unit(source, kind, unit)),
        UnitKind::Relationship | UnitKind::Redundancy => {
            (Table::EdgeUnits, key::edge_unit(source, kind, unit))
        }
    }
}

impl Draft<'_> {
    /// What became of a unit of a source.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unit(
        &self,
        source: SourceId,
        kind: UnitKind,
        unit: &str,
    ) -> Result<Option<UnitRecord>, StoreError> {
        Ok(self.kept_unit(source, kind, unit)?.map(Arc::unwrap_or_clone))
    }

    /// The same, to be looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn kept_unit(&self, source: SourceId, kind: UnitKind, unit: &str) -> Result<Kept, StoreError> {
        self.units.get(&*self.transaction, source, kind, unit)
    }

    /// Which item a unit of a source is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn item_of_unit(&self, source: SourceId, unit: &str) -> Result<Option<ItemId>, StoreError> {
        self.units.item(&*self.transaction, source, unit)
    }

    /// Reads ahead what became of units that will be asked for, and which items others are that are referred to.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fetch_units<'u>(
        &mut self,
        source: SourceId,
        own: impl Iterator<Item = (UnitKind, &'u str)>,
        referred: impl Iterator<Item = &'u str>,
    ) -> Result<(), StoreError> {
        self.units.fetch(&*self.transaction, source, own, referred)
    }
}
