//! What rows are written from: the model itself, so that nothing is copied into a record first.

use std::borrow::Cow;

use super::{ChangeRecord, OutgoingRecord, PlaceRecord, item_record, relationship_record};
use crate::model::{Item, Relationship};

/// A row of `Changes`, as it is written. It reads as a [`ChangeRecord`].
#[derive(Clone, Copy, Default, Debug)]
pub struct ChangeRow<'a> {
    /// The change on the same item before this one.
    pub previous: Option<PlaceRecord>,
    /// The version of the item before this one.
    pub previous_version: Option<PlaceRecord>,
    /// The new version of an item.
    pub item: Option<&'a Item>,
    /// A relationship as it was.
    pub before: Option<&'a Relationship>,
    /// A relationship as it is.
    pub after: Option<&'a Relationship>,
    /// Chance, so that the row's digest confirms nobody's guess of what it holds.
    pub salt: &'a [u8],
}

impl ChangeRow<'_> {
    pub(super) fn record(&self) -> ChangeRecord {
        ChangeRecord {
            previous: self.previous,
            previous_version: self.previous_version,
            item: self.item.map(item_record),
            relationship_before: self.before.map(relationship_record),
            relationship_after: self.after.map(relationship_record),
            salt: self.salt.to_vec(),
        }
    }
}

/// A chunk of `Outgoing`, as it is written: relationships in order of type and far end. It reads as an
/// [`OutgoingRecord`].
#[derive(Clone, Copy, Debug)]
pub struct OutgoingRow<'a>(pub &'a [Cow<'a, Relationship>]);

impl OutgoingRow<'_> {
    pub(super) fn record(&self) -> OutgoingRecord {
        OutgoingRecord {
            relationships: self.0.iter().map(|relationship| relationship_record(relationship)).collect(),
        }
    }
}
