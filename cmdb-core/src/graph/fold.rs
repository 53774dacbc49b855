//! Folding the overlay into the base behind everybody's back.
//!
//! ```text
//! writer  ── apply ── apply ── apply ── apply ──┬─ apply on the folded graph ──
//!              │ starts           │ handed over  │ taken
//! folder       └─ folds ──────────┴─ catches up ─┘
//! ```
//!
//! A fold copies the whole base, so a thread of its own does it from the snapshot at hand. What is committed
//! meanwhile is laid over the old graph, so that it is visible at once, and handed to the thread, which lays it over
//! the folded one. When that has caught up, the next commit goes on from there. The old base is let go on a thread too:
//! giving back what a million items took is more than a commit may cost. Invariant: what `apply` returns equals
//! what [`Graph::apply`] would, whether and whenever a fold ends; one fold runs at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Delta, Graph, edit};
use crate::model::Revision;

/// A graph that has caught up but for so many deltas is taken; the writer lays these over it.
const LEFT_FOR_THE_WRITER: usize = 64;
/// The overlay may grow to so many times its limit while a fold is under way; then the writer waits for its end.
const OVERLAY_TIMES_MAX: usize = 4;

/// So many graphs that readers still hold are kept in sight, to be let go of by a thread of ours; of more, whoever
/// holds one last lets go of it.
const LEFT_MAX: usize = 4;

/// Applies commits one after the other, and folds on a thread of its own.
#[derive(Default)]
pub struct Folder {
    folding: Mutex<Option<Folding>>,
    /// The last graph on each base that was left for a folded one.
    left: Mutex<Vec<Graph>>,
    /// Entries at which folding begins, where that is not left to the graph.
    limit: Option<usize>,
}

struct Folding {
    shared: Arc<Mutex<Shared>>,
    thread: std::thread::JoinHandle<()>,
    /// The last commit that was handed over.
    last: Revision,
}

#[derive(Default)]
struct Shared {
    /// Commits since the fold began that it has not laid over its graph yet.
    waiting: Vec<(Revision, Vec<Delta>)>,
    /// Caught up with everything but what is waiting.
    folded: Option<Graph>,
}

impl Folder {
    /// Begins to fold at so many entries.
    #[cfg(test)]
    pub(super) fn with_limit(limit: usize) -> Folder {
        Folder { limit: Some(limit), ..Folder::default() }
    }

    /// The snapshot after one more commit, as [`Graph::apply`] makes it, but for the wait where the overlay is full.
    /// `graph` is what the last call returned, or any other to begin anew with.
    #[must_use]
    pub fn apply(&self, graph: &Graph, revision: Revision, deltas: Vec<Delta>) -> Graph {
        if deltas.len() > graph.overlay_limit() {
            // Everything is rebuilt in any case. A fold of what was before is of no use any more.
            *self.folding() = None;
            return graph.apply(revision, deltas);
        }
        let mut folding = self.folding();
        // Somebody put another graph in the place of ours.
        let _ = folding.take_if(|folding| folding.last != graph.revision());
        let full = graph.0.overlay.entries() > OVERLAY_TIMES_MAX * self.limit_of(graph);
        if let Some(under_way) = folding.take() {
            match under_way.taken(full) {
                Ok(Some(folded)) => {
                    self.leave(graph);
                    return edit::apply(&folded, revision, deltas);
                }
                Ok(None) => return edit::apply(graph, revision, deltas),
                Err(under_way) => *folding = Some(under_way),
            }
        }
        if let Some(under_way) = folding.as_mut() {
            under_way.hand_over(revision, deltas.clone());
        }
        let next = edit::apply(graph, revision, deltas);
        if folding.is_none() && next.0.overlay.entries() > self.limit_of(&next) {
            // Where no thread is to be had, it is tried again at the next commit.
            *folding = Folding::begin(&next).ok();
        }
        next
    }

    /// To be called when a commit is visible: has a thread let go of what nobody holds any more.
    pub fn let_go(&self) {
        let mut left = lock(&self.left);
        let gone: Vec<Graph> = left.extract_if(.., |graph| Arc::strong_count(&graph.0) == 1).collect();
        if !gone.is_empty() {
            // Where no thread is to be had, it is done here.
            let _ = std::thread::Builder::new().name("let go".to_owned()).spawn(move || drop(gone));
        }
    }

    fn leave(&self, graph: &Graph) {
        let mut left = lock(&self.left);
        left.truncate(LEFT_MAX - 1);
        left.push(graph.clone());
    }

    fn limit_of(&self, graph: &Graph) -> usize {
        self.limit.unwrap_or_else(|| graph.overlay_limit())
    }

    fn folding(&self) -> MutexGuard<'_, Option<Folding>> {
        lock(&self.folding)
    }

    /// How many graphs are kept in sight.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        lock(&self.left).len()
    }

    /// Until the fold that is under way has caught up.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        while self.folding().as_ref().is_some_and(|folding| !folding.thread.is_finished()) {
            std::thread::yield_now();
        }
    }
}

impl Folding {
    fn begin(graph: &Graph) -> std::io::Result<Folding> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (graph, last) = (graph.clone(), graph.revision());
        let theirs = Arc::clone(&shared);
        let work = move || fold(graph, &theirs);
        let thread = std::thread::Builder::new().name("fold".to_owned()).spawn(work)?;
        Ok(Folding { shared, thread, last })
    }

    fn hand_over(&mut self, revision: Revision, deltas: Vec<Delta>) {
        lock(&self.shared).waiting.push((revision, deltas));
        self.last = revision;
    }

    /// The folded graph with everything that was handed over, once there is one; itself while there is none. Nothing
    /// where the thread died: then the graph at hand is as good, and folded another time.
    fn taken(self, wait: bool) -> Result<Option<Graph>, Folding> {
        if !wait && !self.thread.is_finished() {
            return Err(self);
        }
        let died = self.thread.join().is_err();
        let mut shared = lock(&self.shared);
        let folded = shared.folded.take().filter(|_| !died);
        Ok(folded.map(|folded| over(folded, std::mem::take(&mut shared.waiting))))
    }
}

fn fold(graph: Graph, shared: &Mutex<Shared>) {
    let mut folded = graph.folded();
    // The snapshot before is not kept alive for the rest.
    drop(graph);
    loop {
        let waiting = {
            let mut shared = lock(shared);
            let left: usize = shared.waiting.iter().map(|(_, deltas)| deltas.len()).sum();
            if left <= LEFT_FOR_THE_WRITER {
                shared.folded = Some(folded);
                return;
            }
            std::mem::take(&mut shared.waiting)
        };
        folded = over(folded, waiting);
    }
}

fn over(graph: Graph, commits: Vec<(Revision, Vec<Delta>)>) -> Graph {
    commits.into_iter().fold(graph, |graph, (revision, deltas)| edit::apply(&graph, revision, deltas))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
