//! A relationship: a typed, directed edge with sources and a life of its own; and redundancy.

use std::fmt;
use std::str::FromStr;

use super::id::{ItemId, SourceId};
use super::item::Status;
use super::time::Timestamp;
use super::unit::UnitKind;
use super::value::Attributes;

/// One version of a relationship. There is at most one of a type between two items.
#[derive(Clone, PartialEq, Debug)]
pub struct Relationship {
    /// The item it is written from.
    pub from: ItemId,
    /// Its type.
    pub kind: String,
    /// The item it is written to.
    pub to: ItemId,
    /// Where it is in its life.
    pub status: Status,
    /// Since when it has this status.
    pub status_since: Timestamp,
    /// A person says that it does not exist: kept, and counted in nothing.
    pub denied: bool,
    /// When it was first observed.
    pub first_seen: Timestamp,
    /// What each source says, in the order in which they first said it. Never empty.
    pub claims: Vec<RelationshipClaimState>,
    /// Which of the claims is the effective one.
    pub effective: usize,
    /// Which of the claims says in which group it stands.
    pub grouped_by: usize,
}

/// What one source says of a relationship.
#[derive(Clone, PartialEq, Debug)]
pub struct RelationshipClaimState {
    /// Who says it.
    pub source: SourceId,
    /// What kind of claim says it.
    pub unit: UnitKind,
    /// The key of the claim that says it.
    pub key: String,
    /// The part of the world this came with.
    pub scope: String,
    /// Redundancy group on the dependent end; empty: none.
    pub group: String,
    /// Its share of a capacity group.
    pub weight: f64,
    /// Observed and concluded, not declared.
    pub inferred: bool,
    /// 0 to 1.
    pub confidence: f64,
    /// It says that the relationship does not exist.
    pub denied: bool,
    /// Attributes of the relationship.
    pub attributes: Attributes,
    /// When the source first said it.
    pub first_seen: Timestamp,
    /// When the source last said something new.
    pub observed_at: Timestamp,
    /// When the source ceased to say it.
    pub withdrawn_at: Option<Timestamp>,
}

impl RelationshipClaimState {
    /// Whether it says in which group the relationship stands, and not that the relationship exists.
    #[must_use]
    pub fn only_groups(&self) -> bool {
        self.unit == UnitKind::Redundancy
    }
}

impl Relationship {
    /// The claim whose weight, confidence and attributes count; and whose group, where no claim is about that alone.
    ///
    /// # Panics
    /// When the invariant that a relationship has a claim is broken.
    #[must_use]
    pub fn effective(&self) -> &RelationshipClaimState {
        &self.claims[self.effective]
    }

    /// The redundancy group that it stands in on its dependent end; empty: none.
    #[must_use]
    pub fn group(&self) -> &str {
        self.claims.get(self.grouped_by).map_or("", |claim| claim.group.as_str())
    }

    /// Whether any source says, or said, that it exists.
    #[must_use]
    pub fn is_stated(&self) -> bool {
        self.claims.iter().any(|claim| !claim.only_groups())
    }

    /// Whether it is part of the graph now.
    #[must_use]
    pub fn stands(&self) -> bool {
        !self.denied && self.status != Status::Retired
    }
}

/// How many members of a redundancy group a dependent needs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Require {
    /// Every member.
    All,
    /// One member.
    Any,
    /// That many members.
    AtLeast(u32),
    /// That share of the members, rounded up.
    Percent(f64),
    /// Members whose weights add up to that much.
    Capacity(f64),
}

/// The text is not a requirement.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("\"{0}\" is not a requirement: write all, any, at_least N, percent P (0 to 100) or capacity C")]
pub struct NotARequirement(pub String);

impl FromStr for Require {
    type Err = NotARequirement;

    fn from_str(text: &str) -> Result<Self, NotARequirement> {
        let refuse = || NotARequirement(text.to_owned());
        let mut words = text.split_whitespace();
        let require = match (words.next(), words.next(), words.next()) {
            (Some("all"), None, None) => Require::All,
            (Some("any"), None, None) => Require::Any,
            (Some("at_least"), Some(number), None) => {
                Require::AtLeast(number.parse().ok().filter(|number| *number > 0).ok_or_else(refuse)?)
            }
            (Some("percent"), Some(number), None) => {
                let share = number.trim_end_matches('%').parse::<f64>().map_err(|_| refuse())?;
                Require::Percent(
                    Some(share).filter(|share| *share > 0.0 && *share <= 100.0).ok_or_else(refuse)?,
                )
            }
            (Some("capacity"), Some(number), None) => {
                let capacity = number.parse::<f64>().map_err(|_| refuse())?;
                Require::Capacity(
                    Some(capacity)
                        .filter(|capacity| capacity.is_finite() && *capacity > 0.0)
                        .ok_or_else(refuse)?,
                )
            }
            _ => return Err(refuse()),
        };
        Ok(require)
    }
}

impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Require::All => f.write_str("all"),
            Require::Any => f.write_str("any"),
            Require::AtLeast(number) => write!(f, "at_least {number}"),
            Require::Percent(share) => write!(f, "percent {share}"),
            Require::Capacity(capacity) => write!(f, "capacity {capacity}"),
        }
    }
}
