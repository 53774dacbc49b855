//! The blast radius of every item at once.
//!
//! [`LANES`] places get a bit each. From the lowest number up, each place hands the bits that reached it to its
//! providers, which have higher numbers; how many a place holds by its turn is how many of these it reaches. Only what
//! is handed something is visited. Places that were numbered one after the other are needed by much the same, so
//! their bits travel together. Invariant: a place's bits are zero before its first and after its turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Condensed, number};
use crate::progress::Progress;

/// Places counted in one sweep.
pub const LANES: usize = 512;
pub(super) const WORDS: usize = LANES / 64;

/// A bit for each lane.
pub(super) type Bits = [u64; WORDS];

impl Condensed {
    /// [`count`](Condensed::count) of every item, by index. None: it was cancelled. Progress is told in
    /// [`places`](Condensed::places). The same whatever the number of threads.
    #[must_use]
    pub fn counts(&self, progress: &Progress) -> Option<Vec<u32>> {
        let places = self.sizes.len();
        progress.begin("counting what each item reaches", places as u64);
        let next = AtomicUsize::new(0);
        // Each thread has a table of its own, of 64 bytes a place: one, and not one for each piece of work.
        let parts = rayon::broadcast(|_| {
            let mut sweep = Sweep::new(self);
            loop {
                let start = next.fetch_add(LANES, Ordering::Relaxed);
                if start >= places || progress.is_cancelled() {
                    return sweep.counts;
                }
                let end = places.min(start + LANES);
                sweep.block(number(start), number(end));
                progress.advance((end - start) as u64);
            }
        });
        let mut sums = vec![0; places];
        for part in parts {
            sums.iter_mut().zip(part).for_each(|(sum, more)| *sum += more);
        }
        if progress.is_cancelled() {
            return None;
        }
        // A place reaches itself.
        Some(self.place_of.iter().map(|place| sums[*place as usize] - 1).collect())
    }
}

struct Sweep<'c> {
    condensed: &'c Condensed,
    /// Items reached by each place, of the blocks so far.
    counts: Vec<u32>,
    bits: Vec<Bits>,
    /// Places that hold bits.
    active: Vec<u64>,
}

impl<'c> Sweep<'c> {
    fn new(condensed: &'c Condensed) -> Sweep<'c> {
        let places = condensed.sizes.len();
        Sweep {
            condensed,
            counts: vec![0; places],
            bits: vec![[0; WORDS]; places],
            active: vec![0; places.div_ceil(64)],
        }
    }

    fn block(&mut self, start: u32, end: u32) {
        // Of places with several items each counts as many times: rare, so they are added one by one.
        let mut several: Vec<(usize, u64, u32)> = Vec::new();
        for place in start..end {
            let lane = (place - start) as usize;
            self.bits[place as usize][lane / 64] |= 1 << (lane % 64);
            self.active[place as usize / 64] |= 1 << (place % 64);
            let size = self.condensed.sizes[place as usize];
            if size > 1 {
                several.push((lane / 64, 1 << (lane % 64), size - 1));
            }
        }
        for word in start as usize / 64..self.active.len() {
            // What a place hands on may lie in the same word, at a higher number.
            while self.active[word] != 0 {
                let bit = self.active[word].trailing_zeros();
                self.active[word] &= self.active[word] - 1;
                self.turn(number(word * 64) + bit, &several);
            }
        }
    }

    #[inline]
    fn turn(&mut self, place: u32, several: &[(usize, u64, u32)]) {
        let bits = std::mem::take(&mut self.bits[place as usize]);
        let mut count: u32 = bits.iter().map(|word| word.count_ones()).sum();
        for (word, bit, more) in several {
            if bits[*word] & bit != 0 {
                count += more;
            }
        }
        self.counts[place as usize] += count;
        for provider in self.condensed.providers.row(place) {
            let theirs = &mut self.bits[*provider as usize];
            for (their, own) in theirs.iter_mut().zip(&bits) {
                *their |= own;
            }
            self.active[*provider as usize / 64] |= 1 << (provider % 64);
        }
    }
}
