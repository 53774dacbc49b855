//! What waits, read back from an export: it joins as it would have where it came from.

use super::restore::{relationship_claim, source};
use crate::change::{Draft, edge_record};
use crate::claim::Reference;
use crate::engine::ingest::{UNKNOWN, matches, queue};
use crate::engine::request::EngineError;
use crate::import::{ExportedWaiting, Waits};
use crate::model::{ItemId, Problem, Reason, SourceId, UnitKind};
use crate::store::record::{self, EndpointRecord, MatchRecord};
use crate::store::{StoreError, Table};

/// Puts what waits in place; after the relationships.
pub(super) fn put(draft: &mut Draft<'_>, given: ExportedWaiting) -> Result<(), EngineError> {
    let source = source(draft, &given.source)?;
    let mut found = MatchRecord {
        source: source.0,
        key: given.key,
        unit_kind: record::unit_kind_number(given.unit),
        scope: given.scope,
        ..MatchRecord::default()
    };
    match given.what {
        Waits::Parked { claim, observed_at, otherwise_at } => {
            found.waits = "waits for the item that it stands within".to_owned();
            found.parked = Some(record::claim_record(&claim));
            UNKNOWN.clone_into(&mut found.digest);
            found.observed_at_us = observed_at.0;
            found.otherwise_at_us = otherwise_at.map(|at| at.0);
        }
        Waits::Asked { from, kind, to, held, claim } => {
            let held = held.map(|(from, to)| edge_record(from, &kind, to));
            found.from = Some(end(draft, from)?);
            found.to = Some(end(draft, to)?);
            found.kind = kind;
            found.held = held;
            found.claim = Some(record::relationship_claim_record(&relationship_claim(draft, *claim)?));
        }
    }
    let id = draft.new_match();
    hang(draft, (source, given.unit), id, &found)?;
    matches::ask(draft, id, &found);
    queue::enter_since(draft, id, &mut found, given.since.map_or(0, |since| since.0));
    draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &found);
    matches::answer(draft, id)?;
    Ok(())
}

/// Hangs it on the unit that said it; what it holds on to is its own, and not the unit's.
fn hang(
    draft: &mut Draft<'_>,
    (source, kind): (SourceId, UnitKind),
    id: u64,
    found: &MatchRecord,
) -> Result<(), StoreError> {
    let mut unit = draft.unit(source, kind, &found.key)?.unwrap_or_default();
    if unit.digest.is_empty() && unit.item.is_none() {
        UNKNOWN.clone_into(&mut unit.digest);
    }
    unit.scope.clone_from(&found.scope);
    unit.matches.push(id);
    if let Some(held) = &found.held {
        unit.relationships.retain(|edge| edge != held);
    }
    draft.put_unit(source, kind, &found.key, unit)
}

fn end(draft: &Draft<'_>, said: Reference) -> Result<EndpointRecord, EngineError> {
    Ok(match said {
        Reference::Id(id) => {
            if draft.item(id)?.is_none() {
                return Err(unnamed(id).into());
            }
            EndpointRecord { item: Some(id.0), ..EndpointRecord::default() }
        }
        Reference::Match(wanted) => EndpointRecord {
            class: wanted.class,
            attributes: record::plain_records(&wanted.attributes),
            ..EndpointRecord::default()
        },
        later => EndpointRecord { key: Some(record::reference_record(&later)), ..EndpointRecord::default() },
    })
}

fn unnamed(id: ItemId) -> Problem {
    Problem::new(
        Reason::ReferenceUnknown,
        format!("the export relates {id}, which it does not name"),
        id.to_string(),
    )
    .hint("import the whole file that `cmdb export` wrote")
}
