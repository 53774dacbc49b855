//! From the draft to the tables and the log.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::adjacency::{self, Edit, Edits};
use super::draft::{Draft, EdgeName, EdgeSlot, Slot, Start};
use super::hash::{self, Besides, FORM};
use super::made::Part;
use super::{Actor, Change, CommitHeader};
use crate::model::{Item, ItemId, Relationship, Revision, Timestamp};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, ChangeRow, CommitRecord, HeadRecord, PlaceRecord};
use crate::store::{Batch, Read, StoreError, Table, key};

impl Draft<'_> {
    /// Writes what changed so far into the transaction and forgets it, so that memory stays bounded.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.write_changes()?;
        self.write_late()
    }

    pub(super) fn write_changes(&mut self) -> Result<(), StoreError> {
        let mut batch = std::mem::take(&mut self.batch);
        let items = std::mem::take(&mut *self.items.borrow_mut());
        let mut heads: BTreeMap<ItemId, HeadRecord> = BTreeMap::new();
        self.flush_items(items, &mut heads, &mut batch);
        let edges = std::mem::take(&mut *self.edges.borrow_mut());
        self.flush_edges(edges, &mut heads, &mut batch)?;
        let schema = self.start.schema_number;
        for (id, head) in heads {
            batch.put_with(Table::Items, id.0.to_be_bytes(), |to| record::append(to, schema, &head));
        }
        self.units.drain_into(schema, &mut batch);
        self.rows.drain_into(&mut batch);
        if !batch.is_empty() {
            self.transaction.write(&batch)?;
        }
        debug_assert!(self.rows.is_empty() && self.units.is_empty());
        batch.clear();
        self.batch = batch;
        Ok(())
    }

    fn flush_items(
        &mut self,
        items: impl IntoIterator<Item = (ItemId, Slot)>,
        heads: &mut BTreeMap<ItemId, HeadRecord>,
        batch: &mut Batch,
    ) {
        // In order, so that the log of equal work is equal.
        let mut slots: Vec<(ItemId, Slot)> = items.into_iter().collect();
        slots.sort_unstable_by_key(|(id, _)| *id);
        for (id, slot) in slots {
            let Some(current) = slot.current else { continue };
            if slot.stored.as_deref() == Some(&*current) {
                continue;
            }
            let place = self.place();
            let change = ChangeRow {
                previous: slot.head.last,
                previous_version: slot.head.version,
                item: Some(&current),
                ..ChangeRow::default()
            };
            self.log(place, change, batch);
            let at = Some(place_record(place));
            heads.insert(id, HeadRecord { version: at, last: at });
            self.made.note(id, Part::Head);
            self.keep(|| {
                let unshared = |item: Arc<Item>| Box::new(Arc::unwrap_or_clone(item));
                Change::Item { before: slot.stored.map(unshared), after: unshared(current) }
            });
        }
    }

    fn flush_edges(
        &mut self,
        edges: BTreeMap<EdgeName, EdgeSlot>,
        heads: &mut BTreeMap<ItemId, HeadRecord>,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let changed: Vec<(EdgeName, EdgeSlot)> =
            edges.into_iter().filter(|(_, slot)| slot.stored != slot.current).collect();
        self.load_heads(changed.iter().map(|((from, _, _), _)| *from), heads)?;
        let mut outgoing: Vec<(ItemId, Edits<'_, Relationship>)> = Vec::new();
        for (name, slot) in &changed {
            let (from, kind, to) = name;
            let place = self.place();
            let head = heads.get_mut(from).expect("loaded before");
            let change = ChangeRow {
                previous: head.last,
                before: slot.stored.as_ref(),
                after: slot.current.as_ref(),
                ..ChangeRow::default()
            };
            head.last = Some(place_record(place));
            self.log(place, change, batch);
            self.late.arrived(name, place, [slot.current.is_some(), slot.stored.is_some()]);
            let edit = match &slot.current {
                Some(current) => Edit::Is(Cow::Borrowed(current)),
                None => Edit::Gone(key::edge(kind, *to)),
            };
            match outgoing.last_mut() {
                Some((item, edits)) if item == from => edits.push(edit),
                _ => outgoing.push((*from, vec![edit])),
            }
        }
        let schema = self.start.schema_number;
        adjacency::rewrite(&*self.transaction, batch, schema, &mut self.made, outgoing)?;
        for (_, slot) in changed {
            self.keep(|| Change::Relationship {
                before: slot.stored.map(Box::new),
                after: slot.current.map(Box::new),
            });
        }
        Ok(())
    }

    /// Reads the heads of items that are not there yet, in one go.
    fn load_heads(
        &self,
        items: impl Iterator<Item = ItemId>,
        heads: &mut BTreeMap<ItemId, HeadRecord>,
    ) -> Result<(), StoreError> {
        let mut wanted: Vec<ItemId> = items.filter(|id| !heads.contains_key(id)).collect();
        wanted.dedup();
        let rows: Vec<Vec<u8>> = wanted.iter().map(|id| key::item(*id)).collect();
        for (id, found) in wanted.into_iter().zip(self.transaction.get_many(Table::Items, &rows)?) {
            let found = found.ok_or_else(|| StoreError::Damaged {
                table: Table::Items.name(),
                detail: format!("a relationship is written from {id}, which is not there"),
            })?;
            heads.insert(id, record::decode(Table::Items, &found)?);
        }
        Ok(())
    }

    /// Writes a change into the log.
    fn log(&mut self, place: Place, change: ChangeRow<'_>, batch: &mut Batch) {
        let salt = hash::salt(&self.start.secret, place, b"new");
        let change = ChangeRow { salt: &salt, ..change };
        let schema = self.start.schema_number;
        let row = batch.put_with(Table::Changes, place.bytes(), |to| record::append(to, schema, &change));
        self.hasher.row(row);
    }
}

/// The current version of an item.
pub(crate) fn read_version(read: &dyn Read, head: &HeadRecord) -> Result<Item, StoreError> {
    let place = head.version.ok_or_else(|| StoreError::Damaged {
        table: Table::Items.name(),
        detail: "an item without a version".to_owned(),
    })?;
    let change = read_change(read, place_of(place))?;
    let item = change.item.ok_or_else(|| StoreError::Damaged {
        table: Table::Changes.name(),
        detail: format!("the change at {}/{} holds no item", place.revision, place.sequence),
    })?;
    record::item_from(item)
}

/// One change of the log.
pub(crate) fn read_change(read: &dyn Read, place: Place) -> Result<ChangeRecord, StoreError> {
    let bytes = read.get(Table::Changes, &place.key())?.ok_or_else(|| StoreError::Damaged {
        table: Table::Changes.name(),
        detail: format!("there is no change at {}/{}", place.revision, place.sequence),
    })?;
    record::decode(Table::Changes, &bytes)
}

pub(crate) fn place_of(place: PlaceRecord) -> Place {
    Place { revision: Revision(place.revision), sequence: place.sequence }
}

pub(crate) fn place_record(place: Place) -> PlaceRecord {
    PlaceRecord { revision: place.revision.0, sequence: place.sequence }
}

/// The head of a commit, but for its own hash.
pub(crate) fn commit_record(
    actor: &Actor,
    changes: u64,
    start: &Start,
    revision: Revision,
    besides: &Besides<'_>,
) -> CommitRecord {
    let salt = match actor.reason.as_str() {
        "" => Vec::new(),
        _ => hash::salt(&start.secret, hash::head_of(revision), b"reason"),
    };
    CommitRecord {
        recorded_at_us: start.now.0,
        actor: actor.name.clone(),
        reason: actor.reason.clone(),
        changes,
        schema: start.schema_number,
        previous_hash: start.previous_hash.to_vec(),
        form: FORM,
        replaced: besides.replaced.to_vec(),
        anchor: besides.anchor.to_vec(),
        history_days: besides.history_days,
        reason_salt: salt,
        ..CommitRecord::default()
    }
}

/// What stands in place of words that were erased.
pub(crate) fn purged_in(revision: Revision) -> String {
    format!("(purged in revision {revision})")
}

/// A commit's head from its record.
pub(crate) fn commit_header(revision: Revision, row: CommitRecord) -> Result<CommitHeader, StoreError> {
    let hash: [u8; 32] = row.hash.as_slice().try_into().map_err(|_| StoreError::Damaged {
        table: Table::Commits.name(),
        detail: format!("the hash of revision {revision} has {} bytes", row.hash.len()),
    })?;
    let reason = match row.reason_purged {
        0 => row.reason,
        by => purged_in(Revision(by)),
    };
    Ok(CommitHeader {
        revision,
        recorded_at: Timestamp(row.recorded_at_us),
        actor: Actor { name: row.actor, reason },
        changes: row.changes,
        hash,
    })
}
