//! The chains of dependency between two items.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::Label;
use cmdb_core::graph::Index;
use cmdb_core::model::ItemId;
use cmdb_impact::trace::{Extent, Step};
use cmdb_impact::{Direction, TRACE_STEPS_MAX, Trace, trace};

use super::narrow::Around;
use super::{AsOf, Joint, Moment, Over, Stage, Staged};
use crate::app::{App, Error};

/// Chains listed when nobody says how many.
pub const CHAINS_DEFAULT: usize = 10;

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
    /// Up to `chains_max` chains from one item to another.
    ///
    /// # Errors
    /// When there is no such item, or several.
    pub async fn trace(
        &self,
        from: String,
        to: String,
        stage: Stage,
        chains_max: usize,
    ) -> Result<Staged<TraceAnswer>, Error> {
        self.on_stage(stage, move |moment| answer(moment, &from, &to, chains_max)).await
    }
}

fn answer(moment: &Moment<'_>, from: &str, to: &str, chains_max: usize) -> Result<TraceAnswer, Error> {
    let narrowed = moment.narrowed(Around::Dependencies, &[from.to_owned(), to.to_owned()])?;
    let moment = &moment.over(&narrowed);
    let graph = moment.graph;
    let (from, to) = (moment.resolve(from)?, moment.resolve(to)?);
    let found = match (graph.index(from), graph.index(to)) {
        (Some(from), Some(to)) => trace(graph, from, to, chains_max),
        _ => Trace { chains: Vec::new(), extent: Extent::Whole },
    };
    let truncated = match found.extent {
        Extent::Whole => None,
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
        over: moment.went_over(),
    })
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
