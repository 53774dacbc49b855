//! Everything there is, line by line.

mod waiting;

use super::Reader;
use crate::engine::request::EngineError;
use crate::import::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, FORMAT, Header, write_line,
};
use crate::model::item::Status;
use crate::model::relationship::RelationshipClaimState;
use crate::model::{Item, ItemId, Relationship, SourceId};
use crate::store::record::{self, SourceRecord};
use crate::store::{self, Range, Table, key};

impl Reader {
    /// Hands over every source, item and relationship as a line of JSON (without its end).
    ///
    /// # Errors
    /// When the store cannot be read, or `line` fails.
    pub fn export(
        &self,
        retired: bool,
        line: &mut dyn FnMut(&str) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        line(&write_line(&Exported::Header(Header {
            format: FORMAT,
            revision: self.revision(),
            left_out: self.left_out()?,
        })))?;
        for source in self.moment.sources.0.iter() {
            if !self.had_spoken(source.id)? {
                continue;
            }
            line(&write_line(&Exported::Source(ExportedSource {
                name: source.name.clone(),
                kind: source.kind,
                title: source.title.clone(),
                version: source.version.clone(),
            })))?;
        }
        // Items first, so that every relationship speaks of what was named.
        self.each_item(|item| {
            if retired || item.status != Status::Retired {
                line(&write_line(&Exported::Item(Box::new(self.exported_item(item)))))?;
            }
            Ok(())
        })?;
        self.each_item(|item| {
            for relationship in self.outgoing(item.id)? {
                if retired || (self.is_live(relationship.from) && self.is_live(relationship.to)) {
                    let exported = self.exported_relationship(relationship);
                    line(&write_line(&Exported::Relationship(Box::new(exported))))?;
                }
            }
            Ok(())
        })?;
        self.export_waiting(retired, line)
    }

    fn each_item(&self, mut each: impl FnMut(Item) -> Result<(), EngineError>) -> Result<(), EngineError> {
        store::for_each(self.snapshot(), Table::Items, Range::all(), |row, _| {
            let Some(id) = key::item_at_end(row) else { return Ok(()) };
            match self.item(id)? {
                Some(item) => each(item),
                None => Ok(()),
            }
        })
    }

    /// Whether a source had said anything by the moment that is read.
    fn had_spoken(&self, source: SourceId) -> Result<bool, EngineError> {
        let Some(past) = &self.past else { return Ok(true) };
        let Some(row) = self.snapshot().get(Table::Sources, &key::source(source))? else { return Ok(false) };
        let row: SourceRecord = record::decode(Table::Sources, &row)?;
        Ok(row.first_seen_us <= past.recorded_at.0)
    }

    fn is_live(&self, id: ItemId) -> bool {
        let graph = self.graph();
        graph.index(id).is_some_and(|index| graph.status(index) != Status::Retired)
    }

    fn source_name(&self, id: SourceId) -> String {
        self.source(id).map_or_else(String::new, |source| source.name.clone())
    }

    fn exported_item(&self, item: Item) -> ExportedItem {
        let claims = item.claims.into_iter().map(|claim| ExportedItemClaim {
            source: self.source_name(claim.source),
            key: claim.key,
            scope: claim.scope,
            class: claim.class,
            name: claim.name,
            attributes: claim.attributes,
            within: claim.within,
            first_seen: claim.first_seen,
            observed_at: claim.observed_at,
            withdrawn_at: claim.withdrawn_at,
            identification: claim.identification,
            marks: claim.marks,
        });
        let groups = item.groups.into_iter().map(|group| ExportedGroup {
            source: self.source_name(group.source),
            name: group.name,
            require: group.require,
            inferred: group.inferred,
            confidence: group.confidence,
            key: group.key,
            evidence: group.evidence,
            rejected: group.rejected,
        });
        ExportedItem {
            id: item.id,
            class: item.class,
            name: item.name,
            status: item.status,
            status_since: item.status_since,
            first_seen: item.first_seen,
            claims: claims.collect(),
            groups: groups.collect(),
            duplicates: item.duplicates,
            merged_into: item.merged_into,
            distinct_from: item.distinct_from,
            purged: item.purged,
        }
    }

    fn exported_relationship(&self, relationship: Relationship) -> ExportedRelationship {
        let claims = relationship.claims.into_iter().map(|claim| self.exported_relationship_claim(claim));
        ExportedRelationship {
            from: relationship.from,
            kind: relationship.kind,
            to: relationship.to,
            status: relationship.status,
            status_since: relationship.status_since,
            denied: relationship.denied,
            first_seen: relationship.first_seen,
            claims: claims.collect(),
            effective: relationship.effective,
            grouped_by: relationship.grouped_by,
        }
    }

    fn exported_relationship_claim(&self, claim: RelationshipClaimState) -> ExportedRelationshipClaim {
        ExportedRelationshipClaim {
            source: self.source_name(claim.source),
            unit: claim.unit,
            key: claim.key,
            scope: claim.scope,
            group: claim.group,
            weight: claim.weight,
            inferred: claim.inferred,
            confidence: claim.confidence,
            denied: claim.denied,
            attributes: claim.attributes,
            first_seen: claim.first_seen,
            observed_at: claim.observed_at,
            withdrawn_at: claim.withdrawn_at,
        }
    }
}
