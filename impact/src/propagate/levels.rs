//! Distances, and who is degraded.
//!
//! Every dependent of a failed item that did not fail itself is degraded, unless it is at risk: only a group that
//! holds or a weak relationship can have spared it. Most often the rounds in which items failed are their distances,
//! and everything is known already; where a group held for a while or guesses are doubted, one search in breadth from
//! the seeds over what failed finds them. Invariant: items are listed in order of distance.

use cmdb_core::graph::{Graph, Index, Reach, Reaches};

use super::fixpoint::{AHEAD, Fixpoint};
use super::memory::Memory;
use super::{Affected, Counts, Options, State, narrow};

/// What an answer lists and counts.
pub(super) struct Listing {
    depth: u32,
    pub affected: Vec<Affected>,
    pub counts: Counts,
}

impl Listing {
    fn new(options: Options, room: usize) -> Listing {
        let affected = Vec::with_capacity(room);
        Listing { depth: options.depth.unwrap_or(u32::MAX), affected, counts: Counts::default() }
    }

    #[inline]
    fn add(&mut self, affected: Affected) {
        if affected.distance > self.depth {
            self.counts.beyond_depth += 1;
            return;
        }
        match affected.state {
            State::Failed => self.counts.failed += 1,
            State::AtRisk => self.counts.at_risk += 1,
            State::Degraded => self.counts.degraded += 1,
        }
        self.affected.push(affected);
    }
}

/// Where the rounds are the distances.
pub(super) fn as_they_failed(graph: &Graph, fixpoint: &mut Fixpoint<'_>, options: Options) -> Listing {
    let memory = fixpoint.memory_mut();
    let mut seen = std::mem::take(&mut memory.seen);
    seen.fit(graph);
    let mut listing = Listing::new(options, memory.order.len() + memory.soft.len());
    let mut soft = memory.soft.iter().copied().peekable();
    for round in 0..memory.starts.len() {
        let distance = narrow(round);
        if round > 0 {
            for item in &memory.order[within(&memory.starts, round, memory.order.len())] {
                listing.add(Affected { item: *item, state: State::Failed, distance });
            }
        }
        let distance = distance + 1;
        let weak = memory.weak[within(&memory.weak_starts, round, memory.weak.len())].iter().copied();
        let of_round = |item: &Index| memory.touched[item.0 as usize] <= distance;
        let mut degrade = |item: Index| {
            if !memory.failed.contains(item) && seen.insert(item) {
                listing.add(Affected { item, state: State::Degraded, distance });
            }
        };
        weak.for_each(&mut degrade);
        while let Some(item) = soft.next_if(|item| memory.failed.contains(*item) || of_round(item)) {
            degrade(item);
        }
    }
    seen.take_out(&memory.soft);
    seen.take_out(&memory.weak);
    memory.seen = seen;
    listing
}

/// The places of a round in a list.
fn within(starts: &[usize], round: usize, length: usize) -> std::ops::Range<usize> {
    starts[round]..starts.get(round + 1).copied().unwrap_or(length)
}

/// Wherever an item may be nearer to a seed than the round in which it failed, or at risk.
pub(super) fn search(graph: &Graph, fixpoint: &mut Fixpoint<'_>, options: Options) -> Listing {
    let memory = fixpoint.memory_mut();
    let mut seen = std::mem::take(&mut memory.seen);
    seen.fit(graph);
    let seeds = memory.starts.get(1).copied().unwrap_or(memory.order.len());
    let mut listing = Listing::new(options, memory.order.len() - seeds + memory.soft.len());
    // What is reached and spreads, by distance; beside it lies what does not spread.
    let mut order: Vec<Index> = Vec::with_capacity(memory.order.len());
    let mut still: Vec<Index> = Vec::new();
    order.extend(&memory.order[..seeds]);
    for seed in &order {
        seen.insert(*seed);
    }
    let mut ahead: [Reach<'_>; AHEAD] = Default::default();
    let (mut done, mut distance) = (0, 0);
    while done < order.len() {
        distance += 1;
        let end = order.len();
        for place in done..end {
            if (place - done).is_multiple_of(AHEAD) {
                graph.read_ahead(&order[place..end.min(place + AHEAD)], &mut ahead);
            }
            let provider = order[place];
            let from = if memory.doubtful.contains(provider) { State::AtRisk } else { State::Failed };
            for arc in std::mem::take(&mut ahead[(place - done) % AHEAD]) {
                let (dependent, weak) = match arc {
                    Reaches::Hard(dependent) => (dependent, false),
                    Reaches::Member(gate) => (graph.slack(gate).dependent(), false),
                    Reaches::Weak(dependent) => (dependent, true),
                };
                if seen.contains(dependent) {
                    continue;
                }
                let Some(state) = reached(memory, from, weak, dependent) else { continue };
                seen.insert(dependent);
                listing.add(Affected { item: dependent, state, distance });
                if state == State::Degraded { still.push(dependent) } else { order.push(dependent) }
            }
        }
        done = end;
    }
    seen.take_out(&order);
    seen.take_out(&still);
    memory.seen = seen;
    listing
}

/// The state in which a dependent is reached over one relationship; none: this relationship does not reach it.
#[inline]
fn reached(memory: &Memory, from: State, weak: bool, dependent: Index) -> Option<State> {
    if !memory.failed.contains(dependent) {
        (from == State::Failed).then_some(State::Degraded)
    } else if memory.doubtful.contains(dependent) {
        (!weak).then_some(State::AtRisk)
    } else {
        (from == State::Failed && !weak).then_some(State::Failed)
    }
}
