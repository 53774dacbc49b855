//! Erasing an attribute from claims that wait for the item that they stand within.
//!
//! What waits was never in the log, so nothing there is replaced and no tombstone is left. Its source is not held back: there
//! is no item yet that could say so.

use super::Found;
use crate::change::Draft;
use crate::engine::ingest::matches;
use crate::engine::request::PurgeOutcome;
use crate::model::unit::UnitKind;
use crate::model::{Problem, Reason, SourceId};
use crate::store::record::{self, MatchRecord};
use crate::store::{StoreError, Table};

/// Erases an attribute of one claim that waits.
pub(super) fn erase_of(
    draft: &mut Draft<'_>,
    source: &str,
    key: &str,
    attribute: &str,
) -> Result<Result<PurgeOutcome, Problem>, StoreError> {
    let unit = match draft.source_named(source).map(|source| source.id) {
        Some(source) => draft.unit(source, UnitKind::Item, key)?,
        None => None,
    };
    let mut waiting = 0;
    for id in unit.map(|unit| unit.matches).unwrap_or_default() {
        if let Some(found) = matches::load(draft, id)? {
            waiting += u64::from(erase(draft, id, found, attribute)?);
        }
    }
    if waiting == 0 {
        let thing = format!("{source}:{key}");
        let message =
            format!("no item is called {thing}, and no claim of it that waits says anything of {attribute}");
        return Ok(Err(Problem::new(Reason::ItemNotFound, message, thing)
            .hint("`cmdb export` ends with what waits, by source and key")));
    }
    let remains =
        vec![format!("{source} states {attribute} again with its next change, unless it is mended there")];
    Ok(Ok(PurgeOutcome { waiting, remains, ..PurgeOutcome::default() }))
}

/// Erases an attribute of every claim that waits under a name of an item's claims, or with one of its values.
pub(super) fn erase_with(draft: &mut Draft<'_>, attribute: &str, found: &Found) -> Result<u64, StoreError> {
    let schema = draft.schema();
    let mut waiting = Vec::new();
    draft.for_each_stored(Table::Matches, &[], |row, bytes| {
        let said: MatchRecord = record::decode(Table::Matches, bytes)?;
        let Some(item) =
            said.parked.clone().map(record::claim_from).transpose()?.and_then(|claim| claim.item)
        else {
            return Ok(());
        };
        let Some(value) = item.attributes.get(attribute) else { return Ok(()) };
        let is_theirs = found.names.contains(&(SourceId(said.source), said.key.clone()));
        let values = schema.normalise_each(&item.class, attribute, value);
        if (is_theirs || values.iter().any(|value| found.values.contains(value)))
            && let Ok(id) = row.try_into().map(u64::from_be_bytes)
        {
            waiting.push((id, said));
        }
        Ok(())
    })?;
    let mut erased = 0;
    for (id, said) in waiting {
        erased += u64::from(erase(draft, id, said, attribute)?);
    }
    Ok(erased)
}

fn erase(
    draft: &mut Draft<'_>,
    id: u64,
    mut found: MatchRecord,
    attribute: &str,
) -> Result<bool, StoreError> {
    let Some(parked) = found.parked.take() else { return Ok(false) };
    let mut claim = record::claim_from(parked)?;
    let taken = claim.item.as_mut().is_some_and(|item| item.attributes.remove(attribute).is_some());
    if taken {
        found.parked = Some(record::claim_record(&claim));
        draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &found);
    }
    Ok(taken)
}
