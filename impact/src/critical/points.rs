//! The single points of failure of many items at once: each item of the graph is failed, and it is seen whom it takes
//! down.
//!
//! Asked of every service of an estate, this is less work than to look at everything that each of them needs: items
//! that almost everything needs are failed once, and most others reach little. Linear in what fails. Invariant: what is
//! found for a target is [`Critical::alone`](super::Critical::alone) of it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cmdb_core::graph::{Graph, Index, Visited};
use rayon::prelude::*;

use crate::propagate::{Fixpoint, Reading, State, Walk};

/// Items failed by one thread before it looks whether it is to go on.
const ITEMS_AT_ONCE: usize = 64;

/// An item, and the targets that fail with it alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Point {
    /// The item.
    pub item: Index,
    /// Each target, and whether it is down for certain; by id.
    pub fails: Vec<(Index, State)>,
}

/// To the end, and nothing noted but what fails.
struct Failing;

impl Walk for Failing {
    const NOTES_TOUCHED: bool = false;

    #[inline]
    fn admits(&self, _: Index) -> bool {
        true
    }

    #[inline]
    fn ends_at(&self, _: Index) -> bool {
        false
    }
}

/// What is down before anything is asked, and what it fails.
struct Before<'a> {
    down: &'a [Index],
    /// Failed for certain; and failed if unconfirmed groups spare nothing.
    certain: Visited,
    worst: Visited,
}

impl<'a> Before<'a> {
    fn of(graph: &Graph, down: &'a [Index]) -> Before<'a> {
        let set = |items: &[Index]| {
            let mut set = Visited::of(graph);
            for item in items {
                set.insert(*item);
            }
            set
        };
        let mut fixpoint = Fixpoint::new(graph, down);
        fixpoint.run(Reading::AsDeclared, &Failing);
        let certain = set(fixpoint.order());
        if fixpoint.rests_on_guesses() {
            fixpoint.run(Reading::UnconfirmedSpareNothing, &Failing);
        }
        Before { down, certain, worst: set(fixpoint.order()) }
    }
}

/// Every item whose failure alone fails one of the targets, beside what is down already, in order of the graph. A target that
/// is down already, or at risk of it, is not told to be so once more. Costs what is down already for each item. None: `cancelled` was set before the
/// end. `done` says how many items of the graph are through. The same whatever the number of threads.
#[must_use]
pub fn points(
    graph: &Graph,
    targets: &[Index],
    down: &[Index],
    cancelled: &AtomicBool,
    done: &AtomicUsize,
) -> Option<Vec<Point>> {
    let mut sought = Visited::of(graph);
    for target in targets {
        sought.insert(*target);
    }
    let before = Before::of(graph, down);
    let items: Vec<Index> = graph.indexes().filter(|item| !before.certain.contains(*item)).collect();
    let parts: Option<Vec<Vec<Point>>> = items
        .par_chunks(ITEMS_AT_ONCE)
        .map(|items| {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let mut fixpoint = Fixpoint::new(graph, &[]);
            let found = items
                .iter()
                .filter_map(|item| point(graph, &mut fixpoint, *item, &before, &sought))
                .collect();
            done.fetch_add(items.len(), Ordering::Relaxed);
            Some(found)
        })
        .collect();
    Some(parts?.into_iter().flatten().collect())
}

fn point(
    graph: &Graph,
    fixpoint: &mut Fixpoint<'_>,
    item: Index,
    before: &Before<'_>,
    sought: &Visited,
) -> Option<Point> {
    let seeds: Vec<Index> = std::iter::once(item).chain(before.down.iter().copied()).collect();
    fixpoint.restart(&seeds);
    fixpoint.run(Reading::AsDeclared, &Failing);
    let certain = fixpoint.order().len();
    if fixpoint.rests_on_guesses() {
        fixpoint.run(Reading::UnconfirmedSpareNothing, &Failing);
    }
    let failed = fixpoint.order().iter().enumerate().skip(1);
    let fails = failed.filter(|(_, other)| sought.contains(**other)).filter_map(|(place, other)| {
        let (state, already) = match place < certain {
            true => (State::Failed, &before.certain),
            false => (State::AtRisk, &before.worst),
        };
        (!already.contains(*other)).then_some((*other, state))
    });
    let mut fails: Vec<(Index, State)> = fails.collect();
    fails.sort_unstable_by_key(|(other, _)| graph.id(*other));
    (!fails.is_empty()).then_some(Point { item, fails })
}
