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

/// Every item whose failure alone fails one of the targets, in order of the graph. None: `cancelled` was set before the
/// end. `done` says how many items of the graph are through. The same whatever the number of threads.
#[must_use]
pub fn points(
    graph: &Graph,
    targets: &[Index],
    cancelled: &AtomicBool,
    done: &AtomicUsize,
) -> Option<Vec<Point>> {
    let mut sought = Visited::of(graph);
    for target in targets {
        sought.insert(*target);
    }
    let items: Vec<Index> = graph.indexes().collect();
    let parts: Option<Vec<Vec<Point>>> = items
        .par_chunks(ITEMS_AT_ONCE)
        .map(|items| {
            if cancelled.load(Ordering::Relaxed) {
                return None;
            }
            let mut fixpoint = Fixpoint::new(graph, &[]);
            let found = items.iter().filter_map(|item| point(graph, &mut fixpoint, *item, &sought)).collect();
            done.fetch_add(items.len(), Ordering::Relaxed);
            Some(found)
        })
        .collect();
    Some(parts?.into_iter().flatten().collect())
}

fn point(graph: &Graph, fixpoint: &mut Fixpoint<'_>, item: Index, sought: &Visited) -> Option<Point> {
    fixpoint.restart(&[item]);
    fixpoint.run(Reading::AsDeclared, &Failing);
    let certain = fixpoint.order().len();
    if fixpoint.rests_on_guesses() {
        fixpoint.run(Reading::UnconfirmedSpareNothing, &Failing);
    }
    let failed = fixpoint.order().iter().enumerate().skip(1);
    let fails = failed.filter(|(_, other)| sought.contains(**other)).map(|(place, other)| {
        let state = if place < certain { State::Failed } else { State::AtRisk };
        (*other, state)
    });
    let mut fails: Vec<(Index, State)> = fails.collect();
    fails.sort_unstable_by_key(|(other, _)| graph.id(*other));
    (!fails.is_empty()).then_some(Point { item, fails })
}
