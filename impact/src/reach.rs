//! Blast radius: how many items an item's failure could reach, redundancy set aside.
//!
//! What lies on one cycle reaches the same, so cycles are made one place, and of several relationships between two
//! places one is kept. In what is left, everything is reached in one direction of the numbers: a count follows rows
//! that are shorter and closer together than the graph's, and all counts are made in one sweep for each
//! [`LANES`] places at once.
//!
//! ```text
//! graph ─ cycles made one, parallels made one ─→ Condensed ─┬─ count(item)       one search
//!                                                           ├─ counts_of(items)  some, together
//!                                                           └─ counts()          every item, exact
//! ```
//!
//! Weak relationships fail nothing and do not count; nor does the item itself. Invariant: `count(item)` is the number of
//! items that fail with it where everybody needs everything.

mod all;
mod order;
mod some;
#[cfg(test)]
mod tests;

use cmdb_core::graph::{Graph, Index};

use crate::cycles::Components;
use crate::number;
use crate::progress::Progress;

pub use all::LANES;

/// Who depends on whom, without cycles and repetitions. Of one snapshot.
pub struct Condensed {
    /// The place of each item. Whatever a place reaches has a lower number.
    place_of: Vec<u32>,
    /// Items in each place.
    sizes: Vec<u32>,
    /// A bit for each place of several items: few are, and a search that looks at these misses no cache.
    several: Vec<u64>,
    dependents: Rows,
    providers: Rows,
}

/// Memory of a count, kept from one to the next.
#[derive(Default)]
pub struct Counter {
    seen: Vec<u64>,
    order: Vec<u32>,
}

struct Rows {
    offsets: Vec<u32>,
    arcs: Vec<u32>,
}

impl Rows {
    #[inline]
    fn row(&self, place: u32) -> &[u32] {
        let place = place as usize;
        &self.arcs[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }
}

impl Condensed {
    /// Linear in the graph. None: it was cancelled.
    #[must_use]
    pub fn of(graph: &Graph, progress: &Progress) -> Option<Condensed> {
        // Each item is met three times: when cycles are looked for, layers, and its relationships are gathered.
        progress.begin("condensing the graph", 3 * graph.index_bound() as u64);
        let fails = |item| graph.could_fail(Index(item)).map(|dependent| dependent.0);
        let components = Components::of(graph.index_bound(), fails, progress)?;
        let Components { of: place_of, sizes } = order::layered(components, fails, progress)?;
        let members = members(&place_of, &sizes);
        let mut dependents = Rows { offsets: vec![0], arcs: Vec::new() };
        let mut met = vec![u32::MAX; sizes.len()];
        for place in 0..number(sizes.len()) {
            let start = dependents.arcs.len();
            if place % PLACES_AT_ONCE == 0 && progress.is_cancelled() {
                return None;
            }
            progress.advance(u64::from(sizes[place as usize]));
            met[place as usize] = place;
            for item in members.row(place) {
                for dependent in fails(*item) {
                    let other = place_of[dependent as usize];
                    if std::mem::replace(&mut met[other as usize], place) != place {
                        dependents.arcs.push(other);
                    }
                }
            }
            dependents.arcs[start..].sort_unstable();
            dependents.offsets.push(number(dependents.arcs.len()));
        }
        let providers = turned(&dependents);
        let mut several = vec![0; sizes.len().div_ceil(64)];
        for (place, _) in sizes.iter().enumerate().filter(|(_, size)| **size > 1) {
            several[place / 64] |= 1 << (place % 64);
        }
        Some(Condensed { place_of, sizes, several, dependents, providers })
    }

    /// How many items fail with this one where everybody needs everything; itself not counted.
    #[must_use]
    pub fn count(&self, item: Index, counter: &mut Counter) -> u64 {
        let first = self.place_of[item.0 as usize];
        let Counter { seen, order } = counter;
        let words = seen.len().max(self.sizes.len().div_ceil(64));
        seen.resize(words, 0);
        order.push(first);
        seen[first as usize / 64] |= 1 << (first % 64);
        let mut done = 0;
        while let Some(place) = order.get(done).copied() {
            done += 1;
            for other in self.dependents.row(place) {
                let (word, bit) = (&mut seen[*other as usize / 64], 1u64 << (other % 64));
                if *word & bit == 0 {
                    *word |= bit;
                    order.push(*other);
                }
            }
        }
        let mut reached = 0;
        for place in order.drain(..) {
            seen[place as usize / 64] = 0;
            reached += self.size(place);
        }
        reached - 1
    }

    /// Items in a place.
    #[inline]
    fn size(&self, place: u32) -> u64 {
        let alone = self.several[place as usize / 64] >> (place % 64) & 1 == 0;
        if alone { 1 } else { u64::from(self.sizes[place as usize]) }
    }

    /// How many places there are: items less those that share one with others.
    #[must_use]
    pub fn places(&self) -> usize {
        self.sizes.len()
    }

    /// How many relationships are left between them.
    #[must_use]
    pub fn relationships(&self) -> usize {
        self.dependents.arcs.len()
    }
}

/// Places gathered between two looks whether to go on.
const PLACES_AT_ONCE: u32 = 1 << 14;

/// The items of each place.
fn members(place_of: &[u32], sizes: &[u32]) -> Rows {
    let mut offsets = vec![0u32];
    offsets.extend(sizes.iter().scan(0, |sum, size| {
        *sum += *size;
        Some(*sum)
    }));
    let mut free = offsets.clone();
    let mut arcs = vec![0; place_of.len()];
    for (item, place) in (0..).zip(place_of) {
        let next = &mut free[*place as usize];
        arcs[*next as usize] = item;
        *next += 1;
    }
    Rows { offsets, arcs }
}

/// The same relationships from the other end.
fn turned(rows: &Rows) -> Rows {
    let places = rows.offsets.len() - 1;
    let mut offsets = vec![0u32; places + 1];
    for arc in &rows.arcs {
        offsets[*arc as usize + 1] += 1;
    }
    for place in 0..places {
        offsets[place + 1] += offsets[place];
    }
    let mut free = offsets.clone();
    let mut arcs = vec![0; rows.arcs.len()];
    for place in 0..number(places) {
        for other in rows.row(place) {
            let next = &mut free[*other as usize];
            arcs[*next as usize] = place;
            *next += 1;
        }
    }
    Rows { offsets, arcs }
}
