//! How critical items are: what is said of some of them, inherited by what they need.
//!
//! An item is as critical as is declared of it; else as the most critical of what needs it and says how critical it is.
//! Redundancy is set aside, and who only uses something weakly does not need it. A service of which nothing is known is
//! taken to be the most critical and hands that down, and so is every other item of which nothing is known: that is an
//! assumption, and told as one.

#[cfg(test)]
mod tests;

use cmdb_core::graph::{Graph, Index, Role, Visited};
use rustc_hash::FxHashMap;

/// How many levels there are.
pub const LEVELS: usize = NUMBERS.len();
/// Their numbers, the most critical first.
const NUMBERS: [u8; 4] = [1, 2, 3, 4];

/// How critical something is: 1 is the most critical.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Level(u8);

impl Level {
    /// The most critical.
    pub const MOST: Level = Level(1);

    /// From 1 to [`LEVELS`]; others are none.
    #[must_use]
    pub fn new(number: i64) -> Option<Level> {
        u8::try_from(number).ok().filter(|number| NUMBERS.contains(number)).map(Level)
    }

    /// All of them, the most critical first.
    pub fn all() -> impl Iterator<Item = Level> {
        NUMBERS.into_iter().map(Level)
    }

    /// What an item of this level counts in a weighted figure: the most critical [`LEVELS`], the least 1.
    #[must_use]
    pub fn weight(self) -> u64 {
        (LEVELS - self.place()) as u64
    }

    /// Its place in a table by level.
    #[must_use]
    pub fn place(self) -> usize {
        usize::from(self.0) - 1
    }
}

/// Where a level comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// It is said of the item.
    Declared,
    /// It is said of something that needs the item.
    Inherited,
    /// It rests on nothing that is known.
    Assumed,
}

/// How critical each item of a graph is.
pub struct Criticality<'d> {
    declared: &'d FxHashMap<Index, Level>,
    /// By index: the most critical of what is declared and needs it; 0: nothing.
    inherited: Vec<u8>,
    /// Services of which nothing is known.
    unknown: Vec<Index>,
    /// They and what they need.
    needed_by_unknown: Visited,
}

/// How critical each item is, from what is declared, and from which items are services. Linear in the graph.
#[must_use]
pub fn criticality<'d>(
    graph: &Graph,
    declared: &'d FxHashMap<Index, Level>,
    services: &[Index],
) -> Criticality<'d> {
    let mut inherited = vec![0; graph.index_bound()];
    for level in Level::all() {
        let said = declared.iter().filter(|(_, said)| **said == level).map(|(item, _)| *item).collect();
        walk(graph, said, |item| {
            let known = &mut inherited[item.0 as usize];
            let new = *known == 0;
            if new {
                *known = level.0;
            }
            new
        });
    }
    let known = |item: &Index| declared.contains_key(item) || inherited[item.0 as usize] > 0;
    let unknown: Vec<Index> = services.iter().copied().filter(|item| !known(item)).collect();
    let mut needed_by_unknown = Visited::of(graph);
    for item in &unknown {
        needed_by_unknown.insert(*item);
    }
    walk(graph, unknown.clone(), |item| needed_by_unknown.insert(item));
    Criticality { declared, inherited, unknown, needed_by_unknown }
}

/// Goes from some items to everything that they need; `is_new` says whether to go on from there.
fn walk(graph: &Graph, from: Vec<Index>, mut is_new: impl FnMut(Index) -> bool) {
    let mut waiting = from;
    while let Some(item) = waiting.pop() {
        let needed = graph.dependency_links(item).filter(|link| link.role() != Role::Weak);
        waiting.extend(needed.map(|link| link.other()).filter(|other| is_new(*other)));
    }
}

impl Criticality<'_> {
    /// How critical an item is.
    #[must_use]
    pub fn level(&self, item: Index) -> Level {
        self.known(item).0
    }

    /// The same, and where that comes from.
    #[must_use]
    pub fn known(&self, item: Index) -> (Level, Origin) {
        if let Some(level) = self.declared.get(&item) {
            return (*level, Origin::Declared);
        }
        match self.inherited[item.0 as usize] {
            0 => (Level::MOST, Origin::Assumed),
            // Nothing is more critical, so it rests on no assumption.
            level if level == Level::MOST.0 => (Level::MOST, Origin::Inherited),
            _ if self.needed_by_unknown.contains(item) => (Level::MOST, Origin::Assumed),
            level => (Level(level), Origin::Inherited),
        }
    }

    /// Services of which nothing is known: they are taken to be the most critical.
    #[must_use]
    pub fn unknown(&self) -> &[Index] {
        &self.unknown
    }
}
