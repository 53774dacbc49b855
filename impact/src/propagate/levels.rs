//! Distances, and who is degraded: one search in breadth from the seeds over what failed.
//!
//! Every dependent of a failed item that did not fail itself is degraded, unless it is at risk: only a group that
//! holds or a weak relationship can have spared it. Invariant: items are listed in order of distance.

use cmdb_core::graph::{Graph, Index, Role, Visited};

use super::{Affected, Counts, Impact, Options, State};

/// Fills the list and the counts of an answer whose sets are known.
pub(super) fn list(graph: &Graph, options: Options, answer: &mut Impact) {
    let mut seen = Visited::of(graph);
    for seed in &answer.seeds {
        seen.insert(*seed);
    }
    let mut listing =
        Listing { depth: options.depth.unwrap_or(u32::MAX), affected: Vec::new(), counts: Counts::default() };
    let mut level = answer.seeds.clone();
    let mut distance = 0;
    while !level.is_empty() {
        distance += 1;
        let mut next = Vec::new();
        for provider in level {
            let from = if answer.failed.contains(provider) { State::Failed } else { State::AtRisk };
            for link in graph.dependent_links(provider) {
                let dependent = link.other();
                let Some(state) = reached(answer, from, link.role(), dependent) else { continue };
                if seen.insert(dependent) {
                    listing.add(Affected { item: dependent, state, distance });
                    if state != State::Degraded {
                        next.push(dependent);
                    }
                }
            }
        }
        level = next;
    }
    answer.affected = listing.affected;
    answer.counts = listing.counts;
}

/// The state in which a dependent is reached over one relationship; none: this relationship does not reach it.
fn reached(answer: &Impact, from: State, role: Role, dependent: Index) -> Option<State> {
    let weak = role == Role::Weak;
    if answer.failed.contains(dependent) {
        (from == State::Failed && !weak).then_some(State::Failed)
    } else if answer.is_doubtful(dependent) {
        (!weak).then_some(State::AtRisk)
    } else {
        (from == State::Failed).then_some(State::Degraded)
    }
}

struct Listing {
    depth: u32,
    affected: Vec<Affected>,
    counts: Counts,
}

impl Listing {
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
