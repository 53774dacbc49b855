//! What items cannot do without.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::graph::{Graph, Index};
use cmdb_core::model::{ItemId, Status};
use cmdb_impact::critical::STEPS_MAX;
use cmdb_impact::{
    Critical, Impact, Margin, Options, Point as Alone, Progress, State, critical_of, impact,
    points as points_of_all,
};

use super::narrow::Around;
use super::{AsOf, Moment, Over, SERVICE, Stage, Staged, ids, indexes};
use crate::app::{App, Asker, Error};

/// Entries of each list when nobody says how many, and at most.
pub const CRITICAL_LISTED: usize = 100;
/// The most entries of a list.
pub const CRITICAL_LISTED_MAX: usize = 100_000;
/// Items of one part that are named.
pub const PART_SHOWN_MAX: usize = 16;
/// Of those that a point fails, how many are named.
const FAILS_SHOWN_MAX: usize = 8;

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
    /// It is down with what is down already if unconfirmed groups do not hold.
    pub at_risk_already: bool,
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
    pub async fn critical(
        &self,
        ask: CriticalAsk,
        progress: Arc<Progress>,
    ) -> Result<Staged<CriticalAnswer>, Error> {
        let asker = Asker::of(&progress);
        let answered = self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask, &progress)).await;
        drop(asker);
        answered
    }
}

fn answer(moment: &Moment<'_>, ask: &CriticalAsk, progress: &Progress) -> Result<CriticalAnswer, Error> {
    let narrowed = moment.narrowed(around(&ask.items), &ask.items)?;
    let moment = &moment.over(&narrowed);
    let graph = moment.graph;
    let down = moment.down(&ask.down)?;
    let failed = indexes(&down);
    let targets = if ask.items.is_empty() { services(moment) } else { indexes(&moment.seeds(&ask.items)?) };
    let standings_total = targets.len() as u64;
    // Of every service, points are found at once; and looked at in full are those that will be listed.
    let lost = impact(graph, &failed, Options::default());
    let found = match ask.items.is_empty() {
        true => Some(points_of_all(graph, &targets, &failed, progress).ok_or(Error::Gone)?),
        false => None,
    };
    let targets = match &found {
        Some(found) => worst(graph, targets, found, &lost, ask.limit),
        None => targets,
    };
    // Together they may take as long as one alone; what is left out says so.
    let steps = STEPS_MAX / (targets.len() as u64).max(1);
    let mut points: BTreeMap<(State, ItemId), Point> = BTreeMap::new();
    let mut fails = |item: Index, state: State, target: ItemId| {
        let item = graph.id(item);
        let point = Point { id: item, state, fails: 0, of: Vec::new() };
        let point = points.entry((state, item)).or_insert(point);
        point.fails += 1;
        if point.of.len() < FAILS_SHOWN_MAX {
            point.of.push(target);
        }
    };
    let mut standings = Vec::with_capacity(targets.len());
    let mut truncated = false;
    let listed = |found: Critical| {
        let more = found.sets.len() > ask.limit;
        (standing(graph, &found, ask.limit), found.alone, more)
    };
    let answers = critical_of(graph, &targets, &failed, steps, progress, listed);
    for (standing, alone, more) in answers.ok_or(Error::Gone)? {
        if found.is_none() {
            alone.iter().for_each(|(item, state)| fails(*item, *state, standing.id));
        }
        truncated |= more;
        standings.push(standing);
    }
    for point in found.into_iter().flatten() {
        point.fails.iter().for_each(|(target, state)| fails(point.item, *state, graph.id(*target)));
    }
    standings.sort_by_key(|standing| (standing.margin, std::cmp::Reverse(standing.alone), standing.id));
    let mut points: Vec<Point> = points.into_values().collect();
    points.sort_by_key(|point| (point.state, std::cmp::Reverse(point.fails), point.id));
    let points_total = points.len() as u64;
    let points_at_risk = points.iter().filter(|point| point.state == State::AtRisk).count() as u64;
    truncated |= standings_total > ask.limit as u64 || points.len() > ask.limit;
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

/// Those that stand worst, as they will be listed: with single points of failure, most first. All of them where these
/// are fewer than are listed.
fn worst(graph: &Graph, targets: Vec<Index>, found: &[Alone], lost: &Impact, limit: usize) -> Vec<Index> {
    let failed = lost.affected().iter().filter(|affected| affected.state == State::Failed);
    let down: BTreeSet<Index> =
        failed.map(|affected| affected.item).chain(lost.seeds().iter().copied()).collect();
    // Those that are down come before all others.
    let mut alone: BTreeMap<Index, u64> = targets
        .iter()
        .filter(|target| down.contains(*target))
        .map(|target| (*target, u64::MAX / 2))
        .collect();
    for (target, state) in found.iter().flat_map(|point| &point.fails) {
        *alone.entry(*target).or_default() += u64::from(*state == State::Failed);
    }
    let mut worst: Vec<(u64, Index)> = alone
        .into_iter()
        .filter(|(_, points)| *points > 0)
        .map(|(target, points)| (points, target))
        .collect();
    if worst.len() < limit {
        return targets;
    }
    worst.sort_unstable_by_key(|(points, target)| (std::cmp::Reverse(*points), graph.id(*target)));
    worst.truncate(limit);
    worst.into_iter().map(|(_, target)| target).collect()
}

/// Every service of the graph.
pub(super) fn services(moment: &Moment<'_>) -> Vec<Index> {
    let (graph, schema) = (moment.graph, moment.reader.schema());
    let counts =
        |index: &Index| graph.status(*index) != Status::Retired && schema.is_a(graph.class(*index), SERVICE);
    graph.indexes().filter(counts).collect()
}

fn standing(graph: &Graph, found: &Critical, limit: usize) -> Standing {
    let part = |part: &Vec<Index>| {
        let shown = part.iter().take(PART_SHOWN_MAX).map(|item| graph.id(*item)).collect();
        (shown, part.len() as u64)
    };
    let alone = found.alone.iter().filter(|(_, state)| *state == State::Failed).count() as u64;
    Standing {
        id: graph.id(found.target),
        needed: found.needed,
        margin: found.margin(),
        at_risk_already: found.at_risk,
        alone,
        at_risk: found.alone.len() as u64 - alone,
        sets: found.sets.iter().take(limit).map(|set| set.0.iter().map(part).collect()).collect(),
        sets_total: found.sets_total,
    }
}
