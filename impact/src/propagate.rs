//! Impact: what happens to everything else when some items fail.
//!
//! An item fails when a provider that it needs alone fails, or when a group of providers has lost more than it can
//! spare. It is *degraded* when it is up and a group of it lost a member or a weak dependency failed; that goes no
//! further. It is *at risk* when it fails only if no concluded and unconfirmed group can spare anything. So the
//! failed items are the least fixpoint under what the groups say, and failed and at risk together the least fixpoint
//! in which unconfirmed groups need all of their members: the second continues where the first ends.
//!
//! Decisions: an item's status fails nothing, only seeds do; stopped and missing items count like others, retired ones
//! have no relationships. A degraded member is up. At risk wins over degraded, and degraded is judged in the first
//! fixpoint: what would only be degraded if a guess were wrong is not listed. Several relationships of one item in
//! one group are one member. `distance` is the fewest relationships from a seed over items that fail; a weak
//! relationship is a last step only. A failed item may be nearer to a seed than what failed it: then the shorter
//! way leads through a group that alone would have held.
//!
//! Depth never changes who fails: everything is computed, and what lies beyond is counted.

mod fixpoint;
mod levels;
mod memory;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use cmdb_core::graph::{GateIndex, Graph, Index};

pub(crate) use fixpoint::{Fixpoint, Mark, Reading, Until, Walk, Whole, lost};

/// What of an impact is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Relationships from a seed at most; what lies beyond is counted in [`Counts::beyond_depth`].
    pub depth: Option<u32>,
}

/// What becomes of an item.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// It is down.
    Failed,
    /// It is down if an unconfirmed group cannot spare what it is thought to.
    AtRisk,
    /// It is up, with less behind it.
    Degraded,
}

impl State {
    /// As shown to people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Failed => "failed",
            State::AtRisk => "at_risk",
            State::Degraded => "degraded",
        }
    }
}

/// One item that the seeds reach. Seeds themselves are not among them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Affected {
    /// The item.
    pub item: Index,
    /// What becomes of it.
    pub state: State,
    /// The fewest relationships from a seed.
    pub distance: u32,
}

/// How many items are affected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Down.
    pub failed: u64,
    /// Up, with less behind them.
    pub degraded: u64,
    /// Down if an unconfirmed group does not hold.
    pub at_risk: u64,
    /// Affected in any way, and further from the seeds than the depth that was asked for. Not in the other counts.
    pub beyond_depth: u64,
}

/// The answer for one set of seeds on one snapshot.
#[derive(Clone, Debug)]
pub struct Impact {
    pub(crate) seeds: Vec<Index>,
    affected: Vec<Affected>,
    counts: Counts,
    assumptions: Vec<GateIndex>,
    /// Everything down or at risk in the order in which it went, seeds included.
    order: Vec<Index>,
    /// Where each round begins in the order.
    starts: Vec<usize>,
    /// How many of the order are down whatever the unconfirmed groups do.
    certain: usize,
}

/// What fails, is degraded or at risk when the seeds fail together. Seeds may repeat.
///
/// Linear in the relationships of what fails. Source: counting propagation in the manner of W. F. Dowling and
/// J. H. Gallier, "Linear-time algorithms for testing the satisfiability of propositional Horn formulae" (1984), with
/// one counter per group in place of one per clause.
#[must_use]
pub fn impact(graph: &Graph, seeds: &[Index], options: Options) -> Impact {
    let mut fixpoint = Fixpoint::new(graph, seeds);
    let seeds = fixpoint.order().to_vec();
    fixpoint.run(Reading::AsDeclared, &Whole);
    let certain = fixpoint.order().len();
    let mut assumptions = Vec::new();
    // Most answers rest on no guess: then everything is known already.
    if fixpoint.rests_on_guesses() {
        fixpoint.run(Reading::UnconfirmedSpareNothing, &Whole);
        assumptions = assumptions_of(graph, &mut fixpoint, certain);
    }
    let known = certain == fixpoint.order().len() && fixpoint.rounds_are_distances();
    let levels::Listing { affected, counts, .. } = match known {
        true => levels::as_they_failed(graph, &mut fixpoint, options),
        false => levels::search(graph, &mut fixpoint, options),
    };
    let (order, starts) = (fixpoint.order().to_vec(), fixpoint.starts().to_vec());
    Impact { seeds, affected, counts, assumptions, order, starts, certain }
}

/// A number of rounds or places: there are fewer of either than items, which are numbered in 32 bits.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("no more than there are items")
}

/// What the seeds do together and none of them does alone: items that end in a worse state than any one seed brings
/// them to. Costs an impact of each seed.
#[must_use]
pub fn joint(graph: &Graph, seeds: &[Index], options: Options) -> Impact {
    let mut whole = impact(graph, seeds, Options::default());
    let mut alone: FxHashMap<Index, State> = FxHashMap::default();
    for seed in &whole.seeds {
        for affected in impact(graph, &[*seed], Options::default()).affected {
            let worst = alone.entry(affected.item).or_insert(affected.state);
            *worst = (*worst).min(affected.state);
        }
    }
    whole.keep_worse_than(&alone, options);
    whole
}

/// What the seeds do beside what is down already: items that end in a worse state than what is down brings them to.
/// What is down counts among the seeds of the answer. Costs an impact of what is down.
#[must_use]
pub fn impact_beside(graph: &Graph, seeds: &[Index], down: &[Index], options: Options) -> Impact {
    if down.is_empty() {
        return impact(graph, seeds, options);
    }
    let all: Vec<Index> = seeds.iter().chain(down).copied().collect();
    let before = impact(graph, down, Options::default());
    let known = before.affected.iter().map(|affected| (affected.item, affected.state)).collect();
    let mut whole = impact(graph, &all, Options::default());
    whole.keep_worse_than(&known, options);
    whole
}

impl Impact {
    /// Keeps what ends in a worse state than is known of it.
    fn keep_worse_than(&mut self, known: &FxHashMap<Index, State>, options: Options) {
        let depth = options.depth.unwrap_or(u32::MAX);
        self.counts = Counts::default();
        let counts = &mut self.counts;
        self.affected.retain(|affected| {
            let worse = known.get(&affected.item).is_none_or(|known| affected.state < *known);
            if worse {
                match affected.state {
                    _ if affected.distance > depth => counts.beyond_depth += 1,
                    State::Failed => counts.failed += 1,
                    State::AtRisk => counts.at_risk += 1,
                    State::Degraded => counts.degraded += 1,
                }
            }
            worse && affected.distance <= depth
        });
    }

    /// The seeds, each once.
    #[must_use]
    pub fn seeds(&self) -> &[Index] {
        &self.seeds
    }

    /// Everything within the depth, nearest first; those of one distance in no order that outlives the snapshot.
    #[must_use]
    pub fn affected(&self) -> &[Affected] {
        &self.affected
    }

    /// The same by distance and then by id: equal for equal graphs, however they came to be.
    #[must_use]
    pub fn by_distance_and_id(&self, graph: &Graph) -> Vec<Affected> {
        let mut affected = self.affected.clone();
        affected.sort_unstable_by_key(|affected| (affected.distance, graph.id(affected.item)));
        affected
    }

    /// How many there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many of each class are within the depth, whatever their state.
    #[must_use]
    pub fn by_class<'g>(&self, graph: &'g Graph) -> BTreeMap<&'g str, u64> {
        let mut classes = BTreeMap::new();
        for affected in &self.affected {
            *classes.entry(graph.class(affected.item)).or_default() += 1;
        }
        classes
    }

    /// Everything down or at risk with the round in which it went, and the round from which on it is at risk.
    pub(crate) fn rounds(&self) -> (impl Iterator<Item = (Index, u32)>, u32) {
        let ends = self.starts.iter().skip(1).copied().chain([self.order.len()]);
        let rounds = self.starts.iter().zip(ends).zip(0u32..);
        let items = rounds
            .flat_map(|((start, end), round)| self.order[*start..end].iter().map(move |item| (*item, round)));
        (items, narrow(self.starts.partition_point(|start| *start < self.certain)))
    }

    /// The unconfirmed groups on which it rests that items at risk have not failed: each has lost members that are
    /// down for certain, holds as it is thought to be, and would not hold if it needed all.
    #[must_use]
    pub fn assumptions(&self) -> &[GateIndex] {
        &self.assumptions
    }
}

/// The unconfirmed groups of items at risk that lost something for certain. They are the fewest that must hold: if
/// just these do, nothing at risk fails; and if one of them does not, its dependent fails.
fn assumptions_of(graph: &Graph, fixpoint: &mut Fixpoint<'_>, certain: usize) -> Vec<GateIndex> {
    let memory = fixpoint.memory_mut();
    memory.doubtful.fit(graph);
    for item in &memory.order[certain..] {
        memory.doubtful.insert(*item);
    }
    let down = |item| memory.failed.contains(item) && !memory.doubtful.contains(item);
    let mut found = Vec::new();
    for item in &memory.order[certain..] {
        for (number, gate) in graph.gates(*item).filter(|(_, gate)| gate.inferred()) {
            if lost(gate, down).0 > 0 {
                found.push(number);
            }
        }
    }
    found.sort_by_key(|number| {
        let gate = graph.gate(*number);
        (graph.id(gate.dependent()), gate.name())
    });
    found
}
