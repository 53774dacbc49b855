//! When a claim has not been confirmed for too long, and the next source in the order may take over.
//!
//! The schema says per class, attribute and source how long a claim counts unconfirmed. A claim is *marked* stale
//! only where that changes something: it decides an attribute, and another source stands that is not stale itself.
//! Marks are part of the item's version, so that a moment in the past answers as it did.
//!
//! Pure: when a claim was last confirmed is asked of whoever knows.

use super::{Sources, winner};
use crate::model::item::ItemClaimState;
use crate::model::schema::Schema;
use crate::model::{Item, Timestamp};

/// Tells when a claim was last confirmed.
pub type Confirmed<'a> = dyn Fn(&ItemClaimState) -> Timestamp + 'a;

/// How long what a claim says of an attribute counts unconfirmed, in microseconds; `None`: as long as it stands.
#[must_use]
pub fn stale_after(
    item: &Item,
    attribute: &str,
    claim: &ItemClaimState,
    schema: &Schema,
    sources: &dyn Sources,
) -> Option<i64> {
    let (name, kind) = sources.name_and_kind(claim.source);
    schema.precedence(&item.class, attribute, name, kind).stale_after_us
}

/// The earliest moment at which a claim on the item may be stale, judged by the claims alone.
#[must_use]
pub fn may_be_stale_at(item: &Item, schema: &Schema, sources: &dyn Sources) -> Option<Timestamp> {
    next_due(item, schema, sources, &|claim| claim.observed_at)
}

/// Marks what is stale now and takes marks back from what was confirmed; when to look again.
pub fn judge_stale(
    item: &mut Item,
    schema: &Schema,
    sources: &dyn Sources,
    confirmed: &Confirmed<'_>,
    now: Timestamp,
) -> Option<Timestamp> {
    for place in 0..item.claims.len() {
        let fresh: Vec<String> = item.claims[place]
            .marks
            .stale
            .iter()
            .filter(|attribute| {
                let claim = &item.claims[place];
                let after = stale_after(item, attribute, claim, schema, sources);
                after.is_none_or(|after| confirmed(claim).plus_us(after) > now)
            })
            .cloned()
            .collect();
        for attribute in fresh {
            item.claims[place].marks.stale.remove(&attribute);
        }
    }
    // Each round marks one claim for one attribute, so it ends.
    loop {
        let mut next: Option<Timestamp> = None;
        let mut overdue = None;
        for (place, attribute, due) in at_risk(item, schema, sources, confirmed) {
            if due <= now {
                overdue = Some((place, attribute));
                break;
            }
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        let Some((place, attribute)) = overdue else { return next };
        item.claims[place].marks.stale.insert(attribute);
    }
}

fn next_due(
    item: &Item,
    schema: &Schema,
    sources: &dyn Sources,
    confirmed: &Confirmed<'_>,
) -> Option<Timestamp> {
    at_risk(item, schema, sources, confirmed).into_iter().map(|(_, _, due)| due).min()
}

/// The claims that decide an attribute and would give way if they were stale: place, attribute, and when they are.
fn at_risk(
    item: &Item,
    schema: &Schema,
    sources: &dyn Sources,
    confirmed: &Confirmed<'_>,
) -> Vec<(usize, String, Timestamp)> {
    let mut found = Vec::new();
    // The usual item has one claim: nobody can take over.
    if item.standing().nth(1).is_none() {
        return found;
    }
    let mut attributes: Vec<&str> =
        item.claims.iter().flat_map(|claim| claim.attributes.keys()).map(String::as_str).collect();
    attributes.push("name");
    attributes.sort_unstable();
    attributes.dedup();
    for attribute in attributes {
        let says = |claim: &ItemClaimState| match attribute {
            "name" => !claim.name.is_empty(),
            _ => claim.attributes.contains_key(attribute),
        };
        let place = match attribute {
            "name" => super::best(item, attribute, schema, sources, &says),
            _ => winner(item, attribute, schema, sources),
        };
        let Some(place) = place else { continue };
        let claim = &item.claims[place];
        let fresh =
            |claim: &ItemClaimState| claim.withdrawn_at.is_none() && !claim.marks.stale.contains(attribute);
        if !fresh(claim) || claim.marks.pins.contains_key(attribute) {
            continue;
        }
        let another = item
            .claims
            .iter()
            .enumerate()
            .any(|(other, claim)| other != place && says(claim) && fresh(claim));
        if let (true, Some(after)) = (another, stale_after(item, attribute, claim, schema, sources)) {
            found.push((place, attribute.to_owned(), confirmed(claim).plus_us(after)));
        }
    }
    found
}
