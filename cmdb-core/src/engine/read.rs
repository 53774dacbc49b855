//! Reading: one consistent moment, and the questions that need no algorithm.

mod confirm;
mod diff;
mod export;
mod groups;
mod health;
mod identity;
mod list;
mod log;
mod neighbours;
mod resolve;
mod schema;
mod trial;

pub use identity::{
    Bid, Contest, DuplicateKind, DuplicateSet, Explanation, IdentifierEvidence, StatedIdentifier,
};
pub use resolve::Resolved;
pub use trial::{
    Listed, SharedIdentifier, Stands, Trial, TrialChange, TrialOptions, TrialRefusal, TrialSplit,
};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::inner::{Inner, Moment};
use super::live::{self, Judged, Step};
use super::presence;
use super::request::{EngineError, Figures, Label, SourceState};
use super::retain;
use super::tally::Tally;
use super::view::{self, Present, View, When};
use crate::change;
use crate::graph::Graph;
use crate::model::item::Status;
use crate::model::schema::Schema;
use crate::model::source::Source;
use crate::model::{Item, ItemId, Relationship, Revision, SourceId, Timestamp};
use crate::store::record::{self, EndRecord, HeadRecord, MatchRecord, ScopeRecord, SourceRecord};
use crate::store::{self, Range, Snapshot, StoreError, Table, key};

pub use diff::{Diff, Difference, Totals};
pub use log::Touched;

pub use confirm::Evidence;
pub use groups::{GROUP_MEMBERS_MAX, GroupShown, GroupStanding, Groups, GroupsAsked};
pub use neighbours::{Direction, Neighbours, Wanted};

/// One consistent moment of the store.
pub struct Reader {
    moment: Arc<Moment>,
    /// What has changed since the moment that is read; `None`: the present is read.
    past: Option<Arc<View>>,
    /// The time from which it is looked at; `None`: the present.
    looked_at: Option<Timestamp>,
    inner: Arc<Inner>,
}

/// How far the graph behind an answer is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Coverage {
    /// Since when anything was observed.
    pub observed_since: Option<Timestamp>,
    /// Machines that no agent speaks of.
    pub hosts_without_agent: u64,
    /// Endpoints that are seen from outside only.
    pub external_endpoints: u64,
    /// Relationships that nobody confirms now.
    pub stale_relationships: u64,
}

impl Reader {
    pub(super) fn new(inner: Arc<Inner>, when: When) -> Result<Reader, EngineError> {
        let moment = inner.moment.load_full();
        let judged = Judged { read: &*moment.snapshot, schema: &inner.schema, sources: &moment.sources };
        let present = Present {
            snapshot: &*moment.snapshot,
            graph: &moment.graph,
            tally: moment.tally.clone(),
            judged,
        };
        let past = inner.views.get(when, &present)?;
        let looked_at = match when {
            When::Time(time) => Some(time),
            When::Now | When::Revision(_) => past.as_ref().map(|past| past.recorded_at),
        };
        Ok(Reader { moment, past, looked_at, inner })
    }

    /// The store as it is now.
    fn snapshot(&self) -> &dyn Snapshot {
        &*self.moment.snapshot
    }

    /// The graph of the moment that is read.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        self.past.as_ref().map_or(&self.moment.graph, |past| &past.graph)
    }

    fn tally(&self) -> &Tally {
        self.past.as_ref().map_or(&self.moment.tally, |past| &past.tally)
    }

    /// The revision that is shown.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.past.as_ref().map_or(self.snapshot().head(), |past| past.revision)
    }

    /// When that revision was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.past.as_ref().map_or(self.moment.recorded_at, |past| past.recorded_at)
    }

    /// The graph that some steps make of the moment that is read.
    pub(super) fn follow(&self, steps: &[Step<'_>]) -> Result<(Graph, Tally), EngineError> {
        let judged =
            Judged { read: self.snapshot(), schema: &self.inner.schema, sources: &self.moment.sources };
        Ok(live::follow(self.graph(), self.tally().clone(), self.revision(), steps, judged)?)
    }

    /// The greatest number that an item has by now.
    pub(super) fn last_item(&self) -> Result<u64, EngineError> {
        Ok(super::last_number(self.snapshot(), Table::Items)?)
    }

    pub(super) fn store_snapshot(&self) -> &dyn Snapshot {
        self.snapshot()
    }

    /// A row of a table that has no past.
    pub(super) fn store_row(&self, table: Table, row: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.snapshot().get(table, row)?)
    }

    /// All rows of a table that has no past.
    pub(super) fn store_rows(
        &self,
        table: Table,
        mut row: impl FnMut(&[u8], &[u8]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        store::for_each(self.snapshot(), table, Range::all(), &mut row)
    }

    /// The revision that a moment shows.
    ///
    /// # Errors
    /// When it is not to be had, or the store cannot be read.
    pub fn revision_at(&self, when: When) -> Result<Revision, EngineError> {
        view::revision_of(self.snapshot(), when)
    }

    /// Whether an item exists at the moment that is read; a retired one does.
    fn exists(&self, id: ItemId) -> Result<bool, EngineError> {
        if let Some(was) = self.past.as_ref().and_then(|past| past.item(id)) {
            return Ok(was.is_some());
        }
        Ok(self.snapshot().get(Table::Items, &key::item(id))?.is_some())
    }

    /// The schema in force.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.inner.schema
    }

    /// An item.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn item(&self, id: ItemId) -> Result<Option<Item>, EngineError> {
        Ok(self.items(&[id])?.pop().flatten())
    }

    /// Items, in the order asked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn items(&self, ids: &[ItemId]) -> Result<Vec<Option<Item>>, EngineError> {
        let keys: Vec<_> = ids.iter().map(|id| key::item(*id)).collect();
        let mut places = Vec::with_capacity(ids.len());
        for (id, head) in ids.iter().zip(self.snapshot().get_many(Table::Items, &keys)?) {
            let was = self.past.as_ref().and_then(|past| past.item(*id));
            let version = match (was, head) {
                (Some(was), _) => was,
                (None, Some(head)) => {
                    record::decode::<HeadRecord>(Table::Items, &head)?.version.map(change::place_of)
                }
                (None, None) => None,
            };
            places.push(version);
        }
        let wanted: Vec<_> = places.iter().flatten().map(|place| place.key()).collect();
        let mut found = self.snapshot().get_many(Table::Changes, &wanted)?.into_iter();
        let mut items = Vec::with_capacity(ids.len());
        for place in places {
            items.push(match place {
                Some(_) => Some(item_of(found.next().flatten())?),
                None => None,
            });
        }
        Ok(items)
    }

    /// What items are called, in the order asked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn labels(&self, ids: &[ItemId]) -> Result<Vec<Option<Label>>, EngineError> {
        /// Items decoded at a time, so that a large answer does not hold all of them.
        const AT_ONCE: usize = 1_024;
        let mut labels = Vec::with_capacity(ids.len());
        for some in ids.chunks(AT_ONCE) {
            labels.extend(self.items(some)?.into_iter().map(|item| item.map(label)));
        }
        Ok(labels)
    }

    /// The relationships of an item, outgoing and incoming, at most `max`; how many were left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn relationships(&self, id: ItemId, max: usize) -> Result<(Vec<Relationship>, usize), EngineError> {
        let mut found = self.outgoing(id)?;
        let ends = self.incoming(id)?;
        let all = found.len() + ends.len();
        found.truncate(max);
        for (kind, from) in ends.into_iter().take(max - found.len()) {
            found.extend(self.relationship(from, &kind, id)?);
        }
        let left_out = all.saturating_sub(max);
        Ok((found, left_out))
    }

    /// The number of a source.
    #[must_use]
    pub fn source_named(&self, name: &str) -> Option<SourceId> {
        self.moment.sources.named(name).map(|source| source.id)
    }

    /// The changes of the commits after a revision up to the one that is read, at most `limit`: `None` when there are
    /// more. Of the present only.
    pub(super) fn changes_after(
        &self,
        revision: Revision,
        limit: usize,
        change: &mut dyn FnMut(&record::ChangeRecord),
    ) -> Result<Option<()>, EngineError> {
        let from = crate::store::key::Place { revision: revision.next(), sequence: 0 }.key();
        let rows = self.snapshot().scan(Table::Changes, &Range { from, ..Range::all() }, limit + 1)?;
        if rows.len() > limit {
            return Ok(None);
        }
        for (_, bytes) in &rows {
            change(&record::decode(Table::Changes, bytes)?);
        }
        Ok(Some(()))
    }

    /// The relationships written from an item, in order of type and target.
    pub(super) fn outgoing(&self, id: ItemId) -> Result<Vec<Relationship>, EngineError> {
        let (found, _) = change::all_edges::<Relationship>(self.snapshot(), id, usize::MAX)?;
        let Some(past) = &self.past else { return Ok(found) };
        let mut then: BTreeMap<(String, ItemId), Relationship> = found
            .into_iter()
            .map(|relationship| ((relationship.kind.clone(), relationship.to), relationship))
            .collect();
        let first = (id, Arc::from(""), ItemId(0));
        for ((_, kind, to), was) in past.outgoing.range(first..).take_while(|(name, _)| name.0 == id) {
            let name = (kind.to_string(), *to);
            if was.existed {
                then.insert(name, view::relationship_before(self.snapshot(), was.undone_by)?);
            } else {
                then.remove(&name);
            }
        }
        Ok(then.into_values().collect())
    }

    /// The source ends of the relationships written to an item, with their types.
    pub(super) fn incoming(&self, id: ItemId) -> Result<Vec<(String, ItemId)>, EngineError> {
        let (ends, _) = change::all_edges::<EndRecord>(self.snapshot(), id, usize::MAX)?;
        let ends = ends.into_iter().map(|end| (end.kind, ItemId(end.from)));
        let Some(past) = &self.past else { return Ok(ends.collect()) };
        let mut then: BTreeSet<(String, ItemId)> = ends.collect();
        let first = (id, Arc::from(""), ItemId(0));
        for (_, kind, from) in past.incoming.range(first..).take_while(|name| name.0 == id) {
            let name = (kind.to_string(), *from);
            let existed = past.outgoing.get(&(*from, Arc::clone(kind), id)).is_some_and(|was| was.existed);
            if existed {
                then.insert(name);
            } else {
                then.remove(&name);
            }
        }
        Ok(then.into_iter().collect())
    }

    pub(super) fn relationship(
        &self,
        from: ItemId,
        kind: &str,
        to: ItemId,
    ) -> Result<Option<Relationship>, EngineError> {
        let was = self.past.as_ref().and_then(|past| past.outgoing.get(&(from, Arc::from(kind), to)));
        match was {
            Some(was) if was.existed => Ok(Some(view::relationship_before(self.snapshot(), was.undone_by)?)),
            Some(_) => Ok(None),
            None => Ok(change::find_edge(self.snapshot(), from, kind, to)?),
        }
    }

    /// When anything that claims the item was last seen, at the moment that is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_seen(&self, item: &Item) -> Result<Timestamp, EngineError> {
        let mut last = item.first_seen;
        for claim in &item.claims {
            last = last.max(claim.observed_at);
            if claim.withdrawn_at.is_none() {
                last = last.max(self.source_last_seen(claim.source)?.unwrap_or(last));
            }
        }
        Ok(last)
    }

    /// When a source was last seen, at the moment that is read; in the past to within [`presence::BUCKET_US`].
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn source_last_seen(&self, source: SourceId) -> Result<Option<Timestamp>, EngineError> {
        let last = self.inner.presence.last_seen(source);
        match self.looked_at {
            // What is not written yet was heard by then, or after what is written.
            Some(by) if last.is_some_and(|last| last > by) => {
                Ok(presence::last_seen_by(self.snapshot(), source, by)?)
            }
            _ => Ok(last),
        }
    }

    /// A source.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.moment.sources.get(id)
    }

    /// All sources and how they do.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn sources(&self) -> Result<Vec<SourceState>, EngineError> {
        let mut entries: BTreeMap<SourceId, u64> = BTreeMap::new();
        for table in [Table::ScopeUnits, Table::EdgeUnits] {
            store::for_each(self.snapshot(), table, Range::all(), |row, said| {
                if let (Some((source, _)), false) = (row.split_first_chunk::<4>(), said.is_empty()) {
                    *entries.entry(SourceId(u32::from_be_bytes(*source))).or_default() += 1;
                }
                Ok::<(), EngineError>(())
            })?;
        }
        let mut incomplete: BTreeMap<SourceId, Vec<(String, String)>> = BTreeMap::new();
        store::for_each(self.snapshot(), Table::Scopes, Range::all(), |row, bytes| {
            let scope: ScopeRecord = record::decode(Table::Scopes, bytes)?;
            if let (Some((source, rest)), false) =
                (row.split_first_chunk::<4>(), scope.incomplete_reason.is_empty())
                && let Some((name, _)) = key::split_text(rest)
            {
                let of = incomplete.entry(SourceId(u32::from_be_bytes(*source))).or_default();
                of.push((name, scope.incomplete_reason));
            }
            Ok::<(), EngineError>(())
        })?;
        let states = self.moment.sources.0.iter().map(|source| SourceState {
            source: source.clone(),
            entries: entries.get(&source.id).copied().unwrap_or(0),
            last_seen: self.inner.presence.last_seen(source.id),
            incomplete: incomplete.remove(&source.id).unwrap_or_default(),
        });
        Ok(states.collect())
    }

    /// How much there is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn figures(&self) -> Result<Figures, EngineError> {
        let graph = self.graph();
        let mut by_class: BTreeMap<&str, u64> = BTreeMap::new();
        for index in graph.indexes() {
            if graph.status(index) != Status::Retired {
                *by_class.entry(graph.class(index)).or_default() += 1;
            }
        }
        let (mut waiting, mut claims) = (0, 0);
        store::for_each(self.snapshot(), Table::Matches, Range::all(), |_, bytes| {
            let found: MatchRecord = record::decode(Table::Matches, bytes)?;
            let counted = if found.parked.is_some() { &mut claims } else { &mut waiting };
            *counted += u64::from(found.held.is_none());
            Ok::<(), EngineError>(())
        })?;
        let (mut expired, mut evicted) = (0, 0);
        let (mut references_expired, mut references_evicted) = (0, 0);
        store::for_each(self.snapshot(), Table::Sources, Range::all(), |_, bytes| {
            let source: SourceRecord = record::decode(Table::Sources, bytes)?;
            expired += source.claims_expired;
            evicted += source.claims_evicted;
            references_expired += source.references_expired;
            references_evicted += source.references_evicted;
            Ok::<(), EngineError>(())
        })?;
        Ok(Figures {
            revision: self.revision(),
            recorded_at: self.recorded_at(),
            items: by_class.values().sum(),
            relationships: self.tally().relationships.try_into().unwrap_or(0),
            items_by_class: by_class.into_iter().map(|(class, items)| (class.to_owned(), items)).collect(),
            duplicate_items: self.tally().duplicate_items.try_into().unwrap_or(0),
            waiting_references: waiting,
            waiting_references_expired: references_expired,
            waiting_references_evicted: references_evicted,
            waiting_claims: claims,
            waiting_claims_expired: expired,
            waiting_claims_evicted: evicted,
        })
    }

    /// How far the graph is known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn coverage(&self) -> Result<Coverage, EngineError> {
        let tally = self.tally();
        let first = key::revision(Revision(1));
        let there = self.revision() >= Revision(1);
        let row = if there { self.snapshot().get(Table::Commits, &first)? } else { None };
        let compacted = retain::state(self.snapshot())?;
        let observed_since = match row {
            _ if there && compacted.horizon > 0 => Some(Timestamp(compacted.observed_since_us)),
            Some(row) => {
                Some(change::commit_header(Revision(1), record::decode(Table::Commits, &row)?)?.recorded_at)
            }
            None => None,
        };
        Ok(Coverage {
            observed_since,
            hosts_without_agent: tally.hosts_without_agent.try_into().unwrap_or(0),
            external_endpoints: tally.external_endpoints.try_into().unwrap_or(0),
            stale_relationships: self.stale_relationships()?,
        })
    }

    /// Writes a backup of this moment: what `restore` reads.
    ///
    /// # Errors
    /// When the store cannot be read, or `out` cannot be written.
    pub fn backup(&self, out: &mut dyn std::io::Write) -> Result<(), EngineError> {
        Ok(store::backup::write(self.snapshot(), self.revision(), out)?)
    }
}

fn item_of(bytes: Option<Vec<u8>>) -> Result<Item, StoreError> {
    let damaged =
        |detail: &str| StoreError::Damaged { table: Table::Changes.name(), detail: detail.to_owned() };
    let bytes = bytes.ok_or_else(|| damaged("an item points to a version that is not there"))?;
    let change: record::ChangeRecord = record::decode(Table::Changes, &bytes)?;
    record::item_from(change.item.ok_or_else(|| damaged("an item points to a change that holds no item"))?)
}

fn label(item: Item) -> Label {
    let key = item.key().map_or_else(String::new, |(_, key)| key.to_owned());
    Label { id: item.id, key, class: item.class, name: item.name, status: item.status }
}
