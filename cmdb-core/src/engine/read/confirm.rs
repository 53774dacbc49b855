//! When something was last confirmed, and what that makes of it: worked out when it is read, from when each source
//! was last seen. Reading writes nothing.

use std::collections::BTreeSet;

use super::Reader;
use crate::engine::request::EngineError;
use crate::engine::writer::SCOPE_BY_HAND;
use crate::model::item::ItemClaimState;
use crate::model::{Item, SourceId, Timestamp};
use crate::reconcile;

impl Reader {
    /// The moment that is read: the present, or when the past revision was recorded.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        self.past.as_ref().map_or_else(|| (self.inner.clock)(), |past| past.recorded_at)
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
            let after =
                reconcile::stale_after(item, attribute, claim, self.schema(), &self.moment.sources);
            after.is_some_and(|after| age >= after)
        });
        Ok(stale.cloned().collect())
    }
}
