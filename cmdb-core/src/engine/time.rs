//! What time changes: stopped things become missing, missing ones are retired.

use super::ingest;
use crate::change::Draft;
use crate::model::{Item, Status, Timestamp};
use crate::reconcile;
use crate::store::key::Timed;
use crate::store::{StoreError, Table, key};

/// The most timers that one tick lets go off; the next one goes on.
pub const TIMERS_MAX: usize = 10_000;

/// Lets everything happen that is due.
pub(super) fn pass(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    let now = draft.now();
    let due = draft.rows_below(Table::Timers, &key::due(now.plus_us(1)), TIMERS_MAX)?;
    for row in due {
        match key::split_timer(&row) {
            Some(Timed::Item(id)) => {
                if let Some(item) = draft.item(id)? {
                    age(draft, &item, now)?;
                }
            }
            Some(Timed::Relationship(from, kind, to)) => {
                let found = draft.relationship(from, &kind, to)?;
                let over = found.is_some_and(|relationship| {
                    reconcile::relationship_due(&relationship).is_some_and(|due| due <= now)
                });
                if over {
                    draft.remove_relationship(from, &kind, to)?;
                }
            }
            None => {}
        }
        draft.delete_row(Table::Timers, row);
    }
    ingest::settle(draft)
}

fn age(draft: &mut Draft<'_>, item: &Item, now: Timestamp) -> Result<(), StoreError> {
    let schema = draft.schema();
    if reconcile::item_due(item, &schema).is_none_or(|due| due > now) {
        return Ok(());
    }
    let status = match item.status {
        Status::Stopped => Status::Missing,
        Status::Missing => Status::Retired,
        Status::Active | Status::Retired => return Ok(()),
    };
    let mut item = item.clone();
    item.status = status;
    item.status_since = now;
    draft.put_item(item)
}
