//! When each source was last seen: in memory, and written coarsely, so that a quiet estate does not wear the disk.

use std::collections::BTreeSet;
use std::sync::Mutex;

use rustc_hash::FxHashMap;

use super::writer::SCOPE_BY_HAND;
use crate::change::Draft;
use crate::model::item::ItemClaimState;
use crate::model::{SourceId, Timestamp};
use crate::store::{self, Order, Range, Read, StoreError, Table};

/// How coarsely presence is written, in microseconds.
pub const BUCKET_US: i64 = 5 * 60 * 1_000_000;

/// When each source was last seen.
#[derive(Default)]
pub(super) struct Presence {
    seen: Mutex<FxHashMap<SourceId, Seen>>,
    /// Those that spoke since somebody asked.
    heard: Mutex<BTreeSet<SourceId>>,
}

#[derive(Clone, Copy)]
struct Seen {
    at: Timestamp,
    written: Timestamp,
}

impl Presence {
    pub(super) fn load(read: &dyn Read) -> Result<Presence, StoreError> {
        let mut seen = FxHashMap::default();
        // Whether one of them spoke just before the server went down is not known: all are looked at once.
        let mut heard = BTreeSet::new();
        store::for_each(read, Table::Presence, Range::all(), |key, value| {
            if let (Some((source, _)), Ok(at)) = (key.split_first_chunk::<4>(), value.try_into()) {
                let at = Timestamp(i64::from_be_bytes(at));
                heard.insert(SourceId(u32::from_be_bytes(*source)));
                seen.insert(SourceId(u32::from_be_bytes(*source)), Seen { at, written: at });
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(Presence { seen: Mutex::new(seen), heard: Mutex::new(heard) })
    }

    pub(super) fn note(&self, source: SourceId, at: Timestamp) {
        let mut seen = self.lock();
        let entry = seen.entry(source).or_insert(Seen { at, written: Timestamp(i64::MIN) });
        entry.at = entry.at.max(at);
        drop(seen);
        self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(source);
    }

    /// Those that spoke since this was last asked.
    pub(super) fn take_heard(&self) -> BTreeSet<SourceId> {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Asks again for these later.
    pub(super) fn hear_again(&self, sources: impl IntoIterator<Item = SourceId>) {
        self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(sources);
    }

    /// When a claim was last confirmed: by its source as a whole, unless a person stated it by hand.
    pub(super) fn confirmed(&self, claim: &ItemClaimState) -> Timestamp {
        match claim.scope.as_str() {
            SCOPE_BY_HAND => claim.observed_at,
            _ => self.last_seen(claim.source).map_or(claim.observed_at, |seen| seen.max(claim.observed_at)),
        }
    }

    pub(super) fn last_seen(&self, source: SourceId) -> Option<Timestamp> {
        self.lock().get(&source).map(|seen| seen.at)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<SourceId, Seen>> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn bucket(at: Timestamp) -> i64 {
    at.0.div_euclid(BUCKET_US)
}

/// When a source was last seen by a moment in the past, to within [`BUCKET_US`].
pub(super) fn last_seen_by(
    read: &dyn Read,
    source: SourceId,
    by: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let first = source.0.to_be_bytes().to_vec();
    let mut beyond = first.clone();
    beyond.extend_from_slice(&(bucket(by) + 1).to_be_bytes());
    let range = Range { from: first, to: Some(beyond), order: Order::Descending };
    let last = read.scan(Table::Presence, &range, 1)?;
    let at = last.first().and_then(|(_, value)| value.as_slice().try_into().ok());
    Ok(at.map(|at| Timestamp(i64::from_be_bytes(at)).min(by)))
}

/// Writes what is new since it was last written, one row for each source and bucket.
pub(super) fn flush(draft: &mut Draft<'_>, presence: &Presence) -> Result<(), StoreError> {
    let mut seen = presence.lock();
    for (source, seen) in seen.iter_mut() {
        if bucket(seen.at) == bucket(seen.written) {
            continue;
        }
        let mut key = source.0.to_be_bytes().to_vec();
        key.extend_from_slice(&bucket(seen.at).to_be_bytes());
        draft.put_row(Table::Presence, key, seen.at.0.to_be_bytes().to_vec());
        seen.written = seen.at;
    }
    Ok(())
}
