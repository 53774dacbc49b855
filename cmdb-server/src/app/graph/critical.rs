//! What items cannot do without.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::graph::Index;
use cmdb_core::model::{ItemId, Status};
use cmdb_impact::critical::STEPS_MAX;
use cmdb_impact::{Critical, Margin, State, critical_within};

use super::narrow::Around;
use super::{AsOf, Moment, Over, Stage, Staged, ids, indexes};
use crate::app::{App, Error};

/// Entries of each list when nobody says how many, and at most.
pub const CRITICAL_LISTED: usize = 100;
/// The most entries of a list.
pub const CRITICAL_LISTED_MAX: usize = 100_000;
/// Items of one part that are named.
pub const PART_SHOWN_MAX: usize = 16;
/// Of those that a point fails, how many are named.
const FAILS_SHOWN_MAX: usize = 8;
/// The class whose items are asked about when none is named.
const SERVICE: &str = "service";

/// A question about what items cannot do without.
#[derive(Clone, Debug)]
pub struct CriticalAsk {
    /// The items, as people name them; none: every service.
    pub items: Vec<String>,
    /// What is taken to be down already.
    pub down: Vec<String>,
    /// The graph.
    pub stage: Stage,
    /// Entries of each list.
    pub limit: usize,
}

/// What they cannot do without.
pub struct CriticalAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// What is taken to be down.
    pub down: Vec<Label>,
    /// How each of them stands, the smallest margin first.
    pub standings: Vec<Standing>,
    /// All of them.
    pub standings_total: u64,
    /// Single points of failure, those that fail the most first.
    pub points: Vec<Point>,
    /// All of them.
    pub points_total: u64,
    /// Those that fail something only if unconfirmed groups do not hold.
    pub points_at_risk: u64,
    /// Something is not listed.
    pub truncated: bool,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// How far the graph is known.
    pub coverage: Coverage,
    /// Which relationships it went over.
    pub over: Over,
}

/// How one item stands.
pub struct Standing {
    /// Which item.
    pub id: ItemId,
    /// Items that it needs.
    pub needed: u64,
    /// How much it can lose.
    pub margin: Margin,
    /// Items whose failure alone fails it.
    pub alone: u64,
    /// Items whose failure alone would, if unconfirmed groups do not hold.
    pub at_risk: u64,
    /// Sets that fail it together: some items of each part, and how many there are.
    pub sets: Vec<Vec<(Vec<ItemId>, u64)>>,
    /// All sets of items.
    pub sets_total: u64,
}

/// A single point of failure.
pub struct Point {
    /// Which item.
    pub id: ItemId,
    /// What becomes of those that need it.
    pub state: State,
    /// How many of them.
    pub fails: u64,
    /// The first of them.
    pub of: Vec<ItemId>,
}

impl App {
    /// What items cannot do without.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn critical(&self, ask: CriticalAsk) -> Result<Staged<CriticalAnswer>, Error> {
        self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask)).await
    }
}

fn answer(moment: &Moment<'_>, ask: &CriticalAsk) -> Result<CriticalAnswer, Error> {
    let narrowed = moment.narrowed(around(&ask.items), &ask.items)?;
    let moment = &moment.over(&narrowed);
    let graph = moment.graph;
    let down = moment.down(&ask.down)?;
    let failed = indexes(&down);
    let targets = if ask.items.is_empty() { services(moment) } else { indexes(&moment.seeds(&ask.items)?) };
    // Together they may take as long as one alone; what is left out says so.
    let steps = STEPS_MAX / (targets.len() as u64).max(1);
    let mut points: BTreeMap<(State, ItemId), Point> = BTreeMap::new();
    let mut standings = Vec::with_capacity(targets.len());
    let mut truncated = false;
    for target in targets {
        let found = critical_within(graph, target, &failed, steps);
        let id = graph.id(target);
        for (item, state) in &found.alone {
            let item = graph.id(*item);
            let point = Point { id: item, state: *state, fails: 0, of: Vec::new() };
            let point = points.entry((*state, item)).or_insert(point);
            point.fails += 1;
            if point.of.len() < FAILS_SHOWN_MAX {
                point.of.push(id);
            }
        }
        truncated |= found.sets.len() > ask.limit;
        standings.push(standing(moment, &found, ask.limit));
    }
    standings.sort_by_key(|standing| (standing.margin, std::cmp::Reverse(standing.alone), standing.id));
    let mut points: Vec<Point> = points.into_values().collect();
    points.sort_by_key(|point| (point.state, std::cmp::Reverse(point.fails), point.id));
    let (standings_total, points_total) = (standings.len() as u64, points.len() as u64);
    let points_at_risk = points.iter().filter(|point| point.state == State::AtRisk).count() as u64;
    truncated |= standings.len() > ask.limit || points.len() > ask.limit;
    standings.truncate(ask.limit);
    points.truncate(ask.limit);
    let mut mentioned: BTreeSet<ItemId> = standings.iter().map(|standing| standing.id).collect();
    mentioned.extend(standings.iter().flat_map(|one| &one.sets).flatten().flat_map(|(part, _)| part));
    mentioned.extend(points.iter().flat_map(|point| point.of.iter().chain([&point.id])));
    Ok(CriticalAnswer {
        as_of: moment.as_of(),
        down: moment.labels(&ids(&down))?,
        labels: moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?,
        standings,
        standings_total,
        points,
        points_total,
        points_at_risk,
        truncated,
        coverage: moment.coverage()?,
        over: moment.went_over(),
    })
}

/// What the items need, or everything where every service is asked about.
pub(super) fn around(items: &[String]) -> Around {
    if items.is_empty() { Around::Everything } else { Around::Dependencies }
}

/// Every service of the graph.
pub(super) fn services(moment: &Moment<'_>) -> Vec<Index> {
    let (graph, schema) = (moment.graph, moment.reader.schema());
    let counts =
        |index: &Index| graph.status(*index) != Status::Retired && schema.is_a(graph.class(*index), SERVICE);
    graph.indexes().filter(counts).collect()
}

fn standing(moment: &Moment<'_>, found: &Critical, limit: usize) -> Standing {
    let graph = moment.graph;
    let part = |part: &Vec<Index>| {
        let shown = part.iter().take(PART_SHOWN_MAX).map(|item| graph.id(*item)).collect();
        (shown, part.len() as u64)
    };
    let alone = found.alone.iter().filter(|(_, state)| *state == State::Failed).count() as u64;
    Standing {
        id: graph.id(found.target),
        needed: found.needed,
        margin: found.margin(),
        alone,
        at_risk: found.alone.len() as u64 - alone,
        sets: found.sets.iter().take(limit).map(|set| set.0.iter().map(part).collect()).collect(),
        sets_total: found.sets_total,
    }
}
