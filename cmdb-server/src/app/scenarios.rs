//! Scenarios: made, edited, looked at, applied. What people write of items is resolved here, at the scenario's base.
//!
//! Invariant: edits of one scenario come one after the other; none is lost to another that was asked at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cmdb_core::engine::{
    Added, ApplyScenario, Change, Cmdb, Conflict, Label, Reader, Reply, Take, When, check_scenario_name,
};
use cmdb_core::model::relationship::Require;
use cmdb_core::model::value::Attributes;
use cmdb_core::model::{ItemId, Problem, Reason, Revision};
use cmdb_core::scenario::{Edit, Scenario, Subject};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::changes::Run;
use super::names::Mentioned;
use super::{App, Beginning, Error, Names, Person, labels_of, reader_at};

/// Edits in one request, at most.
pub const EDITS_AT_ONCE_MAX: usize = 1_000;
/// How an item that a scenario adds is written, before its name.
pub const ADDED: char = '+';

/// Whose turn it is to change scenarios.
pub type Turn = Arc<Mutex<()>>;

/// A scenario, and what its items are called.
pub struct ScenarioAnswer {
    /// The scenario.
    pub scenario: Scenario,
    /// Of the items that it speaks of, at its base.
    pub labels: BTreeMap<ItemId, Label>,
}

/// An edit as people ask for it.
pub enum EditAsk {
    /// A new item.
    Add {
        /// Its class.
        class: String,
        /// Its name.
        name: String,
        /// Its attributes.
        attributes: Attributes,
    },
    /// An item is taken out.
    Remove {
        /// Which.
        item: String,
    },
    /// Attributes are changed.
    Set {
        /// Of which item.
        item: String,
        /// To these values.
        attributes: Attributes,
        /// These are taken away.
        cleared: Vec<String>,
    },
    /// A relationship is added or changed.
    Relate {
        /// The item it is written from.
        from: String,
        /// Its type.
        kind: String,
        /// The item it is written to.
        to: String,
        /// Redundancy group; empty: none.
        group: String,
        /// Its share of a capacity group.
        weight: f64,
    },
    /// A relationship is taken away.
    Unrelate {
        /// The item it is written from.
        from: String,
        /// Its type.
        kind: String,
        /// The item it is written to.
        to: String,
    },
    /// A redundancy group needs something else.
    Require {
        /// The dependent.
        item: String,
        /// The group.
        group: String,
        /// What it needs.
        require: Require,
    },
}

/// How a scenario differs from its base, and from now.
pub struct ScenarioDiff {
    /// The base.
    pub base: Revision,
    /// Now.
    pub head: Revision,
    /// Against the base.
    pub changes: Vec<Change>,
    /// Where the graph has moved on.
    pub conflicts: Vec<Conflict>,
    /// What is mentioned.
    pub names: Names,
    /// Items that are not there yet.
    pub added: BTreeMap<ItemId, Added>,
}

/// A scenario to be applied.
pub struct ApplyAsk {
    /// Its name.
    pub name: String,
    /// Who asks.
    pub person: Person,
    /// Why; empty: the scenario's own reason.
    pub reason: String,
    /// Whether it is done.
    pub run: Run,
    /// What counts in fields that have changed since the base.
    pub take: BTreeMap<String, Take>,
    /// What counts in all others of them; `None`: they must be decided.
    pub take_all: Option<Take>,
}

/// What became of applying.
pub struct ApplyAnswer {
    /// The commit, if there is one.
    pub revision: Option<Revision>,
    /// What changed, or would.
    pub changes: Vec<Change>,
    /// What must be decided first.
    pub conflicts: Vec<Conflict>,
    /// What else is to be said.
    pub notes: Vec<String>,
    /// What is mentioned.
    pub names: Names,
}

impl App {
    /// Makes a scenario without edits.
    ///
    /// # Errors
    /// When it cannot be called so, there is one, or its base is not to be had.
    pub async fn create_scenario(
        &self,
        name: String,
        base: When,
        person: &Person,
        reason: &str,
    ) -> Result<ScenarioAnswer, Error> {
        check_scenario_name(&name)?;
        let actor = person.actor(reason)?;
        let created_at = (self.clock)();
        let turn = self.turn().await;
        let engine = self.engine.clone();
        let scenario = self
            .work(move || {
                if engine.reader()?.scenarios()?.iter().any(|other| other.name == name) {
                    return Err(taken(&name).into());
                }
                let base = reader_at(&engine, base, Beginning::Refused)?.revision();
                Ok(Scenario {
                    name,
                    base,
                    created_at,
                    created_by: actor.name,
                    reason: actor.reason,
                    edits: Vec::new(),
                })
            })
            .await?;
        self.keep(scenario.clone(), turn).await?;
        Ok(ScenarioAnswer { scenario, labels: BTreeMap::new() })
    }

    /// A scenario with its edits.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn scenario(&self, name: String) -> Result<ScenarioAnswer, Error> {
        let engine = self.engine.clone();
        self.work(move || {
            let (scenario, base) = open(&engine, &name)?;
            answer(&base, scenario)
        })
        .await
    }

    /// All scenarios, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn scenarios(&self) -> Result<Vec<Scenario>, Error> {
        self.read(|reader| Ok(reader.scenarios()?)).await
    }

    /// Forgets a scenario.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn delete_scenario(&self, name: String) -> Result<(), Error> {
        let turn = self.turn().await;
        self.ask(|engine, reply| engine.delete_scenario(&name, until_answered(turn, reply))).await
    }

    /// Adds edits to a scenario: all of them, or none.
    ///
    /// # Errors
    /// When one of them does not fit.
    pub async fn edit_scenario(&self, name: String, edits: Vec<EditAsk>) -> Result<ScenarioAnswer, Error> {
        let turn = self.turn().await;
        let engine = self.engine.clone();
        let edited = self
            .work(move || {
                let (mut scenario, base) = open(&engine, &name)?;
                for edit in edits {
                    let edit = resolved(&base, &scenario, edit)?;
                    let edit = base.check_edit(&scenario, edit)?;
                    scenario.edits.push(edit);
                }
                // An edit of what an earlier one took out shows only here.
                base.evaluate(&scenario)?;
                answer(&base, scenario)
            })
            .await?;
        self.keep(edited.scenario.clone(), turn).await?;
        Ok(edited)
    }

    /// How a scenario differs from its base, and where the graph has moved on since.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn diff_scenario(&self, name: String) -> Result<ScenarioDiff, Error> {
        let engine = self.engine.clone();
        self.work(move || {
            let (scenario, base) = open(&engine, &name)?;
            let conflicts = engine.scenario_conflicts(&scenario)?;
            let evaluated = base.evaluate(&scenario)?;
            let mut mentioned = Mentioned::default();
            mentioned.changes(&evaluated.changes);
            mentioned.items(in_fields(&conflicts));
            mentioned.asking(&format!("scenario {}", scenario.name));
            Ok(ScenarioDiff {
                base: scenario.base,
                head: engine.reader()?.revision(),
                names: mentioned.names(&base)?,
                changes: evaluated.changes,
                conflicts,
                added: evaluated.added,
            })
        })
        .await
    }

    /// Makes a scenario's edits in one commit, unless something must be decided first.
    ///
    /// # Errors
    /// When there is none of that name, or an edit is refused.
    pub async fn apply_scenario(&self, ask: ApplyAsk) -> Result<ApplyAnswer, Error> {
        let name = ask.name;
        let scenario = self.read(move |reader| Ok(reader.scenario(&name)?)).await?;
        let reason = match (ask.reason.as_str(), scenario.reason.as_str()) {
            ("", "") => format!("scenario {}", scenario.name),
            ("", reason) => format!("scenario {}: {reason}", scenario.name),
            (reason, _) => reason.to_owned(),
        };
        let source = ask.person.source();
        let asking = source.name.clone();
        let mut apply = ApplyScenario::new(scenario, source, ask.person.actor(&reason)?);
        apply.take = ask.take;
        apply.take_all = ask.take_all;
        apply.dry_run = ask.run == Run::Dry;
        let applied = self
            .ask(|engine, reply| {
                let engine = engine.clone();
                // Conflicts are looked for before the writer is asked, which takes reading.
                drop(tokio::task::spawn_blocking(move || engine.apply_scenario(apply, reply)));
            })
            .await?;
        self.read(move |reader| {
            let mut mentioned = Mentioned::default();
            mentioned.changes(&applied.changes);
            mentioned.items(in_fields(&applied.conflicts));
            mentioned.asking(&asking);
            Ok(ApplyAnswer {
                revision: applied.revision,
                notes: applied.decisions.into_iter().flat_map(|decision| decision.notes).collect(),
                names: mentioned.names(reader)?,
                changes: applied.changes,
                conflicts: applied.conflicts,
            })
        })
        .await
    }

    async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.scenario_turn).lock_owned().await
    }

    async fn keep(&self, scenario: Scenario, turn: OwnedMutexGuard<()>) -> Result<(), Error> {
        self.ask(|engine, reply| engine.keep_scenario(scenario, until_answered(turn, reply))).await
    }
}

/// A turn ends with the writer's answer, also when the asker goes away before.
fn until_answered(turn: OwnedMutexGuard<()>, reply: Reply<()>) -> Reply<()> {
    Box::new(move |answer| {
        drop(turn);
        reply(answer);
    })
}

/// A scenario, and its base.
///
/// # Errors
/// When there is none of that name, or its base is not to be had.
pub fn open(engine: &Cmdb, name: &str) -> Result<(Scenario, Reader), Error> {
    let scenario = engine.reader()?.scenario(name)?;
    let base = engine.reader_at(When::Revision(scenario.base))?;
    Ok((scenario, base))
}

/// The item that is meant: one of the base, or one that the scenario adds.
///
/// # Errors
/// When there is none, or several.
pub fn subject(base: &Reader, scenario: &Scenario, text: &str) -> Result<Subject, Error> {
    match text.strip_prefix(ADDED) {
        Some(name) => scenario.added_as(name).ok_or_else(|| not_added(scenario, name).into()),
        None => Ok(Subject::Item(base.resolve(text)?)),
    }
}

fn resolved(base: &Reader, scenario: &Scenario, edit: EditAsk) -> Result<Edit, Error> {
    let subject = |text: &str| subject(base, scenario, text);
    Ok(match edit {
        EditAsk::Add { class, name, attributes } => Edit::Add { class, name, attributes },
        EditAsk::Remove { item } => Edit::Remove { item: subject(&item)? },
        EditAsk::Set { item, attributes, cleared } => {
            Edit::Set { item: subject(&item)?, attributes, cleared }
        }
        EditAsk::Relate { from, kind, to, group, weight } => {
            Edit::Relate { from: subject(&from)?, kind, to: subject(&to)?, group, weight }
        }
        EditAsk::Unrelate { from, kind, to } => {
            Edit::Unrelate { from: subject(&from)?, kind, to: subject(&to)? }
        }
        EditAsk::Require { item, group, require } => Edit::Require { item: subject(&item)?, group, require },
    })
}

fn answer(base: &Reader, scenario: Scenario) -> Result<ScenarioAnswer, Error> {
    let spoken_of: BTreeSet<ItemId> = scenario
        .edits
        .iter()
        .flat_map(Edit::subjects)
        .filter_map(|subject| match subject {
            Subject::Item(id) => Some(id),
            Subject::Added(_) => None,
        })
        .collect();
    let labels = labels_of(base, &spoken_of.into_iter().collect::<Vec<_>>())?;
    Ok(ScenarioAnswer { scenario, labels })
}

/// The items that the fields of conflicts name.
fn in_fields(conflicts: &[Conflict]) -> Vec<ItemId> {
    conflicts
        .iter()
        .flat_map(|conflict| conflict.field.split([' ', '.']))
        .filter_map(|word| word.parse().ok())
        .collect()
}

fn taken(name: &str) -> Problem {
    Problem::new(Reason::KeyRepeated, format!("there is a scenario \"{name}\" already"), name)
        .hint("give it another name, or delete that one first")
}

/// Says what the scenario does add.
pub fn not_added(scenario: &Scenario, name: &str) -> Problem {
    let added: Vec<String> = scenario.added().values().map(|(_, name)| format!("{ADDED}{name}")).collect();
    let message = format!("scenario {} adds no item called \"{name}\"", scenario.name);
    let given = format!("{ADDED}{name}");
    Problem::new(Reason::ItemNotFound, message, given.clone()).expected(
        match added.as_slice() {
            [] => "an item of its base: it adds none".to_owned(),
            added => added.join(", "),
        },
        given,
    )
}
