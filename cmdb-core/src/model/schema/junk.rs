//! Values that say nothing.

use std::collections::{BTreeMap, BTreeSet};

/// What is junk, per attribute; the empty attribute stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Junk {
    everywhere: BTreeMap<String, Values>,
    /// What is junk in lookups besides: it says something of its item, and nothing of the one it belongs to.
    in_lookups: BTreeMap<String, Values>,
}

/// Where a value counts as junk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counts {
    Everywhere,
    InLookups,
}

#[derive(Clone, Debug, Default)]
struct Values {
    whole: BTreeSet<String>,
    beginnings: Vec<String>,
    one_character: bool,
    locally_administered: bool,
}

impl Junk {
    fn of(&mut self, attribute: &str, counts: Counts) -> &mut Values {
        let values = match counts {
            Counts::Everywhere => &mut self.everywhere,
            Counts::InLookups => &mut self.in_lookups,
        };
        values.entry(attribute.to_owned()).or_default()
    }

    /// Adds a value; one that ends in `*` stands for all that begin so.
    pub(super) fn add(&mut self, attribute: &str, value: &str, counts: Counts) {
        let values = self.of(attribute, counts);
        let value = value.trim().to_lowercase();
        match value.strip_suffix('*') {
            Some(beginning) => values.beginnings.push(beginning.to_owned()),
            None => {
                values.whole.insert(value);
            }
        }
    }

    /// Makes junk of every value that is one character over and over.
    pub(super) fn add_one_character(&mut self, attribute: &str, counts: Counts) {
        self.of(attribute, counts).one_character = true;
    }

    /// Makes junk of every hardware address that no maker gave.
    pub(super) fn add_locally_administered(&mut self, attribute: &str, counts: Counts) {
        self.of(attribute, counts).locally_administered = true;
    }

    pub(super) fn holds(&self, attribute: &str, value: &str) -> bool {
        holds(&self.everywhere, attribute, value)
    }

    pub(super) fn holds_in_lookups(&self, attribute: &str, value: &str) -> bool {
        holds(&self.in_lookups, attribute, value)
    }
}

fn holds(junk: &BTreeMap<String, Values>, attribute: &str, value: &str) -> bool {
    let value = value.trim().to_lowercase();
    ["", attribute].iter().filter_map(|name| junk.get(*name)).any(|values| {
        values.whole.contains(&value)
            || values.beginnings.iter().any(|beginning| value.starts_with(beginning.as_str()))
            || (values.one_character && is_one_character(&value))
            || (values.locally_administered && is_locally_administered(&value))
    })
}

/// Whether nothing but one character is left without separators, as in `00:00:00` and `........`.
fn is_one_character(value: &str) -> bool {
    let mut characters = value.chars().filter(|c| !matches!(c, '-' | ':' | ' ' | '{' | '}'));
    let Some(first) = characters.next() else { return true };
    characters.all(|c| c == first)
}

/// Whether a hardware address has the bit that says that a program made it up, as container bridges and their like do.
fn is_locally_administered(value: &str) -> bool {
    value.get(..2).and_then(|first| u8::from_str_radix(first, 16).ok()).is_some_and(|first| first & 2 != 0)
}
