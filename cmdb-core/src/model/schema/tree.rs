//! The class tree: every name once, every parent there, no circle, parents before their children.

use std::collections::{BTreeMap, BTreeSet};

use super::ANCESTORS_MAX;
use super::assemble::{Assembly, ByName};
use super::declaration::ClassDeclaration;

/// The one class without a parent.
const ROOT: &str = "item";

impl Assembly<'_, '_> {
    pub(super) fn unique_classes<'d>(&mut self, classes: &'d [ClassDeclaration]) -> ByName<'d> {
        let mut by_name = ByName::new();
        for (place, class) in classes.iter().enumerate() {
            let name = class.name.value.as_str();
            if let Some(first) = by_name.get(name) {
                let first = classes[*first].name.at.finding(self.files, "");
                let message = format!(
                    "class \"{name}\" is already declared in {}, line {}: add to it with [[extend]] class = \"{name}\"",
                    first.file, first.line
                );
                self.wrong(class.name.at, message);
            } else {
                by_name.insert(name, place);
            }
        }
        by_name
    }

    /// The places of all classes, every parent before its children. `None` when the tree is no tree.
    pub(super) fn parents_first(
        &mut self,
        classes: &[ClassDeclaration],
        by_name: &ByName<'_>,
    ) -> Option<Vec<usize>> {
        let before = self.findings.len();
        let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut roots = Vec::new();
        for (place, class) in classes.iter().enumerate() {
            if by_name.get(class.name.value.as_str()) != Some(&place) {
                continue;
            }
            match &class.parent {
                None if class.name.value == ROOT => roots.push(place),
                None => {
                    let message = format!(
                        "class \"{}\" lacks \"parent\", such as parent = \"configuration_item\"",
                        class.name.value
                    );
                    self.wrong(class.name.at, message);
                }
                Some(parent) => match by_name.get(parent.value.as_str()) {
                    Some(parent) => children.entry(*parent).or_default().push(place),
                    None => self.unknown_class(parent.at, &parent.value, by_name),
                },
            }
        }
        let mut order = Vec::new();
        let mut open: Vec<(usize, usize)> = roots.into_iter().rev().map(|root| (root, 0)).collect();
        while let Some((place, depth)) = open.pop() {
            order.push(place);
            if depth >= ANCESTORS_MAX {
                let name = &classes[place].name;
                let message = format!("class \"{}\" has more than {ANCESTORS_MAX} ancestors", name.value);
                self.wrong(name.at, message);
                continue;
            }
            open.extend(children.get(&place).into_iter().flatten().rev().map(|child| (*child, depth + 1)));
        }
        if self.findings.len() == before {
            self.cycles(classes, by_name, &order);
        }
        (self.findings.len() == before).then_some(order)
    }

    /// With every parent known, what the root does not reach goes round in a circle.
    fn cycles(&mut self, classes: &[ClassDeclaration], by_name: &ByName<'_>, order: &[usize]) {
        let reached: BTreeSet<_> = order.iter().copied().collect();
        for place in by_name.values().copied().filter(|place| !reached.contains(place)) {
            let mut chain = vec![classes[place].name.value.as_str()];
            let mut at = place;
            while let Some(parent) = &classes[at].parent {
                at = by_name[parent.value.as_str()];
                chain.push(&classes[at].name.value);
                if chain[..chain.len() - 1].contains(&chain[chain.len() - 1]) {
                    break;
                }
            }
            // A class that only hangs on a circle is not itself wrong.
            if chain.last() == chain.first()
                && let Some(parent) = &classes[place].parent
            {
                let message = format!("class \"{}\" is its own ancestor: {}", chain[0], chain.join(" → "));
                self.wrong(parent.at, message);
            }
        }
    }
}
