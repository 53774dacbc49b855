//! A folded snapshot, written down.

use std::io;

use super::STATUSES;
use super::bytes::Out;
use crate::graph::base::Base;
use crate::graph::label::{Labels, Names};
use crate::graph::numbers::Numbers;
use crate::graph::{Carries, Graph, Waiting, dense};
use crate::model::Status;

pub(super) fn graph(graph: &Graph, out: &mut Out<'_>) -> io::Result<()> {
    let base = &graph.0.base;
    labels(&graph.0.labels, out)?;
    names(&graph.0.classes, out)?;
    vocabulary(base, out)?;
    items(base, out)?;
    out.count(base.dependencies.arcs().len())?;
    out.words(base.dependents.offsets().iter().copied())?;
    out.words(base.dependents.arcs().iter().map(|arc| arc.word()))?;
    out.words(base.dependencies.offsets().iter().copied())?;
    out.words(base.dependencies.arcs().iter().map(|arc| arc.word()))?;
    numbers(base.dependencies.labels(), out)?;
    numbers(base.dependencies.weights(), out)?;
    groups(base, out)?;
    waiting(graph, out)
}

fn labels(labels: &Labels, out: &mut Out<'_>) -> io::Result<()> {
    names(labels.kinds(), out)?;
    out.count(labels.len())?;
    for label in labels.list() {
        out.u32(label.kind.0)?;
        out.flag(label.carries == Carries::Weak)?;
        out.flag(label.from_is_dependent)?;
        out.flag(label.inferred)?;
        out.u16(label.confidence.number())?;
        out.u8(status(label.status))?;
    }
    Ok(())
}

fn names(names: &Names, out: &mut Out<'_>) -> io::Result<()> {
    out.count(names.list().len())?;
    names.list().iter().try_for_each(|name| out.text(name))
}

fn status(status: Status) -> u8 {
    let place = STATUSES.iter().position(|known| *known == status).expect("all are listed");
    u8::try_from(place).expect("there are four")
}

/// What groups and weights are spoken of by.
fn vocabulary(base: &Base, out: &mut Out<'_>) -> io::Result<()> {
    names(base.gates.group_names(), out)?;
    let declarations = base.gates.declarations().list();
    out.count(declarations.len())?;
    for declaration in declarations {
        out.text(&declaration.require.to_string())?;
        out.flag(declaration.inferred)?;
        out.u16(declaration.confidence.number())?;
    }
    let weights = base.dependencies.weighed().list();
    out.count(weights.len())?;
    weights.iter().try_for_each(|weight| out.u128(weight.0))
}

fn items(base: &Base, out: &mut Out<'_>) -> io::Result<()> {
    out.count(base.nodes.len())?;
    out.double_words(base.nodes.iter().map(|node| node.id.0))?;
    out.words(base.nodes.iter().map(|node| node.class))?;
    let statuses: Vec<u8> = base.nodes.iter().map(|node| status(node.status)).collect();
    out.bytes(&statuses)?;
    out.count(base.index_of.len())?;
    out.words(base.index_of.iter().copied())
}

/// As many as there are relationships, in as many bytes each as the first one says.
fn numbers(numbers: &Numbers, out: &mut Out<'_>) -> io::Result<()> {
    match numbers {
        Numbers::Zeros(_) => out.u8(0),
        Numbers::Bytes(list) => out.u8(1).and_then(|()| out.bytes(list)),
        Numbers::Shorts(list) => out.u8(2).and_then(|()| out.shorts(list.iter().copied())),
        Numbers::Words(list) => out.u8(4).and_then(|()| out.words(list.iter().copied())),
    }
}

fn groups(base: &Base, out: &mut Out<'_>) -> io::Result<()> {
    let gates = &base.gates;
    let said = || (0..dense(gates.len())).map(|number| gates.said(number));
    out.count(gates.len())?;
    out.words(said().map(|said| said.dependent))?;
    out.words(said().map(|said| said.name))?;
    out.words(said().map(|said| said.declaration))?;
    out.words(said().map(|said| said.arcs))
}

fn waiting(graph: &Graph, out: &mut Out<'_>) -> io::Result<()> {
    let of_dependent = |index| {
        let own = move |waiting: &&Waiting| waiting.dependent == index;
        graph.waiting(crate::graph::Index(index)).iter().filter(own)
    };
    let all = || (0..graph.0.indexes).flat_map(of_dependent);
    out.count(all().count())?;
    for Waiting { dependent, provider, label, group, weight } in all() {
        for number in [*dependent, *provider, *label] {
            out.u32(number)?;
        }
        out.flag(group.is_some())?;
        if let Some(group) = group {
            out.text(group)?;
        }
        out.u128(weight.0)?;
    }
    Ok(())
}
