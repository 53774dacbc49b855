//! Values that say nothing.

use std::collections::{BTreeMap, BTreeSet};

/// What is junk, per attribute; the empty attribute stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Junk {
    by_attribute: BTreeMap<String, Values>,
}

#[derive(Clone, Debug, Default)]
struct Values {
    whole: BTreeSet<String>,
    beginnings: Vec<String>,
    one_character: bool,
}

impl Junk {
    /// Adds a value; one that ends in `*` stands for all that begin so.
    pub(super) fn add(&mut self, attribute: &str, value: &str) {
        let values = self.by_attribute.entry(attribute.to_owned()).or_default();
        let value = value.trim().to_lowercase();
        match value.strip_suffix('*') {
            Some(beginning) => values.beginnings.push(beginning.to_owned()),
            None => {
                values.whole.insert(value);
            }
        }
    }

    /// Makes junk of every value that is one character over and over.
    pub(super) fn add_one_character(&mut self, attribute: &str) {
        self.by_attribute.entry(attribute.to_owned()).or_default().one_character = true;
    }

    pub(super) fn holds(&self, attribute: &str, value: &str) -> bool {
        let value = value.trim().to_lowercase();
        ["", attribute].iter().filter_map(|name| self.by_attribute.get(*name)).any(|values| {
            values.whole.contains(&value)
                || values.beginnings.iter().any(|beginning| value.starts_with(beginning.as_str()))
                || (values.one_character && is_one_character(&value))
        })
    }
}

/// Whether nothing but one character is left without separators, as in `00:00:00` and `........`.
fn is_one_character(value: &str) -> bool {
    let mut characters = value.chars().filter(|c| !matches!(c, '-' | ':' | ' ' | '{' | '}'));
    let Some(first) = characters.next() else { return true };
    characters.all(|c| c == first)
}
