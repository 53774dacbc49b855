//! What a source no longer says.
//!
//! A thing that runs and is not seen is *stopped*: it keeps its relationships and its part in impact for a time,
//! because an outage must not erase its own evidence. Anything else that nobody claims any more is *missing*, and
//! keeps its relationships until it is retired. A single relationship that is no longer named ends, unless it was
//! observed: then it is stopped like what it was observed on.

use super::{Stating, WITHDRAWN, groups, matches, relationships};
use crate::change::Draft;
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, SourceId, Status};
use crate::reconcile::Gone;
use crate::store::StoreError;
use crate::store::record::EdgeRecord;

/// Takes back everything that a unit says.
pub(in crate::engine) fn withdraw_unit(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    kind: UnitKind,
    key: &str,
) -> Result<(), StoreError> {
    let source = stating.source;
    let Some(mut unit) = draft.unit(source, kind, key)? else { return Ok(()) };
    let left = match unit.item {
        Some(id) => withdraw_item(draft, source, key, ItemId(id))?,
        None => None,
    };
    let gone = match left {
        Some(Status::Stopped) => Some(Gone::Stopped),
        Some(Status::Missing) => Some(Gone::Missing),
        Some(Status::Active | Status::Retired) | None => None,
    };
    for edge in &unit.relationships {
        withdraw_edge(draft, source, kind, key, edge, gone)?;
    }
    for id in std::mem::take(&mut unit.matches) {
        matches::remove(draft, id)?;
    }
    if gone.is_none() {
        for group in std::mem::take(&mut unit.groups) {
            groups::remove(draft, source, key, &group)?;
        }
    }
    if unit.item.is_none() {
        return draft.remove_unit(source, kind, key);
    }
    // The key stays bound to its item, should it be seen again.
    unit.digest = WITHDRAWN.to_vec();
    draft.put_unit(source, kind, key, &unit)
}

/// Takes a source's claim on an item back; the status that leaves it with.
fn withdraw_item(
    draft: &mut Draft<'_>,
    source: SourceId,
    key: &str,
    id: ItemId,
) -> Result<Option<Status>, StoreError> {
    let Some(item) = draft.item(id)? else { return Ok(None) };
    let now = draft.now();
    let mut item = Item::clone(&item);
    for claim in &mut item.claims {
        if claim.source == source && claim.key == key {
            claim.withdrawn_at.get_or_insert(now);
        }
    }
    draft.resolve_and_put(item)?;
    Ok(draft.item(id)?.map(|item| item.status))
}

/// Takes a source's claim on a relationship back. `gone` says how, when it goes with its item.
pub(in crate::engine) fn withdraw_edge(
    draft: &mut Draft<'_>,
    source: SourceId,
    kind: UnitKind,
    key: &str,
    edge: &EdgeRecord,
    gone: Option<Gone>,
) -> Result<(), StoreError> {
    let (from, to) = (ItemId(edge.from), ItemId(edge.to));
    let Some(mut relationship) = draft.relationship(from, &edge.kind, to)? else { return Ok(()) };
    let now = draft.now();
    let mine =
        |claim: &RelationshipClaimState| claim.source == source && claim.unit == kind && claim.key == key;
    let Some(place) = relationship.claims.iter().position(mine) else { return Ok(()) };
    let gone = gone.or_else(|| relationship.claims[place].inferred.then_some(Gone::Stopped));
    let stands = |claim: &RelationshipClaimState| claim.withdrawn_at.is_none() && !claim.only_groups();
    let others = relationship.claims.iter().any(|claim| !mine(claim) && stands(claim));
    let gone = gone.filter(|_| !relationship.claims[place].only_groups());
    match gone {
        Some(gone) if !others => {
            relationship.claims[place].withdrawn_at.get_or_insert(now);
            relationships::resolve_and_put(draft, relationship, gone)
        }
        _ => {
            relationship.claims.remove(place);
            if !relationship.is_stated() {
                draft.remove_relationship(from, &edge.kind, to)
            } else {
                relationships::resolve_and_put(draft, relationship, Gone::Stopped)
            }
        }
    }
}
