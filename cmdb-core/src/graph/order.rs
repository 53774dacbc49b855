//! The order of items in a graph that is built from lists.
//!
//! Items arrive in no useful order. What needs the same thing fails together, so it is put side by side: items by class,
//! and within a class by the provider that the fewest others need, whose own place is found in the same way. Invariant:
//! it is a permutation; nothing is said otherwise of any item.

use super::dense;
use super::parts::Parts;

/// How often places are found anew from those of the round before: as many layers come into order.
const ROUNDS: usize = 4;

impl Parts {
    /// Gives every item a new place.
    pub fn order(&mut self) {
        let count = self.nodes.len();
        let mut dependents = vec![0_u32; count];
        for edge in &self.edges {
            dependents[edge.key.provider as usize] += 1;
        }
        // Of each item, what it needs that the fewest others do.
        let mut rarest: Vec<u32> = (0..dense(count)).collect();
        let mut fewest = vec![u32::MAX; count];
        for edge in &self.edges {
            let (dependent, shared) = (edge.key.dependent as usize, dependents[edge.key.provider as usize]);
            if shared < fewest[dependent] {
                fewest[dependent] = shared;
                rarest[dependent] = edge.key.provider;
            }
        }
        let mut rank: Vec<u32> = (0..dense(count)).collect();
        let mut list: Vec<u32> = (0..dense(count)).collect();
        for _ in 0..ROUNDS {
            let key = |item: &u32| {
                let node = &self.nodes[*item as usize];
                (u64::from(node.class) << 32 | u64::from(rank[rarest[*item as usize] as usize]), *item)
            };
            let mut keyed: Vec<(u64, u32)> = list.iter().map(key).collect();
            keyed.sort_unstable();
            for ((_, item), place) in keyed.iter().zip(0..) {
                list[place as usize] = *item;
                rank[*item as usize] = place;
            }
        }
        self.nodes = list.iter().map(|item| self.nodes[*item as usize]).collect();
        for index in self.index_of.iter_mut().filter(|index| **index != super::base::ABSENT) {
            *index = rank[*index as usize];
        }
        for edge in &mut self.edges {
            edge.key.dependent = rank[edge.key.dependent as usize];
            edge.key.provider = rank[edge.key.provider as usize];
        }
        let groups = std::mem::take(&mut self.groups);
        self.groups = groups.into_iter().map(|(item, groups)| (rank[item as usize], groups)).collect();
    }
}
