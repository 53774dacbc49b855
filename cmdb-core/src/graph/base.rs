//! The base: every item and relationship in a few flat arrays.
//!
//! Compressed sparse rows: the row of item `i` is `arcs[offsets[i]..offsets[i + 1]]`. Never changed once built. An item
//! that joined later lies beyond the offsets and has no row here. Types and groups are kept once, with the dependent;
//! who reads them from the provider's side looks them up there.

use std::ops::Range;

use super::gate::{Gate, GateEdge};
use super::gates::Gates;
use super::numbers::Numbers;
use super::parts::Weights;
use super::row::{Entry, Kept, Packed, RowView, Run};
use super::{Footprint, Node, dense};

/// In `index_of`: no item of that id.
pub(super) const ABSENT: u32 = u32::MAX;

/// Who depends on whom.
pub(super) struct Dependents {
    offsets: Vec<u32>,
    arcs: Vec<Packed>,
}

impl Dependents {
    /// Of (provider, arc) pairs in any order; quickest where the arcs of one provider come in order.
    pub fn scatter(owners: usize, arcs: impl Iterator<Item = (u32, Packed)> + Clone) -> Dependents {
        let mut offsets = vec![0u32; owners + 1];
        for (owner, _) in arcs.clone() {
            offsets[owner as usize + 1] += 1;
        }
        add_up(&mut offsets);
        let mut free = offsets.clone();
        let mut sorted = vec![Packed::hard(0); offsets[owners] as usize];
        for (owner, arc) in arcs {
            let place = &mut free[owner as usize];
            sorted[*place as usize] = arc;
            *place += 1;
        }
        for bounds in offsets.windows(2) {
            let row = &mut sorted[bounds[0] as usize..bounds[1] as usize];
            if !row.is_sorted() {
                row.sort_unstable();
            }
        }
        Dependents { offsets, arcs: sorted }
    }

    /// Of rows that are in order.
    pub fn of_rows(offsets: Vec<u32>, arcs: Vec<Packed>) -> Dependents {
        Dependents { offsets, arcs }
    }

    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    pub fn arcs(&self) -> &[Packed] {
        &self.arcs
    }

    #[inline]
    pub fn row(&self, owner: u32) -> &[Packed] {
        match self.offsets.get(owner as usize + 1) {
            Some(end) => &self.arcs[self.offsets[owner as usize] as usize..*end as usize],
            None => &[],
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice()) + size_of_val(self.arcs.as_slice())
    }
}

/// Who needs whom, with the labels and weights.
pub(super) struct Dependencies {
    offsets: Vec<u32>,
    arcs: Vec<Packed>,
    labels: Numbers,
    weights: Numbers,
    /// What the numbers of weights mean.
    weighed: Weights,
}

impl Dependencies {
    /// Rows are added in the order of their owners, each in order.
    pub fn with_capacity(owners: usize, arcs: usize) -> DependenciesDraft {
        let mut offsets = Vec::with_capacity(owners + 1);
        offsets.push(0);
        let room = || Vec::with_capacity(arcs);
        DependenciesDraft { offsets, arcs: Vec::with_capacity(arcs), labels: room(), weights: room() }
    }

    /// Of rows that are in order.
    pub fn of_rows(
        offsets: Vec<u32>,
        arcs: Vec<Packed>,
        labels: Numbers,
        weights: Numbers,
        weighed: Weights,
    ) -> Dependencies {
        Dependencies { offsets, arcs, labels, weights, weighed }
    }

    pub fn owners(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    pub fn arcs(&self) -> &[Packed] {
        &self.arcs
    }

    pub fn labels(&self) -> &Numbers {
        &self.labels
    }

    pub fn weights(&self) -> &Numbers {
        &self.weights
    }

    pub fn weighed(&self) -> &Weights {
        &self.weighed
    }

    pub fn label(&self, place: usize) -> u32 {
        self.labels.get(place)
    }

    pub fn weight(&self, place: usize) -> u32 {
        self.weights.get(place)
    }

    pub fn provider(&self, place: usize) -> u32 {
        self.arcs[place].place()
    }

    pub fn gate_edge(&self, place: usize) -> GateEdge {
        let weight = self.weighed.get(self.weight(place));
        GateEdge::new(self.provider(place), self.label(place), weight)
    }

    /// The places of a row; none for an item that joined after the base was built.
    pub fn places(&self, owner: u32) -> Option<Range<usize>> {
        let end = self.offsets.get(owner as usize + 1)?;
        Some(self.offsets[owner as usize] as usize..*end as usize)
    }

    /// Where the members of groups begin in a row.
    pub fn first_member(&self, owner: u32) -> usize {
        let places = self.places(owner).expect("rows of the base");
        let hard = self.arcs[places.clone()].iter().take_while(|arc| arc.run() == Run::Hard);
        places.start + hard.count()
    }

    fn bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice()) + size_of_val(self.arcs.as_slice()) + self.labels.bytes()
    }
}

pub(super) struct DependenciesDraft {
    offsets: Vec<u32>,
    arcs: Vec<Packed>,
    labels: Vec<u32>,
    weights: Vec<u32>,
}

impl DependenciesDraft {
    /// The row of the next owner is as far as it was added.
    pub fn close(&mut self) {
        self.offsets.push(dense(self.arcs.len()));
    }

    pub fn add(&mut self, arc: Packed, label: u32, weight: u32) {
        self.arcs.push(arc);
        self.labels.push(label);
        self.weights.push(weight);
    }

    /// Everything up to this owner that was not added has no relationships.
    pub fn row(&mut self, owner: u32, entries: &[(Entry, u32)]) {
        debug_assert!(entries.is_sorted());
        self.offsets.resize(owner as usize + 1, dense(self.arcs.len()));
        for (entry, weight) in entries {
            self.add(entry.link.of_provider(), entry.label, *weight);
        }
    }

    pub fn finish(mut self, owners: usize, labels: usize, weighed: Weights) -> Dependencies {
        self.offsets.resize(owners + 1, dense(self.arcs.len()));
        Dependencies {
            offsets: self.offsets,
            arcs: self.arcs,
            labels: Numbers::of(self.labels, labels),
            weights: Numbers::of(self.weights, weighed.list().len()),
            weighed,
        }
    }
}

pub(super) struct Base {
    pub nodes: Vec<Node>,
    /// By id; ids are given in order, so the holes are few.
    pub index_of: Vec<u32>,
    pub dependents: Dependents,
    pub dependencies: Dependencies,
    /// By dependent.
    pub gates: Gates,
}

impl Base {
    pub fn new(nodes: Vec<Node>, dependents: Dependents, dependencies: Dependencies, gates: Gates) -> Base {
        let ids = nodes.iter().map(|node| node.id.0 + 1).max().unwrap_or(0);
        let mut index_of = vec![ABSENT; usize::try_from(ids).expect("ids are given in order")];
        for (index, node) in nodes.iter().enumerate() {
            index_of[usize::try_from(node.id.0).expect("below the largest")] = dense(index);
        }
        Base { nodes, index_of, dependents, dependencies, gates }
    }

    pub fn footprint(&self) -> Footprint {
        Footprint {
            topology: self.dependents.bytes() + self.dependencies.bytes() + self.gates.bytes_walked(),
            rest: size_of_val(self.nodes.as_slice())
                + size_of_val(self.index_of.as_slice())
                + self.dependencies.weights.bytes()
                + self.gates.bytes_rest(),
        }
    }

    pub fn dependency_row(&self, owner: u32) -> RowView<'_> {
        let Some(places) = self.dependencies.places(owner) else { return RowView::EMPTY };
        let first = places.start;
        let arcs = &self.dependencies.arcs[places];
        RowView { arcs, kept: Kept::Base { base: self, first, gate: self.gates.first_of(owner) } }
    }

    pub fn gate(&self, gate: u32) -> Gate<'_> {
        self.gates.get(gate, &self.dependencies)
    }
}

/// Makes offsets of counts.
pub(super) fn add_up(offsets: &mut [u32]) {
    let mut sum = 0;
    for offset in offsets {
        sum += *offset;
        *offset = sum;
    }
}
