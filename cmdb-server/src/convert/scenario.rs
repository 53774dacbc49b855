//! Scenarios, as they come in and go out.
//!
//! Invariant: an item that a scenario adds goes out as `+NAME`; its provisional number stays here.

use std::collections::BTreeMap;

use cmdb_core::engine::{Added, Conflict, Label, Take};
use cmdb_core::model::relationship::NotARequirement;
use cmdb_core::model::value::Attributes;
use cmdb_core::model::{ItemId, Problem, Reason};
use cmdb_core::scenario::{Edit, Scenario, Subject};
use cmdb_proto::v1;
use cmdb_proto::v1::scenario_edit::Edit as Kind;

use super::change::changes_to;
use super::graph::labelled;
use super::value::{attributes_to, value_from};
use crate::app::Names;
use crate::app::scenarios::{ADDED, ApplyAnswer, EditAsk, ScenarioAnswer, ScenarioDiff};

/// An edit as it came in.
///
/// # Errors
/// When there is nothing in it, or it is none.
pub fn edit_from(edit: v1::ScenarioEdit) -> Result<EditAsk, Problem> {
    let edit = edit.edit.ok_or_else(|| {
        Problem::new(Reason::FormatInvalid, "an edit says nothing", "edits")
            .expected("add, remove, set, relate, unrelate or require", "nothing")
    })?;
    Ok(match edit {
        Kind::Add(add) => {
            let (attributes, _) = attributes_from(add.attributes, &add.name)?;
            EditAsk::Add { class: add.class, name: add.name, attributes }
        }
        Kind::Remove(remove) => EditAsk::Remove { item: remove.item },
        Kind::Set(set) => {
            let (attributes, cleared) = attributes_from(set.attributes, &set.item)?;
            EditAsk::Set { item: set.item, attributes, cleared }
        }
        Kind::Relate(relate) => {
            let weight = if relate.weight == 0.0 { 1.0 } else { relate.weight };
            if !weight.is_finite() || weight <= 0.0 {
                return Err(Problem::new(
                    Reason::RelationshipInvalid,
                    "the weight is not a positive number",
                    relate.r#type,
                )
                .expected("a number above 0", weight.to_string()));
            }
            EditAsk::Relate {
                from: relate.from,
                kind: relate.r#type,
                to: relate.to,
                group: relate.group,
                weight,
            }
        }
        Kind::Unrelate(unrelate) => {
            EditAsk::Unrelate { from: unrelate.from, kind: unrelate.r#type, to: unrelate.to }
        }
        Kind::Require(require) => {
            let needed = require.require.parse().map_err(|error: NotARequirement| {
                Problem::new(Reason::RequireInvalid, error.to_string(), format!("group {}", require.group))
                    .expected("all, any, at_least N, percent P or capacity C", require.require)
            })?;
            EditAsk::Require { item: require.item, group: require.group, require: needed }
        }
    })
}

fn attributes_from(
    values: BTreeMap<String, v1::Value>,
    thing: &str,
) -> Result<(Attributes, Vec<String>), Problem> {
    let (mut attributes, mut cleared) = (Attributes::new(), Vec::new());
    for (name, value) in values {
        match value_from(value, &format!("{thing}: {name}"))? {
            Some(value) => drop(attributes.insert(name, value)),
            None => cleared.push(name),
        }
    }
    Ok((attributes, cleared))
}

/// Which side counts; `None`: nothing is said.
///
/// # Errors
/// When it is neither.
pub fn take_from(text: &str, thing: &str) -> Result<Option<Take>, Problem> {
    match text {
        "" => Ok(None),
        "mine" => Ok(Some(Take::Mine)),
        "theirs" => Ok(Some(Take::Theirs)),
        other => Err(Problem::new(Reason::ValueType, "this decides nothing", thing)
            .expected("mine (what the scenario says) or theirs (what the graph says now)", other)),
    }
}

/// A scenario with its edits.
pub fn scenario_to(answer: &ScenarioAnswer) -> v1::Scenario {
    let scenario = &answer.scenario;
    v1::Scenario {
        edits: scenario.edits.iter().map(|edit| edit_to(scenario, edit)).collect(),
        items: answer.labels.values().map(labelled).collect(),
        ..head_to(scenario)
    }
}

/// A scenario without its edits.
pub fn head_to(scenario: &Scenario) -> v1::Scenario {
    v1::Scenario {
        name: scenario.name.clone(),
        base_revision: scenario.base.0,
        created_at_us: scenario.created_at.0,
        created_by: scenario.created_by.clone(),
        reason: scenario.reason.clone(),
        edits_total: scenario.edits.len() as u64,
        ..v1::Scenario::default()
    }
}

fn edit_to(scenario: &Scenario, edit: &Edit) -> v1::ScenarioEdit {
    // Also of items that are taken out again: their edits are still shown.
    let subject = |subject: &Subject| match subject {
        Subject::Item(id) => id.to_string(),
        Subject::Added(place) => match scenario.edits.get(*place as usize) {
            Some(Edit::Add { name, .. }) => format!("{ADDED}{name}"),
            _ => String::new(),
        },
    };
    let edit = match edit {
        Edit::Add { class, name, attributes } => Kind::Add(v1::ScenarioAdd {
            class: class.clone(),
            name: name.clone(),
            attributes: attributes_to(attributes),
        }),
        Edit::Remove { item } => Kind::Remove(v1::ScenarioRemove { item: subject(item) }),
        Edit::Set { item, attributes, cleared } => {
            let cleared = cleared.iter().map(|name| (name.clone(), v1::Value { kind: None }));
            Kind::Set(v1::ScenarioSet {
                item: subject(item),
                attributes: attributes_to(attributes).into_iter().chain(cleared).collect(),
            })
        }
        Edit::Relate { from, kind, to, group, weight } => Kind::Relate(v1::ScenarioRelate {
            from: subject(from),
            r#type: kind.clone(),
            to: subject(to),
            group: group.clone(),
            weight: *weight,
        }),
        Edit::Unrelate { from, kind, to } => Kind::Unrelate(v1::ScenarioUnrelate {
            from: subject(from),
            r#type: kind.clone(),
            to: subject(to),
        }),
        Edit::Require { item, group, require } => Kind::Require(v1::ScenarioRequire {
            item: subject(item),
            group: group.clone(),
            require: require.to_string(),
        }),
    };
    v1::ScenarioEdit { edit: Some(edit) }
}

/// How a scenario differs.
pub fn diff_to(diff: &ScenarioDiff) -> v1::DiffScenarioResponse {
    let mut changes = changes_to(&diff.changes, &diff.names);
    let provisional = Provisional::new(&diff.added);
    for change in &mut changes {
        provisional.rename(&mut change.item);
        if let Some(relationship) = &mut change.relationship {
            provisional.rename(&mut relationship.from);
            provisional.rename(&mut relationship.to);
        }
    }
    v1::DiffScenarioResponse {
        base_revision: diff.base.0,
        head_revision: diff.head.0,
        changes,
        conflicts: conflicts_to(&diff.conflicts, &diff.names),
    }
}

/// What became of applying.
pub fn applied_to(answer: ApplyAnswer) -> v1::ApplyScenarioResponse {
    v1::ApplyScenarioResponse {
        revision: answer.revision.map_or(0, |revision| revision.0),
        changes: changes_to(&answer.changes, &answer.names),
        conflicts: conflicts_to(&answer.conflicts, &answer.names),
        notes: answer.notes,
    }
}

fn conflicts_to(conflicts: &[Conflict], names: &Names) -> Vec<v1::ScenarioConflict> {
    let conflicts = conflicts.iter().map(|conflict| v1::ScenarioConflict {
        field: conflict.field.clone(),
        title: title(&conflict.field, names),
        base: conflict.base.clone(),
        theirs: conflict.now.clone(),
        mine: conflict.scenario.clone(),
    });
    conflicts.collect()
}

/// A field with names in place of ids.
fn title(field: &str, names: &Names) -> String {
    let words = field.split(' ').map(|word| {
        let (id, rest) = word.split_at(word.find('.').unwrap_or(word.len()));
        let label = id.parse::<ItemId>().ok().and_then(|id| names.label(id));
        label.map_or_else(|| word.to_owned(), |label| format!("{}{rest}", called(label)))
    });
    words.collect::<Vec<_>>().join(" ")
}

fn called(label: &Label) -> &str {
    if label.name.is_empty() { &label.key } else { &label.name }
}

/// The items that are not there yet, by the numbers that they have in the meantime.
pub struct Provisional(BTreeMap<String, String>);

impl Provisional {
    /// Of the items that a scenario adds.
    pub fn new(added: &BTreeMap<ItemId, Added>) -> Provisional {
        Provisional(
            added.iter().map(|(id, added)| (id.to_string(), format!("{ADDED}{}", added.name))).collect(),
        )
    }

    /// A number becomes a name.
    pub fn rename(&self, id: &mut String) {
        if let Some(name) = self.0.get(id.as_str()) {
            id.clone_from(name);
        }
    }

    fn each<'a>(&self, items: impl IntoIterator<Item = &'a mut v1::GraphItem>) {
        items.into_iter().for_each(|item| self.rename(&mut item.id));
    }

    fn vias<'a>(&self, vias: impl IntoIterator<Item = &'a mut v1::Via>) {
        vias.into_iter().for_each(|via| self.rename(&mut via.id));
    }

    /// In an answer of what breaks.
    pub fn in_impact(&self, mut answer: v1::ImpactResponse) -> v1::ImpactResponse {
        if !self.0.is_empty() {
            self.each(answer.seeds.iter_mut().chain(&mut answer.down));
            self.each(&mut answer.why);
            self.each(answer.affected.iter_mut().filter_map(|affected| affected.item.as_mut()));
            self.vias(answer.affected.iter_mut().flat_map(|affected| &mut affected.via));
        }
        answer
    }

    /// In an answer of what is needed.
    pub fn in_dependencies(&self, mut answer: v1::DependenciesResponse) -> v1::DependenciesResponse {
        if !self.0.is_empty() {
            self.each(&mut answer.seeds);
            self.each(answer.dependencies.iter_mut().filter_map(|needed| needed.item.as_mut()));
            self.vias(answer.dependencies.iter_mut().flat_map(|needed| &mut needed.via));
        }
        answer
    }

    /// In an answer of what items cannot do without.
    pub fn in_critical(&self, mut answer: v1::CriticalResponse) -> v1::CriticalResponse {
        if !self.0.is_empty() {
            self.each(&mut answer.down);
            for standing in &mut answer.standings {
                let parts = standing.sets.iter_mut().flat_map(|set| &mut set.parts);
                self.each(parts.flat_map(|part| &mut part.items).chain(&mut standing.item));
            }
            self.each(answer.points.iter_mut().flat_map(|point| point.of.iter_mut().chain(&mut point.item)));
        }
        answer
    }

    /// In an answer of how likely items are to be up.
    pub fn in_availability(&self, mut answer: v1::AvailabilityResponse) -> v1::AvailabilityResponse {
        if !self.0.is_empty() {
            self.each(&mut answer.down);
            let uptimes = answer.uptimes.iter_mut();
            self.each(uptimes.flat_map(|uptime| {
                uptime.gains.iter_mut().filter_map(|gain| gain.item.as_mut()).chain(&mut uptime.item)
            }));
            self.each(answer.unusable.iter_mut().filter_map(|unusable| unusable.item.as_mut()));
        }
        answer
    }

    /// In an answer of what cannot start.
    pub fn in_cold_start(&self, mut answer: v1::ColdStartResponse) -> v1::ColdStartResponse {
        if !self.0.is_empty() {
            self.each(&mut answer.of);
            let deadlocks = answer.deadlocks.iter_mut();
            self.each(deadlocks.flat_map(|deadlock| deadlock.items.iter_mut().chain(&mut deadlock.starters)));
        }
        answer
    }

    /// In chains.
    pub fn in_trace(&self, mut answer: v1::TraceResponse) -> v1::TraceResponse {
        if !self.0.is_empty() {
            self.each(answer.from.iter_mut().chain(&mut answer.to));
            let steps = answer.chains.iter_mut().flat_map(|chain| &mut chain.steps);
            self.each(steps.filter_map(|step| step.item.as_mut()));
        }
        answer
    }
}
