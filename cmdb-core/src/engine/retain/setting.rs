//! For how long every change is kept: a setting of the store. Commits make it, like everything else that people decide:
//! each says who, when and why, and its hash covers the days. Whoever compacts the history reads it.

use crate::change::{self, Draft};
use crate::engine::request::{Actor, EngineError, KeepHistory};
use crate::model::{Problem, Reason, Revision};
use crate::store::record::{self, CommitRecord, HistoryKeptRecord};
use crate::store::{Read, StoreError, Table, key};

/// The longest time, in days, that is not for good.
pub const HISTORY_DAYS_MAX: u64 = 36_500;

/// What was said last; as good as nothing where nobody said anything.
pub(in crate::engine) fn setting(read: &dyn Read) -> Result<HistoryKeptRecord, StoreError> {
    match read.get(Table::Retention, key::RETENTION_SETTING)? {
        Some(bytes) => record::decode(Table::Retention, &bytes),
        None => Ok(HistoryKeptRecord::default()),
    }
}

/// Says for how long from then on; the days before, and the actor of the commit. What is so already makes none.
pub(in crate::engine) fn keep_for(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    ask: &KeepHistory,
) -> Result<(u64, Actor), EngineError> {
    if ask.days > HISTORY_DAYS_MAX {
        let message = "the history cannot be kept for that long and then be compacted";
        return Err(Problem::new(Reason::LimitExceeded, message, "history")
            .expected(format!("1 to {HISTORY_DAYS_MAX} days, or for good"), format!("{} days", ask.days))
            .into());
    }
    let before = setting(read)?.days;
    if before == ask.days {
        return Ok((before, Actor::default()));
    }
    let said = format!("every change is kept {}, before {}", in_words(ask.days), in_words(before));
    let reason = match ask.actor.reason.trim() {
        "" => said,
        reason => format!("{reason}; {said}"),
    };
    let what = HistoryKeptRecord {
        days: ask.days,
        revision: draft.revision().0,
        set_at_us: draft.now().0,
        set_by: ask.actor.name.clone(),
        reason: ask.actor.reason.clone(),
    };
    draft.put_record(Table::Retention, key::RETENTION_SETTING.to_vec(), &what);
    draft.keep_history(ask.days);
    Ok((before, Actor { name: ask.actor.name.clone(), reason }))
}

/// Takes the reason out of what was said last, where it was said in that commit.
pub(in crate::engine) fn erase_reason(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    revision: Revision,
) -> Result<(), StoreError> {
    let said = setting(read)?;
    if said.revision == revision.0 {
        let what = HistoryKeptRecord { reason: change::purged_in(draft.revision()), ..said };
        draft.put_record(Table::Retention, key::RETENTION_SETTING.to_vec(), &what);
    }
    Ok(())
}

/// Whether a commit says for how long, and nothing of what is left of a compacted history.
pub(in crate::engine) fn says_how_long(read: &dyn Read, revision: Revision) -> Result<bool, StoreError> {
    let row = read.get(Table::Commits, &key::revision(revision))?;
    let row = row.map(|row| record::decode::<CommitRecord>(Table::Commits, &row)).transpose()?;
    Ok(row.is_some_and(|row| row.history_days.is_some() && row.anchor.is_empty()))
}

fn in_words(days: u64) -> String {
    match days {
        0 => "for good".to_owned(),
        1 => "for 1 day".to_owned(),
        days => format!("for {days} days"),
    }
}
