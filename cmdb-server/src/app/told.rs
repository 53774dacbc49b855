//! The answer to one long question, and before it how far it is.
//!
//! Whoever asks sees nothing of a short one but the answer. Invariant: an asker who takes nothing misses how far it is,
//! and never holds up the work; one who has gone ends it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use cmdb_impact::Progress;
use cmdb_impact::progress::At;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_stream::wrappers::ReceiverStream;

use super::{Error, Stream};

/// How long a question is under way before it is told how far it is.
const FIRST: Duration = Duration::from_millis(400);
/// How often that is told.
const EACH: Duration = Duration::from_millis(200);
/// The longest that an answer waits to be taken.
const STALL_MAX: Duration = Duration::from_secs(60);

/// What comes of a long question.
pub enum Told<T> {
    /// On the way.
    Progress(At),
    /// At the end.
    Answer(T),
}

/// Waits for an answer, and tells how far it is.
pub fn told<T: Send + 'static>(
    progress: Arc<Progress>,
    answer: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Stream<Told<T>> {
    told_every(FIRST, EACH, progress, answer)
}

fn told_every<T: Send + 'static>(
    first: Duration,
    each: Duration,
    progress: Arc<Progress>,
    answer: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Stream<Told<T>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut answer = Box::pin(answer);
        let mut ticks = interval_at(Instant::now() + first, each);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = At::default();
        let answered = loop {
            tokio::select! {
                answered = &mut answer => break answered.map(Told::Answer),
                // The answer is dropped, and the work ends.
                () = sender.closed() => return,
                _ = ticks.tick() => {
                    let at = progress.at();
                    if at != last && sender.try_send(Ok(Told::Progress(at))).is_ok() {
                        last = at;
                    }
                }
            }
        };
        // Nobody may be there to take it.
        drop(sender.send_timeout(answered, STALL_MAX).await);
    });
    ReceiverStream::new(receiver)
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tokio_stream::StreamExt;

    use super::*;
    use crate::app::Asker;

    const SHORT: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn how_far_it_is_comes_before_the_answer() {
        let progress = Arc::new(Progress::default());
        let (ends, end) = oneshot::channel();
        let answer = async { end.await.map_err(|_| Error::Internal) };
        let mut pieces = told_every(SHORT, SHORT, Arc::clone(&progress), answer);
        progress.begin("counting", 7);
        progress.advance(3);
        let first = pieces.next().await.unwrap().unwrap();
        assert!(matches!(first, Told::Progress(At { phase: "counting", done: 3, total: 7 })));
        ends.send(42).unwrap();
        // What did not change is not told again.
        let last = pieces.next().await.unwrap().unwrap();
        assert!(matches!(last, Told::Answer(42)));
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn a_short_answer_comes_alone() {
        let hour = Duration::from_secs(3_600);
        let mut pieces = told_every(hour, hour, Arc::default(), async { Err::<(), _>(Error::Internal) });
        assert!(pieces.next().await.unwrap().is_err());
        assert!(pieces.next().await.is_none());
    }

    #[tokio::test]
    async fn one_who_has_gone_ends_the_work() {
        let progress = Arc::new(Progress::default());
        let (begins, begun) = oneshot::channel();
        let (ends, ended) = oneshot::channel();
        let answer = {
            let progress = Arc::clone(&progress);
            async move {
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
                Ok(())
            }
        };
        let pieces = told_every(SHORT, SHORT, progress, answer);
        begun.await.unwrap();
        drop(pieces);
        ended.await.expect("the work looked whether anybody waits");
    }
}
