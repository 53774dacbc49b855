//! What a person holds against every other source, for a time and with a reason.
//!
//! Knows nothing of who wins. Invariant: an attribute of an item is pinned by at most one claim; it must be unpinned
//! before it is pinned or set by the same person anew.

use super::Stating;
use crate::change::Draft;
use crate::claim::ItemClaim;
use crate::model::item::{Marks, Pin};
use crate::model::{Item, Problem, Reason, SourceId, SourceKind, Timestamp};
use crate::reconcile::Sources;

/// The longest reason of a pin, in bytes.
pub const REASON_BYTES_MAX: usize = 4_096;

/// Whether the claim may pin what it pins, and say what it says; what deserves attention.
pub(super) fn check(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    said: &ItemClaim,
    known: Option<&Item>,
) -> Result<Vec<String>, Problem> {
    if said.pins.is_empty() && said.unpinned.is_empty() && stating.kind != SourceKind::Person {
        return Ok(Vec::new());
    }
    let invalid = |message: String, attribute: &str| Problem::new(Reason::PinInvalid, message, attribute);
    if stating.kind != SourceKind::Person
        && let Some(attribute) = said.pins.keys().chain(&said.unpinned).next()
    {
        return Err(invalid("only a person pins a value or unpins it".to_owned(), attribute));
    }
    for (attribute, pin) in &said.pins {
        if !said.attributes.contains_key(attribute) {
            return Err(invalid(format!("{attribute} is pinned without a value"), attribute)
                .hint("state the value in the same claim"));
        }
        if pin.reason.trim().is_empty() || pin.reason.len() > REASON_BYTES_MAX {
            return Err(invalid(format!("{attribute} is pinned without a reason"), attribute)
                .expected(
                    format!("a reason of at most {REASON_BYTES_MAX} bytes"),
                    pin.reason.len().to_string(),
                )
                .hint("say why: --reason TEXT"));
        }
        if let Some(until) = pin.until.filter(|until| *until <= draft.now()) {
            return Err(invalid(format!("the pin of {attribute} has ended already"), attribute)
                .expected("a moment to come", until.to_string()));
        }
    }
    let Some(item) = known else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    let touched = said.attributes.keys().chain(&said.cleared);
    for attribute in touched.filter(|attribute| !said.unpinned.contains(attribute)) {
        let Some((source, pin)) = pinned(item, attribute) else { continue };
        let by = draft.name_and_kind(source).0;
        let until = pin.until.map_or_else(|| "it is unpinned".to_owned(), |until| until.to_string());
        if source == stating.source || said.pins.contains_key(attribute) {
            return Err(Problem::new(
                Reason::Pinned,
                format!("{attribute} of {} is pinned by {by} until {until}: {}", item.id, pin.reason),
                attribute.clone(),
            )
            .hint(format!("`cmdb unpin {} {attribute}` first", item.id)));
        }
        notes.push(format!(
            "{attribute} is pinned by {by} until {until} ({}): your value is kept and does not count before",
            pin.reason
        ));
    }
    Ok(notes)
}

/// Who pins an attribute of an item, and how.
fn pinned<'a>(item: &'a Item, attribute: &str) -> Option<(SourceId, &'a Pin)> {
    item.standing().find_map(|claim| Some((claim.source, claim.marks.pins.get(attribute)?)))
}

/// What a claim says of its attributes beside their values.
pub(super) fn marks(stating: &Stating<'_>, said: &ItemClaim, now: Timestamp) -> Marks {
    let pin = |pin: &crate::claim::PinClaim| Pin { since: now, until: pin.until, reason: pin.reason.clone() };
    Marks {
        pins: said.pins.iter().map(|(name, how)| (name.clone(), pin(how))).collect(),
        // With merge they take back what was said.
        nulls: if stating.merge { Default::default() } else { said.cleared.iter().cloned().collect() },
        ..Marks::default()
    }
}

/// Takes pins away, whoever set them.
pub(super) fn unpin(item: &mut Item, attributes: &[String]) {
    for claim in &mut item.claims {
        claim.marks.pins.retain(|name, _| !attributes.contains(name));
    }
}
