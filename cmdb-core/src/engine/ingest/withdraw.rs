//! What a source no longer says.
//!
//! A thing that runs and is not seen is *stopped*: it keeps its relationships and its part in impact for a time,
//! because an outage must not erase its own evidence. Anything else that nobody claims any more is *missing*, and
//! keeps its relationships until it is retired. A single relationship that is no longer named ends, unless it was
//! observed: then it is stopped like what it was observed on.
//!
//! Invariant: what is left of a source's claim follows from what that source said, and not from what others say at the
//! time; so the reports of several sources mean the same in whatever order they arrive.

use super::{Stating, WITHDRAWN, groups, matches, relationships};
use crate::change::Draft;
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, SourceId, Timestamp};
use crate::store::StoreError;
use crate::store::record::EdgeRecord;

/// How a source ceases to say that a relationship is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Ceased {
    /// It speaks of the item, and does not name the relationship.
    Unnamed,
    /// It does not speak of the item any more.
    WithItem,
}

/// Takes back everything that a unit says. `last_named`: when its source named it last, where that is known.
pub(in crate::engine) fn withdraw_unit(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    kind: UnitKind,
    key: &str,
    last_named: Option<Timestamp>,
) -> Result<(), StoreError> {
    let source = stating.source;
    let Some(mut unit) = draft.unit(source, kind, key)? else { return Ok(()) };
    let mut ceased = Ceased::Unnamed;
    if let Some(id) = unit.item {
        withdraw_item(draft, source, key, ItemId(id))?;
        ceased = Ceased::WithItem;
    }
    for edge in &unit.relationships {
        withdraw_edge(draft, source, (kind, key), edge, ceased, last_named)?;
    }
    for id in std::mem::take(&mut unit.matches) {
        matches::remove(draft, id)?;
    }
    if unit.item.is_none() {
        for group in std::mem::take(&mut unit.groups) {
            groups::remove(draft, source, key, &group)?;
        }
        return draft.remove_unit(source, kind, key);
    }
    // The key stays bound to its item, should it be seen again.
    unit.digest = WITHDRAWN.to_vec();
    draft.put_unit(source, kind, key, unit)
}

/// Takes a source's claim on an item back.
fn withdraw_item(draft: &mut Draft<'_>, source: SourceId, key: &str, id: ItemId) -> Result<(), StoreError> {
    let Some(item) = draft.item(id)? else { return Ok(()) };
    let (now, before) = (draft.now(), item.status);
    let mut item = Item::clone(&item);
    for claim in &mut item.claims {
        if claim.source == source && claim.key == key {
            claim.withdrawn_at.get_or_insert(now);
        }
    }
    draft.resolve_and_put(item)?;
    relationships::follow(draft, id, before)
}

/// Takes a source's claim on a relationship back. What was observed, and what goes with its item, stays on record as
/// withdrawn, whether others say it or not.
pub(in crate::engine) fn withdraw_edge(
    draft: &mut Draft<'_>,
    source: SourceId,
    (kind, key): (UnitKind, &str),
    edge: &EdgeRecord,
    ceased: Ceased,
    last_named: Option<Timestamp>,
) -> Result<(), StoreError> {
    let (from, to) = (ItemId(edge.from), ItemId(edge.to));
    let Some(mut relationship) = draft.relationship(from, &edge.kind, to)? else { return Ok(()) };
    let now = draft.now();
    let mine =
        |claim: &RelationshipClaimState| claim.source == source && claim.unit == kind && claim.key == key;
    let Some(place) = relationship.claims.iter().position(mine) else { return Ok(()) };
    let claim = &mut relationship.claims[place];
    if claim.only_groups() || !(claim.inferred || ceased == Ceased::WithItem) {
        relationship.claims.remove(place);
        if !relationship.is_stated() {
            return draft.remove_relationship(from, &edge.kind, to);
        }
    } else if claim.withdrawn_at.is_none() {
        claim.withdrawn_at = Some(now);
        claim.observed_at = last_named.unwrap_or(claim.observed_at);
    }
    relationships::resolve_and_put(draft, relationship).map(drop)
}
