//! The order in which items are listed.

use std::cmp::Ordering;

use super::compare::compare;
use crate::model::{Problem, Reason, Value};

/// The longest name that can be sorted by, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What to sort by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// An attribute, or `id`, `key`, `source`, `class`, `name`, `status`.
    pub attribute: String,
    /// The greatest first.
    pub descending: bool,
}

impl Sort {
    /// Reads `name`, or `-name` for the greatest first.
    ///
    /// # Errors
    /// [`Reason::FilterInvalid`] when it is not the name of an attribute.
    pub fn parse(text: &str) -> Result<Sort, Problem> {
        let (descending, attribute) = match text.trim().strip_prefix('-') {
            Some(attribute) => (true, attribute.trim()),
            None => (false, text.trim()),
        };
        let fits = !attribute.is_empty()
            && attribute.len() <= NAME_BYTES_MAX
            && attribute
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '/' | ':'));
        if fits {
            return Ok(Sort { attribute: attribute.to_owned(), descending });
        }
        let shown: String = text.chars().take(60).collect();
        let message = format!("\"{shown}\" is nothing to sort by");
        Err(Problem::new(Reason::FilterInvalid, message, shown.as_str())
            .expected("the name of one attribute", shown)
            .hint("write name, or -name for the greatest first"))
    }

    /// The order of two items by their values. What has none comes last, whatever the direction.
    #[must_use]
    pub fn compare(&self, one: Option<&Value>, other: Option<&Value>) -> Ordering {
        match (one, other) {
            (Some(one), Some(other)) if self.descending => compare(other, one),
            (Some(one), Some(other)) => compare(one, other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    }
}
