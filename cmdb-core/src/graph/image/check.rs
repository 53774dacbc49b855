//! Whether lists that were read fit together.
//!
//! Everything that is looked up by a number is there, everything that is searched is in order, and both directions
//! hold the same relationships: so no answer runs into what is not there. None: they do not fit. Linear, and in the
//! order in which the lists lie in memory.

use crate::graph::base::{ABSENT, Dependencies, Dependents};
use crate::graph::gates::{Declarations, Said};
use crate::graph::label::{Labels, Names};
use crate::graph::row::{Packed, Run};
use crate::graph::{Carries, Node};

/// Each item has a place of its own, and no other id has one.
pub(super) fn places(nodes: &[Node], index_of: &[u32]) -> Option<()> {
    let held = index_of.iter().filter(|index| **index != ABSENT).count();
    let found = |(index, node): (u32, &Node)| {
        let place = usize::try_from(node.id.0).ok();
        place.and_then(|place| index_of.get(place)) == Some(&index)
    };
    (held == nodes.len() && (0..).zip(nodes).all(found)).then_some(())
}

/// Groups are in order, and speak of what is there.
pub(super) fn groups(
    said: &[Said],
    names: &Names,
    declarations: &Declarations,
    rows: &Dependencies,
) -> Option<()> {
    let known = |group: &Said| {
        (group.dependent as usize) < rows.owners()
            && (group.name as usize) < names.list().len()
            && group.declaration as usize <= declarations.list().len()
    };
    let in_order = |pair: &[Said]| {
        let [one, other] = pair else { return true };
        one.dependent < other.dependent
            || (one.dependent == other.dependent && names.name(one.name) < names.name(other.name))
    };
    (said.iter().all(known) && said.windows(2).all(in_order)).then_some(())
}

/// Rows of both directions are whole and in order, and hold the same relationships.
pub(super) fn rows(
    dependents: &Dependents,
    dependencies: &Dependencies,
    said: &[Said],
    labels: &Labels,
) -> Option<()> {
    let owners = dependencies.owners();
    offsets(dependents.offsets(), owners, dependents.arcs().len())?;
    offsets(dependencies.offsets(), owners, dependencies.arcs().len())?;
    let from_dependents = dependent_rows(dependents, owners, said.len())?;
    let from_dependencies = dependency_rows(dependencies, owners, said, labels)?;
    (from_dependents == from_dependencies).then_some(())
}

fn offsets(offsets: &[u32], owners: usize, arcs: usize) -> Option<()> {
    let whole = offsets.len() == owners + 1 && offsets[0] == 0 && offsets[owners] as usize == arcs;
    (whole && offsets.is_sorted()).then_some(())
}

/// What all relationships come to, in whatever order.
#[derive(Default, PartialEq)]
struct Tally(u64);

impl Tally {
    /// One more, by its provider and as the provider keeps it.
    fn add(&mut self, provider: u32, kept: Packed) {
        // The finalizer of splitmix64: sums of what it gives are equal for equal sets, and hardly ever for others.
        let mut mixed = u64::from(provider) << 32 | u64::from(kept.word());
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = self.0.wrapping_add(mixed ^ mixed >> 31);
    }
}

fn dependent_rows(dependents: &Dependents, owners: usize, gates: usize) -> Option<Tally> {
    let mut tally = Tally::default();
    for owner in 0..crate::graph::dense(owners) {
        let row = dependents.row(owner);
        row.is_sorted().then_some(())?;
        for arc in row {
            let bound = if arc.gate().is_some() { gates } else { owners };
            ((arc.place() as usize) < bound).then_some(())?;
            tally.add(owner, *arc);
        }
    }
    Some(tally)
}

fn dependency_rows(
    dependencies: &Dependencies,
    owners: usize,
    said: &[Said],
    labels: &Labels,
) -> Option<Tally> {
    let mut tally = Tally::default();
    let mut groups = (0..).zip(said).peekable();
    for owner in 0..crate::graph::dense(owners) {
        let mut place = dependencies.offsets()[owner as usize] as usize;
        let end = dependencies.offsets()[owner as usize + 1] as usize;
        place = run(dependencies, place..end, Run::Hard, labels, |provider| {
            tally.add(provider, Packed::hard(owner));
        })?;
        while let Some((gate, group)) = groups.next_if(|(_, group)| group.dependent == owner) {
            let members = place..place.checked_add(group.arcs as usize).filter(|last| *last <= end)?;
            let last = members.end;
            place = run(dependencies, members, Run::Member, labels, |provider| {
                tally.add(provider, Packed::member(gate));
            })?;
            (place == last).then_some(())?;
        }
        place = run(dependencies, place..end, Run::Weak, labels, |provider| {
            tally.add(provider, Packed::weak(owner));
        })?;
        (place == end).then_some(())?;
    }
    Some(tally)
}

/// As far as relationships of one role go, which must be in order; where they end.
fn run(
    dependencies: &Dependencies,
    places: std::ops::Range<usize>,
    role: Run,
    labels: &Labels,
    mut each: impl FnMut(u32),
) -> Option<usize> {
    let (mut last, end) = (None, places.end);
    for place in places {
        let arc = dependencies.arcs()[place];
        if arc.run() != role {
            return Some(place);
        }
        let (provider, label) = (arc.place(), dependencies.label(place));
        let carries = if role == Run::Weak { Carries::Weak } else { Carries::Hard };
        let in_order = last.replace((provider, label)) < Some((provider, label));
        let known = (provider as usize) < dependencies.owners();
        (in_order && known && labels.get(label).carries == carries).then_some(())?;
        each(provider);
    }
    Some(end)
}
