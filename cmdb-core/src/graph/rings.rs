//! A search in breadth that goes no further than it is told: everything within so many steps, nearest first.

use super::{Graph, Index, Visited};

/// What was found, ring by ring. Kept from one search to the next, it takes no memory for what is small: a search costs
/// what it finds. Invariant: between searches the set holds what is listed, and nothing else.
#[derive(Default, Debug)]
pub struct Rings {
    seen: Visited,
    found: Vec<Index>,
    /// Where each ring begins.
    starts: Vec<usize>,
}

impl Rings {
    /// Everything within `depth` steps of some items. `next` leads on from an item at a distance; items may repeat.
    pub fn search<N: Iterator<Item = Index>>(
        &mut self,
        graph: &Graph,
        from: &[Index],
        depth: u32,
        next: impl Fn(Index, u32) -> N,
    ) {
        self.seen.take_out(&self.found);
        self.seen.fit(graph);
        self.found.clear();
        self.starts.clear();
        self.starts.push(0);
        for item in from {
            if self.seen.insert(*item) {
                self.found.push(*item);
            }
        }
        let mut done = 0;
        for distance in 0..depth {
            let end = self.found.len();
            if done == end {
                break;
            }
            self.starts.push(end);
            for place in done..end {
                for other in next(self.found[place], distance) {
                    if self.seen.insert(other) {
                        self.found.push(other);
                    }
                }
            }
            done = end;
        }
    }

    /// What the last search found, those that it began from included, nearest first.
    #[must_use]
    pub fn found(&self) -> &[Index] {
        &self.found
    }

    /// The same with the distance of each.
    pub fn by_distance(&self) -> impl Iterator<Item = (Index, u32)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.found.len()]);
        let rings = self.starts.iter().zip(ends).zip(0u32..);
        rings.flat_map(|((start, end), distance)| {
            self.found[*start..end].iter().map(move |item| (*item, distance))
        })
    }

    /// Whether the last search found it.
    #[must_use]
    pub fn contains(&self, item: Index) -> bool {
        self.seen.contains(item)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arbtest::arbtest;

    use super::*;
    use crate::graph::{Carries, Delta, EdgeState};
    use crate::model::{ItemId, Revision, Status};

    const ITEMS: u32 = 12;

    fn graph() -> Graph {
        let class: Arc<str> = Arc::from("server");
        let items = (1..=u64::from(ITEMS)).map(|id| Delta::Item {
            id: ItemId(id),
            class: Arc::clone(&class),
            status: Status::Active,
        });
        Graph::build(Revision(1), items)
    }

    /// The fewest steps to everything within a depth, by sweeps.
    fn slow(arcs: &BTreeMap<u32, Vec<u32>>, from: &[Index], depth: u32) -> BTreeMap<Index, u32> {
        let mut known: BTreeMap<Index, u32> = from.iter().map(|item| (*item, 0)).collect();
        for distance in 0..depth {
            let ring: Vec<Index> =
                known.iter().filter(|(_, at)| **at == distance).map(|(item, _)| *item).collect();
            for other in ring.iter().flat_map(|item| &arcs[&item.0]) {
                known.entry(Index(*other)).or_insert(distance + 1);
            }
        }
        known
    }

    #[test]
    fn each_item_stands_in_the_ring_of_its_distance() {
        let graph = graph();
        let mut rings = Rings::default();
        arbtest(|u| {
            let mut arcs: BTreeMap<u32, Vec<u32>> = (0..ITEMS).map(|item| (item, Vec::new())).collect();
            for _ in 0..u.int_in_range(0..=30)? {
                let (from, to) = (u.int_in_range(0..=ITEMS - 1)?, u.int_in_range(0..=ITEMS - 1)?);
                arcs.entry(from).or_default().push(to);
            }
            let from = [Index(u.int_in_range(0..=ITEMS - 1)?), Index(u.int_in_range(0..=ITEMS - 1)?)];
            let depth = u.int_in_range(0..=4)?;
            // One memory for all of them: what a search leaves behind would be found by the next.
            rings.search(&graph, &from, depth, |item, _| arcs[&item.0].iter().map(|other| Index(*other)));
            let found: Vec<(Index, u32)> = rings.by_distance().collect();
            assert!(found.is_sorted_by_key(|(_, distance)| *distance));
            assert_eq!(found.len(), rings.found().len(), "each once");
            let found: BTreeMap<Index, u32> = found.into_iter().collect();
            assert_eq!(found, slow(&arcs, &from, depth));
            assert!(graph.indexes().all(|item| rings.contains(item) == found.contains_key(&item)));
            Ok(())
        });
    }

    #[test]
    fn what_could_fail_is_reached_over_relationships_that_are_not_weak() {
        let edge = |dependent, provider, carries, group: Option<&str>| Delta::Edge {
            dependent: ItemId(dependent),
            provider: ItemId(provider),
            kind: Arc::from("depends_on"),
            from_is_dependent: true,
            after: Some(EdgeState {
                carries,
                group: group.map(Arc::from),
                weight: 1.0,
                inferred: false,
                confidence: 1.0,
                status: Status::Active,
            }),
        };
        let edges = vec![
            edge(2, 1, Carries::Hard, None),
            edge(3, 1, Carries::Hard, Some("g")),
            edge(4, 1, Carries::Weak, None),
            edge(5, 2, Carries::Hard, None),
        ];
        let graph = graph().apply(Revision(2), edges);
        let mut rings = Rings::default();
        let mut within = |depth| {
            rings.search(&graph, &[Index(0)], depth, |item, _| graph.could_fail(item));
            let mut ids: Vec<u64> = rings.found().iter().map(|item| graph.id(*item).0).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!((within(0), within(1), within(9)), (vec![1], vec![1, 2, 3], vec![1, 2, 3, 5]));
    }
}
