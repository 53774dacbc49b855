//! Making a scenario's edits: where the graph has moved on since the base a person decides, the rest is one commit of claims.

use std::collections::BTreeMap;

use super::{ApplyScenario, Conflict, Keep, SCOPE, ScenarioApplied, Take};
use crate::change::Draft;
use crate::claim::{Claim, ItemClaim, RedundancyClaim, Reference, RelationshipClaim, UnitKind};
use crate::engine::ingest::{self, Stating, Unit};
use crate::engine::read::Reader;
use crate::engine::request::{Decision, EngineError, Outcome};
use crate::engine::writer::{Reply, Work};
use crate::engine::{Cmdb, correct};
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Problem, Relationship, SourceId, SourceKind, Value};
use crate::scenario::{Edit, Scenario, Subject};
use crate::store::StoreError;

impl Cmdb {
    /// Keeps a scenario, in place of one of the same name.
    pub fn keep_scenario(&self, scenario: Scenario, reply: Reply<()>) {
        self.send(Work::KeepScenario(Keep::Put(scenario), reply));
    }

    /// Forgets a scenario.
    pub fn delete_scenario(&self, name: &str, reply: Reply<()>) {
        self.send(Work::KeepScenario(Keep::Delete(name.to_owned()), reply));
    }

    /// Makes a scenario's edits in one commit of a person's claims. What has moved on since its base must be decided
    /// first: then the answer names it, and nothing is applied.
    pub fn apply_scenario(&self, mut ask: ApplyScenario, reply: Reply<ScenarioApplied>) {
        let conflicts = match self.scenario_conflicts(&ask.scenario) {
            Ok(conflicts) => conflicts,
            Err(error) => return reply(Err(error)),
        };
        let decided = |conflict: &Conflict| ask.take.get(&conflict.field).copied().or(ask.take_all);
        let open: Vec<Conflict> =
            conflicts.iter().filter(|conflict| decided(conflict).is_none()).cloned().collect();
        if !open.is_empty() {
            return reply(Ok(ScenarioApplied { conflicts: open, ..ScenarioApplied::default() }));
        }
        let theirs = conflicts.iter().filter(|conflict| decided(conflict) == Some(Take::Theirs));
        ask.skip = theirs.map(|conflict| conflict.field.clone()).collect();
        self.send(Work::ApplyScenario { ask, reply });
    }

    /// Where the graph has moved on since the scenario's base, to something other than the scenario says.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scenario_conflicts(&self, scenario: &Scenario) -> Result<Vec<Conflict>, EngineError> {
        let base = self.reader_at(crate::engine::When::Revision(scenario.base))?;
        let now = self.reader()?;
        let mut conflicts = Vec::new();
        for edit in &scenario.edits {
            find_conflicts(&base, &now, edit, &mut conflicts)?;
        }
        conflicts.sort();
        conflicts.dedup();
        Ok(conflicts)
    }
}

fn find_conflicts(
    base: &Reader,
    now: &Reader,
    edit: &Edit,
    conflicts: &mut Vec<Conflict>,
) -> Result<(), EngineError> {
    let none = || "nothing".to_owned();
    let shown = |value: Option<&Value>| value.map_or_else(none, ToString::to_string);
    match edit {
        Edit::Set { item: Subject::Item(id), attributes, cleared } => {
            let (then, today) = (base.item(*id)?, now.item(*id)?);
            let wanted = attributes
                .iter()
                .map(|(name, value)| (name, Some(value)))
                .chain(cleared.iter().map(|name| (name, None)));
            for (name, wanted) in wanted {
                let value = |item: &Option<Item>| {
                    let item = item.as_ref()?;
                    item.attribute(name).map(|effective| effective.value.clone())
                };
                let (then, today) = (value(&then), value(&today));
                if then != today && today.as_ref() != wanted {
                    conflicts.push(Conflict {
                        field: format!("{id}.{name}"),
                        base: shown(then.as_ref()),
                        now: shown(today.as_ref()),
                        scenario: shown(wanted),
                    });
                }
            }
        }
        Edit::Relate { from: Subject::Item(from), kind, to: Subject::Item(to), group, .. } => {
            let state = |reader: &Reader| relation_state(reader, *from, kind, *to);
            let wanted =
                if group.is_empty() { "there".to_owned() } else { format!("there, in group {group}") };
            compare(format!("{from} {kind} {to}"), state(base)?, state(now)?, wanted, conflicts);
        }
        Edit::Unrelate { from: Subject::Item(from), kind, to: Subject::Item(to) } => {
            let state = |reader: &Reader| relation_state(reader, *from, kind, *to);
            let wanted = "not there".to_owned();
            compare(format!("{from} {kind} {to}"), state(base)?, state(now)?, wanted, conflicts);
        }
        Edit::Require { item: Subject::Item(id), group, require } => {
            let state = |reader: &Reader| -> Result<String, EngineError> {
                let item = reader.item(*id)?;
                let mut all: Vec<String> = item
                    .iter()
                    .flat_map(|item| &item.groups)
                    .filter(|other| other.name == *group)
                    .map(|other| other.require.to_string())
                    .collect();
                all.sort();
                Ok(if all.is_empty() { none() } else { all.join(", ") })
            };
            compare(format!("{id} group {group}"), state(base)?, state(now)?, require.to_string(), conflicts);
        }
        // What is new conflicts with nothing; what is taken out may have changed.
        _ => {}
    }
    Ok(())
}

fn compare(field: String, base: String, now: String, scenario: String, conflicts: &mut Vec<Conflict>) {
    if base != now && now != scenario {
        conflicts.push(Conflict { field, base, now, scenario });
    }
}

fn relation_state(reader: &Reader, from: ItemId, kind: &str, to: ItemId) -> Result<String, EngineError> {
    let found = reader.relationship(from, kind, to)?.filter(Relationship::stands);
    Ok(match found {
        None => "not there".to_owned(),
        Some(found) if found.group().is_empty() => "there".to_owned(),
        Some(found) => format!("there, in group {}", found.group()),
    })
}

/// States a scenario's edits as a person's claims. `skip` names the fields on which the graph of now is to count.
pub(in crate::engine) fn apply(
    draft: &mut Draft<'_>,
    scenario: &Scenario,
    source: SourceId,
    skip: &[String],
) -> Result<Result<Vec<Decision>, Problem>, StoreError> {
    let stating =
        Stating { source, kind: SourceKind::Person, scope: SCOPE, observed_at: draft.now(), merge: true };
    let claims = claims(scenario, skip);
    let units: Vec<Unit> = claims.into_iter().map(|claim| Unit::of(claim, SCOPE)).collect();
    let decisions = ingest::state(draft, &stating, &units)?;
    for decision in &decisions {
        let refused = match &decision.outcome {
            Outcome::Refused(problem) => Some(problem),
            _ => decision.problems.first(),
        };
        if let Some(problem) = refused {
            return Ok(Err(problem.clone()));
        }
    }
    for edit in &scenario.edits {
        if let Edit::Remove { item: Subject::Item(id) } = edit
            && let Err(problem) = correct::retire(draft, *id)?
        {
            return Ok(Err(problem));
        }
    }
    Ok(Ok(decisions))
}

/// One claim for each item that the scenario speaks of: later edits win.
fn claims(scenario: &Scenario, skip: &[String]) -> Vec<Claim> {
    let added = scenario.added();
    let key = |subject: Subject| match subject {
        Subject::Item(id) => id.to_string(),
        // Not the place: another scenario of this name must not find this one's items by it.
        Subject::Added(place) => {
            let name = added.get(&place).map_or("", |(_, name)| name);
            format!("{}@{}+{name}", scenario.name, scenario.base)
        }
    };
    let reference = |subject: Subject| match subject {
        Subject::Item(id) => Reference::Id(id),
        added @ Subject::Added(_) => Reference::Key(key(added)),
    };
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    let mut order = Vec::new();
    let mut claim_of = |subject: Subject, with: &mut dyn FnMut(&mut Claim)| {
        let key = key(subject);
        let claim = claims.entry(key.clone()).or_insert_with(|| {
            order.push(key.clone());
            Claim {
                kind: UnitKind::Item,
                key,
                item: None,
                relationships: Vec::new(),
                redundancies: Vec::new(),
            }
        });
        with(claim);
    };
    for (place, edit) in scenario.standing() {
        match edit {
            Edit::Add { class, name, attributes } => claim_of(Subject::Added(place), &mut |claim| {
                claim.item = Some(ItemClaim {
                    class: class.clone(),
                    name: name.clone(),
                    attributes: attributes.clone(),
                    ..ItemClaim::default()
                });
            }),
            Edit::Set { item, attributes, cleared } => {
                let kept = |name: &String| match item {
                    Subject::Item(id) => !skip.contains(&format!("{id}.{name}")),
                    Subject::Added(_) => true,
                };
                if !attributes.keys().chain(cleared).any(kept) {
                    continue;
                }
                claim_of(*item, &mut |claim| {
                    let said = claim.item.get_or_insert_with(ItemClaim::default);
                    let wanted = attributes.iter().filter(|(name, _)| kept(name));
                    said.attributes.extend(wanted.map(|(name, value)| (name.clone(), value.clone())));
                    said.cleared.extend(cleared.iter().filter(|name| kept(name)).cloned());
                });
            }
            Edit::Relate { from, kind, to, .. } | Edit::Unrelate { from, kind, to } => {
                if skip.contains(&field_of(*from, kind, *to)) {
                    continue;
                }
                let (group, weight, denied) = match edit {
                    Edit::Relate { group, weight, .. } => (group.clone(), *weight, false),
                    _ => (String::new(), 1.0, true),
                };
                let to = reference(*to);
                claim_of(*from, &mut |claim| {
                    claim.relationships.retain(|said| said.kind != *kind || said.to != to);
                    claim.relationships.push(RelationshipClaim {
                        from: Reference::This,
                        kind: kind.clone(),
                        to: to.clone(),
                        group: group.clone(),
                        weight,
                        inferred: false,
                        confidence: 1.0,
                        denied,
                        attributes: Attributes::new(),
                    });
                });
            }
            Edit::Require { item, group, require } => {
                let skipped =
                    matches!(item, Subject::Item(id) if skip.contains(&format!("{id} group {group}")));
                if !skipped {
                    claim_of(*item, &mut |claim| {
                        claim.redundancies.retain(|said| said.group != *group);
                        claim.redundancies.push(RedundancyClaim {
                            item: Reference::This,
                            group: group.clone(),
                            require: *require,
                            inferred: false,
                            confidence: 1.0,
                            evidence: String::new(),
                            rejected: false,
                        });
                    });
                }
            }
            Edit::Remove { .. } => {}
        }
    }
    order.into_iter().filter_map(|key| claims.remove(&key)).collect()
}

fn field_of(from: Subject, kind: &str, to: Subject) -> String {
    match (from, to) {
        (Subject::Item(from), Subject::Item(to)) => format!("{from} {kind} {to}"),
        _ => String::new(),
    }
}
