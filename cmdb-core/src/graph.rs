//! The live graph: who depends on whom, and how many of a group each one needs.
//!
//! It holds only what carries failure: a relationship whose type carries none stays in the store. It does not know
//! names, attributes, sources or claims, nor how failure spreads: it is the topology that algorithms walk.
//!
//! ```text
//!            ┌ overlay: rows, items and gates changed since the base was built (copy on write, paged)
//! Graph ─Arc─┤
//!            └ base: compressed sparse rows, both directions, dense u32 indexes
//! ```
//!
//! [`Graph::apply`] turns a commit's deltas into the next snapshot without a rebuild; readers keep the one that they
//! hold. When the overlay outgrows [`OVERLAY_ENTRIES_MIN`] and its share of the base, it is folded in: by the same call,
//! or on a thread of its own by a [`Folder`], where somebody waits for the commit.
//!
//! Invariant: a graph is a function of the last delta said of each item, each relationship and each item's groups,
//! however these arrived: `apply` one by one equals `build` from nothing. Both directions hold the same relationships.
//! An [`Index`], [`GateIndex`] or [`TypeIndex`] means something in the snapshot that gave it, and in no other.

mod assemble;
mod base;
mod building;
mod compact;
mod edit;
mod fold;
mod gate;
mod gates;
mod image;
mod label;
mod numbers;
mod order;
mod paged;
mod parts;
mod rings;
mod row;
#[cfg(test)]
mod tests;
mod visit;

use std::fmt;
use std::sync::Arc;

pub use building::Building;
pub use fold::Folder;
pub use gate::{Gate, Member, Slack, Units};
pub use rings::Rings;
pub use row::{Edge, Edges, Link, Links, Reach, Reaches, Role};
pub use visit::{AllNeeds, Need, Needs, Neighbours, Visited};

use crate::model::{ItemId, Require, Revision, Status};
use base::Base;
use gate::OverlayGate;
use label::{Labels, Names};
use paged::Paged;
use parts::Parts;
use row::{Packed, Row, RowView};

/// The overlay is folded into the base when it holds more entries than this and more than a share of the base.
pub const OVERLAY_ENTRIES_MIN: usize = 4_096;
/// The overlay is folded in when it holds more entries than the base's items divided by this.
pub const OVERLAY_SHARE: usize = 8;

/// An item's place in one snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Index(pub u32);

/// A redundancy group's place in one snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GateIndex(pub u32);

/// A relationship type's place in one snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TypeIndex(pub u32);

/// What a failed provider does to its dependent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Carries {
    /// It fails it, unless a group spares the provider.
    Hard,
    /// It degrades it, and never more.
    Weak,
}

/// One thing that a commit changed. The order within a commit matters only between deltas about the same thing:
/// the last one counts.
#[derive(Clone, PartialEq, Debug)]
pub enum Delta {
    /// An item is new, or its class or status is another one.
    Item {
        /// The item.
        id: ItemId,
        /// Its class.
        class: Arc<str>,
        /// A retired item's relationships count for nothing until it returns.
        status: Status,
    },
    /// A relationship is new, changed or gone. One of a type, in one direction, exists between two items.
    Edge {
        /// The end that failure reaches.
        dependent: ItemId,
        /// The end that it comes from.
        provider: ItemId,
        /// The relationship's type.
        kind: Arc<str>,
        /// It is written from the dependent to the provider.
        from_is_dependent: bool,
        /// How it stands now; none: gone.
        after: Option<EdgeState>,
    },
    /// All groups declared on an item; those declared before and not named here are declared no more.
    Groups {
        /// The item.
        dependent: ItemId,
        /// Its groups. Of several of one name the last counts.
        groups: Vec<GroupState>,
    },
}

/// How a relationship stands.
#[derive(Clone, PartialEq, Debug)]
pub struct EdgeState {
    /// What failure does along it.
    pub carries: Carries,
    /// The group on the dependent that it is a member of. A weak relationship is a member of none: it could
    /// neither fail nor hold a group.
    pub group: Option<Arc<str>>,
    /// Its share of a capacity group. Kept to a millionth; what is negative or no number is 0.
    pub weight: f64,
    /// Observed and concluded, not declared.
    pub inferred: bool,
    /// 0 to 1. Kept to a thousandth.
    pub confidence: f64,
    /// A retired relationship is as good as gone.
    pub status: Status,
}

/// A redundancy group as it is declared. Relationships may name a group that nobody declares: it needs all of them.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupState {
    /// Its name on the dependent.
    pub name: Arc<str>,
    /// How many members are needed.
    pub require: Require,
    /// Concluded from evidence and not confirmed.
    pub inferred: bool,
    /// 0 to 1. Kept to a thousandth.
    pub confidence: f64,
}

/// Bytes of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Footprint {
    /// Rows of relationships in both directions, with their types and groups, and what a walk needs of groups.
    pub topology: usize,
    /// Items, their places, and what people say about groups.
    pub rest: usize,
}

/// One snapshot of the live graph. A clone is the same snapshot and costs nothing.
#[derive(Clone)]
pub struct Graph(Arc<Snapshot>);

#[derive(Clone)]
struct Snapshot {
    revision: Revision,
    base: Arc<Base>,
    overlay: Overlay,
    labels: Arc<Labels>,
    classes: Arc<Names>,
    /// Item indexes in use, base and overlay.
    indexes: u32,
    /// Gate indexes in use, base and overlay; some may be of groups that are no more.
    gates: u32,
    items: usize,
    relationships: usize,
}

/// What differs from the base. An entry replaces the base's as a whole.
#[derive(Clone, Default)]
struct Overlay {
    index_of: Paged<u32>,
    items: Paged<Node>,
    dependents: Paged<Arc<[Packed]>>,
    dependencies: Paged<Arc<Row>>,
    gates: Paged<Arc<OverlayGate>>,
    gates_of: Paged<Arc<[u32]>>,
    /// Relationships that wait because an end is retired or not known yet, under both of their ends. Not part of the
    /// base: folding carries them over.
    waiting: Paged<Arc<[Waiting]>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Node {
    id: ItemId,
    class: u32,
    status: Status,
}

/// A relationship with an end that does not count.
#[derive(Clone, PartialEq, Debug)]
struct Waiting {
    dependent: u32,
    provider: u32,
    label: u32,
    group: Option<Arc<str>>,
    weight: Units,
}

impl Overlay {
    /// Entries that lookups must look past and that folding removes.
    fn entries(&self) -> usize {
        self.items.len() + self.dependents.len() + self.dependencies.len() + self.gates.len()
    }
}

impl Default for Graph {
    fn default() -> Self {
        Graph::empty()
    }
}

impl Graph {
    /// The graph without items, at revision 0.
    #[must_use]
    pub fn empty() -> Graph {
        Parts::new(Arc::default(), Arc::default()).assemble(Revision(0))
    }

    /// The graph that these deltas make, from nothing.
    #[must_use]
    pub fn build(revision: Revision, deltas: impl Iterator<Item = Delta>) -> Graph {
        let mut graph = Building::default();
        deltas.for_each(|delta| graph.add(delta));
        graph.finish(revision)
    }

    /// The snapshot after one more commit. Costs what the commit touches, and a rebuild where the overlay is full.
    #[must_use]
    pub fn apply(&self, revision: Revision, deltas: Vec<Delta>) -> Graph {
        if deltas.len() > self.overlay_limit() {
            let mut parts = Parts::of(self);
            parts.absorb(deltas.into_iter());
            return parts.assemble(revision);
        }
        let next = edit::apply(self, revision, deltas);
        if next.0.overlay.entries() > next.overlay_limit() { next.folded() } else { next }
    }

    /// The same snapshot with an empty overlay. Indexes of items stay; those of groups do not.
    #[must_use]
    pub fn folded(&self) -> Graph {
        compact::folded(self)
    }

    fn overlay_limit(&self) -> usize {
        OVERLAY_ENTRIES_MIN.max(self.0.base.nodes.len() / OVERLAY_SHARE)
    }

    /// The commit that this snapshot holds.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.0.revision
    }

    /// Where an item stands; none: no delta ever named it. Retired items have a place too.
    #[must_use]
    pub fn index(&self, id: ItemId) -> Option<Index> {
        let place = usize::try_from(id.0).ok()?;
        let known = self.0.overlay.index_of.get(place).or_else(|| self.0.base.index_of.get(place));
        known.copied().filter(|index| *index != base::ABSENT).map(Index)
    }

    /// The item at a place.
    #[must_use]
    pub fn id(&self, index: Index) -> ItemId {
        self.node(index).id
    }

    /// Its class; empty for an item that only relationships have named so far.
    #[must_use]
    pub fn class(&self, index: Index) -> &str {
        self.0.classes.name(self.node(index).class)
    }

    /// Where it is in its life; an item that only relationships have named so far counts as retired.
    #[must_use]
    pub fn status(&self, index: Index) -> Status {
        self.node(index).status
    }

    /// Items that are not retired.
    #[must_use]
    pub fn item_count(&self) -> usize {
        self.0.items
    }

    /// Relationships that carry failure between items that are not retired.
    #[must_use]
    pub fn relationship_count(&self) -> usize {
        self.0.relationships
    }

    /// All indexes are below this; retired items are among them. The length for a table by index.
    #[must_use]
    pub fn index_bound(&self) -> usize {
        self.0.indexes as usize
    }

    /// All gate indexes are below this. The length for a table by gate.
    #[must_use]
    pub fn gate_bound(&self) -> usize {
        self.0.gates as usize
    }

    /// Every item's place, retired ones included.
    pub fn indexes(&self) -> impl Iterator<Item = Index> + use<> {
        (0..self.0.indexes).map(Index)
    }

    /// The relationships over which others depend on this item: `other` is the dependent. Hard ones first, then
    /// members by group, then weak ones. Types are looked up with each dependent.
    #[must_use]
    pub fn dependents(&self, index: Index) -> Edges<'_> {
        Edges::dependents(self, index, self.dependent_row(index))
    }

    /// The relationships over which this item depends on others: `other` is the provider. In the same order.
    #[must_use]
    pub fn dependencies(&self, index: Index) -> Edges<'_> {
        Edges::dependencies(self, self.dependency_row(index))
    }

    /// [`dependents`](Graph::dependents) without types and confidence, for walks over many.
    #[must_use]
    pub fn dependent_links(&self, index: Index) -> Links<'_> {
        Links::dependents(self, self.dependent_row(index))
    }

    /// [`dependencies`](Graph::dependencies) without types and confidence, for walks over many.
    #[must_use]
    pub fn dependency_links(&self, index: Index) -> Links<'_> {
        Links::dependencies(self.dependency_row(index))
    }

    /// Whom an item's failure reaches: [`dependents`](Graph::dependents) as they lie in memory.
    #[inline]
    #[must_use]
    pub fn reach(&self, index: Index) -> Reach<'_> {
        Reach::new(self.dependent_row(index))
    }

    /// Whom an item could fail, redundancy set aside: its dependents over relationships that are not weak, as often as
    /// there are such.
    #[inline]
    pub fn could_fail(&self, index: Index) -> impl Iterator<Item = Index> {
        self.reach(index).filter_map(|arc| match arc {
            Reaches::Hard(dependent) => Some(dependent),
            Reaches::Member(gate) => Some(self.slack(gate).dependent()),
            Reaches::Weak(_) => None,
        })
    }

    /// [`reach`](Graph::reach) of several items, whose rows are fetched from memory together and not one after the
    /// other: a walk over many waits for little else.
    #[inline]
    pub fn read_ahead<'g>(&'g self, items: &[Index], rows: &mut [Reach<'g>]) {
        for (item, row) in items.iter().zip(rows.iter_mut()) {
            *row = self.reach(*item);
        }
        for row in &rows[..items.len()] {
            std::hint::black_box(row.first());
        }
    }

    /// What a walk over many needs of a group.
    #[inline]
    #[must_use]
    pub fn slack(&self, gate: GateIndex) -> Slack {
        match self.0.overlay.gates.get(gate.0 as usize) {
            Some(gate) => Slack::of(gate.gate()),
            None => self.0.base.gates.slacks[gate.0 as usize],
        }
    }

    /// A group of an item.
    #[must_use]
    pub fn gate(&self, gate: GateIndex) -> Gate<'_> {
        match self.0.overlay.gates.get(gate.0 as usize) {
            Some(gate) => gate.gate(),
            None => self.0.base.gate(gate.0),
        }
    }

    /// The groups of an item: those declared on it and those that its relationships name.
    pub fn gates(&self, dependent: Index) -> impl Iterator<Item = (GateIndex, Gate<'_>)> {
        self.gate_list(dependent).iter().map(|gate| (GateIndex(*gate), self.gate(GateIndex(*gate))))
    }

    /// The name of a relationship type.
    #[must_use]
    pub fn type_name(&self, kind: TypeIndex) -> &str {
        self.0.labels.kind(kind)
    }

    /// The memory of the base. What the overlay holds is small beside it.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        self.0.base.footprint()
    }

    fn node(&self, index: Index) -> Node {
        match self.0.overlay.items.get(index.0 as usize) {
            Some(node) => *node,
            None => self.0.base.nodes[index.0 as usize],
        }
    }

    #[inline]
    fn dependent_row(&self, index: Index) -> &[Packed] {
        match self.0.overlay.dependents.get(index.0 as usize) {
            Some(row) => row,
            None => self.0.base.dependents.row(index.0),
        }
    }

    fn dependency_row(&self, index: Index) -> RowView<'_> {
        match self.0.overlay.dependencies.get(index.0 as usize) {
            Some(row) => row.view(),
            None => self.0.base.dependency_row(index.0),
        }
    }

    /// The label of a relationship that its provider sees, which stood there so often before.
    fn label_of(&self, link: Link, provider: Index, before: usize) -> u32 {
        let carries = match link.role() {
            Role::Member(gate) => {
                let edge = self.gate(gate).edges_of(provider).nth(before);
                return edge.expect("both directions hold the same relationships").label;
            }
            Role::Hard => Carries::Hard,
            Role::Weak => Carries::Weak,
        };
        let row = self.dependency_row(link.other());
        row.label(row.ungrouped(provider.0, carries).start + before)
    }

    fn gate_list(&self, dependent: Index) -> &[u32] {
        match self.0.overlay.gates_of.get(dependent.0 as usize) {
            Some(gates) => gates,
            None => self.0.base.gates.of(dependent.0),
        }
    }

    fn waiting(&self, index: Index) -> &[Waiting] {
        self.0.overlay.waiting.get(index.0 as usize).map_or(&[], |waiting| waiting)
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph")
            .field("revision", &self.0.revision)
            .field("items", &self.0.items)
            .field("relationships", &self.0.relationships)
            .field("overlay_entries", &self.0.overlay.entries())
            .finish()
    }
}

/// A count as an index. A graph is refused nothing below four thousand million relationships.
fn dense(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 relationships")
}

/// A count of items or groups as an index: two bits of a word are kept for other things.
fn place(count: usize) -> u32 {
    let place = u32::try_from(count).ok().filter(|place| *place <= row::PLACES_MAX);
    place.expect("at most 2^30 items and as many groups")
}
