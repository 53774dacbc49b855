//! What a claim says of relationships.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::matches::Asked;
use super::references::{self, Resolved};
use super::withdraw::{Ceased, withdraw_edge};
use super::{Stating, Unit, matches, stated, waiting};
use crate::change::{Draft, edge_record};
use crate::claim::{Reference, RelationshipClaim};
use crate::engine::request::{Decision, Outcome};
use crate::model::relationship::RelationshipClaimState;
use crate::model::schema::Failure;
use crate::model::unit::UnitKind;
use crate::model::{ItemId, Problem, Reason, Relationship, Status};
use crate::reconcile::{self, Gone};
use crate::store::StoreError;
use crate::store::record::{EdgeRecord, UnitRecord};

/// Puts in place what the unit says of relationships and takes back what it said before and does not say now.
/// The problems of those that were refused.
pub(super) fn state_relationships(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    decision: &mut Decision,
) -> Result<Vec<Problem>, StoreError> {
    let claim = &unit.claim;
    let before = draft.kept_unit(stating.source, claim.kind, &claim.key)?;
    if claim.relationships.is_empty() && before.as_deref().is_none_or(says_nothing) {
        return Ok(Vec::new());
    }
    let mut kept = before.map(Arc::unwrap_or_clone).unwrap_or_default();
    let mut problems = Vec::new();
    let mut edges: BTreeSet<EdgeRecord> = BTreeSet::new();
    let mut changed = false;
    if !stating.merge {
        changed |= !kept.matches.is_empty();
        for id in std::mem::take(&mut kept.matches) {
            matches::remove(draft, id)?;
        }
    }
    let mut asked = Asked::of(draft, &kept.matches)?;
    for said in &claim.relationships {
        match state_one(draft, stating, unit, decision.item, said, &mut asked)? {
            Ok(Stated::Edge(edge, new)) => {
                changed |= new;
                edges.insert(edge);
            }
            Ok(Stated::Match(id, new, notes)) => {
                changed |= new;
                if new {
                    kept.matches.push(id);
                }
                decision.notes.extend(notes);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let old: BTreeSet<EdgeRecord> = std::mem::take(&mut kept.relationships).into_iter().collect();
    if stating.merge {
        edges.extend(old);
    } else {
        for edge in old.difference(&edges) {
            changed = true;
            let named = (claim.kind, claim.key.as_str());
            withdraw_edge(draft, stating.source, named, edge, Ceased::Unnamed, unit.otherwise_at)?;
        }
    }
    kept.relationships = edges.into_iter().collect();
    stated(&mut kept, stating, unit);
    draft.put_unit(stating.source, claim.kind, &claim.key, kept)?;
    if changed && decision.outcome == Outcome::Unchanged {
        decision.outcome = if claim.kind == UnitKind::Relationship && !problems.is_empty() {
            Outcome::Unchanged
        } else {
            Outcome::Updated
        };
    }
    Ok(problems)
}

/// What a unit observed before what it says now: it is there, and not seen any more.
pub(in crate::engine) fn leave_traces(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    kept: &UnitRecord,
) -> Result<(), StoreError> {
    let claim = &unit.claim;
    if stating.observed_at.plus_us(reconcile::STOPPED_FOR_US) <= draft.now() {
        return Ok(());
    }
    let this = kept.item.map(ItemId);
    for said in claim.relationships.iter().filter(|said| said.inferred) {
        let (Ok(Resolved::Item(from)), Ok(Resolved::Item(to)), Ok(())) = (
            references::resolve(draft, stating, this, &said.from)?,
            references::resolve(draft, stating, this, &said.to)?,
            check_type(draft, said),
        ) else {
            continue;
        };
        if from == to {
            continue;
        }
        let mine = |other: &&RelationshipClaimState| {
            other.source == stating.source && other.unit == claim.kind && other.key == claim.key
        };
        let known = draft.relationship(from, &said.kind, to)?;
        let known = known.as_ref().and_then(|known| known.claims.iter().find(mine));
        // It is named still, or was again since.
        if known.is_some_and(|known| known.withdrawn_at.is_none() || known.observed_at >= stating.observed_at)
        {
            continue;
        }
        let mut state = claim_state(stating, unit, said);
        state.withdrawn_at = known.and_then(|known| known.withdrawn_at).or(Some(draft.now()));
        put_claim(draft, from, &said.kind, to, state)?;
    }
    Ok(())
}

fn says_nothing(unit: &UnitRecord) -> bool {
    unit.relationships.is_empty() && unit.matches.is_empty()
}

enum Stated {
    /// Which, and whether anything is new about it.
    Edge(EdgeRecord, bool),
    /// It waits for, or holds on to, whatever matches; whether it is new, and why it waits.
    Match(u64, bool, Vec<String>),
}

/// What one end leads to. What a machine names by a key may come later.
fn end(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    this: Option<ItemId>,
    said: &Reference,
    notes: &mut Vec<String>,
) -> Result<Result<Resolved, Problem>, StoreError> {
    Ok(match references::resolve(draft, stating, this, said)? {
        Err(problem) if waiting::may_come(stating.kind, said) => {
            notes.push(format!("waits: {}", problem.message));
            Ok(Resolved::Later(said.clone()))
        }
        found => found,
    })
}

fn state_one(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    this: Option<ItemId>,
    said: &RelationshipClaim,
    asked: &mut Asked,
) -> Result<Result<Stated, Problem>, StoreError> {
    if let Err(problem) = check_type(draft, said) {
        return Ok(Err(problem));
    }
    let mut notes = Vec::new();
    let from = match end(draft, stating, this, &said.from, &mut notes)? {
        Ok(from) => from,
        Err(problem) => return Ok(Err(problem)),
    };
    let to = match end(draft, stating, this, &said.to, &mut notes)? {
        Ok(to) => to,
        Err(problem) => return Ok(Err(problem)),
    };
    let state = claim_state(stating, unit, said);
    let (from, to) = match (from, to) {
        (Resolved::Item(from), Resolved::Item(to)) => (from, to),
        (from, to) => {
            let found = matches::add(draft, (&unit.claim, asked), &said.kind, from, to, &state)?;
            return Ok(found.map(|(id, new)| Stated::Match(id, new, notes)));
        }
    };
    if from == to {
        return Ok(Err(itself(&said.kind, from)));
    }
    if state.only_groups() && draft.relationship(from, &said.kind, to)?.is_none() {
        return Ok(Err(not_there(from, &said.kind, to)));
    }
    let new = put_claim(draft, from, &said.kind, to, state)?;
    Ok(Ok(Stated::Edge(edge_record(from, &said.kind, to), new)))
}

fn not_there(from: ItemId, kind: &str, to: ItemId) -> Problem {
    let thing = format!("{from} {kind} {to}");
    Problem::new(
        Reason::RelationshipInvalid,
        format!("{thing} is not there, so it can be in no group"),
        thing,
    )
    .hint("a group is made of relationships that somebody states; `cmdb relate` states one")
}

fn itself(kind: &str, item: ItemId) -> Problem {
    Problem::new(
        Reason::RelationshipInvalid,
        format!("{item} cannot be related to itself"),
        format!("{item} {kind} {item}"),
    )
    .expected("two different items", item.to_string())
}

fn check_type(draft: &Draft<'_>, said: &RelationshipClaim) -> Result<(), Problem> {
    let schema = draft.schema();
    let Some(declared) = schema.relationship_type(&said.kind) else {
        let hint = if let Some(declared) = schema.relationship_type_by_inverse(&said.kind) {
            format!("that is {} read backwards: write it from the other end", declared.name)
        } else if let Some(nearest) = schema.nearest_relationship_type(&said.kind) {
            format!("did you mean {nearest}?")
        } else {
            "`cmdb classes --relationships` lists them".to_owned()
        };
        return Err(Problem::new(
            Reason::RelationshipTypeUnknown,
            format!("there is no relationship type \"{}\"", said.kind),
            said.kind.clone(),
        )
        .hint(hint));
    };
    if !said.group.is_empty() && declared.failure == Failure::None {
        return Err(Problem::new(
            Reason::RelationshipInvalid,
            format!("{} carries no failure, so it cannot be a member of group \"{}\"", said.kind, said.group),
            said.kind.clone(),
        )
        .hint("leave the group out"));
    }
    let in_order = said.weight.is_finite()
        && said.weight > 0.0
        && said.confidence.is_finite()
        && (0.0..=1.0).contains(&said.confidence);
    if !in_order {
        return Err(Problem::new(
            Reason::RelationshipInvalid,
            "weight or confidence is out of range",
            said.kind.clone(),
        )
        .expected(
            "a weight above 0 and a confidence from 0 to 1",
            format!("weight {}, confidence {}", said.weight, said.confidence),
        ));
    }
    Ok(())
}

fn claim_state(stating: &Stating<'_>, unit: &Unit, said: &RelationshipClaim) -> RelationshipClaimState {
    RelationshipClaimState {
        source: stating.source,
        unit: unit.claim.kind,
        key: unit.claim.key.clone(),
        scope: stating.scope.to_owned(),
        group: said.group.clone(),
        weight: said.weight,
        inferred: said.inferred,
        confidence: said.confidence,
        denied: said.denied,
        attributes: said.attributes.clone(),
        first_seen: stating.observed_at,
        observed_at: stating.observed_at,
        withdrawn_at: None,
    }
}

/// Puts one source's claim on a relationship, making it when there is none. Whether anything is new about it.
pub(super) fn put_claim(
    draft: &mut Draft<'_>,
    from: ItemId,
    kind: &str,
    to: ItemId,
    state: RelationshipClaimState,
) -> Result<bool, StoreError> {
    let Some(mut relationship) = draft.relationship(from, kind, to)? else {
        let new = Relationship {
            from,
            kind: kind.to_owned(),
            to,
            status: Status::Active,
            status_since: draft.now(),
            denied: false,
            first_seen: state.first_seen,
            // Room for one claim: mostly it stays the only one.
            claims: vec![state],
            effective: 0,
            grouped_by: 0,
        };
        return resolve_and_put(draft, new);
    };
    let same = |claim: &RelationshipClaimState| {
        claim.source == state.source && claim.unit == state.unit && claim.key == state.key
    };
    match relationship.claims.iter_mut().find(|claim| same(claim)) {
        Some(claim) => {
            let mut state = RelationshipClaimState { first_seen: claim.first_seen, ..state };
            if claim.withdrawn_at.is_none() {
                let restated = RelationshipClaimState { observed_at: state.observed_at, ..claim.clone() };
                if restated == state {
                    state.observed_at = claim.observed_at;
                }
            }
            *claim = state;
        }
        None => relationship.claims.push(state),
    }
    resolve_and_put(draft, relationship)
}

/// Makes the relationship current under its resolved claims; whether that is another one.
pub(in crate::engine) fn resolve_and_put(
    draft: &mut Draft<'_>,
    mut relationship: Relationship,
) -> Result<bool, StoreError> {
    let schema = draft.schema();
    let now = draft.now();
    // What becomes of it when nobody claims it depends on its item; otherwise that need not be read.
    let gone = if reconcile::is_claimed(&relationship) {
        Gone::Stopped
    } else {
        Gone::with(draft.item(relationship.from)?.map(|item| item.status))
    };
    reconcile::resolve_relationship(&mut relationship, &schema, draft, gone, now);
    draft.put_relationship(relationship)
}

/// The relationships that nobody claims go with the item they are written from, where that went missing or is back.
pub(in crate::engine) fn follow(draft: &mut Draft<'_>, id: ItemId, before: Status) -> Result<(), StoreError> {
    let after = draft.item(id)?.map(|item| item.status);
    if Gone::with(after) == Gone::with(Some(before)) {
        return Ok(());
    }
    for relationship in draft.outgoing(id)? {
        if relationship.status != Status::Active {
            resolve_and_put(draft, relationship)?;
        }
    }
    Ok(())
}
