//! Scenarios: kept beside the log, asked on the graph of their base, applied in one commit.

use std::collections::BTreeMap;

use super::ingest::{self, Stating, Unit};
use super::live::Step;
use super::read::Reader;
use super::request::{Actor, Decision, EngineError, Outcome, SourceName};
use super::writer::{Reply, Work};
use super::{Cmdb, correct};
use crate::change::{Change, Draft};
use crate::claim::{Claim, ItemClaim, RedundancyClaim, Reference, RelationshipClaim, UnitKind};
use crate::graph::Graph;
use crate::model::item::{Group, Identification, ItemClaimState, Marks, Stated};
use crate::model::relationship::RelationshipClaimState;
use crate::model::schema::Schema;
use crate::model::value::Attributes;
use crate::model::{
    Item, ItemId, Problem, Reason, Relationship, SourceId, SourceKind, Status, Timestamp, Value,
};
use crate::scenario::{
    EDITS_MAX, Edit, NAME_BYTES_MAX, SCENARIOS_MAX, Scenario, Subject, scenario_from, scenario_record,
};
use crate::store::record::{self, ScenarioRecord};
use crate::store::{StoreError, Table};

/// The claims of a scenario that was never applied have no source of their own.
const NOBODY: SourceId = SourceId(0);
const SCOPE: &str = "scenario";

/// The graph of a scenario, and how it differs from its base.
pub struct Evaluated {
    /// What would be.
    pub graph: Graph,
    /// Each fact that differs from the base, as it is there and as it would be.
    pub changes: Vec<Change>,
    /// The items that the scenario adds, under the numbers that `graph` and `changes` give them.
    pub added: BTreeMap<ItemId, Added>,
}

/// An item that a scenario adds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Added {
    /// Its class.
    pub class: String,
    /// Its name.
    pub name: String,
}

/// Which value counts where the graph has moved on since the base.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Take {
    /// What the scenario says.
    Mine,
    /// What the graph says now.
    Theirs,
}

/// A field that has changed since the scenario's base, to something other than the scenario says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Conflict {
    /// The field, as it is named to decide: `@42.version`, or `@1 depends_on @2`.
    pub field: String,
    /// At the base.
    pub base: String,
    /// Now.
    pub now: String,
    /// In the scenario.
    pub scenario: String,
}

/// What became of applying a scenario.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ScenarioApplied {
    /// Fields that must be decided first; then nothing was applied.
    pub conflicts: Vec<Conflict>,
    /// The decisions on the claims that it states.
    pub decisions: Vec<Decision>,
    /// The commit; `None`: a dry run, a conflict, or nothing changed.
    pub revision: Option<crate::model::Revision>,
    /// What changed, or would.
    pub changes: Vec<Change>,
}

/// What is applied, by whom.
#[derive(Clone, Debug)]
pub struct ApplyScenario {
    /// The scenario.
    pub scenario: Scenario,
    /// The person who states it.
    pub source: SourceName,
    /// Who asks.
    pub actor: Actor,
    /// Where the graph has moved on: what counts, by field, and for all fields that are not named.
    pub take: BTreeMap<String, Take>,
    /// For all fields that `take` does not name; `None`: they must be decided.
    pub take_all: Option<Take>,
    /// Show, change nothing.
    pub dry_run: bool,
    /// Fields on which the graph of now counts; worked out from `take`.
    pub(super) skip: Vec<String>,
}

impl ApplyScenario {
    /// Applies everything, as far as nothing has moved on.
    #[must_use]
    pub fn new(scenario: Scenario, source: SourceName, actor: Actor) -> ApplyScenario {
        let take = BTreeMap::new();
        ApplyScenario { scenario, source, actor, take, take_all: None, dry_run: false, skip: Vec::new() }
    }
}

/// What the writer is asked to do with scenarios.
pub(super) enum Keep {
    /// Keep it, in place of one of the same name.
    Put(Scenario),
    /// Forget it.
    Delete(String),
}

pub(super) fn keep(draft: &mut Draft<'_>, what: &Keep) -> Result<Result<(), Problem>, StoreError> {
    match what {
        Keep::Put(scenario) => {
            let there = draft.rows(Table::Scenarios, &[], SCENARIOS_MAX + 1)?;
            let new = !there.iter().any(|(row, _)| row == scenario.name.as_bytes());
            if new && there.len() >= SCENARIOS_MAX {
                return Ok(Err(Problem::new(
                    Reason::LimitExceeded,
                    "there are as many scenarios as may be kept",
                    scenario.name.clone(),
                )
                .expected(format!("at most {SCENARIOS_MAX}"), there.len().to_string())
                .hint("delete one that is not needed any more")));
            }
            draft.put_record(
                Table::Scenarios,
                scenario.name.clone().into_bytes(),
                &scenario_record(scenario),
            );
        }
        Keep::Delete(name) => {
            if draft.row(Table::Scenarios, name.as_bytes())?.is_none() {
                return Ok(Err(unknown(name)));
            }
            draft.delete_row(Table::Scenarios, name.clone().into_bytes());
            // The next compaction drops what only its base kept.
            super::retain::look_again(draft)?;
        }
    }
    Ok(Ok(()))
}

fn unknown(name: &str) -> Problem {
    Problem::new(Reason::ItemNotFound, format!("there is no scenario \"{name}\""), name)
        .hint("`cmdb scenario list` lists them")
}

impl Reader {
    /// A scenario by its name.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read.
    pub fn scenario(&self, name: &str) -> Result<Scenario, EngineError> {
        match self.store_row(Table::Scenarios, name.as_bytes())? {
            Some(row) => Ok(scenario_from(record::decode::<ScenarioRecord>(Table::Scenarios, &row)?)?),
            None => Err(unknown(name).into()),
        }
    }

    /// All scenarios, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scenarios(&self) -> Result<Vec<Scenario>, EngineError> {
        let mut all = Vec::new();
        self.store_rows(Table::Scenarios, |_, row| {
            all.push(scenario_from(record::decode::<ScenarioRecord>(Table::Scenarios, row)?)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Checks an edit against this moment (the scenario's base) and the edits before it; values in their types.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn check_edit(&self, scenario: &Scenario, edit: Edit) -> Result<Edit, EngineError> {
        let schema = self.schema();
        if scenario.edits.len() >= EDITS_MAX {
            return Err(Problem::new(
                Reason::LimitExceeded,
                format!("scenario {} has as many edits as one may have", scenario.name),
                scenario.name.clone(),
            )
            .expected(format!("at most {EDITS_MAX}"), scenario.edits.len().to_string())
            .into());
        }
        let added = scenario.added();
        let mut classes = Vec::new();
        for subject in edit.subjects() {
            classes.push(match subject {
                Subject::Item(id) => self.item(id)?.ok_or_else(|| not_there(id, scenario))?.class,
                Subject::Added(place) => {
                    added.get(&place).map(|(class, _)| (*class).to_owned()).ok_or_else(|| {
                        Problem::new(Reason::ItemNotFound, "that edit adds no item", place.to_string())
                    })?
                }
            });
        }
        Ok(match edit {
            Edit::Add { class, name, attributes } => {
                check_new(schema, &class, &name)?;
                check_unused(scenario, &name)?;
                let attributes = fit(schema, &class, attributes)?;
                Edit::Add { class, name, attributes }
            }
            Edit::Set { item, attributes, cleared } => {
                Edit::Set { item, attributes: fit(schema, &classes[0], attributes)?, cleared }
            }
            Edit::Relate { from, kind, to, group, weight } => {
                if from == to {
                    return Err(Problem::new(
                        Reason::RelationshipInvalid,
                        "an item cannot be related to itself",
                        kind,
                    )
                    .into());
                }
                check_type(schema, &kind)?;
                Edit::Relate { from, kind, to, group, weight }
            }
            Edit::Unrelate { from, kind, to } => {
                check_type(schema, &kind)?;
                Edit::Unrelate { from, kind, to }
            }
            other @ (Edit::Remove { .. } | Edit::Require { .. }) => other,
        })
    }

    /// What would be, if a scenario's edits were made at its base. This reader is at that base.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn evaluate(&self, scenario: &Scenario) -> Result<Evaluated, EngineError> {
        let mut world = World::new(self, scenario)?;
        for (place, edit) in scenario.standing() {
            world.make(place, edit)?;
        }
        world.finish()
    }
}

fn not_there(id: ItemId, scenario: &Scenario) -> Problem {
    Problem::new(
        Reason::ItemNotFound,
        format!("there is no item {id} at revision {}, the base of the scenario", scenario.base),
        id.to_string(),
    )
}

fn check_new(schema: &Schema, class: &str, name: &str) -> Result<(), Problem> {
    match schema.class(class) {
        None => {
            let near =
                schema.nearest_class(class).map_or_else(String::new, |near| format!("did you mean {near}?"));
            Err(Problem::new(Reason::ClassUnknown, format!("there is no class \"{class}\""), class)
                .hint(near))
        }
        Some(declared) if declared.is_abstract => {
            Err(Problem::new(Reason::ClassAbstract, format!("{class} has no items of its own"), class))
        }
        Some(_) if name.is_empty() => Err(Problem::new(Reason::KeyInvalid, "a new item needs a name", class)),
        Some(_) => Ok(()),
    }
}

/// Within a scenario an added item is known by its name alone.
fn check_unused(scenario: &Scenario, name: &str) -> Result<(), Problem> {
    if scenario.added_as(name).is_none() {
        return Ok(());
    }
    let message = format!("scenario {} adds an item of that name already", scenario.name);
    Err(Problem::new(Reason::KeyRepeated, message, format!("+{name}")).hint("give the item another name"))
}

fn check_type(schema: &Schema, kind: &str) -> Result<(), Problem> {
    if schema.relationship_type(kind).is_some() {
        return Ok(());
    }
    let near = schema.nearest_relationship_type(kind);
    let hint = near.map_or_else(String::new, |near| format!("did you mean {near}?"));
    let message = format!("there is no relationship type \"{kind}\"");
    Err(Problem::new(Reason::RelationshipTypeUnknown, message, kind).hint(hint))
}

fn fit(schema: &Schema, class: &str, attributes: Attributes) -> Result<Attributes, Problem> {
    let fitted = attributes.into_iter().map(|(name, value)| {
        let value = schema.fit(class, &name, value)?;
        Ok((name, value))
    });
    fitted.collect()
}

/// Checks a scenario's name.
///
/// # Errors
/// When it is not one.
pub fn check_scenario_name(name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if fits {
        return Ok(());
    }
    Err(Problem::new(Reason::KeyInvalid, "this cannot be the name of a scenario", name)
        .expected(format!("letters, digits, '.', '_' and '-', at most {NAME_BYTES_MAX}"), name))
}

/// A relationship by its ends and type.
type EdgeName = (ItemId, String, ItemId);
/// A fact at the base and as it would be.
type Sides<T> = (Option<T>, Option<T>);

/// The base with edits on top.
struct World<'a> {
    reader: &'a Reader,
    scenario: &'a Scenario,
    /// The number of the first added item.
    first_added: u64,
    items: BTreeMap<ItemId, Sides<Item>>,
    edges: BTreeMap<EdgeName, Sides<Relationship>>,
    added: BTreeMap<ItemId, Added>,
}

impl<'a> World<'a> {
    fn new(reader: &'a Reader, scenario: &'a Scenario) -> Result<World<'a>, EngineError> {
        Ok(World {
            reader,
            scenario,
            first_added: reader.last_item()? + 1,
            items: BTreeMap::new(),
            edges: BTreeMap::new(),
            added: BTreeMap::new(),
        })
    }

    fn id(&self, subject: Subject) -> ItemId {
        match subject {
            Subject::Item(id) => id,
            Subject::Added(place) => ItemId(self.first_added + u64::from(place)),
        }
    }

    fn item(&mut self, subject: Subject) -> Result<&mut Item, EngineError> {
        let id = self.id(subject);
        if !self.items.contains_key(&id) {
            let found = self.reader.item(id)?;
            self.items.insert(id, (found.clone(), found));
        }
        let missing = not_there(id, self.scenario);
        let sides = self.items.get_mut(&id).expect("put there above");
        sides.1.as_mut().ok_or_else(|| missing.into())
    }

    fn edge(
        &mut self,
        from: Subject,
        kind: &str,
        to: Subject,
    ) -> Result<(EdgeName, &mut Sides<Relationship>), EngineError> {
        let name = (self.id(from), kind.to_owned(), self.id(to));
        if !self.edges.contains_key(&name) {
            let found = self.reader.relationship(name.0, kind, name.2)?;
            self.edges.insert(name.clone(), (found.clone(), found));
        }
        let sides = self.edges.get_mut(&name).expect("put there above");
        Ok((name, sides))
    }

    fn make(&mut self, place: u32, edit: &Edit) -> Result<(), EngineError> {
        let at = self.scenario.created_at;
        match edit {
            Edit::Add { class, name, attributes } => {
                let id = self.id(Subject::Added(place));
                self.added.insert(id, Added { class: class.clone(), name: name.clone() });
                self.items.insert(id, (None, Some(new_item(id, class, name, attributes, at))));
            }
            Edit::Remove { item } => {
                let item = self.item(*item)?;
                item.status = Status::Retired;
                item.status_since = at;
            }
            Edit::Set { item, attributes, cleared } => set(self.item(*item)?, attributes, cleared, at),
            Edit::Relate { from, kind, to, group, weight } => {
                let (name, sides) = self.edge(*from, kind, *to)?;
                let claim = edge_claim(group, *weight, at);
                let relationship = sides.1.get_or_insert_with(|| Relationship {
                    from: name.0,
                    kind: name.1.clone(),
                    to: name.2,
                    status: Status::Active,
                    status_since: at,
                    denied: false,
                    first_seen: at,
                    claims: Vec::new(),
                    effective: 0,
                    grouped_by: 0,
                });
                relationship.claims.retain(|claim| claim.source != NOBODY);
                relationship.claims.push(claim);
                relationship.effective = relationship.claims.len() - 1;
                relationship.grouped_by = relationship.effective;
                relationship.denied = false;
                relationship.status = Status::Active;
            }
            Edit::Unrelate { from, kind, to } => self.edge(*from, kind, *to)?.1.1 = None,
            Edit::Require { item, group, require } => {
                let item = self.item(*item)?;
                item.groups.retain(|other| other.name != *group);
                item.groups.push(Group {
                    name: group.clone(),
                    require: *require,
                    inferred: false,
                    confidence: 1.0,
                    source: NOBODY,
                    key: String::new(),
                    evidence: String::new(),
                    rejected: false,
                });
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Evaluated, EngineError> {
        let items = self
            .items
            .values()
            .map(|(before, after)| Step::Item { before: before.as_ref(), after: after.as_ref() });
        let edges = self
            .edges
            .values()
            .map(|(before, after)| Step::Relationship { before: before.as_ref(), after: after.as_ref() });
        let neither = |step: &Step<'_>| matches!(step, Step::Relationship { before: None, after: None });
        let steps: Vec<_> = items.chain(edges).filter(|step| !neither(step)).collect();
        let (graph, _) = self.reader.follow(&steps)?;
        let items = self.items.into_values().filter(|(before, after)| before != after);
        let items = items.filter_map(|(before, after)| {
            Some(Change::Item { before: before.map(Box::new), after: Box::new(after?) })
        });
        let edges = self.edges.into_values().filter(|(before, after)| before != after);
        let edges = edges.map(|(before, after)| Change::Relationship {
            before: before.map(Box::new),
            after: after.map(Box::new),
        });
        Ok(Evaluated { graph, changes: items.chain(edges).collect(), added: self.added })
    }
}

fn new_item(id: ItemId, class: &str, name: &str, attributes: &Attributes, at: Timestamp) -> Item {
    let mut item = Item {
        id,
        class: class.to_owned(),
        name: name.to_owned(),
        status: Status::Active,
        status_since: at,
        first_seen: at,
        claims: Vec::new(),
        groups: Vec::new(),
        duplicates: Vec::new(),
        merged_into: None,
        distinct_from: Vec::new(),
        purged: BTreeMap::new(),
    };
    set(&mut item, attributes, &[], at);
    item
}

/// What the scenario says of attributes wins over all claims.
fn set(item: &mut Item, attributes: &Attributes, cleared: &[String], at: Timestamp) {
    for claim in &mut item.claims {
        for (name, stated) in &mut claim.attributes {
            stated.effective &= !attributes.contains_key(name) && !cleared.contains(name);
        }
    }
    let stated = |value: &Value| Stated { value: value.clone(), effective: true };
    let mut own = match item.claims.iter().position(|claim| claim.source == NOBODY) {
        Some(place) => item.claims.remove(place),
        None => ItemClaimState {
            source: NOBODY,
            key: item.name.clone(),
            scope: SCOPE.to_owned(),
            class: String::new(),
            name: String::new(),
            attributes: BTreeMap::new(),
            within: None,
            first_seen: at,
            observed_at: at,
            withdrawn_at: None,
            identification: Identification::default(),
            marks: Marks::default(),
        },
    };
    own.attributes.retain(|name, _| !cleared.contains(name));
    own.attributes.extend(attributes.iter().map(|(name, value)| (name.clone(), stated(value))));
    item.claims.push(own);
}

fn edge_claim(group: &str, weight: f64, at: Timestamp) -> RelationshipClaimState {
    RelationshipClaimState {
        source: NOBODY,
        unit: UnitKind::Item,
        key: String::new(),
        scope: SCOPE.to_owned(),
        group: group.to_owned(),
        weight,
        inferred: false,
        confidence: 1.0,
        denied: false,
        attributes: Attributes::new(),
        first_seen: at,
        observed_at: at,
        withdrawn_at: None,
    }
}

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
        let base = self.reader_at(super::When::Revision(scenario.base))?;
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
pub(super) fn apply(
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
