//! A redundancy group of one dependent: its members, and how much of them it can spare.
//!
//! A member is an item: several relationships of one item in one group are one member, whose weight is the largest
//! of theirs. Sums are made in whole units, never in floating point, so that no order of failures changes an answer.
//! Invariant: a [`Sum`] follows from the members and the requirement.

use std::fmt;
use std::sync::Arc;

use super::base::Dependencies;
use super::label::Thousandths;
use super::row::PLACES_MAX;
use super::{GroupState, Index};
use crate::model::Require;

/// Units per 1: weights and capacities are kept to a millionth.
const UNITS_PER_ONE: f64 = 1_000_000.0;
/// A percentage in units, of the whole.
const UNITS_PER_WHOLE: u128 = 100_000_000;

/// An exact amount: members, or millionths of a weight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Units(pub u128);

impl Units {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits before"
    )]
    pub(super) fn of(amount: f64) -> Units {
        // 10^12 of any unit: one weight fits in 64 bits, and the sum of 2^32 members stays far below the range.
        let amount = if amount.is_nan() { 0.0 } else { amount.clamp(0.0, 1e12) };
        Units((amount * UNITS_PER_ONE).round() as u128)
    }

    #[expect(clippy::cast_precision_loss, reason = "for people; answers are made of units")]
    fn amount(self) -> f64 {
        self.0 as f64 / UNITS_PER_ONE
    }
}

/// One item in a group.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Member {
    /// The provider.
    pub provider: Index,
    /// Its share of the capacity.
    pub weight: f64,
}

/// One relationship in a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct GateEdge {
    pub provider: u32,
    pub label: u32,
    weight: u64,
}

impl GateEdge {
    pub fn new(provider: u32, label: u32, weight: Units) -> GateEdge {
        // Only an image that was tampered with can hold more than fits.
        GateEdge { provider, label, weight: u64::try_from(weight.0).unwrap_or(u64::MAX) }
    }

    pub fn weight(self) -> Units {
        Units(u128::from(self.weight))
    }
}

/// What a walk over many needs of a group, in one word of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slack {
    /// The dependent, and two flags in the bits above.
    dependent: u32,
    spare: u16,
    arcs: u16,
}

const INFERRED: u32 = 1 << 30;
/// What is spared is not counted in members, or is more than fits.
const WEIGHED: u32 = 1 << 31;

impl Slack {
    pub(super) fn of(gate: Gate<'_>) -> Slack {
        let counted = !matches!(gate.require(), Require::Capacity(_));
        let spare = u16::try_from(gate.spare().0).ok().filter(|_| counted);
        let mut dependent = gate.dependent.0;
        if gate.inferred() {
            dependent |= INFERRED;
        }
        if spare.is_none() {
            dependent |= WEIGHED;
        }
        let arcs = u16::try_from(gate.edges.len()).unwrap_or(u16::MAX);
        Slack { dependent, spare: spare.unwrap_or_default(), arcs }
    }

    /// The item that needs the group.
    #[inline]
    #[must_use]
    pub fn dependent(self) -> Index {
        Index(self.dependent & (PLACES_MAX - 1))
    }

    /// It was concluded from evidence and nobody confirmed it.
    #[inline]
    #[must_use]
    pub fn inferred(self) -> bool {
        self.dependent & INFERRED != 0
    }

    /// How many members can be lost; none: ask the [`Gate`], which may count weights.
    #[inline]
    #[must_use]
    pub fn members(self) -> Option<u32> {
        (self.dependent & WEIGHED == 0).then_some(u32::from(self.spare))
    }

    /// How many relationships it has; none: more than are kept here.
    pub(super) fn arcs(self) -> Option<usize> {
        (self.arcs < u16::MAX).then_some(usize::from(self.arcs))
    }
}

/// What is said of a group; nothing said means that all members are needed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Declaration {
    pub require: Require,
    pub inferred: bool,
    pub confidence: Thousandths,
}

impl Declaration {
    pub fn of(state: &GroupState) -> Declaration {
        Declaration {
            require: state.require,
            inferred: state.inferred,
            confidence: Thousandths::of(state.confidence),
        }
    }
}

/// What the members of a group add up to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Sum {
    members: u32,
    total: Units,
}

impl Sum {
    /// Of relationships in order of their providers.
    pub fn of(declaration: Option<Declaration>, edges: impl Iterator<Item = GateEdge>) -> Sum {
        let (mut members, mut total, mut last) = (0, 0, None);
        let mut heaviest = 0;
        for edge in edges {
            if last.replace(edge.provider) != Some(edge.provider) {
                members += 1;
                total += std::mem::take(&mut heaviest);
            }
            heaviest = heaviest.max(edge.weight().0);
        }
        let total = match require(declaration) {
            Require::Capacity(_) => Units(total + heaviest),
            _ => Units(u128::from(members)),
        };
        Sum { members, total }
    }
}

fn require(declaration: Option<Declaration>) -> Require {
    declaration.map_or(Require::All, |declaration| declaration.require)
}

/// A group that was touched since the base was built.
pub(super) struct OverlayGate {
    dependent: Index,
    name: Arc<str>,
    declaration: Option<Declaration>,
    /// By provider.
    edges: Box<[GateEdge]>,
    sum: Sum,
}

impl OverlayGate {
    pub fn new(
        dependent: Index,
        name: Arc<str>,
        declaration: Option<Declaration>,
        mut edges: Vec<GateEdge>,
    ) -> OverlayGate {
        edges.sort_unstable();
        let sum = Sum::of(declaration, edges.iter().copied());
        OverlayGate { dependent, name, declaration, edges: edges.into_boxed_slice(), sum }
    }

    pub fn gate(&self) -> Gate<'_> {
        let edges = GateEdges::Overlay(&self.edges);
        Gate {
            dependent: self.dependent,
            name: &self.name,
            declaration: self.declaration,
            edges,
            sum: self.sum,
        }
    }
}

/// The relationships of a group, wherever they are kept; by provider, and then by label.
#[derive(Clone, Copy)]
pub(super) enum GateEdges<'g> {
    Overlay(&'g [GateEdge]),
    /// So many from a place on.
    Base(&'g Dependencies, usize, usize),
}

impl<'g> GateEdges<'g> {
    pub fn len(self) -> usize {
        match self {
            GateEdges::Overlay(edges) => edges.len(),
            GateEdges::Base(_, _, length) => length,
        }
    }

    fn get(self, place: usize) -> GateEdge {
        match self {
            GateEdges::Overlay(edges) => edges[place],
            GateEdges::Base(rows, first, _) => rows.gate_edge(first + place),
        }
    }

    fn provider(self, place: usize) -> u32 {
        match self {
            GateEdges::Overlay(edges) => edges[place].provider,
            GateEdges::Base(rows, first, _) => rows.provider(first + place),
        }
    }

    pub fn iter(self) -> impl Iterator<Item = GateEdge> + use<'g> {
        (0..self.len()).map(move |place| self.get(place))
    }

    /// The relationships with one member, by label.
    fn with(self, provider: Index) -> impl Iterator<Item = GateEdge> + use<'g> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.provider(middle) < provider.0 { low = middle + 1 } else { high = middle }
        }
        (low..self.len())
            .map(move |place| self.get(place))
            .take_while(move |edge| edge.provider == provider.0)
    }
}

/// A group of relationships on one dependent, of which it needs some: as it stands in one snapshot.
#[derive(Clone, Copy)]
pub struct Gate<'g> {
    dependent: Index,
    name: &'g Arc<str>,
    declaration: Option<Declaration>,
    edges: GateEdges<'g>,
    sum: Sum,
}

impl fmt::Debug for Gate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("dependent", &self.dependent)
            .field("name", &self.name)
            .field("declaration", &self.declaration)
            .field("members", &self.members().collect::<Vec<_>>())
            .finish()
    }
}

impl<'g> Gate<'g> {
    pub(super) fn of_base(
        dependent: Index,
        name: &'g Arc<str>,
        declaration: Option<Declaration>,
        edges: GateEdges<'g>,
        sum: Option<Sum>,
    ) -> Gate<'g> {
        let sum = sum.unwrap_or_else(|| Sum::of(declaration, edges.iter()));
        Gate { dependent, name, declaration, edges, sum }
    }

    /// The item that needs the group.
    #[must_use]
    pub fn dependent(self) -> Index {
        self.dependent
    }

    /// The group's name on its dependent.
    #[must_use]
    pub fn name(self) -> &'g str {
        self.name
    }

    /// How many members are needed.
    #[must_use]
    pub fn require(self) -> Require {
        require(self.declaration)
    }

    /// Somebody declared it; otherwise relationships name it, and all of them are needed.
    #[must_use]
    pub fn declared(self) -> bool {
        self.declaration.is_some()
    }

    /// It was concluded from evidence and nobody confirmed it.
    #[must_use]
    pub fn inferred(self) -> bool {
        self.declaration.is_some_and(|declaration| declaration.inferred)
    }

    /// How sure it is, 0 to 1.
    #[must_use]
    pub fn confidence(self) -> f64 {
        self.declaration.map_or(1.0, |declaration| declaration.confidence.share())
    }

    /// Its members, by place.
    pub fn members(self) -> impl Iterator<Item = Member> + use<'g> {
        let mut edges = self.edges.iter().peekable();
        std::iter::from_fn(move || {
            let first = edges.next()?;
            let mut weight = first.weight();
            while let Some(edge) = edges.next_if(|edge| edge.provider == first.provider) {
                weight = weight.max(edge.weight());
            }
            Some(Member { provider: Index(first.provider), weight: weight.amount() })
        })
    }

    /// How many members it has.
    #[must_use]
    pub fn member_count(self) -> usize {
        self.sum.members as usize
    }

    /// How much can be lost before the group fails its dependent: it fails when more than this is lost. In members,
    /// or in weight where a capacity is required.
    #[must_use]
    pub fn spare(self) -> Units {
        Units(self.sum.total.0.saturating_sub(self.needed_units().0))
    }

    /// What is lost with one of its members.
    #[must_use]
    pub fn loss(self, member: Index) -> Units {
        match self.require() {
            Require::Capacity(_) => self.edges_of(member).map(GateEdge::weight).max().unwrap_or_default(),
            _ => {
                debug_assert!(self.edges_of(member).next().is_some(), "only members are asked for");
                Units(1)
            }
        }
    }

    /// What is up after a loss, as people count it: members, or weight.
    #[must_use]
    pub fn up(self, lost: Units) -> f64 {
        self.shown(Units(self.sum.total.0.saturating_sub(lost.0)))
    }

    /// What must be up, as people count it: members, or weight.
    #[must_use]
    pub fn needed(self) -> f64 {
        self.shown(self.needed_units())
    }

    /// Everything it has, as people count it: members, or weight.
    #[must_use]
    pub fn total(self) -> f64 {
        self.shown(self.sum.total)
    }

    pub(super) fn declaration(self) -> Option<Declaration> {
        self.declaration
    }

    pub(super) fn name_arc(self) -> &'g Arc<str> {
        self.name
    }

    pub(super) fn edges(self) -> GateEdges<'g> {
        self.edges
    }

    pub(super) fn sum(self) -> Sum {
        self.sum
    }

    /// The relationships with one member, by label.
    pub(super) fn edges_of(self, provider: Index) -> impl Iterator<Item = GateEdge> + use<'g> {
        self.edges.with(provider)
    }

    /// The weight of one relationship.
    pub(super) fn weight_of(self, provider: u32, label: u32) -> Units {
        let mut edges = self.edges_of(Index(provider));
        edges.find(|edge| edge.label == label).map_or(Units::default(), GateEdge::weight)
    }

    fn needed_units(self) -> Units {
        let members = u128::from(self.sum.members);
        match self.require() {
            Require::All => Units(members),
            Require::Any => Units(members.min(1)),
            Require::AtLeast(number) => Units(u128::from(number)),
            // In whole units: 7 % of 100 must be 7, and in floating point it is a little more.
            Require::Percent(share) => Units((Units::of(share).0 * members).div_ceil(UNITS_PER_WHOLE)),
            Require::Capacity(capacity) => Units::of(capacity),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "for people; answers are made of units")]
    fn shown(self, units: Units) -> f64 {
        match self.require() {
            Require::Capacity(_) => units.amount(),
            _ => units.0 as f64,
        }
    }
}
