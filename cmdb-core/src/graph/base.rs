//! The base: every item and relationship in a few flat arrays.
//!
//! Compressed sparse rows: the row of item `i` is `arcs[offsets[i]..offsets[i + 1]]`. Never changed once built. An item
//! that joined later lies beyond the offsets and has no row here. Types and groups are kept once, with the dependent;
//! who reads them from the provider's side looks them up there.

use std::sync::Arc;

use super::gate::{Gate, Slack};
use super::row::{Entry, Kept, Packed, RowView};
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

/// Who needs whom, with the labels.
pub(super) struct Dependencies {
    offsets: Vec<u32>,
    arcs: Vec<Packed>,
    labels: Numbers,
}

impl Dependencies {
    /// Rows are added in the order of their owners, each in order.
    pub fn with_capacity(owners: usize, arcs: usize) -> DependenciesDraft {
        let mut offsets = Vec::with_capacity(owners + 1);
        offsets.push(0);
        DependenciesDraft { offsets, arcs: Vec::with_capacity(arcs), labels: Vec::with_capacity(arcs) }
    }

    pub fn label(&self, place: usize) -> u32 {
        self.labels.get(place)
    }

    fn bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice()) + size_of_val(self.arcs.as_slice()) + self.labels.bytes()
    }
}

pub(super) struct DependenciesDraft {
    offsets: Vec<u32>,
    arcs: Vec<Packed>,
    labels: Vec<u32>,
}

impl DependenciesDraft {
    /// Everything up to this owner that was not added has no relationships.
    pub fn add(&mut self, owner: u32, entries: &[Entry]) {
        debug_assert!(entries.is_sorted());
        self.offsets.resize(owner as usize + 1, dense(self.arcs.len()));
        self.arcs.extend(entries.iter().map(|entry| entry.link.of_provider()));
        self.labels.extend(entries.iter().map(|entry| entry.label));
    }

    pub fn finish(mut self, owners: usize, labels: usize) -> Dependencies {
        self.offsets.resize(owners + 1, dense(self.arcs.len()));
        Dependencies { offsets: self.offsets, arcs: self.arcs, labels: Numbers::of(self.labels, labels) }
    }
}

/// Numbers below a bound, in as few bytes as it takes.
enum Numbers {
    Bytes(Vec<u8>),
    Shorts(Vec<u16>),
    Words(Vec<u32>),
}

impl Numbers {
    fn of(list: Vec<u32>, bound: usize) -> Numbers {
        let fits = "below the bound";
        if bound <= 1 << 8 {
            Numbers::Bytes(list.into_iter().map(|number| u8::try_from(number).expect(fits)).collect())
        } else if bound <= 1 << 16 {
            Numbers::Shorts(list.into_iter().map(|number| u16::try_from(number).expect(fits)).collect())
        } else {
            Numbers::Words(list)
        }
    }

    fn get(&self, place: usize) -> u32 {
        match self {
            Numbers::Bytes(list) => u32::from(list[place]),
            Numbers::Shorts(list) => u32::from(list[place]),
            Numbers::Words(list) => list[place],
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Numbers::Bytes(list) => size_of_val(list.as_slice()),
            Numbers::Shorts(list) => size_of_val(list.as_slice()),
            Numbers::Words(list) => size_of_val(list.as_slice()),
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
    pub gates: Vec<Arc<Gate>>,
    /// What a walk needs of each of them.
    pub slacks: Vec<Slack>,
    gate_offsets: Vec<u32>,
    gate_numbers: Vec<u32>,
}

impl Base {
    pub fn new(
        nodes: Vec<Node>,
        dependents: Dependents,
        dependencies: Dependencies,
        gates: Vec<Arc<Gate>>,
    ) -> Base {
        let ids = nodes.iter().map(|node| node.id.0 + 1).max().unwrap_or(0);
        let mut index_of = vec![ABSENT; usize::try_from(ids).expect("ids are given in order")];
        for (index, node) in nodes.iter().enumerate() {
            index_of[usize::try_from(node.id.0).expect("below the largest")] = dense(index);
        }
        let mut gate_offsets = vec![0u32; nodes.len() + 1];
        for gate in &gates {
            gate_offsets[gate.dependent().0 as usize + 1] += 1;
        }
        add_up(&mut gate_offsets);
        let gate_numbers = (0..dense(gates.len())).collect();
        let slacks = gates.iter().map(|gate| Slack::of(gate)).collect();
        Base { nodes, index_of, dependents, dependencies, gates, slacks, gate_offsets, gate_numbers }
    }

    pub fn footprint(&self) -> Footprint {
        let gates: usize = self.gates.iter().map(|gate| size_of::<Arc<Gate>>() + gate.bytes()).sum();
        Footprint {
            topology: self.dependents.bytes()
                + self.dependencies.bytes()
                + size_of_val(self.slacks.as_slice())
                + size_of_val(self.gate_offsets.as_slice()),
            rest: size_of_val(self.nodes.as_slice())
                + size_of_val(self.index_of.as_slice())
                + gates
                + size_of_val(self.gate_numbers.as_slice()),
        }
    }

    pub fn dependency_row(&self, owner: u32) -> RowView<'_> {
        let place = owner as usize;
        let rows = &self.dependencies;
        let Some(end) = rows.offsets.get(place + 1) else { return RowView::EMPTY };
        let first = rows.offsets[place] as usize;
        let arcs = &rows.arcs[first..*end as usize];
        RowView { arcs, kept: Kept::Base { base: self, first, gate: self.gate_offsets[place] } }
    }

    pub fn gates_of(&self, dependent: u32) -> &[u32] {
        let place = dependent as usize;
        if place + 1 >= self.gate_offsets.len() {
            return &[];
        }
        &self.gate_numbers[self.gate_offsets[place] as usize..self.gate_offsets[place + 1] as usize]
    }

    /// How many relationships of the dependent's row are in a group.
    pub fn arcs_of_gate(&self, gate: u32) -> usize {
        let gate = gate as usize;
        self.slacks[gate].arcs().unwrap_or_else(|| self.gates[gate].edges().len())
    }
}

/// Makes offsets of counts.
fn add_up(offsets: &mut [u32]) {
    let mut sum = 0;
    for offset in offsets {
        sum += *offset;
        *offset = sum;
    }
}
