//! What a draft knows not to be stored, so that nobody needs to look.
//!
//! An import makes millions of items and units of which each is asked for several times before it is written: is it there?
//! what is related to it? Nothing stored speaks of an item that the draft itself made, or of a unit whose source it made,
//! but for what it has written meanwhile. That is noted here: of items exactly, of units by a filter that says *perhaps*
//! now and then where the answer is no.
//!
//! Invariant: what is said not to be stored is not stored.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

use crate::model::unit::UnitKind;
use crate::model::{ItemId, SourceId};

/// The most items that are followed one by one, a byte each; of further ones everything may be stored.
const ITEMS_MAX: u64 = 1 << 25;
/// Bits of the filter: at five million units, one in a hundred is looked up in vain.
const FILTER_BITS: u64 = 1 << 26;
/// Bits that lie so close together that looking at all of them costs as much as looking at one.
const LINE_BITS: u64 = 512;
/// Bits that each unit sets.
const BITS_OF_UNIT: u64 = 4;

/// What may be stored of an item.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// The item itself.
    Head = 1,
    /// Relationships written from it.
    Outgoing = 2,
    /// Relationships written to it.
    Incoming = 4,
}

/// Items that the draft made, and what it has written of them.
pub(super) struct Items {
    /// The first that was not there when the draft began.
    first: u64,
    parts: Vec<u8>,
}

impl Items {
    /// None was made yet; `next` is the number of the first that will be.
    pub(super) fn from(next: u64) -> Items {
        Items { first: next, parts: Vec::new() }
    }

    /// Whether the store may hold something of an item.
    pub(super) fn may_have(&self, item: ItemId, part: Part) -> bool {
        match item.0.checked_sub(self.first) {
            None => true,
            Some(place) if place >= ITEMS_MAX => true,
            Some(place) => {
                let parts = usize::try_from(place).ok().and_then(|place| self.parts.get(place));
                parts.is_some_and(|parts| parts & part as u8 != 0)
            }
        }
    }

    /// Something of an item goes into the store.
    pub(super) fn note(&mut self, item: ItemId, part: Part) {
        let Some(place) = item.0.checked_sub(self.first).filter(|place| *place < ITEMS_MAX) else { return };
        let place = usize::try_from(place).expect("bounded");
        if self.parts.len() <= place {
            self.parts.resize(place + 1, 0);
        }
        self.parts[place] |= part as u8;
    }
}

/// Units of sources that the draft made, and which of them it has perhaps written.
#[derive(Default)]
pub(super) struct Units {
    sources: Vec<SourceId>,
    /// Empty until something is written.
    filter: Vec<u64>,
}

impl Units {
    /// A source that was not there when the draft began.
    pub(super) fn made_source(&mut self, source: SourceId) {
        self.sources.push(source);
    }

    /// Whether the store may hold a unit.
    pub(super) fn may_have(&self, source: SourceId, kind: UnitKind, unit: &str) -> bool {
        if !self.sources.contains(&source) {
            return true;
        }
        let is_set =
            |(word, bit): (usize, u64)| self.filter.get(word).is_some_and(|bits| bits >> bit & 1 == 1);
        places(source, kind, unit).all(is_set)
    }

    /// A unit goes into the store.
    pub(super) fn note(&mut self, source: SourceId, kind: UnitKind, unit: &str) {
        if !self.sources.contains(&source) {
            return;
        }
        if self.filter.is_empty() {
            self.filter = vec![0; usize::try_from(FILTER_BITS / u64::from(u64::BITS)).expect("bounded")];
        }
        for (word, bit) in places(source, kind, unit) {
            self.filter[word] |= 1 << bit;
        }
    }
}

/// The bits of a unit: word, and bit within it. All of them lie in one line of the processor's cache.
fn places(source: SourceId, kind: UnitKind, unit: &str) -> impl Iterator<Item = (usize, u64)> {
    let mut hasher = FxHasher::default();
    (source, kind, unit).hash(&mut hasher);
    let first = mixed(hasher.finish());
    let line = first % (FILTER_BITS / LINE_BITS) * LINE_BITS;
    let within = mixed(first);
    (0..BITS_OF_UNIT).map(move |number| {
        let bit = line + (within >> (number * u64::from(LINE_BITS.ilog2()))) % LINE_BITS;
        (usize::try_from(bit / u64::from(u64::BITS)).expect("bounded"), bit % u64::from(u64::BITS))
    })
}

/// Spreads what differs over all bits (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_item_that_was_made_only_what_was_written_may_be_stored() {
        let mut items = Items::from(10);
        assert!(items.may_have(ItemId(9), Part::Head), "it was there before");
        assert!(!items.may_have(ItemId(12), Part::Incoming));
        items.note(ItemId(12), Part::Incoming);
        assert!(items.may_have(ItemId(12), Part::Incoming));
        assert!(!items.may_have(ItemId(12), Part::Outgoing));
        assert!(!items.may_have(ItemId(11), Part::Incoming));
        // A number that an export brings along must not take memory up to it.
        items.note(ItemId(u64::MAX), Part::Head);
        assert!(items.may_have(ItemId(u64::MAX), Part::Outgoing), "it is not followed");
    }

    #[test]
    fn a_unit_that_was_written_is_never_denied() {
        let (old, new) = (SourceId(1), SourceId(2));
        let mut units = Units::default();
        units.made_source(new);
        let key = |number: u32| format!("item-{number}");
        for number in 0..10_000 {
            assert!(units.may_have(old, UnitKind::Item, &key(number)));
            units.note(new, UnitKind::Item, &key(number));
        }
        assert!((0..10_000).all(|number| units.may_have(new, UnitKind::Item, &key(number))));
        let others = (0..10_000).filter(|number| units.may_have(new, UnitKind::Relationship, &key(*number)));
        assert!(others.count() < 10, "few are looked up in vain");
    }
}
