//! What a unit of a source is about.

/// What a unit of a source is about. A key is unique within source and kind, so that a relationship's line in a
/// file never hides an item of the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum UnitKind {
    /// An item, with whatever is said along with it.
    Item,
    /// One relationship on its own.
    Relationship,
    /// One redundancy group on its own.
    Redundancy,
}

impl UnitKind {
    /// As written in exports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            UnitKind::Item => "item",
            UnitKind::Relationship => "relationship",
            UnitKind::Redundancy => "redundancy",
        }
    }
}
