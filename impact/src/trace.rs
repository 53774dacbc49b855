//! Trace: the chains of dependency between two items, shortest first.
//!
//! Whether there is one, and the shortest, is always answered: two searches in breadth, linear in what they reach.
//! Listing more is work without end on some graphs, so it is bounded by [`TRACE_STEPS_MAX`] and says when it stopped.
//!
//! A chain is a row of items, none twice. Where several relationships join two of them it names the strongest and
//! counts the others. Weak relationships are part of chains anywhere: a chain tells how things hang together, not
//! what fails.

mod corridor;
mod shortest;
#[cfg(test)]
mod tests;

use cmdb_core::graph::{Carries, GateIndex, Graph, Index, TypeIndex};

use corridor::Corridor;
use shortest::Ended;

/// The most chains that may be asked for.
pub const TRACE_CHAINS_MAX: usize = 1_000;
/// The most relationships and steps of chains looked at in each direction to find chains beyond the first.
pub const TRACE_STEPS_MAX: u64 = 10_000_000;

/// Which end of a chain needs the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// Each step needs the next.
    FromNeedsTo,
    /// Each step is needed by the next.
    ToNeedsFrom,
}

impl Direction {
    /// As shown to people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Direction::FromNeedsTo => "from_needs_to",
            Direction::ToNeedsFrom => "to_needs_from",
        }
    }
}

/// The relationship that leads from one step to the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joint {
    /// Its type.
    pub kind: TypeIndex,
    /// What failure does along it.
    pub carries: Carries,
    /// The group that it is a member of.
    pub gate: Option<GateIndex>,
    /// It is written from this step to the next.
    pub forward: bool,
    /// Further relationships between the same two, in the same direction of need.
    pub others: usize,
}

/// One item of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The item.
    pub item: Index,
    /// What leads on; none on the last step.
    pub joint: Option<Joint>,
}

/// One chain from the one item to the other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chain {
    /// Which end needs the other.
    pub direction: Direction,
    /// From the one to the other, both included.
    pub steps: Vec<Step>,
}

/// Whether all chains are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extent {
    /// All of them.
    Whole,
    /// There are more than were asked for.
    MoreChains,
    /// The search for more ended after [`TRACE_STEPS_MAX`]; there may be more, none shorter than those of the same
    /// direction that are listed.
    StepsSpent,
}

/// The chains between two items.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Shortest first.
    pub chains: Vec<Chain>,
    /// Whether all are there.
    pub extent: Extent,
}

/// Up to `chains_max` chains from one item to another, of both directions; at most [`TRACE_CHAINS_MAX`]. An item has
/// no chain to itself.
#[must_use]
pub fn trace(graph: &Graph, from: Index, to: Index, chains_max: usize) -> Trace {
    trace_within(graph, from, to, chains_max, TRACE_STEPS_MAX)
}

pub(crate) fn trace_within(
    graph: &Graph,
    from: Index,
    to: Index,
    chains_max: usize,
    steps_max: u64,
) -> Trace {
    let chains_max = chains_max.min(TRACE_CHAINS_MAX);
    let mut chains = Vec::new();
    let mut extent = Extent::Whole;
    for direction in [Direction::FromNeedsTo, Direction::ToNeedsFrom] {
        let Some(corridor) = Corridor::between(graph, from, to, direction) else { continue };
        let (paths, ended) = shortest::paths(&corridor, chains_max, steps_max);
        if ended == Ended::StepsSpent {
            extent = Extent::StepsSpent;
        } else if ended == Ended::More && extent == Extent::Whole {
            extent = Extent::MoreChains;
        }
        let items = paths.iter().map(|path| corridor.items(path));
        chains.extend(items.map(|items| chain(graph, direction, &items)));
    }
    // Stable: of one length, those in which the first item needs the second come first.
    chains.sort_by_key(|chain| chain.steps.len());
    if chains.len() > chains_max {
        chains.truncate(chains_max);
        if extent == Extent::Whole {
            extent = Extent::MoreChains;
        }
    }
    Trace { chains, extent }
}

fn chain(graph: &Graph, direction: Direction, items: &[Index]) -> Chain {
    let steps = items.iter().zip(items.iter().skip(1).map(Some).chain([None]));
    let steps = steps.map(|(item, next)| Step {
        item: *item,
        joint: next.map(|next| joint(graph, direction, *item, *next)),
    });
    Chain { direction, steps: steps.collect() }
}

/// The strongest relationship that leads from one item to the next.
fn joint(graph: &Graph, direction: Direction, item: Index, next: Index) -> Joint {
    let edges = match direction {
        Direction::FromNeedsTo => graph.dependencies(item),
        Direction::ToNeedsFrom => graph.dependents(item),
    };
    let mut others = 0;
    let parallel = edges.filter(|edge| edge.other == next).inspect(|_| others += 1);
    let strongest = parallel
        .min_by_key(|edge| (edge.carries, edge.gate.is_some(), graph.type_name(edge.kind)))
        .expect("steps of a chain are related");
    Joint {
        kind: strongest.kind,
        carries: strongest.carries,
        gate: strongest.gate,
        forward: strongest.from_is_dependent == (direction == Direction::FromNeedsTo),
        others: others - 1,
    }
}
