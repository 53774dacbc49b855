//! What time changes: stopped things become missing, missing ones are retired; a pin ends; a claim that nobody
//! confirms gives way to the next source, and takes back when its source is heard again.
//!
//! Everything that time does is a commit in the name of `time`, so that a moment in the past answers as it did, and
//! whoever follows the log needs no clock.

use std::collections::BTreeSet;

use super::ingest;
use super::presence::Presence;
use crate::change::Draft;
use crate::model::{Item, ItemId, Status, Timestamp};
use crate::reconcile;
use crate::store::key::Timed;
use crate::store::{StoreError, Table, key};

/// The most timers that one tick lets go off; the next one goes on.
pub const TIMERS_MAX: usize = 10_000;

/// What happened, for the reason of the commit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Event {
    Unseen,
    PinEnded,
    Stale,
    HeardAgain,
}

impl Event {
    fn words(self) -> &'static str {
        match self {
            Event::Unseen => "not seen for too long",
            Event::PinEnded => "a pin ended",
            Event::Stale => "not confirmed in time: the next source takes over",
            Event::HeardAgain => "heard again",
        }
    }
}

/// Lets everything happen that is due; what it was, in words.
pub(super) fn pass(draft: &mut Draft<'_>, presence: &Presence) -> Result<String, StoreError> {
    let now = draft.now();
    let mut events = BTreeSet::new();
    let due = draft.rows_below(Table::Timers, &key::due(now.plus_us(1)), TIMERS_MAX)?;
    for row in due {
        // First, because what follows may set the same timer again.
        draft.delete_row(Table::Timers, row.clone());
        match key::split_timer(&row) {
            Some(Timed::Item(id)) => {
                if let Some(item) = draft.item(id)? {
                    events.extend(age(draft, &item, now)?);
                }
            }
            Some(Timed::Claims(id)) => {
                let changed = confirm(draft, presence, id)?;
                events.extend(changed.then_some(Event::Stale));
            }
            Some(Timed::Relationship(from, kind, to)) => {
                let found = draft.relationship(from, &kind, to)?;
                let over = found.is_some_and(|relationship| {
                    reconcile::relationship_due(&relationship).is_some_and(|due| due <= now)
                });
                if over {
                    events.insert(Event::Unseen);
                    draft.remove_relationship(from, &kind, to)?;
                }
            }
            None => {}
        }
    }
    ingest::queue::expire(draft)?;
    if hear(draft, presence)? {
        events.insert(Event::HeardAgain);
    }
    ingest::settle(draft)?;
    Ok(events.into_iter().map(Event::words).collect::<Vec<_>>().join("; "))
}

/// Ends pins, and takes the item one step further in its life.
fn age(draft: &mut Draft<'_>, item: &Item, now: Timestamp) -> Result<BTreeSet<Event>, StoreError> {
    let schema = draft.schema();
    let mut events = BTreeSet::new();
    if reconcile::item_due(item, &schema).is_none_or(|due| due > now) {
        return Ok(events);
    }
    let mut item = item.clone();
    for claim in &mut item.claims {
        let pins = claim.marks.pins.len();
        claim.marks.pins.retain(|_, pin| pin.until.is_none_or(|until| until > now));
        if claim.marks.pins.len() < pins {
            events.insert(Event::PinEnded);
        }
    }
    if reconcile::status_due(&item, &schema).is_some_and(|due| due <= now) {
        item.status = match item.status {
            Status::Stopped => Status::Missing,
            Status::Missing => Status::Retired,
            Status::Active | Status::Retired => item.status,
        };
        item.status_since = now;
        events.insert(Event::Unseen);
    }
    draft.resolve_and_put(item)?;
    Ok(events)
}

/// Judges again which claims of an item are stale; whether that changed anything.
fn confirm(draft: &mut Draft<'_>, presence: &Presence, id: ItemId) -> Result<bool, StoreError> {
    let Some(before) = draft.item(id)? else { return Ok(false) };
    let mut item = Item::clone(&before);
    let (schema, now) = (draft.schema(), draft.now());
    let confirmed = |claim: &_| presence.confirmed(claim);
    let due = reconcile::judge_stale(&mut item, &schema, draft, &confirmed, now);
    let changed = item != *before;
    draft.resolve_and_put(item)?;
    if let Some(due) = due {
        draft.put_row(Table::Timers, key::stale_timer(due, id), Vec::new());
    }
    Ok(changed)
}

/// Those that were silent and were heard since the last tick take back what went over to others.
fn hear(draft: &mut Draft<'_>, presence: &Presence) -> Result<bool, StoreError> {
    let mut changed = false;
    let mut left = TIMERS_MAX;
    let mut heard = presence.take_heard().into_iter();
    while left > 0 {
        let Some(source) = heard.next() else { break };
        let rows = draft.rows(Table::Timers, &key::silent(source), left)?;
        if rows.len() >= left {
            presence.hear_again([source]);
        }
        left = left.saturating_sub(rows.len());
        for (row, _) in rows {
            if let Some(id) = key::item_at_end(&row) {
                changed |= confirm(draft, presence, id)?;
            }
        }
    }
    presence.hear_again(heard);
    Ok(changed)
}
