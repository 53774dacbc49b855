//! What an item cannot do without: single points of failure, and small sets that together are one.
//!
//! Exact, by failing each item and each set that could matter; 64 at a time. Items that take the same members from
//! the same groups are alike here and tried once: a set is told as *parts*, any one item of each of which will do. Two items
//! make more of each other only where both take members from one group, so only such sets are tried.
//!
//! What would take more than [`STEPS_MAX`] is left, and the answer says up to which size it is complete.

mod points;
#[cfg(test)]
mod tests;

use cmdb_core::graph::{Graph, Index};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

pub use points::{Point, points};

use crate::module::{LANES, Module};
use crate::progress::Progress;
use crate::propagate::{Reading, State};

/// The most relationships looked at for sets of several items.
pub const STEPS_MAX: u64 = 500_000_000;
/// The most items of a set.
pub const SET_MAX: u8 = 3;

/// What takes an item down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Critical {
    /// The item in question.
    pub target: Index,
    /// Items that it needs in any way.
    pub needed: u64,
    /// It is down with what is said to be down already.
    pub down: bool,
    /// It is, if unconfirmed groups cannot spare what they are thought to.
    pub at_risk: bool,
    /// Items whose failure alone fails it; and, where it is not at risk already, those whose failure would if unconfirmed
    /// groups cannot spare what they are thought to.
    pub alone: Vec<(Index, State)>,
    /// Smallest sets of two or three that fail it, no one of them without the others.
    pub sets: Vec<Parts>,
    /// How many sets of items that is.
    pub sets_total: u64,
    /// Sets of more items than this were not looked for.
    pub complete_to: u8,
}

/// A set that fails the target: any one of each part.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Parts(pub Vec<Vec<Index>>);

impl Parts {
    /// How many sets of items it stands for.
    #[must_use]
    pub fn sets(&self) -> u64 {
        self.0.iter().fold(1, |sets, part| sets.saturating_mul(part.len() as u64))
    }
}

/// How much the target can lose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Margin {
    /// It is down.
    Down,
    /// Any so many items may fail, and one more may be one too many.
    Exactly(u8),
    /// Any so many items may fail; what more would do is not known.
    AtLeast(u8),
}

impl Critical {
    /// How many items may fail, whichever they are, before the target does.
    #[must_use]
    pub fn margin(&self) -> Margin {
        if self.down {
            return Margin::Down;
        }
        if self.alone.iter().any(|(_, state)| *state == State::Failed) {
            return Margin::Exactly(0);
        }
        match self.sets.iter().map(|set| set.0.len()).min() {
            Some(2) => Margin::Exactly(1),
            Some(_) => Margin::Exactly(2),
            None => Margin::AtLeast(self.complete_to),
        }
    }
}

/// What takes a target down, beside what is down already.
#[must_use]
pub fn critical(graph: &Graph, target: Index, down: &[Index]) -> Critical {
    critical_within(graph, target, down, STEPS_MAX)
}

/// The same, with so many relationships looked at for sets at most.
#[must_use]
pub fn critical_within(graph: &Graph, target: Index, down: &[Index], steps_max: u64) -> Critical {
    judged(graph, target, down, steps_max, &Progress::default()).expect("nobody cancels")
}

/// [`critical_within`] of several targets on all cores; what `each` makes of them, in their order. None: it was
/// cancelled. Progress is told in targets. The same whatever the number of threads.
pub fn critical_of<T: Send>(
    graph: &Graph,
    targets: &[Index],
    down: &[Index],
    steps_max: u64,
    progress: &Progress,
    each: impl Fn(Critical) -> T + Sync,
) -> Option<Vec<T>> {
    progress.begin("looking for what fails together", targets.len() as u64);
    let answers = targets.par_iter().map(|target| {
        let answer = each(judged(graph, *target, down, steps_max, progress)?);
        progress.advance(1);
        Some(answer)
    });
    answers.collect()
}

/// None: it was cancelled.
fn judged(
    graph: &Graph,
    target: Index,
    down: &[Index],
    steps_max: u64,
    progress: &Progress,
) -> Option<Critical> {
    if progress.is_cancelled() {
        return None;
    }
    let module = Module::of(graph, target);
    let mut search = Search::new(graph, &module, down, steps_max, progress);
    let mut answer = Critical {
        target,
        needed: module.items().len() as u64 - 1,
        down: search.base[0] != 0,
        at_risk: false,
        alone: Vec::new(),
        sets: Vec::new(),
        sets_total: 0,
        complete_to: SET_MAX,
    };
    if !answer.down {
        answer.at_risk = search.at_risk();
        answer.alone = search.alone(answer.at_risk);
        let (sets, complete_to) = search.sets();
        answer.complete_to = complete_to;
        answer.sets_total = sets.iter().fold(0, |total: u64, set| total.saturating_add(set.sets()));
        answer.sets = sets;
    }
    (!progress.is_cancelled()).then_some(answer)
}

/// Items that take the same members from groups.
struct Alike {
    /// By id.
    items: Vec<u32>,
    /// The groups that they take members from.
    groups: Vec<u32>,
}

struct Search<'a> {
    graph: &'a Graph,
    module: &'a Module,
    /// What is down before any question is asked: all bits, or none.
    base: Vec<u64>,
    /// The answers to the last questions.
    words: Vec<u64>,
    /// Of each group, its members; and of each member, its groups.
    groups_of: FxHashMap<u32, Vec<u32>>,
    alike: Vec<Alike>,
    steps_left: u64,
    size: u64,
    /// Set where nobody waits for the answer any more: then it is not worth finishing.
    progress: &'a Progress,
}

impl<'a> Search<'a> {
    fn new(
        graph: &'a Graph,
        module: &'a Module,
        down: &[Index],
        steps_max: u64,
        progress: &'a Progress,
    ) -> Search<'a> {
        let down: FxHashSet<Index> = down.iter().copied().collect();
        let word = |item: &Index| if down.contains(item) { u64::MAX } else { 0 };
        let mut base: Vec<u64> = module.items().iter().map(word).collect();
        module.fail(&mut base, Reading::AsDeclared);
        let mut groups_of: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (number, group) in (0..).zip(module.groups()) {
            for (member, _) in &group.members {
                groups_of.entry(*member).or_default().push(number);
            }
        }
        let words = base.clone();
        let size = module.size() as u64;
        let (alike, steps_left) = (Vec::new(), steps_max);
        Search { graph, module, base, words, groups_of, alike, steps_left, size, progress }
    }

    /// Asks up to 64 questions; in which lanes the target fails.
    fn ask(&mut self, questions: &[&[u32]], reading: Reading) -> u64 {
        self.words.copy_from_slice(&self.base);
        for (lane, seeds) in questions.iter().enumerate() {
            for seed in *seeds {
                self.words[*seed as usize] |= 1 << lane;
            }
        }
        self.module.fail(&mut self.words, reading);
        self.words[0]
    }

    /// The members of groups that are down in a lane and were not before, in order.
    fn lost(&self, members: &[u32], lane: usize) -> Vec<u32> {
        let gone = |member: &u32| {
            let place = *member as usize;
            (self.words[place] & !self.base[place]) >> lane & 1 == 1
        };
        members.iter().copied().filter(gone).collect()
    }

    fn groups(&self, members: &[u32]) -> Vec<u32> {
        let mut groups: Vec<u32> =
            members.iter().flat_map(|member| &self.groups_of[member]).copied().collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }

    fn members(&self) -> Vec<u32> {
        let mut members: Vec<u32> = self.groups_of.keys().copied().collect();
        members.sort_unstable();
        members
    }

    fn index(&self, number: u32) -> Index {
        self.module.items()[number as usize]
    }

    /// Whether what is down already fails the target if unconfirmed groups spare nothing.
    fn at_risk(&mut self) -> bool {
        self.module.rests_on_guesses() && self.ask(&[], Reading::UnconfirmedSpareNothing) != 0
    }

    /// Every item alone; the rest is put with what is like it. Of a target at risk already, nothing is told to put it
    /// there.
    fn alone(&mut self, at_risk: bool) -> Vec<(Index, State)> {
        let members = self.members();
        let guesses = self.module.rests_on_guesses() && !at_risk;
        let up = |number: &u32| self.base[*number as usize] == 0;
        let count = u32::try_from(self.base.len()).expect("a graph has fewer items");
        let unspared = self.module.unspared();
        let (sure, mut candidates): (Vec<u32>, Vec<u32>) =
            (1..count).filter(up).partition(|number| unspared[*number as usize]);
        candidates.sort_by_key(|number| self.graph.id(self.index(*number)));
        let mut alone: Vec<(Index, State)> =
            sure.into_iter().map(|number| (self.index(number), State::Failed)).collect();
        let mut alike: FxHashMap<Vec<u32>, Vec<u32>> = FxHashMap::default();
        for chunk in candidates.chunks(LANES).take_while(|_| !self.progress.is_cancelled()) {
            let questions: Vec<&[u32]> = chunk.chunks(1).collect();
            let failed = self.ask(&questions, Reading::AsDeclared);
            for (lane, number) in chunk.iter().enumerate() {
                if failed >> lane & 1 == 1 {
                    continue;
                }
                let lost = self.lost(&members, lane);
                if !lost.is_empty() {
                    alike.entry(lost).or_default().push(*number);
                }
            }
            let doubtful =
                if guesses { self.ask(&questions, Reading::UnconfirmedSpareNothing) } else { failed };
            for (lane, number) in chunk.iter().enumerate() {
                if doubtful >> lane & 1 == 1 {
                    let state = if failed >> lane & 1 == 1 { State::Failed } else { State::AtRisk };
                    alone.push((self.index(*number), state));
                }
            }
        }
        alone.sort_by_key(|(item, state)| (*state, self.graph.id(*item)));
        let mut classes: Vec<Alike> =
            alike.into_iter().map(|(lost, items)| Alike { items, groups: self.groups(&lost) }).collect();
        classes.sort_by_key(|class| self.graph.id(self.index(class.items[0])));
        self.alike = classes;
        alone
    }

    /// Sets of two and of three, and up to which size they are all.
    fn sets(&mut self) -> (Vec<Parts>, u8) {
        let mut of_group: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (number, class) in (0..).zip(&self.alike) {
            for group in &class.groups {
                of_group.entry(*group).or_default().push(number);
            }
        }
        let mut found: Vec<Vec<u32>> = Vec::new();
        let Some(pairs) = self.pairs(&of_group) else { return (Vec::new(), 1) };
        let Some((failing, holding)) = self.judge(&pairs) else { return (Vec::new(), 1) };
        let fatal: FxHashSet<[u32; 2]> = failing.iter().map(|set| [set[0], set[1]]).collect();
        found.extend(failing);
        let triples = self.triples(&holding, &of_group, &fatal);
        let triples = triples.and_then(|triples| self.judge(&triples));
        let complete_to = if triples.is_some() { SET_MAX } else { SET_MAX - 1 };
        found.extend(triples.into_iter().flat_map(|(failing, _)| failing));
        let part = |class: &u32| {
            self.alike[*class as usize].items.iter().map(|item| self.index(*item)).collect::<Vec<_>>()
        };
        let mut sets: Vec<Parts> = found.iter().map(|set| Parts(set.iter().map(part).collect())).collect();
        let ids = |set: &Parts| set.0.iter().map(|part| self.graph.id(part[0])).collect::<Vec<_>>();
        sets.sort_by_key(|set| (set.0.len(), ids(set)));
        (sets, complete_to)
    }

    /// Classes that take members from one group, two by two.
    fn pairs(&self, of_group: &FxHashMap<u32, Vec<u32>>) -> Option<Vec<Vec<u32>>> {
        let mut pairs: FxHashSet<[u32; 2]> = FxHashSet::default();
        for classes in of_group.values() {
            for (place, one) in classes.iter().enumerate() {
                pairs.extend(classes[place + 1..].iter().map(|other| [*one, *other]));
                if !self.affords(pairs.len()) {
                    return None;
                }
            }
        }
        let mut pairs: Vec<Vec<u32>> = pairs.into_iter().map(|pair| pair.to_vec()).collect();
        pairs.sort_unstable();
        Some(pairs)
    }

    /// What a pair takes together, with a third that takes from one of the same groups.
    fn triples(
        &self,
        holding: &[(Vec<u32>, Vec<u32>)],
        of_group: &FxHashMap<u32, Vec<u32>>,
        fatal: &FxHashSet<[u32; 2]>,
    ) -> Option<Vec<Vec<u32>>> {
        let mut triples: FxHashSet<[u32; 3]> = FxHashSet::default();
        for (pair, groups) in holding {
            for third in groups.iter().filter_map(|group| of_group.get(group)).flatten() {
                let mut set = [pair[0], pair[1], *third];
                set.sort_unstable();
                let [one, two, three] = set;
                let smaller =
                    [[one, two], [one, three], [two, three]].iter().any(|pair| fatal.contains(pair));
                if one != two && two != three && !smaller {
                    triples.insert(set);
                }
            }
            if !self.affords(triples.len()) {
                return None;
            }
        }
        let mut triples: Vec<Vec<u32>> = triples.into_iter().map(|set| set.to_vec()).collect();
        triples.sort_unstable();
        Some(triples)
    }

    fn affords(&self, questions: usize) -> bool {
        (questions.div_ceil(LANES) as u64).saturating_mul(self.size) <= self.steps_left
    }

    /// Which sets of classes fail the target; and the others, with the groups that they take members from together.
    #[expect(clippy::type_complexity, reason = "read by one caller, in one line")]
    fn judge(&mut self, sets: &[Vec<u32>]) -> Option<(Vec<Vec<u32>>, Vec<(Vec<u32>, Vec<u32>)>)> {
        if !self.affords(sets.len()) {
            return None;
        }
        self.steps_left -= sets.len().div_ceil(LANES) as u64 * self.size;
        let members = self.members();
        let (mut failing, mut holding) = (Vec::new(), Vec::new());
        for chunk in sets.chunks(LANES) {
            if self.progress.is_cancelled() {
                return None;
            }
            let first = |class: &u32| self.alike[*class as usize].items[0];
            let seeds: Vec<Vec<u32>> = chunk.iter().map(|set| set.iter().map(first).collect()).collect();
            let questions: Vec<&[u32]> = seeds.iter().map(Vec::as_slice).collect();
            let failed = self.ask(&questions, Reading::AsDeclared);
            for (lane, set) in chunk.iter().enumerate() {
                if failed >> lane & 1 == 1 {
                    failing.push(set.clone());
                } else {
                    holding.push((set.clone(), self.groups(&self.lost(&members, lane))));
                }
            }
        }
        Some((failing, holding))
    }
}
