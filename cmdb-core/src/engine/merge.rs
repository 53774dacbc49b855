//! Two items become one: everything that hangs on one moves to the other, and the old id leads there.
//!
//! ```text
//!  merge A B:  claims, relationships, groups, references and guests of B ─→ A;   B: retired, merged_into A
//!  split B:    what the log of that commit says was B's, and what came since under B's keys ─→ B
//! ```
//!
//! Definitions: a *guest* of an item is an item that a claim places within it.
//!
//! Invariants: a merged item has no claims, no relationships and no groups; keys that led to it lead to the item it
//! was merged into; a pair that a person told apart is never taken for the same again.

mod moving;
mod split;

pub(super) use split::split;

use super::ingest::{self, items, matches};
use crate::change::{Draft, edge_record};
use crate::model::item::Group;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, Reason, Relationship, Status};
use crate::store::StoreError;
use crate::store::record::GroupNameRecord;

/// The most relationships that one merge or split moves.
pub const MOVED_RELATIONSHIPS_MAX: usize = 200_000;

/// Merges an item into another one; the relationships between the two that were dropped, in words.
pub(super) fn merge(
    draft: &mut Draft<'_>,
    into: ItemId,
    item: ItemId,
) -> Result<Result<Vec<String>, Problem>, StoreError> {
    if let Err(problem) = check(draft, into, item)? {
        return Ok(Err(problem));
    }
    let edges = moving::edges(draft, item)?;
    if edges.len() > MOVED_RELATIONSHIPS_MAX {
        return Ok(Err(too_many(item, edges.len())));
    }
    let standing_questions = moving::matches_of(draft, item)?;
    for id in &standing_questions {
        matches::let_go(draft, *id)?;
    }
    // Letting go took some away.
    let edges = moving::edges(draft, item)?;
    let mut dropped = Vec::new();
    for edge in &edges {
        merge_edge(draft, edge, into, item, &mut dropped)?;
    }
    merge_item(draft, into, item)?;
    merge_guests(draft, into, item)?;
    for id in &standing_questions {
        matches::repoint(draft, *id, item, into)?;
    }
    ingest::settle(draft)?;
    for id in standing_questions {
        matches::answer(draft, id)?;
    }
    Ok(Ok(dropped))
}

fn check(draft: &Draft<'_>, into: ItemId, item: ItemId) -> Result<Result<(), Problem>, StoreError> {
    for id in [into, item] {
        let Some(found) = draft.item(id)? else {
            return Ok(Err(Problem::new(
                Reason::ItemNotFound,
                format!("there is no item {id}"),
                id.to_string(),
            )));
        };
        if let Some(other) = found.merged_into {
            return Ok(Err(Problem::new(
                Reason::MergeInvalid,
                format!("{id} was merged into {other} already"),
                id.to_string(),
            )
            .hint(format!("name {other} instead, or `cmdb split {id}` first"))));
        }
    }
    if into == item {
        return Ok(Err(Problem::new(
            Reason::MergeInvalid,
            format!("{item} cannot be merged into itself"),
            item.to_string(),
        )
        .expected("two different items", format!("{into} and {item}"))));
    }
    Ok(Ok(()))
}

fn too_many(item: ItemId, given: usize) -> Problem {
    Problem::new(
        Reason::LimitExceeded,
        format!("{item} has more relationships than can be moved at once"),
        item.to_string(),
    )
    .expected(format!("at most {MOVED_RELATIONSHIPS_MAX}"), given.to_string())
}

fn merge_edge(
    draft: &mut Draft<'_>,
    edge: &Relationship,
    into: ItemId,
    item: ItemId,
    dropped: &mut Vec<String>,
) -> Result<(), StoreError> {
    let end = |id: ItemId| if id == item { into } else { id };
    let (from, to) = (end(edge.from), end(edge.to));
    if from == to {
        for claim in &edge.claims {
            moving::rename_edge(draft, claim, &moving::name(edge), None)?;
        }
        dropped.push(format!("{} {} {}", edge.from, edge.kind, edge.to));
        return draft.remove_relationship(edge.from, &edge.kind, edge.to);
    }
    for claim in &edge.claims {
        moving::rename_edge(draft, claim, &moving::name(edge), Some(edge_record(from, &edge.kind, to)))?;
    }
    moving::put_claims(draft, edge, from, to, edge.claims.clone())?;
    draft.remove_relationship(edge.from, &edge.kind, edge.to)
}

fn merge_item(draft: &mut Draft<'_>, into: ItemId, item: ItemId) -> Result<(), StoreError> {
    let mut target = Item::clone(&*items::required(draft, into)?);
    let mut gone = Item::clone(&*items::required(draft, item)?);
    for claim in std::mem::take(&mut gone.claims) {
        let mut claim = claim;
        claim.within = claim.within.filter(|host| *host != into);
        let bound = moving::bind(draft, claim.source, &claim.key, item, into)?;
        let same = |other: &crate::model::item::ItemClaimState| {
            other.source == claim.source && other.key == claim.key
        };
        match target.claims.iter().position(same) {
            // The key left one of the two for the other; what it is bound to now is what it says.
            Some(place) if bound => target.claims[place] = claim,
            Some(_) => {}
            None => target.claims.push(claim),
        }
    }
    for group in std::mem::take(&mut gone.groups) {
        move_group(draft, group, item, &mut target)?;
    }
    target.first_seen = target.first_seen.min(gone.first_seen);
    for (attribute, purged) in &gone.purged {
        target.purged.entry(attribute.clone()).or_insert_with(|| purged.clone());
    }
    merge_neighbourhood(draft, &mut target, &mut gone)?;
    gone.merged_into = Some(into);
    if gone.status != Status::Retired {
        gone.status = Status::Retired;
        gone.status_since = draft.now();
    }
    draft.resolve_and_put(gone)?;
    draft.resolve_and_put(target)
}

/// Moves a group's declaration; the same one on the target stays.
fn move_group(
    draft: &mut Draft<'_>,
    group: Group,
    from: ItemId,
    target: &mut Item,
) -> Result<(), StoreError> {
    let old = GroupNameRecord { item: from.0, group: group.name.clone() };
    let new = GroupNameRecord { item: target.id.0, group: group.name.clone() };
    for kind in [UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy] {
        if let Some(mut unit) = draft.unit(group.source, kind, &group.key)?
            && unit.groups.contains(&old)
        {
            unit.groups.retain(|name| *name != old && *name != new);
            unit.groups.push(new.clone());
            unit.groups.sort();
            draft.put_unit(group.source, kind, &group.key, unit)?;
        }
    }
    let same =
        |other: &Group| other.name == group.name && other.source == group.source && other.key == group.key;
    if !target.groups.iter().any(same) {
        target.groups.push(group);
    }
    Ok(())
}

/// Who may be the same, and who is not.
fn merge_neighbourhood(draft: &mut Draft<'_>, target: &mut Item, gone: &mut Item) -> Result<(), StoreError> {
    for other in std::mem::take(&mut gone.duplicates) {
        if other == target.id {
            continue;
        }
        let Some(found) = draft.item(other)? else { continue };
        let mut found = Item::clone(&found);
        found.duplicates.retain(|id| *id != gone.id);
        if !target.distinct_from.contains(&other) {
            items::insert_sorted(&mut found.duplicates, target.id);
            items::insert_sorted(&mut target.duplicates, other);
        }
        draft.put_item(found)?;
    }
    target.duplicates.retain(|id| *id != gone.id);
    for other in gone.distinct_from.iter().filter(|other| **other != target.id) {
        items::insert_sorted(&mut target.distinct_from, *other);
        if let Some(found) = draft.item(*other)? {
            let mut found = Item::clone(&found);
            items::insert_sorted(&mut found.distinct_from, target.id);
            draft.put_item(found)?;
        }
    }
    // A person who merges what was told apart has thought better of it.
    target.distinct_from.retain(|id| *id != gone.id);
    gone.distinct_from.retain(|id| *id != target.id);
    Ok(())
}

/// What stands within the merged item stands within the other one now, beside its like.
fn merge_guests(draft: &mut Draft<'_>, into: ItemId, item: ItemId) -> Result<(), StoreError> {
    for id in draft.hosted(item)? {
        let mut guest = Item::clone(&*items::required(draft, id)?);
        for claim in guest.claims.iter_mut().filter(|claim| claim.within == Some(item)) {
            claim.within = Some(into).filter(|host| *host != id);
        }
        let like = moving::alike(draft, &guest)?;
        items::add_duplicates(draft, &mut guest, &like)?;
        draft.resolve_and_put(guest)?;
    }
    Ok(())
}
