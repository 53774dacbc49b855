//! How far a long answer is, and whether anybody still waits for it.
//!
//! Whoever asks holds one end and the algorithm the other. No clock and no printing: the algorithm counts and looks
//! whether it is to go on; when anybody is told, and how, is decided elsewhere. Invariant: an answer that was not given
//! up does not depend on it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by whoever asks and whoever answers.
#[derive(Default, Debug)]
pub struct Progress {
    cancelled: AtomicBool,
    phase: Mutex<Phase>,
    done: AtomicU64,
}

/// What is under way.
#[derive(Clone, Copy, Default, Debug)]
struct Phase {
    name: &'static str,
    total: u64,
}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct At {
    /// What is under way, in a few words; empty: nothing has begun.
    pub phase: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// Of so much; 0: not known.
    pub total: u64,
}

impl Progress {
    /// Nobody waits any more: what is under way is to end.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The next part of the work begins: what it is, and how much; 0: not known.
    pub fn begin(&self, name: &'static str, total: u64) {
        let mut phase = self.phase();
        *phase = Phase { name, total };
        self.done.store(0, Ordering::Relaxed);
    }

    /// So much more of it is done.
    #[inline]
    pub fn advance(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    /// How far it is.
    #[must_use]
    pub fn at(&self) -> At {
        let phase = self.phase();
        At { phase: phase.name, done: self.done.load(Ordering::Relaxed), total: phase.total }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_counted_from_its_beginning() {
        let progress = Progress::default();
        assert_eq!(progress.at(), At::default());
        progress.begin("counting", 7);
        progress.advance(3);
        progress.advance(2);
        assert_eq!(progress.at(), At { phase: "counting", done: 5, total: 7 });
        progress.begin("sorting", 0);
        assert_eq!(progress.at(), At { phase: "sorting", done: 0, total: 0 });
        assert!(!progress.is_cancelled());
        progress.cancel();
        assert!(progress.is_cancelled());
    }
}
