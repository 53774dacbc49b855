//! Ends that were only seen from outside become the item of whoever they belong to.
//!
//! A place that several hosts talk to by different addresses is an item for each address, until its owner says that they
//! are all its own. Then they are one: which of the ends was said first makes no difference.
//!
//! Definition: an item is *external* when its class may be (`external_without_host`) and nobody places it within a host.
//! Invariant: only an owner joins, only external items are joined, and never what a person told apart.

use super::Unit;
use crate::change::Draft;
use crate::engine::merge;
use crate::engine::request::{Decision, Outcome};
use crate::model::{Item, ItemId};
use crate::store::StoreError;

/// Joins to each item that is placed within a host the external ones that its identifiers name as well.
pub(super) fn join(draft: &mut Draft<'_>, units: &[Unit], decisions: &[Decision]) -> Result<(), StoreError> {
    for (unit, decision) in units.iter().zip(decisions) {
        let placed = unit.claim.item.as_ref().is_some_and(|said| said.within.is_some());
        let changed = matches!(decision.outcome, Outcome::Created | Outcome::Updated);
        let (true, true, Some(id)) = (placed, changed, decision.item) else { continue };
        let Some(owner) = draft.item(id)?.filter(|owner| may_be_external(draft, owner)) else { continue };
        for other in &owner.duplicates {
            if is_external(draft, *other)? && !owner.distinct_from.contains(other) {
                // What cannot be joined stays on record as a duplicate.
                let _ = merge::merge(draft, id, *other)?;
            }
        }
    }
    Ok(())
}

fn may_be_external(draft: &Draft<'_>, item: &Item) -> bool {
    draft.schema().class(&item.class).is_some_and(|class| class.external_without_host)
}

fn is_external(draft: &Draft<'_>, id: ItemId) -> Result<bool, StoreError> {
    let Some(item) = draft.item(id)? else { return Ok(false) };
    let is_placed = item.standing().any(|claim| claim.within.is_some());
    Ok(item.merged_into.is_none() && !is_placed && may_be_external(draft, &item))
}
