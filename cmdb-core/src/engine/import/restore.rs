//! An export read back: items and relationships as they were, under their own ids.

use super::waiting;
use crate::change::{Draft, edge_record};
use crate::claim::UnitKind;
use crate::engine::ingest::{UNKNOWN, WITHDRAWN};
use crate::engine::request::{EngineError, ImportOutcome};
use crate::import::{Exported, ExportedItem, ExportedRelationship, ExportedRelationshipClaim};
use crate::model::item::{Group, ItemClaimState};
use crate::model::relationship::RelationshipClaimState;
use crate::model::{Item, Problem, Reason, Relationship, SourceId};
use crate::store::StoreError;
use crate::store::record::GroupNameRecord;

/// Puts one line in place, in the phase for its kind.
pub(super) fn line(
    draft: &mut Draft<'_>,
    phase: UnitKind,
    line: Exported,
    outcome: &mut ImportOutcome,
) -> Result<(), EngineError> {
    match (phase, line) {
        (UnitKind::Item, Exported::Source(source)) => {
            draft.source(&source.name, source.kind, &source.title, &source.version)?;
            Ok(())
        }
        (UnitKind::Item, Exported::Item(item)) => {
            outcome.created += 1;
            put_item(draft, *item)
        }
        (UnitKind::Relationship, Exported::Relationship(relationship)) => {
            outcome.relationships_created += 1;
            put_relationship(draft, *relationship)
        }
        (UnitKind::Redundancy, Exported::Waiting(waits)) => waiting::put(draft, *waits),
        _ => Ok(()),
    }
}

pub(super) fn source(draft: &Draft<'_>, name: &str) -> Result<SourceId, Problem> {
    draft.source_named(name).map(|source| source.id).ok_or_else(|| {
        Problem::new(
            Reason::SourceInvalid,
            format!("the export names the source \"{name}\" without a line that says what it is"),
            name,
        )
        .hint("import the whole file that `cmdb export` wrote")
    })
}

fn put_item(draft: &mut Draft<'_>, given: ExportedItem) -> Result<(), EngineError> {
    draft.reserve_item(given.id);
    let mut claims = Vec::with_capacity(given.claims.len());
    for claim in given.claims {
        claims.push(ItemClaimState {
            source: source(draft, &claim.source)?,
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
    }
    let mut groups = Vec::with_capacity(given.groups.len());
    for group in given.groups {
        groups.push(Group {
            source: source(draft, &group.source)?,
            name: group.name,
            require: group.require,
            inferred: group.inferred,
            confidence: group.confidence,
            key: group.key,
            evidence: group.evidence,
            rejected: group.rejected,
        });
    }
    let item = Item {
        id: given.id,
        class: given.class,
        name: given.name,
        status: given.status,
        status_since: given.status_since,
        first_seen: given.first_seen,
        claims,
        groups,
        duplicates: given.duplicates,
        merged_into: given.merged_into,
        distinct_from: given.distinct_from,
        purged: given.purged,
    };
    bind(draft, &item)?;
    draft.put_item(item)?;
    Ok(())
}

/// What the sources' keys lead to.
fn bind(draft: &mut Draft<'_>, item: &Item) -> Result<(), StoreError> {
    for claim in &item.claims {
        let mut unit = draft.unit(claim.source, UnitKind::Item, &claim.key)?.unwrap_or_default();
        unit.item = Some(item.id.0);
        unit.scope.clone_from(&claim.scope);
        unit.digest = if claim.withdrawn_at.is_some() { WITHDRAWN } else { UNKNOWN }.to_vec();
        draft.put_unit(claim.source, UnitKind::Item, &claim.key, unit)?;
    }
    for group in &item.groups {
        let own = item.claims.iter().any(|claim| claim.source == group.source && claim.key == group.key);
        let kind = if own { UnitKind::Item } else { UnitKind::Redundancy };
        let mut unit = draft.unit(group.source, kind, &group.key)?.unwrap_or_default();
        if unit.digest.is_empty() {
            unit.digest = UNKNOWN.to_vec();
        }
        if unit.scope.is_empty() {
            super::SCOPE.clone_into(&mut unit.scope);
        }
        unit.groups.push(GroupNameRecord { item: item.id.0, group: group.name.clone() });
        draft.put_unit(group.source, kind, &group.key, unit)?;
    }
    Ok(())
}

fn put_relationship(draft: &mut Draft<'_>, given: ExportedRelationship) -> Result<(), EngineError> {
    for end in [given.from, given.to] {
        if draft.item(end)?.is_none() {
            return Err(Problem::new(
                Reason::ReferenceUnknown,
                format!("the export relates {end}, which it does not name"),
                end.to_string(),
            )
            .hint("import the whole file that `cmdb export` wrote")
            .into());
        }
    }
    let mut claims = Vec::with_capacity(given.claims.len());
    for claim in given.claims {
        let source = source(draft, &claim.source)?;
        let mut unit = draft.unit(source, claim.unit, &claim.key)?.unwrap_or_default();
        if unit.digest.is_empty() && unit.item.is_none() {
            unit.digest = UNKNOWN.to_vec();
        }
        unit.scope.clone_from(&claim.scope);
        unit.relationships.push(edge_record(given.from, &given.kind, given.to));
        draft.put_unit(source, claim.unit, &claim.key, unit)?;
        claims.push(relationship_claim(draft, claim)?);
    }
    draft.put_relationship(Relationship {
        from: given.from,
        kind: given.kind,
        to: given.to,
        status: given.status,
        status_since: given.status_since,
        denied: given.denied,
        first_seen: given.first_seen,
        claims,
        effective: given.effective,
        grouped_by: given.grouped_by,
    })?;
    Ok(())
}

pub(super) fn relationship_claim(
    draft: &Draft<'_>,
    claim: ExportedRelationshipClaim,
) -> Result<RelationshipClaimState, Problem> {
    Ok(RelationshipClaimState {
        source: source(draft, &claim.source)?,
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
    })
}
