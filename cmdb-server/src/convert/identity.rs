//! Sets of items that may be one, and why an item is what it is, as they go out.

use std::collections::BTreeSet;

use cmdb_core::engine::{
    Bid, ClaimChoice, Contest, DuplicateKind, DuplicateSet, IdentifierEvidence, StatedIdentifier,
};
use cmdb_core::model::schema::Strength;
use cmdb_core::model::{ItemId, Problem, Reason};
use cmdb_proto::v1;

use super::change::decision_to;
use super::graph::labelled;
use super::item::item_to;
use super::value::value_to;
use crate::app::Names;
use crate::app::identity::{DuplicatesAnswer, ExplainAnswer, IdentifyAnswer, LookedAt};

/// Where a claim goes.
///
/// # Errors
/// When the item is not named by its id.
pub fn choice_from(choice: v1::ClaimChoice) -> Result<ClaimChoice, Problem> {
    let thing = format!("{}:{}", choice.source, choice.key);
    let item = choice.item.parse::<ItemId>().map_err(|error| {
        Problem::new(Reason::MergeInvalid, error.to_string(), thing)
            .expected("the id of one of the two items", choice.item.chars().take(80).collect::<String>())
    })?;
    Ok(ClaimChoice { source: choice.source, key: choice.key, item })
}

/// A section of a report that is only looked at.
pub fn looked_at_from(section: v1::IdentifySection) -> (String, Vec<LookedAt>) {
    let claims = section.claims.into_iter();
    let claims =
        claims.map(|claim| LookedAt { key: claim.key.clone(), claim: super::claim::claim_from(claim) });
    (section.scope, claims.collect())
}

/// What would become of the claims of a report.
pub fn identified_to(answer: &IdentifyAnswer) -> v1::IdentifyResponse {
    let mut named = BTreeSet::new();
    for decision in &answer.identified.decisions {
        named.extend(decision.item);
        named.extend(decision.identification.iter().flat_map(|found| found.candidates.iter().copied()));
    }
    let named: Vec<ItemId> = named.into_iter().collect();
    v1::IdentifyResponse {
        decisions: answer.identified.decisions.iter().map(decision_to).collect(),
        items: items(&named, &answer.names),
        revision: answer.identified.revision.0,
    }
}

/// Duplicate sets.
pub fn duplicates_to(answer: &DuplicatesAnswer) -> v1::DuplicatesResponse {
    v1::DuplicatesResponse {
        sets: answer.sets.iter().map(|set| set_to(set, &answer.names)).collect(),
        total: answer.total,
        as_of_revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
    }
}

fn set_to(set: &DuplicateSet, names: &Names) -> v1::DuplicateSet {
    let kind = match set.kind {
        DuplicateKind::Duplicate => v1::duplicate_set::Kind::Duplicate,
        DuplicateKind::Clone => v1::duplicate_set::Kind::Clone,
    };
    v1::DuplicateSet {
        kind: kind.into(),
        items: items(&set.items, names),
        items_total: set.items_total as u64,
        evidence: set.evidence.iter().map(|row| evidence_to(row, names)).collect(),
    }
}

fn items(ids: &[ItemId], names: &Names) -> Vec<v1::GraphItem> {
    let item = |id: &ItemId| match names.label(*id) {
        Some(label) => labelled(label),
        None => v1::GraphItem { id: id.to_string(), ..v1::GraphItem::default() },
    };
    ids.iter().map(item).collect()
}

fn evidence_to(row: &IdentifierEvidence, names: &Names) -> v1::IdentifierEvidence {
    v1::IdentifierEvidence {
        attributes: row.attributes.clone(),
        strong: row.strength == Strength::Strong,
        agrees: row.agrees,
        stated: row.stated.iter().map(|stated| stated_to(stated, names)).collect(),
    }
}

fn stated_to(stated: &StatedIdentifier, names: &Names) -> v1::StatedIdentifier {
    let said_by = stated.said_by.iter();
    v1::StatedIdentifier {
        item: stated.item.to_string(),
        values: stated.values.clone(),
        said_by: said_by
            .map(|(source, key)| v1::ClaimName { source: names.source(*source).to_owned(), key: key.clone() })
            .collect(),
    }
}

/// Why an item is what it is.
pub fn explained_to(answer: &ExplainAnswer) -> v1::ExplainResponse {
    let (why, names) = (&answer.why, &answer.names);
    v1::ExplainResponse {
        item: Some(item_to(&answer.item)),
        identifiers: why.identifiers.iter().map(|row| evidence_to(row, names)).collect(),
        attributes: why.attributes.iter().map(|contest| contest_to(contest, names)).collect(),
        merged: items(&why.merged, names),
        distinct_from: items(&why.item.distinct_from, names),
        duplicates: items(&why.item.duplicates, names),
        as_of_revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
    }
}

fn contest_to(contest: &Contest, names: &Names) -> v1::AttributeContest {
    v1::AttributeContest {
        name: contest.attribute.clone(),
        bids: contest.bids.iter().map(|bid| bid_to(bid, names)).collect(),
    }
}

fn bid_to(bid: &Bid, names: &Names) -> v1::AttributeBid {
    v1::AttributeBid {
        source: names.source(bid.source).to_owned(),
        key: bid.key.clone(),
        value: Some(value_to(&bid.value)),
        effective: bid.effective,
        why: bid.why.clone(),
        observed_at_us: bid.observed_at.0,
    }
}
