//! One commit's deltas laid over a snapshot.
//!
//! First it is settled what each touched relationship was and will be; then each touched row, group and list is
//! merged once, however many of its relationships changed. Invariant: the new snapshot shares with the old one all
//! that the commit did not touch, and the old one is not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::base::ABSENT;
use super::gate::{Declaration, GateEdge, GateEdges, OverlayGate, Units};
use super::label::{Labels, Names};
use super::parts::{EdgeKey, ends, grouped, share, stands};
use super::row::{Entry, Link, Packed, Row, RowView};
use super::{Carries, Delta, Graph, GroupState, Index, Node, Snapshot, Waiting};
use crate::model::{ItemId, Revision, Status};

pub(super) fn apply(from: &Graph, revision: Revision, deltas: Vec<Delta>) -> Graph {
    let mut next = (*from.0).clone();
    next.revision = revision;
    let mut edit = Edit { from, next, wanted: BTreeMap::new(), groups: BTreeMap::new() };
    let mut before = BTreeMap::new();
    let mut rest = Vec::new();
    for delta in deltas {
        match delta {
            Delta::Item { id, class, status } => edit.item(id, &class, status, &mut before),
            other => rest.push(other),
        }
    }
    edit.reconsider(&before);
    for delta in rest {
        edit.state(delta);
    }
    edit.finish()
}

/// A relationship as it is or will be; gate names are settled later.
#[derive(Clone, PartialEq, Debug)]
struct Held {
    label: u32,
    group: Option<Arc<str>>,
    weight: Units,
}

struct Edit<'g> {
    from: &'g Graph,
    next: Snapshot,
    /// What each touched relationship will be.
    wanted: BTreeMap<EdgeKey, Option<Held>>,
    /// What is declared on each touched item.
    groups: BTreeMap<u32, Vec<GroupState>>,
}

impl Edit<'_> {
    /// Sets an item, and notes what it was before the commit.
    fn item(
        &mut self,
        id: ItemId,
        class: &Arc<str>,
        status: Status,
        before: &mut BTreeMap<u32, Option<Status>>,
    ) {
        let class = Names::intern(&mut self.next.classes, class);
        let known = self.known(id);
        let index = known.unwrap_or_else(|| self.add(id));
        let node = self.node(index);
        before.entry(index).or_insert(known.map(|_| node.status));
        let wanted = Node { id, class, status };
        if node != wanted {
            self.count(node.status, status);
            self.next.overlay.items.set(index as usize, wanted);
        }
    }

    fn count(&mut self, before: Status, after: Status) {
        self.next.items += usize::from(after != Status::Retired);
        self.next.items -= usize::from(before != Status::Retired);
    }

    fn known(&self, id: ItemId) -> Option<u32> {
        let place = usize::try_from(id.0).ok()?;
        let known = self.next.overlay.index_of.get(place).or_else(|| self.next.base.index_of.get(place));
        known.copied().filter(|index| *index != ABSENT)
    }

    /// A place for an item that was never named: retired until somebody says otherwise.
    fn add(&mut self, id: ItemId) -> u32 {
        let index = self.next.indexes;
        self.next.indexes += 1;
        let class = Names::intern(&mut self.next.classes, &Arc::from(""));
        self.next.overlay.items.set(index as usize, Node { id, class, status: Status::Retired });
        self.next.overlay.index_of.set(usize::try_from(id.0).expect("ids are given in order"), index);
        index
    }

    fn place(&mut self, id: ItemId) -> u32 {
        self.known(id).unwrap_or_else(|| self.add(id))
    }

    fn node(&self, index: u32) -> Node {
        match self.next.overlay.items.get(index as usize) {
            Some(node) => *node,
            None => self.next.base.nodes[index as usize],
        }
    }

    fn alive(&self, key: &EdgeKey) -> bool {
        let alive = |index| self.node(index).status != Status::Retired;
        alive(key.dependent) && alive(key.provider)
    }

    /// All relationships of items that retired or returned are settled anew.
    fn reconsider(&mut self, before: &BTreeMap<u32, Option<Status>>) {
        for (index, status) in before {
            // An item that is new to this commit has no relationships in the snapshot before.
            let Some(status) = status else { continue };
            if (*status == Status::Retired) == (self.node(*index).status == Status::Retired) {
                continue;
            }
            for (key, held) in relationships(self.from, Index(*index)) {
                self.wanted.insert(key, Some(held));
            }
        }
    }

    fn state(&mut self, delta: Delta) {
        match delta {
            Delta::Item { .. } => unreachable!("items were taken before"),
            Delta::Edge { dependent, provider, kind, from_is_dependent, after } => {
                let (dependent, provider) = (self.place(dependent), self.place(provider));
                let kind = Labels::intern_kind(&mut self.next.labels, &kind);
                let held = after.filter(stands).map(|state| Held {
                    label: Labels::intern(&mut self.next.labels, kind, from_is_dependent, &state),
                    group: grouped(&state).cloned(),
                    weight: share(&state),
                });
                self.wanted.insert(EdgeKey { dependent, provider, kind, from_is_dependent }, held);
            }
            Delta::Groups { dependent, groups } => {
                let dependent = self.place(dependent);
                self.groups.insert(dependent, groups);
            }
        }
    }

    fn finish(mut self) -> Graph {
        let mut changes = Changes::default();
        let wanted = std::mem::take(&mut self.wanted);
        for (key, held) in wanted {
            let before = find(self.from, &key);
            let after = held.map(|held| (held, self.alive(&key)));
            if before != after {
                self.change(&key, before, after, &mut changes);
            }
        }
        let groups = std::mem::take(&mut self.groups);
        for (dependent, groups) in groups {
            self.declare(dependent, &groups, &mut changes);
        }
        changes.merge(self.from, &mut self.next);
        Graph(Arc::new(self.next))
    }

    fn change(
        &mut self,
        key: &EdgeKey,
        before: Option<(Held, bool)>,
        after: Option<(Held, bool)>,
        changes: &mut Changes,
    ) {
        if let Some((held, live)) = before {
            if live {
                let gate = held
                    .group
                    .as_ref()
                    .map(|name| changes.gate_of(self.from, &mut self.next, key.dependent, name));
                changes.unlink(key, &held, gate, self.carries(&held));
                self.next.relationships -= 1;
            } else {
                changes.unwait(key, &held);
            }
        }
        if let Some((held, live)) = after {
            if live {
                let gate = held
                    .group
                    .as_ref()
                    .map(|name| changes.gate_of(self.from, &mut self.next, key.dependent, name));
                changes.link(key, &held, gate, self.carries(&held));
                self.next.relationships += 1;
            } else {
                changes.wait(key, held);
            }
        }
    }

    fn carries(&self, held: &Held) -> Carries {
        self.next.labels.get(held.label).carries
    }

    fn declare(&mut self, dependent: u32, groups: &[GroupState], changes: &mut Changes) {
        for number in gate_list(self.from, dependent) {
            if self.from.gate(super::GateIndex(*number)).declared() {
                changes.gates.entry(*number).or_default().declaration = Some(None);
            }
        }
        for group in groups {
            let number = changes.gate_of(self.from, &mut self.next, dependent, &group.name);
            let draft = changes.gates.entry(number).or_default();
            draft.declaration = Some(Some(Declaration::of(group)));
        }
    }
}

/// Every relationship of an item in a snapshot, waiting ones included.
fn relationships(graph: &Graph, index: Index) -> Vec<(EdgeKey, Held)> {
    let mut found = Vec::new();
    for Entry { link, label } in graph.dependency_row(index).entries() {
        found.push(live(graph, index.0, link.other().0, link, label));
    }
    for Entry { link, label } in graph.dependents(index).entries() {
        found.push(live(graph, link.other().0, index.0, link, label));
    }
    found.extend(graph.waiting(index).iter().map(|waiting| waited(graph, waiting)));
    found
}

fn live(graph: &Graph, dependent: u32, provider: u32, link: Link, number: u32) -> (EdgeKey, Held) {
    let label = graph.0.labels.get(number);
    let gate = link.gate().map(|gate| graph.gate(gate));
    let held = Held {
        label: number,
        group: gate.map(|gate| Arc::clone(gate.name_arc())),
        weight: gate.map_or(Units::of(1.0), |gate| gate.weight_of(provider, number)),
    };
    let from_is_dependent = label.from_is_dependent;
    (EdgeKey { dependent, provider, kind: label.kind, from_is_dependent }, held)
}

fn waited(graph: &Graph, waiting: &Waiting) -> (EdgeKey, Held) {
    let label = graph.0.labels.get(waiting.label);
    let (dependent, provider) = (waiting.dependent, waiting.provider);
    let key = EdgeKey { dependent, provider, kind: label.kind, from_is_dependent: label.from_is_dependent };
    (key, Held { label: waiting.label, group: waiting.group.clone(), weight: waiting.weight })
}

/// A relationship as it stands in a snapshot, and whether it counts there.
fn find(graph: &Graph, key: &EdgeKey) -> Option<(Held, bool)> {
    if key.dependent >= graph.0.indexes {
        return None;
    }
    let run = between(graph, key.dependent, key.provider);
    let mut run = run.map(|entry| live(graph, key.dependent, key.provider, entry.link, entry.label));
    if let Some((_, held)) = run.find(|(found, _)| found == key) {
        return Some((held, true));
    }
    let waiting = graph.waiting(Index(key.dependent));
    let ends = (key.dependent, key.provider);
    let start = waiting.partition_point(|waiting| (waiting.dependent, waiting.provider) < ends);
    let run = waiting[start..].iter().take_while(|waiting| (waiting.dependent, waiting.provider) == ends);
    let mut run = run.map(|waiting| waited(graph, waiting));
    run.find(|(found, _)| found == key).map(|(_, held)| (held, false))
}

/// The relationships of one dependent with one provider, in groups and outside of any.
fn between(graph: &Graph, dependent: u32, provider: u32) -> impl Iterator<Item = Entry> {
    let row = graph.dependency_row(Index(dependent));
    let ungrouped = [Carries::Hard, Carries::Weak].into_iter().flat_map(move |carries| {
        let link = Link::new(provider, carries, None);
        row.ungrouped(provider, carries).map(move |place| Entry { link, label: row.label(place) })
    });
    let grouped = gate_list(graph, dependent).iter().flat_map(move |number| {
        let link = Link::new(provider, Carries::Hard, Some(*number));
        let edges = graph.gate(super::GateIndex(*number)).edges_of(Index(provider));
        edges.map(move |edge| Entry { link, label: edge.label })
    });
    ungrouped.chain(grouped)
}

fn gate_list(graph: &Graph, dependent: u32) -> &[u32] {
    if dependent < graph.0.indexes { graph.gate_list(Index(dependent)) } else { &[] }
}

/// What is to be taken out of a sorted list and put into it.
struct Patch<T> {
    out: Vec<T>,
    put: Vec<T>,
}

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Patch { out: Vec::new(), put: Vec::new() }
    }
}

impl<T: Clone> Patch<T> {
    fn over<K: Ord>(mut self, held: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
        self.out.sort_by_key(&key);
        let stays = |entry: &T| self.out.binary_search_by_key(&key(entry), &key).is_err();
        let mut list: Vec<T> = held.filter(stays).collect();
        list.append(&mut self.put);
        list.sort_by_key(&key);
        list
    }
}

impl<T: Copy + Ord> Patch<T> {
    /// The same where entries repeat: each one taken out goes once.
    fn over_repeated(mut self, held: &[T]) -> Vec<T> {
        self.out.sort_unstable();
        let mut out = self.out.into_iter().peekable();
        let mut list = Vec::with_capacity(held.len() + self.put.len());
        for entry in held {
            if out.next_if_eq(entry).is_none() {
                list.push(*entry);
            }
        }
        debug_assert!(out.next().is_none(), "what is taken out was there");
        list.append(&mut self.put);
        list.sort();
        list
    }
}

#[derive(Default)]
struct GateDraft {
    edges: Patch<GateEdge>,
    /// The outer option: whether anything is said.
    declaration: Option<Option<Declaration>>,
}

#[derive(Default)]
struct Changes {
    dependents: BTreeMap<u32, Patch<Packed>>,
    dependencies: BTreeMap<u32, Patch<Entry>>,
    waiting: BTreeMap<u32, Patch<Waiting>>,
    gates: BTreeMap<u32, GateDraft>,
    /// Groups that are new to the graph.
    new_gates: BTreeMap<(u32, Arc<str>), u32>,
}

impl Changes {
    /// The number of a group, given to one that is new.
    fn gate_of(&mut self, from: &Graph, next: &mut Snapshot, dependent: u32, name: &Arc<str>) -> u32 {
        let list = gate_list(from, dependent);
        let place = list.binary_search_by(|number| from.gate(super::GateIndex(*number)).name().cmp(name));
        if let Ok(place) = place {
            return list[place];
        }
        *self.new_gates.entry((dependent, Arc::clone(name))).or_insert_with(|| {
            next.gates += 1;
            next.gates - 1
        })
    }

    fn unlink(&mut self, key: &EdgeKey, held: &Held, gate: Option<u32>, carries: Carries) {
        let link = |other: u32| Link::new(other, carries, gate);
        let entry = Entry { link: link(key.provider), label: held.label };
        self.dependents.entry(key.provider).or_default().out.push(link(key.dependent).of_dependent());
        self.dependencies.entry(key.dependent).or_default().out.push(entry);
        if let Some(gate) = gate {
            self.gates.entry(gate).or_default().edges.out.push(gate_edge(key, held));
        }
    }

    fn link(&mut self, key: &EdgeKey, held: &Held, gate: Option<u32>, carries: Carries) {
        let link = |other: u32| Link::new(other, carries, gate);
        let entry = Entry { link: link(key.provider), label: held.label };
        self.dependents.entry(key.provider).or_default().put.push(link(key.dependent).of_dependent());
        self.dependencies.entry(key.dependent).or_default().put.push(entry);
        if let Some(gate) = gate {
            self.gates.entry(gate).or_default().edges.put.push(gate_edge(key, held));
        }
    }

    fn unwait(&mut self, key: &EdgeKey, held: &Held) {
        let waiting = waiting(key, held.clone());
        for end in ends(key.dependent, key.provider) {
            self.waiting.entry(end).or_default().out.push(waiting.clone());
        }
    }

    fn wait(&mut self, key: &EdgeKey, held: Held) {
        let waiting = waiting(key, held);
        for end in ends(key.dependent, key.provider) {
            self.waiting.entry(end).or_default().put.push(waiting.clone());
        }
    }

    fn merge(self, from: &Graph, next: &mut Snapshot) {
        for (owner, patch) in self.dependents {
            let held = if owner < from.0.indexes { from.dependent_row(Index(owner)) } else { &[] };
            next.overlay.dependents.set(owner as usize, patch.over_repeated(held).into());
        }
        for (owner, patch) in self.dependencies {
            let known = owner < from.0.indexes;
            let held = if known { from.dependency_row(Index(owner)) } else { RowView::EMPTY };
            let row = Row::new(&patch.over(held.entries(), |entry| *entry));
            next.overlay.dependencies.set(owner as usize, Arc::new(row));
        }
        for (end, patch) in self.waiting {
            let held = next.overlay.waiting.get(end as usize).cloned().unwrap_or_default();
            let order = |waiting: &Waiting| (waiting.dependent, waiting.provider, waiting.label);
            let list = patch.over(held.iter().cloned(), order);
            match list.is_empty() {
                true => next.overlay.waiting.clear(end as usize),
                false => next.overlay.waiting.set(end as usize, Arc::from(list)),
            }
        }
        merge_gates(from, next, self.gates, self.new_gates);
    }
}

/// Writes the touched groups, and the lists of groups of the items that won or lost one.
fn merge_gates(
    from: &Graph,
    next: &mut Snapshot,
    drafts: BTreeMap<u32, GateDraft>,
    new_gates: BTreeMap<(u32, Arc<str>), u32>,
) {
    let new: BTreeMap<u32, (u32, Arc<str>)> =
        new_gates.into_iter().map(|(owner, number)| (number, owner)).collect();
    let mut relisted: BTreeSet<u32> = BTreeSet::new();
    let mut added: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let mut dropped: BTreeSet<u32> = BTreeSet::new();
    for (number, draft) in drafts {
        let (dependent, name, declaration, edges) = match new.get(&number) {
            Some((dependent, name)) => (*dependent, Arc::clone(name), None, GateEdges::Overlay(&[])),
            None => {
                let gate = from.gate(super::GateIndex(number));
                (gate.dependent().0, Arc::clone(gate.name_arc()), gate.declaration(), gate.edges())
            }
        };
        let declaration = draft.declaration.unwrap_or(declaration);
        let edges = draft.edges.over(edges.iter(), |edge| *edge);
        let needed = declaration.is_some() || !edges.is_empty();
        if new.contains_key(&number) && needed {
            added.entry(dependent).or_default().push(number);
            relisted.insert(dependent);
        }
        if !needed {
            dropped.insert(number);
            relisted.insert(dependent);
        }
        let gate = OverlayGate::new(Index(dependent), name, declaration, edges);
        next.overlay.gates.set(number as usize, Arc::new(gate));
    }
    for dependent in relisted {
        let held = gate_list(from, dependent).iter().copied().filter(|number| !dropped.contains(number));
        let mut list: Vec<u32> = held.chain(added.remove(&dependent).unwrap_or_default()).collect();
        list.sort_by(|one, other| gate_name(next, *one).cmp(gate_name(next, *other)));
        next.overlay.gates_of.set(dependent as usize, Arc::from(list));
    }
}

fn gate_name(next: &Snapshot, number: u32) -> &str {
    match next.overlay.gates.get(number as usize) {
        Some(gate) => gate.gate().name(),
        None => next.base.gate(number).name(),
    }
}

fn gate_edge(key: &EdgeKey, held: &Held) -> GateEdge {
    GateEdge::new(key.provider, held.label, held.weight)
}

fn waiting(key: &EdgeKey, held: Held) -> Waiting {
    let (dependent, provider) = (key.dependent, key.provider);
    Waiting { dependent, provider, label: held.label, group: held.group, weight: held.weight }
}
