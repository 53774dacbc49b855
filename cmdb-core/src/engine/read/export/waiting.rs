//! What waits, as it is exported. It has no past: an export of a past moment shows what it had come to, and counts what it
//! leaves out.

use super::super::Reader;
use crate::claim::{Match, Reference};
use crate::engine::request::EngineError;
use crate::import::{Exported, ExportedWaiting, LeftOut, Waits, write_line};
use crate::model::{ItemId, SourceId, Timestamp};
use crate::store::record::{self, EndpointRecord, MatchRecord};
use crate::store::{self, Range, StoreError, Table};

impl Reader {
    /// Hands over what waits, and what matches hold on to; after the relationships.
    pub(super) fn export_waiting(
        &self,
        retired: bool,
        line: &mut dyn FnMut(&str) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if self.past.is_some() {
            return Ok(());
        }
        store::for_each(self.snapshot(), Table::Matches, Range::all(), |_, bytes| {
            let found: MatchRecord = record::decode(Table::Matches, bytes)?;
            let ends = [&found.from, &found.to].into_iter().flatten().filter_map(|end| end.item);
            let held = found.held.iter().flat_map(|edge| [edge.from, edge.to]);
            let all_live = ends.chain(held).all(|id| self.is_live(ItemId(id)));
            if !retired && !all_live {
                return Ok(());
            }
            line(&write_line(&Exported::Waiting(Box::new(self.exported_waiting(found)?))))
        })
    }

    /// Of a past moment: what waited then and is not told, as far as it can still be seen; none: nothing.
    pub(super) fn left_out(&self) -> Result<Option<LeftOut>, EngineError> {
        let Some(past) = &self.past else { return Ok(None) };
        let mut left = LeftOut::default();
        store::for_each(self.snapshot(), Table::Matches, Range::all(), |_, bytes| {
            let found: MatchRecord = record::decode(Table::Matches, bytes)?;
            match &found.held {
                Some(edge) => {
                    let (from, to) = (ItemId(edge.from), ItemId(edge.to));
                    let was_there =
                        self.outgoing(from)?.iter().any(|one| one.kind == edge.kind && one.to == to);
                    left.matched += u64::from(was_there);
                }
                // What is given no moment goes with the service whose entry point it is.
                None => left.waiting += u64::from(found.since_us > 0 && found.since_us <= past.recorded_at.0),
            }
            Ok::<(), EngineError>(())
        })?;
        Ok((left != LeftOut::default()).then_some(left))
    }

    fn exported_waiting(&self, found: MatchRecord) -> Result<ExportedWaiting, StoreError> {
        let what = match found.parked {
            Some(claim) => Waits::Parked {
                claim: record::claim_from(claim)?,
                observed_at: Timestamp(found.observed_at_us),
                otherwise_at: found.otherwise_at_us.map(Timestamp),
            },
            None => Waits::Asked {
                from: end(found.from)?,
                kind: found.kind,
                to: end(found.to)?,
                held: found.held.map(|edge| (ItemId(edge.from), ItemId(edge.to))),
                claim: Box::new(self.exported_relationship_claim(record::relationship_claim_from(
                    found.claim.unwrap_or_default(),
                )?)),
            },
        };
        Ok(ExportedWaiting {
            source: self.source_name(SourceId(found.source)),
            unit: record::unit_kind_from(found.unit_kind)?,
            key: found.key,
            scope: found.scope,
            since: Some(Timestamp(found.since_us)).filter(|since| since.0 != 0),
            what,
        })
    }
}

fn end(end: Option<EndpointRecord>) -> Result<Reference, StoreError> {
    let end = end.unwrap_or_default();
    if let Some(key) = end.key {
        return record::reference_from(key);
    }
    Ok(match end.item {
        Some(id) => Reference::Id(ItemId(id)),
        None => Reference::Match(Match { class: end.class, attributes: record::plain_from(end.attributes)? }),
    })
}
