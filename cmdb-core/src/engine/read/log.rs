//! Reading the log: commits, and an item's way through them.

use super::Reader;
use crate::change::{self, Change, CommitHeader};
use crate::engine::request::{EngineError, History};
use crate::model::{ItemId, Revision};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, HeadRecord};
use crate::store::{self, Range, SCAN_ROWS_MAX, StoreError, Table, key};

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
        let range = Range { from: key::revision(revision.next()), ..Range::all() };
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

    /// An item's history, newest first: at most `limit` commits before a revision.
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
        let before = match &self.past {
            Some(past) => {
                Some(before.map_or(past.revision.next(), |before| before.min(past.revision.next())))
            }
            None => before,
        };
        let Some(head) = self.snapshot().get(Table::Items, &key::item(id))? else { return Ok(history) };
        let head: HeadRecord = record::decode(Table::Items, &head)?;
        let mut next = head.last.map(change::place_of);
        while let Some(place) = next {
            let row = change::read_change(self.snapshot(), place)?;
            next = row.previous.map(change::place_of);
            if before.is_some_and(|before| place.revision >= before) {
                continue;
            }
            let same = history.commits.last().is_some_and(|(header, _)| header.revision == place.revision);
            if !same {
                if history.commits.len() == limit {
                    history.next_before = history.commits.last().map(|(header, _)| header.revision);
                    return Ok(history);
                }
                history.commits.push((self.required_header(place)?, Vec::new()));
            }
            let (_, changes) = history.commits.last_mut().expect("pushed above");
            // Newest first between commits, in order within one.
            changes.insert(0, self.change(row)?);
        }
        Ok(history)
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
