//! What waits, oldest first: claims and references of machines in one queue, what people and files declare in another.
//!
//! A machine says again what is still so, and in any order: what it said waits for a month, and the oldest makes room.
//! What is declared is said once: it waits for a year, and where the queue is full the next one is refused, so that who
//! declares it is told. What follows from an item (its entry points) goes with the item, and stands in no queue.
//!
//! Invariants: a record stands in a queue exactly as long as it waits ([`MatchRecord::since_us`] is not 0 then); a queue
//! holds at most [`WAITING_MAX`]; what is given up is counted at its source, and counts as unknown when it is said again.

use super::{UNKNOWN, matches};
use crate::change::{Draft, Waiting};
use crate::model::time::DAY_US;
use crate::model::{Problem, Reason, SourceId, SourceKind};
use crate::reconcile::Sources;
use crate::store::record::{self, MatchRecord, ScopeRecord};
use crate::store::{StoreError, Table, key};

/// The most that wait in one queue.
pub(in crate::engine) const WAITING_MAX: u64 = 100_000;
/// How many make room at once.
pub(in crate::engine) const EVICTED_AT_ONCE: usize = 1_000;
/// How long what a machine says waits.
pub(in crate::engine) const WAITS_FOR_US: i64 = 30 * DAY_US;
/// How long what is declared waits.
pub(in crate::engine) const DECLARED_WAITS_FOR_US: i64 = 365 * DAY_US;
/// The most that one tick gives up of each queue; the next one goes on.
const EXPIRED_MAX: usize = 10_000;

/// Why something is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GivenUp {
    Expired,
    Evicted,
}

/// The queue in which what a source says waits; `None`: it goes with the item that it follows from.
fn queue(kind: SourceKind) -> Option<Waiting> {
    match kind {
        SourceKind::Agent | SourceKind::Connector => Some(Waiting::Machines),
        SourceKind::Import | SourceKind::Person => Some(Waiting::Declared),
        SourceKind::Rule => None,
    }
}

fn of(draft: &Draft<'_>, found: &MatchRecord) -> Option<Waiting> {
    queue(draft.name_and_kind(SourceId(found.source)).1)
}

fn prefix(queue: Waiting) -> Vec<u8> {
    match queue {
        Waiting::Machines => key::waiting(),
        Waiting::Declared => key::waiting_declared(),
    }
}

fn row(queue: Waiting, since_us: i64, id: u64) -> Vec<u8> {
    key::waiting_since(prefix(queue), crate::model::Timestamp(since_us), id)
}

/// Whether what a source said last may wait.
pub(super) fn check_room(draft: &Draft<'_>, kind: SourceKind, thing: &str) -> Result<(), Problem> {
    if queue(kind) != Some(Waiting::Declared) || draft.waiting(Waiting::Declared) <= WAITING_MAX {
        return Ok(());
    }
    Err(Problem::new(Reason::LimitExceeded, "too many declared references wait for something to match", thing)
        .expected(format!("at most {WAITING_MAX}"), "one more")
        .hint("`cmdb status` counts them; name items by their keys, or take back references that nothing will match"))
}

/// Makes the oldest of a machine's queue go where it is full.
pub(super) fn make_room(draft: &mut Draft<'_>, kind: SourceKind) -> Result<(), StoreError> {
    if queue(kind) == Some(Waiting::Machines) && draft.waiting(Waiting::Machines) >= WAITING_MAX {
        for id in oldest(draft, Waiting::Machines, EVICTED_AT_ONCE)? {
            give_up(draft, id, GivenUp::Evicted)?;
        }
    }
    Ok(())
}

/// Puts a record into its queue, from now on.
pub(super) fn enter(draft: &mut Draft<'_>, id: u64, found: &mut MatchRecord) {
    if let (Some(queue), 0) = (of(draft, found), found.since_us) {
        found.since_us = draft.now().0;
        draft.put_row(Table::Probes, row(queue, found.since_us, id), Vec::new());
        draft.count_waiting(queue);
    }
}

/// Writes the place of a record in its queue anew.
pub(super) fn restate(draft: &mut Draft<'_>, id: u64, found: &MatchRecord) {
    if let (Some(queue), true) = (of(draft, found), found.since_us != 0) {
        draft.put_row(Table::Probes, row(queue, found.since_us, id), Vec::new());
    }
}

/// Puts a record into its queue as what waited before, elsewhere.
pub(in crate::engine) fn enter_since(draft: &mut Draft<'_>, id: u64, found: &mut MatchRecord, since_us: i64) {
    if let (Some(queue), 0, true) = (of(draft, found), found.since_us, since_us != 0) {
        found.since_us = since_us;
        draft.put_row(Table::Probes, row(queue, since_us, id), Vec::new());
        draft.count_waiting(queue);
    }
}

/// Takes a record out of its queue.
pub(super) fn leave(draft: &mut Draft<'_>, id: u64, found: &mut MatchRecord) {
    if let (Some(queue), true) = (of(draft, found), found.since_us != 0) {
        draft.delete_row(Table::Probes, row(queue, found.since_us, id));
        draft.count_placed(queue);
        found.since_us = 0;
    }
}

/// The ids of those that wait the longest.
fn oldest(draft: &Draft<'_>, queue: Waiting, most: usize) -> Result<Vec<u64>, StoreError> {
    let rows = draft.rows(Table::Probes, &prefix(queue), most)?;
    Ok(rows.iter().filter_map(|(row, _)| key::item_at_end(row)).map(|id| id.0).take(most).collect())
}

/// Gives up what has waited for too long.
pub(in crate::engine) fn expire(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    for (queue, waits_for) in [(Waiting::Machines, WAITS_FOR_US), (Waiting::Declared, DECLARED_WAITS_FOR_US)]
    {
        let latest = draft.now().plus_us(-waits_for);
        for id in oldest(draft, queue, EXPIRED_MAX)? {
            if matches::load(draft, id)?.is_none_or(|found| found.since_us > latest.0) {
                break;
            }
            give_up(draft, id, GivenUp::Expired)?;
        }
    }
    Ok(())
}

fn give_up(draft: &mut Draft<'_>, id: u64, why: GivenUp) -> Result<(), StoreError> {
    let Some(found) = matches::load(draft, id)? else { return Ok(()) };
    let source = SourceId(found.source);
    detach(draft, id, &found)?;
    // What is still so is asked for when the source next says anything new.
    let scope = key::scope(source, &found.scope);
    if let Some(bytes) = draft.row(Table::Scopes, &scope)? {
        let mut kept: ScopeRecord = record::decode(Table::Scopes, &bytes)?;
        kept.digest.clear();
        draft.put_record(Table::Scopes, scope, &kept);
    }
    let mut row = draft.source_record(source)?.unwrap_or_default();
    let counter = match (found.parked.is_some(), why) {
        (true, GivenUp::Expired) => &mut row.claims_expired,
        (true, GivenUp::Evicted) => &mut row.claims_evicted,
        (false, GivenUp::Expired) => &mut row.references_expired,
        (false, GivenUp::Evicted) => &mut row.references_evicted,
    };
    *counter += 1;
    draft.put_record(Table::Sources, key::source(source), &row);
    Ok(())
}

/// Takes what waits out of its queue, and off its unit, which counts as unknown then.
pub(super) fn detach(draft: &mut Draft<'_>, id: u64, found: &MatchRecord) -> Result<(), StoreError> {
    matches::remove(draft, id)?;
    let (source, kind) = (SourceId(found.source), record::unit_kind_from(found.unit_kind)?);
    let Some(mut kept) = draft.unit(source, kind, &found.key)? else { return Ok(()) };
    kept.matches.retain(|other| *other != id);
    let says_nothing = kept.relationships.is_empty() && kept.matches.is_empty() && kept.groups.is_empty();
    if kept.item.is_none() && says_nothing {
        return draft.remove_unit(source, kind, &found.key);
    }
    kept.digest = UNKNOWN.to_vec();
    draft.put_unit(source, kind, &found.key, kept)
}
