//! Which graph a question is asked on: that of a moment, or that of a scenario; and which of its relationships count.
//!
//! Invariant: names and statuses in an answer are those of the graph that was asked.

use std::cell::Cell;
use std::collections::BTreeMap;

use cmdb_core::engine::{Added, Change, Cmdb, Evaluated, Label, When};
use cmdb_core::model::{Item, ItemId, Problem, Reason};
use cmdb_core::scenario::Scenario;

use super::{Moment, Narrow};
use crate::app::scenarios::{ADDED, not_added, open};
use crate::app::{App, Beginning, Error, label_of, reader_at};

/// Which graph is asked, and which of its relationships.
#[derive(Clone, PartialEq, Debug)]
pub struct Stage {
    /// The graph.
    pub scene: Scene,
    /// The relationships.
    pub narrow: Narrow,
}

/// Which graph is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scene {
    /// As it stood.
    At(When),
    /// As it would be, if the edits of the scenario of this name were made.
    In(String),
}

/// An answer, and the items in it that are not there yet.
pub struct Staged<T> {
    /// The answer.
    pub answer: T,
    /// What the scenario adds, under the numbers that the answer gives it.
    pub added: BTreeMap<ItemId, Added>,
}

/// A scenario at work.
pub(super) struct Imagined {
    scenario: Scenario,
    evaluated: Evaluated,
    /// Of items that the scenario adds or changes.
    labels: BTreeMap<ItemId, Label>,
}

impl Imagined {
    fn new(scenario: Scenario, evaluated: Evaluated) -> Imagined {
        let changed = evaluated.changes.iter().filter_map(|change| match change {
            Change::Item { after, .. } => Some((after.id, label_of(after))),
            Change::Relationship { .. } => None,
        });
        Imagined { labels: changed.collect(), scenario, evaluated }
    }

    /// An item as the scenario leaves it, where it adds or changes it.
    pub(super) fn item(&self, id: ItemId) -> Option<&Item> {
        self.evaluated.changes.iter().find_map(|change| match change {
            Change::Item { after, .. } if after.id == id => Some(&**after),
            _ => None,
        })
    }

    pub(super) fn label(&self, id: ItemId) -> Option<&Label> {
        self.labels.get(&id)
    }

    /// The item of `+NAME`; `None` where the text names none in this way.
    pub(super) fn resolve(&self, text: &str) -> Result<Option<ItemId>, Error> {
        let Some(name) = text.strip_prefix(ADDED) else { return Ok(None) };
        let found = self.evaluated.added.iter().find(|(_, added)| added.name == name);
        found.map(|(id, _)| Some(*id)).ok_or_else(|| not_added(&self.scenario, name).into())
    }
}

impl App {
    pub(super) async fn on_stage<T: Send + 'static>(
        &self,
        stage: Stage,
        question: impl FnOnce(&Moment<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<Staged<T>, Error> {
        let engine = self.engine.clone();
        let narrow = stage.narrow;
        self.work(move || match stage.scene {
            Scene::At(when) => {
                let reader = reader_at(&engine, when, Beginning::Refused)?;
                narrow.check(reader.schema())?;
                let moment = Moment {
                    graph: reader.graph(),
                    reader: &reader,
                    imagined: None,
                    narrow: &narrow,
                    left_out: 0,
                    any_stale: Cell::new(None),
                };
                Ok(Staged { answer: question(&moment)?, added: BTreeMap::new() })
            }
            Scene::In(name) => imagine(&engine, &name, &narrow, question),
        })
        .await
    }
}

fn imagine<T>(
    engine: &Cmdb,
    name: &str,
    narrow: &Narrow,
    question: impl FnOnce(&Moment<'_>) -> Result<T, Error>,
) -> Result<Staged<T>, Error> {
    let (scenario, base) = open(engine, name)?;
    narrow.check(base.schema())?;
    let evaluated = base.evaluate(&scenario)?;
    let imagined = Imagined::new(scenario, evaluated);
    let moment = Moment {
        graph: &imagined.evaluated.graph,
        reader: &base,
        imagined: Some(&imagined),
        narrow,
        left_out: 0,
        any_stale: Cell::new(None),
    };
    let answer = question(&moment)?;
    Ok(Staged { answer, added: imagined.evaluated.added })
}

/// The scene that a request names.
///
/// # Errors
/// When it names a scenario, whose base is its moment, and a moment as well.
pub fn scene(scenario: String, as_of: &str, when: When) -> Result<Scene, Problem> {
    match (scenario.is_empty(), as_of.is_empty()) {
        (true, _) => Ok(Scene::At(when)),
        (false, true) => Ok(Scene::In(scenario)),
        (false, false) => Err(Problem::new(
            Reason::FormatInvalid,
            "a scenario has a moment of its own, its base, so it cannot be asked as of another",
            format!("scenario {scenario}"),
        )
        .expected("a scenario, or a moment", as_of.chars().take(80).collect::<String>())
        .hint("`cmdb scenario create NAME --base WHEN` makes one on the graph of that moment")),
    }
}
