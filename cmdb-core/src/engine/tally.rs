//! Counts that answers carry, kept in step with commits instead of counted anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::live::Step;
use super::sources::SourceNames;
use crate::model::schema::Schema;
use crate::model::{Item, Relationship, SourceId, SourceKind, Status};
use crate::reconcile::{self, Sources};

/// What is counted. Retired items and denied relationships count for nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) relationships: i64,
    /// Relationships that nobody claims now.
    pub(super) unclaimed_relationships: i64,
    pub(super) claimed_by: ClaimedBy,
    pub(super) duplicate_items: i64,
    pub(super) hosts_without_agent: i64,
    pub(super) external_endpoints: i64,
}

/// Who claims a relationship: each source, and how long its word counts unconfirmed.
pub(super) type Claimants = Vec<(SourceId, i64)>;

/// How many relationships the same sources claim, where all of them may go stale. In parts, so that the moments
/// before and after a commit share what it does not touch.
#[derive(Clone, Debug, Default)]
pub(super) struct ClaimedBy {
    parts: Vec<Arc<BTreeMap<Claimants, i64>>>,
}

impl PartialEq for ClaimedBy {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for ClaimedBy {}

/// The parts that counts are kept in.
const PARTS: usize = 256;

impl ClaimedBy {
    fn add(&mut self, claimants: Claimants, by: i64) {
        if self.parts.is_empty() {
            self.parts = vec![Arc::default(); PARTS];
        }
        let first = claimants.first().map_or(0, |(source, _)| source.0 as usize);
        let part = Arc::make_mut(&mut self.parts[first % PARTS]);
        let count = part.entry(claimants.clone()).or_default();
        *count += by;
        if *count == 0 {
            part.remove(&claimants);
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Claimants, i64)> {
        self.parts.iter().flat_map(|part| part.iter()).map(|(claimants, count)| (claimants, *count))
    }
}

/// Who claims a relationship, when every one of them may go stale.
pub(super) fn claimants(
    relationship: &Relationship,
    schema: &Schema,
    sources: &dyn Sources,
) -> Option<Claimants> {
    let mut claimants = Claimants::new();
    for claim in reconcile::confirming(relationship) {
        let after = reconcile::relationship_stale_after(claim, &relationship.kind, schema, sources)?;
        claimants.push((claim.source, after));
    }
    claimants.sort_unstable();
    claimants.dedup();
    (!claimants.is_empty()).then_some(claimants)
}

impl Tally {
    pub(super) fn follow(&mut self, step: &Step<'_>, schema: &Schema, sources: &SourceNames) {
        match step {
            Step::Item { before, after } => {
                for (side, by) in [(before, -1), (after, 1)] {
                    if let Some(item) = side {
                        self.item(item, schema, sources, by);
                    }
                }
            }
            Step::Relationship { before, after } => {
                for (side, by) in [(before, -1), (after, 1)] {
                    if let Some(relationship) = side {
                        self.relationship(relationship, schema, sources, by);
                    }
                }
            }
        }
    }

    pub(super) fn item(&mut self, item: &Item, schema: &Schema, sources: &SourceNames, by: i64) {
        if item.status == Status::Retired {
            return;
        }
        if !item.duplicates.is_empty() {
            self.duplicate_items += by;
        }
        let host = ["computer", "virtual_machine"].iter().any(|class| schema.is_a(&item.class, class));
        if host && !item.claims.iter().any(|claim| sources.name_and_kind(claim.source).1 == SourceKind::Agent)
        {
            self.hosts_without_agent += by;
        }
        let external = schema.class(&item.class).is_some_and(|class| class.external_without_host);
        if external && item.claims.iter().all(|claim| claim.within.is_none()) {
            self.external_endpoints += by;
        }
    }

    pub(super) fn relationship(
        &mut self,
        relationship: &Relationship,
        schema: &Schema,
        sources: &SourceNames,
        by: i64,
    ) {
        if !relationship.stands() {
            return;
        }
        self.relationships += by;
        if relationship.status != Status::Active {
            self.unclaimed_relationships += by;
        } else if let Some(claimants) = claimants(relationship, schema, sources) {
            self.claimed_by.add(claimants, by);
        }
    }
}
