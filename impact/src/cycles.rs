//! What lies on a cycle together: the strongly connected components, without recursion.
//!
//! Of anything that is numbered and has arcs. Source: R. E. Tarjan, "Depth-first search and linear graph algorithms"
//! (1972), with the stack of calls kept in a list. Invariant: a component is numbered once everything that it reaches is.

use crate::progress::Progress;

const UNSEEN: u32 = u32::MAX;
/// Places met between two looks whether to go on.
const MET_AT_ONCE: u32 = 1 << 14;

/// Which component each place is in, and how many places each has. What a component reaches has a lower number.
pub(crate) struct Components {
    pub of: Vec<u32>,
    pub sizes: Vec<u32>,
}

impl Components {
    /// Of `count` places; `arcs` leads on from each. None: it was cancelled. Linear in places and arcs.
    pub fn of<A: Iterator<Item = u32>>(
        count: usize,
        arcs: impl Fn(u32) -> A,
        progress: &Progress,
    ) -> Option<Components> {
        let mut search = Search {
            arcs,
            progress,
            component_of: vec![UNSEEN; count],
            low: vec![0; count],
            sizes: Vec::new(),
            open: Vec::new(),
            calls: Vec::new(),
            met: 0,
        };
        for place in 0..crate::number(count) {
            if search.low[place as usize] == 0 {
                search.from(place)?;
            }
        }
        progress.advance(u64::from(search.met % MET_AT_ONCE));
        Some(Components { of: search.component_of, sizes: search.sizes })
    }

    /// The places of each component.
    pub fn members(&self) -> Vec<Vec<u32>> {
        let mut members: Vec<Vec<u32>> =
            self.sizes.iter().map(|size| Vec::with_capacity(*size as usize)).collect();
        for (place, component) in (0..).zip(&self.of) {
            members[*component as usize].push(place);
        }
        members
    }
}

struct Search<'p, A, F> {
    arcs: F,
    progress: &'p Progress,
    component_of: Vec<u32>,
    /// The earliest place of an open component that is known to be reached, by when it was met, from 1; 0: not met yet.
    low: Vec<u32>,
    sizes: Vec<u32>,
    /// Met, and in no component yet.
    open: Vec<u32>,
    calls: Vec<Call<A>>,
    met: u32,
}

struct Call<A> {
    place: u32,
    met: u32,
    left: A,
}

impl<A: Iterator<Item = u32>, F: Fn(u32) -> A> Search<'_, A, F> {
    fn meet(&mut self, place: u32) {
        self.met += 1;
        self.low[place as usize] = self.met;
        self.open.push(place);
        let left = (self.arcs)(place);
        self.calls.push(Call { place, met: self.met, left });
    }

    /// None: it was cancelled.
    fn from(&mut self, place: u32) -> Option<()> {
        self.meet(place);
        while let Some(call) = self.calls.last_mut() {
            let place = call.place;
            match call.left.next() {
                Some(other) => self.arc(place, other)?,
                None => self.leave(),
            }
        }
        Some(())
    }

    fn arc(&mut self, place: u32, other: u32) -> Option<()> {
        let low = self.low[other as usize];
        if low == 0 {
            self.meet(other);
            if self.met.is_multiple_of(MET_AT_ONCE) {
                self.progress.advance(u64::from(MET_AT_ONCE));
                return (!self.progress.is_cancelled()).then_some(());
            }
        } else if self.component_of[other as usize] == UNSEEN {
            let own = &mut self.low[place as usize];
            *own = (*own).min(low);
        }
        Some(())
    }

    fn leave(&mut self) {
        let Some(Call { place, met, .. }) = self.calls.pop() else { return };
        let low = self.low[place as usize];
        if low == met {
            self.close(place);
        } else if let Some(caller) = self.calls.last() {
            let own = &mut self.low[caller.place as usize];
            *own = (*own).min(low);
        }
    }

    fn close(&mut self, first: u32) {
        let component = crate::number(self.sizes.len());
        let mut size = 0;
        while let Some(place) = self.open.pop() {
            self.component_of[place as usize] = component;
            size += 1;
            if place == first {
                break;
            }
        }
        self.sizes.push(size);
    }
}
