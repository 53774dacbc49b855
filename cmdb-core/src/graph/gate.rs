//! A redundancy group of one dependent: its members, and how much of them it can spare.
//!
//! A member is an item: several relationships of one item in one group are one member, whose weight is the largest
//! of theirs. Sums are made in whole units, never in floating point, so that no order of failures changes an answer.
//! Invariant: `total` follows from the members and the requirement.

use std::sync::Arc;

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
        // Only an image of an older version can hold more than fits.
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
    pub(super) fn of(gate: &Gate) -> Slack {
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

/// A group of relationships on one dependent, of which it needs some.
#[derive(Clone, PartialEq, Debug)]
pub struct Gate {
    dependent: Index,
    name: Arc<str>,
    declaration: Option<Declaration>,
    /// By provider.
    edges: Box<[GateEdge]>,
    members: u32,
    total: Units,
}

impl Gate {
    pub(super) fn new(
        dependent: Index,
        name: Arc<str>,
        declaration: Option<Declaration>,
        mut edges: Vec<GateEdge>,
    ) -> Gate {
        edges.sort_unstable();
        let mut gate = Gate {
            dependent,
            name,
            declaration,
            edges: edges.into_boxed_slice(),
            members: 0,
            total: Units(0),
        };
        gate.members = super::dense(gate.by_provider().count());
        gate.total = match gate.require() {
            Require::Capacity(_) => Units(gate.by_provider().map(|edges| heaviest(edges).0).sum()),
            _ => Units(u128::from(gate.members)),
        };
        gate
    }

    /// The item that needs the group.
    #[must_use]
    pub fn dependent(&self) -> Index {
        self.dependent
    }

    /// The group's name on its dependent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many members are needed.
    #[must_use]
    pub fn require(&self) -> Require {
        self.declaration.map_or(Require::All, |declaration| declaration.require)
    }

    /// Somebody declared it; otherwise relationships name it, and all of them are needed.
    #[must_use]
    pub fn declared(&self) -> bool {
        self.declaration.is_some()
    }

    /// It was concluded from evidence and nobody confirmed it.
    #[must_use]
    pub fn inferred(&self) -> bool {
        self.declaration.is_some_and(|declaration| declaration.inferred)
    }

    /// How sure it is, 0 to 1.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.declaration.map_or(1.0, |declaration| declaration.confidence.share())
    }

    /// Its members, by place.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.by_provider()
            .map(|edges| Member { provider: Index(edges[0].provider), weight: heaviest(edges).amount() })
    }

    /// How many members it has.
    #[must_use]
    pub fn member_count(&self) -> usize {
        self.members as usize
    }

    /// How much can be lost before the group fails its dependent: it fails when more than this is lost. In members,
    /// or in weight where a capacity is required.
    #[must_use]
    pub fn spare(&self) -> Units {
        Units(self.total.0.saturating_sub(self.needed_units().0))
    }

    /// What is lost with one of its members.
    #[must_use]
    pub fn loss(&self, member: Index) -> Units {
        match self.require() {
            Require::Capacity(_) => heaviest(self.edges_of(member)),
            _ => {
                debug_assert!(!self.edges_of(member).is_empty(), "only members are asked for");
                Units(1)
            }
        }
    }

    /// What is up after a loss, as people count it: members, or weight.
    #[must_use]
    pub fn up(&self, lost: Units) -> f64 {
        self.shown(Units(self.total.0.saturating_sub(lost.0)))
    }

    /// What must be up, as people count it: members, or weight.
    #[must_use]
    pub fn needed(&self) -> f64 {
        self.shown(self.needed_units())
    }

    /// Everything it has, as people count it: members, or weight.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.shown(self.total)
    }

    pub(super) fn declaration(&self) -> Option<Declaration> {
        self.declaration
    }

    pub(super) fn name_arc(&self) -> &Arc<str> {
        &self.name
    }

    /// Memory that it takes with its members, names aside: they are shared.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Gate>() + size_of_val(&*self.edges)
    }

    pub(super) fn edges(&self) -> &[GateEdge] {
        &self.edges
    }

    /// The relationships with one member, by label.
    pub(super) fn edges_of(&self, provider: Index) -> &[GateEdge] {
        let start = self.edges.partition_point(|edge| edge.provider < provider.0);
        let edges = &self.edges[start..];
        &edges[..edges.partition_point(|edge| edge.provider == provider.0)]
    }

    fn by_provider(&self) -> impl Iterator<Item = &[GateEdge]> {
        self.edges.chunk_by(|one, other| one.provider == other.provider)
    }

    fn needed_units(&self) -> Units {
        let members = u128::from(self.members);
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
    fn shown(&self, units: Units) -> f64 {
        match self.require() {
            Require::Capacity(_) => units.amount(),
            _ => units.0 as f64,
        }
    }
}

fn heaviest(edges: &[GateEdge]) -> Units {
    edges.iter().map(|edge| edge.weight()).max().unwrap_or_default()
}
