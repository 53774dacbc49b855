//! Names of things that never change: items, revisions, sources.

use std::fmt;
use std::str::FromStr;

/// The stable name of an item for as long as the store lives. Assigned in order by the one writer.
///
/// Written `@42`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ItemId(pub u64);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

/// The text is not of the form `@42`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an item id is written as @ and a number, such as @42")]
pub struct NotAnItemId;

impl FromStr for ItemId {
    type Err = NotAnItemId;

    fn from_str(text: &str) -> Result<Self, NotAnItemId> {
        let digits = text.strip_prefix('@').ok_or(NotAnItemId)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnItemId);
        }
        digits.parse().map(ItemId).map_err(|_| NotAnItemId)
    }
}

/// The place of a commit in the one order of all changes. Gapless; 0 is the empty graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The one before; that of the first is 0.
    #[must_use]
    pub fn before(self) -> Revision {
        Revision(self.0.saturating_sub(1))
    }

    /// The revision after this one.
    #[must_use]
    pub fn next(self) -> Revision {
        Revision(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A source, as a number within this store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SourceId(pub u32);
