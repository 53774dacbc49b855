//! The single points of failure of many items at once: each item of the graph is failed, and it is seen whom it takes
//! down.
//!
//! Asked of every service of an estate, this is less work than to look at everything that each of them needs: items
//! that almost everything needs are failed once, and most others reach little. Linear in what fails. Invariant: what is
//! found for a target is [`Critical::alone`](super::Critical::alone) of it.

use std::sync::atomic::{AtomicUsize, Ordering};

use cmdb_core::graph::{Graph, Index, Visited};

use crate::progress::Progress;
use crate::propagate::{Fixpoint, Mark, Reading, State, Walk};

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

/// To the end, and nothing noted but what fails and what has to be given back.
struct Failing;

impl Walk for Failing {
    const NOTES_TOUCHED: bool = false;
    const GIVES_BACK: bool = true;

    #[inline]
    fn admits(&self, _: Index) -> bool {
        true
    }

    #[inline]
    fn ends_at(&self, _: Index) -> bool {
        false
    }
}

/// What is down already, and everything that fails with it: items are failed beside that and taken back.
struct Beside<'g> {
    fixpoint: Fixpoint<'g>,
    mark: Mark,
    reading: Reading,
    /// It rests on an unconfirmed group that the items lose nothing of.
    guesses: bool,
}

impl<'g> Beside<'g> {
    fn of(graph: &'g Graph, down: &[Index], reading: Reading) -> Beside<'g> {
        let mut fixpoint = Fixpoint::new(graph, down);
        fixpoint.run(Reading::AsDeclared, &Failing);
        let guesses = fixpoint.rests_on_guesses();
        if reading == Reading::UnconfirmedSpareNothing {
            fixpoint.run(reading, &Failing);
        }
        let mark = fixpoint.mark();
        Beside { fixpoint, mark, reading, guesses }
    }

    /// What of the targets fails with an item that did not fail before, and whether that rests on guesses.
    fn fail(&mut self, item: Index, sought: &Visited) -> (Vec<Index>, bool) {
        let failed = self.fixpoint.beside(&self.mark, item, self.reading, &Failing);
        let found =
            failed.iter().copied().filter(|other| *other != item && sought.contains(*other)).collect();
        let guesses = self.guesses || self.fixpoint.rests_on_guesses();
        self.fixpoint.back_to(&self.mark);
        (found, guesses)
    }
}

/// Every item whose failure alone fails one of the targets, beside what is down already, in order of the graph. A target
/// that is down already, or at risk of it, is not told to be so once more. What is down already is failed once by each
/// thread. None: it was cancelled. Progress is told in items. The same whatever the number of threads.
#[must_use]
pub fn points(graph: &Graph, targets: &[Index], down: &[Index], progress: &Progress) -> Option<Vec<Point>> {
    let mut sought = Visited::of(graph);
    for target in targets {
        sought.insert(*target);
    }
    progress.begin("failing each item", graph.index_bound() as u64);
    let next = AtomicUsize::new(0);
    let parts = rayon::broadcast(|_| {
        let mut search = Search {
            graph,
            sought: &sought,
            certain: Beside::of(graph, down, Reading::AsDeclared),
            at_worst: Beside::of(graph, down, Reading::UnconfirmedSpareNothing),
        };
        let mut found = Vec::new();
        loop {
            let start = next.fetch_add(ITEMS_AT_ONCE, Ordering::Relaxed);
            if start >= graph.index_bound() || progress.is_cancelled() {
                return found;
            }
            let end = graph.index_bound().min(start + ITEMS_AT_ONCE);
            let items = crate::number(start)..crate::number(end);
            found.extend(items.filter_map(|item| search.point(Index(item))));
            progress.advance((end - start) as u64);
        }
    });
    if progress.is_cancelled() {
        return None;
    }
    let mut points: Vec<Point> = parts.into_iter().flatten().collect();
    points.sort_unstable_by_key(|point| point.item);
    Some(points)
}

struct Search<'a> {
    graph: &'a Graph,
    sought: &'a Visited,
    certain: Beside<'a>,
    at_worst: Beside<'a>,
}

impl Search<'_> {
    fn point(&mut self, item: Index) -> Option<Point> {
        if self.certain.fixpoint.has_failed(item) {
            return None;
        }
        let (mut found, guesses) = self.certain.fail(item, self.sought);
        found.sort_unstable();
        let mut fails: Vec<(Index, State)> = found.iter().map(|target| (*target, State::Failed)).collect();
        if guesses && !self.at_worst.fixpoint.has_failed(item) {
            let (doubtful, _) = self.at_worst.fail(item, self.sought);
            let doubtful = doubtful.into_iter().filter(|target| found.binary_search(target).is_err());
            fails.extend(doubtful.map(|target| (target, State::AtRisk)));
        }
        fails.sort_unstable_by_key(|(other, _)| self.graph.id(*other));
        (!fails.is_empty()).then_some(Point { item, fails })
    }
}
