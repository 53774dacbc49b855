//! The same answers, slow and plain: what the fast ones are tested against.
//!
//! Written from the definitions and with none of their machinery: whole sweeps until nothing changes, enumeration of
//! every chain. For small graphs only; [`chains`] recurses.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::graph::{Carries, Gate, GateIndex, Graph, Index};
use cmdb_core::model::Require;

use crate::depends::Need;
use crate::propagate::State;
use crate::trace::Direction;

/// The items that fail with some seeds, the seeds included.
#[must_use]
pub fn failed(graph: &Graph, seeds: &[Index], unconfirmed_spare_nothing: Reading) -> BTreeSet<Index> {
    let mut down: BTreeSet<Index> = seeds.iter().copied().collect();
    loop {
        let before = down.len();
        for item in graph.indexes() {
            if fails(graph, item, &down, unconfirmed_spare_nothing) {
                down.insert(item);
            }
        }
        if down.len() == before {
            return down;
        }
    }
}

/// Everything that fails with an item where everybody needs everything, the item included.
#[must_use]
pub fn reached(graph: &Graph, item: Index) -> BTreeSet<Index> {
    let mut down = BTreeSet::from([item]);
    loop {
        let before = down.len();
        for other in graph.indexes() {
            let mut hard = graph.dependencies(other).filter(|edge| edge.carries == Carries::Hard);
            if hard.any(|edge| down.contains(&edge.other)) {
                down.insert(other);
            }
        }
        if down.len() == before {
            return down;
        }
    }
}

/// How unconfirmed groups are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// As they are thought to be.
    AsDeclared,
    /// They need all of their members.
    UnconfirmedSpareNothing,
}

/// Whether an item fails while these are down.
#[must_use]
pub fn fails(graph: &Graph, item: Index, down: &BTreeSet<Index>, reading: Reading) -> bool {
    let alone = graph
        .dependencies(item)
        .any(|edge| edge.carries == Carries::Hard && edge.gate.is_none() && down.contains(&edge.other));
    alone
        || members(graph, item).iter().any(|(gate, members)| {
            let gate = graph.gate(*gate);
            let unconfirmed = reading == Reading::UnconfirmedSpareNothing && gate.inferred();
            let lost = members.iter().any(|member| down.contains(member));
            (lost && unconfirmed) || !holds(gate, members, down)
        })
}

/// The members of each group of an item, as its relationships name them.
fn members(graph: &Graph, item: Index) -> BTreeMap<GateIndex, BTreeSet<Index>> {
    let mut groups: BTreeMap<GateIndex, BTreeSet<Index>> = BTreeMap::new();
    for edge in graph.dependencies(item) {
        if let Some(gate) = edge.gate {
            groups.entry(gate).or_default().insert(edge.other);
        }
    }
    groups
}

#[expect(clippy::cast_precision_loss, reason = "small graphs")]
fn holds(gate: Gate<'_>, members: &BTreeSet<Index>, down: &BTreeSet<Index>) -> bool {
    let weight = |side: bool| -> f64 {
        let counted = gate.members().filter(|member| down.contains(&member.provider) == side);
        counted.map(|member| member.weight).sum()
    };
    let up = members.difference(down).count();
    // Nothing fails but what lost something.
    if up == members.len() {
        return true;
    }
    match gate.require() {
        Require::All => false,
        Require::Any => up >= 1,
        Require::AtLeast(number) => up >= number as usize,
        Require::Percent(share) => up as f64 * 100.0 >= share * members.len() as f64,
        Require::Capacity(capacity) => weight(true) == 0.0 || weight(false) >= capacity,
    }
}

/// An impact, by definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Impact {
    /// State and distance of every item that is affected.
    pub affected: BTreeMap<Index, (State, u32)>,
    /// The unconfirmed groups on which it rests that items at risk have not failed.
    pub assumptions: BTreeSet<GateIndex>,
}

/// What fails, is degraded or at risk when the seeds fail together.
#[must_use]
pub fn impact(graph: &Graph, seeds: &[Index]) -> Impact {
    let certain = failed(graph, seeds, Reading::AsDeclared);
    let doubtful = failed(graph, seeds, Reading::UnconfirmedSpareNothing);
    let mut distances: BTreeMap<Index, u32> = seeds.iter().map(|seed| (*seed, 0)).collect();
    settle(graph, &certain, &mut distances);
    let near = distances.clone();
    settle(graph, &doubtful, &mut distances);
    let mut affected = BTreeMap::new();
    for item in graph.indexes().filter(|item| !seeds.contains(item)) {
        let nearest = graph.dependencies(item).filter_map(|edge| near.get(&edge.other)).min();
        if certain.contains(&item) {
            affected.insert(item, (State::Failed, distances[&item]));
        } else if doubtful.contains(&item) {
            affected.insert(item, (State::AtRisk, distances[&item]));
        } else if let Some(distance) = nearest {
            affected.insert(item, (State::Degraded, distance + 1));
        }
    }
    let mut assumptions = BTreeSet::new();
    for item in doubtful.difference(&certain) {
        for (number, members) in members(graph, *item) {
            let gate = graph.gate(number);
            if gate.inferred() && !members.is_disjoint(&certain) {
                assumptions.insert(number);
            }
        }
    }
    Impact { affected, assumptions }
}

/// Distances of those in the set that have none yet, over relationships that are not weak.
fn settle(graph: &Graph, set: &BTreeSet<Index>, distances: &mut BTreeMap<Index, u32>) {
    let settled: BTreeSet<Index> = distances.keys().copied().collect();
    loop {
        let mut changed = false;
        for item in set.difference(&settled) {
            let hard = graph.dependencies(*item).filter(|edge| edge.carries == Carries::Hard);
            let Some(nearest) = hard.filter_map(|edge| distances.get(&edge.other)).min() else { continue };
            let distance = nearest + 1;
            if distances.get(item).is_none_or(|known| *known > distance) {
                distances.insert(*item, distance);
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// Need and distance of everything that the seeds need.
#[must_use]
pub fn depends(graph: &Graph, seeds: &[Index]) -> BTreeMap<Index, (Need, u32)> {
    let mut hard: BTreeMap<Index, u32> = seeds.iter().map(|seed| (*seed, 0)).collect();
    let mut any = hard.clone();
    for seed in seeds {
        for edge in graph.dependencies(*seed) {
            any.entry(edge.other).or_insert(1);
        }
    }
    needed(graph, &mut hard);
    needed(graph, &mut any);
    let others = any.into_iter().filter(|(item, _)| !seeds.contains(item));
    others
        .map(|(item, distance)| {
            let fails =
                || !failed(graph, &[item], Reading::AsDeclared).is_disjoint(&seeds.iter().copied().collect());
            let need = match hard.contains_key(&item) {
                false => Need::Weak,
                true if fails() => Need::Alone,
                true => Need::Spared,
            };
            (item, (need, distance))
        })
        .collect()
}

/// Adds what is needed over relationships that are not weak.
fn needed(graph: &Graph, distances: &mut BTreeMap<Index, u32>) {
    loop {
        let before = distances.clone();
        for (item, distance) in &before {
            for edge in graph.dependencies(*item).filter(|edge| edge.carries == Carries::Hard) {
                let known = distances.entry(edge.other).or_insert(u32::MAX);
                *known = (*known).min(distance + 1);
            }
        }
        if *distances == before {
            return;
        }
    }
}

/// Every chain from one item to another in one direction.
#[must_use]
pub fn chains(graph: &Graph, from: Index, to: Index, direction: Direction) -> BTreeSet<Vec<Index>> {
    let mut found = BTreeSet::new();
    if from != to {
        extend(graph, to, direction, &mut vec![from], &mut found);
    }
    found
}

fn extend(
    graph: &Graph,
    to: Index,
    direction: Direction,
    path: &mut Vec<Index>,
    found: &mut BTreeSet<Vec<Index>>,
) {
    let Some(last) = path.last().copied() else { return };
    if last == to {
        found.insert(path.clone());
        return;
    }
    let edges = match direction {
        Direction::FromNeedsTo => graph.dependencies(last),
        Direction::ToNeedsFrom => graph.dependents(last),
    };
    for edge in edges {
        if !path.contains(&edge.other) {
            path.push(edge.other);
            extend(graph, to, direction, path, found);
            path.pop();
        }
    }
}
