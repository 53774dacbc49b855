//! One step of a compaction: which changes of some items are needed by no kept moment, and dropping them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Step, kept, put_state, state};
use crate::change::{self, Draft};
use crate::engine::request::{EngineError, ToDrop};
use crate::engine::view;
use crate::model::{ItemId, Revision};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, CommitRecord, HeadRecord, RetentionRecord};
use crate::store::{Order, Range, Read, StoreError, Table, key};

/// The changes, and then the heads of commits, that one step looks at.
const STEP_ROWS: usize = 2_000;
/// The longest way back of one item that is compacted; a longer one is left as it is.
const CHAIN_MAX: usize = 1_000_000;
/// The most items that a run remembers to have dealt with.
const DONE_MAX: usize = 1_000_000;

/// How far a step came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Swept {
    /// There is more to do.
    Part,
    /// Nothing is left to drop.
    Whole,
}

/// Does one step.
pub(in crate::engine) fn sweep(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    step: &mut Step,
) -> Result<Swept, EngineError> {
    let mut state = begin(read, step.horizon)?;
    let cursor = Place { revision: Revision(state.cursor_revision), sequence: state.cursor_sequence };
    let beyond = Place { revision: step.horizon.next(), sequence: 0 };
    let range = Range { from: cursor.key(), to: Some(beyond.key()), order: Order::Ascending };
    let rows = read.scan(Table::Changes, &range, STEP_ROWS)?;
    let mut points = kept(read)?;
    points.retain(|point| *point < step.horizon);
    let mut items = BTreeSet::new();
    for (row, bytes) in &rows {
        items.extend(owner(&record::decode(Table::Changes, bytes)?));
        let place = view::place_of_row(row)?;
        (state.cursor_revision, state.cursor_sequence) = (place.revision.0, place.sequence + 1);
    }
    for id in items {
        if step.done.contains(&id) {
            continue;
        }
        state.changes_dropped += item(draft, read, id, step, &points)?;
        if step.done.len() < DONE_MAX {
            step.done.insert(id);
        }
    }
    let mut swept = if rows.len() < STEP_ROWS { Swept::Whole } else { Swept::Part };
    if swept == Swept::Whole {
        state.cursor_revision = beyond.revision.0;
        state.cursor_sequence = 0;
        swept = heads(draft, read, step.horizon, &points, &mut state)?;
    }
    put_state(draft, &state);
    Ok(swept)
}

/// The state of the run, which begins where the last one ended.
fn begin(read: &dyn Read, horizon: Revision) -> Result<RetentionRecord, EngineError> {
    let before = state(read)?;
    if before.horizon == horizon.0 && before.sealed_by == 0 && !before.from_the_start {
        return Ok(before);
    }
    let row = read.get(Table::Commits, &key::revision(horizon))?.ok_or_else(|| StoreError::Damaged {
        table: Table::Commits.name(),
        detail: format!("commit {horizon} is not there"),
    })?;
    let head: CommitRecord = record::decode(Table::Commits, &row)?;
    let observed_since_us = match before.horizon {
        0 => view::recorded_at(read, Revision(1))?.0,
        _ => before.observed_since_us,
    };
    // One that was cut off goes on where it stood; what it dropped it has counted.
    let unfinished = before.horizon > 0 && before.sealed_by == 0;
    let (cursor_revision, cursor_sequence) = match (before.from_the_start, unfinished) {
        (true, _) => (0, 0),
        (false, true) => (before.cursor_revision, before.cursor_sequence),
        (false, false) => (before.horizon, 0),
    };
    Ok(RetentionRecord {
        horizon: horizon.0,
        hash: head.hash,
        observed_since_us,
        cursor_revision,
        cursor_sequence,
        sealed_by: 0,
        digest: Vec::new(),
        changes_dropped: if unfinished { before.changes_dropped } else { 0 },
        commits_dropped: if unfinished { before.commits_dropped } else { 0 },
        from_the_start: false,
    })
}

fn owner(change: &ChangeRecord) -> Option<ItemId> {
    let edge = change.relationship_after.as_ref().or(change.relationship_before.as_ref());
    change.item.as_ref().map(|item| item.id).or(edge.map(|edge| edge.from)).map(ItemId)
}

/// What a change is a change of: the item itself, or a relationship written from it.
type Fact = Option<(String, u64)>;

struct Link {
    place: Place,
    previous: Option<Place>,
    fact: Fact,
    /// A relationship is gone after it.
    removes: bool,
}

/// Drops what no kept moment needs of an item; how many changes.
fn item(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    id: ItemId,
    step: &Step,
    points: &BTreeSet<Revision>,
) -> Result<u64, EngineError> {
    let Some(links) = chain(read, id)? else { return Ok(0) };
    let keep = needed(&links, step, points);
    let mut dropped = 0;
    let mut place_kept: Option<&Link> = None;
    for link in &links {
        if keep.contains(&link.place) {
            if let Some(newer) = place_kept.replace(link) {
                lead(draft, newer, Some(link.place));
            }
            continue;
        }
        dropped += 1;
        draft.delete_row(Table::Changes, link.place.key());
        if let Some(previous) = link.previous {
            draft.delete_row(Table::Skips, previous.key());
        }
        if let Some((_, to)) = &link.fact
            && *to != id.0
        {
            draft.delete_row(Table::Arrivals, key::arrival(ItemId(*to), link.place).to_vec());
        }
    }
    if let Some(oldest) = place_kept {
        lead(draft, oldest, None);
    }
    Ok(dropped)
}

/// Leads the chain from a change that stays to the next one that does.
fn lead(draft: &mut Draft<'_>, from: &Link, to: Option<Place>) {
    let Some(previous) = from.previous else { return };
    if Some(previous) == to {
        draft.delete_row(Table::Skips, previous.key());
    } else {
        draft.put_row(Table::Skips, previous.key(), to.map(Place::key).unwrap_or_default());
    }
}

/// The item's way back, newest first; `None`: it is too long, or there is no such item.
fn chain(read: &dyn Read, id: ItemId) -> Result<Option<Vec<Link>>, EngineError> {
    let Some(head) = read.get(Table::Items, &key::item(id))? else { return Ok(None) };
    let head: HeadRecord = record::decode(Table::Items, &head)?;
    let mut links = Vec::new();
    let mut next = change::linked(read, head.last)?;
    while let Some((place, change)) = next {
        if links.len() >= CHAIN_MAX {
            return Ok(None);
        }
        let edge = change.relationship_after.as_ref().or(change.relationship_before.as_ref());
        links.push(Link {
            place,
            previous: change.previous.map(change::place_of),
            fact: edge.map(|edge| (edge.kind.clone(), edge.to)),
            removes: change.item.is_none() && change.relationship_after.is_none(),
        });
        next = change::linked(read, change.previous)?;
    }
    Ok(Some(links))
}

/// Of each fact its last change up to each kept moment, and the first after it; and everything beyond the horizon.
fn needed(links: &[Link], step: &Step, points: &BTreeSet<Revision>) -> BTreeSet<Place> {
    let mut points = points.clone();
    // A merge that this item had a part in is undone from what it was just before.
    let merged = links.iter().filter(|link| step.merges.contains(&link.place.revision));
    points.extend(
        merged.filter(|link| link.place.revision <= step.horizon).map(|link| link.place.revision.before()),
    );
    let mut facts: BTreeMap<&Fact, Vec<&Link>> = BTreeMap::new();
    for link in links.iter().rev() {
        facts.entry(&link.fact).or_default().push(link);
    }
    let newest = links.iter().map(|link| link.place).find(|place| place.revision <= step.horizon);
    let mut needed = BTreeSet::new();
    for changes in facts.values() {
        // In order of time; the last one up to the horizon is where the fact stands there.
        let upto = |moment: Revision| changes.partition_point(|link| link.place.revision <= moment);
        let beyond = upto(step.horizon);
        needed.extend(changes[beyond..].iter().map(|link| link.place));
        let before = needed.len();
        for point in &points {
            let after = upto(*point);
            needed.extend(after.checked_sub(1).map(|last| changes[last].place));
            needed.extend(changes.get(after).map(|first| first.place));
        }
        if let Some(last) = beyond.checked_sub(1).map(|last| changes[last]) {
            // What is gone, and was at no kept moment, leaves nothing, but for when the item last changed.
            let counts = !last.removes || needed.len() > before || newest == Some(last.place);
            if counts {
                needed.insert(last.place);
            }
        }
    }
    needed
}

/// Drops heads of commits, and what purges replaced that is proven by what is left now.
fn heads(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    horizon: Revision,
    points: &BTreeSet<Revision>,
    state: &mut RetentionRecord,
) -> Result<Swept, EngineError> {
    let range = Range { from: Vec::new(), to: Some(key::revision(horizon)), order: Order::Ascending };
    let mut dropped = 0;
    for (row, _) in read.scan(Table::Commits, &range, STEP_ROWS + points.len())? {
        let kept =
            row.as_slice().try_into().is_ok_and(|row| points.contains(&Revision(u64::from_be_bytes(row))));
        if !kept {
            dropped += 1;
            draft.delete_row(Table::Commits, row);
        }
    }
    state.commits_dropped += dropped;
    if dropped > 0 {
        return Ok(Swept::Part);
    }
    for (row, _) in read.scan(Table::Replaced, &Range::all(), crate::store::SCAN_ROWS_MAX)? {
        if key::split_replaced(&row).is_some_and(|(_, by)| by <= horizon) {
            draft.delete_row(Table::Replaced, row);
        }
    }
    Ok(Swept::Whole)
}

/// What a run would drop; nothing is written.
pub(in crate::engine) fn preview(read: &dyn Read, step: &mut Step) -> Result<ToDrop, EngineError> {
    let mut points = kept(read)?;
    points.retain(|point| *point < step.horizon);
    let mut found = ToDrop { horizon: step.horizon, ..ToDrop::default() };
    let beyond = Place { revision: step.horizon.next(), sequence: 0 };
    let range = Range { from: Vec::new(), to: Some(beyond.key()), order: Order::Ascending };
    crate::store::for_each(read, Table::Changes, range, |_, bytes| {
        let Some(id) = owner(&record::decode(Table::Changes, bytes)?) else { return Ok(()) };
        if step.done.len() >= DONE_MAX {
            found.at_least |= !step.done.contains(&id);
        } else if step.done.insert(id)
            && let Some(links) = chain(read, id)?
        {
            let keep = needed(&links, step, &points);
            found.changes += links.iter().filter(|link| !keep.contains(&link.place)).count() as u64;
        }
        Ok::<(), EngineError>(())
    })?;
    let range = Range { from: Vec::new(), to: Some(key::revision(step.horizon)), order: Order::Ascending };
    crate::store::for_each(read, Table::Commits, range, |row, _| {
        let kept = row.try_into().is_ok_and(|row| points.contains(&Revision(u64::from_be_bytes(row))));
        found.commits += u64::from(!kept);
        Ok::<(), EngineError>(())
    })?;
    Ok(found)
}
