//! What a walk writes down as it goes, kept by each thread from one question to the next.
//!
//! A question that reaches ten items of a million must not pay for tables of a million places. Invariant: between
//! questions every table is as empty as it was made, so taking one out costs nothing; what was written is known from
//! the lists beside the tables, and only that is wiped.

use std::cell::Cell;

use cmdb_core::graph::{GateIndex, Graph, Index, Units, Visited};
use rustc_hash::FxHashMap;

/// What a group has lost so far.
pub(super) type MembersLost = u32;

/// In [`Memory::touched`]: it has failed through a group since.
pub(super) const BROKEN: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Memory {
    pub failed: Visited,
    /// Everything failed, in the order in which it failed.
    pub order: Vec<Index>,
    /// Where each round begins in the order.
    pub starts: Vec<usize>,
    /// By group: members lost.
    pub lost: Vec<MembersLost>,
    /// Groups that lost something.
    pub gates: Vec<GateIndex>,
    /// The same for groups that count weights.
    pub weights: FxHashMap<GateIndex, Units>,
    /// What groups lost since a mark, of those that count weights how much: to be given back.
    pub taken: Vec<(GateIndex, Units)>,
    /// By item: the round in which a group of it first lost a member and held, counted from 1; 0: none did.
    pub touched: Vec<u32>,
    /// The items that were touched, each once, in the order in which they were.
    pub soft: Vec<Index>,
    /// The items that a weak relationship reached, as often as they were, and where each round begins.
    pub weak: Vec<Index>,
    pub weak_starts: Vec<usize>,
    /// Down only if guesses do not hold.
    pub doubtful: Visited,
    /// For a search over what failed.
    pub seen: Visited,
}

thread_local! {
    static KEPT: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
}

impl Memory {
    /// This thread's, or a new one where it is in use; large enough for the graph.
    pub fn take(graph: &Graph) -> Box<Memory> {
        let mut memory = KEPT.take().unwrap_or_default();
        memory.failed.fit(graph);
        let grown = memory.touched.len().max(graph.index_bound());
        memory.touched.resize(grown, 0);
        let grown = memory.lost.len().max(graph.gate_bound());
        memory.lost.resize(grown, 0);
        memory
    }

    /// Wipes it and leaves it for the next question of this thread.
    pub fn give_back(mut self: Box<Memory>) {
        self.wipe();
        KEPT.set(Some(self));
    }

    /// Forgets everything. Costs what was written.
    pub fn wipe(&mut self) {
        self.failed.take_out(&self.order);
        self.doubtful.take_out(&self.order);
        self.order.clear();
        self.starts.clear();
        self.weak.clear();
        self.weak_starts.clear();
        for gate in self.gates.drain(..) {
            self.lost[gate.0 as usize] = 0;
        }
        self.weights.clear();
        self.taken.clear();
        for item in self.soft.drain(..) {
            self.touched[item.0 as usize] = 0;
        }
    }
}
