//! Which items lie on a cycle together: the strongly connected components, without recursion.
//!
//! Source: R. E. Tarjan, "Depth-first search and linear graph algorithms" (1972), with the stack of calls kept in a
//! list. Invariant: a component is numbered once everything that it reaches is.

use cmdb_core::graph::{Graph, Index, Reach, Reaches};

const UNSEEN: u32 = u32::MAX;

/// The component of each item, and how many items each has. What a component reaches has a lower number.
pub(super) fn places(graph: &Graph) -> (Vec<u32>, Vec<u32>) {
    let bound = graph.index_bound();
    let mut search = Search {
        graph,
        place_of: vec![UNSEEN; bound],
        low: vec![0; bound],
        sizes: Vec::new(),
        open: Vec::new(),
        calls: Vec::new(),
        met: 0,
    };
    for item in graph.indexes() {
        if search.low[item.0 as usize] == 0 {
            search.from(item);
        }
    }
    (search.place_of, search.sizes)
}

struct Search<'g> {
    graph: &'g Graph,
    place_of: Vec<u32>,
    /// The earliest item of an open component that is known to be reached, by when it was met, from 1; 0: not met yet.
    low: Vec<u32>,
    sizes: Vec<u32>,
    /// Met, and in no component yet.
    open: Vec<Index>,
    calls: Vec<Call<'g>>,
    met: u32,
}

struct Call<'g> {
    item: Index,
    met: u32,
    left: Reach<'g>,
}

impl<'g> Search<'g> {
    fn meet(&mut self, item: Index) {
        self.met += 1;
        self.low[item.0 as usize] = self.met;
        self.open.push(item);
        self.calls.push(Call { item, met: self.met, left: self.graph.reach(item) });
    }

    fn from(&mut self, item: Index) {
        self.meet(item);
        while let Some(call) = self.calls.last_mut() {
            let item = call.item;
            match call.left.next() {
                Some(Reaches::Weak(_)) => {}
                Some(Reaches::Hard(dependent)) => self.arc(item, dependent),
                Some(Reaches::Member(gate)) => {
                    let dependent = self.graph.slack(gate).dependent();
                    self.arc(item, dependent);
                }
                None => self.leave(),
            }
        }
    }

    fn arc(&mut self, item: Index, dependent: Index) {
        let low = self.low[dependent.0 as usize];
        if low == 0 {
            self.meet(dependent);
        } else if self.place_of[dependent.0 as usize] == UNSEEN {
            let own = &mut self.low[item.0 as usize];
            *own = (*own).min(low);
        }
    }

    fn leave(&mut self) {
        let Some(Call { item, met, .. }) = self.calls.pop() else { return };
        let low = self.low[item.0 as usize];
        if low == met {
            self.close(item);
        } else if let Some(caller) = self.calls.last() {
            let own = &mut self.low[caller.item.0 as usize];
            *own = (*own).min(low);
        }
    }

    fn close(&mut self, first: Index) {
        let place = super::number(self.sizes.len());
        let mut size = 0;
        while let Some(item) = self.open.pop() {
            self.place_of[item.0 as usize] = place;
            size += 1;
            if item == first {
                break;
            }
        }
        self.sizes.push(size);
    }
}
