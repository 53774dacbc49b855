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

/// As it is kept in an image of the graph.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TallyRecord {
    #[prost(int64, tag = "1")]
    relationships: i64,
    #[prost(int64, tag = "2")]
    unclaimed_relationships: i64,
    #[prost(message, repeated, tag = "3")]
    claimed_by: Vec<ClaimedRecord>,
    #[prost(int64, tag = "4")]
    duplicate_items: i64,
    #[prost(int64, tag = "5")]
    hosts_without_agent: i64,
    #[prost(int64, tag = "6")]
    external_endpoints: i64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct ClaimedRecord {
    #[prost(uint32, repeated, tag = "1")]
    sources: Vec<u32>,
    /// How long each one's word counts, in the same order.
    #[prost(int64, repeated, tag = "2")]
    after: Vec<i64>,
    #[prost(int64, tag = "3")]
    count: i64,
}

impl Tally {
    pub(super) fn record(&self) -> TallyRecord {
        let claimed = |(claimants, count): (&Claimants, i64)| ClaimedRecord {
            sources: claimants.iter().map(|(source, _)| source.0).collect(),
            after: claimants.iter().map(|(_, after)| *after).collect(),
            count,
        };
        TallyRecord {
            relationships: self.relationships,
            unclaimed_relationships: self.unclaimed_relationships,
            claimed_by: self.claimed_by.iter().map(claimed).collect(),
            duplicate_items: self.duplicate_items,
            hosts_without_agent: self.hosts_without_agent,
            external_endpoints: self.external_endpoints,
        }
    }

    pub(super) fn of_record(record: TallyRecord) -> Tally {
        let mut claimed_by = ClaimedBy::default();
        for row in record.claimed_by {
            let claimants = row.sources.into_iter().map(SourceId).zip(row.after).collect();
            claimed_by.add(claimants, row.count);
        }
        Tally {
            relationships: record.relationships,
            unclaimed_relationships: record.unclaimed_relationships,
            claimed_by,
            duplicate_items: record.duplicate_items,
            hosts_without_agent: record.hosts_without_agent,
            external_endpoints: record.external_endpoints,
        }
    }

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
