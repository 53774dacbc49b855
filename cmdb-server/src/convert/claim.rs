//! Claims as they come in: decoded, bounded, and in the model's words.
//!
//! Does not know the schema: whether a class or an attribute exists is the engine's question.

use std::collections::BTreeMap;

use cmdb_core::claim::{
    ATTRIBUTES_MAX, Claim, ItemClaim, KEY_BYTES_MAX, Match, PinClaim, RELATIONSHIPS_MAX, RedundancyClaim,
    Reference, RelationshipClaim, UnitKind,
};
use cmdb_core::model::value::Attributes;
use cmdb_core::model::{ItemId, Problem, Reason, Require, Timestamp};
use cmdb_proto::v1;
use cmdb_proto::v1::reference::To;
use prost::Message;

use super::value::value_from;

/// Decodes the body of a report's entry.
///
/// # Errors
/// When it is not a claim, or breaks a limit.
pub fn decode(body: &[u8]) -> Result<Claim, Problem> {
    let claim = v1::Claim::decode(body).map_err(|error| {
        Problem::new(Reason::FormatInvalid, format!("the entry does not decode: {error}"), "entry")
            .expected("an encoded cmdb.v1.Claim", format!("{} bytes", body.len()))
    })?;
    claim_from(claim)
}

/// A claim as it came in.
///
/// # Errors
/// What is wrong with it, the first of several.
pub fn claim_from(claim: v1::Claim) -> Result<Claim, Problem> {
    let kind = kind_of(&claim);
    let key = key(claim.key, "claim")?;
    let parts = claim.relationships.len() + claim.redundancies.len();
    if parts > RELATIONSHIPS_MAX {
        return Err(too_many("relationships and redundancy groups", &key, RELATIONSHIPS_MAX, parts));
    }
    let item = claim.item.map(|item| item_from(item, &key)).transpose()?;
    let relationships = claim
        .relationships
        .into_iter()
        .map(|claim| relationship_from(claim, &key))
        .collect::<Result<_, _>>()?;
    let redundancies =
        claim.redundancies.into_iter().map(|claim| redundancy_from(claim, &key)).collect::<Result<_, _>>()?;
    Ok(Claim { kind, key, item, relationships, redundancies })
}

/// A claim that says nothing of an item of its own is about its relationships, or its redundancy groups.
fn kind_of(claim: &v1::Claim) -> UnitKind {
    let this = |end: &Option<v1::Reference>| end.is_none();
    let of_item = claim.item.is_some()
        || claim.relationships.iter().any(|claim| this(&claim.from) || this(&claim.to))
        || claim.redundancies.iter().any(|claim| this(&claim.item));
    match (of_item, claim.relationships.is_empty(), claim.redundancies.is_empty()) {
        (false, false, true) => UnitKind::Relationship,
        (false, true, false) => UnitKind::Redundancy,
        _ => UnitKind::Item,
    }
}

fn item_from(item: v1::ItemClaim, key: &str) -> Result<ItemClaim, Problem> {
    let (attributes, cleared) = attributes_from(item.attributes, key)?;
    let within = item.within.map(reference_from).transpose()?;
    let pinned = item.pins.len().max(item.unpinned.len());
    if pinned > ATTRIBUTES_MAX {
        return Err(too_many("pins", key, ATTRIBUTES_MAX, pinned));
    }
    let pins = item.pins.into_iter().map(|(name, pin)| (name, pin_from(pin))).collect();
    let unpinned = item.unpinned;
    Ok(ItemClaim { class: item.class, name: item.name, attributes, cleared, pins, unpinned, within })
}

fn pin_from(pin: v1::PinClaim) -> PinClaim {
    PinClaim { until: (pin.until_us != 0).then_some(Timestamp(pin.until_us)), reason: pin.reason }
}

fn relationship_from(claim: v1::RelationshipClaim, key: &str) -> Result<RelationshipClaim, Problem> {
    let thing = || format!("{key}: {}", claim.r#type);
    if claim.from.is_none() && claim.to.is_none() {
        return Err(Problem::new(Reason::RelationshipInvalid, "the relationship has neither end", thing())
            .hint("give from, or to, or both; the one not given is the claim's own item"));
    }
    let weight = number_or_one(claim.weight).filter(|weight| *weight > 0.0).ok_or_else(|| {
        Problem::new(Reason::RelationshipInvalid, "the weight is not a positive number", thing())
            .expected("a number above 0", claim.weight.to_string())
    })?;
    let confidence = confidence(claim.confidence, key)?;
    let (attributes, _) = attributes_from(claim.attributes, key)?;
    Ok(RelationshipClaim {
        from: end_from(claim.from)?,
        kind: claim.r#type,
        to: end_from(claim.to)?,
        group: claim.group,
        weight,
        inferred: claim.inferred,
        confidence,
        denied: claim.denied,
        attributes,
    })
}

fn redundancy_from(claim: v1::RedundancyClaim, key: &str) -> Result<RedundancyClaim, Problem> {
    let require: Require =
        claim.require.parse().map_err(|error: cmdb_core::model::relationship::NotARequirement| {
            Problem::new(Reason::RequireInvalid, error.to_string(), format!("{key}: group {}", claim.group))
                .expected("all, any, at_least N, percent P or capacity C", &claim.require)
        })?;
    Ok(RedundancyClaim {
        item: end_from(claim.item)?,
        confidence: confidence(claim.confidence, key)?,
        group: claim.group,
        require,
        inferred: claim.inferred,
        evidence: claim.evidence,
        rejected: false,
    })
}

fn end_from(reference: Option<v1::Reference>) -> Result<Reference, Problem> {
    reference.map_or(Ok(Reference::This), reference_from)
}

/// A reference as it came in.
///
/// # Errors
/// When it names nothing.
pub fn reference_from(reference: v1::Reference) -> Result<Reference, Problem> {
    let invalid = |message: &str, given: String| {
        Problem::new(Reason::ReferenceUnknown, message, "reference")
            .expected("a key, a source and a key, attributes to match, or an id such as @42", given)
    };
    match reference.to {
        Some(To::Key(text)) => Ok(Reference::Key(key(text, "reference")?)),
        Some(To::SourceKey(named)) if named.source.is_empty() => {
            Err(invalid("the reference to another source's key names no source", named.key))
        }
        Some(To::SourceKey(named)) => {
            Ok(Reference::SourceKey { source: named.source, key: key(named.key, "reference")? })
        }
        Some(To::Match(matched)) => {
            let (attributes, _) = attributes_from(matched.attributes, "match")?;
            if attributes.is_empty() {
                return Err(Problem::new(Reason::MatchInvalid, "the match names no attribute", "match")
                    .hint("name attributes that exactly one item has"));
            }
            Ok(Reference::Match(Match { class: matched.class, attributes }))
        }
        Some(To::Id(text)) => text
            .parse::<ItemId>()
            .map(Reference::Id)
            .map_err(|error| invalid(&format!("\"{text}\" is not an id: {error}"), text.clone())),
        None => Err(invalid("the reference names nothing", String::new())),
    }
}

/// The attributes that have a value, and the names of those that have none.
fn attributes_from(
    attributes: BTreeMap<String, v1::Value>,
    key: &str,
) -> Result<(Attributes, Vec<String>), Problem> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Err(too_many("attributes", key, ATTRIBUTES_MAX, attributes.len()));
    }
    let mut values = Attributes::new();
    let mut cleared = Vec::new();
    for (name, value) in attributes {
        match value_from(value, &format!("{key}: {name}"))? {
            Some(value) => {
                values.insert(name, value);
            }
            None => cleared.push(name),
        }
    }
    cleared.sort_unstable();
    Ok((values, cleared))
}

fn key(key: String, thing: &str) -> Result<String, Problem> {
    let message = if key.is_empty() {
        "the key is empty"
    } else if key.len() > KEY_BYTES_MAX {
        "the key is too long"
    } else if key.chars().any(char::is_control) {
        "the key holds a control character"
    } else {
        return Ok(key);
    };
    // A key that is refused may hold anything: show it escaped, and not all of it.
    let shown: String = key.chars().take(80).flat_map(char::escape_debug).collect();
    Err(Problem::new(Reason::KeyInvalid, message, thing)
        .expected(format!("1 to {KEY_BYTES_MAX} bytes without control characters"), shown))
}

/// On the wire, 0 means that nothing was said.
fn number_or_one(number: f64) -> Option<f64> {
    match number {
        0.0 => Some(1.0),
        number if number.is_finite() => Some(number),
        _ => None,
    }
}

fn confidence(given: f64, key: &str) -> Result<f64, Problem> {
    number_or_one(given).filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
        Problem::new(Reason::RelationshipInvalid, "the confidence is not between 0 and 1", key)
            .expected("a number from 0 to 1", given.to_string())
    })
}

fn too_many(what: &str, key: &str, limit: usize, given: usize) -> Problem {
    Problem::new(Reason::LimitExceeded, format!("the claim has too many {what}"), key)
        .expected(format!("at most {limit}"), given.to_string())
        .hint("say it in several claims")
}
