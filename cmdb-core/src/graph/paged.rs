//! A sparse vector that is cheap to clone and to change: the overlay's tables.
//!
//! ```text
//! root ── 32 children ── … ── 64 places: which of them hold something, and what these hold
//! ```
//!
//! A tree as deep as its last place asks for. A clone shares all of it and costs one count; a write copies the way to
//! one leaf, and nothing that an earlier write since the clone has copied. Most lookups find nothing, and see it without
//! touching a leaf. Knows nothing of what it holds. Invariants: `len` is the number of places that hold something; the tree
//! covers `1 << bits` places, its leaves lie at one depth and none is empty.

use std::sync::Arc;

/// Places of a leaf.
const LEAF: usize = 1 << LEAF_BITS;
const LEAF_BITS: u32 = u64::BITS.ilog2();
/// Children of what is not a leaf.
const INNER: usize = 1 << INNER_BITS;
const INNER_BITS: u32 = 5;

#[derive(Clone)]
pub(super) struct Paged<T> {
    root: Node<T>,
    bits: u32,
    len: usize,
}

#[derive(Clone)]
enum Node<T> {
    Empty,
    Inner(Arc<[Node<T>; INNER]>),
    /// A bit for each place that holds something, and what they hold, in their order.
    Leaf(u64, Arc<[T]>),
}

impl<T> Default for Paged<T> {
    fn default() -> Self {
        Paged { root: Node::Empty, bits: LEAF_BITS, len: 0 }
    }
}

impl<T: Clone> Paged<T> {
    #[inline]
    pub fn get(&self, place: usize) -> Option<&T> {
        if place >> self.bits != 0 {
            return None;
        }
        let (mut node, mut shift) = (&self.root, self.bits);
        loop {
            match node {
                Node::Empty => return None,
                Node::Inner(children) => {
                    shift -= INNER_BITS;
                    node = &children[(place >> shift) % INNER];
                }
                Node::Leaf(held, values) => {
                    let (bit, rank) = within(*held, place);
                    return (held & bit != 0).then(|| &values[rank]);
                }
            }
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn set(&mut self, place: usize, value: T) {
        while place >> self.bits != 0 {
            self.deepen();
        }
        match self.leaf(place) {
            Node::Leaf(held, values) => {
                let (bit, rank) = within(*held, place);
                if *held & bit != 0 {
                    Arc::make_mut(values)[rank] = value;
                    return;
                }
                *held |= bit;
                let (before, after) = values.split_at(rank);
                *values = before.iter().cloned().chain([value]).chain(after.iter().cloned()).collect();
            }
            empty => *empty = Node::Leaf(within(0, place).0, Arc::from([value])),
        }
        self.len += 1;
    }

    pub fn clear(&mut self, place: usize) {
        if self.get(place).is_none() {
            return;
        }
        self.len -= 1;
        let leaf = self.leaf(place);
        let Node::Leaf(held, values) = leaf else { return };
        let (bit, rank) = within(*held, place);
        *held &= !bit;
        if *held == 0 {
            *leaf = Node::Empty;
            return;
        }
        let (before, after) = values.split_at(rank);
        *values = before.iter().chain(&after[1..]).cloned().collect();
    }

    /// The tree becomes the first child of a new root.
    fn deepen(&mut self) {
        self.bits += INNER_BITS;
        if !matches!(self.root, Node::Empty) {
            let mut children = [const { Node::Empty }; INNER];
            std::mem::swap(&mut children[0], &mut self.root);
            self.root = Node::Inner(Arc::new(children));
        }
    }

    /// The leaf of a place that the tree covers, or where it is to be; on a way that no other clone shares.
    fn leaf(&mut self, place: usize) -> &mut Node<T> {
        let (mut node, mut shift) = (&mut self.root, self.bits);
        while shift != LEAF_BITS {
            shift -= INNER_BITS;
            if matches!(node, Node::Empty) {
                *node = Node::Inner(Arc::new([const { Node::Empty }; INNER]));
            }
            let Node::Inner(children) = node else { unreachable!("leaves lie at the bottom") };
            node = &mut Arc::make_mut(children)[(place >> shift) % INNER];
        }
        node
    }
}

/// The bit of a place in its leaf, and how many that hold something come before it.
#[inline]
fn within(held: u64, place: usize) -> (u64, usize) {
    let bit = 1 << (place % LEAF);
    (bit, (held & (bit - 1)).count_ones() as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use arbtest::arbtest;

    use super::*;

    #[test]
    fn is_a_map_of_which_every_clone_stays_as_it_was() {
        arbtest(|random| {
            let (mut paged, mut plain) = (Paged::default(), BTreeMap::new());
            let mut kept = Vec::new();
            for step in 0..random.int_in_range(1..=60)? {
                // Near places, and ones that make the tree deeper.
                let place = random.int_in_range(0..=200_usize)? << (5 * random.int_in_range(0..=4)?);
                match random.int_in_range(0..=3)? {
                    0 => {
                        paged.clear(place);
                        plain.remove(&place);
                    }
                    1 => kept.push((paged.clone(), plain.clone())),
                    _ => {
                        paged.set(place, step);
                        plain.insert(place, step);
                    }
                }
                for (paged, plain) in kept.iter().chain([&(paged.clone(), plain.clone())]) {
                    assert_eq!(paged.len(), plain.len());
                    assert_eq!(paged.get(place), plain.get(&place), "{place}");
                    assert!(plain.iter().all(|(place, value)| paged.get(*place) == Some(value)));
                }
            }
            Ok(())
        });
    }
}
