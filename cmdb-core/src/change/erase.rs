//! Erasing from the log: another row takes the place of one that holds what shall be gone.
//!
//! Nothing else alters the log. Both digests of each place become part of the commit that does it, see [`super::hash`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chain::linked;
use super::draft::Draft;
use super::hash::{self, Besides, ChangesHash, FORM, Replaced, ReplacedHash, besides};
use crate::model::{Item, ItemId, Revision};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, ChangeRow, CommitRecord, HeadRecord, RetentionRecord};
use crate::store::{self, Batch, Range, StoreError, Table, key};

/// The most versions that one commit erases something from.
pub const VERSIONS_MAX: usize = 200_000;

/// Rows written to the transaction at a time.
const AT_ONCE: usize = 1_024;

impl Draft<'_> {
    /// Lets `erase` change every version of an item that the log holds, the present one as it stands there included;
    /// how many it changed. `None`: they were too many, and the draft is to be dropped.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn erase_versions(
        &mut self,
        id: ItemId,
        erase: &dyn Fn(&mut Item) -> bool,
    ) -> Result<Option<usize>, StoreError> {
        let mut erased = 0;
        let mut batch = Batch::default();
        let mut next = self.newest(id)?;
        while let Some((place, row)) = next {
            next = linked(&*self.transaction, row.previous)?;
            let Some(version) = row.item.clone() else { continue };
            let mut item = record::item_from(version)?;
            if !erase(&mut item) {
                continue;
            }
            erased += 1;
            if self.replaced.len() >= VERSIONS_MAX {
                return Ok(None);
            }
            let bytes = self.transaction.get(Table::Changes, &place.key())?.unwrap_or_default();
            let salt = hash::salt(&self.start.secret, place, b"in place of another");
            let ChangeRecord { previous, previous_version, .. } = row;
            let item = Some(&item);
            let after = ChangeRow { previous, previous_version, item, salt: &salt, ..ChangeRow::default() };
            let after = record::encode(self.start.schema_number, &after);
            self.note_replaced(place, &bytes, &after)?;
            batch.put(Table::Changes, place.key(), after);
            if batch.len() >= AT_ONCE {
                self.transaction.write(&std::mem::take(&mut batch))?;
            }
        }
        self.transaction.write(&batch)?;
        // What stood before this commit is what stands there now, so nobody is told the old value.
        if let Some(slot) = self.items.borrow_mut().get_mut(&id)
            && let Some(stored) = &mut slot.stored
        {
            erase(Arc::make_mut(stored));
        }
        Ok(Some(erased))
    }

    /// Takes the reason out of the head of a commit; the reason. `None`: it has none, or there is no such commit.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn erase_reason(&mut self, revision: Revision) -> Result<Option<String>, StoreError> {
        let row = key::revision(revision);
        let Some(bytes) = self.transaction.get(Table::Commits, &row)? else { return Ok(None) };
        let mut head: CommitRecord = record::decode(Table::Commits, &bytes)?;
        let reason = std::mem::take(&mut head.reason);
        if reason.is_empty() {
            return Ok(None);
        }
        let salt = std::mem::take(&mut head.reason_salt);
        match head.form {
            0 | 1 => head.changes_hash = self.changes_written(revision, &head)?.to_vec(),
            _ => head.reason_digest = hash::reason_digest(&salt, &reason).to_vec(),
        }
        head.reason_purged = self.revision().0;
        let after = record::encode(self.start.schema_number, &head);
        let replaced = Replaced { before: hash::row_digest(&bytes), after: hash::row_digest(&after) };
        self.replaced.insert(hash::head_of(revision), replaced);
        let mut batch = Batch::default();
        batch.put(Table::Commits, row, after);
        self.transaction.write(&batch)?;
        Ok(Some(reason))
    }

    /// The hash over the changes of a commit as they were written.
    fn changes_written(&self, revision: Revision, head: &CommitRecord) -> Result<hash::Digest, StoreError> {
        let besides = besides(head);
        if let Some(before) = hash::changes_before(&*self.transaction, revision, head.form, &besides)? {
            return Ok(before);
        }
        let mut hasher = ChangesHash::new(head.form);
        let range = Range::prefix(key::revision(revision));
        store::for_each(&*self.transaction, Table::Changes, range, |_, bytes| {
            hasher.row(bytes);
            Ok::<(), StoreError>(())
        })?;
        Ok(hasher.finish(&besides))
    }

    fn newest(&self, id: ItemId) -> Result<Option<(Place, ChangeRecord)>, StoreError> {
        let Some(head) = self.transaction.get(Table::Items, &key::item(id))? else { return Ok(None) };
        let head: HeadRecord = record::decode(Table::Items, &head)?;
        linked(&*self.transaction, head.last)
    }

    fn note_replaced(&mut self, place: Place, before: &[u8], after: &[u8]) -> Result<(), StoreError> {
        // Below the horizon of a compacted history rows are proven one by one, whatever the form of their commit.
        if place.revision <= self.horizon()? || self.form_of(place.revision)? != 0 {
            let (before, after) = (hash::row_digest(before), hash::row_digest(after));
            self.replaced.insert(place, Replaced { before, after });
            return Ok(());
        }
        // Of a commit of form 0 the digest of all its rows is kept, once; what is there after is hashed at the end.
        let whole = hash::whole(place.revision);
        if !self.replaced.contains_key(&whole) {
            let replaced_before =
                !self.transaction.scan(Table::Replaced, &Range::prefix(whole.key()), 1)?.is_empty();
            let before = self.rows_hash(place.revision, if replaced_before { FORM } else { 0 })?;
            self.replaced.insert(whole, Replaced { before, after: before });
        }
        Ok(())
    }

    fn horizon(&self) -> Result<Revision, StoreError> {
        let Some(bytes) = self.transaction.get(Table::Retention, key::RETENTION_STATE)? else {
            return Ok(Revision(0));
        };
        Ok(Revision(record::decode::<RetentionRecord>(Table::Retention, &bytes)?.horizon))
    }

    fn form_of(&self, revision: Revision) -> Result<u32, StoreError> {
        let row = self.transaction.get(Table::Commits, &key::revision(revision))?;
        let row = row.map(|row| record::decode::<CommitRecord>(Table::Commits, &row)).transpose()?;
        Ok(row.map_or(FORM, |row| row.form))
    }

    fn rows_hash(&self, revision: Revision, form: u32) -> Result<hash::Digest, StoreError> {
        let mut hasher = ChangesHash::new(form);
        let range = Range::prefix(key::revision(revision));
        store::for_each(&*self.transaction, Table::Changes, range, |_, bytes| {
            hasher.row(bytes);
            Ok::<(), StoreError>(())
        })?;
        Ok(hasher.finish(&Besides::default()))
    }

    /// Hashes what stands now where commits of form 0 stood whole; to be called when all is erased.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn settle_erased(&mut self) -> Result<(), StoreError> {
        let mut replaced = std::mem::take(&mut self.replaced);
        for (place, what) in &mut replaced {
            if *place == hash::whole(place.revision) {
                what.after = self.rows_hash(place.revision, FORM)?;
            }
        }
        self.replaced = replaced;
        Ok(())
    }

    /// Writes down what was replaced; over all of it, empty: nothing was.
    pub(super) fn keep_replaced(&mut self, batch: &mut Batch) -> Vec<u8> {
        let replaced: BTreeMap<Place, Replaced> = std::mem::take(&mut self.replaced);
        if replaced.is_empty() {
            return Vec::new();
        }
        let by = self.start.head.next();
        let mut hash = ReplacedHash::default();
        for (place, what) in replaced {
            hash.add(place, &what);
            let row = record::encode(self.start.schema_number, &what.record());
            batch.put(Table::Replaced, key::replaced(place, by), row);
        }
        hash.bytes().to_vec()
    }
}
