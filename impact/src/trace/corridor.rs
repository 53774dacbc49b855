//! The part of the graph that lies on some walk from one item to another: all that a chain can lead through.
//!
//! Numbered by item id, so that equal graphs give equal chains however they came to be.
//! Invariant: every place is reached from `from` and reaches `to`; two places are joined once.

use cmdb_core::graph::{Graph, Index, Links, Visited};
use rustc_hash::FxHashMap;

use super::Direction;

pub(super) struct Corridor {
    items: Vec<Index>,
    offsets: Vec<usize>,
    next: Vec<u32>,
    pub from: u32,
    pub to: u32,
}

impl Corridor {
    /// None: no chain leads there, or it is the same item.
    pub fn between(graph: &Graph, from: Index, to: Index, direction: Direction) -> Option<Corridor> {
        if from == to {
            return None;
        }
        let ahead = |item| match direction {
            Direction::FromNeedsTo => graph.dependency_links(item),
            Direction::ToNeedsFrom => graph.dependent_links(item),
        };
        let back = |item| match direction {
            Direction::FromNeedsTo => graph.dependent_links(item),
            Direction::ToNeedsFrom => graph.dependency_links(item),
        };
        let (reached, _) = search(graph, from, ahead, |_| true);
        if !reached.contains(to) {
            return None;
        }
        let (_, mut items) = search(graph, to, back, |item| reached.contains(item));
        items.sort_unstable_by_key(|item| graph.id(*item));
        Some(Corridor::of(items, from, to, ahead))
    }

    fn of<'g>(items: Vec<Index>, from: Index, to: Index, ahead: impl Fn(Index) -> Links<'g>) -> Corridor {
        let places: FxHashMap<Index, u32> = items.iter().copied().zip(0..).collect();
        let mut offsets = Vec::with_capacity(items.len() + 1);
        let mut next = Vec::new();
        for item in &items {
            offsets.push(next.len());
            let start = next.len();
            next.extend(ahead(*item).filter_map(|link| places.get(&link.other())));
            next[start..].sort_unstable();
            let mut kept = start;
            for place in start..next.len() {
                if place == start || next[place] != next[kept - 1] {
                    next[kept] = next[place];
                    kept += 1;
                }
            }
            next.truncate(kept);
        }
        offsets.push(next.len());
        let (from, to) = (places[&from], places[&to]);
        Corridor { items, offsets, next, from, to }
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn next(&self, place: u32) -> &[u32] {
        let place = place as usize;
        &self.next[self.offsets[place]..self.offsets[place + 1]]
    }

    pub fn items(&self, path: &[u32]) -> Vec<Index> {
        path.iter().map(|place| self.items[*place as usize]).collect()
    }
}

/// Everything reached from an item, itself included.
fn search<'g>(
    graph: &Graph,
    from: Index,
    links: impl Fn(Index) -> Links<'g>,
    pass: impl Fn(Index) -> bool,
) -> (Visited, Vec<Index>) {
    let mut seen = Visited::of(graph);
    seen.insert(from);
    let mut order = vec![from];
    let mut done = 0;
    while let Some(item) = order.get(done).copied() {
        done += 1;
        for link in links(item) {
            if pass(link.other()) && seen.insert(link.other()) {
                order.push(link.other());
            }
        }
    }
    (seen, order)
}
