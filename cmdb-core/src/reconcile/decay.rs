//! How sure a relationship still is: what a claim said, less with every day that nobody confirms it.
//!
//! Worked out when it is read and never stored, so that reading writes nothing and time alone makes no commit. Pure:
//! when a claim was last confirmed comes in.

use crate::model::relationship::RelationshipClaimState;
use crate::model::schema::Schema;
use crate::model::time::DAY_US;
use crate::model::{Relationship, SourceKind};
use crate::reconcile::Sources;

/// After this long unconfirmed, half the confidence of what was concluded is left, in microseconds.
pub const INFERRED_HALF_LIFE_US: i64 = 14 * DAY_US;
/// After this long unconfirmed, what a machine said of a relationship is stale, in microseconds.
pub const RELATIONSHIP_STALE_AFTER_US: i64 = 14 * DAY_US;

/// The confidence that is left of a claim that was last confirmed `age_us` microseconds ago.
#[must_use]
pub fn confidence(claim: &RelationshipClaimState, kind: &str, schema: &Schema, age_us: i64) -> f64 {
    let declared = schema.relationship_type(kind).and_then(|kind| kind.confidence_half_life_us);
    let half_life = declared.or(claim.inferred.then_some(INFERRED_HALF_LIFE_US));
    match half_life {
        Some(half_life) if age_us > 0 && half_life > 0 => {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a share of a length of time needs no more digits"
            )]
            let halves = age_us as f64 / half_life as f64;
            claim.confidence * (-halves).exp2()
        }
        _ => claim.confidence,
    }
}

/// How long a claim on a relationship counts unconfirmed, in microseconds; `None`: as long as it stands. What people
/// and files declare is not confirmed by being heard, so it does not go stale.
#[must_use]
pub fn relationship_stale_after(
    claim: &RelationshipClaimState,
    kind: &str,
    schema: &Schema,
    sources: &dyn Sources,
) -> Option<i64> {
    let machine = matches!(sources.name_and_kind(claim.source).1, SourceKind::Agent | SourceKind::Connector);
    if !machine && !claim.inferred {
        return None;
    }
    let declared = schema.relationship_type(kind).and_then(|kind| kind.stale_after_us);
    Some(declared.unwrap_or(RELATIONSHIP_STALE_AFTER_US))
}

/// The claims that stand and say that the relationship exists.
pub fn confirming(relationship: &Relationship) -> impl Iterator<Item = &RelationshipClaimState> {
    let says = |claim: &&RelationshipClaimState| !claim.denied && !claim.only_groups();
    relationship.claims.iter().filter(|claim| claim.withdrawn_at.is_none()).filter(says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceId, Timestamp, UnitKind};

    #[test]
    fn half_is_left_after_the_half_life_and_what_is_declared_stays() {
        let schema = Schema::built_in();
        let claim = |inferred| RelationshipClaimState {
            source: SourceId(1),
            unit: UnitKind::Item,
            key: String::new(),
            scope: String::new(),
            group: String::new(),
            weight: 1.0,
            inferred,
            confidence: 0.8,
            denied: false,
            attributes: crate::model::value::Attributes::new(),
            first_seen: Timestamp(0),
            observed_at: Timestamp(0),
            withdrawn_at: None,
        };
        let cases = [(true, 0, 0.8), (true, 14, 0.4), (true, 28, 0.2), (true, -1, 0.8), (false, 28, 0.8)];
        for (inferred, days, expected) in cases {
            let left = confidence(&claim(inferred), "depends_on", &schema, days * DAY_US);
            assert!((left - expected).abs() < 1e-9, "{inferred} after {days} days: {left}");
        }
    }
}
