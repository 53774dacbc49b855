//! The least set of items that fail with the seeds: a work list and one counter per touched group.
//!
//! Knows nothing of distances. Invariants: an item enters the list once; a member is taken from its group once, since
//! all its relationships in that group are neighbours in its row; the list is in rounds, and what failed in earlier
//! rounds suffices to fail each of a round.

use cmdb_core::graph::{Gate, GateIndex, Graph, Index, Reach, Reaches, Slack, Units, Visited};

use super::memory::{BROKEN, Memory};

/// Items whose rows are fetched together. A row lies anywhere in memory; fetched one by one, each would be waited for.
pub(super) const AHEAD: usize = 16;

/// How unconfirmed groups are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// They hold as they are thought to.
    AsDeclared,
    /// They need all of their members.
    UnconfirmedSpareNothing,
}

/// What of a walk is wanted. Each kind of walk has its own loop, without the questions that it does not ask.
pub(crate) trait Walk {
    /// Items that are touched short of a failure are noted.
    const NOTES_TOUCHED: bool;
    /// What groups lose is noted, so that [`Fixpoint::back_to`] can give it back.
    const GIVES_BACK: bool;

    /// Whether an item may fail at all.
    fn admits(&self, item: Index) -> bool;

    /// Whether the walk is over now that this item fails.
    fn ends_at(&self, item: Index) -> bool;
}

/// To the end, and everything noted.
pub(crate) struct Whole;

impl Walk for Whole {
    const NOTES_TOUCHED: bool = true;
    const GIVES_BACK: bool = false;

    fn admits(&self, _: Index) -> bool {
        true
    }

    fn ends_at(&self, _: Index) -> bool {
        false
    }
}

/// Within a set, until an item of another set fails.
pub(crate) struct Until<'a> {
    pub within: &'a Visited,
    pub end: &'a Visited,
}

impl Walk for Until<'_> {
    const NOTES_TOUCHED: bool = false;
    const GIVES_BACK: bool = false;

    #[inline]
    fn admits(&self, item: Index) -> bool {
        self.within.contains(item)
    }

    #[inline]
    fn ends_at(&self, item: Index) -> bool {
        self.end.contains(item)
    }
}

/// Where a fixpoint stood.
pub(crate) struct Mark {
    order: usize,
    starts: usize,
    gates: usize,
}

pub(crate) struct Fixpoint<'g> {
    graph: &'g Graph,
    /// Always there; taken out when it is given back.
    memory: Option<Box<Memory>>,
    done: usize,
    /// An unconfirmed group lost a member.
    guesses: bool,
    /// An item failed through a group that had lost its first member in an earlier round.
    late: bool,
    steps: u64,
}

impl Drop for Fixpoint<'_> {
    fn drop(&mut self) {
        // What a panic left half written is not kept.
        if let Some(memory) = self.memory.take().filter(|_| !std::thread::panicking()) {
            memory.give_back();
        }
    }
}

impl<'g> Fixpoint<'g> {
    pub fn new(graph: &'g Graph, seeds: &[Index]) -> Fixpoint<'g> {
        let memory = Some(Memory::take(graph));
        let mut fixpoint = Fixpoint { graph, memory, done: 0, guesses: false, late: false, steps: 0 };
        fixpoint.seed(seeds);
        fixpoint
    }

    /// Forgets what failed and begins anew. Costs what had failed; the count of steps goes on.
    pub fn restart(&mut self, seeds: &[Index]) {
        self.memory_mut().wipe();
        (self.done, self.guesses, self.late) = (0, false, false);
        self.seed(seeds);
    }

    /// Remembers where it stands, at its end. From here on [`rests_on_guesses`](Fixpoint::rests_on_guesses) speaks of
    /// what comes after.
    pub fn mark(&mut self) -> Mark {
        debug_assert_eq!(self.done, self.order().len());
        self.guesses = false;
        let memory = self.memory_mut();
        memory.taken.clear();
        Mark { order: memory.order.len(), starts: memory.starts.len(), gates: memory.gates.len() }
    }

    /// Fails one more item, and what fails with it; over a walk that gives back. What failed since the mark.
    pub fn beside<W: Walk>(&mut self, mark: &Mark, item: Index, reading: Reading, walk: &W) -> &[Index] {
        debug_assert!(W::GIVES_BACK && self.order().len() == mark.order);
        self.seed(&[item]);
        self.go_on(reading, walk);
        &self.order()[mark.order..]
    }

    /// Undoes what happened since the mark. Costs as much as that did.
    pub fn back_to(&mut self, mark: &Mark) {
        (self.done, self.guesses) = (mark.order, false);
        let memory = self.memory_mut();
        for item in memory.order.drain(mark.order..) {
            memory.failed.remove(item);
        }
        for (gate, units) in memory.taken.drain(..) {
            memory.lost[gate.0 as usize] -= 1;
            if let Some(lost) = memory.weights.get_mut(&gate) {
                lost.0 -= units.0;
            }
        }
        memory.gates.truncate(mark.gates);
        memory.starts.truncate(mark.starts);
        memory.weak_starts.truncate(mark.starts);
    }

    fn seed(&mut self, seeds: &[Index]) {
        let memory = self.memory_mut();
        for seed in seeds {
            if memory.failed.insert(*seed) {
                memory.order.push(*seed);
            }
        }
    }

    pub(super) fn memory(&self) -> &Memory {
        self.memory.as_ref().expect("it is given back at the end only")
    }

    pub(super) fn memory_mut(&mut self) -> &mut Memory {
        self.memory.as_mut().expect("it is given back at the end only")
    }

    /// Everything failed, in the order in which it failed.
    pub fn order(&self) -> &[Index] {
        &self.memory().order
    }

    /// Whether it has failed an item.
    pub fn has_failed(&self, item: Index) -> bool {
        self.memory().failed.contains(item)
    }

    /// Where each round begins in the order.
    pub fn starts(&self) -> &[usize] {
        &self.memory().starts
    }

    /// Relationships looked at so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the other reading could fail more: an unconfirmed group lost a member.
    pub fn rests_on_guesses(&self) -> bool {
        self.guesses
    }

    /// Fails everything that must; says whether the walk ended before. Run again with the other reading it goes on
    /// from there.
    pub fn run<W: Walk>(&mut self, reading: Reading, walk: &W) -> bool {
        if reading == Reading::UnconfirmedSpareNothing {
            self.reread();
        }
        self.go_on(reading, walk)
    }

    fn go_on<W: Walk>(&mut self, reading: Reading, walk: &W) -> bool {
        let mut memory = self.memory.take().expect("it is given back at the end only");
        let mut ended = false;
        let mut ahead: [Reach<'g>; AHEAD] = Default::default();
        while self.done < memory.order.len() && !ended {
            let round = memory.starts.len();
            memory.starts.push(self.done);
            memory.weak_starts.push(memory.weak.len());
            let end = memory.order.len();
            while self.done < end && !ended {
                let block = end.min(self.done + AHEAD);
                self.graph.read_ahead(&memory.order[self.done..block], &mut ahead);
                for reach in &mut ahead[..block - self.done] {
                    let provider = memory.order[self.done];
                    if walk.ends_at(provider) {
                        ended = true;
                        break;
                    }
                    self.done += 1;
                    let reach = std::mem::take(reach);
                    self.spread(&mut memory, provider, reach, super::narrow(round), reading, walk);
                }
            }
        }
        self.memory = Some(memory);
        ended
    }

    /// Unconfirmed groups that lost members and held so far hold no more.
    fn reread(&mut self) {
        let graph = self.graph;
        let memory = self.memory_mut();
        let unconfirmed = memory.gates.iter().map(|gate| graph.slack(*gate)).filter(|slack| slack.inferred());
        let mut dependents: Vec<Index> = unconfirmed.map(Slack::dependent).collect();
        dependents.sort_unstable();
        for dependent in dependents {
            if memory.failed.insert(dependent) {
                memory.order.push(dependent);
            }
        }
    }

    #[inline]
    fn spread<W: Walk>(
        &mut self,
        memory: &mut Memory,
        provider: Index,
        reach: Reach<'g>,
        round: u32,
        reading: Reading,
        walk: &W,
    ) {
        self.steps += 1 + reach.len() as u64;
        let mut before = None;
        for arc in reach {
            match arc {
                Reaches::Hard(dependent) => {
                    if walk.admits(dependent) && memory.failed.insert(dependent) {
                        memory.order.push(dependent);
                    }
                }
                Reaches::Member(gate) => {
                    // The same item in the same group over another type: one member, lost once.
                    if before.replace(gate) != Some(gate) {
                        self.lose(memory, gate, provider, round, reading, walk);
                    }
                }
                Reaches::Weak(dependent) => {
                    if W::NOTES_TOUCHED && !memory.failed.contains(dependent) {
                        memory.weak.push(dependent);
                    }
                }
            }
        }
    }

    /// Takes a member from its group, and fails the dependent where the group no longer holds.
    #[inline]
    fn lose<W: Walk>(
        &mut self,
        memory: &mut Memory,
        number: GateIndex,
        provider: Index,
        round: u32,
        reading: Reading,
        walk: &W,
    ) {
        let slack = self.graph.slack(number);
        let dependent = slack.dependent();
        if memory.failed.contains(dependent) || !walk.admits(dependent) {
            return;
        }
        let lost = &mut memory.lost[number.0 as usize];
        if *lost == 0 {
            memory.gates.push(number);
        }
        *lost += 1;
        self.guesses |= slack.inferred();
        let (broken, units) = match slack.members() {
            Some(spare) => (*lost > spare, Units(0)),
            None => self.weighs(memory, number, provider),
        };
        if W::GIVES_BACK {
            memory.taken.push((number, units));
        }
        if broken || (reading == Reading::UnconfirmedSpareNothing && slack.inferred()) {
            memory.failed.insert(dependent);
            memory.order.push(dependent);
            let touched = &mut memory.touched[dependent.0 as usize];
            if W::NOTES_TOUCHED && *touched != 0 {
                self.late |= *touched <= round;
                *touched = BROKEN;
            }
        } else if W::NOTES_TOUCHED {
            touch(memory, dependent, round);
        }
    }

    #[cold]
    fn weighs(&self, memory: &mut Memory, number: GateIndex, provider: Index) -> (bool, Units) {
        let gate = self.graph.gate(number);
        let (lost, units) = (memory.weights.entry(number).or_default(), gate.loss(provider));
        lost.0 += units.0;
        (*lost > gate.spare(), units)
    }

    /// Whether each item failed in the round that is its distance: no group of it had lost a member sooner.
    pub fn rounds_are_distances(&self) -> bool {
        let memory = self.memory();
        let failed_otherwise =
            |item: &Index| memory.failed.contains(*item) && memory.touched[item.0 as usize] != BROKEN;
        if self.late {
            return false;
        }
        if !memory.soft.iter().any(failed_otherwise) {
            return true;
        }
        let rounds = self.starts().iter().zip(0u32..);
        let ends = self.starts().iter().skip(1).copied().chain([memory.order.len()]);
        rounds.zip(ends).all(|((start, round), end)| {
            let sooner = |item: &Index| (1..round).contains(&memory.touched[item.0 as usize]);
            !memory.order[*start..end].iter().any(sooner)
        })
    }
}

/// A group of an item lost a member that failed in a round, and holds.
#[inline]
fn touch(memory: &mut Memory, item: Index, round: u32) {
    let touched = &mut memory.touched[item.0 as usize];
    if *touched == 0 {
        *touched = round + 1;
        memory.soft.push(item);
    }
}

/// How many members of a group are down, and what is lost with them.
pub(crate) fn lost(gate: Gate<'_>, down: impl Fn(Index) -> bool) -> (usize, Units) {
    let mut members = 0;
    let mut units = Units(0);
    for member in gate.members().filter(|member| down(member.provider)) {
        members += 1;
        units.0 += gate.loss(member.provider).0;
    }
    (members, units)
}
