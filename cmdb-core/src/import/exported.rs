//! The form in which everything is exported: one line for the header, each source, each item with all its claims, and
//! each relationship with all its claims. Nothing is lost: reading it into an empty store gives the same graph.

mod read;
mod waiting;
mod write;

use std::collections::BTreeMap;

use crate::claim::{Claim, Reference};
use crate::model::item::{Identification, Marks, Purged, Stated};
use crate::model::relationship::Require;
use crate::model::source::SourceKind;
use crate::model::value::Attributes;
use crate::model::{ItemId, Revision, Status, Timestamp, UnitKind};

pub(super) use read::{is_export, read_header, read_item, read_relationship, read_source};
pub(super) use waiting::read_waiting;
pub use write::write_line;

/// The version of the form that is written. Older ones are read.
pub const FORMAT: u64 = 1;

/// One line of an export.
#[derive(Clone, PartialEq, Debug)]
pub enum Exported {
    /// The first line.
    Header(Header),
    /// Who states facts; before the items that name it.
    Source(ExportedSource),
    /// An item.
    Item(Box<ExportedItem>),
    /// A relationship; after the items it relates.
    Relationship(Box<ExportedRelationship>),
    /// What waits; after the relationships.
    Waiting(Box<ExportedWaiting>),
}

/// What the export is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// [`FORMAT`] when it was written.
    pub format: u64,
    /// The revision that was exported.
    pub revision: Revision,
    /// Of a past moment: what could not be told of it.
    pub left_out: Option<LeftOut>,
}

/// What an export of a past moment does not hold, because what waits has no past. As many as that at least: what came to
/// an end since is not on record at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// References and claims that wait now, and did so then.
    pub waiting: u64,
    /// Relationships that a match holds on to: they are there, and an import takes them for plain ones.
    pub matched: u64,
}

/// A source, without its number in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields of model::Source")]
pub struct ExportedSource {
    pub name: String,
    pub kind: SourceKind,
    pub title: String,
    pub version: String,
}

/// An item, with sources by name.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields of model::Item")]
pub struct ExportedItem {
    pub id: ItemId,
    pub class: String,
    pub name: String,
    pub status: Status,
    pub status_since: Timestamp,
    pub first_seen: Timestamp,
    pub claims: Vec<ExportedItemClaim>,
    pub groups: Vec<ExportedGroup>,
    pub duplicates: Vec<ItemId>,
    pub merged_into: Option<ItemId>,
    pub distinct_from: Vec<ItemId>,
    pub purged: BTreeMap<String, Purged>,
}

/// What one source says of an item.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields of model::item::ItemClaimState")]
pub struct ExportedItemClaim {
    pub source: String,
    pub key: String,
    pub scope: String,
    pub class: String,
    pub name: String,
    pub attributes: BTreeMap<String, Stated>,
    pub within: Option<ItemId>,
    pub first_seen: Timestamp,
    pub observed_at: Timestamp,
    pub withdrawn_at: Option<Timestamp>,
    pub identification: Identification,
    pub marks: Marks,
}

/// A redundancy group, on its item.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields of model::item::Group")]
pub struct ExportedGroup {
    pub name: String,
    pub require: Require,
    pub inferred: bool,
    pub confidence: f64,
    pub source: String,
    pub key: String,
    pub evidence: String,
    pub rejected: bool,
}

/// A relationship, with sources by name.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields of model::Relationship")]
pub struct ExportedRelationship {
    pub from: ItemId,
    pub kind: String,
    pub to: ItemId,
    pub status: Status,
    pub status_since: Timestamp,
    pub denied: bool,
    pub first_seen: Timestamp,
    pub claims: Vec<ExportedRelationshipClaim>,
    pub effective: usize,
    pub grouped_by: usize,
}

/// What one source says of a relationship.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields of model::relationship::RelationshipClaimState")]
pub struct ExportedRelationshipClaim {
    pub source: String,
    pub unit: UnitKind,
    pub key: String,
    pub scope: String,
    pub group: String,
    pub weight: f64,
    pub inferred: bool,
    pub confidence: f64,
    pub denied: bool,
    pub attributes: Attributes,
    pub first_seen: Timestamp,
    pub observed_at: Timestamp,
    pub withdrawn_at: Option<Timestamp>,
}

/// What a source said that waits, or holds on to what it waited for.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedWaiting {
    /// Who said it.
    pub source: String,
    /// As what.
    pub unit: UnitKind,
    /// Under which key.
    pub key: String,
    /// In which scope.
    pub scope: String,
    /// Since when it waits; `None`: it does not, or goes with the item that it follows from.
    pub since: Option<Timestamp>,
    /// What it is.
    pub what: Waits,
}

/// What waits.
#[derive(Clone, PartialEq, Debug)]
pub enum Waits {
    /// A relationship until its ends are known.
    Asked {
        /// Its source end.
        from: Reference,
        /// Its type.
        kind: String,
        /// Its target end.
        to: Reference,
        /// The items that it relates now.
        held: Option<(ItemId, ItemId)>,
        /// What is said of it.
        claim: Box<ExportedRelationshipClaim>,
    },
    /// A claim until the item that it stands within is known.
    Parked {
        /// Word for word.
        claim: Claim,
        /// When it was observed.
        observed_at: Timestamp,
        /// When its source last said otherwise.
        otherwise_at: Option<Timestamp>,
    },
}
