//! Why an item is affected, as a sentence. The data behind it is in the answer as well.

use std::collections::BTreeMap;

use cmdb_core::engine::Label;
use cmdb_core::graph::{Gate, Graph, Index};
use cmdb_core::model::{ItemId, Require, Status};
use cmdb_impact::explain::Group;
use cmdb_impact::{Explanation, Reason, State};

use super::impact::AssumedGroup;

/// What items are called.
pub struct Called<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// Of the items mentioned.
    pub labels: &'a BTreeMap<ItemId, Label>,
}

impl Called<'_> {
    fn name(&self, item: Index) -> String {
        let id = self.graph.id(item);
        let named =
            self.labels.get(&id).map(|label| if label.name.is_empty() { &label.key } else { &label.name });
        named.filter(|name| !name.is_empty()).cloned().unwrap_or_else(|| id.to_string())
    }
}

/// The provider that a reason speaks of.
pub fn provider(reason: &Reason) -> Option<Index> {
    match reason {
        Reason::HardDependency { provider } | Reason::WeakDependency { provider } => Some(*provider),
        Reason::GroupBelow(_) | Reason::GroupReduced(_) | Reason::Unconfirmed(_) => None,
    }
}

/// Why the item is in that state.
pub fn reason(called: &Called<'_>, state: State, explanation: &Explanation) -> String {
    let kind = |provider: Index| {
        let via = explanation.via.iter().find(|via| via.provider == provider);
        via.map_or_else(String::new, |via| format!(" ({})", called.graph.type_name(via.kind)))
    };
    let fails = if state == State::AtRisk { "may fail" } else { "fails" };
    match explanation.reason {
        Reason::HardDependency { provider } => {
            format!("needs {}{}, which {fails}", called.name(provider), kind(provider))
        }
        Reason::WeakDependency { provider } => {
            format!("uses {}{}, which fails; it stays up without it", called.name(provider), kind(provider))
        }
        Reason::GroupBelow(group) => {
            let gate = called.graph.gate(group.gate);
            format!("group {}: {}, and {} needed", gate.name(), up(gate, group), amount(gate, group.needed))
        }
        Reason::GroupReduced(group) => {
            let gate = called.graph.gate(group.gate);
            format!("group {}: {}; {}", gate.name(), up(gate, group), left(gate, group))
        }
        Reason::Unconfirmed(group) => {
            let gate = called.graph.gate(group.gate);
            format!(
                "group {} is inferred and not confirmed: {}, and {} thought to be needed",
                gate.name(),
                up(gate, group),
                amount(gate, group.needed)
            )
        }
    }
}

/// What is assumed of a seed that is not as it should be.
pub fn seed(label: &Label) -> Option<String> {
    let name = if label.name.is_empty() { &label.key } else { &label.name };
    match label.status {
        Status::Active => None,
        Status::Retired => Some(format!("{name} is retired: its relationships count no more")),
        Status::Stopped | Status::Missing => {
            Some(format!("{name} is {} now, and counts as if it were there", label.status))
        }
    }
}

/// A group that is taken to hold because somebody concluded so.
pub fn unconfirmed(group: &AssumedGroup) -> String {
    let item = if group.item.name.is_empty() { &group.item.key } else { &group.item.name };
    let evidence =
        if group.evidence.is_empty() { String::new() } else { format!(", because {}", group.evidence) };
    format!(
        "group {} of {item} is inferred with confidence {:.2} ({}), and nobody has confirmed it{evidence}",
        group.group, group.confidence, group.require
    )
}

fn up(gate: Gate<'_>, group: Group) -> String {
    match gate.require() {
        Require::Capacity(_) => format!("capacity {} of {} is up", number(group.up), number(group.total)),
        _ => format!("{} of {} members {} up", number(group.up), number(group.total), are(group.up)),
    }
}

fn amount(gate: Gate<'_>, needed: f64) -> String {
    match gate.require() {
        Require::Capacity(_) => format!("{} is", number(needed)),
        _ => format!("{} {}", number(needed), are(needed)),
    }
}

fn left(gate: Gate<'_>, group: Group) -> String {
    let spare = group.up - group.needed;
    match gate.require() {
        _ if spare <= 0.0 => "no redundancy is left".to_owned(),
        Require::Capacity(_) => format!("{} of it can still be spared", number(spare)),
        _ => format!("{} more can be spared", number(spare)),
    }
}

fn are(count: f64) -> &'static str {
    if (count - 1.0).abs() < f64::EPSILON { "is" } else { "are" }
}

/// At most three decimals, none where there are none.
fn number(amount: f64) -> String {
    let text = format!("{amount:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
