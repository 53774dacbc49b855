//! When something was last confirmed, and what that makes of it: worked out when it is read, from when each source
//! was last seen. Reading writes nothing.

use std::collections::BTreeSet;

use super::Reader;
use crate::engine::request::EngineError;
use crate::engine::tally;
use crate::engine::writer::SCOPE_BY_HAND;
use crate::model::item::ItemClaimState;
use crate::model::{Item, ItemId, Relationship, SourceId, Status, Timestamp};
use crate::reconcile;

impl Reader {
    /// The time from which things are looked at: the present, the time that was asked for, or when the past revision
    /// that was asked for was recorded.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.looked_at.unwrap_or_else(|| (self.inner.clock)())
    }

    /// When a claim on an item was last confirmed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn confirmed_at(&self, claim: &ItemClaimState) -> Result<Timestamp, EngineError> {
        self.confirmed(claim.source, &claim.scope, claim.observed_at)
    }

    /// What a source states by hand is confirmed by being stated again; anything else by the source being heard.
    fn confirmed(
        &self,
        source: SourceId,
        scope: &str,
        observed_at: Timestamp,
    ) -> Result<Timestamp, EngineError> {
        if scope == SCOPE_BY_HAND {
            return Ok(observed_at);
        }
        Ok(self.source_last_seen(source)?.map_or(observed_at, |seen| seen.max(observed_at)))
    }

    /// The attributes of which a claim was not confirmed in time, whether or not another source took over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn stale_attributes(
        &self,
        item: &Item,
        claim: &ItemClaimState,
    ) -> Result<BTreeSet<String>, EngineError> {
        if claim.withdrawn_at.is_some() {
            return Ok(BTreeSet::new());
        }
        let age = self.moment().0.saturating_sub(self.confirmed_at(claim)?.0);
        let stale = claim.attributes.keys().filter(|attribute| {
            let after = reconcile::stale_after(item, attribute, claim, self.schema(), &self.moment.sources);
            after.is_some_and(|after| age >= after)
        });
        Ok(stale.cloned().collect())
    }
}

/// What is known of a relationship at the moment that is read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Evidence {
    /// What is left of the confidence of the claim that counts, from 0 to 1.
    pub confidence: f64,
    /// Nobody who was heard in time says that it exists.
    pub stale: bool,
    /// When it was last confirmed.
    pub last_seen: Timestamp,
}

impl Reader {
    /// What is known of a relationship at the moment that is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn evidence(&self, relationship: &Relationship) -> Result<Evidence, EngineError> {
        let now = self.moment();
        let mut last_seen = relationship.first_seen;
        for claim in relationship.claims.iter().filter(|claim| !claim.only_groups()) {
            last_seen = last_seen.max(claim.observed_at);
            if claim.withdrawn_at.is_none() {
                last_seen = last_seen.max(self.confirmed(claim.source, &claim.scope, claim.observed_at)?);
            }
        }
        let claim = relationship.effective();
        let confirmed = match claim.withdrawn_at {
            None => self.confirmed(claim.source, &claim.scope, claim.observed_at)?,
            Some(withdrawn) => withdrawn,
        };
        let age = now.0.saturating_sub(confirmed.0);
        let schema = self.schema();
        let stale = match tally::claimants(relationship, schema, &self.moment.sources) {
            _ if !relationship.stands() => false,
            _ if relationship.status != Status::Active => true,
            Some(claimants) => self.all_silent(&claimants, now)?,
            None => false,
        };
        let confidence = reconcile::confidence(claim, &relationship.kind, schema, age);
        Ok(Evidence { confidence, stale, last_seen })
    }

    fn all_silent(&self, claimants: &[(SourceId, i64)], now: Timestamp) -> Result<bool, EngineError> {
        for (source, after) in claimants {
            let seen = self.source_last_seen(*source)?;
            if seen.is_none_or(|seen| now.0.saturating_sub(seen.0) < *after) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many relationships nobody claims now, or only sources that were not heard in time.
    pub(super) fn stale_relationships(&self) -> Result<u64, EngineError> {
        let (now, tally) = (self.moment(), self.tally());
        let mut stale = tally.unclaimed_relationships;
        for (claimants, count) in tally.claimed_by.iter() {
            if self.all_silent(claimants, now)? {
                stale += count;
            }
        }
        Ok(stale.try_into().unwrap_or(0))
    }

    /// One relationship.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn related(&self, from: ItemId, kind: &str, to: ItemId) -> Result<Option<Relationship>, EngineError> {
        self.relationship(from, kind, to)
    }
}
