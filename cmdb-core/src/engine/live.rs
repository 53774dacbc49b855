//! From commits to the live graph.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::sources::SourceNames;
use super::tally::Tally;
use crate::change::{self, Change};
use crate::graph::{Building, Carries, Delta, EdgeState, Graph, GroupState};
use crate::model::item::Group;
use crate::model::schema::{Failure, Schema};
use crate::model::{Item, ItemId, Relationship, Revision, Status};
use crate::reconcile;
use crate::store::record::{self, EndRecord, HeadRecord, OutgoingRecord};
use crate::store::{self, Range, Read, StoreError, Table};

/// The graph of a moment of the store, from nothing.
pub(super) fn build(
    read: &dyn Read,
    revision: Revision,
    schema: &Schema,
    sources: &SourceNames,
) -> Result<(Graph, Tally), StoreError> {
    let mut graph = Building::default();
    let mut of_item = Vec::new();
    let mut tally = Tally::default();
    let mut classes: FxHashMap<ItemId, Arc<str>> = FxHashMap::default();
    let mut names = Names::default();
    store::for_each(read, Table::Items, Range::all(), |_, head| {
        let head: HeadRecord = record::decode(Table::Items, head)?;
        let item = change::read_version(read, &head)?;
        tally.item(&item, schema, sources, 1);
        classes.insert(item.id, names.get(&item.class));
        item_deltas(None, &item, schema, sources, &mut names, &mut of_item);
        of_item.drain(..).for_each(|delta| graph.add(delta));
        Ok::<(), StoreError>(())
    })?;
    store::for_each(read, Table::Outgoing, Range::all(), |_, chunk| {
        let chunk: OutgoingRecord = record::decode(Table::Outgoing, chunk)?;
        for relationship in chunk.relationships {
            let relationship = record::relationship_from(relationship)?;
            tally.relationship(&relationship, schema, sources, 1);
            let class = |id: ItemId| classes.get(&id).cloned();
            let delta = edge_delta(Some(&relationship), &relationship, schema, &class, &mut names);
            delta.into_iter().for_each(|delta| graph.add(delta));
        }
        Ok::<(), StoreError>(())
    })?;
    Ok((graph.finish(revision), tally))
}

/// One fact before and after, whichever way time runs.
pub(super) enum Step<'a> {
    /// An item; at least one side is set.
    Item { before: Option<&'a Item>, after: Option<&'a Item> },
    /// A relationship; at least one side is set.
    Relationship { before: Option<&'a Relationship>, after: Option<&'a Relationship> },
}

impl<'a> Step<'a> {
    /// A change as it was made.
    pub(super) fn of(change: &'a Change) -> Step<'a> {
        match change {
            Change::Item { before, after } => Step::Item { before: before.as_deref(), after: Some(after) },
            Change::Relationship { before, after } => {
                Step::Relationship { before: before.as_deref(), after: after.as_deref() }
            }
        }
    }
}

/// What the facts of a graph are judged by.
#[derive(Clone, Copy)]
pub(super) struct Judged<'a> {
    pub(super) read: &'a dyn Read,
    pub(super) schema: &'a Schema,
    pub(super) sources: &'a SourceNames,
}

/// The graph and its counts after some steps. `read` shows the present: what no step speaks of is as it is there.
pub(super) fn follow(
    graph: &Graph,
    tally: Tally,
    revision: Revision,
    steps: &[Step<'_>],
    judged: Judged<'_>,
) -> Result<(Graph, Tally), StoreError> {
    let (deltas, tally) = deltas_of(graph, tally, steps, judged)?;
    Ok((graph.apply(revision, deltas), tally))
}

/// What some steps change of a graph, and the counts after them.
pub(super) fn deltas_of(
    graph: &Graph,
    mut tally: Tally,
    steps: &[Step<'_>],
    judged: Judged<'_>,
) -> Result<(Vec<Delta>, Tally), StoreError> {
    let Judged { read, schema, sources } = judged;
    let mut deltas = Vec::new();
    let mut names = Names::default();
    let mut classes: FxHashMap<ItemId, Arc<str>> = FxHashMap::default();
    let mut reclassed = Vec::new();
    for step in steps {
        tally.follow(step, schema, sources);
        let Step::Item { before, after } = step else { continue };
        match (before, after) {
            (before, Some(after)) => {
                classes.insert(after.id, names.get(&after.class));
                item_deltas(*before, after, schema, sources, &mut names, &mut deltas);
                let same = |before: &&Item| groups_by_class(before, schema) == groups_by_class(after, schema);
                if before.as_ref().is_some_and(|before| !same(before)) {
                    reclassed.push(after.id);
                }
            }
            (Some(before), None) => deltas.push(Delta::Item {
                id: before.id,
                class: names.get(&before.class),
                status: Status::Retired,
            }),
            (None, None) => {}
        }
    }
    let class = |id: ItemId| {
        classes.get(&id).cloned().or_else(|| graph.index(id).map(|index| Arc::from(graph.class(index))))
    };
    for item in reclassed {
        for relationship in relationships_of(read, item)? {
            deltas.extend(edge_delta(Some(&relationship), &relationship, schema, &class, &mut names));
        }
    }
    for step in steps {
        if let Step::Relationship { before, after } = step {
            let subject = after.or(*before).expect("a step has a side");
            deltas.extend(edge_delta(*after, subject, schema, &class, &mut names));
        }
    }
    Ok((deltas, tally))
}

/// Both directions of one item's relationships.
fn relationships_of(read: &dyn Read, item: ItemId) -> Result<Vec<Relationship>, StoreError> {
    let (mut found, _) = change::all_edges::<Relationship>(read, item, usize::MAX)?;
    let (ends, _) = change::all_edges::<EndRecord>(read, item, usize::MAX)?;
    for end in ends {
        found.extend(change::find_edge(read, ItemId(end.from), &end.kind, item)?);
    }
    Ok(found)
}

fn groups_by_class(item: &Item, schema: &Schema) -> Vec<String> {
    schema.class(&item.class).map_or_else(Vec::new, |class| {
        class.default_require.iter().map(|(kind, require)| format!("{kind} {require}")).collect()
    })
}

fn item_deltas(
    before: Option<&Item>,
    after: &Item,
    schema: &Schema,
    sources: &SourceNames,
    names: &mut Names,
    deltas: &mut Vec<Delta>,
) {
    if before.is_none_or(|before| before.class != after.class || before.status != after.status) {
        deltas.push(Delta::Item { id: after.id, class: names.get(&after.class), status: after.status });
    }
    let groups = groups_of(after, schema, sources, names);
    let had = before.map_or_else(Vec::new, |before| groups_of(before, schema, sources, names));
    if groups != had {
        deltas.push(Delta::Groups { dependent: after.id, groups });
    }
}

/// The groups of an item: of each name the one whose source comes first, a confirmed one before an inferred one;
/// and those that its class needs where nothing is said.
fn groups_of(item: &Item, schema: &Schema, sources: &SourceNames, names: &mut Names) -> Vec<GroupState> {
    let mut best: Vec<&Group> = Vec::new();
    let order = |group: &Group| reconcile::group_order(group, schema, sources);
    for group in &item.groups {
        match best.iter_mut().find(|other| other.name == group.name) {
            Some(other) if order(group) < order(other) => *other = group,
            Some(_) => {}
            None => best.push(group),
        }
    }
    let mut states: Vec<GroupState> = best
        .into_iter()
        .map(|group| GroupState {
            name: names.get(&group.name),
            require: group.require,
            inferred: group.inferred,
            confidence: group.confidence,
        })
        .collect();
    if let Some(class) = schema.class(&item.class) {
        for (kind, require) in &class.default_require {
            if !states.iter().any(|state| *state.name == **kind) {
                states.push(GroupState {
                    name: names.get(kind),
                    require: *require,
                    inferred: false,
                    confidence: 1.0,
                });
            }
        }
    }
    states
}

/// What a relationship is in the graph; `None`: its type carries no failure.
fn edge_delta(
    after: Option<&Relationship>,
    subject: &Relationship,
    schema: &Schema,
    class: &dyn Fn(ItemId) -> Option<Arc<str>>,
    names: &mut Names,
) -> Option<Delta> {
    let declared = schema.relationship_type(&subject.kind)?;
    let (dependent, provider, from_is_dependent) = match declared.failure {
        Failure::TargetToSource => (subject.from, subject.to, true),
        Failure::SourceToTarget => (subject.to, subject.from, false),
        Failure::None => return None,
    };
    let after = after.filter(|relationship| relationship.stands()).map(|relationship| {
        let claim = relationship.effective();
        let group = if declared.weak {
            None
        } else if relationship.group().is_empty() {
            let class = class(dependent);
            let default = class.as_deref().and_then(|class| schema.class(class));
            default
                .filter(|class| class.default_require.contains_key(&subject.kind))
                .map(|_| names.get(&subject.kind))
        } else {
            Some(names.get(relationship.group()))
        };
        EdgeState {
            carries: if declared.weak { Carries::Weak } else { Carries::Hard },
            group,
            weight: claim.weight,
            inferred: claim.inferred,
            confidence: claim.confidence,
            status: relationship.status,
        }
    });
    Some(Delta::Edge { dependent, provider, kind: names.get(&subject.kind), from_is_dependent, after })
}

/// Each name once, shared.
#[derive(Default)]
pub(super) struct Names(FxHashMap<String, Arc<str>>);

impl Names {
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = Arc::from(name);
        self.0.insert(name.to_owned(), Arc::clone(&shared));
        shared
    }
}
