//! Items that may be the same: each names the others.

use std::collections::BTreeSet;

use crate::change::{Draft, item_identifiers};
use crate::model::{Item, ItemId};
use crate::store::StoreError;

/// Records that items may be the same, on all of them; a pair that a person told apart is left alone.
pub(in crate::engine) fn add_duplicates(
    draft: &mut Draft<'_>,
    item: &mut Item,
    duplicates: &[ItemId],
) -> Result<(), StoreError> {
    let known = item.distinct_from.clone();
    for other in duplicates.iter().filter(|other| **other != item.id && !known.contains(other)) {
        insert_sorted(&mut item.duplicates, *other);
        if let Some(found) = draft.item(*other)? {
            let mut found = Item::clone(&found);
            insert_sorted(&mut found.duplicates, item.id);
            draft.put_item(found)?;
        }
    }
    Ok(())
}

/// Items that shared an identifier with this one and do not any more are not the same, nor clones, for all that is
/// known now.
pub(super) fn forget_duplicates(
    draft: &mut Draft<'_>,
    before: &Item,
    item: &mut Item,
    still: &[ItemId],
) -> Result<(), StoreError> {
    if before.duplicates.is_empty() {
        return Ok(());
    }
    let schema = draft.schema();
    let digests = |item: &Item| -> BTreeSet<[u8; 16]> {
        item_identifiers(item, &schema).into_iter().map(|identifier| identifier.digest).collect()
    };
    let (had, has) = (digests(before), digests(item));
    for id in before.duplicates.iter().filter(|id| !still.contains(id)) {
        let Some(other) = draft.item(*id)? else { continue };
        let theirs = digests(&other);
        if had.is_disjoint(&theirs) || !has.is_disjoint(&theirs) {
            continue;
        }
        item.duplicates.retain(|other| other != id);
        let mut other = Item::clone(&other);
        other.duplicates.retain(|id| *id != item.id);
        draft.put_item(other)?;
    }
    Ok(())
}

pub(in crate::engine) fn insert_sorted(ids: &mut Vec<ItemId>, id: ItemId) {
    if let Err(place) = ids.binary_search(&id) {
        ids.insert(place, id);
    }
}
