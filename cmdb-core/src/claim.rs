//! What a source says: claims, references and reports, as they come in.
//!
//! Knows nothing of which item a claim speaks of, nor of who wins. Invariant: a claim is replaced as a whole,
//! unless it is said to merge.

mod entry_point;

pub use entry_point::{ENTRY_POINTS_MAX, EntryPoint, NotAnEntryPoint};

use std::collections::BTreeMap;

use crate::model::Timestamp;
use crate::model::relationship::Require;
pub use crate::model::unit::UnitKind;
use crate::model::value::Attributes;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// The longest evidence of a redundancy group that is kept, in bytes; more is cut.
pub const EVIDENCE_BYTES_MAX: usize = 1_024;
/// The most relationships one claim may carry.
pub const RELATIONSHIPS_MAX: usize = 100_000;
/// The most attributes one item claim may carry.
pub const ATTRIBUTES_MAX: usize = 1_000;

/// One unit of a source: everything it says under one key.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// What it is about.
    pub kind: UnitKind,
    /// The source's own name for it. `@42` in a person's claim speaks of the item with that id.
    pub key: String,
    /// What it says of the item.
    pub item: Option<ItemClaim>,
    /// Relationships.
    pub relationships: Vec<RelationshipClaim>,
    /// Redundancy groups.
    pub redundancies: Vec<RedundancyClaim>,
}

/// What a source says of an item.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ItemClaim {
    /// Its class; empty in a claim that names the item by id: says nothing of the class.
    pub class: String,
    /// Its name; empty: says nothing of the name.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
    /// With merge: attributes that the source no longer claims. Otherwise: attributes that it says have no value.
    pub cleared: Vec<String>,
    /// Attributes of this claim that a person holds against every other source.
    pub pins: BTreeMap<String, PinClaim>,
    /// Attributes that are held no longer, whoever held them.
    pub unpinned: Vec<String>,
    /// The item that it is identified within: its host.
    pub within: Option<Reference>,
}

/// How a person holds a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinClaim {
    /// When it ends; `None`: when somebody unpins it.
    pub until: Option<Timestamp>,
    /// Why; never empty.
    pub reason: String,
}

/// How a claim names an item.
#[derive(Clone, PartialEq, Debug)]
pub enum Reference {
    /// A key of the same source.
    Key(String),
    /// A key of another source.
    SourceKey {
        /// The other source.
        source: String,
        /// Its key.
        key: String,
    },
    /// Attributes; creates nothing and waits until exactly one item matches.
    Match(Match),
    /// The item of the claim itself.
    This,
    /// An item id.
    Id(crate::model::ItemId),
}

/// Attributes that exactly one item has.
#[derive(Clone, PartialEq, Debug)]
pub struct Match {
    /// This class or a child of it; empty: any.
    pub class: String,
    /// What the item must have. At least one attribute is an indexed one.
    pub attributes: Attributes,
}

/// What a source says of a relationship.
#[derive(Clone, PartialEq, Debug)]
pub struct RelationshipClaim {
    /// The item it is written from.
    pub from: Reference,
    /// Its type.
    pub kind: String,
    /// The item it is written to.
    pub to: Reference,
    /// Redundancy group on the dependent end; empty: none.
    pub group: String,
    /// Its share of a capacity group.
    pub weight: f64,
    /// Observed and concluded, not declared.
    pub inferred: bool,
    /// 0 to 1.
    pub confidence: f64,
    /// The source says that it does not exist.
    pub denied: bool,
    /// Attributes of the relationship.
    pub attributes: Attributes,
}

/// What a source says of a redundancy group.
#[derive(Clone, PartialEq, Debug)]
pub struct RedundancyClaim {
    /// The dependent.
    pub item: Reference,
    /// The group's name.
    pub group: String,
    /// How many members it needs.
    pub require: Require,
    /// Concluded from evidence.
    pub inferred: bool,
    /// 0 to 1.
    pub confidence: f64,
    /// What it was concluded from, in words; of a person's word on it, the reason.
    pub evidence: String,
    /// A person says that there is no such redundancy.
    pub rejected: bool,
}
