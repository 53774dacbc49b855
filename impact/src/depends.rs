//! Everything that items need: the mirror of impact.
//!
//! An item is listed exactly when its failure could, redundancy set aside, reach a seed. So a weak relationship counts
//! as the first step from a seed and nowhere else: what degrades a provider does not reach those who need it.
//!
//! Whether an item is needed alone is decided exactly: those over relationships that nothing spares at once, and for
//! each of the rest by failing it. That is bounded by [`NEED_STEPS_MAX`]; what is left undecided says so.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cmdb_core::graph::{GateIndex, Graph, Index, Rings, Role, TypeIndex, Visited};
use rustc_hash::FxHashMap;

use crate::explain::VIA_MAX;
use crate::propagate::{Fixpoint, Reading, Until};

/// The most relationships looked at to decide which items are needed alone.
pub const NEED_STEPS_MAX: u64 = 50_000_000;

/// How badly an item is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Need {
    /// Its failure alone fails a seed.
    Alone,
    /// Its failure alone fails no seed: redundancy spares it.
    Spared,
    /// Its failure never fails a seed, whatever else does: it is reached over a weak relationship only.
    Weak,
    /// Not decided: it would have taken more than [`NEED_STEPS_MAX`].
    Undecided,
}

/// One item that the seeds need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Dependency {
    /// The item.
    pub item: Index,
    /// How badly.
    pub need: Need,
    /// The fewest relationships from a seed.
    pub distance: u32,
}

/// Who needs an item, one step back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NeededBy {
    /// The one that needs it.
    pub dependent: Index,
    /// The relationship's type.
    pub kind: TypeIndex,
    /// The group that it is a member of.
    pub gate: Option<GateIndex>,
}

/// The answer for one set of seeds on one snapshot.
#[derive(Clone, Debug)]
pub struct Dependencies {
    seeds: Vec<Index>,
    items: Vec<Dependency>,
    beyond_depth: u64,
    distances: FxHashMap<Index, u32>,
}

/// Everything that the seeds need, directly or not. Seeds may repeat and are not listed.
///
/// `depth`: relationships from a seed at most; what lies beyond is counted. Linear in what is needed, but for the
/// decision who is needed alone.
#[must_use]
pub fn depends(graph: &Graph, seeds: &[Index], depth: Option<u32>) -> Dependencies {
    depends_within(graph, seeds, depth, NEED_STEPS_MAX)
}

pub(crate) fn depends_within(
    graph: &Graph,
    seeds: &[Index],
    depth: Option<u32>,
    steps_max: u64,
) -> Dependencies {
    let needed = Needed::of(graph, seeds);
    let depth = depth.unwrap_or(u32::MAX);
    let within = needed.order.partition_point(|(_, distance)| *distance <= depth);
    let decided = Decision::of(graph, &needed, within, steps_max);
    let items = needed.order[..within].iter().map(|(item, distance)| Dependency {
        item: *item,
        need: decided.need(&needed, *item),
        distance: *distance,
    });
    let distances = needed.seeds.iter().map(|seed| (*seed, 0)).chain(needed.order.iter().copied());
    Dependencies {
        items: items.collect(),
        beyond_depth: (needed.order.len() - within) as u64,
        distances: distances.collect(),
        seeds: needed.seeds,
    }
}

impl Dependencies {
    /// The seeds, each once.
    #[must_use]
    pub fn seeds(&self) -> &[Index] {
        &self.seeds
    }

    /// Everything within the depth, nearest first; those of one distance in no order that outlives the snapshot.
    #[must_use]
    pub fn items(&self) -> &[Dependency] {
        &self.items
    }

    /// The same by distance and then by id: equal for equal graphs, however they came to be.
    #[must_use]
    pub fn by_distance_and_id(&self, graph: &Graph) -> Vec<Dependency> {
        let mut items = self.items.clone();
        items.sort_unstable_by_key(|needed| (needed.distance, graph.id(needed.item)));
        items
    }

    /// Needed items further from the seeds than the depth that was asked for.
    #[must_use]
    pub fn beyond_depth(&self) -> u64 {
        self.beyond_depth
    }

    /// How many of each class are within the depth.
    #[must_use]
    pub fn by_class<'g>(&self, graph: &'g Graph) -> BTreeMap<&'g str, u64> {
        let mut classes = BTreeMap::new();
        for needed in &self.items {
            *classes.entry(graph.class(needed.item)).or_default() += 1;
        }
        classes
    }

    /// Who among the seeds and what they need is nearer to a seed and needs the item: at most [`VIA_MAX`] of them,
    /// nearest first, and how many there are. Linear in the item's dependents.
    #[must_use]
    pub fn needed_by(&self, graph: &Graph, item: Index) -> (Vec<NeededBy>, usize) {
        let Some(own) = self.distances.get(&item).copied() else { return (Vec::new(), 0) };
        let mut found = Vec::new();
        for edge in graph.dependents(item) {
            let Some(distance) = self.distances.get(&edge.other).copied().filter(|other| *other < own) else {
                continue;
            };
            if edge.carries == cmdb_core::graph::Carries::Hard || distance == 0 {
                found.push((distance, NeededBy { dependent: edge.other, kind: edge.kind, gate: edge.gate }));
            }
        }
        found.sort_unstable();
        let total = found.len();
        found.truncate(VIA_MAX);
        (found.into_iter().map(|(_, needed_by)| needed_by).collect(), total)
    }
}

/// The closure.
struct Needed {
    seeds: Vec<Index>,
    /// By distance; without the seeds.
    order: Vec<(Index, u32)>,
    is_seed: Visited,
    /// Reached without a weak relationship; seeds included.
    hard: Visited,
}

impl Needed {
    fn of(graph: &Graph, seeds: &[Index]) -> Needed {
        let mut is_seed = Visited::of(graph);
        let seeds: Vec<Index> = seeds.iter().copied().filter(|seed| is_seed.insert(*seed)).collect();
        let mut rings = Rings::default();
        // What a seed uses weakly degrades it; beyond that only what fails something counts.
        rings.search(graph, &seeds, u32::MAX, |item, distance| {
            let links = graph.dependency_links(item);
            links.filter(move |link| distance == 0 || link.role() != Role::Weak).map(|link| link.other())
        });
        let order = rings.by_distance().skip(seeds.len()).collect();
        let hard = needs_of(graph, &seeds);
        Needed { seeds, order, is_seed, hard }
    }
}

/// The items and everything that they need, weak relationships aside.
#[must_use]
pub fn needed_by(graph: &Graph, items: &[Index]) -> Vec<Index> {
    let seen = needs_of(graph, items);
    graph.indexes().filter(|item| seen.contains(*item)).collect()
}

/// The same as a set.
pub(crate) fn needs_of(graph: &Graph, items: &[Index]) -> Visited {
    closure(graph, items, |_, role| role != Role::Weak)
}

/// Everything reached from some items over dependencies that pass: the provider and the role are asked.
fn closure(graph: &Graph, from: &[Index], pass: impl Fn(Index, Role) -> bool) -> Visited {
    let mut seen = Visited::of(graph);
    spread(graph, from, &mut seen, pass);
    seen
}

/// The same, added to a set whose own closure is already in it.
fn spread(graph: &Graph, from: &[Index], seen: &mut Visited, pass: impl Fn(Index, Role) -> bool) {
    let mut waiting: Vec<Index> = from.iter().copied().filter(|item| seen.insert(*item)).collect();
    while let Some(item) = waiting.pop() {
        for link in graph.dependency_links(item) {
            if pass(link.other(), link.role()) && seen.insert(link.other()) {
                waiting.push(link.other());
            }
        }
    }
}

/// Who is needed alone.
struct Decision {
    /// Seeds included.
    alone: Visited,
    undecided: Visited,
}

impl Decision {
    /// For the first `within` of the needed ones.
    fn of(graph: &Graph, needed: &Needed, within: usize, steps_max: u64) -> Decision {
        // What fails something that fails a seed fails the seed: so all of these are needed alone, and failing one of
        // the rest can end at the first of them.
        let unspared = |provider: Index, role: Role| match role {
            Role::Hard => true,
            Role::Weak => false,
            Role::Member(gate) => {
                let gate = graph.gate(gate);
                gate.loss(provider) > gate.spare()
            }
        };
        let mut alone = closure(graph, &needed.seeds, unspared);
        let mut undecided = Visited::of(graph);
        let mut fixpoint = Fixpoint::new(graph, &[]);
        for (item, _) in &needed.order[..within] {
            if !needed.hard.contains(*item) || alone.contains(*item) {
                continue;
            }
            if fixpoint.steps() >= steps_max {
                undecided.insert(*item);
                continue;
            }
            fixpoint.restart(&[*item]);
            let walk = Until { within: &needed.hard, end: &alone };
            if fixpoint.run(Reading::AsDeclared, &walk) {
                spread(graph, &[*item], &mut alone, unspared);
            }
        }
        Decision { alone, undecided }
    }

    fn need(&self, needed: &Needed, item: Index) -> Need {
        debug_assert!(!needed.is_seed.contains(item));
        if !needed.hard.contains(item) {
            Need::Weak
        } else if self.alone.contains(item) {
            Need::Alone
        } else if self.undecided.contains(item) {
            Need::Undecided
        } else {
            Need::Spared
        }
    }
}
