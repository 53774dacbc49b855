//! Long answers: made beside the async threads, piece by piece, as fast as the asker takes them.
//!
//! Invariant: at most [`PIECES_MAX`] pieces wait, one that nobody takes for [`STALL_MAX`] ends the answer, and so does
//! [`ANSWER_MAX`]: a slow reader never pins a moment of the store, nor its file's growth, without end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cmdb_core::engine::EngineError;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::{App, Error};

/// Long answers under way at the same time.
pub const ANSWERS_MAX: usize = 8;
/// Pieces of an answer that wait to be taken.
const PIECES_MAX: usize = 8;
/// The longest that a piece waits to be taken.
const STALL_MAX: Duration = Duration::from_secs(60);
/// The longest that an answer may take in all.
const ANSWER_MAX: Duration = Duration::from_secs(4 * 60 * 60);

/// A long answer.
pub type Stream<T> = ReceiverStream<Result<T, Error>>;

/// Where the maker of a long answer puts its pieces.
pub struct Feed<T> {
    sender: mpsc::Sender<Result<T, Error>>,
    runtime: Handle,
    began: Instant,
}

impl<T> Feed<T> {
    /// Feeds that channel from outside the async threads; called within them.
    pub fn new(sender: mpsc::Sender<Result<T, Error>>) -> Feed<T> {
        Feed { sender, runtime: Handle::current(), began: Instant::now() }
    }

    /// Waits until there is room for a piece.
    ///
    /// # Errors
    /// When the asker has gone or takes nothing, or the answer takes too long: it is to be given up.
    pub fn send(&self, piece: T) -> Result<(), Error> {
        if self.began.elapsed() > ANSWER_MAX {
            return Err(Error::AnswerTooLong { seconds: ANSWER_MAX.as_secs() });
        }
        match self.runtime.block_on(timeout(STALL_MAX, self.sender.send(Ok(piece)))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Gone),
            Err(_) => Err(Error::Stalled { seconds: STALL_MAX.as_secs() }),
        }
    }
}

impl App {
    /// Makes a long answer, when not too many are under way.
    pub fn stream<T: Send + 'static>(
        self: &Arc<Self>,
        make: impl FnOnce(&App, &Feed<T>) -> Result<(), Error> + Send + 'static,
    ) -> Stream<T> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let app = Arc::clone(self);
        let last = sender.clone();
        tokio::spawn(async move {
            if let Err(error) = app.make(sender, make).await {
                tracing::debug!(%error, "a long answer ended early");
                // Nobody may be there to hear it.
                drop(last.send_timeout(Err(error), STALL_MAX).await);
            }
        });
        ReceiverStream::new(receiver)
    }

    async fn make<T: Send + 'static>(
        self: &Arc<Self>,
        sender: mpsc::Sender<Result<T, Error>>,
        make: impl FnOnce(&App, &Feed<T>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let permit = Arc::clone(&self.answers).try_acquire_owned();
        let permit = permit.map_err(|_| Error::AnswersFull { limit: ANSWERS_MAX })?;
        let (app, feed) = (Arc::clone(self), Feed::new(sender));
        let made = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            make(&app, &feed)
        });
        made.await.map_err(|_| Error::Internal)?
    }
}

/// How a callback of the engine is told to stop because the asker stopped listening.
pub fn interrupted() -> EngineError {
    EngineError::Closed
}
