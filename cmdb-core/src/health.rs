//! Whether the facts can be trusted: complete, correct, compliant, confirmed by machines, and answered for.
//!
//! Pure: the engine hands in every item with its relationships, one by one, and the rooms here count. Knows neither
//! the store nor the clock.
//!
//! ```text
//! Schema ──Rules::read──▶ Rules ┐
//! engine ──item by item─────────┴─▶ Survey ──end──▶ Health (figures, rates, what is behind one figure)
//! ```
//!
//! Invariant: a figure counts what its list names: the items behind it are exactly those for which it was counted.

mod confirm;
mod given;
mod rules;
mod survey;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::model::nearest::nearest;
use crate::model::{ItemId, Problem, Reason};

pub use confirm::{Rate, Witness};
pub use given::{
    Given, Inherited, LOOKED_AT_MAX, Origin, Service, Sites, Way, by_rules, is_service, rings, wants_sites,
};
pub use rules::Rules;
pub use survey::{Look, Survey, Takes};

/// How long a machine's word counts when nobody says how long, in microseconds.
pub const INTERVAL_US: i64 = crate::model::time::DAY_US;
/// The most items that one answer lists.
pub const LIST_MAX: usize = 10_000;
/// The most details that are told of one item.
const DETAILS_MAX: usize = 5;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Items of this class and its children; empty: all.
    pub class: String,
    /// The figure whose items are listed; empty: none.
    pub list: String,
    /// Items listed at most.
    pub limit: usize,
    /// How long ago a machine must have been heard for its word to count, in microseconds.
    pub interval_us: i64,
}

impl Default for Ask {
    fn default() -> Ask {
        Ask { class: String::new(), list: String::new(), limit: 100, interval_us: INTERVAL_US }
    }
}

/// What a figure speaks of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Area {
    Completeness,
    Correctness,
    Compliance,
    Confirmation,
    Ownership,
}

impl Area {
    /// As shown to people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Area::Completeness => "completeness",
            Area::Correctness => "correctness",
            Area::Compliance => "compliance",
            Area::Confirmation => "confirmation",
            Area::Ownership => "ownership",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One number, and what it was counted among.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure {
    /// Its name, unique: what `--list` takes.
    pub name: String,
    /// What it speaks of.
    pub area: Area,
    /// What is counted, in words.
    pub title: String,
    /// How many there are.
    pub count: u64,
    /// Among how many.
    pub of: u64,
    /// The items behind it.
    pub items: u64,
}

/// One item behind a figure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The item.
    pub item: ItemId,
    /// Why it is listed, in words; at most a few reasons.
    pub details: Vec<String>,
    /// Reasons that are not told.
    pub more: u64,
}

/// How the facts stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Items looked at.
    pub items: u64,
    /// The figures, in the order in which they are shown.
    pub figures: Vec<Figure>,
    /// What machines confirmed.
    pub facts: Rate,
    /// The same by class.
    pub by_class: BTreeMap<String, Rate>,
    /// The same by the source whose word is the effective one.
    pub by_source: BTreeMap<String, Rate>,
    /// The items behind the figure that was asked for, by id.
    pub listed: Vec<Listed>,
    /// Items behind it that are not listed.
    pub omitted: u64,
}

/// Nobody counts a figure of that name.
fn unknown_figure<'a>(given: &str, names: impl Iterator<Item = &'a str> + Clone) -> Problem {
    let message = format!("there is no figure \"{given}\"");
    let problem = Problem::new(Reason::FigureUnknown, message, given);
    let all = names.clone().collect::<Vec<_>>().join(", ");
    let problem = problem.expected(all, given);
    match nearest(given, names) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint("`cmdb health` shows the figures with their names"),
    }
}
