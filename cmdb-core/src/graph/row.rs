//! One item's relationships in one direction, as they are stored and as they are read.
//!
//! What a walk over many needs (the other end, how failure passes) lies together; the rest is a label's number beside
//! it. Invariant: a row is in order of (other end, gate, label), so that all relationships of one item in one group
//! are neighbours.

use std::iter::FusedIterator;

use super::label::Labels;
use super::{Carries, GateIndex, Index, TypeIndex};
use crate::model::Status;

const HARD: u32 = u32::MAX;
const WEAK: u32 = u32::MAX - 1;

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
    other: u32,
    gate: u32,
}

impl Link {
    pub(super) const NOWHERE: Link = Link { other: u32::MAX, gate: HARD };

    pub(super) fn new(other: u32, carries: Carries, gate: Option<u32>) -> Link {
        let gate = match (carries, gate) {
            (Carries::Weak, _) => WEAK,
            (Carries::Hard, None) => HARD,
            (Carries::Hard, Some(gate)) => gate,
        };
        Link { other, gate }
    }

    /// The same relationship as its other end sees it.
    pub(super) fn turned(self, other: u32) -> Link {
        Link { other, gate: self.gate }
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
            gate => Role::Member(GateIndex(gate)),
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
}

/// A link with its label: what rows are made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Entry {
    pub link: Link,
    pub label: u32,
}

/// A row of the overlay.
pub(super) struct Row {
    links: Box<[Link]>,
    labels: Box<[u32]>,
}

impl Row {
    /// Of entries in order.
    pub fn new(entries: &[Entry]) -> Row {
        debug_assert!(entries.is_sorted());
        Row {
            links: entries.iter().map(|entry| entry.link).collect(),
            labels: entries.iter().map(|entry| entry.label).collect(),
        }
    }

    pub fn parts(&self) -> (&[Link], &[u32]) {
        (&self.links, &self.labels)
    }
}

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
    links: std::slice::Iter<'g, Link>,
    numbers: std::slice::Iter<'g, u32>,
    labels: &'g Labels,
}

impl<'g> Edges<'g> {
    pub(super) fn new(links: &'g [Link], numbers: &'g [u32], labels: &'g Labels) -> Edges<'g> {
        Edges { links: links.iter(), numbers: numbers.iter(), labels }
    }
}

impl Iterator for Edges<'_> {
    type Item = Edge;

    fn next(&mut self) -> Option<Edge> {
        let link = *self.links.next()?;
        let label = self.labels.get(*self.numbers.next()?);
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
