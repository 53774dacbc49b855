//! What cannot start again on its own once everything is down.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::graph::Index;
use cmdb_core::model::ItemId;
use cmdb_impact::{State, cold_start};

use super::critical::around;
use super::{AsOf, Moment, Over, Stage, Staged, ids, indexes};
use crate::app::{App, Error};

/// Deadlocks listed, and items of each, when nobody says how many.
pub const COLD_START_LISTED: usize = 20;
/// Deadlocks listed, and items of each, at most.
pub const COLD_START_LISTED_MAX: usize = 100_000;

/// A question about what starts again.
#[derive(Clone, Debug)]
pub struct ColdStartAsk {
    /// The items, as people name them, of which and of whose needs it is asked; none: everything.
    pub items: Vec<String>,
    /// The graph.
    pub stage: Stage,
    /// Deadlocks listed, and items of each.
    pub limit: usize,
}

/// What does not start.
pub struct ColdStartAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// What it was asked of; none: everything.
    pub of: Vec<Label>,
    /// Items that were looked at.
    pub items: u64,
    /// How many of them do not start.
    pub stuck: u64,
    /// How many more, if unconfirmed groups do not hold.
    pub stuck_at_risk: u64,
    /// The deadlocks behind that.
    pub deadlocks: Vec<Waiting>,
    /// All of them.
    pub deadlocks_total: u64,
    /// Something is not listed.
    pub truncated: bool,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// How far the graph is known.
    pub coverage: Coverage,
    /// Which relationships it went over.
    pub over: Over,
}

/// Items that wait for each other.
pub struct Waiting {
    /// The first of them.
    pub items: Vec<ItemId>,
    /// All of them.
    pub items_total: u64,
    /// For certain, or if unconfirmed groups do not hold.
    pub state: State,
    /// How many others wait for them.
    pub waiting: u64,
    /// Any one of these, started by hand, is enough; the first of them.
    pub starters: Vec<ItemId>,
    /// All of them.
    pub starters_total: u64,
}

impl App {
    /// What cannot start again on its own once everything is down.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn cold_start(&self, ask: ColdStartAsk) -> Result<Staged<ColdStartAnswer>, Error> {
        self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask)).await
    }
}

fn answer(moment: &Moment<'_>, ask: &ColdStartAsk) -> Result<ColdStartAnswer, Error> {
    let narrowed = moment.narrowed(around(&ask.items), &ask.items)?;
    let moment = &moment.over(&narrowed);
    let seeds = if ask.items.is_empty() { Vec::new() } else { moment.seeds(&ask.items)? };
    let targets = indexes(&seeds);
    let found = cold_start(moment.graph, (!ask.items.is_empty()).then_some(&targets));
    let named =
        |items: &[Index]| items.iter().take(ask.limit).map(|item| moment.graph.id(*item)).collect::<Vec<_>>();
    let mut truncated = found.deadlocks.len() > ask.limit;
    let mut deadlocks = Vec::new();
    for deadlock in found.deadlocks.iter().take(ask.limit) {
        truncated |= deadlock.items.len() > ask.limit;
        deadlocks.push(Waiting {
            items: named(&deadlock.items),
            items_total: deadlock.items.len() as u64,
            state: deadlock.state,
            waiting: deadlock.waiting,
            starters: named(&deadlock.starters),
            starters_total: deadlock.starters.len() as u64,
        });
    }
    let mentioned: BTreeSet<ItemId> =
        deadlocks.iter().flat_map(|deadlock| &deadlock.items).copied().collect();
    Ok(ColdStartAnswer {
        as_of: moment.as_of(),
        of: moment.labels(&ids(&seeds))?,
        items: found.items,
        stuck: found.stuck,
        stuck_at_risk: found.stuck_at_risk,
        deadlocks_total: found.deadlocks.len() as u64,
        deadlocks,
        truncated,
        labels: moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?,
        coverage: moment.coverage()?,
        over: moment.went_over(),
    })
}
