//! Everything there is, line by line.

use super::Reader;
use crate::change;
use crate::engine::request::EngineError;
use crate::import::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, FORMAT, Header, write_line,
};
use crate::model::item::Status;
use crate::model::{Item, ItemId, Relationship, SourceId};
use crate::store::record::{self, HeadRecord, OutgoingRecord};
use crate::store::{self, Range, Table};

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
        line(&write_line(&Exported::Header(Header { format: FORMAT, revision: self.revision() })))?;
        for source in self.moment.sources.0.iter() {
            line(&write_line(&Exported::Source(ExportedSource {
                name: source.name.clone(),
                kind: source.kind,
                title: source.title.clone(),
                version: source.version.clone(),
            })))?;
        }
        store::for_each(&*self.snapshot, Table::Items, Range::all(), |_, head| {
            let head: HeadRecord = record::decode(Table::Items, head)?;
            let item = change::read_version(&*self.snapshot, &head)?;
            if retired || item.status != Status::Retired {
                line(&write_line(&Exported::Item(Box::new(self.exported_item(item)))))?;
            }
            Ok::<(), EngineError>(())
        })?;
        store::for_each(&*self.snapshot, Table::Outgoing, Range::all(), |_, chunk| {
            let chunk: OutgoingRecord = record::decode(Table::Outgoing, chunk)?;
            for relationship in chunk.relationships {
                let relationship = record::relationship_from(relationship)?;
                if retired || (self.is_live(relationship.from) && self.is_live(relationship.to)) {
                    let exported = self.exported_relationship(relationship);
                    line(&write_line(&Exported::Relationship(Box::new(exported))))?;
                }
            }
            Ok::<(), EngineError>(())
        })
    }

    fn is_live(&self, id: ItemId) -> bool {
        let graph = &self.moment.graph;
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
        });
        let groups = item.groups.into_iter().map(|group| ExportedGroup {
            source: self.source_name(group.source),
            name: group.name,
            require: group.require,
            inferred: group.inferred,
            confidence: group.confidence,
            key: group.key,
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
        }
    }

    fn exported_relationship(&self, relationship: Relationship) -> ExportedRelationship {
        let claims = relationship.claims.into_iter().map(|claim| ExportedRelationshipClaim {
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
        });
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
        }
    }
}
