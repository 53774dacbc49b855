//! Why an item is affected: one step back, as data.
//!
//! Followed from item to item it always leads to a seed, in cycles too: only what failed in an earlier round counts
//! as a cause of a failure. Knows no names; a face makes sentences of it.

use cmdb_core::graph::{Edge, GateIndex, Graph, Index, TypeIndex};
use rustc_hash::FxHashMap;

use crate::propagate::{Affected, Impact, State, lost};

/// The most providers that one explanation lists.
pub const VIA_MAX: usize = 8;

/// One relationship that carried it here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Via {
    /// The provider that failed.
    pub provider: Index,
    /// The relationship's type.
    pub kind: TypeIndex,
    /// The group that it is a member of.
    pub gate: Option<GateIndex>,
}

/// What decided it. Of several that each suffice: a provider needed alone before a group, a seed before others.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reason {
    /// A provider that is needed alone is down. For an item at risk: is down or at risk itself.
    HardDependency {
        /// The provider.
        provider: Index,
    },
    /// A group has less than it needs.
    GroupBelow(Group),
    /// A group lost members and holds.
    GroupReduced(Group),
    /// A weak dependency is down.
    WeakDependency {
        /// The provider.
        provider: Index,
    },
    /// An unconfirmed group lost members and is thought to hold.
    Unconfirmed(Group),
}

/// The state of a group: in members, or in weight where a capacity is required.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Group {
    /// The group.
    pub gate: GateIndex,
    /// What is still up.
    pub up: f64,
    /// What must be.
    pub needed: f64,
    /// What there is in all.
    pub total: f64,
}

/// Why an item is affected.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    /// What decided it.
    pub reason: Reason,
    /// The relationships that carried it, at most [`VIA_MAX`]; what decided it first, and seeds before others.
    pub via: Vec<Via>,
    /// How many there are in all.
    pub via_total: usize,
}

/// Explains the items of one answer.
pub struct Explainer<'a> {
    graph: &'a Graph,
    rounds: FxHashMap<Index, u32>,
    /// What failed in an earlier round is down for certain, the rest is at risk.
    doubtful_from: u32,
}

impl<'a> Explainer<'a> {
    /// Prepares to explain; linear in what failed. The graph is the one that the answer was made on.
    #[must_use]
    pub fn new(graph: &'a Graph, impact: &Impact) -> Explainer<'a> {
        let (rounds, doubtful_from) = impact.rounds();
        Explainer { graph, rounds: rounds.collect(), doubtful_from }
    }

    fn is_down(&self, item: Index) -> bool {
        self.rounds.get(&item).is_some_and(|round| *round < self.doubtful_from)
    }

    /// Why an item of the answer is affected. Linear in what it depends on.
    ///
    /// # Panics
    /// When the item is not affected by these seeds in that state.
    #[must_use]
    pub fn explain(&self, affected: Affected) -> Explanation {
        let item = affected.item;
        let mut causes: Vec<Cause> = match affected.state {
            State::Failed | State::AtRisk => self.failing(affected),
            State::Degraded => self.degrading(item),
        };
        causes.sort_by_key(|cause| (cause.rank(), !cause.seed, cause.via));
        let reason = causes.first().expect("an affected item has a cause").reason;
        let via_total = causes.len();
        causes.truncate(VIA_MAX);
        Explanation { reason, via: causes.into_iter().map(|cause| cause.via).collect(), via_total }
    }

    /// The items over which a failure came to one of the answer, itself last: the first of the causes at each step.
    /// Linear in what they depend on.
    #[must_use]
    pub fn chain(&self, impact: &Impact, item: Index) -> Vec<Affected> {
        let affected: FxHashMap<Index, Affected> =
            impact.affected().iter().map(|affected| (affected.item, *affected)).collect();
        let mut chain = Vec::new();
        let mut next = affected.get(&item).copied();
        while let Some(step) = next {
            chain.push(step);
            let via = self.explain(step).via;
            next = via.first().and_then(|via| affected.get(&via.provider)).copied();
        }
        chain.reverse();
        chain
    }

    /// The relationships over which an item fails, or would.
    fn failing(&self, affected: Affected) -> Vec<Cause> {
        let round = self.rounds.get(&affected.item).copied().unwrap_or(0);
        let earlier = |provider: Index| self.rounds.get(&provider).is_some_and(|other| *other < round);
        let mut broken = FxHashMap::default();
        let mut causes = Vec::new();
        for edge in self.graph.dependencies(affected.item) {
            if !earlier(edge.other) || edge.carries == cmdb_core::graph::Carries::Weak {
                continue;
            }
            let reason = match edge.gate {
                None => Some(Reason::HardDependency { provider: edge.other }),
                Some(gate) => {
                    *broken.entry(gate).or_insert_with(|| self.broken(gate, affected.state, earlier))
                }
            };
            causes.extend(reason.map(|reason| self.cause(edge, reason)));
        }
        causes
    }

    /// How a group fails its item through what failed before it; none: it does not.
    fn broken(&self, number: GateIndex, state: State, earlier: impl Fn(Index) -> bool) -> Option<Reason> {
        let gate = self.graph.gate(number);
        let (members, units) = lost(gate, earlier);
        if units > gate.spare() {
            Some(Reason::GroupBelow(self.group(number, state)))
        } else if state == State::AtRisk && gate.inferred() && members > 0 {
            Some(Reason::Unconfirmed(self.group(number, state)))
        } else {
            None
        }
    }

    /// The relationships that leave an item up with less behind it.
    fn degrading(&self, item: Index) -> Vec<Cause> {
        let failed = self.graph.dependencies(item).filter(|edge| self.is_down(edge.other));
        let mut groups = FxHashMap::default();
        failed
            .map(|edge| {
                let reason = match edge.gate {
                    None => Reason::WeakDependency { provider: edge.other },
                    Some(gate) => *groups
                        .entry(gate)
                        .or_insert_with(|| Reason::GroupReduced(self.group(gate, State::Degraded))),
                };
                self.cause(edge, reason)
            })
            .collect()
    }

    /// A group after everything that fails has failed.
    fn group(&self, number: GateIndex, state: State) -> Group {
        let gate = self.graph.gate(number);
        let (_, units) = lost(gate, |provider| match state {
            State::AtRisk => self.rounds.contains_key(&provider),
            State::Failed | State::Degraded => self.is_down(provider),
        });
        Group { gate: number, up: gate.up(units), needed: gate.needed(), total: gate.total() }
    }

    fn cause(&self, edge: Edge, reason: Reason) -> Cause {
        let via = Via { provider: edge.other, kind: edge.kind, gate: edge.gate };
        let seed = self.rounds.get(&edge.other) == Some(&0);
        Cause { via, reason, seed }
    }
}

struct Cause {
    via: Via,
    reason: Reason,
    seed: bool,
}

impl Cause {
    fn rank(&self) -> u8 {
        match self.reason {
            Reason::HardDependency { .. } => 0,
            Reason::GroupBelow(_) => 1,
            Reason::Unconfirmed(_) => 2,
            Reason::GroupReduced(_) => 3,
            Reason::WeakDependency { .. } => 4,
        }
    }
}
