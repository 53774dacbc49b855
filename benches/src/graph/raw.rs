//! What we are held against: a search over bare arrays, and petgraph on a graph of its own.

use cmdb_core::graph::{Graph, Index, Role};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::Bfs;

/// Compressed sparse rows of who depends on whom without a word more, and all that a search needs, kept between
/// questions.
#[derive(Clone)]
pub struct Raw {
    offsets: Vec<u32>,
    targets: Vec<u32>,
    seen: Vec<u64>,
    queue: Vec<u32>,
}

impl Raw {
    /// The same with items in the order in which they arrived; and the new place of each.
    pub fn as_arrived(graph: &Graph) -> (Raw, Vec<u32>) {
        let mut arrived: Vec<Index> = graph.indexes().collect();
        arrived.sort_unstable_by_key(|index| graph.id(*index));
        let mut place_of = vec![0; arrived.len()];
        for (index, place) in arrived.iter().zip(0..) {
            place_of[index.0 as usize] = place;
        }
        let rows =
            arrived.iter().map(|index| dependents(graph, *index).map(|other| place_of[other as usize]));
        (Raw::of_rows(graph.index_bound(), rows), place_of)
    }

    /// Of all relationships that are not weak, in the order of the graph.
    pub fn of(graph: &Graph) -> Raw {
        Raw::of_rows(graph.index_bound(), graph.indexes().map(|index| dependents(graph, index)))
    }

    fn of_rows<R: Iterator<Item = u32>>(items: usize, rows: impl Iterator<Item = R>) -> Raw {
        let mut raw = Raw {
            offsets: vec![0],
            targets: Vec::new(),
            seen: vec![0; items.div_ceil(64)],
            queue: Vec::new(),
        };
        for row in rows {
            raw.targets.extend(row);
            raw.offsets.push(u32::try_from(raw.targets.len()).expect("it can be numbered"));
        }
        raw
    }

    /// How many items are reached, the seed included.
    pub fn reach(&mut self, seed: Index) -> u64 {
        self.queue.clear();
        self.queue.push(seed.0);
        self.seen[seed.0 as usize / 64] |= 1 << (seed.0 % 64);
        let mut done = 0;
        while let Some(item) = self.queue.get(done).copied() {
            done += 1;
            let row = self.offsets[item as usize] as usize..self.offsets[item as usize + 1] as usize;
            for target in &self.targets[row] {
                let (word, bit) = (&mut self.seen[*target as usize / 64], 1u64 << (target % 64));
                if *word & bit == 0 {
                    *word |= bit;
                    self.queue.push(*target);
                }
            }
        }
        for item in &self.queue {
            self.seen[*item as usize / 64] = 0;
        }
        self.queue.len() as u64
    }
}

/// What a user of petgraph would build.
pub struct Petgraph(DiGraph<(), ()>);

impl Petgraph {
    pub fn of(graph: &Graph) -> Petgraph {
        let mut other = DiGraph::with_capacity(graph.index_bound(), graph.relationship_count());
        for _ in graph.indexes() {
            other.add_node(());
        }
        for index in graph.indexes() {
            for dependent in dependents(graph, index) {
                other.add_edge(NodeIndex::from(index.0), NodeIndex::from(dependent), ());
            }
        }
        Petgraph(other)
    }

    /// How many items are reached, the seed included.
    pub fn reach(&self, seed: Index) -> u64 {
        let mut search = Bfs::new(&self.0, NodeIndex::from(seed.0));
        let mut reached = 0;
        while search.next(&self.0).is_some() {
            reached += 1;
        }
        reached
    }
}

fn dependents(graph: &Graph, index: Index) -> impl Iterator<Item = u32> {
    let hard = graph.dependent_links(index).filter(|link| link.role() != Role::Weak);
    hard.map(|link| link.other().0)
}
