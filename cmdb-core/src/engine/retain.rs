//! How far back the past can be asked: the history is compacted up to a *horizon*, but for *baselines*.
//!
//! ```text
//!   1 ── … ── B ── … ── B ── … ── H ── H+1 ── … ── head
//!   └ dropped ┘└ dropped ┘└ dropped ┘└ every change is kept ┘
//! ```
//!
//! The moments that are *kept* are the horizon, every named baseline, and the base of every stored scenario. Of each
//! fact, the log keeps below the horizon its last change up to each kept moment, and the first change after it: the
//! first says how it stood, the second is what undoing the log looks for. So a kept moment answers as it did. A merge
//! that stands keeps what is needed to split it.
//!
//! Compaction runs in steps, each a transaction of bounded size without a revision; questions below the horizon are
//! refused from the first step on. At the end comes a commit that says what was dropped, and covers the digest of
//! everything that is left below: from there on `verify` proves that as well. A run that was cut off is taken up again.
//!
//! Invariant: from the horizon on nothing is dropped, and the chain of hashes begins at the horizon's recorded hash.

mod anchor;
mod setting;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

pub(super) use anchor::{anchor_digest, kept_digest, seal};
pub use setting::HISTORY_DAYS_MAX;
pub(super) use setting::{erase_reason, keep_for, says_how_long, setting};
pub(super) use sweep::{Swept, sweep};

use super::request::{
    Actor, Baseline, Compacted, EngineError, HistoryKept, KeepHistory, KeepHistoryOutcome, Retained, ToDrop,
};
use super::writer::{Reply, Work};
use super::{Cmdb, view};
use crate::change::{self, Draft};
use crate::model::{ItemId, Problem, Reason, Revision, Timestamp};
use crate::store::record::{self, BaselineRecord, HeadRecord, RetentionRecord, ScenarioRecord};
use crate::store::{self, Range, Read, Snapshot, StoreError, Table, key};

/// The most baselines that are kept.
pub const BASELINES_MAX: usize = 1_000;
/// The longest name of a baseline, in bytes.
pub const BASELINE_NAME_BYTES_MAX: usize = 64;
/// The most baselines that a refusal names.
const NAMED_MAX: usize = 10;

/// How far the history is compacted; as good as nothing where it never was.
pub(super) fn state(read: &dyn Read) -> Result<RetentionRecord, StoreError> {
    match read.get(Table::Retention, key::RETENTION_STATE)? {
        Some(bytes) => record::decode(Table::Retention, &bytes),
        None => Ok(RetentionRecord::default()),
    }
}

pub(super) fn put_state(draft: &mut Draft<'_>, state: &RetentionRecord) {
    draft.put_record(Table::Retention, key::RETENTION_STATE.to_vec(), state);
}

/// The oldest revision from which everything is kept.
pub(super) fn horizon(read: &dyn Read) -> Result<Revision, StoreError> {
    Ok(Revision(state(read)?.horizon))
}

/// The kept moments: baselines and bases of scenarios.
pub(super) fn kept(read: &dyn Read) -> Result<BTreeSet<Revision>, StoreError> {
    let mut kept = BTreeSet::new();
    store::for_each(read, Table::Baselines, Range::all(), |_, bytes| {
        kept.insert(Revision(record::decode::<BaselineRecord>(Table::Baselines, bytes)?.revision));
        Ok::<(), StoreError>(())
    })?;
    store::for_each(read, Table::Scenarios, Range::all(), |_, bytes| {
        kept.insert(Revision(record::decode::<ScenarioRecord>(Table::Scenarios, bytes)?.base));
        Ok::<(), StoreError>(())
    })?;
    Ok(kept)
}

/// All baselines, in the order of their names.
pub(super) fn baselines(read: &dyn Read) -> Result<Vec<Baseline>, StoreError> {
    let mut baselines = Vec::new();
    store::for_each(read, Table::Baselines, Range::all(), |row, bytes| {
        let said: BaselineRecord = record::decode(Table::Baselines, bytes)?;
        baselines.push(Baseline {
            name: String::from_utf8_lossy(row).into_owned(),
            revision: Revision(said.revision),
            recorded_at: Timestamp(said.recorded_at_us),
            created_at: Timestamp(said.created_at_us),
            created_by: said.created_by,
            reason: said.reason,
        });
        Ok::<(), StoreError>(())
    })?;
    Ok(baselines)
}

/// What the baselines are called.
pub(super) fn names(read: &dyn Read) -> Result<BTreeMap<String, Revision>, StoreError> {
    Ok(baselines(read)?.into_iter().map(|baseline| (baseline.name, baseline.revision)).collect())
}

/// Refuses a moment that is neither kept nor from the horizon on.
pub(super) fn check_kept(read: &dyn Read, revision: Revision) -> Result<(), EngineError> {
    let horizon = horizon(read)?;
    if revision >= horizon || kept(read)?.contains(&revision) {
        return Ok(());
    }
    Err(compacted(read, horizon, &format!("revision {revision}"))?.into())
}

/// Why a moment is not to be had, and what is.
pub(super) fn compacted(read: &dyn Read, horizon: Revision, asked: &str) -> Result<Problem, EngineError> {
    let baselines = baselines(read)?;
    let named: Vec<String> = baselines
        .iter()
        .take(NAMED_MAX)
        .map(|baseline| format!("{} (revision {})", baseline.name, baseline.revision))
        .collect();
    let more = baselines.len().saturating_sub(named.len());
    let hint = match (named.is_empty(), more) {
        (true, _) => "no baseline was made: `cmdb baseline create NAME` keeps a moment for good".to_owned(),
        (false, 0) => format!("the baselines are kept as well: {}", named.join(", ")),
        (false, more) => format!("baselines are kept as well: {} and {more} more", named.join(", ")),
    };
    let recorded = view::recorded_at(read, horizon)?;
    let message =
        format!("the history before revision {horizon} was compacted: {asked} cannot be asked any more");
    Ok(Problem::new(Reason::HistoryCompacted, message, asked)
        .expected(format!("revision {horizon}, of {recorded}, or later"), asked)
        .hint(hint))
}

/// A change of the list of baselines.
#[derive(Debug)]
pub(super) enum KeepBaseline {
    Create { name: String, revision: Revision, actor: Actor },
    Delete(String),
}

/// Makes or forgets a baseline.
pub(super) fn keep_baseline(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    what: &KeepBaseline,
) -> Result<(), EngineError> {
    match what {
        KeepBaseline::Create { name, revision, actor } => {
            check_name(name)?;
            let there = draft.rows(Table::Baselines, &[], BASELINES_MAX + 1)?;
            if there.iter().any(|(row, _)| row == name.as_bytes()) {
                let message = format!("there is a baseline \"{name}\" already");
                return Err(Problem::new(Reason::NotEmpty, message, name.as_str())
                    .hint("choose another name, or delete that one first")
                    .into());
            }
            if there.len() >= BASELINES_MAX {
                return Err(Problem::new(
                    Reason::LimitExceeded,
                    "there are as many baselines as may be kept",
                    name.as_str(),
                )
                .expected(format!("at most {BASELINES_MAX}"), there.len().to_string())
                .hint("delete one that is not needed any more")
                .into());
            }
            check_kept(read, *revision)?;
            let what = BaselineRecord {
                revision: revision.0,
                recorded_at_us: view::recorded_at(read, *revision)?.0,
                created_at_us: draft.now().0,
                created_by: actor.name.clone(),
                reason: actor.reason.clone(),
            };
            draft.put_record(Table::Baselines, name.clone().into_bytes(), &what);
        }
        KeepBaseline::Delete(name) => {
            if draft.row(Table::Baselines, name.as_bytes())?.is_none() {
                return Err(unknown(name).into());
            }
            draft.delete_row(Table::Baselines, name.clone().into_bytes());
            look_again(draft)?;
        }
    }
    Ok(())
}

/// A moment is kept no more: the next run drops what only it kept.
pub(super) fn look_again(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    if let Some(bytes) = draft.row(Table::Retention, key::RETENTION_STATE)? {
        let state: RetentionRecord = record::decode(Table::Retention, &bytes)?;
        put_state(draft, &RetentionRecord { from_the_start: true, ..state });
    }
    Ok(())
}

fn unknown(name: &str) -> Problem {
    Problem::new(Reason::MomentInvalid, format!("there is no baseline \"{name}\""), name)
        .hint("`cmdb baseline list` lists them")
}

fn check_name(name: &str) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    // What could be a revision, a day or a moment is none.
    let moment = ["now", "yesterday"].contains(&name.to_ascii_lowercase().as_str())
        || name.strip_prefix(['r', 'R']).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
    if begins && !moment && name.len() <= BASELINE_NAME_BYTES_MAX && name.chars().all(good) {
        return Ok(());
    }
    let given: String = name.chars().take(BASELINE_NAME_BYTES_MAX).flat_map(char::escape_debug).collect();
    Err(Problem::new(Reason::KeyInvalid, "this cannot be the name of a baseline", given.clone()).expected(
        "1 to 64 letters, digits, dots, underscores and hyphens, with a letter first, and nothing that is a moment",
        given,
    ))
}

/// The revisions of the merges that stand: what they changed is kept, so that they can be undone.
fn merges(read: &dyn Snapshot) -> Result<BTreeSet<Revision>, StoreError> {
    let mut revisions = BTreeSet::new();
    let marks = key::merged_at_all();
    store::for_each(read, Table::Attributes, Range::prefix(marks), |row, _| {
        let Some(id) = key::item_at_end(row) else { return Ok(()) };
        let Some(head) = read.get(Table::Items, &key::item(id))? else { return Ok(()) };
        let head: HeadRecord = record::decode(Table::Items, &head)?;
        let mut next = change::linked(read, head.last)?;
        let mut merged = None;
        while let Some((place, change)) = next {
            match change.item {
                Some(version) if version.merged_into.is_none() => break,
                Some(_) => merged = Some(place.revision),
                None => {}
            }
            next = change::linked(read, change.previous)?;
        }
        revisions.extend(merged);
        Ok::<(), StoreError>(())
    })?;
    Ok(revisions)
}

/// One step of a run.
pub(super) struct Step {
    /// The revision up to which the history is compacted.
    pub(super) horizon: Revision,
    /// The merges that stand.
    pub(super) merges: BTreeSet<Revision>,
    /// Items that this run has dealt with.
    pub(super) done: BTreeSet<ItemId>,
}

/// What a run ends with.
pub(super) struct Seal {
    pub(super) horizon: Revision,
    pub(super) digest: [u8; 32],
    /// The revision that the digest was computed at.
    pub(super) at: Revision,
    pub(super) actor: Actor,
}

impl Cmdb {
    /// Compacts the history before a revision, step by step; blocks until it is done. The revision is the oldest that
    /// can be asked from then on, but for baselines.
    ///
    /// # Errors
    /// When the revision is not there, or the store cannot be read or written. What was begun is taken up again by the
    /// next call.
    pub fn compact_history(&self, horizon: Revision, actor: &Actor) -> Result<Compacted, EngineError> {
        // One run at a time: two of them would move each other's horizon.
        let _turn = self.inner.compacting.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let snapshot = self.inner.store.snapshot()?;
        let before = state(&*snapshot)?;
        if horizon > snapshot.head() {
            return Err(view::unknown_yet(horizon, snapshot.head()).into());
        }
        let horizon = horizon.max(Revision(before.horizon));
        let unfinished = before.horizon > 0 && before.sealed_by == 0;
        if horizon.0 <= 1 || (horizon.0 == before.horizon && !unfinished && !before.from_the_start) {
            return Ok(Compacted { horizon, ..Compacted::default() });
        }
        let mut step = Step { horizon, merges: merges(&*snapshot)?, done: BTreeSet::new() };
        drop(snapshot);
        loop {
            let (swept, back) = self.wait(|reply| Work::Sweep(step, reply))?;
            step = back;
            if swept == Swept::Whole {
                break;
            }
        }
        loop {
            let snapshot = self.inner.store.snapshot()?;
            let (digest, at) = (kept_digest(&*snapshot, horizon, None)?, snapshot.head());
            drop(snapshot);
            let seal = Seal { horizon, digest, at, actor: actor.clone() };
            // `None`: a purge came between; what is left is another thing now.
            if let Some(compacted) = self.wait(|reply| Work::Seal(seal, reply))? {
                return Ok(compacted);
            }
        }
    }

    /// The first step of a run alone.
    #[cfg(test)]
    pub(super) fn begin_compaction(&self, horizon: Revision) -> Result<(), EngineError> {
        let step = Step { horizon, merges: BTreeSet::new(), done: BTreeSet::new() };
        self.wait(|reply| Work::Sweep(step, reply)).map(drop)
    }

    /// The revision of a baseline; `None`: there is none of that name.
    #[must_use]
    pub fn baseline(&self, name: &str) -> Option<Revision> {
        let names = self.inner.baselines.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        names.get(name).copied()
    }

    /// Keeps a moment for good, under a name.
    pub fn create_baseline(&self, name: String, revision: Revision, actor: Actor, reply: Reply<()>) {
        self.send(Work::KeepBaseline(KeepBaseline::Create { name, revision, actor }, reply));
    }

    /// Forgets a baseline: the next compaction drops what only it kept.
    pub fn delete_baseline(&self, name: String, reply: Reply<()>) {
        self.send(Work::KeepBaseline(KeepBaseline::Delete(name), reply));
    }

    /// Says for how long every change is kept, from then on.
    pub fn keep_history(&self, ask: KeepHistory, reply: Reply<KeepHistoryOutcome>) {
        self.send(Work::KeepHistory(ask, reply));
    }

    fn wait<T: Send + 'static>(&self, work: impl FnOnce(Reply<T>) -> Work) -> Result<T, EngineError> {
        let (tell, told) = mpsc::channel();
        self.send(work(Box::new(move |answer| {
            // Whoever waited has gone: nothing is left to tell.
            let _gone = tell.send(answer);
        })));
        told.recv().unwrap_or(Err(EngineError::Closed))
    }
}

impl super::Reader {
    /// All baselines.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn baselines(&self) -> Result<Vec<Baseline>, EngineError> {
        Ok(baselines(self.store_snapshot())?)
    }

    /// For how long the history is kept, and who said so.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn history_kept(&self) -> Result<HistoryKept, EngineError> {
        let said = setting(self.store_snapshot())?;
        Ok(HistoryKept {
            days: said.days,
            revision: Revision(said.revision),
            set_at: Timestamp(said.set_at_us),
            set_by: said.set_by,
            reason: said.reason,
        })
    }

    /// How far the history is kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn retained(&self) -> Result<Retained, EngineError> {
        let read = self.store_snapshot();
        let state = state(read)?;
        let oldest = Revision(state.horizon);
        let recorded_at = if oldest.0 > 0 { Some(view::recorded_at(read, oldest)?) } else { None };
        Ok(Retained { oldest, recorded_at, unfinished: oldest.0 > 0 && state.sealed_by == 0 })
    }

    /// What [`Cmdb::compact_history`] up to a revision would drop.
    ///
    /// # Errors
    /// When the revision is not there, or the store cannot be read.
    pub fn to_drop(&self, horizon: Revision) -> Result<ToDrop, EngineError> {
        let read = self.store_snapshot();
        if horizon > read.head() {
            return Err(view::unknown_yet(horizon, read.head()).into());
        }
        let horizon = horizon.max(self::horizon(read)?);
        if horizon.0 <= 1 {
            return Ok(ToDrop { horizon, ..ToDrop::default() });
        }
        let mut step = Step { horizon, merges: merges(read)?, done: BTreeSet::new() };
        sweep::preview(read, &mut step)
    }

    /// The oldest revision from which every change is kept; 0: the history is whole.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn oldest_kept(&self) -> Result<Revision, EngineError> {
        Ok(horizon(self.store_snapshot())?)
    }
}
