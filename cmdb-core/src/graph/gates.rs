//! Every group of the base, in a few flat arrays.
//!
//! ```text
//! dependencies   [hard ┆ members of gate 7 ┆ members of gate 8 ┆ weak] [hard ┆ …
//! firsts               7: here               8: here
//! ```
//!
//! The members of a group are a run of its dependent's row, so nothing of them is kept here but where the run begins;
//! names and declarations are kept once each and spoken of by number. Invariant: groups stand in order of dependent
//! and name, and so do their runs.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::base::{Dependencies, add_up};
use super::gate::{Declaration, Gate, GateEdges, Slack, Sum};
use super::label::Names;
use super::numbers::Numbers;
use super::{Index, dense};
use crate::model::Require;

/// What a larger group's members add up to is kept, and counted where it is asked for in a smaller one.
const COUNTED_ARCS_MAX: u32 = 16;

/// One group in the order of groups.
#[derive(Clone, Copy)]
pub(super) struct Said {
    pub dependent: u32,
    /// The number of its name.
    pub name: u32,
    /// The number of its declaration.
    pub declaration: u32,
    /// How many relationships it has.
    pub arcs: u32,
}

/// Declarations, each kept once. Number 0 is that nothing is said.
#[derive(Default)]
pub(super) struct Declarations {
    list: Vec<Declaration>,
    numbers: FxHashMap<(u8, u64, bool, u16), u32>,
}

impl Declarations {
    pub fn intern(&mut self, declaration: Option<Declaration>) -> u32 {
        let Some(declaration) = declaration else { return 0 };
        let (kind, amount) = match declaration.require {
            Require::All => (0, 0),
            Require::Any => (1, 0),
            Require::AtLeast(number) => (2, u64::from(number)),
            Require::Percent(share) => (3, share.to_bits()),
            Require::Capacity(capacity) => (4, capacity.to_bits()),
        };
        let key = (kind, amount, declaration.inferred, declaration.confidence.number());
        *self.numbers.entry(key).or_insert_with(|| {
            self.list.push(declaration);
            dense(self.list.len())
        })
    }

    pub fn get(&self, number: u32) -> Option<Declaration> {
        Some(self.list[number.checked_sub(1)? as usize])
    }

    /// Without the one that says nothing.
    pub fn list(&self) -> &[Declaration] {
        &self.list
    }
}

/// A group whose sum is kept.
struct Large {
    gate: u32,
    arcs: u32,
    sum: Sum,
}

pub(super) struct Gates {
    /// What a walk needs of each.
    pub slacks: Vec<Slack>,
    /// Where the run of each begins among the arcs of dependencies.
    firsts: Vec<u32>,
    names: Vec<u32>,
    declared: Numbers,
    large: Vec<Large>,
    /// By dependent.
    offsets: Vec<u32>,
    /// All numbers of groups, in order: the groups of an item are a part of them.
    numbers: Vec<u32>,
    group_names: Arc<Names>,
    declarations: Declarations,
}

impl Gates {
    /// Of groups whose relationships stand in `rows`.
    pub fn new(
        said: &[Said],
        rows: &Dependencies,
        group_names: Arc<Names>,
        declarations: Declarations,
    ) -> Gates {
        let mut offsets = vec![0u32; rows.owners() + 1];
        for group in said {
            offsets[group.dependent as usize + 1] += 1;
        }
        add_up(&mut offsets);
        let declared = said.iter().map(|group| group.declaration).collect();
        let mut gates = Gates {
            slacks: Vec::with_capacity(said.len()),
            firsts: Vec::with_capacity(said.len()),
            names: said.iter().map(|group| group.name).collect(),
            declared: Numbers::of(declared, declarations.list.len() + 1),
            large: Vec::new(),
            offsets,
            numbers: (0..dense(said.len())).collect(),
            group_names,
            declarations,
        };
        let (mut last, mut first) = (None, 0);
        for (number, group) in (0..).zip(said) {
            if last.replace(group.dependent) != Some(group.dependent) {
                first = rows.first_member(group.dependent);
            }
            gates.add(number, *group, rows, first);
            first += group.arcs as usize;
        }
        gates
    }

    fn add(&mut self, number: u32, group: Said, rows: &Dependencies, first: usize) {
        let name = &self.group_names.list()[group.name as usize];
        let declaration = self.declarations.get(group.declaration);
        let edges = GateEdges::Base(rows, first, group.arcs as usize);
        let gate = Gate::of_base(Index(group.dependent), name, declaration, edges, None);
        let slack = Slack::of(gate);
        if slack.members().is_none() || group.arcs > COUNTED_ARCS_MAX {
            self.large.push(Large { gate: number, arcs: group.arcs, sum: gate.sum() });
        }
        self.slacks.push(slack);
        self.firsts.push(dense(first));
    }

    pub fn get<'g>(&'g self, number: u32, rows: &'g Dependencies) -> Gate<'g> {
        let place = number as usize;
        let (slack, first) = (self.slacks[place], self.firsts[place] as usize);
        let name = &self.group_names.list()[self.names[place] as usize];
        let declaration = self.declarations.get(self.declared.get(place));
        let edges = GateEdges::Base(rows, first, self.arcs(number));
        let sum = self.large(number).map(|large| large.sum);
        Gate::of_base(slack.dependent(), name, declaration, edges, sum)
    }

    pub fn len(&self) -> usize {
        self.slacks.len()
    }

    /// How many relationships of the dependent's row are in a group.
    pub fn arcs(&self, number: u32) -> usize {
        let few = self.slacks[number as usize].arcs();
        few.unwrap_or_else(|| self.large(number).expect("it has many").arcs as usize)
    }

    fn large(&self, number: u32) -> Option<&Large> {
        let place = self.large.binary_search_by_key(&number, |large| large.gate).ok()?;
        Some(&self.large[place])
    }

    /// The first group of a dependent, or of those after it.
    pub fn first_of(&self, dependent: u32) -> u32 {
        self.offsets[dependent as usize]
    }

    pub fn of(&self, dependent: u32) -> &[u32] {
        let place = dependent as usize;
        if place + 1 >= self.offsets.len() {
            return &[];
        }
        &self.numbers[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }

    /// What [`Gates::new`] makes one of.
    pub fn said(&self, number: u32) -> Said {
        let place = number as usize;
        Said {
            dependent: self.slacks[place].dependent().0,
            name: self.names[place],
            declaration: self.declared.get(place),
            arcs: dense(self.arcs(number)),
        }
    }

    pub fn group_names(&self) -> &Arc<Names> {
        &self.group_names
    }

    pub fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    /// Memory of what a walk needs.
    pub fn bytes_walked(&self) -> usize {
        size_of_val(self.slacks.as_slice()) + size_of_val(self.offsets.as_slice())
    }

    /// Memory of the rest, names aside: they are shared.
    pub fn bytes_rest(&self) -> usize {
        size_of_val(self.firsts.as_slice())
            + size_of_val(self.names.as_slice())
            + self.declared.bytes()
            + size_of_val(self.large.as_slice())
            + size_of_val(self.numbers.as_slice())
    }
}
