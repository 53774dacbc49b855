//! The graph as it stood at a revision: the present, with the log since then undone.
//!
//! A view remembers what changed after its revision and where the state before that change stands in the log; what
//! did not change is read as it is now. So a view of a moment ago costs next to nothing, and one of long ago costs
//! a scan of the log since. It is kept, and brought up to date by the commits that came since it was made.
//!
//! Invariant: a view brought up to a later head shows the same revision, fact for fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use super::live::{self, Judged, Step};
use super::request::EngineError;
use super::retain;
use super::tally::Tally;
use crate::change::{self};
use crate::graph::Graph;
use crate::model::{Item, ItemId, Problem, Reason, Relationship, Revision, Timestamp};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, CommitRecord, HeadRecord};
use crate::store::{Range, Read, Snapshot, StoreError, Table, key};

/// The most facts that may have changed since a moment that is asked for.
pub const CHANGED_MAX: usize = 20_000_000;
/// Rows of the log that are read at a time.
const PAGE: usize = 4_096;
/// The most views that are kept.
const KEPT_MAX: usize = 8;

/// A moment that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum When {
    /// The present.
    #[default]
    Now,
    /// After that commit.
    Revision(Revision),
    /// After the last commit recorded by then.
    Time(Timestamp),
}

/// Where the state of a relationship at the view's revision stands: in the `before` of this change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Was {
    pub(super) undone_by: Place,
    pub(super) existed: bool,
}

/// What changed after a revision, and the graph without it.
pub(super) struct View {
    pub(super) revision: Revision,
    pub(super) recorded_at: Timestamp,
    /// The head up to which changes are undone.
    pub(super) head: Revision,
    pub(super) graph: Graph,
    pub(super) tally: Tally,
    /// Items that changed: where their version then stands; `None`: it did not exist.
    pub(super) items: BTreeMap<ItemId, Option<Place>>,
    /// Relationships that changed, by source end.
    pub(super) outgoing: BTreeMap<(ItemId, Arc<str>, ItemId), Was>,
    /// The same, by target end: target, type, source.
    pub(super) incoming: BTreeSet<(ItemId, Arc<str>, ItemId)>,
}

impl View {
    /// The version of an item, when it changed since.
    pub(super) fn item(&self, id: ItemId) -> Option<Option<Place>> {
        self.items.get(&id).copied()
    }
}

/// Views that were asked for lately.
#[derive(Default)]
pub(super) struct Views {
    kept: Mutex<Vec<Arc<View>>>,
}

/// What a view is made from: the present graph and what it was counted with.
pub(super) struct Present<'a> {
    pub(super) snapshot: &'a dyn Snapshot,
    pub(super) graph: &'a Graph,
    pub(super) tally: Tally,
    pub(super) judged: Judged<'a>,
}

impl Views {
    /// The view of a moment; `None`: the present.
    pub(super) fn get(&self, when: When, present: &Present<'_>) -> Result<Option<Arc<View>>, EngineError> {
        let head = present.snapshot.head();
        let revision = match when {
            When::Now => return Ok(None),
            _ => revision_of(present.snapshot, when)?,
        };
        if revision == head {
            return Ok(None);
        }
        let known = self.lock().iter().find(|view| view.revision == revision).cloned();
        if let Some(known) = known.filter(|known| known.head == head) {
            return Ok(Some(known));
        }
        let view = Arc::new(make(revision, present)?);
        let mut kept = self.lock();
        kept.retain(|other| other.revision != revision);
        kept.insert(0, Arc::clone(&view));
        kept.truncate(KEPT_MAX);
        Ok(Some(view))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<View>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The revision of a moment.
pub(super) fn revision_of(snapshot: &dyn Snapshot, when: When) -> Result<Revision, EngineError> {
    let head = snapshot.head();
    match when {
        When::Now => Ok(head),
        When::Revision(revision) if revision <= head => {
            retain::check_kept(snapshot, revision)?;
            Ok(revision)
        }
        When::Revision(revision) => Err(unknown_yet(revision, head).into()),
        When::Time(time) => revision_at(snapshot, time),
    }
}

pub(super) fn unknown_yet(revision: Revision, head: Revision) -> Problem {
    Problem::new(
        Reason::CommitUnknown,
        format!("there is no revision {revision} yet: the head is {head}"),
        revision.to_string(),
    )
}

/// The last revision recorded by a time; recorded time never runs backwards.
fn revision_at(snapshot: &dyn Snapshot, time: Timestamp) -> Result<Revision, EngineError> {
    let horizon = retain::horizon(snapshot)?;
    if horizon > Revision(0) && recorded_at(snapshot, horizon)? > time {
        // A time names no baseline: what came last before it is not known any more.
        return Err(retain::compacted(snapshot, horizon, &time.to_string())?.into());
    }
    let (mut low, mut high) = (horizon.0, snapshot.head().0);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if recorded_at(snapshot, Revision(middle))? <= time {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(Revision(low))
}

pub(super) fn recorded_at(read: &dyn Read, revision: Revision) -> Result<Timestamp, EngineError> {
    if revision == Revision(0) {
        return Ok(Timestamp(0));
    }
    let row = read.get(Table::Commits, &key::revision(revision))?.ok_or_else(|| StoreError::Damaged {
        table: Table::Commits.name(),
        detail: format!("commit {revision} is not there"),
    })?;
    let row: CommitRecord = record::decode(Table::Commits, &row)?;
    Ok(Timestamp(row.recorded_at_us))
}

/// What changed after a revision.
pub(super) struct Changed {
    items: BTreeMap<ItemId, Option<Place>>,
    outgoing: BTreeMap<(ItemId, Arc<str>, ItemId), Was>,
}

/// Both sides of what changed: as it is in the store, and as it was at the revision.
pub(super) struct Sides {
    pub(super) items: Vec<(Option<Item>, Option<Item>)>,
    pub(super) edges: Vec<(Option<Relationship>, Option<Relationship>)>,
}

/// What the log says that changed after a revision; `None`: more than `most` facts.
pub(super) fn changed_since(
    read: &dyn Read,
    revision: Revision,
    most: usize,
) -> Result<Option<Changed>, StoreError> {
    let mut items: BTreeMap<ItemId, Option<Place>> = BTreeMap::new();
    let mut outgoing: BTreeMap<(ItemId, Arc<str>, ItemId), Was> = BTreeMap::new();
    let mut names = live::Names::default();
    let from = Place { revision: revision.next(), sequence: 0 };
    let mut range = Range { from: from.key(), ..Range::all() };
    loop {
        let rows = read.scan(Table::Changes, &range, PAGE)?;
        for (row, bytes) in &rows {
            let place = place_of_row(row)?;
            let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
            if let Some(item) = &change.item {
                let before = || change.previous_version.map(change::place_of);
                items.entry(ItemId(item.id)).or_insert_with(before);
            } else if let Some(edge) =
                change.relationship_after.as_ref().or(change.relationship_before.as_ref())
            {
                let name = (ItemId(edge.from), names.get(&edge.kind), ItemId(edge.to));
                let existed = change.relationship_before.is_some();
                outgoing.entry(name).or_insert(Was { undone_by: place, existed });
            }
        }
        if items.len() + outgoing.len() > most {
            return Ok(None);
        }
        match rows.last() {
            Some((last, _)) if rows.len() == PAGE => range = range.after(last),
            _ => return Ok(Some(Changed { items, outgoing })),
        }
    }
}

impl Changed {
    pub(super) fn sides(&self, read: &dyn Read) -> Result<Sides, StoreError> {
        let mut items = Vec::with_capacity(self.items.len());
        for (id, was) in &self.items {
            let before = was.map(|place| version(read, place)).transpose()?;
            items.push((current(read, *id)?, before));
        }
        let mut edges = Vec::with_capacity(self.outgoing.len());
        for ((from, kind, to), was) in &self.outgoing {
            let before = if was.existed { Some(relationship_before(read, was.undone_by)?) } else { None };
            edges.push((change::find_edge(read, *from, kind, *to)?, before));
        }
        Ok(Sides { items, edges })
    }
}

/// Undoes the log after a revision.
fn make(revision: Revision, present: &Present<'_>) -> Result<View, EngineError> {
    let read = present.snapshot;
    let changed = changed_since(read, revision, CHANGED_MAX)?.ok_or_else(|| too_long_ago(revision))?;
    let (graph, tally) = undone(&changed, revision, present)?;
    let Changed { items, outgoing } = changed;
    let incoming = outgoing.keys().map(|(from, kind, to)| (*to, Arc::clone(kind), *from)).collect();
    let (recorded_at, head) = (recorded_at(read, revision)?, read.head());
    Ok(View { revision, recorded_at, head, graph, tally, items, outgoing, incoming })
}

/// Graph and counts brought back.
fn undone(
    changed: &Changed,
    revision: Revision,
    present: &Present<'_>,
) -> Result<(Graph, Tally), EngineError> {
    let sides = changed.sides(present.judged.read)?;
    let items = sides.items.iter().map(|(now, was)| Step::Item { before: now.as_ref(), after: was.as_ref() });
    let edges =
        sides.edges.iter().map(|(now, was)| Step::Relationship { before: now.as_ref(), after: was.as_ref() });
    let steps: Vec<_> = items
        .chain(edges)
        // What came and went since leaves nothing to undo.
        .filter(|step| !matches!(step, Step::Relationship { before: None, after: None }))
        .collect();
    Ok(live::follow(present.graph, present.tally.clone(), revision, &steps, present.judged)?)
}

fn current(read: &dyn Read, id: ItemId) -> Result<Option<Item>, StoreError> {
    let Some(head) = read.get(Table::Items, &key::item(id))? else { return Ok(None) };
    let head: HeadRecord = record::decode(Table::Items, &head)?;
    Ok(Some(change::read_version(read, &head)?))
}

pub(super) fn version(read: &dyn Read, place: Place) -> Result<Item, StoreError> {
    let change = change::read_change(read, place)?;
    let item = change.item.ok_or_else(|| StoreError::Damaged {
        table: Table::Changes.name(),
        detail: format!("the change at {place:?} holds no item"),
    })?;
    record::item_from(item)
}

pub(super) fn relationship_before(read: &dyn Read, place: Place) -> Result<Relationship, StoreError> {
    let change = change::read_change(read, place)?;
    let before = change.relationship_before.ok_or_else(|| StoreError::Damaged {
        table: Table::Changes.name(),
        detail: format!("the change at {place:?} holds no relationship before it"),
    })?;
    record::relationship_from(before)
}

pub(super) fn place_of_row(row: &[u8]) -> Result<Place, StoreError> {
    Place::from_key(row).ok_or_else(|| StoreError::Damaged {
        table: Table::Changes.name(),
        detail: "a change without a place".to_owned(),
    })
}

fn too_long_ago(revision: Revision) -> EngineError {
    Problem::new(
        Reason::LimitExceeded,
        format!("more has changed since revision {revision} than can be undone at once"),
        revision.to_string(),
    )
    .expected(format!("at most {CHANGED_MAX} changed facts"), "more")
    .hint("ask for a later moment")
    .into()
}
