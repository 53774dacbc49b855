//! The blast radius of every item at once.
//!
//! [`LANES`] places get a bit each. From the lowest number up, each place hands the bits that reached it to its
//! providers, which have higher numbers; how many a place holds by its turn is how many of these it reaches. Only what
//! is handed something is visited. Places that were numbered one after the other are needed by much the same, so
//! their bits travel together. Invariant: a place's bits are zero before its first and after its turn.

use std::sync::atomic::{AtomicUsize, Ordering};

use cmdb_core::graph::Index;

use super::{Condensed, number};
use crate::criticality::{LEVELS, Level};
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
        let sums = self.swept(|place| [self.sizes[place as usize]], progress)?;
        // A place reaches itself.
        Some(self.place_of.iter().map(|place| sums[*place as usize][0] - 1).collect())
    }

    /// The same, told apart by how critical what is reached is.
    #[must_use]
    pub fn counts_by_level(
        &self,
        level_of: impl Fn(Index) -> Level,
        progress: &Progress,
    ) -> Option<Vec<[u32; LEVELS]>> {
        let mut own = vec![[0; LEVELS]; self.sizes.len()];
        for (item, place) in (0..).zip(&self.place_of) {
            own[*place as usize][level_of(Index(item)).place()] += 1;
        }
        let sums = self.swept(|place| own[place as usize], progress)?;
        let counts = (0..).zip(&self.place_of).map(|(item, place)| {
            let mut count = sums[*place as usize];
            count[level_of(Index(item)).place()] -= 1;
            count
        });
        Some(counts.collect())
    }

    /// What each place reaches, itself included, in so many kinds of items: `own` is how many of each kind are in a place.
    fn swept<const KINDS: usize>(
        &self,
        own: impl Fn(u32) -> [u32; KINDS] + Sync,
        progress: &Progress,
    ) -> Option<Vec<[u32; KINDS]>> {
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
                sweep.block(number(start), number(end), &own);
                progress.advance((end - start) as u64);
            }
        });
        if progress.is_cancelled() {
            return None;
        }
        let mut sums = vec![[0; KINDS]; places];
        for part in parts {
            for (sum, more) in sums.iter_mut().zip(part) {
                sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        Some(sums)
    }
}

struct Sweep<'c, const KINDS: usize> {
    condensed: &'c Condensed,
    /// Items reached by each place, of the blocks so far.
    counts: Vec<[u32; KINDS]>,
    bits: Vec<Bits>,
    /// Places that hold bits.
    active: Vec<u64>,
}

/// What the lanes of a block stand for.
struct Lanes<const KINDS: usize> {
    /// Those that stand for one item, by its kind.
    one: [Bits; KINDS],
    /// Those that stand for several, by word and bit: rare, so they are added one by one.
    several: Vec<(usize, u64, [u32; KINDS])>,
}

impl<'c, const KINDS: usize> Sweep<'c, KINDS> {
    fn new(condensed: &'c Condensed) -> Sweep<'c, KINDS> {
        let places = condensed.sizes.len();
        Sweep {
            condensed,
            counts: vec![[0; KINDS]; places],
            bits: vec![[0; WORDS]; places],
            active: vec![0; places.div_ceil(64)],
        }
    }

    fn block(&mut self, start: u32, end: u32, own: &impl Fn(u32) -> [u32; KINDS]) {
        let mut lanes = Lanes { one: [[0; WORDS]; KINDS], several: Vec::new() };
        for place in start..end {
            let lane = (place - start) as usize;
            let (word, bit) = (lane / 64, 1 << (lane % 64));
            self.bits[place as usize][word] |= bit;
            self.active[place as usize / 64] |= 1 << (place % 64);
            let own = own(place);
            match self.condensed.sizes[place as usize] {
                1 => lanes.one.iter_mut().zip(own).for_each(|(one, own)| one[word] |= bit * u64::from(own)),
                _ => lanes.several.push((word, bit, own)),
            }
        }
        for word in start as usize / 64..self.active.len() {
            // What a place hands on may lie in the same word, at a higher number.
            while self.active[word] != 0 {
                let bit = self.active[word].trailing_zeros();
                self.active[word] &= self.active[word] - 1;
                self.turn(number(word * 64) + bit, &lanes);
            }
        }
    }

    #[inline]
    fn turn(&mut self, place: u32, lanes: &Lanes<KINDS>) {
        let bits = std::mem::take(&mut self.bits[place as usize]);
        let counts = &mut self.counts[place as usize];
        for (count, one) in counts.iter_mut().zip(&lanes.one) {
            *count += bits.iter().zip(one).map(|(word, one)| (word & one).count_ones()).sum::<u32>();
        }
        for (word, bit, more) in &lanes.several {
            if bits[*word] & bit != 0 {
                counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
            }
        }
        for provider in self.condensed.providers.row(place) {
            let theirs = &mut self.bits[*provider as usize];
            for (their, own) in theirs.iter_mut().zip(&bits) {
                *their |= own;
            }
            self.active[*provider as usize / 64] |= 1 << (provider % 64);
        }
    }
}
