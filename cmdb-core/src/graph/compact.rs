//! The overlay folded into a new base: one pass over the rows, which are copied where nothing changed.
//!
//! Groups are numbered anew, in order of dependent and name; of names, weights and declarations only those stay that
//! something speaks of. Linear in the graph. Invariant: every answer is what it was, and what waits goes on waiting.

use std::sync::Arc;

use super::base::{Base, Dependencies, Dependents};
use super::gate::Units;
use super::gates::{Declarations, Gates, Said};
use super::label::Names;
use super::parts::Weights;
use super::row::{Entry, Link, Packed, Row};
use super::{GateIndex, Graph, Overlay, Snapshot, dense, place};

/// In tables from old numbers to new ones: nothing spoke of it yet.
const UNMET: u32 = u32::MAX;

/// The same snapshot on a base of its own.
pub(super) fn folded(graph: &Graph) -> Graph {
    let old = &graph.0;
    if old.overlay.entries() == 0 {
        return graph.clone();
    }
    let Groups { numbers, said, names, declarations } = Groups::of(graph);
    let dependencies = dependencies(graph, &numbers);
    let dependents = dependents(graph, &numbers);
    let gates = Gates::new(&said, &dependencies, Arc::new(names), declarations);
    let nodes = graph.indexes().map(|index| graph.node(index)).collect();
    let gate_count = place(gates.len());
    let overlay = Overlay { waiting: old.overlay.waiting.clone(), ..Overlay::default() };
    Graph(Arc::new(Snapshot {
        revision: old.revision,
        base: Arc::new(Base::new(nodes, dependents, dependencies, gates)),
        overlay,
        labels: Arc::clone(&old.labels),
        classes: Arc::clone(&old.classes),
        indexes: old.indexes,
        gates: gate_count,
        items: old.items,
        relationships: old.relationships,
    }))
}

/// All groups in their new order.
struct Groups {
    /// The new number of each group that is still there.
    numbers: Vec<u32>,
    said: Vec<Said>,
    names: Names,
    declarations: Declarations,
}

impl Groups {
    fn of(graph: &Graph) -> Groups {
        let base = &graph.0.base.gates;
        let mut groups = Groups {
            numbers: vec![UNMET; graph.gate_bound()],
            said: Vec::with_capacity(graph.gate_bound()),
            names: Names::default(),
            declarations: Declarations::default(),
        };
        let mut names = vec![UNMET; base.group_names().list().len()];
        let mut declared = vec![UNMET; base.declarations().list().len() + 1];
        for dependent in graph.indexes() {
            for number in graph.gate_list(dependent) {
                groups.numbers[*number as usize] = dense(groups.said.len());
                let said = match graph.0.overlay.gates.get(*number as usize) {
                    Some(gate) => {
                        let gate = gate.gate();
                        Said {
                            dependent: dependent.0,
                            name: groups.names.number_of(gate.name_arc()),
                            declaration: groups.declarations.intern(gate.declaration()),
                            arcs: dense(gate.edges().len()),
                        }
                    }
                    None => {
                        let said = base.said(*number);
                        let name = || groups.names.number_of(&base.group_names().list()[said.name as usize]);
                        let declaration =
                            || groups.declarations.intern(base.declarations().get(said.declaration));
                        Said {
                            name: met(&mut names, said.name, name),
                            declaration: met(&mut declared, said.declaration, declaration),
                            ..said
                        }
                    }
                };
                groups.said.push(said);
            }
        }
        groups
    }
}

/// The new number of an old one, which is asked for once.
fn met(numbers: &mut [u32], old: u32, new: impl FnOnce() -> u32) -> u32 {
    let number = &mut numbers[old as usize];
    if *number == UNMET {
        *number = new();
    }
    *number
}

fn dependencies(graph: &Graph, gates: &[u32]) -> Dependencies {
    let base = &graph.0.base.dependencies;
    let mut rows = Dependencies::with_capacity(graph.index_bound(), graph.relationship_count());
    let mut weights = Weights::default();
    let mut known = vec![UNMET; base.weighed().list().len()];
    for owner in graph.indexes() {
        if let Some(row) = graph.0.overlay.dependencies.get(owner.0 as usize) {
            for (entry, weight) in renumbered(graph, row, gates) {
                rows.add(entry.link.of_provider(), entry.label, weights.intern(weight));
            }
        } else if let Some(places) = base.places(owner.0) {
            for place in places {
                let old = base.weight(place);
                let weight = met(&mut known, old, || weights.intern(base.weighed().get(old)));
                rows.add(base.arcs()[place], base.label(place), weight);
            }
        }
        rows.close();
    }
    rows.finish(graph.index_bound(), graph.0.labels.len(), weights)
}

/// A row of the overlay under the new numbers of groups, in their order, with the weights.
fn renumbered(graph: &Graph, row: &Row, gates: &[u32]) -> Vec<(Entry, Units)> {
    let renumber = |Entry { link, label }: Entry| {
        let Some(gate) = link.gate() else { return (Entry { link, label }, Units::of(1.0)) };
        let weight = graph.gate(gate).weight_of(link.other().0, label);
        let link = Link::new(link.other().0, super::Carries::Hard, Some(gates[gate.0 as usize]));
        (Entry { link, label }, weight)
    };
    let mut entries: Vec<(Entry, Units)> = row.view().entries().map(renumber).collect();
    entries.sort_unstable_by_key(|(entry, _)| *entry);
    entries
}

fn dependents(graph: &Graph, gates: &[u32]) -> Dependents {
    let mut offsets = Vec::with_capacity(graph.index_bound() + 1);
    let mut arcs: Vec<Packed> = Vec::with_capacity(graph.relationship_count());
    offsets.push(0);
    for owner in graph.indexes() {
        let start = arcs.len();
        arcs.extend(graph.dependent_row(owner).iter().map(|arc| match arc.gate() {
            Some(GateIndex(gate)) => Packed::member(gates[gate as usize]),
            None => *arc,
        }));
        let row = &mut arcs[start..];
        if !row.is_sorted() {
            row.sort_unstable();
        }
        offsets.push(dense(arcs.len()));
    }
    Dependents::of_rows(offsets, arcs)
}
