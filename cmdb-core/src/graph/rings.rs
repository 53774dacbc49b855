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
