//! What waits, made up.

use super::{group, id, moment, relationship_claim, several, share, strings, value};
use crate::claim::{Claim, ItemClaim, Match, RedundancyClaim, Reference, RelationshipClaim};
use crate::import::{ExportedWaiting, Waits};
use crate::model::unit::UnitKind;
use crate::model::value::Attributes;
use arbtest::arbitrary::{Result, Unstructured};

pub(super) fn waiting(u: &mut Unstructured<'_>) -> Result<ExportedWaiting> {
    let unit = *u.choose(&[UnitKind::Item, UnitKind::Relationship])?;
    let key: String = u.arbitrary()?;
    let what = match u.arbitrary()? {
        true => Waits::Asked {
            from: reference(u)?,
            kind: u.arbitrary()?,
            to: reference(u)?,
            held: if u.arbitrary()? { Some((id(u)?, id(u)?)) } else { None },
            claim: Box::new(relationship_claim(u)?),
        },
        false => Waits::Parked {
            claim: Claim {
                kind: unit,
                key: key.clone(),
                item: if u.arbitrary()? { Some(part(u)?) } else { None },
                relationships: several(u, related)?,
                redundancies: several(u, redundancy)?,
            },
            observed_at: moment(u)?,
            otherwise_at: if u.arbitrary()? { Some(moment(u)?) } else { None },
        },
    };
    let since = if u.arbitrary()? { Some(moment(u)?) } else { None };
    Ok(ExportedWaiting { source: u.arbitrary()?, unit, key, scope: u.arbitrary()?, since, what })
}

fn attributes(u: &mut Unstructured<'_>) -> Result<Attributes> {
    let attributes = several(u, |u| Ok((format!("a{}", u.arbitrary::<String>()?), value(u, 0)?)))?;
    Ok(attributes.into_iter().collect())
}

fn reference(u: &mut Unstructured<'_>) -> Result<Reference> {
    Ok(match u.int_in_range(0..=4)? {
        0 => Reference::This,
        1 => Reference::Id(id(u)?),
        2 => Reference::Key(u.arbitrary()?),
        3 => Reference::SourceKey { source: format!("s{}", u.arbitrary::<String>()?), key: u.arbitrary()? },
        _ => Reference::Match(Match { class: u.arbitrary()?, attributes: attributes(u)? }),
    })
}

fn part(u: &mut Unstructured<'_>) -> Result<ItemClaim> {
    Ok(ItemClaim {
        class: u.arbitrary()?,
        name: u.arbitrary()?,
        attributes: attributes(u)?,
        cleared: strings(u)?,
        within: if u.arbitrary()? { Some(reference(u)?) } else { None },
        ..ItemClaim::default()
    })
}

fn related(u: &mut Unstructured<'_>) -> Result<RelationshipClaim> {
    Ok(RelationshipClaim {
        from: reference(u)?,
        kind: u.arbitrary()?,
        to: reference(u)?,
        group: u.arbitrary()?,
        weight: share(u)? * 1e9,
        inferred: u.arbitrary()?,
        confidence: share(u)?,
        denied: u.arbitrary()?,
        attributes: attributes(u)?,
    })
}

fn redundancy(u: &mut Unstructured<'_>) -> Result<RedundancyClaim> {
    let group = group(u)?;
    Ok(RedundancyClaim {
        item: reference(u)?,
        group: group.name,
        require: group.require,
        inferred: group.inferred,
        confidence: group.confidence,
        evidence: group.evidence,
        rejected: group.rejected,
    })
}
