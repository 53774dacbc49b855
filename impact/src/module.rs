//! Everything that one item needs, small and dense, asked 64 questions at a time.
//!
//! A question is a set of items that are down; the answer is which others fail with them. Bit `n` of an item's word is
//! the answer to question `n`: what a relationship carries is one `or`, and a group is counted in all lanes at once.
//!
//! Invariant: each lane is the least fixpoint that [`crate::impact`] computes, within the module.

use cmdb_core::graph::{Carries, Graph, Index, Units};
use rustc_hash::FxHashMap;

use crate::propagate::Reading;

/// Questions that are answered together.
pub(crate) const LANES: usize = 64;

/// An item and everything that its failure may come from.
pub(crate) struct Module {
    /// The items by their number here; the first is the one in question.
    items: Vec<Index>,
    nodes: Vec<Node>,
    /// Providers before those who need them, where no cycle forbids it.
    order: Vec<u32>,
    cyclic: bool,
}

/// What one item needs.
#[derive(Default)]
struct Node {
    alone: Vec<u32>,
    groups: Vec<Group>,
}

/// A redundancy group.
pub(crate) struct Group {
    /// Each with what is lost with it.
    pub(crate) members: Vec<(u32, Units)>,
    spare: Units,
    inferred: bool,
}

impl Node {
    fn providers(&self) -> impl Iterator<Item = u32> {
        let members = self.groups.iter().flat_map(|group| group.members.iter().map(|(member, _)| *member));
        self.alone.iter().copied().chain(members)
    }
}

impl Module {
    pub(crate) fn of(graph: &Graph, target: Index) -> Module {
        let mut items = vec![target];
        let mut known: FxHashMap<Index, u32> = [(target, 0)].into_iter().collect();
        let mut nodes = Vec::new();
        while let Some(item) = items.get(nodes.len()).copied() {
            nodes.push(read(graph, item, &mut |provider| {
                *known.entry(provider).or_insert_with(|| {
                    items.push(provider);
                    u32::try_from(items.len() - 1).expect("a graph has fewer items")
                })
            }));
        }
        let (order, cyclic) = order(&nodes);
        Module { items, nodes, order, cyclic }
    }

    /// Providers before those who need them, where no cycle forbids it.
    pub(crate) fn order(&self) -> &[u32] {
        &self.order
    }

    /// Whether some of it needs itself.
    pub(crate) fn cyclic(&self) -> bool {
        self.cyclic
    }

    /// What an item needs and nothing spares.
    pub(crate) fn alone(&self, number: u32) -> &[u32] {
        &self.nodes[number as usize].alone
    }

    /// The groups of an item.
    pub(crate) fn groups_of(&self, number: u32) -> &[Group] {
        &self.nodes[number as usize].groups
    }

    pub(crate) fn items(&self) -> &[Index] {
        &self.items
    }

    /// Every group of the module.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.nodes.iter().flat_map(|node| &node.groups)
    }

    /// Whether a group of it was concluded and not confirmed.
    pub(crate) fn rests_on_guesses(&self) -> bool {
        self.groups().any(|group| group.inferred)
    }

    /// What answering 64 questions looks at.
    pub(crate) fn size(&self) -> usize {
        self.nodes.iter().map(|node| 1 + node.providers().count()).sum()
    }

    /// The items that the first one needs over relationships that nothing spares, itself among them: which they are.
    pub(crate) fn unspared(&self) -> Vec<bool> {
        let mut unspared = vec![false; self.nodes.len()];
        unspared[0] = true;
        let mut ahead = vec![0_u32];
        while let Some(number) = ahead.pop() {
            for provider in &self.nodes[number as usize].alone {
                if !std::mem::replace(&mut unspared[*provider as usize], true) {
                    ahead.push(*provider);
                }
            }
        }
        unspared
    }

    /// Fails everything that must: words by number, with the bits set of what is down to begin with.
    pub(crate) fn fail(&self, down: &mut [u64], reading: Reading) {
        loop {
            let mut changed = false;
            for number in &self.order {
                let place = *number as usize;
                let before = down[place];
                if before == u64::MAX {
                    continue;
                }
                let node = &self.nodes[place];
                let mut after =
                    node.alone.iter().fold(before, |word, provider| word | down[*provider as usize]);
                for group in &node.groups {
                    after |= group.broken(down, reading);
                }
                changed |= after != before;
                down[place] = after;
            }
            // In order, one sweep is all that it takes.
            if !changed || !self.cyclic {
                return;
            }
        }
    }
}

impl Group {
    /// What is lost with each member, and how much of it can be spared.
    pub(crate) fn losses(&self, reading: Reading) -> (impl Iterator<Item = (u32, Units)>, Units) {
        let needs_all = self.inferred && reading == Reading::UnconfirmedSpareNothing;
        let members = self.members.iter();
        let losses = members.map(move |(member, loss)| (*member, if needs_all { Units(1) } else { *loss }));
        (losses, if needs_all { Units(0) } else { self.spare })
    }

    /// In which lanes it does not hold.
    fn broken(&self, down: &[u64], reading: Reading) -> u64 {
        let words = self.members.iter().map(|(member, _)| down[*member as usize]);
        let touched = words.clone().fold(0, |all, word| all | word);
        if touched == 0 || (self.inferred && reading == Reading::UnconfirmedSpareNothing) {
            return touched;
        }
        if self.members.iter().all(|(_, loss)| *loss == Units(1)) {
            return if self.spare == Units(0) { touched } else { more_than(words, self.spare) };
        }
        let mut broken = 0;
        let mut lanes = touched;
        while lanes != 0 {
            let lane = lanes.trailing_zeros();
            lanes &= lanes - 1;
            let lost = self.members.iter().filter(|(member, _)| down[*member as usize] >> lane & 1 == 1);
            let lost: u128 = lost.map(|(_, loss)| loss.0).sum();
            broken |= u64::from(lost > self.spare.0) << lane;
        }
        broken
    }
}

/// The lanes in which more than `spare` words have their bit set: one binary counter for each lane, side by side.
fn more_than(words: impl Iterator<Item = u64>, spare: Units) -> u64 {
    const DIGITS: usize = 32;
    let Ok(spare) = u32::try_from(spare.0) else { return 0 };
    let mut digits = [0_u64; DIGITS];
    for word in words {
        let mut carry = word;
        for digit in &mut digits {
            if carry == 0 {
                break;
            }
            (*digit, carry) = (*digit ^ carry, *digit & carry);
        }
    }
    let (mut more, mut equal) = (0, u64::MAX);
    for (place, digit) in digits.iter().enumerate().rev() {
        let limit = if spare >> place & 1 == 1 { u64::MAX } else { 0 };
        more |= equal & digit & !limit;
        equal &= !(digit ^ limit);
    }
    more
}

fn read(graph: &Graph, item: Index, number: &mut dyn FnMut(Index) -> u32) -> Node {
    let mut node = Node::default();
    for edge in graph.dependencies(item) {
        if edge.carries == Carries::Hard && edge.gate.is_none() {
            node.alone.push(number(edge.other));
        }
    }
    for (_, gate) in graph.gates(item) {
        let members = gate.members().map(|member| (number(member.provider), gate.loss(member.provider)));
        let members: Vec<_> = members.collect();
        if !members.is_empty() {
            node.groups.push(Group { members, spare: gate.spare(), inferred: gate.inferred() });
        }
    }
    node
}

/// Providers first; whether there is a cycle.
fn order(nodes: &[Node]) -> (Vec<u32>, bool) {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; nodes.len()];
    let (mut order, mut cyclic) = (Vec::with_capacity(nodes.len()), false);
    let providers = |node: u32| nodes[node as usize].providers().collect::<Vec<_>>().into_iter();
    let mut path = vec![(0, providers(0))];
    marks[0] = Mark::Open;
    while let Some((node, ahead)) = path.last_mut() {
        match ahead.next() {
            Some(provider) => match marks[provider as usize] {
                Mark::New => {
                    marks[provider as usize] = Mark::Open;
                    path.push((provider, providers(provider)));
                }
                Mark::Open => cyclic = true,
                Mark::Done => {}
            },
            None => {
                marks[*node as usize] = Mark::Done;
                order.push(*node);
                path.pop();
            }
        }
    }
    (order, cyclic)
}
