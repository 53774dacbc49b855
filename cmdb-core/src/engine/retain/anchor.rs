//! What proves the history that is left below the horizon: a digest of it, in a commit above.

use super::{Seal, put_state, state};
use crate::change::{self, Draft};
use crate::engine::request::Compacted;
use crate::model::Revision;
use crate::store::key::Place;
use crate::store::record::RetentionRecord;
use crate::store::{self, Order, Range, Read, StoreError, Table, key};

/// Over every change up to the horizon and every head of a commit that is left up to it. `sealed_by`: as it was at that commit,
/// before purges that came later.
pub(in crate::engine) fn kept_digest(
    read: &dyn Read,
    horizon: Revision,
    sealed_by: Option<Revision>,
) -> Result<[u8; 32], StoreError> {
    let mut hasher = blake3::Hasher::new();
    let upto = Place { revision: horizon.next(), sequence: 0 }.key();
    let range = Range { from: Vec::new(), to: Some(upto), order: Order::Ascending };
    store::for_each(read, Table::Changes, range, |row, bytes| {
        let place = crate::engine::view::place_of_row(row)?;
        hasher.update(row);
        hasher.update(&change::digest_before(read, place, bytes, sealed_by)?);
        Ok::<(), StoreError>(())
    })?;
    let range = Range { from: Vec::new(), to: Some(key::revision(horizon.next())), order: Order::Ascending };
    store::for_each(read, Table::Commits, range, |row, bytes| {
        hasher.update(row);
        let head = change::head_of(revision_of(row));
        hasher.update(&change::digest_before(read, head, bytes, sealed_by)?);
        Ok::<(), StoreError>(())
    })?;
    Ok(*hasher.finalize().as_bytes())
}

fn revision_of(row: &[u8]) -> Revision {
    row.try_into().map_or(Revision(0), |row| Revision(u64::from_be_bytes(row)))
}

/// What the commit that seals it covers.
pub(in crate::engine) fn anchor_digest(state: &RetentionRecord) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("cmdb anchor of a compacted history");
    hasher.update(&state.horizon.to_le_bytes());
    hasher.update(&state.hash);
    hasher.update(&state.observed_since_us.to_le_bytes());
    hasher.update(&state.digest);
    *hasher.finalize().as_bytes()
}

/// Puts the digest into this draft's commit; `None`: what it is of has changed since.
pub(in crate::engine) fn seal(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    seal: &Seal,
) -> Result<Option<Compacted>, StoreError> {
    let mut state = state(read)?;
    let range = Range { from: key::revision(seal.at.next()), ..Range::all() };
    let mut purged = false;
    store::for_each(read, Table::Commits, range, |row, _| {
        purged |= crate::engine::purge::is_purge(read, revision_of(row))?;
        Ok::<(), StoreError>(())
    })?;
    if purged || state.horizon != seal.horizon.0 {
        return Ok(None);
    }
    state.sealed_by = draft.revision().0;
    state.digest = seal.digest.to_vec();
    draft.anchor(anchor_digest(&state).to_vec());
    // The commit that said so may be dropped: what stands is said again.
    let kept = super::setting(read)?;
    if kept.revision > 0 {
        draft.keep_history(kept.days);
    }
    put_state(draft, &state);
    Ok(Some(Compacted {
        horizon: seal.horizon,
        revision: Some(draft.revision()),
        changes: state.changes_dropped,
        commits: state.commits_dropped,
    }))
}
