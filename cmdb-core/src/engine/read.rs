//! Reading: one consistent moment, and the questions that need no algorithm.

mod export;
mod list;
mod log;
mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inner::{Inner, Moment};
use super::request::{EngineError, Figures, Label, SourceState};
use crate::change::{self};
use crate::model::item::Status;
use crate::model::schema::Schema;
use crate::model::source::Source;
use crate::model::{Item, ItemId, Relationship, Revision, SourceId, Timestamp};
use crate::store::record::{self, EndRecord, HeadRecord, MatchRecord, ScopeRecord};
use crate::store::{self, Range, Snapshot, StoreError, Table, key};

/// The deepest that neighbours are followed.
pub const NEIGHBOURS_DEPTH_MAX: u32 = 10;

/// One consistent moment of the store.
pub struct Reader {
    snapshot: Box<dyn Snapshot>,
    moment: Arc<Moment>,
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

/// Which way relationships are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Direction {
    Outgoing,
    Incoming,
    Both,
}

/// What stands around an item.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Neighbours {
    /// The items, nearest first, the item itself included.
    pub items: Vec<ItemId>,
    /// The relationships among them that were followed.
    pub relationships: Vec<Relationship>,
    /// There are more.
    pub truncated: bool,
}

impl Reader {
    pub(super) fn new(snapshot: Box<dyn Snapshot>, inner: Arc<Inner>) -> Reader {
        Reader { snapshot, moment: inner.moment.load_full(), inner }
    }

    /// The revision that is shown.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.snapshot.head()
    }

    /// When that revision was recorded.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.moment.recorded_at
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
        for head in self.snapshot.get_many(Table::Items, &keys)? {
            let version = match head {
                Some(head) => record::decode::<HeadRecord>(Table::Items, &head)?.version,
                None => None,
            };
            places.push(version.map(change::place_of));
        }
        let wanted: Vec<_> = places.iter().flatten().map(|place| place.key()).collect();
        let mut found = self.snapshot.get_many(Table::Changes, &wanted)?.into_iter();
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
        let (mut found, _) = change::all_edges::<Relationship>(&*self.snapshot, id, usize::MAX)?;
        let (ends, _) = change::all_edges::<EndRecord>(&*self.snapshot, id, usize::MAX)?;
        let all = found.len() + ends.len();
        found.truncate(max);
        for end in ends.into_iter().take(max - found.len()) {
            found.extend(change::find_edge(&*self.snapshot, ItemId(end.from), &end.kind, id)?);
        }
        let left_out = all.saturating_sub(max);
        Ok((found, left_out))
    }

    /// What stands around an item, over relationships of some types (none named: all).
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn neighbours(
        &self,
        id: ItemId,
        depth: u32,
        direction: Direction,
        types: &[String],
        limit: usize,
    ) -> Result<Neighbours, EngineError> {
        let mut found = Neighbours { items: vec![id], ..Neighbours::default() };
        let mut seen = std::collections::BTreeSet::from([id]);
        let mut edges = std::collections::BTreeSet::new();
        let mut ring = vec![id];
        for _ in 0..depth.min(NEIGHBOURS_DEPTH_MAX) {
            let mut next = Vec::new();
            for item in ring {
                for relationship in self.around(item, direction)? {
                    let wanted = types.is_empty() || types.contains(&relationship.kind);
                    let name = (relationship.from, relationship.kind.clone(), relationship.to);
                    if !wanted || relationship.denied || !edges.insert(name) {
                        continue;
                    }
                    if found.relationships.len() == limit {
                        found.truncated = true;
                        return Ok(found);
                    }
                    let other = if relationship.from == item { relationship.to } else { relationship.from };
                    if seen.insert(other) {
                        found.items.push(other);
                        next.push(other);
                    }
                    found.relationships.push(relationship);
                }
            }
            ring = next;
        }
        Ok(found)
    }

    fn around(&self, item: ItemId, direction: Direction) -> Result<Vec<Relationship>, EngineError> {
        let mut found = Vec::new();
        if direction != Direction::Incoming {
            found = change::all_edges::<Relationship>(&*self.snapshot, item, usize::MAX)?.0;
        }
        if direction != Direction::Outgoing {
            for end in change::all_edges::<EndRecord>(&*self.snapshot, item, usize::MAX)?.0 {
                found.extend(change::find_edge(&*self.snapshot, ItemId(end.from), &end.kind, item)?);
            }
        }
        Ok(found)
    }

    /// When anything that claims the item was last seen.
    #[must_use]
    pub fn last_seen(&self, item: &Item) -> Timestamp {
        let seen = item.claims.iter().map(|claim| match claim.withdrawn_at {
            Some(_) => claim.observed_at,
            None => self
                .inner
                .presence
                .last_seen(claim.source)
                .unwrap_or(claim.observed_at)
                .max(claim.observed_at),
        });
        seen.max().unwrap_or(item.first_seen)
    }

    /// When a source was last seen.
    #[must_use]
    pub fn source_last_seen(&self, source: SourceId) -> Option<Timestamp> {
        self.inner.presence.last_seen(source)
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
        store::for_each(&*self.snapshot, Table::ScopeUnits, Range::all(), |row, digest| {
            if let (Some((source, _)), false) = (row.split_first_chunk::<4>(), digest.is_empty()) {
                *entries.entry(SourceId(u32::from_be_bytes(*source))).or_default() += 1;
            }
            Ok::<(), EngineError>(())
        })?;
        let mut incomplete: BTreeMap<SourceId, Vec<(String, String)>> = BTreeMap::new();
        store::for_each(&*self.snapshot, Table::Scopes, Range::all(), |row, bytes| {
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
        let graph = &self.moment.graph;
        let mut by_class: BTreeMap<&str, u64> = BTreeMap::new();
        for index in graph.indexes() {
            if graph.status(index) != Status::Retired {
                *by_class.entry(graph.class(index)).or_default() += 1;
            }
        }
        let mut waiting = 0;
        store::for_each(&*self.snapshot, Table::Matches, Range::all(), |_, bytes| {
            let found: MatchRecord = record::decode(Table::Matches, bytes)?;
            waiting += u64::from(found.held.is_none());
            Ok::<(), EngineError>(())
        })?;
        Ok(Figures {
            revision: self.revision(),
            recorded_at: self.recorded_at(),
            items: by_class.values().sum(),
            relationships: self.moment.tally.relationships.try_into().unwrap_or(0),
            items_by_class: by_class.into_iter().map(|(class, items)| (class.to_owned(), items)).collect(),
            duplicate_items: self.moment.tally.duplicate_items.try_into().unwrap_or(0),
            waiting_references: waiting,
        })
    }

    /// How far the graph is known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn coverage(&self) -> Result<Coverage, EngineError> {
        let tally = self.moment.tally;
        let observed_since = match self.snapshot.get(Table::Commits, &key::revision(Revision(1)))? {
            Some(row) => {
                Some(change::commit_header(Revision(1), record::decode(Table::Commits, &row)?)?.recorded_at)
            }
            None => None,
        };
        Ok(Coverage {
            observed_since,
            hosts_without_agent: tally.hosts_without_agent.try_into().unwrap_or(0),
            external_endpoints: tally.external_endpoints.try_into().unwrap_or(0),
            stale_relationships: tally.stale_relationships.try_into().unwrap_or(0),
        })
    }

    /// Writes a backup of this moment: what `restore` reads.
    ///
    /// # Errors
    /// When the store cannot be read, or `out` cannot be written.
    pub fn backup(&self, out: &mut dyn std::io::Write) -> Result<(), EngineError> {
        Ok(store::backup::write(&*self.snapshot, self.revision(), out)?)
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
