//! What a claim says of redundancy.

use super::references::{self, Resolved};
use super::{Stating, Unit, items, stated};
use crate::change::Draft;
use crate::claim::EVIDENCE_BYTES_MAX;
use crate::engine::request::{Decision, Outcome};
use crate::model::item::Group;
use crate::model::relationship::{RelationshipClaimState, Require};
use crate::model::schema::Failure;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, Reason, Relationship, SourceId};
use crate::store::StoreError;
use crate::store::record::GroupNameRecord;

/// A group that a batch declared, to be checked when all its relationships are known.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Declared {
    pub(in crate::engine) unit: UnitKind,
    pub(in crate::engine) key: String,
    pub(in crate::engine) item: ItemId,
    pub(in crate::engine) group: String,
    pub(in crate::engine) require: Require,
}

/// Puts in place what the unit says of redundancy and takes back what it does not say any more.
pub(super) fn state_groups(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    decision: &mut Decision,
    declared: &mut Vec<Declared>,
) -> Result<Vec<Problem>, StoreError> {
    let claim = &unit.claim;
    let before = draft.kept_unit(stating.source, claim.kind, &claim.key)?;
    if claim.redundancies.is_empty() && before.as_ref().is_none_or(|unit| unit.groups.is_empty()) {
        return Ok(Vec::new());
    }
    let mut kept = before.map(std::sync::Arc::unwrap_or_clone).unwrap_or_default();
    let mut problems = Vec::new();
    let mut names = Vec::new();
    let mut changed = false;
    for said in &claim.redundancies {
        let item = match references::resolve(draft, stating, decision.item, &said.item)? {
            Ok(Resolved::Item(item)) => item,
            Ok(Resolved::Match(_) | Resolved::Later(_)) => {
                problems.push(Problem::new(
                    Reason::MatchInvalid,
                    "a redundancy group stands on an item that is known, not on a match",
                    said.group.clone(),
                ));
                continue;
            }
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let group = Group {
            name: said.group.clone(),
            require: said.require,
            inferred: said.inferred,
            confidence: said.confidence,
            source: stating.source,
            key: claim.key.clone(),
            evidence: bounded(&said.evidence),
            rejected: said.rejected,
        };
        changed |= put(draft, item, group)?;
        names.push(GroupNameRecord { item: item.0, group: said.group.clone() });
        declared.push(Declared {
            unit: claim.kind,
            key: claim.key.clone(),
            item,
            group: said.group.clone(),
            require: said.require,
        });
    }
    for old in std::mem::take(&mut kept.groups) {
        if names.contains(&old) {
            continue;
        }
        if stating.merge {
            names.push(old);
        } else {
            changed = true;
            remove(draft, stating.source, &claim.key, &old)?;
        }
    }
    names.sort();
    kept.groups = names;
    stated(&mut kept, stating, unit);
    draft.put_unit(stating.source, claim.kind, &claim.key, kept)?;
    if changed && decision.outcome == Outcome::Unchanged {
        decision.outcome = Outcome::Updated;
    }
    Ok(problems)
}

fn bounded(evidence: &str) -> String {
    evidence[..evidence.floor_char_boundary(EVIDENCE_BYTES_MAX)].to_owned()
}

/// Whether anything is new about it.
fn put(draft: &mut Draft<'_>, id: ItemId, group: Group) -> Result<bool, StoreError> {
    let mut item = Item::clone(&*items::required(draft, id)?);
    let same = |other: &&mut Group| {
        other.name == group.name && other.source == group.source && other.key == group.key
    };
    match item.groups.iter_mut().find(same) {
        Some(other) if *other == group => return Ok(false),
        Some(other) => *other = group,
        None => item.groups.push(group),
    }
    draft.put_item(item)?;
    Ok(true)
}

/// Takes a source's declaration of a group back.
pub(in crate::engine) fn remove(
    draft: &mut Draft<'_>,
    source: SourceId,
    key: &str,
    name: &GroupNameRecord,
) -> Result<(), StoreError> {
    let Some(item) = draft.item(ItemId(name.item))? else { return Ok(()) };
    let mut item = Item::clone(&item);
    item.groups.retain(|group| !(group.name == name.group && group.source == source && group.key == key));
    draft.put_item(item)
}

/// Takes back a group that turned out not to fit.
pub(in crate::engine) fn take_back(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    declared: &Declared,
) -> Result<(), StoreError> {
    let name = GroupNameRecord { item: declared.item.0, group: declared.group.clone() };
    remove(draft, stating.source, &declared.key, &name)?;
    let Some(mut unit) = draft.unit(stating.source, declared.unit, &declared.key)? else { return Ok(()) };
    unit.groups.retain(|other| *other != name);
    draft.put_unit(stating.source, declared.unit, &declared.key, unit)
}

/// The groups that no relationship is a member of, or that ask for more than their members.
pub(in crate::engine) fn unfit(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    declared: &[Declared],
) -> Result<Vec<(Declared, Problem)>, StoreError> {
    let mut unfit = Vec::new();
    for group in declared {
        let members = members(draft, stating, group)?;
        if let Some(problem) = misfit(draft, group, &members)? {
            unfit.push((group.clone(), problem));
        }
    }
    Ok(unfit)
}

fn misfit(
    draft: &Draft<'_>,
    group: &Declared,
    members: &[(ItemId, f64)],
) -> Result<Option<Problem>, StoreError> {
    let name = draft.item(group.item)?.map_or_else(String::new, |item| item.name.clone());
    let thing = format!("group \"{}\" of {name}", group.group);
    if members.is_empty() {
        return Ok(Some(
            Problem::new(Reason::GroupEmpty, format!("{thing} has no members"), thing)
                .expected("at least one relationship with that group", "none")
                .hint("name the group on the relationships that belong to it, spelt the same"),
        ));
    }
    let weight: f64 = members.iter().map(|(_, weight)| weight).sum();
    let (asked, there) = match group.require {
        Require::AtLeast(number) if number as usize > members.len() => {
            (format!("{number} members"), members.len().to_string())
        }
        Require::Capacity(capacity) if capacity > weight => {
            (format!("a capacity of {capacity}"), weight.to_string())
        }
        _ => return Ok(None),
    };
    Ok(Some(
        Problem::new(Reason::GroupTooSmall, format!("{thing} asks for {asked}, and has {there}"), thing)
            .expected(format!("at most {there}"), group.require.to_string()),
    ))
}

/// The members of a group, each item once, with its largest weight: those that stand in it, and those that its source
/// puts in it, whatever others say of them.
fn members(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    declared: &Declared,
) -> Result<Vec<(ItemId, f64)>, StoreError> {
    let mut members: std::collections::BTreeMap<ItemId, f64> = Default::default();
    let own = |claim: &&RelationshipClaimState| {
        claim.source == stating.source && claim.withdrawn_at.is_none() && claim.group == declared.group
    };
    for relationship in carrying(draft, declared.item)? {
        let own = relationship.claims.iter().find(own).map(|claim| claim.weight);
        let resolved = (relationship.group() == declared.group).then(|| relationship.effective().weight);
        let Some(weight) = own.into_iter().chain(resolved).reduce(f64::max) else { continue };
        let id = if relationship.from == declared.item { relationship.to } else { relationship.from };
        let known = members.entry(id).or_insert(weight);
        *known = known.max(weight);
    }
    Ok(members.into_iter().collect())
}

/// The relationships that stand in a group of an item.
pub(in crate::engine) fn edges(
    draft: &Draft<'_>,
    item: ItemId,
    group: &str,
) -> Result<Vec<Relationship>, StoreError> {
    let mut found = carrying(draft, item)?;
    found.retain(|edge| edge.group() == group);
    Ok(found)
}

/// The relationships over which an item depends on another.
fn carrying(draft: &Draft<'_>, item: ItemId) -> Result<Vec<Relationship>, StoreError> {
    let schema = draft.schema();
    let failure = |kind: &str| schema.relationship_type(kind).map(|declared| declared.failure);
    let mut found = draft.outgoing(item)?;
    found.retain(|edge| failure(&edge.kind) == Some(Failure::TargetToSource) && edge.stands());
    for (kind, from) in draft.incoming(item)? {
        if failure(&kind) == Some(Failure::SourceToTarget) {
            found.extend(draft.relationship(from, &kind, item)?.filter(Relationship::stands));
        }
    }
    Ok(found)
}
