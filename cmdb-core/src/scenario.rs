//! Scenarios: named lists of edits that were never made, on the facts of a base revision.
//!
//! A scenario stands outside the log. Questions are asked of the graph of its base with the edits on top; applying it
//! states the edits as a person's claims at the head, in one commit. Knows nothing of how it is stored or asked for.
//!
//! Items that a scenario adds have *provisional* numbers: places in the list of its edits, turned into real items only
//! when it is applied.
//!
//! Invariant: the same edits on the same base give the same graph.

mod convert;

use std::collections::{BTreeMap, BTreeSet};

use crate::model::relationship::Require;
use crate::model::value::Attributes;
use crate::model::{ItemId, Revision, Timestamp};

pub use convert::{scenario_from, scenario_record};

/// The most edits of one scenario.
pub const EDITS_MAX: usize = 10_000;
/// The most scenarios that are kept.
pub const SCENARIOS_MAX: usize = 1_000;
/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A named list of edits.
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// Its name, unique.
    pub name: String,
    /// The revision that its edits start from.
    pub base: Revision,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// What it is for; may be empty.
    pub reason: String,
    /// In the order in which they were added; later ones win.
    pub edits: Vec<Edit>,
}

/// An item that an edit speaks of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// One that exists at the base.
    Item(ItemId),
    /// The one that the scenario's edit at this place adds.
    Added(u32),
}

/// One edit.
#[derive(Clone, PartialEq, Debug)]
pub enum Edit {
    /// A new item.
    Add {
        /// Its class.
        class: String,
        /// Its name; within the scenario it is called so.
        name: String,
        /// Its attributes.
        attributes: Attributes,
    },
    /// An item is taken out.
    Remove {
        /// Which.
        item: Subject,
    },
    /// Attributes are changed.
    Set {
        /// Of which item.
        item: Subject,
        /// To these values.
        attributes: Attributes,
        /// These are taken away.
        cleared: Vec<String>,
    },
    /// A relationship is added, or its group and weight are changed.
    Relate {
        /// The item it is written from.
        from: Subject,
        /// Its type.
        kind: String,
        /// The item it is written to.
        to: Subject,
        /// Redundancy group on the dependent end; empty: none.
        group: String,
        /// Its share of a capacity group.
        weight: f64,
    },
    /// A relationship is taken away.
    Unrelate {
        /// The item it is written from.
        from: Subject,
        /// Its type.
        kind: String,
        /// The item it is written to.
        to: Subject,
    },
    /// A redundancy group needs something else.
    Require {
        /// The dependent.
        item: Subject,
        /// The group.
        group: String,
        /// What it needs.
        require: Require,
    },
}

impl Scenario {
    /// The items it adds and does not take out again, by the place of the edit that adds them: class and name.
    #[must_use]
    pub fn added(&self) -> BTreeMap<u32, (&str, &str)> {
        let edits = self.standing().into_iter();
        edits
            .filter_map(|(place, edit)| match edit {
                Edit::Add { class, name, .. } => Some((place, (class.as_str(), name.as_str()))),
                _ => None,
            })
            .collect()
    }

    /// The item that it adds under a name.
    #[must_use]
    pub fn added_as(&self, wanted: &str) -> Option<Subject> {
        let added = self.added();
        let found = added.iter().find(|(_, (_, name))| *name == wanted);
        found.map(|(place, _)| Subject::Added(*place))
    }

    /// The edits that count, with their places: none that speaks of an item that is added and taken out again.
    #[must_use]
    pub fn standing(&self) -> Vec<(u32, &Edit)> {
        let gone: BTreeSet<Subject> = self
            .edits
            .iter()
            .filter_map(|edit| match edit {
                Edit::Remove { item: item @ Subject::Added(_) } => Some(*item),
                _ => None,
            })
            .collect();
        let counts = |place: u32, edit: &Edit| {
            let adds = matches!(edit, Edit::Add { .. }).then_some(Subject::Added(place));
            !adds.into_iter().chain(edit.subjects()).any(|subject| gone.contains(&subject))
        };
        (0u32..).zip(&self.edits).filter(|(place, edit)| counts(*place, edit)).collect()
    }
}

impl Edit {
    /// The items it speaks of.
    #[must_use]
    pub fn subjects(&self) -> Vec<Subject> {
        match self {
            Edit::Add { .. } => Vec::new(),
            Edit::Remove { item } | Edit::Set { item, .. } | Edit::Require { item, .. } => vec![*item],
            Edit::Relate { from, to, .. } | Edit::Unrelate { from, to, .. } => vec![*from, *to],
        }
    }
}
