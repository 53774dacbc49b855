//! A snapshot, read as it was written.
//!
//! Lists are copied as they are; what they say of each other is looked over by [`check`](super::check) before anything
//! is made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::STATUSES;
use super::bytes::In;
use super::check;
use crate::graph::base::{Base, Dependencies, Dependents};
use crate::graph::gate::{Declaration, Units};
use crate::graph::gates::{Declarations, Gates, Said};
use crate::graph::label::{Label, Labels, Names, Thousandths};
use crate::graph::numbers::Numbers;
use crate::graph::paged::Paged;
use crate::graph::parts::{Weights, ends};
use crate::graph::row::{PLACES_MAX, Packed};
use crate::graph::{Carries, Graph, Node, Overlay, Snapshot, TypeIndex, Waiting, dense};
use crate::model::{ItemId, Revision, Status};

pub(super) fn graph(input: &mut In<'_>, revision: Revision) -> Option<Graph> {
    let labels = labels(input)?;
    let classes = names(input)?;
    let group_names = names(input)?;
    let declarations = declarations(input)?;
    let weighed = weights(input)?;
    let (nodes, index_of) = items(input, classes.list().len())?;
    let count = input.count()?;
    let offsets = input.words(nodes.len() + 1)?.collect();
    let dependents = Dependents::of_rows(offsets, arcs(input, count)?);
    let offsets = input.words(nodes.len() + 1)?.collect();
    let dependencies = Dependencies::of_rows(
        offsets,
        arcs(input, count)?,
        numbers(input, count, labels.len())?,
        numbers(input, count, weighed.list().len())?,
        weighed,
    );
    let said = said(input)?;
    check::groups(&said, &group_names, &declarations, &dependencies)?;
    check::rows(&dependents, &dependencies, &said, &labels)?;
    let waiting = waiting(input, nodes.len(), labels.len())?;
    let gates = Gates::new(&said, &dependencies, Arc::new(group_names), declarations);
    let (indexes, gate_count) = (dense(nodes.len()), dense(gates.len()));
    let items = nodes.iter().filter(|node| node.status != Status::Retired).count();
    Some(Graph(Arc::new(Snapshot {
        revision,
        base: Arc::new(Base { nodes, index_of, dependents, dependencies, gates }),
        overlay: Overlay { waiting, ..Overlay::default() },
        labels: Arc::new(labels),
        classes: Arc::new(classes),
        indexes,
        gates: gate_count,
        items,
        relationships: count,
    })))
}

fn status(number: u8) -> Option<Status> {
    STATUSES.get(usize::from(number)).copied()
}

fn names(input: &mut In<'_>) -> Option<Names> {
    let mut names = Names::default();
    for _ in 0..input.count()? {
        names.push(&Arc::from(input.text()?))?;
    }
    Some(names)
}

fn labels(input: &mut In<'_>) -> Option<Labels> {
    let mut labels = Labels::of(names(input)?);
    for _ in 0..input.count()? {
        let kind = TypeIndex(input.u32()?);
        let carries = if input.flag()? { Carries::Weak } else { Carries::Hard };
        let (from_is_dependent, inferred) = (input.flag()?, input.flag()?);
        let confidence = Thousandths::from_number(input.u16()?)?;
        let status = status(input.u8()?)?;
        labels.push(Label { kind, carries, from_is_dependent, inferred, confidence, status })?;
    }
    Some(labels)
}

fn declarations(input: &mut In<'_>) -> Option<Declarations> {
    let mut declarations = Declarations::default();
    for number in 1..=input.u32()? {
        let require = input.text()?.parse().ok()?;
        let (inferred, confidence) = (input.flag()?, Thousandths::from_number(input.u16()?)?);
        let added = declarations.intern(Some(Declaration { require, inferred, confidence }));
        (added == number).then_some(())?;
    }
    Some(declarations)
}

fn weights(input: &mut In<'_>) -> Option<Weights> {
    let mut weights = Weights::default();
    for number in 0..input.u32()? {
        (weights.intern(Units(input.u128()?)) == number).then_some(())?;
    }
    Some(weights)
}

/// The items, and their places by id.
fn items(input: &mut In<'_>, class_count: usize) -> Option<(Vec<Node>, Vec<u32>)> {
    let count = input.count().filter(|count| *count <= PLACES_MAX as usize)?;
    let (ids, classes, statuses) = (input.double_words(count)?, input.words(count)?, input.bytes(count)?);
    let nodes = ids.zip(classes).zip(statuses).map(|((id, class), number)| {
        let known = (class as usize) < class_count;
        Some(Node { id: ItemId(id), class, status: status(*number).filter(|_| known)? })
    });
    let nodes: Vec<Node> = nodes.collect::<Option<_>>()?;
    let ids = input.count()?;
    let index_of: Vec<u32> = input.words(ids)?.collect();
    check::places(&nodes, &index_of)?;
    Some((nodes, index_of))
}

fn arcs(input: &mut In<'_>, count: usize) -> Option<Vec<Packed>> {
    let words = input.words(count)?;
    // Looked over first: a collection that may end early is filled one by one.
    let largest = words.clone().max().unwrap_or_default();
    Packed::of_word(largest)?;
    Some(words.map(|word| Packed::of_word(word).expect("no larger than the largest")).collect())
}

fn numbers(input: &mut In<'_>, count: usize, bound: usize) -> Option<Numbers> {
    let numbers = match input.u8()? {
        0 => Numbers::Zeros(count),
        1 => Numbers::Bytes(input.bytes(count)?.to_vec()),
        2 => Numbers::Shorts(input.shorts(count)?.collect()),
        4 => Numbers::Words(input.words(count)?.collect()),
        _ => return None,
    };
    let largest = match &numbers {
        Numbers::Zeros(count) => (*count > 0).then_some(0),
        Numbers::Bytes(list) => list.iter().max().map(|number| u32::from(*number)),
        Numbers::Shorts(list) => list.iter().max().map(|number| u32::from(*number)),
        Numbers::Words(list) => list.iter().max().copied(),
    };
    largest.is_none_or(|largest| (largest as usize) < bound).then_some(numbers)
}

fn said(input: &mut In<'_>) -> Option<Vec<Said>> {
    let count = input.count().filter(|count| *count <= PLACES_MAX as usize)?;
    let (dependents, names) = (input.words(count)?, input.words(count)?);
    let (declarations, arcs) = (input.words(count)?, input.words(count)?);
    let said = dependents.zip(names).zip(declarations).zip(arcs);
    Some(
        said.map(|(((dependent, name), declaration), arcs)| Said { dependent, name, declaration, arcs })
            .collect(),
    )
}

/// Under both of their ends.
fn waiting(input: &mut In<'_>, indexes: usize, labels: usize) -> Option<Paged<Arc<[Waiting]>>> {
    let mut by_end: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
    let mut last = None;
    for _ in 0..input.count()? {
        let [dependent, provider, label] = [input.u32()?, input.u32()?, input.u32()?];
        let group = if input.flag()? { Some(Arc::from(input.text()?)) } else { None };
        let weight = Units(input.u128()?);
        let known = dependent.max(provider) < dense(indexes) && (label as usize) < labels;
        let in_order = last.replace((dependent, provider, label)) < Some((dependent, provider, label));
        (known && in_order).then_some(())?;
        for end in ends(dependent, provider) {
            let waiting = Waiting { dependent, provider, label, group: group.clone(), weight };
            by_end.entry(end).or_default().push(waiting);
        }
    }
    let mut pages = Paged::default();
    for (end, waiting) in by_end {
        pages.set(end as usize, Arc::from(waiting));
    }
    Some(pages)
}
