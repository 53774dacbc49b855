//! What the chain of commits is hashed over.
//!
//! ```text
//! commit = H(commit before · head of the commit · changes)
//! form 0: changes = H(length · row · length · row …)
//! form 1: changes = H(H(row) · H(row) … · what the commit put in place of older rows · the anchor it sets)
//! form 2: the same, and of the reason in the head H(salt · reason)
//! ```
//!
//! From form 1 on each row carries a salt, so that its digest confirms nobody's guess of what it holds. So a row can be
//! erased and its digest kept: a purge puts another row in its place and hashes both digests into its own commit.
//! Commits of form 0 were written before there were purges; of one that is purged, the digest of all its rows is kept.
//! From form 2 on a reason is erased in the same way. Of an older commit whose reason was erased the hash cannot be worked
//! out any more: it is taken on the word of the commit that erased it, which covers both digests of the whole head.
//!
//! Invariant: every commit that is written has form 2; all are read.

use std::collections::BTreeMap;

use crate::model::Revision;
use crate::store::key::Place;
use crate::store::record::{self, CommitRecord, ReplacedRecord};
use crate::store::{self, Range, Read, StoreError, Table, key};

/// A BLAKE3 digest.
pub(crate) type Digest = [u8; 32];

/// The form of the commits that are written.
pub(crate) const FORM: u32 = 2;

/// How much chance a row is given, in bytes.
const SALT_BYTES: usize = 16;

/// The chance that a row is given, from what its commit drew.
pub(super) fn salt(secret: &Digest, place: Place, why: &[u8]) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(why);
    hasher.update(&place.key());
    hasher.finalize().as_bytes()[..SALT_BYTES].to_vec()
}

/// The digest of a row of the log.
pub(crate) fn row_digest(row: &[u8]) -> Digest {
    *blake3::hash(row).as_bytes()
}

/// What the hash of a commit covers of its reason.
pub(crate) fn reason_part(head: &CommitRecord) -> Vec<u8> {
    match (head.form, head.reason_digest.as_slice()) {
        (0 | 1, _) => [&(head.reason.len() as u64).to_le_bytes(), head.reason.as_bytes()].concat(),
        (_, []) => reason_digest(&head.reason_salt, &head.reason).to_vec(),
        (_, digest) => digest.to_vec(),
    }
}

pub(super) fn reason_digest(salt: &[u8], reason: &str) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("cmdb reason of a commit");
    hasher.update(salt);
    hasher.update(reason.as_bytes());
    *hasher.finalize().as_bytes()
}

/// What a commit says beside its changes; empty: nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Besides<'a> {
    /// Over what it put in place of older rows.
    pub(crate) replaced: &'a [u8],
    /// Over what is left of a history that was compacted.
    pub(crate) anchor: &'a [u8],
    /// For how many days every change is kept from then on; 0: for good.
    pub(crate) history_days: Option<u64>,
}

/// What the head of a commit says beside its changes.
pub(crate) fn besides(head: &CommitRecord) -> Besides<'_> {
    Besides { replaced: &head.replaced, anchor: &head.anchor, history_days: head.history_days }
}

/// Over the changes of a commit.
#[derive(Clone)]
pub(crate) struct ChangesHash {
    form: u32,
    hasher: blake3::Hasher,
}

impl ChangesHash {
    pub(crate) fn new(form: u32) -> ChangesHash {
        let hasher = match form {
            0 => blake3::Hasher::new(),
            _ => blake3::Hasher::new_derive_key("cmdb commit of form 1: digests of salted rows"),
        };
        ChangesHash { form, hasher }
    }

    /// The next row.
    pub(crate) fn row(&mut self, row: &[u8]) {
        if self.form == 0 {
            self.hasher.update(&(row.len() as u64).to_le_bytes());
            self.hasher.update(row);
        } else {
            self.digest(&row_digest(row));
        }
    }

    /// The digest of the next row, in form 1.
    pub(crate) fn digest(&mut self, digest: &Digest) {
        self.hasher.update(digest);
    }

    pub(crate) fn finish(mut self, besides: &Besides<'_>) -> Digest {
        if self.form != 0 {
            for (mark, what) in [(1, besides.replaced), (2, besides.anchor)] {
                if !what.is_empty() {
                    self.hasher.update(&[mark]);
                    self.hasher.update(what);
                }
            }
            if let Some(days) = besides.history_days {
                self.hasher.update(&[3]);
                self.hasher.update(&days.to_le_bytes());
            }
        }
        *self.hasher.finalize().as_bytes()
    }
}

/// The hash of a commit: of the one before, of its own head, and of all its changes.
pub(crate) fn commit_hash(revision: Revision, head: &CommitRecord, changes: &Digest) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head.previous_hash);
    hasher.update(&revision.0.to_le_bytes());
    hasher.update(&head.recorded_at_us.to_le_bytes());
    hasher.update(&(head.actor.len() as u64).to_le_bytes());
    hasher.update(head.actor.as_bytes());
    hasher.update(&reason_part(head));
    hasher.update(&head.changes.to_le_bytes());
    hasher.update(changes);
    *hasher.finalize().as_bytes()
}

/// What was put in place of one row, or of all rows of a commit of form 0, by one commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Replaced {
    /// Of what stood there.
    pub(crate) before: Digest,
    /// Of what stands there.
    pub(crate) after: Digest,
}

impl Replaced {
    /// A row of `Replaced`: the place, the commit that replaced it, and what.
    pub(crate) fn read(row: &[u8], bytes: &[u8]) -> Result<(Place, Revision, Replaced), StoreError> {
        let damaged =
            |detail: &str| StoreError::Damaged { table: Table::Replaced.name(), detail: detail.to_owned() };
        let (place, by) = key::split_replaced(row).ok_or_else(|| damaged("a row without a place"))?;
        let said: ReplacedRecord = record::decode(Table::Replaced, bytes)?;
        let digest = |bytes: Vec<u8>| bytes.try_into().map_err(|_| damaged("a digest of another length"));
        Ok((place, by, Replaced { before: digest(said.before)?, after: digest(said.after)? }))
    }

    pub(super) fn record(&self) -> ReplacedRecord {
        ReplacedRecord { before: self.before.to_vec(), after: self.after.to_vec() }
    }
}

/// Stands for all rows of a commit of form 0.
pub(crate) fn whole(revision: Revision) -> Place {
    Place { revision, sequence: u32::MAX }
}

/// Stands for the head of a commit.
pub(crate) fn head_of(revision: Revision) -> Place {
    Place { revision, sequence: u32::MAX - 1 }
}

/// Whether the head of a commit is what the commits say that put it there; `None`: nobody put another in its place.
pub(crate) fn head_replaced(
    read: &dyn Read,
    revision: Revision,
    bytes: &[u8],
) -> Result<Option<bool>, StoreError> {
    let steps = replaced_at(read, head_of(revision))?;
    Ok((!steps.is_empty()).then(|| original(&steps, row_digest(bytes)).is_some()))
}

/// Over what one commit put in place of older rows, in the order of the places.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ReplacedHash(Digest);

impl ReplacedHash {
    pub(crate) fn add(&mut self, place: Place, replaced: &Replaced) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        hasher.update(&place.key());
        hasher.update(&replaced.before);
        hasher.update(&replaced.after);
        self.0 = *hasher.finalize().as_bytes();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What commits put in place of older rows, by commit.
pub(crate) fn all_replaced(read: &dyn Read) -> Result<BTreeMap<Revision, ReplacedHash>, StoreError> {
    let mut hashes: BTreeMap<Revision, ReplacedHash> = BTreeMap::new();
    store::for_each(read, Table::Replaced, Range::all(), |row, bytes| {
        let (place, by, replaced) = Replaced::read(row, bytes)?;
        hashes.entry(by).or_default().add(place, &replaced);
        Ok::<(), StoreError>(())
    })?;
    Ok(hashes)
}

/// The digest of a row as it was at a commit, before purges that came later; without one, as it is.
pub(crate) fn digest_before(
    read: &dyn Read,
    place: Place,
    row: &[u8],
    commit: Option<Revision>,
) -> Result<Digest, StoreError> {
    let now = row_digest(row);
    let Some(commit) = commit else { return Ok(now) };
    let mut digest = now;
    let rows = read.scan(Table::Replaced, &Range::prefix(place.key()), store::SCAN_ROWS_MAX)?;
    for (row, bytes) in rows.iter().rev() {
        let (_, by, replaced) = Replaced::read(row, bytes)?;
        if by > commit && replaced.after == digest {
            digest = replaced.before;
        }
    }
    Ok(digest)
}

/// What was put in place of a row, oldest first.
fn replaced_at(read: &dyn Read, place: Place) -> Result<Vec<Replaced>, StoreError> {
    let rows = read.scan(Table::Replaced, &Range::prefix(place.key()), store::SCAN_ROWS_MAX)?;
    rows.iter().map(|(row, bytes)| Ok(Replaced::read(row, bytes)?.2)).collect()
}

/// What the digest of a row was before anything was put in its place; `None`: what stands there is none of that.
fn original(steps: &[Replaced], now: Digest) -> Option<Digest> {
    let mut expected = now;
    for step in steps.iter().rev() {
        if step.after != expected {
            return None;
        }
        expected = step.before;
    }
    Some(expected)
}

/// The hash over the changes of a commit as they were before some of them were replaced; `None`: what stands there now
/// is not what was put there.
pub(crate) fn changes_before(
    read: &dyn Read,
    revision: Revision,
    form: u32,
    besides: &Besides<'_>,
) -> Result<Option<Digest>, StoreError> {
    let mut now = ChangesHash::new(FORM);
    let mut then = ChangesHash::new(FORM);
    let mut good = true;
    store::for_each(read, Table::Changes, Range::prefix(key::revision(revision)), |row, bytes| {
        let digest = row_digest(bytes);
        now.digest(&digest);
        if form != 0 {
            let place = Place::from_key(row).unwrap_or_default();
            match original(&replaced_at(read, place)?, digest) {
                Some(digest) => then.digest(&digest),
                None => good = false,
            }
        }
        Ok::<(), StoreError>(())
    })?;
    if form != 0 {
        return Ok(good.then(|| then.finish(besides)));
    }
    let steps = replaced_at(read, whole(revision))?;
    Ok(if steps.is_empty() { None } else { original(&steps, now.finish(&Besides::default())) })
}
