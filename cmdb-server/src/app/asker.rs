//! Whether whoever asked still waits for the answer.
//!
//! A call that is given up drops its future, and nothing else: work on another thread would go on for nobody. Invariant:
//! the flag is set from the moment at which nobody waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Held by the future of a call for as long as it waits.
pub struct Asker(Arc<AtomicBool>);

impl Asker {
    /// With the flag that is set when the asker goes, for the work to look at.
    pub fn new() -> (Asker, Arc<AtomicBool>) {
        let gone = Arc::new(AtomicBool::new(false));
        (Asker(Arc::clone(&gone)), gone)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_for_one_who_has_gone_ends() {
        let (begins, begun) = tokio::sync::oneshot::channel();
        let (ends, ended) = tokio::sync::oneshot::channel();
        let call = tokio::spawn(async move {
            let (asker, gone) = Asker::new();
            let work = tokio::task::spawn_blocking(move || {
                begins.send(()).unwrap();
                while !gone.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                ends.send(()).unwrap();
            });
            work.await.unwrap();
            drop(asker);
        });
        begun.await.unwrap();
        call.abort();
        ended.await.expect("the work looked at the flag");
    }
}
