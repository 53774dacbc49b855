//! A snapshot reached by any series of commits equals one built from nothing, and both equal plain maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use petgraph::visit::{EdgeCount, IntoEdgeReferences};

use super::*;

type Ends = (u64, u64, String, bool);

/// What the deltas said, in maps: slow and plain.
#[derive(Default, Clone)]
struct Plain {
    items: BTreeMap<u64, (String, Status)>,
    edges: BTreeMap<Ends, EdgeState>,
    groups: BTreeMap<u64, BTreeMap<String, GroupState>>,
}

impl Plain {
    fn take(&mut self, delta: &Delta) {
        match delta.clone() {
            Delta::Item { id, class, status } => {
                self.items.insert(id.0, (class.to_string(), status));
            }
            Delta::Edge { dependent, provider, kind, from_is_dependent, after } => {
                let ends = (dependent.0, provider.0, kind.to_string(), from_is_dependent);
                match after.filter(|state| state.status != Status::Retired) {
                    Some(state) => self.edges.insert(ends, state),
                    None => self.edges.remove(&ends),
                };
            }
            Delta::Groups { dependent, groups } => {
                let groups = groups.into_iter().map(|group| (group.name.to_string(), group)).collect();
                self.groups.insert(dependent.0, groups);
            }
        }
    }

    fn alive(&self, id: u64) -> bool {
        self.items.get(&id).is_some_and(|(_, status)| *status != Status::Retired)
    }

    fn live(&self) -> impl Iterator<Item = (&Ends, &EdgeState)> {
        self.edges.iter().filter(|(ends, _)| self.alive(ends.0) && self.alive(ends.1))
    }

    fn shown(&self) -> Shown {
        let items: BTreeMap<_, _> = self.items.clone();
        let edges = self.live().map(|(ends, state)| {
            let group = state.group.as_ref().filter(|_| state.carries == Carries::Hard);
            let (dependent, provider, kind, from) = ends.clone();
            let text = format!(
                "{dependent} {kind} {provider} from_is_dependent={from} {:?} {group:?} inferred={} {:.3} {:?}",
                state.carries, state.inferred, state.confidence, state.status
            );
            text
        });
        let edges: BTreeSet<String> = edges.collect();
        let mut gates = BTreeMap::new();
        for (dependent, groups) in &self.groups {
            for (name, group) in groups {
                let said = (true, group.require, group.inferred, format!("{:.3}", group.confidence));
                gates.insert((*dependent, name.clone()), (said, BTreeMap::new()));
            }
        }
        for ((dependent, provider, _, _), state) in self.live() {
            let Some(group) = state.group.as_ref().filter(|_| state.carries == Carries::Hard) else {
                continue;
            };
            let unsaid = (false, Require::All, false, "1.000".to_owned());
            let gate = gates.entry((*dependent, group.to_string())).or_insert((unsaid, BTreeMap::new()));
            let weight = gate.1.entry(*provider).or_insert(state.weight);
            *weight = weight.max(state.weight);
        }
        Shown {
            items,
            edges: (edges.clone(), edges),
            gates,
            alive: self.items.keys().filter(|id| self.alive(**id)).count(),
        }
    }
}

type Said = (bool, Require, bool, String);

/// Everything that can be read of a snapshot, in a form that does not depend on indexes.
#[derive(PartialEq, Debug)]
pub(super) struct Shown {
    items: BTreeMap<u64, (String, Status)>,
    /// From the dependents' rows and from the dependencies' rows.
    edges: (BTreeSet<String>, BTreeSet<String>),
    gates: BTreeMap<(u64, String), (Said, BTreeMap<u64, f64>)>,
    alive: usize,
}

pub(super) fn shown(graph: &Graph) -> Shown {
    let mut items = BTreeMap::new();
    let mut edges = (BTreeSet::new(), BTreeSet::new());
    let mut gates = BTreeMap::new();
    let mut counted = 0;
    for index in graph.indexes() {
        let id = graph.id(index);
        assert_eq!(graph.index(id), Some(index));
        if !graph.class(index).is_empty() {
            items.insert(id.0, (graph.class(index).to_owned(), graph.status(index)));
        }
        assert!(graph.dependent_links(index).is_sorted() && graph.dependency_links(index).is_sorted());
        for edge in graph.dependents(index) {
            assert!(edges.0.insert(text(graph, edge.other, index, edge)), "an edge stands twice");
            counted += 1;
        }
        for edge in graph.dependencies(index) {
            assert!(edges.1.insert(text(graph, index, edge.other, edge)), "an edge stands twice");
        }
        for (number, gate) in graph.gates(index) {
            assert_eq!(gate.dependent(), index);
            assert!((number.0 as usize) < graph.gate_bound());
            let said =
                (gate.declared(), gate.require(), gate.inferred(), format!("{:.3}", gate.confidence()));
            let members = gate.members().map(|member| (graph.id(member.provider).0, member.weight));
            let key = (id.0, gate.name().to_owned());
            assert!(gates.insert(key, (said, members.collect())).is_none(), "a group stands twice");
        }
    }
    assert_eq!(counted, graph.relationship_count());
    Shown { items, edges, gates, alive: graph.item_count() }
}

fn text(graph: &Graph, dependent: Index, provider: Index, edge: Edge) -> String {
    let group = edge.gate.map(|gate| Arc::<str>::from(graph.gate(gate).name()));
    format!(
        "{} {} {} from_is_dependent={} {:?} {:?} inferred={} {:.3} {:?}",
        graph.id(dependent).0,
        graph.type_name(edge.kind),
        graph.id(provider).0,
        edge.from_is_dependent,
        edge.carries,
        group.as_ref(),
        edge.inferred,
        edge.confidence,
        edge.status
    )
}

fn status(u: &mut Unstructured<'_>) -> Result<Status> {
    Ok(*u.choose(&[Status::Active, Status::Active, Status::Active, Status::Missing, Status::Retired])?)
}

fn item(u: &mut Unstructured<'_>) -> Result<ItemId> {
    // Few items, so that loops, cycles, parallel relationships and returns are common; and a hole in the ids.
    Ok(ItemId(*u.choose(&[1, 2, 3, 4, 5, 6, 300])?))
}

pub(super) fn delta(u: &mut Unstructured<'_>) -> Result<Delta> {
    let groups = [None, Some("db"), Some("web")];
    Ok(match u.int_in_range(0..=9)? {
        0..=2 => Delta::Item {
            id: item(u)?,
            class: Arc::from(*u.choose(&["server", "rack"])?),
            status: status(u)?,
        },
        3..=7 => {
            let after = EdgeState {
                carries: if u.ratio(1, 5)? { Carries::Weak } else { Carries::Hard },
                group: u.choose(&groups)?.map(Arc::from),
                weight: *u.choose(&[1.0, 2.5])?,
                inferred: u.arbitrary()?,
                confidence: *u.choose(&[1.0, 0.25])?,
                status: status(u)?,
            };
            let gone = u.ratio(1, 3)?;
            Delta::Edge {
                dependent: item(u)?,
                provider: item(u)?,
                kind: Arc::from(*u.choose(&["runs_on", "depends_on"])?),
                from_is_dependent: u.ratio(4, 5)?,
                after: (!gone).then_some(after),
            }
        }
        _ => {
            let mut declared = Vec::new();
            for _ in 0..u.int_in_range(0..=2)? {
                declared.push(GroupState {
                    name: Arc::from(*u.choose(&["db", "web", "alone"])?),
                    require: *u.choose(&[
                        Require::Any,
                        Require::AtLeast(2),
                        Require::Percent(50.0),
                        Require::Capacity(3.5),
                    ])?,
                    inferred: u.arbitrary()?,
                    confidence: 0.5,
                });
            }
            Delta::Groups { dependent: item(u)?, groups: declared }
        }
    })
}

#[test]
fn commits_one_by_one_equal_a_build_from_nothing() {
    arbtest(|u| {
        let mut plain = Plain::default();
        let mut graph = Graph::empty();
        let mut said = Vec::new();
        let mut kept = Vec::new();
        for revision in 1..=u.int_in_range(1..=12)? {
            let mut deltas = Vec::new();
            for _ in 0..u.int_in_range(0..=8)? {
                deltas.push(delta(u)?);
            }
            deltas.iter().for_each(|delta| plain.take(delta));
            said.extend(deltas.iter().cloned());
            let mut parts = Parts::of(&graph);
            parts.absorb(deltas.iter().cloned());
            let bulk = parts.assemble(Revision(revision));
            assert_eq!(shown(&bulk), plain.shown(), "in bulk, after commit {revision} of {said:#?}");
            graph = graph.apply(Revision(revision), deltas);
            assert_eq!(graph.revision(), Revision(revision));
            assert_eq!(shown(&graph), plain.shown(), "after commit {revision} of {said:#?}");
            kept.push((graph.clone(), plain.shown()));
            if u.ratio(1, 6)? {
                graph = graph.folded();
                assert_eq!(shown(&graph), plain.shown(), "folded after commit {revision}");
            }
        }
        let built = Graph::build(graph.revision(), said.into_iter());
        assert_eq!(shown(&built), plain.shown());
        // As bytes and back, with whatever the overlay holds and what waits; and it goes on from there.
        let mut image = Vec::new();
        graph.write_image(&mut image).expect("a vector takes everything");
        let read = Graph::read_image(&image, graph.revision()).expect("it was just written");
        assert_eq!(shown(&read), plain.shown());
        let mut deltas = Vec::new();
        for _ in 0..u.int_in_range(0..=8)? {
            deltas.push(delta(u)?);
        }
        let next = graph.revision().next();
        assert_eq!(shown(&read.apply(next, deltas.clone())), shown(&graph.apply(next, deltas)));
        let cut = u.int_in_range(0..=image.len() - 1)?;
        assert!(Graph::read_image(&image[..cut], graph.revision()).is_none(), "cut to {cut} bytes");
        // Readers of earlier snapshots see what they saw.
        for (snapshot, before) in kept {
            assert_eq!(shown(&snapshot), before);
        }
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn folding_behind_the_writer_changes_no_answer() {
    arbtest(|u| {
        let (mut plain, mut graph) = (Plain::default(), Graph::empty());
        let folder = Folder::with_limit(u.int_in_range(0..=6)?);
        let mut kept = Vec::new();
        for revision in 1..=u.int_in_range(1..=24)? {
            let mut deltas = Vec::new();
            for _ in 0..u.int_in_range(0..=8)? {
                deltas.push(delta(u)?);
            }
            deltas.iter().for_each(|delta| plain.take(delta));
            graph = folder.apply(&graph, Revision(revision), deltas);
            assert_eq!(graph.revision(), Revision(revision));
            assert_eq!(shown(&graph), plain.shown(), "after commit {revision}");
            if u.ratio(1, 3)? {
                folder.wait();
            }
            if u.ratio(1, 12)? {
                // Somebody else made the graph anew, and the fold under way is of another one.
                graph = graph.apply(Revision(revision), Vec::new()).folded();
                let id = ItemId(7);
                let deltas = vec![Delta::Item { id, class: Arc::from("rack"), status: Status::Active }];
                deltas.iter().for_each(|delta| plain.take(delta));
                graph = graph.apply(Revision(revision + 1_000), deltas);
            }
            kept.push((graph.clone(), plain.shown()));
        }
        for (snapshot, before) in kept {
            assert_eq!(shown(&snapshot), before);
        }
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn a_fold_is_taken_by_the_commit_after_it() {
    let folder = Folder::with_limit(3);
    let mut graph = Graph::empty();
    let mut folds = 0;
    for id in 1..=50 {
        let before = graph.0.overlay.entries();
        graph = folder.apply(&graph, Revision(id), vec![server(id), edge(id, id / 2 + 1, hard(None))]);
        folder.wait();
        folds += usize::from(graph.0.overlay.entries() < before);
        folder.let_go();
        assert_eq!(folder.left(), 0, "nobody holds the graph before");
        assert!(graph.0.overlay.entries() <= 4 * 3 + 8, "the overlay stays small");
    }
    assert!(folds > 5, "folded {folds} times");
}

#[test]
fn a_graph_that_is_held_is_not_let_go_of() {
    let folder = Folder::with_limit(0);
    let (mut graph, mut held) = (Graph::empty(), Vec::new());
    for id in 1..=20 {
        held.push((graph.clone(), shown(&graph)));
        graph = folder.apply(&graph, Revision(id), vec![server(id), edge(id, id / 2 + 1, hard(None))]);
        folder.wait();
        folder.let_go();
    }
    assert!((1..=4).contains(&folder.left()), "so many are kept in sight");
    assert!(held.iter().all(|(graph, before)| shown(graph) == *before));
    held.clear();
    folder.let_go();
    assert_eq!(folder.left(), 0);
}

fn server(id: u64) -> Delta {
    Delta::Item { id: ItemId(id), class: Arc::from("server"), status: Status::Active }
}

fn edge(dependent: u64, provider: u64, after: Option<EdgeState>) -> Delta {
    let (dependent, provider) = (ItemId(dependent), ItemId(provider));
    Delta::Edge { dependent, provider, kind: Arc::from("depends_on"), from_is_dependent: true, after }
}

fn hard(group: Option<&str>) -> Option<EdgeState> {
    let group = group.map(Arc::from);
    let (carries, status) = (Carries::Hard, Status::Active);
    Some(EdgeState { carries, group, weight: 1.0, inferred: false, confidence: 1.0, status })
}

#[test]
fn a_large_overlay_is_folded_and_stays_right() {
    let mut graph = Graph::empty();
    let mut plain = Plain::default();
    let many = OVERLAY_ENTRIES_MIN as u64;
    for id in 1..=many {
        let deltas = vec![server(id), edge(id, id / 2 + 1, hard((id % 3 == 0).then_some("db")))];
        deltas.iter().for_each(|delta| plain.take(delta));
        graph = graph.apply(Revision(id), deltas);
        assert!(graph.0.overlay.entries() <= graph.overlay_limit());
    }
    assert!(!graph.0.base.nodes.is_empty(), "it was folded at least once");
    assert_eq!(shown(&graph), plain.shown());
}

#[test]
fn a_large_commit_is_built_in_bulk() {
    let deltas: Vec<Delta> =
        (1..=OVERLAY_ENTRIES_MIN as u64).flat_map(|id| [server(id), edge(id, 1, hard(None))]).collect();
    let graph = Graph::empty().apply(Revision(1), deltas);
    assert_eq!(graph.0.overlay.entries(), 0);
    assert_eq!(graph.dependents(graph.index(ItemId(1)).unwrap()).len(), OVERLAY_ENTRIES_MIN);
}

#[test]
fn an_item_that_was_never_named_has_no_place() {
    let graph = Graph::build(Revision(1), [server(5)].into_iter());
    assert_eq!(graph.index(ItemId(0)), None);
    assert_eq!(graph.index(ItemId(4)), None);
    assert_eq!(graph.index(ItemId(u64::MAX)), None);
    assert_eq!(graph.id(graph.index(ItemId(5)).unwrap()), ItemId(5));
}

#[test]
fn what_a_group_can_spare() {
    let spare = |require: Require, weights: &[f64]| {
        let groups = vec![GroupState { name: Arc::from("g"), require, inferred: false, confidence: 1.0 }];
        let mut deltas = vec![server(1), Delta::Groups { dependent: ItemId(1), groups }];
        for (weight, id) in weights.iter().zip(2..) {
            let state = hard(Some("g")).map(|state| EdgeState { weight: *weight, ..state });
            deltas.extend([server(id), edge(1, id, state)]);
        }
        let graph = Graph::build(Revision(1), deltas.into_iter());
        let (_, gate) = graph.gates(Index(0)).next().unwrap();
        gate.spare().0
    };
    assert_eq!(spare(Require::All, &[1.0; 3]), 0);
    assert_eq!(spare(Require::Any, &[1.0; 3]), 2);
    assert_eq!(spare(Require::Any, &[]), 0);
    assert_eq!(spare(Require::AtLeast(2), &[1.0; 3]), 1);
    assert_eq!(spare(Require::AtLeast(4), &[1.0; 3]), 0);
    assert_eq!(spare(Require::Percent(50.0), &[1.0; 3]), 1, "half of three, rounded up, is two");
    assert_eq!(spare(Require::Percent(100.0), &[1.0; 3]), 0);
    assert_eq!(spare(Require::Percent(7.0), &[1.0; 100]), 93, "exactly seven, not eight");
    assert_eq!(spare(Require::Capacity(0.3), &[0.1, 0.2]), 0, "0.1 + 0.2 is enough for 0.3");
    assert_eq!(spare(Require::Capacity(2.0), &[1.0, 1.0, 0.5]), 500_000);
    assert_eq!(spare(Require::Capacity(2.0), &[f64::NAN, -1.0, 2.0]), 0);
}

#[test]
fn several_relationships_of_one_item_are_one_member() {
    let twice = |kind: &str, weight: f64| Delta::Edge {
        dependent: ItemId(1),
        provider: ItemId(2),
        kind: Arc::from(kind),
        from_is_dependent: true,
        after: hard(Some("g")).map(|state| EdgeState { weight, ..state }),
    };
    let deltas = [server(1), server(2), twice("runs_on", 2.0), twice("depends_on", 3.0)];
    let graph = Graph::build(Revision(1), deltas.into_iter());
    let (_, gate) = graph.gates(graph.index(ItemId(1)).unwrap()).next().unwrap();
    let provider = graph.index(ItemId(2)).unwrap();
    assert_eq!(gate.members().collect::<Vec<_>>(), [Member { provider, weight: 3.0 }]);
    assert_eq!((gate.member_count(), graph.relationship_count()), (1, 2));
}

#[test]
fn petgraph_runs_on_a_snapshot() {
    // 1 → 2 → 3 → 1 is a cycle; 4 needs it; 5 is retired.
    let mut deltas: Vec<Delta> = (1..=5).map(server).collect();
    deltas.extend([(1, 2), (2, 3), (3, 1), (4, 1), (4, 5)].map(|(from, to)| edge(from, to, hard(None))));
    deltas.push(Delta::Item { id: ItemId(5), class: Arc::from("server"), status: Status::Retired });
    let graph = Graph::build(Revision(1), deltas.into_iter());
    let at = |id| graph.index(ItemId(id)).unwrap();
    let mut components: Vec<usize> =
        petgraph::algo::tarjan_scc(&graph).iter().map(|component| component.len()).collect();
    components.sort_unstable();
    assert_eq!(components, [1, 1, 3]);
    let dominators = petgraph::algo::dominators::simple_fast(&graph, at(4));
    assert_eq!(dominators.immediate_dominator(at(3)), Some(at(2)));
    assert!(petgraph::algo::has_path_connecting(&graph, at(4), at(3), None));
    assert!(!petgraph::algo::has_path_connecting(&graph, at(4), at(5), None));
}

/// Everything that one item needs when another one is left out, and the fewest relationships to each.
fn needed_without(graph: &Graph, from: Index, out: Option<Index>) -> BTreeMap<Index, u32> {
    let mut distances = BTreeMap::from([(from, 0)]);
    for distance in 1..=u32::try_from(graph.index_bound()).unwrap() {
        let last: Vec<Index> = distances.keys().copied().collect();
        let next = last.iter().flat_map(|item| graph.dependencies(*item)).map(|edge| edge.other);
        for item in next.filter(|item| Some(*item) != out).collect::<Vec<_>>() {
            distances.entry(item).or_insert(distance);
        }
    }
    distances
}

#[test]
fn petgraph_gives_what_the_definitions_give() {
    arbtest(|u| {
        let mut deltas = Vec::new();
        for _ in 0..u.int_in_range(1..=30)? {
            deltas.push(delta(u)?);
        }
        // Part of it in the overlay.
        let later = deltas.split_off(u.int_in_range(0..=deltas.len())?);
        let graph = Graph::build(Revision(1), deltas.into_iter()).apply(Revision(2), later);
        assert_eq!((&graph).edge_references().count(), graph.edge_count());
        let needs: BTreeMap<Index, BTreeMap<Index, u32>> =
            graph.indexes().map(|item| (item, needed_without(&graph, item, None))).collect();
        let both =
            |one: Index, other: Index| needs[&one].contains_key(&other) && needs[&other].contains_key(&one);
        let expected: BTreeSet<BTreeSet<Index>> = graph
            .indexes()
            .map(|item| graph.indexes().filter(|other| both(item, *other)).collect())
            .collect();
        for components in [petgraph::algo::tarjan_scc(&graph), petgraph::algo::kosaraju_scc(&graph)] {
            let found: BTreeSet<BTreeSet<Index>> =
                components.into_iter().map(|component| component.into_iter().collect()).collect();
            assert_eq!(found, expected);
        }
        for root in graph.indexes() {
            let shortest = petgraph::algo::dijkstra(&graph, root, None, |_| 1u32);
            assert_eq!(shortest.into_iter().collect::<BTreeMap<_, _>>(), needs[&root]);
            let dominators = petgraph::algo::dominators::simple_fast(&graph, root);
            for item in needs[&root].keys().copied() {
                let found: BTreeSet<Index> = dominators.dominators(item).expect("it is reached").collect();
                let decides = |out: &Index| {
                    *out == item
                        || *out == root
                        || !needed_without(&graph, root, Some(*out)).contains_key(&item)
                };
                assert_eq!(found, needs[&root].keys().copied().filter(decides).collect());
            }
            for goal in graph.indexes() {
                let path = petgraph::algo::astar(&graph, root, |item| item == goal, |_| 1u32, |_| 0);
                assert_eq!(path.map(|(length, _)| length), needs[&root].get(&goal).copied());
            }
        }
        Ok(())
    })
    .budget_ms(3_000);
}
