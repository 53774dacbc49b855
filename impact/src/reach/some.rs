//! The blast radii of some items at once.
//!
//! [`LANES`] items get a bit each, which goes where their failure goes: from the highest number down, each place hands
//! its bits to its dependents, which have lower numbers. What several of them reach is visited once. Invariant: a
//! place's bits are zero before its first and after its turn.

use cmdb_core::graph::Index;
use rayon::prelude::*;

use super::all::{Bits, LANES, WORDS};
use super::{Condensed, number};

impl Condensed {
    /// [`count`](Condensed::count) of each of these items, in their order. The same whatever the number of threads.
    #[must_use]
    pub fn counts_of(&self, items: &[Index]) -> Vec<u64> {
        // Items with numbers close to each other reach much the same.
        let mut order: Vec<(u32, usize)> =
            items.iter().map(|item| self.place_of[item.0 as usize]).zip(0..).collect();
        order.sort_unstable();
        let blocks: Vec<Vec<u64>> = order
            .par_chunks(LANES)
            .map_init(|| Spread::new(self), |spread, block| spread.block(block))
            .collect();
        let mut counts = vec![0; items.len()];
        for ((_, asked), count) in order.iter().zip(blocks.into_iter().flatten()) {
            // A place reaches itself.
            counts[*asked] = count - 1;
        }
        counts
    }
}

struct Spread<'c> {
    condensed: &'c Condensed,
    bits: Vec<Bits>,
    /// Places that hold bits.
    active: Vec<u64>,
}

impl<'c> Spread<'c> {
    fn new(condensed: &'c Condensed) -> Spread<'c> {
        let places = condensed.sizes.len();
        Spread { condensed, bits: vec![[0; WORDS]; places], active: vec![0; places.div_ceil(64)] }
    }

    /// How many items each lane reaches.
    fn block(&mut self, block: &[(u32, usize)]) -> Vec<u64> {
        let mut counts = vec![0; block.len()];
        for (lane, (place, _)) in block.iter().enumerate() {
            self.bits[*place as usize][lane / 64] |= 1 << (lane % 64);
            self.active[*place as usize / 64] |= 1 << (place % 64);
        }
        let last = block.last().map_or(0, |(place, _)| *place as usize / 64 + 1);
        for word in (0..last).rev() {
            // What a place hands on may lie in the same word, at a lower number.
            while self.active[word] != 0 {
                let bit = 63 - self.active[word].leading_zeros();
                self.active[word] &= !(1 << bit);
                self.turn(number(word * 64) + bit, &mut counts);
            }
        }
        counts
    }

    #[inline]
    fn turn(&mut self, place: u32, counts: &mut [u64]) {
        let bits = std::mem::take(&mut self.bits[place as usize]);
        let size = u64::from(self.condensed.sizes[place as usize]);
        for (word, mut lanes) in bits.into_iter().enumerate() {
            while lanes != 0 {
                counts[word * 64 + lanes.trailing_zeros() as usize] += size;
                lanes &= lanes - 1;
            }
        }
        for dependent in self.condensed.dependents.row(place) {
            let theirs = &mut self.bits[*dependent as usize];
            for (their, own) in theirs.iter_mut().zip(&bits) {
                *their |= own;
            }
            self.active[*dependent as usize / 64] |= 1 << (dependent % 64);
        }
    }
}
