//! Counts that answers carry, kept in step with commits instead of counted anew.

use super::live::Step;
use super::sources::SourceNames;
use crate::model::schema::Schema;
use crate::model::{Item, Relationship, SourceKind, Status};
use crate::reconcile::Sources;

/// What is counted. Retired items and denied relationships count for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) relationships: i64,
    pub(super) stale_relationships: i64,
    pub(super) duplicate_items: i64,
    pub(super) hosts_without_agent: i64,
    pub(super) external_endpoints: i64,
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
                        self.relationship(relationship, by);
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

    pub(super) fn relationship(&mut self, relationship: &Relationship, by: i64) {
        if !relationship.stands() {
            return;
        }
        self.relationships += by;
        if relationship.status != Status::Active {
            self.stale_relationships += by;
        }
    }
}
