//! When what was last spoken of, so that reports mean the same in whatever order they arrive.
//!
//! A section speaks for its scope at the moment at which it was observed. What a unit says is as old as the last
//! section that named it: that is what is compared with a section that arrives late. An equal section writes no unit,
//! so the moment is put together from three places:
//!
//! ```text
//! the unit's row   when its content was first observed
//! the scope's row  when a complete section was last observed: whatever stands was named by it
//! Heard            when a section that does not follow from that last named it: an incomplete one, or a late one
//! ```
//!
//! Invariant: none of it is written for an equal report. That it was heard again is remembered in memory, and written
//! with the next report that differs.

use crate::change::Draft;
use crate::claim::UnitKind;
use crate::engine::ingest::WITHDRAWN;
use crate::engine::request::Section;
use crate::model::{SourceId, Timestamp};
use crate::store::record::{self, ScopeRecord, UnitRecord};
use crate::store::{StoreError, Table, key};

use super::SCOPE_ENTRIES_MAX;

/// What is kept of a scope.
pub(super) struct Scope {
    pub(super) row: ScopeRecord,
}

/// How a section stands to the latest one of its scope.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It says the same.
    Equal,
    Later,
    Earlier,
}

impl Scope {
    pub(super) fn of(draft: &Draft<'_>, source: SourceId, scope: &str) -> Result<Scope, StoreError> {
        let row = match draft.row(Table::Scopes, &key::scope(source, scope))? {
            Some(bytes) => record::decode(Table::Scopes, &bytes)?,
            None => ScopeRecord::default(),
        };
        Ok(Scope { row })
    }

    /// When its latest section was observed.
    fn heard_at(&self) -> Option<Timestamp> {
        // Older programs wrote only when it changed.
        self.row
            .heard_us
            .or_else(|| (!self.row.digest.is_empty()).then_some(self.row.changed_at_us))
            .map(Timestamp)
    }

    /// When a complete section was last observed.
    pub(super) fn complete_at(&self) -> Option<Timestamp> {
        let older = self.row.heard_us.is_none() && self.row.incomplete_reason.is_empty();
        self.row.complete_us.map(Timestamp).or_else(|| self.heard_at().filter(|_| older))
    }

    /// Two that were observed at one moment are told apart by what they say, whichever arrived first.
    pub(super) fn order(&self, section: &Section, at: Timestamp) -> Order {
        let reason = section.complete.as_ref().err().map_or("", String::as_str);
        let equal = self.row.digest == section.digest && self.row.incomplete_reason == reason;
        if equal && !section.digest.is_empty() {
            return Order::Equal;
        }
        let Some(heard) = self.heard_at() else { return Order::Later };
        let known = (heard, self.row.incomplete_reason.is_empty(), &self.row.digest);
        if (at, section.complete.is_ok(), &section.digest) >= known { Order::Later } else { Order::Earlier }
    }

    /// The same section was observed at another moment; the row, when that is news.
    pub(super) fn confirmed(mut self, at: Timestamp) -> Option<ScopeRecord> {
        if self.heard_at().is_some_and(|heard| heard >= at) {
            return None;
        }
        self.row.complete_us = self.complete_at().map(|at| at.0);
        if self.row.incomplete_reason.is_empty() {
            self.row.complete_us = Some(at.0);
        }
        self.row.heard_us = Some(at.0);
        Some(self.row)
    }

    /// The row after a section that is later than all before.
    pub(super) fn replaced(&self, section: &Section, at: Timestamp) -> ScopeRecord {
        let complete = section.complete.is_ok();
        ScopeRecord {
            digest: section.digest.clone(),
            incomplete_reason: section.complete.as_ref().err().cloned().unwrap_or_default(),
            changed_at_us: at.0,
            heard_us: Some(at.0),
            complete_us: if complete { Some(at.0) } else { self.complete_at().map(|at| at.0) },
            named_us: (!complete).then_some(at.0),
        }
    }
}

/// When a unit was last named; of one that is withdrawn: before it was.
pub(super) fn last_named(
    draft: &Draft<'_>,
    source: SourceId,
    unit: &str,
    kept: &UnitRecord,
) -> Result<Option<Timestamp>, StoreError> {
    let said = kept.heard_us.map(Timestamp);
    if kept.digest == WITHDRAWN {
        return Ok(said);
    }
    let scope = Scope::of(draft, source, &kept.scope)?;
    let mut last = said.max(scope.complete_at());
    let row = key::scope_unit(source, &kept.scope, UnitKind::Item, unit);
    if let Some(at) = draft.row(Table::Heard, &row)?.and_then(|at| moment(&at)) {
        // The section that named it may have been heard again since.
        let of_latest = scope.row.named_us == Some(at.0);
        last = last.max(if of_latest { scope.heard_at() } else { Some(at) });
    }
    Ok(last)
}

/// A section that came late says of a unit what is known of it: it was named then, too.
pub(super) fn named_again(
    draft: &mut Draft<'_>,
    source: SourceId,
    scope: &str,
    unit: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(kept) = draft.unit(source, UnitKind::Item, unit)? else { return Ok(()) };
    if last_named(draft, source, unit, &kept)?.is_none_or(|last| last < at) {
        let row = key::scope_unit(source, scope, UnitKind::Item, unit);
        draft.put_row(Table::Heard, row, at.0.to_be_bytes().to_vec());
    }
    Ok(())
}

/// When a source last said something else of a unit that it names now; never: the beginning of time.
pub(super) fn otherwise_at(
    draft: &Draft<'_>,
    source: SourceId,
    scope: &Scope,
    unit: &str,
) -> Result<Timestamp, StoreError> {
    let last = match draft.unit(source, UnitKind::Item, unit)? {
        None => scope.complete_at(),
        Some(kept) if kept.digest == WITHDRAWN => Scope::of(draft, source, &kept.scope)?.complete_at(),
        Some(kept) => last_named(draft, source, unit, &kept)?,
    };
    Ok(last.unwrap_or_default())
}

/// Keeps what the latest section of a scope named, where that does not follow from its being complete.
pub(super) fn keep_named(
    draft: &mut Draft<'_>,
    source: SourceId,
    section: &Section,
    before: &Scope,
    at: Timestamp,
) -> Result<(), StoreError> {
    let prefix = key::scope(source, &section.scope);
    if before.row.named_us.is_some() || section.complete.is_err() {
        for (row, value) in draft.rows(Table::Heard, &prefix, SCOPE_ENTRIES_MAX)? {
            if section.complete.is_ok() {
                draft.delete_row(Table::Heard, row);
            } else if before.row.named_us.is_some() && moment(&value).map(|at| at.0) == before.row.named_us {
                let heard = before.heard_at().unwrap_or_default();
                draft.put_row(Table::Heard, row, heard.0.to_be_bytes().to_vec());
            }
        }
    }
    if section.complete.is_err() {
        for entry in &section.entries {
            let row = key::scope_unit(source, &section.scope, UnitKind::Item, &entry.key);
            draft.put_row(Table::Heard, row, at.0.to_be_bytes().to_vec());
        }
    }
    Ok(())
}

fn moment(bytes: &[u8]) -> Option<Timestamp> {
    Some(Timestamp(i64::from_be_bytes(bytes.try_into().ok()?)))
}

/// Writes down that the latest report of a source was heard again, which was only remembered until now.
pub(super) fn confirm(
    draft: &mut Draft<'_>,
    source: SourceId,
    confirmed: Option<Timestamp>,
) -> Result<(), StoreError> {
    /// The most scopes of one source.
    const SCOPES_MAX: usize = 10_000;
    let Some(mut kept) = draft.source_record(source)? else { return Ok(()) };
    let (Some(reported), Some(confirmed)) = (kept.reported_us, confirmed) else { return Ok(()) };
    if confirmed.0 <= reported {
        return Ok(());
    }
    for (row, bytes) in draft.rows(Table::Scopes, &source.0.to_be_bytes(), SCOPES_MAX)? {
        let scope = Scope { row: record::decode(Table::Scopes, &bytes)? };
        // A scope that the latest report did not speak of was not confirmed with it.
        if scope.row.heard_us == Some(reported)
            && let Some(after) = scope.confirmed(confirmed)
        {
            draft.put_record(Table::Scopes, row, &after);
        }
    }
    kept.reported_us = Some(confirmed.0);
    draft.put_record(Table::Sources, key::source(source), &kept);
    Ok(())
}
