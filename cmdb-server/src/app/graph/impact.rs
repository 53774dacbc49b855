//! What breaks when items fail.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Coverage, Label};
use cmdb_core::model::{ItemId, Require, Status};
use cmdb_impact::{Affected, Counts, Explainer, Impact, Options, State, impact_beside, joint};

use super::narrow::Around;
use super::words::{self, Called};
use super::{AsOf, Ask, Carrier, Joint, Moment, Over, Seed, Shown, Staged, ids, indexes};
use crate::app::{App, Error};

/// The most items whose joint impact is told from that of each.
const JOINT_SEEDS_MAX: usize = 100;

/// What of an impact is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Show {
    /// All of it.
    All,
    /// What the items do together and none of them does alone.
    Joint,
    /// The chain that leads to this item.
    Why(String),
}

/// What breaks.
pub struct ImpactAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// What was assumed to fail.
    pub seeds: Vec<Label>,
    /// What was down already: what is affected is so beside that.
    pub down: Vec<Label>,
    /// What is affected, nearest first.
    pub affected: Vec<AffectedItem>,
    /// Only what the items do together is listed and counted.
    pub joint: bool,
    /// The item whose chain alone is listed.
    pub why: Option<Label>,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// How many there are.
    pub counts: Counts,
    /// Of each class.
    pub by_class: BTreeMap<String, u64>,
    /// More are affected than are listed.
    pub truncated: bool,
    /// Which items are listed and counted.
    pub shown: Shown,
    /// How many items of other classes are affected.
    pub other_classes: u64,
    /// How far the graph is known.
    pub coverage: Coverage,
    /// Which relationships it went over.
    pub over: Over,
    /// What the answer rests on, in words.
    pub assumptions: Vec<String>,
    /// The groups among that.
    pub assumed: Vec<AssumedGroup>,
}

/// A group that was concluded and that nobody has confirmed.
pub struct AssumedGroup {
    /// The dependent.
    pub item: Label,
    /// Its name.
    pub group: String,
    /// How many members are thought to be needed.
    pub require: Require,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// What it was concluded from; empty: not known.
    pub evidence: String,
}

/// One affected item.
pub struct AffectedItem {
    /// The item.
    pub id: ItemId,
    /// What becomes of it.
    pub state: State,
    /// The fewest relationships from a seed.
    pub distance: u32,
    /// What carried it here.
    pub via: Vec<Carrier>,
    /// Why, in words.
    pub reason: String,
}

impl App {
    /// What is reached when the items fail together, redundancy included.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn impact(&self, ask: Ask, show: Show) -> Result<Staged<ImpactAnswer>, Error> {
        self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask, &show)).await
    }
}

fn answer(moment: &Moment<'_>, ask: &Ask, show: &Show) -> Result<ImpactAnswer, Error> {
    ask.shown.check(moment.reader.schema())?;
    let narrowed = moment.narrowed(Around::Dependents, &ask.items)?;
    let moment = &moment.over(&narrowed);
    let seeds = moment.seeds(&ask.items)?;
    let (graph, places) = (moment.graph, indexes(&seeds));
    // What is asked to fail is not down already.
    let down = moment.down(&ask.down)?.into_iter().filter(|one| seeds.iter().all(|seed| seed.id != one.id));
    let down: Vec<Seed> = if *show == Show::Joint { Vec::new() } else { down.collect() };
    let before = indexes(&down);
    let found = match show {
        Show::All => impact_beside(graph, &places, &before, Options { depth: ask.depth }),
        Show::Joint if seeds.len() > JOINT_SEEDS_MAX => {
            return Err(Error::OutOfRange {
                what: "the number of items whose joint impact is asked for",
                expected: format!("at most {JOINT_SEEDS_MAX}"),
                given: seeds.len().to_string(),
            });
        }
        Show::Joint => joint(graph, &places, Options { depth: ask.depth }),
        // A chain is told to its end.
        Show::Why(_) => impact_beside(graph, &places, &before, Options::default()),
    };
    let why = match show {
        Show::Why(item) => moment.seeds(std::slice::from_ref(item))?.pop(),
        Show::All | Show::Joint => None,
    };
    let listed = match (why, ask.listed_max) {
        (Some(why), _) => {
            let explainer = Explainer::new(moment.graph, &found);
            why.index.map(|why| explainer.chain(&found, why)).unwrap_or_default()
        }
        (None, Some(limit)) => {
            let listed = found.by_distance_and_id(moment.graph).into_iter();
            listed.filter(|affected| moment.shows(&ask.shown, affected.item)).take(limit).collect()
        }
        (None, None) => Vec::new(),
    };
    let seed_labels = moment.labels(&ids(&seeds))?;
    let assumed = assumed(moment, &found)?;
    let assumptions = assumptions(moment, &found, &seed_labels, &assumed);
    let (affected, labels) = explained(moment, &found, &listed)?;
    let by_class = found.by_class(moment.graph).into_iter();
    let by_class = by_class.filter(|(class, _)| ask.shown.shows(moment.reader.schema(), class));
    let counts = counted(moment, &found, &ask.shown);
    let shown = counts.failed + counts.degraded + counts.at_risk;
    Ok(ImpactAnswer {
        as_of: moment.as_of(),
        seeds: seed_labels,
        down: moment.labels(&ids(&down))?,
        truncated: why.is_none() && ask.listed_max.is_some_and(|limit| shown > limit as u64),
        other_classes: found.affected().len() as u64 - shown,
        shown: ask.shown.clone(),
        joint: *show == Show::Joint,
        why: why.map(|why| moment.label(why.id)).transpose()?,
        affected,
        labels,
        counts,
        by_class: by_class.map(|(class, count)| (class.to_owned(), count)).collect(),
        coverage: moment.coverage()?,
        over: moment.went_over(),
        assumptions,
        assumed,
    })
}

/// How many of the items that are shown are affected.
fn counted(moment: &Moment<'_>, found: &Impact, shown: &Shown) -> Counts {
    if shown.is_all() {
        return found.counts();
    }
    let mut counts = Counts { beyond_depth: found.counts().beyond_depth, ..Counts::default() };
    for affected in found.affected().iter().filter(|affected| moment.shows(shown, affected.item)) {
        match affected.state {
            State::Failed => counts.failed += 1,
            State::AtRisk => counts.at_risk += 1,
            State::Degraded => counts.degraded += 1,
        }
    }
    counts
}

/// The listed items, each with why, and what everything that is mentioned is called.
fn explained(
    moment: &Moment<'_>,
    found: &Impact,
    listed: &[Affected],
) -> Result<(Vec<AffectedItem>, BTreeMap<ItemId, Label>), Error> {
    let graph = moment.graph;
    let explainer = Explainer::new(graph, found);
    let explanations: Vec<_> = listed.iter().map(|affected| explainer.explain(*affected)).collect();
    let mut mentioned: BTreeSet<ItemId> = listed.iter().map(|affected| graph.id(affected.item)).collect();
    for explanation in &explanations {
        mentioned.extend(explanation.via.iter().map(|via| graph.id(via.provider)));
        mentioned.extend(words::provider(&explanation.reason).map(|provider| graph.id(provider)));
    }
    let labels = moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?;
    let called = Called { graph, labels: &labels };
    let mut items = Vec::with_capacity(listed.len());
    for (affected, explanation) in listed.iter().zip(&explanations) {
        let via = explanation.via.iter().map(|via| {
            let (dependent, provider) = (affected.item, via.provider);
            moment.carrier(provider, Joint { dependent, provider, kind: via.kind, gate: via.gate })
        });
        items.push(AffectedItem {
            id: graph.id(affected.item),
            state: affected.state,
            distance: affected.distance,
            via: via.collect::<Result<_, _>>()?,
            reason: words::reason(&called, affected.state, explanation),
        });
    }
    Ok((items, labels))
}

/// The groups that nobody confirmed and on which it rests that items at risk have not failed.
fn assumed(moment: &Moment<'_>, found: &Impact) -> Result<Vec<AssumedGroup>, Error> {
    let mut assumed = Vec::with_capacity(found.assumptions().len());
    for gate in found.assumptions() {
        let gate = moment.graph.gate(*gate);
        let id = moment.graph.id(gate.dependent());
        let kept = moment.reader.group(id, gate.name())?;
        assumed.push(AssumedGroup {
            item: moment.label(id)?,
            group: gate.name().to_owned(),
            require: gate.require(),
            confidence: gate.confidence(),
            evidence: kept.map_or_else(String::new, |group| group.evidence),
        });
    }
    Ok(assumed)
}

/// What the answer rests on: seeds that are not there, groups that nobody confirmed, things that are not seen now.
fn assumptions(
    moment: &Moment<'_>,
    found: &Impact,
    seeds: &[Label],
    assumed: &[AssumedGroup],
) -> Vec<String> {
    let graph = moment.graph;
    let mut assumptions: Vec<String> = seeds.iter().filter_map(words::seed).collect();
    assumptions.extend(assumed.iter().map(words::unconfirmed));
    let unseen = |status| matches!(status, Status::Stopped | Status::Missing);
    let unseen = found.affected().iter().filter(|affected| unseen(graph.status(affected.item))).count();
    if unseen > 0 {
        assumptions.push(format!(
            "{unseen} affected items are stopped or missing now, and count as if they were there"
        ));
    }
    assumptions
}
