//! A commit in the making.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::adjacency;
use super::hash::{Besides, ChangesHash, FORM, Replaced};
use super::index::{index_rows, index_rows_with, indexed_values, item_identifiers};
use super::late::Late;
use super::made::{self, Part};
use super::rows::Rows;
use super::units::Units;
use super::{Actor, Change, CommitHeader};
use crate::identify::{Identifier, Index};
use crate::model::item::{ItemClaimState, REDIRECTS_MAX};
use crate::model::schema::{Schema, Strength};
use crate::model::source::Source;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Relationship, Revision, SourceId, SourceKind, Timestamp};
use crate::reconcile;
use crate::store::key::Place;
use crate::store::record::{self, EdgeRecord, HeadRecord, SourceRecord, UnitRecord};
use crate::store::{Batch, Row, StoreError, Table, Transaction, key};

/// The most changes that are handed on to whoever follows; beyond, followers read the log.
pub const CHANGES_KEPT_MAX: usize = 20_000;

/// The most items within one host that follow it when it is merged.
pub const HOSTED_MAX: usize = 1_000_000;

/// The most units of a source that are stated again when what they stand on turns out to be another item.
pub const UNITS_MAX: usize = 1_000_000;

/// What `ScopeUnits` says of a unit that stands; of one that is withdrawn, nothing.
const STANDS: &[u8] = &[1];

/// What a draft begins with.
#[derive(Clone)]
pub struct Start {
    /// The schema in force.
    pub schema: Arc<Schema>,
    /// Its number in this store.
    pub schema_number: u32,
    /// The present moment.
    pub now: Timestamp,
    /// The revision it stands on.
    pub head: Revision,
    /// The hash of that commit.
    pub previous_hash: [u8; 32],
    /// Chance, drawn for this commit and never kept: what the rows of the log are salted from.
    pub secret: [u8; 32],
    /// The next item number.
    pub next_item: u64,
    /// The next match number.
    pub next_match: u64,
    /// What waits, by queue.
    pub waiting: [u64; 2],
    /// The sources there are.
    pub sources: Arc<Vec<Source>>,
}

/// What waits for something to be known, by who said it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// Claims and references of agents and connectors.
    Machines = 0,
    /// References that people and files declare.
    Declared = 1,
}

/// What became of a draft.
pub struct Sealed {
    /// The commit; `None`: nothing in the graph changed.
    pub header: Option<CommitHeader>,
    /// What it changed.
    pub changes: Vec<Change>,
    /// There were more changes than are kept: read the log.
    pub overflow: bool,
    /// What the next draft begins with.
    pub next: Start,
}

#[derive(Clone)]
pub(super) struct Slot {
    /// As it is in the transaction.
    pub(super) stored: Option<Arc<Item>>,
    /// As it shall be.
    pub(super) current: Option<Arc<Item>>,
    pub(super) head: HeadRecord,
}

pub(super) struct EdgeSlot {
    pub(super) stored: Option<Relationship>,
    pub(super) current: Option<Relationship>,
}

pub(super) type EdgeName = (ItemId, String, ItemId);

/// A commit in the making: reads see what it wrote. Dropping it undoes it.
pub struct Draft<'s> {
    pub(super) transaction: Box<dyn Transaction + 's>,
    pub(super) start: Start,
    pub(super) items: RefCell<FxHashMap<ItemId, Slot>>,
    pub(super) edges: RefCell<BTreeMap<EdgeName, EdgeSlot>>,
    pub(super) rows: Rows,
    pub(super) units: Units,
    pub(super) late: Late,
    /// Room for what is flushed, empty in between.
    pub(super) batch: Batch,
    /// Items that were not there when it began.
    pub(super) made: made::Items,
    pub(super) hasher: ChangesHash,
    /// What it puts in place of rows of the log.
    pub(super) replaced: BTreeMap<Place, Replaced>,
    /// Over what is left of a compacted history; empty: it says nothing of that.
    pub(super) anchor: Vec<u8>,
    /// For how many days every change is kept from then on; `None`: it says nothing of that.
    pub(super) history_days: Option<u64>,
    pub(super) sequence: u32,
    pub(super) changes: Vec<Change>,
    pub(super) overflow: bool,
    touched_values: BTreeSet<(String, String)>,
    entry_points: BTreeSet<ItemId>,
    heard: Heard<'s>,
    unsettled: BTreeSet<SourceId>,
}

/// Tells when a source was last heard.
type Heard<'s> = Box<dyn Fn(SourceId) -> Option<Timestamp> + 's>;

impl<'s> Draft<'s> {
    /// Begins on a transaction.
    #[must_use]
    pub fn begin(transaction: Box<dyn Transaction + 's>, start: Start) -> Draft<'s> {
        Draft {
            made: made::Items::from(start.next_item),
            transaction,
            start,
            items: RefCell::default(),
            edges: RefCell::default(),
            rows: Rows::default(),
            units: Units::default(),
            late: Late::default(),
            batch: Batch::default(),
            hasher: ChangesHash::new(FORM),
            replaced: BTreeMap::new(),
            anchor: Vec::new(),
            history_days: None,
            sequence: 0,
            changes: Vec::new(),
            overflow: false,
            touched_values: BTreeSet::new(),
            entry_points: BTreeSet::new(),
            heard: Box::new(|_| None),
            unsettled: BTreeSet::new(),
        }
    }

    /// The same, knowing when each source was last heard.
    #[must_use]
    pub fn hearing(mut self, heard: Heard<'s>) -> Draft<'s> {
        self.heard = heard;
        self
    }

    /// When a source was last heard, where anybody knows.
    #[must_use]
    pub fn last_heard(&self, source: SourceId) -> Option<Timestamp> {
        (self.heard)(source)
    }

    /// The schema in force.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.start.schema)
    }

    /// The revision that it makes, if it changes anything.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.start.head.next()
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.start.now
    }

    /// An item as it shall be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn item(&self, id: ItemId) -> Result<Option<Arc<Item>>, StoreError> {
        if let Some(slot) = self.items.borrow().get(&id) {
            return Ok(slot.current.clone());
        }
        let slot = self.load(id)?;
        let current = slot.current.clone();
        self.items.borrow_mut().insert(id, slot);
        Ok(current)
    }

    /// The item itself, or the one that it was merged into.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn followed(&self, id: ItemId) -> Result<ItemId, StoreError> {
        let mut at = id;
        for _ in 0..REDIRECTS_MAX {
            match self.item(at)?.and_then(|item| item.merged_into) {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(at)
    }

    /// The items of which a claim says that they are within this one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn hosted(&self, host: ItemId) -> Result<Vec<ItemId>, StoreError> {
        let rows = self.rows(Table::Attributes, &key::hosted_by(host), HOSTED_MAX)?;
        Ok(rows.iter().filter_map(|(row, _)| key::item_at_end(row)).collect())
    }

    fn load(&self, id: ItemId) -> Result<Slot, StoreError> {
        let none = Slot { stored: None, current: None, head: HeadRecord::default() };
        if !self.made.may_have(id, Part::Head) {
            return Ok(none);
        }
        let Some(head) = self.transaction.get(Table::Items, &key::item(id))? else { return Ok(none) };
        let head: HeadRecord = record::decode(Table::Items, &head)?;
        let stored = Arc::new(super::write::read_version(&*self.transaction, &head)?);
        Ok(Slot { stored: Some(Arc::clone(&stored)), current: Some(stored), head })
    }

    /// The number for a new item.
    pub fn new_item(&mut self) -> ItemId {
        let id = ItemId(self.start.next_item);
        self.start.next_item += 1;
        id
    }

    /// Makes room for an item that brings its number along.
    pub fn reserve_item(&mut self, id: ItemId) {
        self.start.next_item = self.start.next_item.max(id.0 + 1);
    }

    /// Whether there was ever a match.
    #[must_use]
    pub fn has_matches(&self) -> bool {
        self.start.next_match > 1
    }

    /// The number for a new match.
    pub fn new_match(&mut self) -> u64 {
        let id = self.start.next_match;
        self.start.next_match += 1;
        id
    }

    /// How many wait in a queue.
    #[must_use]
    pub fn waiting(&self, queue: Waiting) -> u64 {
        self.start.waiting[queue as usize]
    }

    /// One more waits in a queue.
    pub fn count_waiting(&mut self, queue: Waiting) {
        self.start.waiting[queue as usize] += 1;
    }

    /// One less waits in a queue.
    pub fn count_placed(&mut self, queue: Waiting) {
        let waiting = &mut self.start.waiting[queue as usize];
        *waiting = waiting.saturating_sub(1);
    }

    /// Makes this the version of the item.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn put_item(&mut self, item: Item) -> Result<(), StoreError> {
        let before = self.item(item.id)?;
        if before.as_deref() == Some(&item) {
            return Ok(());
        }
        let schema = self.schema();
        self.index(before.as_deref(), &item, &schema);
        self.arm(before.as_deref(), &item, &schema);
        let id = item.id;
        let mut items = self.items.borrow_mut();
        items.get_mut(&id).expect("loaded above").current = Some(Arc::new(item));
        Ok(())
    }

    /// Sets a timer for the moment at which a claim may be stale. One that is already set stays: when it is due
    /// and nothing is stale, it is only looked at.
    fn arm(&mut self, before: Option<&Item>, after: &Item, schema: &Schema) {
        let due = reconcile::may_be_stale_at(after, schema, self);
        let had = before.and_then(|before| reconcile::may_be_stale_at(before, schema, self));
        if let Some(due) = due.filter(|_| due != had) {
            self.rows.put(Table::Timers, key::stale_timer(due, after.id), Vec::new());
        }
    }

    fn index(&mut self, before: Option<&Item>, after: &Item, schema: &Schema) {
        let old_values = before.map(|item| indexed_values(item, schema)).unwrap_or_default();
        let new_values = indexed_values(after, schema);
        let old_rows = before.map(|item| index_rows_with(item, &old_values, schema)).unwrap_or_default();
        let new_rows = index_rows_with(after, &new_values, schema);
        for (table, row) in old_rows.difference(&new_rows) {
            self.rows.delete(*table, row.clone());
        }
        for new in new_rows {
            if !old_rows.contains(&new) {
                self.rows.put(new.0, new.1, Vec::new());
            }
        }
        let same_kind =
            before.is_some_and(|before| before.class == after.class && before.status == after.status);
        if same_kind {
            self.touched_values.extend(old_values.symmetric_difference(&new_values).cloned());
        } else {
            self.touched_values.extend(old_values);
            self.touched_values.extend(new_values);
        }
        let named = |item: &Item| item.attribute("entry_points").map(|effective| effective.value.clone());
        let live = |item: &Item| item.status != crate::model::Status::Retired;
        if before.and_then(named) != named(after) || before.is_some_and(|before| live(before) != live(after))
        {
            self.entry_points.insert(after.id);
        }
    }

    /// The indexed values that changed since this was last asked.
    pub fn take_touched_values(&mut self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.touched_values)
    }

    /// The items whose entry points changed since this was last asked.
    pub fn take_entry_points(&mut self) -> BTreeSet<ItemId> {
        std::mem::take(&mut self.entry_points)
    }

    /// The entry points of an item shall be asked again.
    pub fn ask_entry_points(&mut self, id: ItemId) {
        self.entry_points.insert(id);
    }

    /// A relationship as it shall be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn relationship(
        &self,
        from: ItemId,
        kind: &str,
        to: ItemId,
    ) -> Result<Option<Relationship>, StoreError> {
        let name = (from, kind.to_owned(), to);
        if let Some(slot) = self.edges.borrow().get(&name) {
            return Ok(slot.current.clone());
        }
        let slot = self.load_edge(&name)?;
        let current = slot.current.clone();
        self.edges.borrow_mut().insert(name, slot);
        Ok(current)
    }

    fn load_edge(&self, (from, kind, to): &EdgeName) -> Result<EdgeSlot, StoreError> {
        let stored: Option<Relationship> = if self.made.may_have(*from, Part::Outgoing) {
            adjacency::find(&*self.transaction, *from, &key::edge(kind, *to))?
        } else {
            None
        };
        Ok(EdgeSlot { current: stored.clone(), stored })
    }

    /// Makes this the version of the relationship; whether that is another one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn put_relationship(&mut self, relationship: Relationship) -> Result<bool, StoreError> {
        let (from, to) = (relationship.from, relationship.to);
        let kind = relationship.kind.clone();
        self.set_relationship((from, kind, to), Some(relationship))
    }

    /// Takes the relationship away.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn remove_relationship(&mut self, from: ItemId, kind: &str, to: ItemId) -> Result<(), StoreError> {
        self.set_relationship((from, kind.to_owned(), to), None).map(drop)
    }

    fn set_relationship(&mut self, name: EdgeName, after: Option<Relationship>) -> Result<bool, StoreError> {
        if !self.edges.get_mut().contains_key(&name) {
            let slot = self.load_edge(&name)?;
            self.edges.get_mut().insert(name.clone(), slot);
        }
        let slot = self.edges.get_mut().get_mut(&name).expect("loaded above");
        if slot.current == after {
            return Ok(false);
        }
        let timer = |relationship: &Option<Relationship>| {
            let due = reconcile::relationship_due(relationship.as_ref()?)?;
            Some(key::relationship_timer(due, name.0, &name.1, name.2))
        };
        let (old, new) = (timer(&slot.current), timer(&after));
        slot.current = after;
        if old != new {
            if let Some(old) = old {
                self.rows.delete(Table::Timers, old);
            }
            if let Some(new) = new {
                self.rows.put(Table::Timers, new, Vec::new());
            }
        }
        Ok(true)
    }

    /// The relationships written from an item, as they shall be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outgoing(&self, item: ItemId) -> Result<Vec<Relationship>, StoreError> {
        let stored: Vec<Relationship> = self.stored_edges(item, Part::Outgoing)?;
        let mut found: BTreeMap<(String, ItemId), Relationship> = stored
            .into_iter()
            .map(|relationship| ((relationship.kind.clone(), relationship.to), relationship))
            .collect();
        let first = (item, String::new(), ItemId(0));
        for ((_, kind, to), slot) in self.edges.borrow().range(first..).take_while(|(name, _)| name.0 == item)
        {
            match &slot.current {
                Some(relationship) => found.insert((kind.clone(), *to), relationship.clone()),
                None => found.remove(&(kind.clone(), *to)),
            };
        }
        Ok(found.into_values().collect())
    }

    pub(super) fn stored_edges<P: adjacency::Packed>(
        &self,
        item: ItemId,
        part: Part,
    ) -> Result<Vec<P>, StoreError> {
        if !self.made.may_have(item, part) {
            return Ok(Vec::new());
        }
        Ok(adjacency::all::<P>(&*self.transaction, item, usize::MAX)?.0)
    }

    /// The ends of the relationships written to an item, as they shall be: type and source end.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn incoming(&self, item: ItemId) -> Result<BTreeSet<(String, ItemId)>, StoreError> {
        let mut found = self.written_incoming(item)?;
        for ((from, kind, to), slot) in self.edges.borrow().iter().filter(|(name, _)| name.2 == item) {
            debug_assert_eq!(*to, item);
            if slot.current.is_some() {
                found.insert((kind.clone(), *from));
            } else {
                found.remove(&(kind.clone(), *from));
            }
        }
        Ok(found)
    }

    /// Keeps what became of a unit.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn put_unit(
        &mut self,
        source: SourceId,
        kind: UnitKind,
        unit: &str,
        what: UnitRecord,
    ) -> Result<(), StoreError> {
        let before = self.kept_unit(source, kind, unit)?;
        if before.as_deref() == Some(&what) {
            return Ok(());
        }
        if kind == UnitKind::Item {
            self.note_scope(source, unit, before.as_deref(), &what);
        }
        self.units.put(source, kind, unit, Some(what));
        Ok(())
    }

    /// What a scope names of items, and which key somebody may wait for.
    fn note_scope(&mut self, source: SourceId, unit: &str, before: Option<&UnitRecord>, what: &UnitRecord) {
        let kind = UnitKind::Item;
        let before_item = before.and_then(|before| before.item);
        let stands = !what.digest.is_empty();
        let stood = before.filter(|before| before.scope == what.scope);
        let as_before = stood.is_some_and(|before| before.digest.is_empty() != stands);
        if let Some(before) = before.filter(|before| before.scope != what.scope) {
            self.rows.delete(Table::ScopeUnits, key::scope_unit(source, &before.scope, kind, unit));
        }
        if before_item != what.item && self.waiting(Waiting::Machines) > 0 {
            let name = reconcile::Sources::name_and_kind(self, source).0;
            let awaited = key::awaited(name, unit);
            self.touched_values.insert((key::AWAITED_KEY.to_owned(), awaited));
        }
        if !as_before {
            let listed = key::scope_unit(source, &what.scope, kind, unit);
            self.rows.put(Table::ScopeUnits, listed, if stands { STANDS.to_vec() } else { Vec::new() });
        }
    }

    /// Makes everything that a source states count as new when it is stated again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unsettle(&mut self, source: SourceId) -> Result<(), StoreError> {
        let all = source.0.to_be_bytes();
        let mut batch = Batch::default();
        self.units.copy_into(self.start.schema_number, &mut batch);
        self.rows.take(&batch);
        let items = self.rows(Table::ScopeUnits, &all, UNITS_MAX)?.into_iter();
        let items = items.filter(|(_, digest)| !digest.is_empty()).filter_map(|(row, _)| {
            let (_, _, kind, unit) = key::split_scope_unit(&row)?;
            Some((kind, unit))
        });
        let edges = self.rows(Table::EdgeUnits, &all, UNITS_MAX)?.into_iter().filter_map(|(row, _)| {
            let (_, kind, unit) = key::split_edge_unit(&row)?;
            Some((kind, unit))
        });
        for (kind, unit) in items.chain(edges) {
            if let Some(mut kept) = self.unit(source, kind, &unit)? {
                kept.digest = vec![0];
                self.put_unit(source, kind, &unit, kept)?;
            }
        }
        self.unsettled.insert(source);
        Ok(())
    }

    /// Whether a source must state everything again; asked once.
    pub fn take_unsettled(&mut self, source: SourceId) -> bool {
        self.unsettled.remove(&source)
    }

    /// Forgets a unit.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn remove_unit(&mut self, source: SourceId, kind: UnitKind, unit: &str) -> Result<(), StoreError> {
        if let Some(before) = self.kept_unit(source, kind, unit)? {
            self.units.put(source, kind, unit, None);
            if kind == UnitKind::Item {
                self.rows.delete(Table::ScopeUnits, key::scope_unit(source, &before.scope, kind, unit));
            }
        }
        Ok(())
    }

    /// A row of one of the tables that the draft keeps no better form of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn row(&self, table: Table, row: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.rows.get(&*self.transaction, table, row)
    }

    /// The rows of a table that begin with a prefix, at most about `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows(&self, table: Table, prefix: &[u8], limit: usize) -> Result<Vec<Row>, StoreError> {
        self.rows.scan(&*self.transaction, table, prefix, limit)
    }

    /// The keys of a table below a bound, as they were when the draft began, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows_below(&self, table: Table, bound: &[u8], limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let range = crate::store::Range {
            from: Vec::new(),
            to: Some(bound.to_vec()),
            order: crate::store::Order::Ascending,
        };
        let rows = self.transaction.scan(table, &range, limit)?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    /// The first keys of a table as they are in the transaction, at most `limit`: flush first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn rows_from(&self, table: Table, limit: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self.transaction.scan(table, &crate::store::Range::all(), limit)?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
    }

    /// Writes every index row of an item as it is now, whatever the indexes hold.
    pub fn index_anew(&mut self, item: &Item) {
        for (table, row) in index_rows(item, &self.start.schema) {
            self.rows.put(table, row, Vec::new());
        }
        let schema = self.schema();
        self.arm(None, item, &schema);
        // Whether what is marked stale still is, is another question under another schema.
        if item.claims.iter().any(|claim| !claim.marks.stale.is_empty()) {
            self.rows.put(Table::Timers, key::stale_timer(self.start.now, item.id), Vec::new());
        }
    }

    /// Every row of a table that begins with a prefix, as it is in the transaction: flush first.
    ///
    /// # Errors
    /// When the store cannot be read, or `row` fails.
    pub fn for_each_stored(
        &self,
        table: Table,
        prefix: &[u8],
        row: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        crate::store::for_each(&*self.transaction, table, crate::store::Range::prefix(prefix.to_vec()), row)
    }

    /// Whether there is nothing yet: no commit, and no item in the making.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.start.head == Revision(0) && self.start.next_item == 1
    }

    /// Writes a row of one of the tables that the draft keeps no better form of.
    pub fn put_row(&mut self, table: Table, row: Vec<u8>, value: Vec<u8>) {
        self.rows.put(table, row, value);
    }

    /// Writes a record.
    pub fn put_record(&mut self, table: Table, row: Vec<u8>, what: &impl record::Record) {
        let value = record::encode(self.start.schema_number, what);
        self.rows.put(table, row, value);
    }

    /// Removes a row.
    pub fn delete_row(&mut self, table: Table, row: Vec<u8>) {
        self.rows.delete(table, row);
    }

    /// The source of a name.
    #[must_use]
    pub fn source_named(&self, name: &str) -> Option<&Source> {
        self.start.sources.iter().find(|source| source.name == name)
    }

    /// The source of a name, made when there is none; title and version are taken over when they say something.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn source(
        &mut self,
        name: &str,
        kind: SourceKind,
        title: &str,
        version: &str,
    ) -> Result<SourceId, StoreError> {
        let known = self.source_named(name).cloned();
        let id = known.as_ref().map_or_else(
            || SourceId(u32::try_from(self.start.sources.len() + 1).expect("fewer sources than items")),
            |source| source.id,
        );
        let old = known.clone().unwrap_or(Source {
            id,
            name: name.to_owned(),
            kind,
            title: String::new(),
            version: String::new(),
        });
        let mut new = old;
        for (field, given) in [(&mut new.title, title), (&mut new.version, version)] {
            if !given.is_empty() {
                given.clone_into(field);
            }
        }
        if known.as_ref() == Some(&new) {
            return Ok(id);
        }
        let mut row = self
            .source_record(id)?
            .unwrap_or_else(|| SourceRecord { first_seen_us: self.start.now.0, ..SourceRecord::default() });
        row.name.clone_from(&new.name);
        row.kind = new.kind.name().to_owned();
        row.title.clone_from(&new.title);
        row.version.clone_from(&new.version);
        self.put_record(Table::Sources, key::source(id), &row);
        let sources = Arc::make_mut(&mut self.start.sources);
        match sources.iter_mut().find(|source| source.id == id) {
            Some(source) => *source = new,
            None => {
                sources.push(new);
                self.units.made.made_source(id);
            }
        }
        Ok(id)
    }

    /// What is kept of a source.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn source_record(&self, id: SourceId) -> Result<Option<SourceRecord>, StoreError> {
        let found = self.row(Table::Sources, &key::source(id))?;
        found.map(|bytes| record::decode(Table::Sources, &bytes)).transpose()
    }

    /// Makes the item current under its resolved claims.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn resolve_and_put(&mut self, mut item: Item) -> Result<(), StoreError> {
        let schema = self.schema();
        let now = self.now();
        self.withhold(&mut item);
        reconcile::resolve_item(&mut item, &schema, self, now);
        self.put_item(item)
    }

    /// Whatever moves claims to an item, what was purged there is not among them.
    fn withhold(&self, item: &mut Item) {
        let suppressed: Vec<String> = item.suppressed().map(|(name, _)| name.to_owned()).collect();
        let person = |claim: &ItemClaimState| {
            reconcile::Sources::name_and_kind(self, claim.source).1 == SourceKind::Person
        };
        for attribute in suppressed {
            item.erase(&attribute, &|claim| !person(claim));
        }
    }

    /// How many changes stand in the log of this draft so far, and would with what is not written yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.items.borrow().len() + self.edges.borrow().len()
    }

    /// What changed so far, of a draft that shall not be committed.
    #[must_use]
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Writes what is left and makes the commit durable.
    ///
    /// # Errors
    /// When the store fails; then nothing of it is there.
    pub fn seal(mut self, actor: &Actor) -> Result<Sealed, StoreError> {
        self.flush()?;
        let says_more = !self.anchor.is_empty() || self.history_days.is_some() || !self.replaced.is_empty();
        if self.sequence == 0 && !says_more {
            let head = self.start.head;
            self.transaction.commit(head)?;
            let next = self.start;
            return Ok(Sealed { header: None, changes: Vec::new(), overflow: false, next });
        }
        let revision = self.start.head.next();
        let mut batch = Batch::default();
        let replaced = self.keep_replaced(&mut batch);
        let besides = Besides { replaced: &replaced, anchor: &self.anchor, history_days: self.history_days };
        let changes_hash = self.hasher.finish(&besides);
        let mut head =
            super::write::commit_record(actor, u64::from(self.sequence), &self.start, revision, &besides);
        let hash = super::hash::commit_hash(revision, &head, &changes_hash);
        head.hash = hash.to_vec();
        batch.put(Table::Commits, key::revision(revision), record::encode(self.start.schema_number, &head));
        let header = super::commit_header(revision, head)?;
        self.transaction.write(&batch)?;
        self.transaction.commit(revision)?;
        let next = Start { head: revision, previous_hash: hash, ..self.start };
        Ok(Sealed { header: Some(header), changes: self.changes, overflow: self.overflow, next })
    }

    /// Makes this a commit that covers what is left of a compacted history, whatever else it changes.
    pub fn anchor(&mut self, digest: Vec<u8>) {
        self.anchor = digest;
    }

    /// Makes this a commit that says for how many days every change is kept, whatever else it changes; 0: for good.
    pub fn keep_history(&mut self, days: u64) {
        self.history_days = Some(days);
    }

    pub(super) fn place(&mut self) -> Place {
        let place = Place { revision: self.start.head.next(), sequence: self.sequence };
        self.sequence += 1;
        place
    }

    pub(super) fn keep(&mut self, change: impl FnOnce() -> Change) {
        if self.changes.len() < CHANGES_KEPT_MAX {
            self.changes.push(change());
        } else {
            self.overflow = true;
        }
    }
}

impl reconcile::Sources for Draft<'_> {
    fn name_and_kind(&self, source: SourceId) -> (&str, SourceKind) {
        let found = self.start.sources.get((source.0 as usize).wrapping_sub(1));
        found.map_or(("", SourceKind::Rule), |source| (source.name.as_str(), source.kind))
    }
}

impl Index for Draft<'_> {
    type Error = StoreError;

    fn items_with(&self, identifier: &Identifier) -> Result<Vec<ItemId>, StoreError> {
        /// More items than that with one identifier are as good as that many.
        const FOUND_MAX: usize = 64;
        let rows = self.rows(Table::Identifiers, &identifier.digest, FOUND_MAX)?;
        Ok(rows.iter().filter_map(|(row, _)| key::item_at_end(row)).collect())
    }

    fn strong_identifiers(&self, item: ItemId) -> Result<Vec<Identifier>, StoreError> {
        let Some(item) = self.item(item)? else { return Ok(Vec::new()) };
        let mut identifiers = item_identifiers(&item, &self.start.schema);
        identifiers.retain(|identifier| identifier.strength == Strength::Strong);
        Ok(identifiers)
    }

    fn distinct_from(&self, item: ItemId) -> Result<Vec<ItemId>, StoreError> {
        Ok(self.item(item)?.map(|item| item.distinct_from.clone()).unwrap_or_default())
    }
}

/// The relationship's name as units keep it.
#[must_use]
pub(crate) fn edge_record(from: ItemId, kind: &str, to: ItemId) -> EdgeRecord {
    EdgeRecord { from: from.0, kind: kind.to_owned(), to: to.0 }
}
