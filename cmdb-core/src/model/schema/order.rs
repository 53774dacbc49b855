//! Whose word counts: the order of sources per class and attribute.

use std::collections::BTreeMap;

use super::declaration::{Entry, Who};
use crate::model::source::SourceKind;

/// Orders by class and attribute; the empty attribute stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    by_class: BTreeMap<String, BTreeMap<String, Order>>,
}

/// Who goes first, and whether "no value" counts as one.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub entries: Vec<Entry>,
    pub null_overwrites: bool,
}

/// The place of a source in an order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Precedence {
    /// The lower one's value counts.
    pub rank: u32,
    /// How long a claim of the source counts without being confirmed, in microseconds; `None`: as long as it stands.
    pub stale_after_us: Option<i64>,
}

impl Orders {
    /// Sets the order for an attribute of a class; a later one replaces an earlier one.
    pub(super) fn set(&mut self, class: &str, attribute: &str, order: Order) {
        self.by_class.entry(class.to_owned()).or_default().insert(attribute.to_owned(), order);
    }

    pub(super) fn precedence(
        &self,
        class: &str,
        ancestors: &[String],
        attribute: &str,
        source: &str,
        kind: SourceKind,
    ) -> Precedence {
        let Some(order) = self.order(class, ancestors, attribute) else {
            return Precedence { rank: 0, stale_after_us: None };
        };
        let place = order.entries.iter().position(|entry| match &entry.who {
            Who::Kind(named) => *named == kind,
            Who::Source(named) => named == source,
        });
        Precedence {
            rank: u32::try_from(place.unwrap_or(order.entries.len())).unwrap_or(u32::MAX),
            stale_after_us: place.and_then(|place| order.entries[place].stale_after_us),
        }
    }

    pub(super) fn null_overwrites(&self, class: &str, ancestors: &[String], attribute: &str) -> bool {
        self.order(class, ancestors, attribute).is_some_and(|order| order.null_overwrites)
    }

    fn order(&self, class: &str, ancestors: &[String], attribute: &str) -> Option<&Order> {
        let order = self.find(class, ancestors, attribute).or_else(|| self.find(class, ancestors, ""));
        // The root's order for all attributes is the default for classes that are not declared.
        order.or_else(|| self.by_class.get("item").and_then(|orders| orders.get("")))
    }

    fn find(&self, class: &str, ancestors: &[String], attribute: &str) -> Option<&Order> {
        std::iter::once(class)
            .chain(ancestors.iter().map(String::as_str))
            .find_map(|class| self.by_class.get(class)?.get(attribute))
    }
}
