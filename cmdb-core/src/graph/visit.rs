//! petgraph's visit traits, so that its algorithms run on a snapshot unchanged.
//!
//! An edge goes from the dependent to its provider: `Outgoing` are an item's dependencies, `Incoming` its dependents.
//! Retired items are nodes without edges. Parallel relationships are parallel edges.

use petgraph::visit::{
    Data, EdgeCount, EdgeRef, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges, IntoNeighbors,
    IntoNeighborsDirected, IntoNodeIdentifiers, NodeCompactIndexable, NodeCount, NodeIndexable, VisitMap,
    Visitable,
};
use petgraph::{Directed, Direction};

use super::{Edge, Edges, Graph, Index, Links};

/// A set of items of one snapshot: one bit each.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Visited {
    words: Vec<u64>,
}

impl Visited {
    /// The empty set for a snapshot. The memory is taken from the system as it is touched.
    #[must_use]
    pub fn of(graph: &Graph) -> Visited {
        Visited { words: vec![0; graph.index_bound().div_ceil(64)] }
    }

    /// Adds an item; says whether it is new.
    #[inline]
    pub fn insert(&mut self, index: Index) -> bool {
        let word = &mut self.words[index.0 as usize / 64];
        let bit = 1u64 << (index.0 % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes an item out; says whether it was there.
    pub fn remove(&mut self, index: Index) -> bool {
        let word = &mut self.words[index.0 as usize / 64];
        let bit = 1u64 << (index.0 % 64);
        let there = *word & bit != 0;
        *word &= !bit;
        there
    }

    /// Makes room for the items of a snapshot; what is in the set stays.
    pub fn fit(&mut self, graph: &Graph) {
        let words = self.words.len().max(graph.index_bound().div_ceil(64));
        self.words.resize(words, 0);
    }

    /// Takes out all of these and, for speed, whatever lies beside them: for a list of everything that is in the set.
    pub fn take_out(&mut self, items: &[Index]) {
        if items.len() >= self.words.len() {
            self.words.fill(0);
            return;
        }
        for item in items {
            if let Some(word) = self.words.get_mut(item.0 as usize / 64) {
                *word = 0;
            }
        }
    }

    /// Whether an item is in the set. An item of a later snapshot is not.
    #[inline]
    #[must_use]
    pub fn contains(&self, index: Index) -> bool {
        self.words.get(index.0 as usize / 64).is_some_and(|word| word >> (index.0 % 64) & 1 == 1)
    }
}

impl VisitMap<Index> for Visited {
    fn visit(&mut self, index: Index) -> bool {
        self.insert(index)
    }

    fn is_visited(&self, index: &Index) -> bool {
        self.contains(*index)
    }

    fn unvisit(&mut self, index: Index) -> bool {
        self.remove(index)
    }
}

impl GraphBase for Graph {
    type NodeId = Index;
    /// The dependent, and the relationship's number among its dependencies.
    type EdgeId = (Index, u32);
}

impl GraphProp for Graph {
    type EdgeType = Directed;
}

impl Visitable for Graph {
    type Map = Visited;

    fn visit_map(&self) -> Visited {
        Visited::of(self)
    }

    fn reset_map(&self, map: &mut Visited) {
        *map = Visited::of(self);
    }
}

impl NodeCount for Graph {
    fn node_count(&self) -> usize {
        self.index_bound()
    }
}

impl NodeIndexable for Graph {
    fn node_bound(&self) -> usize {
        self.index_bound()
    }

    fn to_index(&self, index: Index) -> usize {
        index.0 as usize
    }

    fn from_index(&self, place: usize) -> Index {
        Index(super::dense(place))
    }
}

impl NodeCompactIndexable for Graph {}

impl IntoNodeIdentifiers for &Graph {
    type NodeIdentifiers = std::iter::Map<std::ops::Range<u32>, fn(u32) -> Index>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.0.indexes).map(Index)
    }
}

/// The items at the other ends of one item's relationships.
#[derive(Clone)]
pub struct Neighbours<'g>(Links<'g>);

impl Iterator for Neighbours<'_> {
    type Item = Index;

    fn next(&mut self) -> Option<Index> {
        self.0.next().map(|link| link.other())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<'g> IntoNeighbors for &'g Graph {
    type Neighbors = Neighbours<'g>;

    fn neighbors(self, index: Index) -> Neighbours<'g> {
        Neighbours(self.dependency_links(index))
    }
}

impl<'g> IntoNeighborsDirected for &'g Graph {
    type NeighborsDirected = Neighbours<'g>;

    fn neighbors_directed(self, index: Index, direction: Direction) -> Neighbours<'g> {
        match direction {
            Direction::Outgoing => self.neighbors(index),
            Direction::Incoming => Neighbours(self.dependent_links(index)),
        }
    }
}

impl Data for Graph {
    type NodeWeight = ();
    type EdgeWeight = Edge;
}

impl EdgeCount for Graph {
    fn edge_count(&self) -> usize {
        self.relationship_count()
    }
}

/// A relationship as petgraph's algorithms see it.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    dependent: Index,
    number: u32,
    edge: Edge,
}

impl EdgeRef for Need {
    type NodeId = Index;
    type EdgeId = (Index, u32);
    type Weight = Edge;

    fn source(&self) -> Index {
        self.dependent
    }

    fn target(&self) -> Index {
        self.edge.other
    }

    fn weight(&self) -> &Edge {
        &self.edge
    }

    fn id(&self) -> (Index, u32) {
        (self.dependent, self.number)
    }
}

/// The relationships of one item with those that it needs.
#[derive(Clone)]
pub struct Needs<'g> {
    dependent: Index,
    number: u32,
    edges: Edges<'g>,
}

impl<'g> Needs<'g> {
    fn of(graph: &'g Graph, dependent: Index) -> Needs<'g> {
        Needs { dependent, number: 0, edges: graph.dependencies(dependent) }
    }
}

impl Iterator for Needs<'_> {
    type Item = Need;

    fn next(&mut self) -> Option<Need> {
        let edge = self.edges.next()?;
        let number = self.number;
        self.number += 1;
        Some(Need { dependent: self.dependent, number, edge })
    }
}

/// The relationships of all items.
#[derive(Clone)]
pub struct AllNeeds<'g> {
    graph: &'g Graph,
    next: u32,
    needs: Option<Needs<'g>>,
}

impl Iterator for AllNeeds<'_> {
    type Item = Need;

    fn next(&mut self) -> Option<Need> {
        loop {
            if let Some(need) = self.needs.as_mut().and_then(Iterator::next) {
                return Some(need);
            }
            if self.next == self.graph.0.indexes {
                return None;
            }
            self.needs = Some(Needs::of(self.graph, Index(self.next)));
            self.next += 1;
        }
    }
}

impl<'g> IntoEdgeReferences for &'g Graph {
    type EdgeRef = Need;
    type EdgeReferences = AllNeeds<'g>;

    fn edge_references(self) -> AllNeeds<'g> {
        AllNeeds { graph: self, next: 0, needs: None }
    }
}

impl<'g> IntoEdges for &'g Graph {
    type Edges = Needs<'g>;

    fn edges(self, dependent: Index) -> Needs<'g> {
        Needs::of(self, dependent)
    }
}
