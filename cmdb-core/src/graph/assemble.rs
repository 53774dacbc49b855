//! Everything of a graph in plain lists, and the base that is made of them: bulk building and folding.
//!
//! Knows nothing of rows until it writes them. Invariant: of several deltas about one thing the last counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::base::{ABSENT, Base, Rows};
use super::gate::{Declaration, Gate, GateEdge, Units};
use super::label::{Labels, Names};
use super::paged::Paged;
use super::row::{Entry, Link};
use super::{Carries, Delta, EdgeState, Graph, Index, Node, Overlay, Snapshot, TypeIndex, Waiting, dense};
use crate::model::{ItemId, Revision, Status};

/// What tells one relationship from another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct EdgeKey {
    pub dependent: u32,
    pub provider: u32,
    pub kind: TypeIndex,
    pub from_is_dependent: bool,
}

/// A relationship, or the word that it is gone.
struct Stated {
    key: EdgeKey,
    state: Option<Held>,
}

#[derive(Clone, Copy)]
struct Held {
    label: u32,
    group: Option<u32>,
    weight: Units,
}

pub(super) struct Parts {
    labels: Arc<Labels>,
    classes: Arc<Names>,
    nodes: Vec<Node>,
    index_of: Vec<u32>,
    edges: Vec<Stated>,
    group_names: Arc<Names>,
    /// Declared ones by item, each with the number of its name.
    groups: BTreeMap<u32, Vec<(u32, Declaration)>>,
}

impl Parts {
    pub fn new(labels: Arc<Labels>, classes: Arc<Names>) -> Parts {
        Parts {
            labels,
            classes,
            nodes: Vec::new(),
            index_of: Vec::new(),
            edges: Vec::new(),
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

    fn take_relationships(&mut self, graph: &Graph, dependent: Index) {
        let (links, labels) = graph.dependency_row(dependent);
        for (link, label) in links.iter().zip(labels) {
            let provider = link.other().0;
            let gate = link.gate().map(|gate| graph.gate(gate));
            let weight = gate.map_or(Units::of(1.0), |gate| weight_of(gate, provider, *label));
            let group = gate.map(|gate| Names::intern(&mut self.group_names, gate.name_arc()));
            self.add_edge(dependent.0, provider, Held { label: *label, group, weight });
        }
        for waiting in graph.waiting(dependent).iter().filter(|waiting| waiting.dependent == dependent.0) {
            let group = waiting.group.as_ref().map(|name| Names::intern(&mut self.group_names, name));
            let held = Held { label: waiting.label, group, weight: waiting.weight };
            self.add_edge(dependent.0, waiting.provider, held);
        }
    }

    fn add_edge(&mut self, dependent: u32, provider: u32, held: Held) {
        let label = self.labels.get(held.label);
        let from_is_dependent = label.from_is_dependent;
        let key = EdgeKey { dependent, provider, kind: label.kind, from_is_dependent };
        self.edges.push(Stated { key, state: Some(held) });
    }

    fn add_node(&mut self, node: Node) -> u32 {
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
        for delta in deltas {
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
                    let declared = groups.iter().map(|group| {
                        (Names::intern(&mut self.group_names, &group.name), Declaration::of(group))
                    });
                    let declared = declared.collect();
                    self.groups.insert(dependent, declared);
                }
            }
        }
    }

    fn held(&mut self, kind: TypeIndex, from_is_dependent: bool, state: &EdgeState) -> Held {
        let label = Labels::intern(&mut self.labels, kind, from_is_dependent, state);
        let group = grouped(state).map(|name| Names::intern(&mut self.group_names, name));
        Held { label, group, weight: share(state) }
    }

    pub fn assemble(mut self, revision: Revision) -> Graph {
        // Stable, so that the last word on each relationship is the last of its run.
        self.edges.sort_by_key(|edge| edge.key);
        let runs = self.edges.chunk_by(|one, other| one.key == other.key);
        let last = runs.filter_map(|run| run.last()).filter_map(|edge| Some((edge.key, edge.state?)));
        let alive = |index: u32| self.nodes[index as usize].status != Status::Retired;
        let (live, waiting): (Vec<_>, Vec<_>) =
            last.partition(|(key, _)| alive(key.dependent) && alive(key.provider));

        let ranks = ranks(&self.group_names);
        let gates = self.gates(&live, &ranks);
        let (dependents, dependencies) = self.rows(&live, &gates, &ranks);
        let overlay = Overlay { waiting: self.waiting(&waiting), ..Overlay::default() };
        let items = self.nodes.iter().filter(|node| node.status != Status::Retired).count();
        let indexes = dense(self.nodes.len());
        let gate_count = dense(gates.list.len());
        let base = Arc::new(Base::new(self.nodes, dependents, dependencies, gates.list));
        let (labels, classes) = (self.labels, self.classes);
        Graph(Arc::new(Snapshot {
            revision,
            base,
            overlay,
            labels,
            classes,
            indexes,
            gates: gate_count,
            items,
            relationships: live.len(),
        }))
    }

    /// Every group that is declared or that a live relationship names, by dependent and name.
    fn gates(&self, live: &[(EdgeKey, Held)], ranks: &[u32]) -> Gates {
        let declared = self.groups.iter().flat_map(|(dependent, groups)| {
            groups.iter().map(|(group, declaration)| Said {
                gate: (*dependent, ranks[*group as usize]),
                group: *group,
                content: Content::Declared(*declaration),
            })
        });
        let members = live.iter().filter_map(|(key, held)| {
            let group = held.group?;
            let edge = GateEdge { provider: key.provider, label: held.label, weight: held.weight };
            let gate = (key.dependent, ranks[group as usize]);
            Some(Said { gate, group, content: Content::Member(edge) })
        });
        let mut said: Vec<Said> = declared.chain(members).collect();
        // Stable, so that of several declarations the last one counts.
        said.sort_by_key(|said| said.gate);
        let runs = said.chunk_by(|one, other| one.gate == other.gate);
        let (keys, list) = runs.map(|run| (run[0].gate, self.gate(run))).unzip();
        Gates { keys, list }
    }

    fn gate(&self, run: &[Said]) -> Arc<Gate> {
        let mut declaration = None;
        let mut edges = Vec::with_capacity(run.len());
        for said in run {
            match said.content {
                Content::Declared(last) => declaration = Some(last),
                Content::Member(edge) => edges.push(edge),
            }
        }
        let name = &self.group_names.list()[run[0].group as usize];
        Arc::new(Gate::new(Index(run[0].gate.0), Arc::clone(name), declaration, edges))
    }

    fn rows(&self, live: &[(EdgeKey, Held)], gates: &Gates, ranks: &[u32]) -> (Rows, Rows) {
        let mut dependents = Vec::with_capacity(live.len());
        let mut dependencies = Vec::with_capacity(live.len());
        for (key, held) in live {
            let carries = self.labels.get(held.label).carries;
            let gate = held.group.map(|group| gates.number(key.dependent, ranks[group as usize]));
            let link = Link::new(key.dependent, carries, gate);
            dependents.push((key.provider, Entry { link, label: held.label }));
            dependencies.push((key.dependent, Entry { link: link.turned(key.provider), label: held.label }));
        }
        dependents.sort_unstable();
        dependencies.sort_unstable();
        (Rows::new(self.nodes.len(), &dependents), Rows::new(self.nodes.len(), &dependencies))
    }

    fn waiting(&self, edges: &[(EdgeKey, Held)]) -> Paged<Arc<[Waiting]>> {
        let mut by_end: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
        for (key, held) in edges {
            let waiting = Waiting {
                dependent: key.dependent,
                provider: key.provider,
                label: held.label,
                group: held.group.map(|group| Arc::clone(&self.group_names.list()[group as usize])),
                weight: held.weight,
            };
            for end in ends(key.dependent, key.provider) {
                by_end.entry(end).or_default().push(waiting.clone());
            }
        }
        let mut pages = Paged::default();
        for (end, waiting) in by_end {
            pages.set(end as usize, Arc::from(waiting));
        }
        pages
    }
}

/// The place of each name in the order of names: the groups of an item are kept by name.
fn ranks(names: &Names) -> Vec<u32> {
    let mut order: Vec<u32> = (0..dense(names.list().len())).collect();
    order.sort_unstable_by_key(|number| names.name(*number));
    let mut ranks = vec![0; order.len()];
    for (number, rank) in order.into_iter().zip(0..) {
        ranks[number as usize] = rank;
    }
    ranks
}

/// What is said about one group: that it is declared so, or that a relationship is a member of it.
struct Said {
    /// Its dependent, and the rank of its name.
    gate: (u32, u32),
    group: u32,
    content: Content,
}

enum Content {
    Declared(Declaration),
    Member(GateEdge),
}

/// All groups, in order of their keys.
struct Gates {
    keys: Vec<(u32, u32)>,
    list: Vec<Arc<Gate>>,
}

impl Gates {
    fn number(&self, dependent: u32, rank: u32) -> u32 {
        let place = self.keys.binary_search(&(dependent, rank));
        dense(place.expect("every group that a relationship names was gathered"))
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

/// The weight of one relationship in its group.
pub(super) fn weight_of(gate: &Gate, provider: u32, label: u32) -> Units {
    let place = gate.edges().binary_search_by_key(&(provider, label), |edge| (edge.provider, edge.label));
    place.map_or_else(|_| Units::default(), |place| gate.edges()[place].weight)
}
