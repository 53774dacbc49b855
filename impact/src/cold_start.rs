//! What cannot start again on its own once everything is down: items that wait for each other.
//!
//! An item starts when every provider that it needs alone is up and each of its groups has as much up as it requires. From
//! everything down that is the least fixpoint of starting. What is not in it waits for something that is not in
//! it either, so each of those leads to a *deadlock*: a set of items that wait for each other and for nothing else that
//! is stuck. Somebody has to start one of them by hand, without what it needs.
//!
//! What depends weakly does not wait. Unconfirmed groups are read both ways, as in [`crate::impact`]: a deadlock that is
//! there only if they need all of their members is at risk.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use cmdb_core::graph::{Carries, GateIndex, Graph, Index, Role, Units, Visited};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cycles::Components;
use crate::depends::needs_of;
use crate::progress::Progress;
use crate::propagate::{Reading, State};

/// Items of a deadlock up to which each one is tried as the one to start by hand.
pub const STARTERS_TRIED_MAX: usize = 256;

/// What cannot start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ColdStart {
    /// Items that were looked at.
    pub items: u64,
    /// Of them, how many do not start.
    pub stuck: u64,
    /// And how many more if unconfirmed groups cannot spare what they are thought to.
    pub stuck_at_risk: u64,
    /// The deadlocks behind that: the certain ones first, and of those the ones for which most items wait.
    pub deadlocks: Vec<Deadlock>,
}

/// Items that wait for each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deadlock {
    /// The items, by id.
    pub items: Vec<Index>,
    /// [`State::Failed`]: for certain; [`State::AtRisk`]: if unconfirmed groups do not hold.
    pub state: State,
    /// How many others are stuck and wait for it, directly or not.
    pub waiting: u64,
    /// Any one of these, started by hand, lets all of them start. None: one alone does not, or there are more than
    /// [`STARTERS_TRIED_MAX`].
    pub starters: Vec<Index>,
}

/// What of everything cannot start again, or of what some items need.
#[must_use]
pub fn cold_start(graph: &Graph, targets: Option<&[Index]>) -> ColdStart {
    let within = targets.map(|targets| needs_of(graph, targets));
    let certain = Start::run(graph, within.as_ref(), Reading::AsDeclared);
    let stuck: Vec<Index> = certain.stuck();
    let mut deadlocks = deadlocks(graph, &certain, &stuck, State::Failed);
    let mut at_risk = 0;
    if certain.guesses {
        let worst = Start::run(graph, within.as_ref(), Reading::UnconfirmedSpareNothing);
        let known: FxHashSet<Index> = stuck.iter().copied().collect();
        let all = worst.stuck();
        at_risk = all.len() - stuck.len();
        let found = self::deadlocks(graph, &worst, &all, State::AtRisk).into_iter();
        deadlocks.extend(found.filter(|deadlock| deadlock.items.iter().any(|item| !known.contains(item))));
    }
    deadlocks.sort_by_key(|deadlock| {
        (deadlock.state, std::cmp::Reverse(deadlock.waiting), graph.id(deadlock.items[0]))
    });
    ColdStart {
        items: certain.items as u64,
        stuck: stuck.len() as u64,
        stuck_at_risk: at_risk as u64,
        deadlocks,
    }
}

/// A start from everything down.
struct Start<'g> {
    graph: &'g Graph,
    within: Option<&'g Visited>,
    reading: Reading,
    /// Of each item, how many relationships and groups it still waits for.
    waits: Vec<u32>,
    /// Of each group, how much is not up yet.
    lost: FxHashMap<GateIndex, Units>,
    up: Visited,
    items: usize,
    /// There is an unconfirmed group.
    guesses: bool,
}

impl<'g> Start<'g> {
    fn run(graph: &'g Graph, within: Option<&'g Visited>, reading: Reading) -> Start<'g> {
        let mut start = Start {
            graph,
            within,
            reading,
            waits: vec![0; graph.index_bound()],
            lost: FxHashMap::default(),
            up: Visited::of(graph),
            items: 0,
            guesses: false,
        };
        let mut ready = VecDeque::new();
        for item in graph.indexes().filter(|item| within.is_none_or(|within| within.contains(*item))) {
            start.items += 1;
            start.count(item);
            if start.waits[item.0 as usize] == 0 {
                ready.push_back(item);
            }
        }
        start.go(ready);
        start
    }

    /// What an item waits for while nothing is up.
    fn count(&mut self, item: Index) {
        let graph = self.graph;
        let alone = graph.dependency_links(item).filter(|link| link.role() == Role::Hard).count();
        let mut waits = alone;
        for (number, gate) in graph.gates(item) {
            self.guesses |= gate.inferred();
            let all = gate.members().map(|member| self.loss(number, member.provider).0).sum();
            if all > self.spare(number).0 {
                waits += 1;
                self.lost.insert(number, Units(all));
            }
        }
        self.waits[item.0 as usize] = u32::try_from(waits).expect("fewer than there are relationships");
    }

    fn needs_all(&self, gate: GateIndex) -> bool {
        self.reading == Reading::UnconfirmedSpareNothing && self.graph.gate(gate).inferred()
    }

    fn loss(&self, gate: GateIndex, member: Index) -> Units {
        if self.needs_all(gate) { Units(1) } else { self.graph.gate(gate).loss(member) }
    }

    fn spare(&self, gate: GateIndex) -> Units {
        if self.needs_all(gate) { Units(0) } else { self.graph.gate(gate).spare() }
    }

    fn go(&mut self, mut ready: VecDeque<Index>) {
        let graph = self.graph;
        while let Some(item) = ready.pop_front() {
            if !self.up.insert(item) {
                continue;
            }
            // All relationships with one group are neighbours in a row.
            let mut last = None;
            for link in graph.dependent_links(item) {
                let dependent = link.other();
                let released = match link.role() {
                    Role::Weak => false,
                    Role::Hard => true,
                    Role::Member(gate) => last.replace(gate) != Some(gate) && self.holds_now(gate, item),
                };
                if !released || self.within.is_some_and(|within| !within.contains(dependent)) {
                    continue;
                }
                let waits = &mut self.waits[dependent.0 as usize];
                *waits -= 1;
                if *waits == 0 {
                    ready.push_back(dependent);
                }
            }
        }
    }

    /// Whether a group has enough now that this member is up, and had not before.
    fn holds_now(&mut self, gate: GateIndex, member: Index) -> bool {
        let (loss, spare) = (self.loss(gate, member), self.spare(gate));
        let Some(lost) = self.lost.get_mut(&gate) else { return false };
        lost.0 -= loss.0;
        let holds = lost.0 <= spare.0;
        if holds {
            self.lost.remove(&gate);
        }
        holds
    }

    fn stuck(&self) -> Vec<Index> {
        let within = |item: &Index| self.within.is_none_or(|within| within.contains(*item));
        self.graph.indexes().filter(|item| within(item) && !self.up.contains(*item)).collect()
    }

    /// Whom a stuck item waits for: providers that are stuck as well.
    fn waits_for(&self, item: Index) -> Vec<Index> {
        let mut providers: Vec<Index> = self
            .graph
            .dependencies(item)
            .filter(|edge| edge.carries == Carries::Hard)
            .filter(|edge| edge.gate.is_none_or(|gate| self.lost.contains_key(&gate)))
            .map(|edge| edge.other)
            .filter(|provider| !self.up.contains(*provider))
            .collect();
        providers.sort_unstable();
        providers.dedup();
        providers
    }
}

/// The sets of stuck items that wait for each other and for no other stuck item.
fn deadlocks(graph: &Graph, start: &Start<'_>, stuck: &[Index], state: State) -> Vec<Deadlock> {
    let waits = Waits::of(start, stuck);
    let mut found = Vec::new();
    for component in waits.last_components() {
        let mut items: Vec<Index> = component.iter().map(|number| stuck[*number as usize]).collect();
        items.sort_by_key(|item| graph.id(*item));
        let waiting = waits.behind(&component) - component.len();
        let starters = starters(start, &items);
        found.push(Deadlock { items, state, waiting: waiting as u64, starters });
    }
    found
}

/// Which of them, started by hand, lets the others start.
fn starters(start: &Start<'_>, items: &[Index]) -> Vec<Index> {
    if items.len() > STARTERS_TRIED_MAX {
        return Vec::new();
    }
    items.iter().copied().filter(|first| frees(start, items, *first)).collect()
}

/// Whether the others of a deadlock start once one of them is up.
fn frees(start: &Start<'_>, items: &[Index], first: Index) -> bool {
    let mut up: FxHashSet<Index> = [first].into_iter().collect();
    let is_up = |up: &FxHashSet<Index>, item: Index| start.up.contains(item) || up.contains(&item);
    let starts = |up: &FxHashSet<Index>, item: Index| {
        let graph = start.graph;
        let alone = graph.dependency_links(item).filter(|link| link.role() == Role::Hard);
        alone.map(|link| link.other()).all(|provider| is_up(up, provider))
            && graph.gates(item).all(|(number, gate)| {
                let down = gate.members().filter(|member| !is_up(up, member.provider));
                let lost: u128 = down.map(|member| start.loss(number, member.provider).0).sum();
                lost <= start.spare(number).0
            })
    };
    loop {
        let more: Vec<Index> =
            items.iter().copied().filter(|item| !up.contains(item) && starts(&up, *item)).collect();
        if more.is_empty() {
            return up.len() == items.len();
        }
        up.extend(more);
    }
}

/// Who waits for whom among stuck items, by their place in the list.
struct Waits {
    /// For whom each waits, and who waits for it.
    ahead: Vec<Vec<u32>>,
    behind: Vec<Vec<u32>>,
}

impl Waits {
    fn of(start: &Start<'_>, stuck: &[Index]) -> Waits {
        let number: FxHashMap<Index, u32> = stuck.iter().copied().zip(0..).collect();
        let ahead: Vec<Vec<u32>> = stuck
            .iter()
            .map(|item| start.waits_for(*item).iter().map(|provider| number[provider]).collect())
            .collect();
        let mut behind = vec![Vec::new(); stuck.len()];
        for (item, providers) in (0..).zip(&ahead) {
            for provider in providers {
                behind[*provider as usize].push(item);
            }
        }
        Waits { ahead, behind }
    }

    /// Those that wait for each other and for no other.
    fn last_components(&self) -> Vec<Vec<u32>> {
        let ahead = |item: u32| self.ahead[item as usize].iter().copied();
        let components = Components::of(self.ahead.len(), ahead, &Progress::default());
        let components = components.expect("nobody cancels");
        let mut members = components.members();
        members.retain(|members| {
            let own = components.of[members[0] as usize];
            members.iter().all(|item| ahead(*item).all(|other| components.of[other as usize] == own))
        });
        members
    }

    /// How many wait for these, directly or not, themselves included.
    fn behind(&self, items: &[u32]) -> usize {
        let mut seen: FxHashSet<u32> = items.iter().copied().collect();
        let mut ahead = items.to_vec();
        while let Some(item) = ahead.pop() {
            for waiting in &self.behind[item as usize] {
                if seen.insert(*waiting) {
                    ahead.push(*waiting);
                }
            }
        }
        seen.len()
    }
}
