//! What changed between two moments: each fact once, as it was and as it became, with the commits that touched it.

use std::collections::{BTreeMap, BTreeSet};

use super::Reader;
use crate::change::{self, Change, CommitHeader};
use crate::engine::request::EngineError;
use crate::engine::view::{self, When, place_of_row};
use crate::model::{ItemId, Problem, Reason, Relationship, Revision, Status};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord};
use crate::store::{self, Range, Table};

/// The most facts that one comparison may find.
pub const DIFFERENCES_MAX: usize = 5_000_000;
/// The most commits that are named with one fact; the newest are.
pub const COMMITS_NAMED_MAX: usize = 8;

/// What changed between two moments.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Diff {
    /// The earlier revision.
    pub from: Revision,
    /// The later revision.
    pub to: Revision,
    /// What differs, in order of items.
    pub differences: Vec<Difference>,
    /// All that differ, listed or not.
    pub total: u64,
    /// The same by what became of them.
    pub totals: Totals,
    /// The heads of the commits that are named.
    pub commits: BTreeMap<Revision, CommitHeader>,
}

/// How many facts differ, by what became of them. A retired item is removed, and so is a denied relationship.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Totals {
    pub items_added: u64,
    pub items_changed: u64,
    pub items_removed: u64,
    pub relationships_added: u64,
    pub relationships_changed: u64,
    pub relationships_removed: u64,
}

impl Totals {
    fn count(&mut self, change: &Change) {
        let (stood, stands) = match change {
            Change::Item { before, after } => {
                let live = |status: Status| status != Status::Retired;
                // What came and went in between is still something that came.
                let stands = before.is_none() || live(after.status);
                (before.as_ref().is_some_and(|before| live(before.status)), stands)
            }
            Change::Relationship { before, after } => {
                let stands =
                    |side: &Option<Box<Relationship>>| side.as_ref().is_some_and(|side| side.stands());
                (stands(before), stands(after))
            }
        };
        let (added, changed, removed) = match change {
            Change::Item { .. } => (&mut self.items_added, &mut self.items_changed, &mut self.items_removed),
            Change::Relationship { .. } => (
                &mut self.relationships_added,
                &mut self.relationships_changed,
                &mut self.relationships_removed,
            ),
        };
        *match (stood, stands) {
            (false, true) => added,
            (true, false) => removed,
            _ => changed,
        } += 1;
    }
}

/// One fact that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// As it was and as it became.
    pub change: Change,
    /// The commits that touched it, newest first, at most [`COMMITS_NAMED_MAX`].
    pub revisions: Vec<Revision>,
}

#[derive(Default)]
struct Touched {
    /// Where the state before the first change stands: for items their version, for relationships the change.
    first: Option<Place>,
    last: Option<Place>,
    revisions: Vec<Revision>,
}

impl Touched {
    fn at(&mut self, before: Option<Place>, place: Place) {
        if self.last.is_none() {
            self.first = before;
        }
        self.last = Some(place);
        if self.revisions.last() != Some(&place.revision) {
            if self.revisions.len() == COMMITS_NAMED_MAX {
                self.revisions.remove(0);
            }
            self.revisions.push(place.revision);
        }
    }
}

#[derive(Default)]
struct Scanned {
    items: BTreeMap<ItemId, Touched>,
    edges: BTreeMap<(ItemId, String, ItemId), Touched>,
}

impl Reader {
    /// What changed between two moments, at most `limit` facts of it; among `around` only, when given: items of the
    /// set, and relationships with an end in it.
    ///
    /// # Errors
    /// When a moment is not to be had, too much lies between them, or the store cannot be read.
    pub fn diff(
        &self,
        from: When,
        to: When,
        around: Option<&BTreeSet<ItemId>>,
        limit: usize,
    ) -> Result<Diff, EngineError> {
        let from = view::revision_of(self.snapshot(), from)?;
        let to = view::revision_of(self.snapshot(), to)?;
        if from > to {
            return Err(Problem::new(
                Reason::CommitUnknown,
                format!("revision {from} comes after revision {to}"),
                format!("{from} to {to}"),
            )
            .expected("an earlier moment, then a later one", format!("{from} to {to}"))
            .into());
        }
        let scanned = self.scan_between(from, to, around)?;
        let mut diff = Diff { from, to, ..Diff::default() };
        for (id, touched) in scanned.items {
            let before = touched.first.map(|place| view::version(self.snapshot(), place)).transpose()?;
            let after = view::version(self.snapshot(), touched.last.expect("touched"))?;
            if before.as_ref() == Some(&after) {
                continue;
            }
            debug_assert_eq!(after.id, id);
            let change = Change::Item { before: before.map(Box::new), after: Box::new(after) };
            self.add(&mut diff, limit, change, touched.revisions)?;
        }
        for touched in scanned.edges.into_values() {
            let before = self.side(touched.first, |change| change.relationship_before)?;
            let after = self.side(touched.last, |change| change.relationship_after)?;
            if before == after {
                continue;
            }
            let change = Change::Relationship { before: before.map(Box::new), after: after.map(Box::new) };
            self.add(&mut diff, limit, change, touched.revisions)?;
        }
        Ok(diff)
    }

    fn scan_between(
        &self,
        from: Revision,
        to: Revision,
        around: Option<&BTreeSet<ItemId>>,
    ) -> Result<Scanned, EngineError> {
        let place = |revision: Revision| Place { revision: revision.next(), sequence: 0 }.key();
        let range = Range { from: place(from), to: Some(place(to)), ..Range::all() };
        let within = |id: u64| around.is_none_or(|around| around.contains(&ItemId(id)));
        let mut scanned = Scanned::default();
        store::for_each(self.snapshot(), Table::Changes, range, |row, bytes| {
            let place = place_of_row(row)?;
            let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
            if let Some(item) = &change.item {
                if within(item.id) {
                    let before = change.previous_version.map(change::place_of);
                    scanned.items.entry(ItemId(item.id)).or_default().at(before, place);
                }
            } else if let Some(edge) =
                change.relationship_after.as_ref().or(change.relationship_before.as_ref())
                && (within(edge.from) || within(edge.to))
            {
                let name = (ItemId(edge.from), edge.kind.clone(), ItemId(edge.to));
                scanned.edges.entry(name).or_default().at(Some(place), place);
            }
            if scanned.items.len() + scanned.edges.len() > DIFFERENCES_MAX {
                return Err(too_much(from, to));
            }
            Ok::<(), EngineError>(())
        })?;
        Ok(scanned)
    }

    fn side(
        &self,
        place: Option<Place>,
        side: impl Fn(ChangeRecord) -> Option<record::RelationshipRecord>,
    ) -> Result<Option<Relationship>, EngineError> {
        let Some(place) = place else { return Ok(None) };
        let found = side(change::read_change(self.snapshot(), place)?);
        Ok(found.map(record::relationship_from).transpose()?)
    }

    fn add(
        &self,
        diff: &mut Diff,
        limit: usize,
        change: Change,
        mut revisions: Vec<Revision>,
    ) -> Result<(), EngineError> {
        diff.total += 1;
        diff.totals.count(&change);
        if diff.differences.len() == limit {
            return Ok(());
        }
        // What is left of older commits is not all that they changed.
        let oldest = self.oldest_kept()?;
        revisions.retain(|revision| *revision > oldest);
        revisions.reverse();
        for revision in &revisions {
            if !diff.commits.contains_key(revision)
                && let Some(header) = self.header(*revision)?
            {
                diff.commits.insert(*revision, header);
            }
        }
        diff.differences.push(Difference { change, revisions });
        Ok(())
    }
}

fn too_much(from: Revision, to: Revision) -> EngineError {
    Problem::new(
        Reason::LimitExceeded,
        format!("more changed between {from} and {to} than can be compared at once"),
        format!("{from} to {to}"),
    )
    .expected(format!("at most {DIFFERENCES_MAX} facts"), "more")
    .hint("choose moments that lie closer together, or --around ITEM")
    .into()
}
