//! Whether whoever asked still waits for the answer.
//!
//! A call that is given up drops its future, and nothing else: work on another thread would go on for nobody. Invariant:
//! the work is cancelled from the moment at which nobody waits.

use std::sync::Arc;

use cmdb_impact::Progress;

/// Held by the future of a call for as long as it waits.
pub struct Asker(Arc<Progress>);

impl Asker {
    /// Of work whose progress that is.
    pub fn of(progress: &Arc<Progress>) -> Asker {
        Asker(Arc::clone(progress))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.cancel();
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
            let progress = Arc::new(Progress::default());
            let asker = Asker::of(&progress);
            let work = tokio::task::spawn_blocking(move || {
                begins.send(()).unwrap();
                while !progress.is_cancelled() {
                    std::thread::yield_now();
                }
                ends.send(()).unwrap();
            });
            work.await.unwrap();
            drop(asker);
        });
        begun.await.unwrap();
        call.abort();
        ended.await.expect("the work looked whether anybody waits");
    }
}
