//! Reading the log: commits, and an item's way through them.

use super::Reader;
use crate::change::{self, Change, CommitHeader};
use crate::engine::request::{EngineError, History};
use crate::engine::retain;
use crate::model::{ItemId, Revision};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, HeadRecord, PlaceRecord};
use crate::store::{self, Range, SCAN_ROWS_MAX, Snapshot, StoreError, Table, key};

/// Relationships written to an item that its history shows of one commit; the others are counted.
pub const ARRIVALS_SHOWN_MAX: usize = 1_000;

/// Changes of relationships to an item, newest first.
struct Arrivals<'r> {
    read: &'r dyn Snapshot,
    range: Range,
    /// Read and not yet taken, newest last.
    page: Vec<Place>,
    whole: bool,
}

impl<'r> Arrivals<'r> {
    fn new(read: &'r dyn Snapshot, to: ItemId, before: Option<Revision>) -> Arrivals<'r> {
        let mut range = Range::prefix(key::item(to)).descending();
        if let Some(before) = before {
            range.to = Some(key::arrival(to, Place { revision: before, sequence: 0 }).to_vec());
        }
        Arrivals { read, range, page: Vec::new(), whole: false }
    }

    fn peek(&mut self) -> Result<Option<Place>, StoreError> {
        const PAGE: usize = 256;
        if self.page.is_empty() && !self.whole {
            let rows = self.read.scan(Table::Arrivals, &self.range, PAGE)?;
            self.whole = rows.len() < PAGE;
            if let Some((oldest, _)) = rows.last() {
                self.range.to = Some(oldest.clone());
            }
            self.page = rows
                .iter()
                .rev()
                .filter_map(|(row, _)| key::split_arrival(row))
                .map(|(_, place)| place)
                .collect();
        }
        Ok(self.page.last().copied())
    }

    fn take(&mut self) {
        self.page.pop();
    }
}

/// What a change is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Touched<'a> {
    Item { id: ItemId, class: &'a str },
    Relationship { from: ItemId, to: ItemId },
}

impl Reader {
    /// A commit with at most `changes_max` of its changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn commit(
        &self,
        revision: Revision,
        changes_max: usize,
    ) -> Result<Option<(CommitHeader, Vec<Change>)>, EngineError> {
        let horizon = self.oldest_kept()?;
        if revision <= horizon && revision > Revision(0) {
            let asked = format!("commit {revision}");
            return Err(retain::compacted(self.snapshot(), horizon, &asked)?.into());
        }
        let Some(header) = self.header(revision)? else { return Ok(None) };
        let range = Range::prefix(revision.0.to_be_bytes().to_vec());
        let rows = self.snapshot().scan(Table::Changes, &range, changes_max.min(SCAN_ROWS_MAX))?;
        let mut changes = Vec::with_capacity(rows.len());
        for (_, row) in rows {
            changes.push(self.change(record::decode(Table::Changes, &row)?)?);
        }
        Ok(Some((header, changes)))
    }

    /// Those changes of a commit that are wanted, at most `changes_max` of them, and how many they are in all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changes_where(
        &self,
        revision: Revision,
        wanted: &mut dyn FnMut(Touched<'_>) -> bool,
        changes_max: usize,
    ) -> Result<(Vec<Change>, u64), EngineError> {
        let (mut changes, mut total) = (Vec::new(), 0);
        let range = Range::prefix(revision.0.to_be_bytes().to_vec());
        store::for_each(self.snapshot(), Table::Changes, range, |_, row| {
            let row: ChangeRecord = record::decode(Table::Changes, row)?;
            let edge = row.relationship_after.as_ref().or(row.relationship_before.as_ref());
            let touched = match (&row.item, edge) {
                (Some(item), _) => Touched::Item { id: ItemId(item.id), class: &item.class },
                (None, Some(edge)) => Touched::Relationship { from: ItemId(edge.from), to: ItemId(edge.to) },
                (None, None) => return Ok(()),
            };
            if wanted(touched) {
                total += 1;
                if changes.len() < changes_max {
                    changes.push(self.change(row)?);
                }
            }
            Ok::<(), EngineError>(())
        })?;
        Ok((changes, total))
    }

    /// The heads of at most `limit` commits after a revision, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn commits_after(&self, revision: Revision, limit: usize) -> Result<Vec<CommitHeader>, EngineError> {
        // What is left of the commits below the horizon is not all of them.
        let from = revision.max(self.oldest_kept()?).next();
        let range = Range { from: key::revision(from), ..Range::all() };
        let mut headers = Vec::new();
        for (row, bytes) in self.snapshot().scan(Table::Commits, &range, limit)? {
            let number =
                row.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged {
                    table: Table::Commits.name(),
                    detail: "a commit without a number".to_owned(),
                })?;
            headers.push(change::commit_header(Revision(number), record::decode(Table::Commits, &bytes)?)?);
        }
        Ok(headers)
    }

    /// An item's history, newest first: at most `limit` commits before a revision. Its versions, the relationships
    /// written from it, and those written to it; of the latter at most [`ARRIVALS_SHOWN_MAX`] of one commit. The
    /// head of each commit counts all of its changes on this item, shown or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history(
        &self,
        id: ItemId,
        before: Option<Revision>,
        limit: usize,
    ) -> Result<History, EngineError> {
        let mut history = History::default();
        let before = self.bounded(before);
        // Below the horizon only what kept moments need is left, which is no history.
        let horizon = self.oldest_kept()?;
        let mut own = self.chain(id, before)?;
        let mut arrivals = Arrivals::new(self.snapshot(), id, before);
        let mut shown = 0;
        loop {
            let arrived = arrivals.peek()?;
            let place = match (own.as_ref().map(|(place, _)| *place), arrived) {
                (None, None) => break,
                (one, other) => one.max(other).expect("one of them is there"),
            };
            if place.revision <= horizon {
                break;
            }
            let same = history.commits.last().is_some_and(|(header, _)| header.revision == place.revision);
            if !same {
                if history.commits.len() == limit {
                    history.next_before = history.commits.last().map(|(header, _)| header.revision);
                    break;
                }
                let header = CommitHeader { changes: 0, ..self.required_header(place)? };
                history.commits.push((header, Vec::new()));
                shown = 0;
            }
            let (header, changes) = history.commits.last_mut().expect("pushed above");
            header.changes += 1;
            let row = if arrived == Some(place) {
                arrivals.take();
                shown += 1;
                if shown > ARRIVALS_SHOWN_MAX {
                    continue;
                }
                change::read_change(self.snapshot(), place)?
            } else {
                let (_, row) = own.take().expect("it is the newer one");
                own = self.back_from(row.previous, None)?;
                row
            };
            changes.push(self.change(row)?);
        }
        // Newest first between commits, in order within one.
        history.commits.iter_mut().for_each(|(_, changes)| changes.reverse());
        Ok(history)
    }

    /// The revision that last changed an item, or a relationship written from it, at the moment that is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_change(&self, id: ItemId) -> Result<Option<Revision>, EngineError> {
        Ok(self.chain(id, self.bounded(None))?.map(|(place, _)| place.revision))
    }

    /// The revision before which the log is read at the moment that is read.
    fn bounded(&self, before: Option<Revision>) -> Option<Revision> {
        match &self.past {
            Some(past) => {
                Some(before.map_or(past.revision.next(), |before| before.min(past.revision.next())))
            }
            None => before,
        }
    }

    /// The newest change of an item's own chain before a revision.
    fn chain(
        &self,
        id: ItemId,
        before: Option<Revision>,
    ) -> Result<Option<(Place, ChangeRecord)>, EngineError> {
        let Some(head) = self.snapshot().get(Table::Items, &key::item(id))? else { return Ok(None) };
        let head: HeadRecord = record::decode(Table::Items, &head)?;
        self.back_from(head.last, before)
    }

    fn back_from(
        &self,
        from: Option<PlaceRecord>,
        before: Option<Revision>,
    ) -> Result<Option<(Place, ChangeRecord)>, EngineError> {
        let mut next = change::linked(self.snapshot(), from)?;
        while let Some((place, row)) = next {
            if before.is_none_or(|before| place.revision < before) {
                return Ok(Some((place, row)));
            }
            next = change::linked(self.snapshot(), row.previous)?;
        }
        Ok(None)
    }

    pub(super) fn header(&self, revision: Revision) -> Result<Option<CommitHeader>, EngineError> {
        let Some(row) = self.snapshot().get(Table::Commits, &key::revision(revision))? else {
            return Ok(None);
        };
        Ok(Some(change::commit_header(revision, record::decode(Table::Commits, &row)?)?))
    }

    fn required_header(&self, place: Place) -> Result<CommitHeader, EngineError> {
        let found = self.header(place.revision)?;
        Ok(found.ok_or_else(|| StoreError::Damaged {
            table: Table::Commits.name(),
            detail: format!("a change stands in commit {}, which is not there", place.revision),
        })?)
    }

    fn change(&self, row: ChangeRecord) -> Result<Change, EngineError> {
        if let Some(item) = row.item {
            let before = match row.previous_version {
                Some(place) => change::read_change(self.snapshot(), change::place_of(place))?.item,
                None => None,
            };
            return Ok(Change::Item {
                before: before.map(record::item_from).transpose()?.map(Box::new),
                after: Box::new(record::item_from(item)?),
            });
        }
        Ok(Change::Relationship {
            before: row.relationship_before.map(record::relationship_from).transpose()?.map(Box::new),
            after: row.relationship_after.map(record::relationship_from).transpose()?.map(Box::new),
        })
    }
}
