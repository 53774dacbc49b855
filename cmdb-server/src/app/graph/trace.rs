//! The chains of dependency between two items.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::Label;
use cmdb_core::graph::Index;
use cmdb_core::model::ItemId;
use cmdb_impact::trace::{Extent, Step};
use cmdb_impact::{Chain, Direction, TRACE_CHAINS_MAX, TRACE_STEPS_MAX, Trace, trace};

use super::narrow::Around;
use super::{AsOf, Joint, Moment, Over, Shown, Stage, Staged};
use crate::app::{App, Error};

/// Chains listed when nobody says how many.
pub const CHAINS_DEFAULT: usize = 10;

/// A question about the chains between two items.
#[derive(Clone, Debug)]
pub struct TraceAsk {
    /// The one item, as people name it.
    pub from: String,
    /// The other.
    pub to: String,
    /// The graph.
    pub stage: Stage,
    /// Listed are the chains that lead through such an item; the ends aside.
    pub shown: Shown,
    /// Chains listed at most.
    pub chains_max: usize,
}

/// The chains between two items.
pub struct TraceAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// The one item.
    pub from: Label,
    /// The other.
    pub to: Label,
    /// Shortest first.
    pub chains: Vec<(Direction, Vec<StepAnswer>)>,
    /// What the items are called.
    pub labels: BTreeMap<ItemId, Label>,
    /// Why there may be more; `None`: these are all.
    pub truncated: Option<String>,
    /// Which chains are listed.
    pub shown: Shown,
    /// How many lead through no such item.
    pub other_chains: u64,
    /// Which relationships it went over.
    pub over: Over,
}

/// One item of a chain, and what leads on from it.
pub struct StepAnswer {
    /// The item.
    pub id: ItemId,
    /// The relationship's type; empty on the last step.
    pub kind: String,
    /// Its redundancy group; empty: none.
    pub group: String,
    /// It is written from this step to the next.
    pub forward: bool,
    /// Nobody who was heard in time says that the relationship exists.
    pub stale: bool,
}

impl App {
    /// The chains from one item to another.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn trace(&self, ask: TraceAsk) -> Result<Staged<TraceAnswer>, Error> {
        self.on_stage(ask.stage.clone(), move |moment| answer(moment, &ask)).await
    }
}

fn answer(moment: &Moment<'_>, ask: &TraceAsk) -> Result<TraceAnswer, Error> {
    ask.shown.check(moment.reader.schema())?;
    let narrowed = moment.narrowed(Around::Dependencies, &[ask.from.clone(), ask.to.clone()])?;
    let moment = &moment.over(&narrowed);
    let graph = moment.graph;
    let (from, to) = (moment.resolve(&ask.from)?, moment.resolve(&ask.to)?);
    // What is listed is chosen among all the chains that a search gives at most.
    let looked_at = if ask.shown.is_all() { ask.chains_max } else { TRACE_CHAINS_MAX };
    let mut found = match (graph.index(from), graph.index(to)) {
        (Some(from), Some(to)) => trace(graph, from, to, looked_at),
        _ => Trace { chains: Vec::new(), extent: Extent::Whole },
    };
    let all = found.chains.len();
    found.chains.retain(|chain| leads_through(moment, &ask.shown, chain));
    let (shown, chains_max) = (found.chains.len(), ask.chains_max);
    found.chains.truncate(chains_max);
    let truncated = match found.extent {
        Extent::Whole | Extent::MoreChains if shown > chains_max => {
            Some(format!("there are more than the {chains_max} chains that were asked for"))
        }
        Extent::Whole => None,
        Extent::MoreChains if !ask.shown.is_all() => {
            Some(format!("no more than the {looked_at} shortest chains were looked at"))
        }
        Extent::MoreChains => {
            Some(format!("there are more than the {chains_max} chains that were asked for"))
        }
        Extent::StepsSpent => Some(format!("the search for more chains ended after {TRACE_STEPS_MAX} steps")),
    };
    let mut chains: Vec<(Direction, Vec<StepAnswer>)> = Vec::with_capacity(found.chains.len());
    for chain in &found.chains {
        let ends = chain.steps.iter().skip(1).map(|next| Some(next.item)).chain([None]);
        let steps =
            chain.steps.iter().zip(ends).map(|(each, next)| step(moment, chain.direction, *each, next));
        chains.push((chain.direction, steps.collect::<Result<_, _>>()?));
    }
    let mentioned: BTreeSet<ItemId> =
        chains.iter().flat_map(|(_, steps)| steps).map(|step| step.id).collect();
    Ok(TraceAnswer {
        as_of: moment.as_of(),
        from: moment.label(from)?,
        to: moment.label(to)?,
        chains,
        labels: moment.labels_by_id(&mentioned.into_iter().collect::<Vec<_>>())?,
        truncated,
        shown: ask.shown.clone(),
        other_chains: (all - shown) as u64,
        over: moment.went_over(),
    })
}

/// Whether an item between the ends of a chain is shown.
fn leads_through(moment: &Moment<'_>, shown: &Shown, chain: &Chain) -> bool {
    let between = chain.steps.iter().skip(1).rev().skip(1);
    shown.is_all() || between.into_iter().any(|step| moment.shows(shown, step.item))
}

fn step(
    moment: &Moment<'_>,
    direction: Direction,
    step: Step,
    next: Option<Index>,
) -> Result<StepAnswer, Error> {
    let stale = match (step.joint, next) {
        (Some(joint), Some(next)) => {
            let (dependent, provider) = match direction {
                Direction::FromNeedsTo => (step.item, next),
                Direction::ToNeedsFrom => (next, step.item),
            };
            moment.is_stale(Joint { dependent, provider, kind: joint.kind, gate: joint.gate })?
        }
        _ => false,
    };
    let kind = step.joint.map(|joint| moment.graph.type_name(joint.kind).to_owned());
    Ok(StepAnswer {
        id: moment.graph.id(step.item),
        kind: kind.unwrap_or_default(),
        group: moment.group(step.joint.and_then(|joint| joint.gate)),
        forward: step.joint.is_some_and(|joint| joint.forward),
        stale,
    })
}
