//! Everything of a graph in plain lists: gathered from a snapshot, from deltas, or from one and then the other.
//!
//! Knows nothing of rows; writing them is the next room's. Invariant: of several words about one thing the last one
//! stands last.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::base::ABSENT;
use super::gate::{Declaration, Units};
use super::label::{Labels, Names};
use super::row::Entry;
use super::{Carries, Delta, EdgeState, Graph, Index, Node, TypeIndex, dense};
use crate::model::{ItemId, Status};

/// What tells one relationship from another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct EdgeKey {
    pub dependent: u32,
    pub provider: u32,
    pub kind: TypeIndex,
    pub from_is_dependent: bool,
}

/// A relationship, or the word that it is gone.
pub(super) struct Stated {
    pub key: EdgeKey,
    pub state: Option<Held>,
}

/// A relationship in numbers: there may be many millions of them.
#[derive(Clone, Copy)]
pub(super) struct Held {
    pub label: u32,
    /// The number of its group's name.
    pub group: Option<u32>,
    /// The number of its weight.
    pub weight: u32,
}

/// Weights, each kept once.
#[derive(Clone, Default)]
pub(super) struct Weights {
    list: Vec<Units>,
    numbers: FxHashMap<Units, u32>,
}

impl Weights {
    pub fn list(&self) -> &[Units] {
        &self.list
    }

    pub fn get(&self, number: u32) -> Units {
        self.list[number as usize]
    }

    pub fn intern(&mut self, weight: Units) -> u32 {
        *self.numbers.entry(weight).or_insert_with(|| {
            self.list.push(weight);
            dense(self.list.len() - 1)
        })
    }
}

pub(super) struct Parts {
    pub labels: Arc<Labels>,
    pub classes: Arc<Names>,
    pub nodes: Vec<Node>,
    pub(super) index_of: Vec<u32>,
    pub edges: Vec<Stated>,
    pub weights: Weights,
    pub group_names: Arc<Names>,
    /// Declared ones by item, each with the number of its name.
    pub groups: BTreeMap<u32, Vec<(u32, Declaration)>>,
}

impl Parts {
    pub fn new(labels: Arc<Labels>, classes: Arc<Names>) -> Parts {
        Parts {
            labels,
            classes,
            nodes: Vec::new(),
            index_of: Vec::new(),
            edges: Vec::new(),
            weights: Weights::default(),
            group_names: Arc::default(),
            groups: BTreeMap::new(),
        }
    }

    /// Everything that a snapshot holds. Items keep their indexes.
    pub fn of(graph: &Graph) -> Parts {
        let mut parts = Parts::new(Arc::clone(&graph.0.labels), Arc::clone(&graph.0.classes));
        for index in graph.indexes() {
            parts.add_node(graph.node(index));
            parts.take_relationships(graph, index);
            let mut declared = Vec::new();
            for (_, gate) in graph.gates(index) {
                let Some(declaration) = gate.declaration() else { continue };
                declared.push((Names::intern(&mut parts.group_names, gate.name_arc()), declaration));
            }
            if !declared.is_empty() {
                parts.groups.insert(index.0, declared);
            }
        }
        parts
    }

    pub fn take_relationships(&mut self, graph: &Graph, dependent: Index) {
        // Neighbours in a row are often of one group: its name is looked up once.
        let mut last = None;
        for Entry { link, label } in graph.dependency_row(dependent).entries() {
            let provider = link.other().0;
            let gate = link.gate().map(|number| (number, graph.gate(number)));
            let weight = gate.map_or(Units::of(1.0), |(_, gate)| gate.weight_of(provider, label));
            let group = gate.map(|(number, gate)| match last {
                Some((known, group)) if known == number => group,
                _ => Names::intern(&mut self.group_names, gate.name_arc()),
            });
            last = gate.map(|(number, _)| number).zip(group);
            let weight = self.weights.intern(weight);
            self.add_edge(dependent.0, provider, Held { label, group, weight });
        }
        for waiting in graph.waiting(dependent).iter().filter(|waiting| waiting.dependent == dependent.0) {
            let group = waiting.group.as_ref().map(|name| Names::intern(&mut self.group_names, name));
            let weight = self.weights.intern(waiting.weight);
            self.add_edge(dependent.0, waiting.provider, Held { label: waiting.label, group, weight });
        }
    }

    pub fn add_edge(&mut self, dependent: u32, provider: u32, held: Held) {
        let label = self.labels.get(held.label);
        let from_is_dependent = label.from_is_dependent;
        let key = EdgeKey { dependent, provider, kind: label.kind, from_is_dependent };
        self.edges.push(Stated { key, state: Some(held) });
    }

    pub fn add_node(&mut self, node: Node) -> u32 {
        let index = dense(self.nodes.len());
        let place = usize::try_from(node.id.0).expect("ids are given in order");
        if place >= self.index_of.len() {
            self.index_of.resize(place + 1, ABSENT);
        }
        self.index_of[place] = index;
        self.nodes.push(node);
        index
    }

    /// The place of an item, which is made for one that was never named: retired until somebody says otherwise.
    fn place(&mut self, id: ItemId) -> u32 {
        let known = usize::try_from(id.0).ok().and_then(|place| self.index_of.get(place)).copied();
        match known {
            Some(index) if index != ABSENT => index,
            _ => {
                let class = Names::intern(&mut self.classes, &Arc::from(""));
                self.add_node(Node { id, class, status: Status::Retired })
            }
        }
    }

    pub fn absorb(&mut self, deltas: impl Iterator<Item = Delta>) {
        deltas.for_each(|delta| self.take(delta));
    }

    pub fn take(&mut self, delta: Delta) {
        match delta {
            Delta::Item { id, class, status } => {
                let class = Names::intern(&mut self.classes, &class);
                let index = self.place(id);
                self.nodes[index as usize] = Node { id, class, status };
            }
            Delta::Edge { dependent, provider, kind, from_is_dependent, after } => {
                let (dependent, provider) = (self.place(dependent), self.place(provider));
                let kind = Labels::intern_kind(&mut self.labels, &kind);
                let key = EdgeKey { dependent, provider, kind, from_is_dependent };
                let state = after.filter(stands).map(|state| self.held(kind, from_is_dependent, &state));
                self.edges.push(Stated { key, state });
            }
            Delta::Groups { dependent, groups } => {
                let dependent = self.place(dependent);
                let declared = groups
                    .iter()
                    .map(|group| (Names::intern(&mut self.group_names, &group.name), Declaration::of(group)));
                let declared = declared.collect();
                self.groups.insert(dependent, declared);
            }
        }
    }

    fn held(&mut self, kind: TypeIndex, from_is_dependent: bool, state: &EdgeState) -> Held {
        let label = Labels::intern(&mut self.labels, kind, from_is_dependent, state);
        let group = grouped(state).map(|name| Names::intern(&mut self.group_names, name));
        Held { label, group, weight: self.weights.intern(share(state)) }
    }
}

/// Both ends of a relationship; one for a loop.
pub(super) fn ends(dependent: u32, provider: u32) -> impl Iterator<Item = u32> {
    std::iter::once(dependent).chain((dependent != provider).then_some(provider))
}

/// A retired relationship is as good as gone.
pub(super) fn stands(state: &EdgeState) -> bool {
    state.status != Status::Retired
}

/// The group that a relationship is a member of.
pub(super) fn grouped(state: &EdgeState) -> Option<&Arc<str>> {
    state.group.as_ref().filter(|_| state.carries == Carries::Hard)
}

/// What a relationship counts for in its group; outside of any it counts for nothing that could differ.
pub(super) fn share(state: &EdgeState) -> Units {
    Units::of(grouped(state).map_or(1.0, |_| state.weight))
}
