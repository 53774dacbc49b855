//! An item's way back through the log: each change points to the one before it on the same item.
//!
//! Where the history was compacted, changes are missing from the chain; then `Skips` says under the place of the first
//! that is missing where the chain goes on.

use super::write::place_of;
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, PlaceRecord};
use crate::store::{Read, StoreError, Table};

/// The change that a pointer of a chain leads to; `None`: the chain ends there.
pub(crate) fn linked(
    read: &dyn Read,
    to: Option<PlaceRecord>,
) -> Result<Option<(Place, ChangeRecord)>, StoreError> {
    let Some(place) = to.map(place_of) else { return Ok(None) };
    if let Some(bytes) = read.get(Table::Changes, &place.key())? {
        return Ok(Some((place, record::decode(Table::Changes, &bytes)?)));
    }
    let missing = || StoreError::Damaged {
        table: Table::Changes.name(),
        detail: format!("there is no change at {}/{}", place.revision, place.sequence),
    };
    let over = read.get(Table::Skips, &place.key())?.ok_or_else(missing)?;
    if over.is_empty() {
        return Ok(None);
    }
    let next = Place::from_key(&over).ok_or_else(missing)?;
    let bytes = read.get(Table::Changes, &next.key())?.ok_or_else(missing)?;
    Ok(Some((next, record::decode(Table::Changes, &bytes)?)))
}
