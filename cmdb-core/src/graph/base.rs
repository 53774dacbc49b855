//! The base: every item and relationship in a few flat arrays.
//!
//! Compressed sparse rows: the row of item `i` is `links[offsets[i]..offsets[i + 1]]`. Never changed once built.
//! An item that joined later lies beyond the offsets and has no row here.

use std::sync::Arc;

use super::gate::Gate;
use super::row::{Entry, Link};
use super::{Footprint, Node, dense};

/// In `index_of`: no item of that id.
pub(super) const ABSENT: u32 = u32::MAX;

/// Fills a row until its entries are known.
const NOWHERE: Entry = Entry { link: Link::NOWHERE, label: 0 };

/// Rows in one direction.
pub(super) struct Rows {
    offsets: Vec<u32>,
    links: Vec<Link>,
    labels: Vec<u32>,
}

impl Rows {
    /// Of (owner, entry) pairs in any order; quickest where the entries of one owner come in order.
    pub fn scatter(owners: usize, entries: impl Iterator<Item = (u32, Entry)> + Clone) -> Rows {
        let mut offsets = vec![0u32; owners + 1];
        for (owner, _) in entries.clone() {
            offsets[owner as usize + 1] += 1;
        }
        let mut sum = 0;
        for offset in &mut offsets {
            sum += *offset;
            *offset = sum;
        }
        let mut free = offsets.clone();
        let mut sorted = vec![NOWHERE; sum as usize];
        for (owner, entry) in entries {
            let place = &mut free[owner as usize];
            sorted[*place as usize] = entry;
            *place += 1;
        }
        for bounds in offsets.windows(2) {
            let row = &mut sorted[bounds[0] as usize..bounds[1] as usize];
            if !row.is_sorted() {
                row.sort_unstable();
            }
        }
        Rows {
            offsets,
            links: sorted.iter().map(|entry| entry.link).collect(),
            labels: sorted.iter().map(|entry| entry.label).collect(),
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(self.offsets.as_slice())
            + size_of_val(self.links.as_slice())
            + size_of_val(self.labels.as_slice())
    }

    #[inline]
    pub fn row(&self, owner: u32) -> (&[Link], &[u32]) {
        let place = owner as usize;
        if place + 1 >= self.offsets.len() {
            return (&[], &[]);
        }
        let range = self.offsets[place] as usize..self.offsets[place + 1] as usize;
        (&self.links[range.clone()], &self.labels[range])
    }
}

pub(super) struct Base {
    pub nodes: Vec<Node>,
    /// By id; ids are given in order, so the holes are few.
    pub index_of: Vec<u32>,
    pub dependents: Rows,
    pub dependencies: Rows,
    /// By dependent.
    pub gates: Vec<Arc<Gate>>,
    gate_offsets: Vec<u32>,
    gate_numbers: Vec<u32>,
}

impl Base {
    pub fn new(nodes: Vec<Node>, dependents: Rows, dependencies: Rows, gates: Vec<Arc<Gate>>) -> Base {
        let ids = nodes.iter().map(|node| node.id.0 + 1).max().unwrap_or(0);
        let mut index_of = vec![ABSENT; usize::try_from(ids).expect("ids are given in order")];
        for (index, node) in nodes.iter().enumerate() {
            index_of[usize::try_from(node.id.0).expect("below the largest")] = dense(index);
        }
        let mut gate_offsets = vec![0u32; nodes.len() + 1];
        for gate in &gates {
            gate_offsets[gate.dependent().0 as usize + 1] += 1;
        }
        let mut sum = 0;
        for offset in &mut gate_offsets {
            sum += *offset;
            *offset = sum;
        }
        let gate_numbers = (0..dense(gates.len())).collect();
        Base { nodes, index_of, dependents, dependencies, gates, gate_offsets, gate_numbers }
    }

    pub fn footprint(&self) -> Footprint {
        let gates: usize = self.gates.iter().map(|gate| size_of::<Arc<Gate>>() + gate.bytes()).sum();
        Footprint {
            topology: self.dependents.bytes() + self.dependencies.bytes(),
            rest: size_of_val(self.nodes.as_slice())
                + size_of_val(self.index_of.as_slice())
                + gates
                + size_of_val(self.gate_offsets.as_slice())
                + size_of_val(self.gate_numbers.as_slice()),
        }
    }

    pub fn gates_of(&self, dependent: u32) -> &[u32] {
        let place = dependent as usize;
        if place + 1 >= self.gate_offsets.len() {
            return &[];
        }
        &self.gate_numbers[self.gate_offsets[place] as usize..self.gate_offsets[place + 1] as usize]
    }
}
