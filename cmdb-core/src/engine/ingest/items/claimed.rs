//! The claim of a source on an item: what it says, what stays of what it said before, and whether that is news.

use std::collections::BTreeMap;

use super::Statement;
use super::fit::fit;
use crate::change::Draft;
use crate::claim::ItemClaim;
use crate::engine::ingest::references::{self, Resolved};
use crate::engine::ingest::{Stating, Unit, pins};
use crate::engine::purge;
use crate::engine::writer::SCOPE_BY_HAND;
use crate::model::item::{Identification, ItemClaimState, Marks, Method, Stated};
use crate::model::{Item, ItemId, SourceId, Timestamp, Value};
use crate::reconcile::Sources;
use crate::store::StoreError;
use crate::store::record::UnitRecord;

/// What the verdict says of how the claim's item was found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Now,
    AsBefore,
}

/// What a source claims of an item by a statement, and the attributes apart from it.
fn claimed(
    statement: &Statement<'_>,
    identification: &Identification,
    now: Timestamp,
) -> (ItemClaimState, BTreeMap<String, Stated>) {
    let (stating, claim, said) = (statement.stating, statement.claim, statement.said);
    let attributes: BTreeMap<String, Stated> = statement
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Stated { value: value.clone(), effective: false }))
        .collect();
    let state = ItemClaimState {
        source: stating.source,
        key: claim.key.clone(),
        scope: stating.scope.to_owned(),
        class: said.class.clone(),
        name: if said.name.is_empty() && !said.class.is_empty() {
            claim.key.clone()
        } else {
            said.name.clone()
        },
        attributes: BTreeMap::new(),
        within: statement.within,
        first_seen: stating.observed_at,
        observed_at: stating.observed_at,
        withdrawn_at: None,
        identification: identification.clone(),
        marks: Marks { otherwise_at: statement.otherwise_at, ..pins::marks(stating, said, now) },
    };
    (state, attributes)
}

pub(super) fn set_claim(
    item: &mut Item,
    statement: &Statement<'_>,
    (identification, found): (&Identification, Found),
    renews: Renews,
    now: Timestamp,
) {
    let (stating, claim, said) = (statement.stating, statement.claim, statement.said);
    let position =
        item.claims.iter().position(|other| other.source == stating.source && other.key == claim.key);
    let before = position.map(|place| item.claims[place].clone());
    let (mut after, mut attributes) = claimed(statement, identification, now);
    if let Some(before) = &before {
        after.first_seen = before.first_seen;
        if found == Found::AsBefore && matches!(identification.method, Method::Key | Method::Clone) {
            after.identification = before.identification.clone();
        }
        if stating.merge {
            merge(before, &mut after, &mut attributes, said);
        }
    }
    after.attributes = attributes;
    match (position, before) {
        (Some(place), Some(before)) => {
            if says_the_same(&before, &after) && renews == Renews::No {
                return;
            }
            // A claim from before the last one that arrives late does not undo it.
            if stating.observed_at < before.observed_at && before.withdrawn_at.is_none() {
                return;
            }
            if stating.merge && after.attributes.is_empty() && after.name.is_empty() && after.class.is_empty()
            {
                after.withdrawn_at = Some(now);
            }
            item.claims[place] = after;
        }
        _ => item.claims.push(after),
    }
}

fn merge(
    before: &ItemClaimState,
    after: &mut ItemClaimState,
    attributes: &mut BTreeMap<String, Stated>,
    said: &ItemClaim,
) {
    let cleared = &said.cleared;
    for (name, stated) in &before.attributes {
        if !cleared.contains(name) {
            attributes.entry(name.clone()).or_insert_with(|| stated.clone());
        }
    }
    for (new, old) in [(&mut after.class, &before.class), (&mut after.name, &before.name)] {
        if new.is_empty() {
            new.clone_from(old);
        }
    }
    if cleared.iter().any(|name| name == "name") {
        after.name.clear();
    }
    after.within = after.within.or(before.within);
    for (name, pin) in &before.marks.pins {
        after.marks.pins.entry(name.clone()).or_insert_with(|| pin.clone());
    }
    for name in before.marks.stale.iter().filter(|name| !said.attributes.contains_key(*name)) {
        after.marks.stale.insert(name.clone());
    }
}

fn says_the_same(before: &ItemClaimState, after: &ItemClaimState) -> bool {
    let values = |claim: &ItemClaimState| -> Vec<(String, Value)> {
        claim.attributes.iter().map(|(name, stated)| (name.clone(), stated.value.clone())).collect()
    };
    before.withdrawn_at.is_none()
        && before.class == after.class
        && before.name == after.name
        && before.scope == after.scope
        && before.within == after.within
        && values(before) == values(after)
        && before.identification == after.identification
        && same_marks(&before.marks, &after.marks)
}

/// When something else was said is no part of what is said.
fn same_marks(one: &Marks, other: &Marks) -> bool {
    one.stale == other.stale && one.nulls == other.nulls && one.pins == other.pins
}

/// Whether a unit says something else of its item than is known.
pub(in crate::engine) fn differs(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    kept: &UnitRecord,
) -> Result<bool, StoreError> {
    let claim = &unit.claim;
    let (Some(said), Some(id)) = (&claim.item, kept.item) else { return Ok(false) };
    let Some(item) = draft.item(ItemId(id))? else { return Ok(false) };
    let mine = |known: &&ItemClaimState| known.source == stating.source && known.key == claim.key;
    let Some(known) = item.claims.iter().find(mine) else { return Ok(false) };
    let within = match &said.within {
        None => None,
        Some(reference) => match references::resolve(draft, stating, None, reference)? {
            Ok(Resolved::Item(id)) => Some(id),
            Ok(Resolved::Match(_) | Resolved::Later(_)) | Err(_) => return Ok(false),
        },
    };
    let Ok(mut fitted) = fit(&draft.schema(), claim, said, None) else { return Ok(false) };
    purge::withhold(&item, stating.kind, &mut fitted.attributes);
    let attributes = fitted.attributes;
    let statement = Statement { stating, claim, said, attributes, within, otherwise_at: None };
    let (mut then, attributes) = claimed(&statement, &known.identification, draft.now());
    then.attributes = attributes;
    then.marks.stale.clone_from(&known.marks.stale);
    // Whether it stands by now is another question.
    let known = ItemClaimState { withdrawn_at: None, ..known.clone() };
    Ok(!says_the_same(&known, &then))
}

/// Keeps that a source said something else of an item at a moment, if it did so not later anyway.
pub(in crate::engine) fn said_otherwise(
    draft: &mut Draft<'_>,
    source: SourceId,
    key: &str,
    kept: &UnitRecord,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(item) = kept.item.map(|id| draft.item(ItemId(id))).transpose()?.flatten() else { return Ok(()) };
    let mut item = Item::clone(&item);
    let mine = |claim: &&mut ItemClaimState| claim.source == source && claim.key == key;
    for claim in item.claims.iter_mut().filter(mine).filter(|claim| claim.withdrawn_at.is_none()) {
        claim.marks.otherwise_at = claim.marks.otherwise_at.max(Some(at));
    }
    draft.resolve_and_put(item)
}

/// Whether a claim that says nothing new is put on record all the same, because it confirms what was said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Renews {
    Yes,
    No,
}

/// What a person states by hand is confirmed by being stated again; any other claim by its source being heard.
pub(super) fn may_go_stale(draft: &Draft<'_>, item: &Item, statement: &Statement<'_>) -> Renews {
    if statement.stating.scope != SCOPE_BY_HAND {
        return Renews::No;
    }
    let schema = draft.schema();
    let (name, kind) = draft.name_and_kind(statement.stating.source);
    let said = statement.said;
    let named = (!said.name.is_empty()).then_some("name");
    let ends = said
        .attributes
        .keys()
        .map(String::as_str)
        .chain(named)
        .any(|attribute| schema.precedence(&item.class, attribute, name, kind).stale_after_us.is_some());
    if ends { Renews::Yes } else { Renews::No }
}
