//! Whose word counts: the order of sources per class and attribute.

use std::collections::BTreeMap;

use super::declaration::Entry;
use crate::model::source::SourceKind;

/// Orders by class and attribute; the empty attribute stands for all.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    by_class: BTreeMap<String, BTreeMap<String, Vec<Entry>>>,
}

impl Orders {
    /// Sets the order for an attribute of a class; a later one replaces an earlier one.
    pub(super) fn set(&mut self, class: &str, attribute: &str, order: Vec<Entry>) {
        self.by_class.entry(class.to_owned()).or_default().insert(attribute.to_owned(), order);
    }

    pub(super) fn rank(
        &self,
        class: &str,
        ancestors: &[String],
        attribute: &str,
        source: &str,
        kind: SourceKind,
    ) -> u32 {
        let order = self.find(class, ancestors, attribute).or_else(|| self.find(class, ancestors, ""));
        // The root's order for all attributes is the default for classes that are not declared.
        let order = order.or_else(|| self.by_class.get("item").and_then(|orders| orders.get("")));
        let Some(order) = order else { return 0 };
        let place = order.iter().position(|entry| match entry {
            Entry::Kind(named) => *named == kind,
            Entry::Source(named) => named == source,
        });
        u32::try_from(place.unwrap_or(order.len())).unwrap_or(u32::MAX)
    }

    fn find(&self, class: &str, ancestors: &[String], attribute: &str) -> Option<&Vec<Entry>> {
        std::iter::once(class)
            .chain(ancestors.iter().map(String::as_str))
            .find_map(|class| self.by_class.get(class)?.get(attribute))
    }
}
