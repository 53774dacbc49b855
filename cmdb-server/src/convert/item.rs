//! Items, relationships and what is known of how they were found, as they go out.

use std::collections::BTreeMap;

use cmdb_core::engine::Evidence;
use cmdb_core::model::item::{Group, Identification, ItemClaimState, Method, Pin, Purged};
use cmdb_core::model::relationship::RelationshipClaimState;
use cmdb_core::model::{Item, Relationship, Status};
use cmdb_proto::v1;

use super::health::given_to;
use super::value::{attributes_to, value_to};
use crate::app::Names;
use crate::app::items::{ClaimEvidence, ItemAnswer};

/// Where something is in its life.
pub fn status_to(status: Status) -> v1::Status {
    match status {
        Status::Active => v1::Status::Active,
        Status::Stopped => v1::Status::Stopped,
        Status::Missing => v1::Status::Missing,
        Status::Retired => v1::Status::Retired,
    }
}

/// An item with everything that was asked for.
pub fn item_to(answer: &ItemAnswer) -> v1::Item {
    let ItemAnswer { item, names, .. } = answer;
    let (source, key) = item.key().map_or(("", ""), |(source, key)| (names.source(source), key));
    let relationships = answer.relationships.as_deref().unwrap_or_default();
    v1::Item {
        as_of_revision: 0,
        as_of_us: 0,
        blast_radius: answer.blast_radius,
        id: item.id.to_string(),
        key: key.to_owned(),
        source: source.to_owned(),
        class: item.class.clone(),
        name: item.name.clone(),
        status: status_to(item.status).into(),
        attributes: effective_to(item, &answer.evidence, names),
        claims: if answer.claims {
            item.claims
                .iter()
                .zip(&answer.evidence)
                .map(|(claim, known)| claim_to(claim, known, names))
                .collect()
        } else {
            vec![]
        },
        relationships: relationships
            .iter()
            .map(|(relationship, evidence)| relationship_to(relationship, Some(evidence), names))
            .collect(),
        groups: item.groups.iter().map(|group| group_to(group, &answer.members, names)).collect(),
        revision: answer.revision.0,
        first_seen_us: item.first_seen.0,
        last_seen_us: answer.last_seen.0,
        relationships_omitted: u32::try_from(answer.relationships_omitted).unwrap_or(u32::MAX),
        duplicates: item.duplicates.iter().map(ToString::to_string).collect(),
        merged_into: item.merged_into.map(|id| id.to_string()).unwrap_or_default(),
        redirected_from: answer.redirected_from.map(|id| id.to_string()).unwrap_or_default(),
        distinct_from: item.distinct_from.iter().map(ToString::to_string).collect(),
        given: answer.given.iter().map(given_to).collect(),
        purged: item.purged.iter().map(|(attribute, purged)| purged_to(attribute, purged)).collect(),
    }
}

fn effective_to(
    item: &Item,
    evidence: &[ClaimEvidence],
    names: &Names,
) -> BTreeMap<String, v1::EffectiveValue> {
    let effective = item.effective().into_iter();
    effective
        .map(|(name, effective)| {
            let value = v1::EffectiveValue {
                value: Some(value_to(effective.value)),
                source: names.source(effective.source).to_owned(),
                observed_at_us: effective.observed_at.0,
                pin: effective.pin.map(pin_to),
                stale: is_stale(item, evidence, name),
            };
            (name.to_owned(), value)
        })
        .collect()
}

/// Whether the claim whose value of an attribute counts was not confirmed in time.
fn is_stale(item: &Item, evidence: &[ClaimEvidence], name: &str) -> bool {
    item.claims.iter().zip(evidence).any(|(claim, known)| {
        claim.attributes.get(name).is_some_and(|stated| stated.effective) && known.stale.contains(name)
    })
}

/// What is left of a value that was erased.
pub fn purged_to(attribute: &str, purged: &Purged) -> v1::Purged {
    v1::Purged {
        attribute: attribute.to_owned(),
        by: purged.by.clone(),
        at_us: purged.at.0,
        reason: purged.reason.clone(),
        revision: purged.revision.0,
        suppressed: purged.suppressed,
    }
}

fn pin_to(pin: &Pin) -> v1::Pin {
    v1::Pin {
        since_us: pin.since.0,
        until_us: pin.until.map_or(0, |until| until.0),
        reason: pin.reason.clone(),
    }
}

fn claim_to(claim: &ItemClaimState, known: &ClaimEvidence, names: &Names) -> v1::SourceClaim {
    v1::SourceClaim {
        source: names.source(claim.source).to_owned(),
        key: claim.key.clone(),
        class: claim.class.clone(),
        name: claim.name.clone(),
        attributes: claim
            .attributes
            .iter()
            .map(|(name, stated)| (name.clone(), value_to(&stated.value)))
            .collect(),
        first_seen_us: claim.first_seen.0,
        observed_at_us: claim.observed_at.0,
        withdrawn_at_us: claim.withdrawn_at.map_or(0, |moment| moment.0),
        identification: Some(identification_to(&claim.identification)),
        effective: claim
            .attributes
            .iter()
            .filter(|(_, stated)| stated.effective)
            .map(|(name, _)| name.clone())
            .collect(),
        stale: known.stale.iter().cloned().collect(),
        nulls: claim.marks.nulls.iter().cloned().collect(),
        pins: claim.marks.pins.iter().map(|(name, pin)| (name.clone(), pin_to(pin))).collect(),
        confirmed_at_us: known.confirmed_at.0,
    }
}

/// How an item was found.
pub fn identification_to(identification: &Identification) -> v1::Identification {
    let method = match identification.method {
        Method::Key => v1::identification::Method::Key,
        Method::Rule => v1::identification::Method::Rule,
        Method::New => v1::identification::Method::New,
        Method::Named => v1::identification::Method::Named,
        Method::Duplicate => v1::identification::Method::Duplicate,
        Method::Clone => v1::identification::Method::Clone,
    };
    let values = identification.rule.iter().cloned().zip(identification.values.iter().cloned());
    v1::Identification {
        method: method.into(),
        rule: identification.rule.clone(),
        values: values.collect(),
        candidates: identification.candidates.iter().map(ToString::to_string).collect(),
        skipped: identification.skipped.clone(),
    }
}

fn group_to(group: &Group, members: &BTreeMap<String, u32>, names: &Names) -> v1::RedundancyGroup {
    v1::RedundancyGroup {
        group: group.name.clone(),
        require: group.require.to_string(),
        members: members.get(&group.name).copied().unwrap_or_default(),
        inferred: group.inferred,
        confidence: group.confidence,
        source: names.source(group.source).to_owned(),
        evidence: group.evidence.clone(),
        rejected: group.rejected,
    }
}

/// A relationship with what its ends are called, and what is known of it at the moment that is read; without: as it
/// was stated.
pub fn relationship_to(
    relationship: &Relationship,
    evidence: Option<&Evidence>,
    names: &Names,
) -> v1::Relationship {
    let effective = relationship.effective();
    let (from, to) = (names.label(relationship.from), names.label(relationship.to));
    let states = |claim: &&RelationshipClaimState| claim.withdrawn_at.is_none() && !claim.only_groups();
    let standing = relationship.claims.iter().filter(states);
    let mut sources: Vec<String> = standing.map(|claim| names.source(claim.source).to_owned()).collect();
    sources.sort_unstable();
    sources.dedup();
    let seen = relationship.claims.iter().filter(|claim| !claim.only_groups());
    let last_seen = seen.map(|claim| claim.observed_at).max();
    v1::Relationship {
        from: relationship.from.to_string(),
        r#type: relationship.kind.clone(),
        to: relationship.to.to_string(),
        from_name: from.map(|label| label.name.clone()).unwrap_or_default(),
        to_name: to.map(|label| label.name.clone()).unwrap_or_default(),
        from_class: from.map(|label| label.class.clone()).unwrap_or_default(),
        to_class: to.map(|label| label.class.clone()).unwrap_or_default(),
        group: relationship.group().to_owned(),
        weight: effective.weight,
        inferred: effective.inferred,
        confidence: evidence.map_or(effective.confidence, |evidence| evidence.confidence),
        status: status_to(relationship.status).into(),
        attributes: attributes_to(&effective.attributes),
        sources,
        first_seen_us: relationship.first_seen.0,
        last_seen_us: evidence.map(|evidence| evidence.last_seen).or(last_seen).map_or(0, |moment| moment.0),
        denied: relationship.denied,
        from_key: from.map(|label| label.key.clone()).unwrap_or_default(),
        to_key: to.map(|label| label.key.clone()).unwrap_or_default(),
        stale: evidence.is_some_and(|evidence| evidence.stale),
    }
}
