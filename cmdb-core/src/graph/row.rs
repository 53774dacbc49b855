//! One item's relationships in one direction, as they are stored and as they are read.
//!
//! ```text
//! packed arc   [role: 2 bits][place: 30 bits]
//! dependents   role hard: the dependent · member: the group, which knows its dependent · weak: the dependent
//! dependencies role hard: the provider  · member: the provider                         · weak: the provider
//! ```
//!
//! A walk that spreads a failure reads the first kind only: one word for each relationship. Invariants: a row holds
//! the hard arcs first, then the members by group, then the weak ones, each by place and then by label; so all
//! relationships of one item in one group are neighbours.

use std::iter::FusedIterator;

use super::base::Base;
use super::label::Labels;
use super::{Carries, GateIndex, Graph, Index, TypeIndex};
use crate::model::Status;

const HARD: u32 = 0;
const WEAK: u32 = u32::MAX;

/// How failure passes along a relationship.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A failed provider fails the dependent.
    Hard,
    /// A failed provider is one member less in a group of the dependent.
    Member(GateIndex),
    /// A failed provider degrades the dependent.
    Weak,
}

/// The other end of a relationship, and how failure passes along it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Link {
    /// A group's number plus one, or one of the two above: hard comes first and weak last.
    gate: u32,
    other: u32,
}

impl Link {
    pub(super) fn new(other: u32, carries: Carries, gate: Option<u32>) -> Link {
        let gate = match (carries, gate) {
            (Carries::Weak, _) => WEAK,
            (Carries::Hard, None) => HARD,
            (Carries::Hard, Some(gate)) => gate + 1,
        };
        Link { gate, other }
    }

    /// The other end.
    #[inline]
    #[must_use]
    pub fn other(self) -> Index {
        Index(self.other)
    }

    /// How failure passes.
    #[inline]
    #[must_use]
    pub fn role(self) -> Role {
        match self.gate {
            HARD => Role::Hard,
            WEAK => Role::Weak,
            gate => Role::Member(GateIndex(gate - 1)),
        }
    }

    /// The group on the dependent, for a member of one.
    #[must_use]
    pub fn gate(self) -> Option<GateIndex> {
        match self.role() {
            Role::Member(gate) => Some(gate),
            Role::Hard | Role::Weak => None,
        }
    }

    /// As the dependent keeps it: where `other` is the provider.
    pub(super) fn of_provider(self) -> Packed {
        match self.role() {
            Role::Hard => Packed::hard(self.other),
            Role::Member(_) => Packed::member(self.other),
            Role::Weak => Packed::weak(self.other),
        }
    }

    /// As the provider keeps it: where `other` is the dependent.
    pub(super) fn of_dependent(self) -> Packed {
        match self.role() {
            Role::Hard => Packed::hard(self.other),
            Role::Member(gate) => Packed::member(gate.0),
            Role::Weak => Packed::weak(self.other),
        }
    }
}

/// A place and a role in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Packed(u32);

/// A part of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Run {
    Hard,
    Member,
    Weak,
}

/// Places below this fit beside a role.
pub(super) const PLACES_MAX: u32 = 1 << 30;
const MEMBER_ROLE: u32 = 1 << 30;
const WEAK_ROLE: u32 = 2 << 30;

impl Packed {
    pub fn hard(place: u32) -> Packed {
        Packed(place)
    }

    pub fn member(place: u32) -> Packed {
        Packed(place | MEMBER_ROLE)
    }

    pub fn weak(place: u32) -> Packed {
        Packed(place | WEAK_ROLE)
    }

    /// As it is kept in an image; what is no role is no packed arc.
    pub fn of_word(word: u32) -> Option<Packed> {
        (word < 3 << 30).then_some(Packed(word))
    }

    pub fn word(self) -> u32 {
        self.0
    }

    #[inline]
    pub fn place(self) -> u32 {
        self.0 & (PLACES_MAX - 1)
    }

    #[inline]
    fn role(self) -> u32 {
        self.0 & !(PLACES_MAX - 1)
    }

    /// In which part of its row it stands.
    pub fn run(self) -> Run {
        match self.role() {
            0 => Run::Hard,
            MEMBER_ROLE => Run::Member,
            _ => Run::Weak,
        }
    }

    /// The group of a member, as its provider keeps it.
    pub fn gate(self) -> Option<GateIndex> {
        (self.role() == MEMBER_ROLE).then_some(GateIndex(self.place()))
    }
}

/// One relationship as its provider sees it: whom it reaches, in the fewest words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaches {
    /// It fails this item.
    Hard(Index),
    /// It is a member of this group, and what is left decides.
    Member(GateIndex),
    /// It degrades this item.
    Weak(Index),
}

/// Whom an item's failure reaches, one relationship away: hard ones first, then groups, then weak ones. The same
/// item in the same group over several types stands there as often, one after the other.
#[derive(Clone)]
pub struct Reach<'g>(std::slice::Iter<'g, Packed>);

impl<'g> Reach<'g> {
    pub(super) fn new(arcs: &'g [Packed]) -> Reach<'g> {
        Reach(arcs.iter())
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Packed> {
        self.0.as_slice().first().copied()
    }
}

impl Default for Reach<'_> {
    fn default() -> Self {
        Reach::new(&[])
    }
}

impl Iterator for Reach<'_> {
    type Item = Reaches;

    #[inline]
    fn next(&mut self) -> Option<Reaches> {
        let arc = *self.0.next()?;
        Some(match arc.role() {
            0 => Reaches::Hard(Index(arc.place())),
            MEMBER_ROLE => Reaches::Member(GateIndex(arc.place())),
            _ => Reaches::Weak(Index(arc.place())),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Reach<'_> {}

/// A link to the provider with its label: what rows of dependencies are made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    pub link: Link,
    pub label: u32,
}

/// A row of dependencies in the overlay.
pub(super) struct Row {
    arcs: Box<[Packed]>,
    gates: Box<[u32]>,
    labels: Box<[u32]>,
}

impl Row {
    /// Of entries in order.
    pub fn new(entries: &[Entry]) -> Row {
        debug_assert!(entries.is_sorted());
        Row {
            arcs: entries.iter().map(|entry| entry.link.of_provider()).collect(),
            gates: entries.iter().map(|entry| entry.link.gate().map_or(0, |gate| gate.0)).collect(),
            labels: entries.iter().map(|entry| entry.label).collect(),
        }
    }

    pub fn view(&self) -> RowView<'_> {
        RowView { arcs: &self.arcs, kept: Kept::Overlay(self) }
    }
}

/// A row of dependencies, wherever it is kept.
#[derive(Clone, Copy)]
pub(super) struct RowView<'g> {
    pub arcs: &'g [Packed],
    pub kept: Kept<'g>,
}

/// Where the groups and labels of a row are.
#[derive(Clone, Copy)]
pub(super) enum Kept<'g> {
    Nowhere,
    Overlay(&'g Row),
    /// The labels begin at a place; the members stand in the order of the item's groups, which begin at a number.
    Base {
        base: &'g Base,
        first: usize,
        gate: u32,
    },
}

impl<'g> RowView<'g> {
    pub const EMPTY: RowView<'static> = RowView { arcs: &[], kept: Kept::Nowhere };

    pub fn links(self) -> Providers<'g> {
        let next_gate = if let Kept::Base { gate, .. } = self.kept { gate } else { 0 };
        Providers { row: self, place: 0, next_gate, left: 0 }
    }

    pub fn label(self, place: usize) -> u32 {
        match self.kept {
            Kept::Nowhere => unreachable!("an empty row has no relationships"),
            Kept::Overlay(row) => row.labels[place],
            Kept::Base { base, first, .. } => base.dependencies.label(first + place),
        }
    }

    pub fn entries(self) -> impl Iterator<Item = Entry> + use<'g> {
        self.links().enumerate().map(move |(place, link)| Entry { link, label: self.label(place) })
    }

    /// The places of the relationships with one provider outside of groups.
    pub fn ungrouped(self, provider: u32, carries: Carries) -> std::ops::Range<usize> {
        let sought = match carries {
            Carries::Hard => Packed::hard(provider),
            Carries::Weak => Packed::weak(provider),
        };
        // Members are not in order of their words, but all are greater than hard and less than weak ones.
        let start = self.arcs.partition_point(|arc| *arc < sought);
        let count = self.arcs[start..].iter().take_while(|arc| **arc == sought).count();
        start..start + count
    }
}

/// The links of a row of dependencies.
#[derive(Clone)]
pub(super) struct Providers<'g> {
    row: RowView<'g>,
    place: usize,
    next_gate: u32,
    /// Members that are left of the group before `next_gate`.
    left: usize,
}

impl Iterator for Providers<'_> {
    type Item = Link;

    #[inline]
    fn next(&mut self) -> Option<Link> {
        let arc = *self.row.arcs.get(self.place)?;
        let gate = match arc.role() {
            0 => HARD,
            MEMBER_ROLE => self.gate() + 1,
            _ => WEAK,
        };
        self.place += 1;
        Some(Link { gate, other: arc.place() })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.row.arcs.len() - self.place;
        (left, Some(left))
    }
}

impl Providers<'_> {
    fn gate(&mut self) -> u32 {
        match self.row.kept {
            Kept::Nowhere => unreachable!("an empty row has no members"),
            Kept::Overlay(row) => row.gates[self.place],
            Kept::Base { base, .. } => {
                while self.left == 0 {
                    self.left = base.gates.arcs(self.next_gate);
                    self.next_gate += 1;
                }
                self.left -= 1;
                self.next_gate - 1
            }
        }
    }
}

/// The relationships of one item in one direction, without types and confidence.
#[derive(Clone)]
pub struct Links<'g>(Side<'g>);

#[derive(Clone)]
enum Side<'g> {
    Dependents(&'g Graph, Reach<'g>),
    Dependencies(Providers<'g>),
}

impl<'g> Links<'g> {
    pub(super) fn dependents(graph: &'g Graph, arcs: &'g [Packed]) -> Links<'g> {
        Links(Side::Dependents(graph, Reach::new(arcs)))
    }

    pub(super) fn dependencies(row: RowView<'g>) -> Links<'g> {
        Links(Side::Dependencies(row.links()))
    }
}

impl Iterator for Links<'_> {
    type Item = Link;

    #[inline]
    fn next(&mut self) -> Option<Link> {
        match &mut self.0 {
            Side::Dependents(graph, reach) => Some(match reach.next()? {
                Reaches::Hard(dependent) => Link { gate: HARD, other: dependent.0 },
                Reaches::Member(gate) => Link { gate: gate.0 + 1, other: graph.slack(gate).dependent().0 },
                Reaches::Weak(dependent) => Link { gate: WEAK, other: dependent.0 },
            }),
            Side::Dependencies(providers) => providers.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Side::Dependents(_, reach) => reach.size_hint(),
            Side::Dependencies(providers) => providers.size_hint(),
        }
    }
}

impl ExactSizeIterator for Links<'_> {}
impl FusedIterator for Links<'_> {}

/// A relationship as seen from one of its ends.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Edge {
    /// The other end.
    pub other: Index,
    /// The relationship's type.
    pub kind: TypeIndex,
    /// What failure does along it.
    pub carries: Carries,
    /// The group on the dependent that it is a member of.
    pub gate: Option<GateIndex>,
    /// Observed and concluded, not declared.
    pub inferred: bool,
    /// 0 to 1.
    pub confidence: f64,
    /// It is written from the dependent to the provider.
    pub from_is_dependent: bool,
    /// Where it is in its life; never retired.
    pub status: Status,
}

/// The relationships of one item in one direction.
#[derive(Clone)]
pub struct Edges<'g> {
    links: Links<'g>,
    labelled: Labelled<'g>,
    labels: &'g Labels,
}

#[derive(Clone)]
enum Labelled<'g> {
    /// A row of dependencies, and how far it is read.
    Here(RowView<'g>, usize),
    /// The dependents of an item: labels are kept by them. The last link, and how often it stood there before.
    There(&'g Graph, Index, Option<(Link, usize)>),
}

impl<'g> Edges<'g> {
    pub(super) fn dependencies(graph: &'g Graph, row: RowView<'g>) -> Edges<'g> {
        let labelled = Labelled::Here(row, 0);
        Edges { links: Links::dependencies(row), labelled, labels: &graph.0.labels }
    }

    pub(super) fn dependents(graph: &'g Graph, provider: Index, arcs: &'g [Packed]) -> Edges<'g> {
        let labelled = Labelled::There(graph, provider, None);
        Edges { links: Links::dependents(graph, arcs), labelled, labels: &graph.0.labels }
    }

    /// Each with its label's number.
    pub(super) fn entries(mut self) -> impl Iterator<Item = Entry> + use<'g> {
        std::iter::from_fn(move || self.entry())
    }

    fn entry(&mut self) -> Option<Entry> {
        let link = self.links.next()?;
        let label = match &mut self.labelled {
            Labelled::Here(row, place) => {
                *place += 1;
                row.label(*place - 1)
            }
            Labelled::There(graph, provider, last) => {
                let before = match last {
                    Some((same, before)) if *same == link => *before + 1,
                    _ => 0,
                };
                *last = Some((link, before));
                graph.label_of(link, *provider, before)
            }
        };
        Some(Entry { link, label })
    }
}

impl Iterator for Edges<'_> {
    type Item = Edge;

    fn next(&mut self) -> Option<Edge> {
        let Entry { link, label } = self.entry()?;
        let label = self.labels.get(label);
        Some(Edge {
            other: link.other(),
            kind: label.kind,
            carries: label.carries,
            gate: link.gate(),
            inferred: label.inferred,
            confidence: label.confidence.share(),
            from_is_dependent: label.from_is_dependent,
            status: label.status,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.links.size_hint()
    }
}

impl ExactSizeIterator for Edges<'_> {}
impl FusedIterator for Edges<'_> {}
