//! What merge and split have in common: taking things from one item to another, with everything that names them.

use std::collections::BTreeSet;

use crate::change::{Draft, edge_record, item_identifiers};
use crate::engine::ingest::{matches, relationships};
use crate::identify::Index;
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Relationship, SourceId};
use crate::store::record::{self, EdgeRecord, MatchRecord};
use crate::store::{StoreError, Table};

/// Every relationship of an item, in both directions.
pub(super) fn edges(draft: &Draft<'_>, item: ItemId) -> Result<Vec<Relationship>, StoreError> {
    let mut found = draft.outgoing(item)?;
    for (kind, from) in draft.incoming(item)? {
        found.extend(draft.relationship(from, &kind, item)?);
    }
    Ok(found)
}

/// A relationship as units name it.
pub(super) fn name(edge: &Relationship) -> EdgeRecord {
    edge_record(edge.from, &edge.kind, edge.to)
}

/// The matches that name an item, or hold a relationship of it.
pub(super) fn matches_of(draft: &mut Draft<'_>, item: ItemId) -> Result<Vec<u64>, StoreError> {
    draft.flush()?;
    let mut found = Vec::new();
    draft.for_each_stored(Table::Matches, &[], |row, bytes| {
        let asked: MatchRecord = record::decode(Table::Matches, bytes)?;
        if matches::names(&asked, item) {
            found.extend(row.try_into().map(u64::from_be_bytes));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The unit behind a claim names the relationship differently from now on; `None`: not at all.
pub(super) fn rename_edge(
    draft: &mut Draft<'_>,
    claim: &RelationshipClaimState,
    old: &EdgeRecord,
    new: Option<EdgeRecord>,
) -> Result<(), StoreError> {
    let Some(mut unit) = draft.unit(claim.source, claim.unit, &claim.key)? else { return Ok(()) };
    if !unit.relationships.contains(old) {
        return Ok(());
    }
    let renamed = unit.relationships.iter().filter(|edge| *edge != old).cloned().chain(new);
    unit.relationships = renamed.collect::<BTreeSet<_>>().into_iter().collect();
    draft.put_unit(claim.source, claim.unit, &claim.key, unit)
}

/// Puts claims of `like` on the relationship between two items, making it like that one where there is none.
pub(super) fn put_claims(
    draft: &mut Draft<'_>,
    like: &Relationship,
    from: ItemId,
    to: ItemId,
    claims: Vec<RelationshipClaimState>,
) -> Result<(), StoreError> {
    let mut relationship = match draft.relationship(from, &like.kind, to)? {
        Some(there) => there,
        None => Relationship { from, to, claims: Vec::new(), effective: 0, ..like.clone() },
    };
    relationship.first_seen = relationship.first_seen.min(like.first_seen);
    for claim in claims {
        let same = relationship.claims.iter_mut().find(|other| is_same(other, &claim));
        match same {
            // One source said it of both items: what stands beats what was withdrawn.
            Some(other) if other.withdrawn_at.is_some() => *other = claim,
            Some(_) => {}
            None => relationship.claims.push(claim),
        }
    }
    if !relationship.is_stated() {
        return Ok(());
    }
    relationships::resolve_and_put(draft, relationship).map(drop)
}

/// Takes claims off a relationship; without any left it is gone.
pub(super) fn take_claims(
    draft: &mut Draft<'_>,
    mut edge: Relationship,
    gone: &[RelationshipClaimState],
) -> Result<(), StoreError> {
    edge.claims.retain(|claim| !gone.iter().any(|other| is_same(claim, other)));
    if !edge.is_stated() {
        return draft.remove_relationship(edge.from, &edge.kind, edge.to);
    }
    relationships::resolve_and_put(draft, edge).map(drop)
}

/// Whether both are what one source says under one key.
pub(super) fn is_same(one: &RelationshipClaimState, other: &RelationshipClaimState) -> bool {
    one.source == other.source && one.unit == other.unit && one.key == other.key
}

/// A key that is bound to one item is bound to another one from now on; whether it was.
pub(super) fn bind(
    draft: &mut Draft<'_>,
    source: SourceId,
    key: &str,
    from: ItemId,
    to: ItemId,
) -> Result<bool, StoreError> {
    let Some(mut unit) = draft.unit(source, UnitKind::Item, key)? else { return Ok(false) };
    if unit.item != Some(from.0) {
        return Ok(false);
    }
    unit.item = Some(to.0);
    draft.put_unit(source, UnitKind::Item, key, unit)?;
    Ok(true)
}

/// The other items that an item's identifiers find.
pub(super) fn alike(draft: &Draft<'_>, item: &Item) -> Result<Vec<ItemId>, StoreError> {
    let mut found = BTreeSet::new();
    for identifier in item_identifiers(item, &draft.schema()) {
        found.extend(draft.items_with(&identifier)?);
    }
    found.remove(&item.id);
    Ok(found.into_iter().collect())
}
