//! Scenarios: kept beside the log, asked on the graph of their base, applied in one commit.

mod apply;
mod check;
mod world;

use std::collections::BTreeMap;

pub(super) use apply::apply;
pub use check::check_scenario_name;
use world::World;

use super::read::Reader;
use super::request::{Actor, Decision, EngineError, SourceName};
use crate::change::{Change, Draft};
use crate::graph::Graph;
use crate::model::{ItemId, Problem, Reason, SourceId};
use crate::scenario::{SCENARIOS_MAX, Scenario, scenario_from, scenario_record};
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

fn not_there(id: ItemId, scenario: &Scenario) -> Problem {
    Problem::new(
        Reason::ItemNotFound,
        format!("there is no item {id} at revision {}, the base of the scenario", scenario.base),
        id.to_string(),
    )
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
