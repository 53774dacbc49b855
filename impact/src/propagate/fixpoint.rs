//! The least set of items that fail with the seeds: a work list and one counter per touched group.
//!
//! Knows nothing of distances or of degraded items. Invariants: an item enters the list once; a member is taken from
//! its group once, since all its relationships in that group are neighbours in its row; the list is in rounds, and
//! what failed in earlier rounds suffices to fail each of a round.

use cmdb_core::graph::{Gate, GateIndex, Graph, Index, Role, Units, Visited};
use rustc_hash::FxHashMap;

/// How unconfirmed groups are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// They hold as they are thought to.
    AsDeclared,
    /// They need all of their members.
    UnconfirmedSpareNothing,
}

pub(crate) struct Fixpoint<'g> {
    graph: &'g Graph,
    failed: Visited,
    /// Everything failed, in the order in which it failed.
    order: Vec<Index>,
    /// The round in which each of them failed; seeds in round 0.
    rounds: Vec<u32>,
    done: usize,
    lost: FxHashMap<GateIndex, Units>,
    /// Nothing outside of it fails; none: no such limit.
    within: Option<&'g Visited>,
    steps: u64,
}

impl<'g> Fixpoint<'g> {
    pub fn new(graph: &'g Graph, seeds: &[Index]) -> Fixpoint<'g> {
        let mut fixpoint = Fixpoint {
            graph,
            failed: Visited::of(graph),
            order: Vec::new(),
            rounds: Vec::new(),
            done: 0,
            lost: FxHashMap::default(),
            within: None,
            steps: 0,
        };
        fixpoint.seed(seeds);
        fixpoint
    }

    /// Without seeds yet, and only for what lies within a set.
    pub fn within(graph: &'g Graph, within: &'g Visited) -> Fixpoint<'g> {
        Fixpoint { within: Some(within), ..Fixpoint::new(graph, &[]) }
    }

    /// Forgets what failed and begins anew. Costs what had failed; the count of steps goes on.
    pub fn restart(&mut self, seeds: &[Index]) {
        for item in self.order.drain(..) {
            self.failed.remove(item);
        }
        self.rounds.clear();
        self.lost.clear();
        self.done = 0;
        self.seed(seeds);
    }

    fn seed(&mut self, seeds: &[Index]) {
        for seed in seeds {
            self.fail(*seed, 0);
        }
    }

    pub fn failed(&self) -> &Visited {
        &self.failed
    }

    pub fn order(&self) -> &[Index] {
        &self.order
    }

    /// Relationships looked at so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    pub fn into_parts(self) -> (Visited, Vec<(Index, u32)>) {
        (self.failed, self.order.into_iter().zip(self.rounds).collect())
    }

    /// Fails everything that must. Run again with the other reading it goes on from there.
    pub fn run(&mut self, reading: Reading) {
        self.run_until(reading, |_| false);
    }

    /// The same, left off as soon as an item fails that meets the condition; says whether one did.
    pub fn run_until(&mut self, reading: Reading, mut end: impl FnMut(Index) -> bool) -> bool {
        if reading == Reading::UnconfirmedSpareNothing {
            self.reread();
        }
        while let Some(provider) = self.order.get(self.done).copied() {
            if end(provider) {
                return true;
            }
            let round = self.rounds[self.done] + 1;
            self.done += 1;
            self.spread(provider, round, reading);
        }
        false
    }

    /// Whether the other reading could fail more: an unconfirmed group lost a member.
    pub fn rests_on_guesses(&self) -> bool {
        self.lost.keys().any(|gate| self.graph.gate(*gate).inferred())
    }

    /// Groups that lost members and held so far are looked at again.
    fn reread(&mut self) {
        let round = self.rounds.last().map_or(0, |round| round + 1);
        let unconfirmed = self.lost.keys().map(|gate| self.graph.gate(*gate)).filter(|gate| gate.inferred());
        let mut dependents: Vec<Index> = unconfirmed.map(Gate::dependent).collect();
        dependents.sort_unstable();
        for dependent in dependents {
            self.fail(dependent, round);
        }
    }

    fn spread(&mut self, provider: Index, round: u32, reading: Reading) {
        let links = self.graph.dependent_links(provider);
        self.steps += 1 + links.len() as u64;
        let mut before = None;
        for link in links {
            // The same item in the same group over another type: one member, lost once.
            if before.replace(link) == Some(link) {
                continue;
            }
            let dependent = link.other();
            if self.within.is_some_and(|within| !within.contains(dependent)) {
                continue;
            }
            match link.role() {
                Role::Weak => {}
                Role::Hard => self.fail(dependent, round),
                Role::Member(gate) => {
                    if !self.failed.contains(dependent) && self.breaks(gate, provider, reading) {
                        self.fail(dependent, round);
                    }
                }
            }
        }
    }

    /// Takes a member from its group; says whether the group no longer holds.
    fn breaks(&mut self, number: GateIndex, provider: Index, reading: Reading) -> bool {
        let gate = self.graph.gate(number);
        let lost = self.lost.entry(number).or_default();
        lost.0 += gate.loss(provider).0;
        *lost > gate.spare() || (reading == Reading::UnconfirmedSpareNothing && gate.inferred())
    }

    fn fail(&mut self, item: Index, round: u32) {
        if self.failed.insert(item) {
            self.order.push(item);
            self.rounds.push(round);
        }
    }
}

/// How many members of a group are down, and what is lost with them.
pub(crate) fn lost(gate: &Gate, down: impl Fn(Index) -> bool) -> (usize, Units) {
    let mut members = 0;
    let mut units = Units(0);
    for member in gate.members().filter(|member| down(member.provider)) {
        members += 1;
        units.0 += gate.loss(member.provider).0;
    }
    (members, units)
}
