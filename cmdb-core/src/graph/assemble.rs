//! The base, written from plain lists: bulk building and folding.
//!
//! Nothing here is more than linear but the one sort of the relationships, which is cheap where they come in order.
//! Invariant: gates are in order of dependent and name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::base::{Base, Dependencies, Dependents};
use super::gate::Declaration;
use super::gates::{Declarations, Gates, Said};
use super::label::Names;
use super::paged::Paged;
use super::parts::{EdgeKey, Held, Parts, ends};
use super::row::{Entry, Link};
use super::{Graph, Overlay, Snapshot, Waiting, dense, place};
use crate::model::{Revision, Status};

/// In [`Groups::of_edge`]: it is a member of none.
const NO_GATE: u32 = u32::MAX;

impl Parts {
    pub fn assemble(mut self, revision: Revision) -> Graph {
        self.order();
        // Stable, so that the last word on each relationship is the last of its run.
        self.edges.sort_by_key(|edge| edge.key);
        let runs = self.edges.chunk_by(|one, other| one.key == other.key);
        let last = runs.filter_map(|run| run.last()).filter_map(|edge| Some((edge.key, edge.state?)));
        let alive = |index: u32| self.nodes[index as usize].status != Status::Retired;
        let (live, waiting): (Vec<_>, Vec<_>) =
            last.partition(|(key, _)| alive(key.dependent) && alive(key.provider));

        let overlay = Overlay { waiting: self.waiting(&waiting), ..Overlay::default() };
        let groups = self.groups(&live);
        let (dependents, dependencies) = self.rows(&live, &groups.of_edge);
        let gates = Gates::new(&groups.said, &dependencies, self.group_names, groups.declarations);
        let items = self.nodes.iter().filter(|node| node.status != Status::Retired).count();
        let indexes = place(self.nodes.len());
        let gate_count = place(gates.len());
        let base = Arc::new(Base::new(self.nodes, dependents, dependencies, gates));
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

    /// Every group that is declared or that a live relationship names.
    fn groups(&self, live: &[(EdgeKey, Held)]) -> Groups {
        let ranks = ranks(&self.group_names);
        let of_edge = vec![NO_GATE; live.len()];
        let mut gates = Groups { said: Vec::new(), declarations: Declarations::default(), of_edge };
        let mut declared = self.groups.iter().peekable();
        let mut said = Vec::new();
        let mut place = 0;
        for run in live.chunk_by(|one, other| one.0.dependent == other.0.dependent) {
            let dependent = run[0].0.dependent;
            // Items that declare groups and depend on nothing yet.
            while let Some((owner, groups)) = declared.next_if(|(owner, _)| **owner < dependent) {
                declarations(groups, &ranks, &mut said);
                gates.close(*owner, &mut said);
            }
            if let Some((_, groups)) = declared.next_if(|(owner, _)| **owner == dependent) {
                declarations(groups, &ranks, &mut said);
            }
            for (_, held) in run {
                if let Some(group) = held.group {
                    said.push(Word { rank: ranks[group as usize], group, content: Content::Member(place) });
                }
                place += 1;
            }
            gates.close(dependent, &mut said);
        }
        for (owner, groups) in declared {
            declarations(groups, &ranks, &mut said);
            gates.close(*owner, &mut said);
        }
        gates
    }

    fn rows(&mut self, live: &[(EdgeKey, Held)], gates: &[u32]) -> (Dependents, Dependencies) {
        let link = |other: u32, held: &Held, gate: u32| {
            let carries = self.labels.get(held.label).carries;
            Link::new(other, carries, (gate != NO_GATE).then_some(gate))
        };
        let items = self.nodes.len();
        let arcs = live
            .iter()
            .zip(gates)
            .map(|((key, held), gate)| (key.provider, link(key.dependent, held, *gate).of_dependent()));
        let dependents = Dependents::scatter(items, arcs);
        let mut dependencies = Dependencies::with_capacity(items, live.len());
        let mut entries: Vec<(Entry, u32)> = Vec::new();
        let mut place = 0;
        for run in live.chunk_by(|one, other| one.0.dependent == other.0.dependent) {
            entries.clear();
            entries.extend(run.iter().zip(&gates[place..]).map(|((key, held), gate)| {
                (Entry { link: link(key.provider, held, *gate), label: held.label }, held.weight)
            }));
            if !entries.is_sorted() {
                entries.sort_unstable();
            }
            dependencies.row(run[0].0.dependent, &entries);
            place += run.len();
        }
        let weights = std::mem::take(&mut self.weights);
        (dependents, dependencies.finish(items, self.labels.len(), weights))
    }

    fn waiting(&self, edges: &[(EdgeKey, Held)]) -> Paged<Arc<[Waiting]>> {
        let mut by_end: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
        for (key, held) in edges {
            let waiting = Waiting {
                dependent: key.dependent,
                provider: key.provider,
                label: held.label,
                group: held.group.map(|group| Arc::clone(&self.group_names.list()[group as usize])),
                weight: self.weights.get(held.weight),
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

/// What is said about one group of the item at hand: that it is declared so, or that the relationship at a place of the
/// list is a member of it.
struct Word {
    rank: u32,
    group: u32,
    content: Content,
}

enum Content {
    Declared(Declaration),
    Member(usize),
}

fn declarations(groups: &[(u32, Declaration)], ranks: &[u32], said: &mut Vec<Word>) {
    said.extend(groups.iter().map(|(group, declaration)| Word {
        rank: ranks[*group as usize],
        group: *group,
        content: Content::Declared(*declaration),
    }));
}

struct Groups {
    said: Vec<Said>,
    declarations: Declarations,
    /// The group of each live relationship.
    of_edge: Vec<u32>,
}

impl Groups {
    /// Makes the groups of one item of all that is said about them.
    fn close(&mut self, dependent: u32, said: &mut Vec<Word>) {
        // Stable, so that of several declarations the last one counts.
        said.sort_by_key(|word| word.rank);
        for run in said.chunk_by(|one, other| one.rank == other.rank) {
            let (mut declaration, mut arcs) = (None, 0);
            for word in run {
                match word.content {
                    Content::Declared(last) => declaration = Some(last),
                    Content::Member(place) => {
                        self.of_edge[place] = dense(self.said.len());
                        arcs += 1;
                    }
                }
            }
            let declaration = self.declarations.intern(declaration);
            self.said.push(Said { dependent, name: run[0].group, declaration, arcs });
        }
        said.clear();
    }
}
