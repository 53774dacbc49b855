//! What a claim says of an item.

mod claimed;
mod duplicates;
mod fit;

use std::collections::BTreeMap;
use std::sync::Arc;

use claimed::{Found, may_go_stale, set_claim};
pub(in crate::engine) use claimed::{differs, said_otherwise};
use duplicates::forget_duplicates;
pub(in crate::engine) use duplicates::{add_duplicates, insert_sorted};
use fit::{check_claim, fit};

use super::around::Around;
use super::batch::{self, Batch};
use super::pins;
use super::references::{self, Resolved};
use super::relationships;
use super::waiting;
use super::{Stating, Unit, is_late, stated};
use crate::change::Draft;
use crate::claim::{Claim, ItemClaim, Reference, UnitKind};
use crate::engine::purge;
use crate::engine::request::{Decision, Outcome};
use crate::identify::{self, Verdict};
use crate::model::item::{Identification, Method};
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Problem, Reason, SourceKind, Status, Timestamp};
use crate::store::StoreError;

/// Decides every unit; those that speak of an item change it.
pub(super) fn state_items(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    units: &[Unit],
) -> Result<Vec<Decision>, StoreError> {
    let mut decisions: Vec<Option<Decision>> = units.iter().map(|_| None).collect();
    let batch = Batch::new(units);
    // A host may be named after what stands within it; go round until nothing more can be placed.
    let mut waiting: Vec<usize> = (0..units.len()).collect();
    // What an item stands on tells it from others, and may itself turn out to be another one than before: it comes
    // first, unless they stand on each other.
    let mut in_order = true;
    while !waiting.is_empty() {
        let mut later = Vec::new();
        for place in &waiting {
            let unit = &units[*place];
            let first = stands_on(draft, unit, &batch);
            if in_order && first.iter().any(|before| before != place && decisions[*before].is_none()) {
                later.push(*place);
                continue;
            }
            match state_item(draft, &stating.of(unit), unit, &batch)? {
                Some(decision) => decisions[*place] = Some(decision),
                None => later.push(*place),
            }
        }
        if later.len() == waiting.len() && !std::mem::take(&mut in_order) {
            for place in later {
                let (stating, unit) = (stating.of(&units[place]), &units[place]);
                let problem = host_unknown(&unit.claim);
                let decision = if waiting::may_wait(stating.kind, &unit.claim) {
                    waiting::park(draft, &stating, unit, &problem)?
                } else {
                    refuse_host(&unit.claim, problem)
                };
                decisions[place] = Some(decision);
            }
            break;
        }
        waiting = later;
    }
    Ok(decisions.into_iter().map(|decision| decision.expect("every unit was decided")).collect())
}

/// The units of the batch that this one's item stands within, or is told apart by.
fn stands_on(draft: &Draft<'_>, unit: &Unit, batch: &Batch<'_>) -> Vec<usize> {
    let schema = draft.schema();
    let Some(said) = &unit.claim.item else { return Vec::new() };
    let mut places = Vec::new();
    if let Some(Reference::Key(host)) = &said.within {
        places.extend(batch.place(host));
    }
    let Some(class) = schema.class(&said.class).filter(|class| !class.told_apart_by.is_empty()) else {
        return places;
    };
    let edges = unit.claim.relationships.iter().filter(|said| class.told_apart_by.contains(&said.kind));
    places.extend(edges.filter_map(|said| batch.place(batch::ends(&unit.claim.key, said)?.1)));
    places
}

/// Decides one unit; `None`: its host is not known yet.
fn state_item(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    batch: &Batch<'_>,
) -> Result<Option<Decision>, StoreError> {
    let claim = &unit.claim;
    let mut decision = Decision {
        key: claim.key.clone(),
        outcome: Outcome::Unchanged,
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    if let Err(problem) = check_claim(claim) {
        decision.outcome = Outcome::Refused(problem);
        return Ok(Some(decision));
    }
    if is_late(draft, stating, unit)? {
        let bound = draft.unit(stating.source, claim.kind, &claim.key)?.and_then(|unit| unit.item);
        decision.item = bound.map(ItemId);
        decision.notes.push(format!("{} was observed before what is known of it: left as it is", claim.key));
        return Ok(Some(decision));
    }
    let named = named(stating, claim).map(|id| draft.followed(id)).transpose()?;
    let known = match named {
        Some(id) => match draft.item(id)? {
            Some(item) => Some(item),
            None => {
                decision.outcome = Outcome::Refused(Problem::new(
                    Reason::ItemNotFound,
                    format!("there is no item {id}"),
                    claim.key.clone(),
                ));
                return Ok(Some(decision));
            }
        },
        None => {
            let bound = draft.kept_unit(stating.source, claim.kind, &claim.key)?.and_then(|unit| unit.item);
            bound.map(|id| draft.item(ItemId(id))).transpose()?.flatten()
        }
    };
    let Some(said) = &claim.item else {
        decision.item = named;
        return Ok(Some(decision));
    };
    let within = match &said.within {
        None => None,
        Some(reference) => match references::resolve(draft, stating, None, reference)? {
            Ok(Resolved::Item(id)) => Some(id),
            Ok(Resolved::Match(_) | Resolved::Later(_)) => {
                decision.outcome = Outcome::Refused(Problem::new(
                    Reason::MatchInvalid,
                    "a host is named by a key or an id, not by a match",
                    claim.key.clone(),
                ));
                return Ok(Some(decision));
            }
            Err(_) => return Ok(None),
        },
    };
    let schema = draft.schema();
    let mut fitted = match fit(&schema, claim, said, known.as_deref().filter(|_| named.is_some())) {
        Ok(fitted) => fitted,
        Err(problem) => {
            decision.outcome = Outcome::Refused(problem);
            return Ok(Some(decision));
        }
    };
    decision.notes = fitted.notes;
    if let Some(known) = &known {
        decision.notes.extend(purge::withhold(known, stating.kind, &mut fitted.attributes));
    }
    match pins::check(draft, stating, said, known.as_deref()) {
        Ok(notes) => decision.notes.extend(notes),
        Err(problem) => {
            decision.outcome = Outcome::Refused(problem);
            return Ok(Some(decision));
        }
    }
    let verdict = match named {
        Some(id) => Verdict {
            item: Some(id),
            duplicates: Vec::new(),
            identification: Identification { method: Method::Named, ..Identification::default() },
        },
        None => {
            let evidence =
                identify::evidence(&schema, &said.class, |name| fitted.attributes.get(name), within);
            let known = known.as_ref().map(|item| item.id);
            identify::decide(&evidence, known, &Around { draft, stating, claim, batch, known, within })?
        }
    };
    // Another item than the key was bound to; that one has been asked already.
    if let Some(id) = verdict.item.filter(|id| known.as_ref().is_none_or(|known| known.id != *id))
        && let Some(item) = draft.item(id)?
    {
        decision.notes.extend(purge::withhold(&item, stating.kind, &mut fitted.attributes));
    }
    let attributes = fitted.attributes;
    let statement = Statement { stating, claim, said, attributes, within, otherwise_at: unit.otherwise_at };
    place(draft, &statement, unit, known.as_deref(), verdict, &mut decision)?;
    Ok(Some(decision))
}

/// What is put on the item.
struct Statement<'a> {
    stating: &'a Stating<'a>,
    claim: &'a Claim,
    said: &'a ItemClaim,
    attributes: Attributes,
    within: Option<ItemId>,
    otherwise_at: Option<Timestamp>,
}

fn place(
    draft: &mut Draft<'_>,
    statement: &Statement<'_>,
    unit: &Unit,
    known: Option<&Item>,
    verdict: Verdict,
    decision: &mut Decision,
) -> Result<(), StoreError> {
    let (stating, claim) = (statement.stating, statement.claim);
    let taken_over = known.filter(|known| Some(known.id) != verdict.item);
    if let Some(old) = taken_over {
        leave(draft, statement, old)?;
        unsettle(draft, statement, old)?;
    }
    let before = match verdict.item {
        Some(id) => draft.item(id)?,
        None => None,
    };
    let mut item = match &before {
        Some(item) => Item::clone(item),
        None => new_item(draft, statement),
    };
    let renews = may_go_stale(draft, &item, statement);
    // How the key was bound stays of interest; that it was known again is not, nor what is on record already.
    let bound = known.is_some_and(|known| known.id == item.id)
        && verdict.duplicates.iter().all(|other| item.duplicates.contains(other));
    let found = if bound { Found::AsBefore } else { Found::Now };
    set_claim(&mut item, statement, (&verdict.identification, found), renews, draft.now());
    pins::unpin(&mut item, &statement.said.unpinned);
    if let Some(before) = &before {
        forget_duplicates(draft, before, &mut item, &verdict.duplicates)?;
    }
    add_duplicates(draft, &mut item, &verdict.duplicates)?;
    let id = item.id;
    draft.resolve_and_put(item)?;
    if let Some(before) = &before {
        relationships::follow(draft, id, before.status)?;
    }
    let after = draft.item(id)?;
    decision.outcome = match &before {
        None => Outcome::Created,
        Some(_) if before == after => Outcome::Unchanged,
        Some(_) => Outcome::Updated,
    };
    decision.item = Some(id);
    decision.identification = Some(verdict.identification);
    let mut kept = draft.unit(stating.source, claim.kind, &claim.key)?.unwrap_or_default();
    waiting::forget(draft, &mut kept)?;
    kept.item = Some(id.0);
    stated(&mut kept, stating, unit);
    draft.put_unit(stating.source, claim.kind, &claim.key, kept)
}

fn new_item(draft: &mut Draft<'_>, statement: &Statement<'_>) -> Item {
    Item {
        id: draft.new_item(),
        class: statement.said.class.clone(),
        name: statement.claim.key.clone(),
        status: Status::Active,
        status_since: draft.now(),
        first_seen: statement.stating.observed_at,
        // Mostly it stays the only one.
        claims: Vec::with_capacity(1),
        groups: Vec::new(),
        duplicates: Vec::new(),
        merged_into: None,
        distinct_from: Vec::new(),
        purged: BTreeMap::new(),
    }
}

/// Another item takes the key over: the claim leaves this one.
fn leave(draft: &mut Draft<'_>, statement: &Statement<'_>, old: &Item) -> Result<(), StoreError> {
    let now = draft.now();
    let (id, before) = (old.id, old.status);
    let mut old = old.clone();
    for claim in &mut old.claims {
        if claim.source == statement.stating.source && claim.key == statement.claim.key {
            claim.withdrawn_at.get_or_insert(now);
        }
    }
    draft.resolve_and_put(old)?;
    relationships::follow(draft, id, before)
}

/// What a source said to stand on, within or beside an item that its key leaves must be stated again: it is read as
/// said of the other item.
fn unsettle(draft: &mut Draft<'_>, statement: &Statement<'_>, old: &Item) -> Result<(), StoreError> {
    let (source, key) = (statement.stating.source, &statement.claim.key);
    let said_elsewhere = |edge: &crate::model::Relationship| {
        edge.claims.iter().any(|claim| claim.source == source && claim.key != *key)
    };
    let mut others = !draft.hosted(old.id)?.is_empty() || draft.outgoing(old.id)?.iter().any(said_elsewhere);
    for (kind, from) in draft.incoming(old.id)? {
        others = others || draft.relationship(from, &kind, old.id)?.as_ref().is_some_and(said_elsewhere);
    }
    if others {
        draft.unsettle(source)?;
    }
    Ok(())
}

/// The item that the key names by its id, where a person may do so.
fn named(stating: &Stating<'_>, claim: &Claim) -> Option<ItemId> {
    match stating.kind {
        SourceKind::Agent | SourceKind::Connector => None,
        SourceKind::Person | SourceKind::Import | SourceKind::Rule => {
            if claim.kind == UnitKind::Item {
                claim.key.parse().ok()
            } else {
                None
            }
        }
    }
}

fn host_unknown(claim: &Claim) -> Problem {
    let host = match claim.item.as_ref().and_then(|item| item.within.as_ref()) {
        Some(Reference::Key(key)) => key.clone(),
        Some(Reference::SourceKey { source, key }) => format!("{source}:{key}"),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    };
    Problem::new(
        Reason::ReferenceUnknown,
        format!("{} is said to be within \"{host}\", which nobody names", claim.key),
        claim.key.clone(),
    )
    .expected("the key of an item of the same source, source:key, or an id", host)
    .hint("name the host in the same batch or before")
}

fn refuse_host(claim: &Claim, problem: Problem) -> Decision {
    Decision {
        key: claim.key.clone(),
        outcome: Outcome::Refused(problem),
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    }
}

/// An item by number, as it must be there.
pub(in crate::engine) fn required(draft: &Draft<'_>, id: ItemId) -> Result<Arc<Item>, StoreError> {
    draft.item(id)?.ok_or_else(|| StoreError::Damaged {
        table: crate::store::Table::Items.name(),
        detail: format!("{id} is referred to and not there"),
    })
}
