//! Long answers: made beside the async threads, piece by piece, as fast as the asker takes them.
//!
//! Invariant: at most [`PIECES_MAX`] pieces wait, and one that nobody takes for [`STALL_MAX`] ends the answer, so
//! that a slow reader never pins a moment of the store for long.

use std::sync::Arc;
use std::time::Duration;

use cmdb_core::engine::EngineError;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::{App, Error};

/// Pieces of an answer that wait to be taken.
const PIECES_MAX: usize = 8;
/// The longest that a piece waits to be taken.
const STALL_MAX: Duration = Duration::from_secs(60);

/// A long answer.
pub type Stream<T> = ReceiverStream<Result<T, Error>>;

/// Where the maker of a long answer puts its pieces.
pub struct Feed<T> {
    sender: mpsc::Sender<Result<T, Error>>,
    runtime: Handle,
}

impl<T> Feed<T> {
    /// Feeds that channel from outside the async threads; called within them.
    pub fn new(sender: mpsc::Sender<Result<T, Error>>) -> Feed<T> {
        Feed { sender, runtime: Handle::current() }
    }

    /// Waits until there is room for a piece.
    ///
    /// # Errors
    /// When the asker has gone or takes nothing: the answer is to be given up.
    pub fn send(&self, piece: T) -> Result<(), Error> {
        match self.runtime.block_on(timeout(STALL_MAX, self.sender.send(Ok(piece)))) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Gone),
            Err(_) => Err(Error::Stalled { seconds: STALL_MAX.as_secs() }),
        }
    }
}

impl App {
    /// Makes a long answer. The work counts as one of those done at the same time.
    pub fn stream<T: Send + 'static>(
        self: &Arc<Self>,
        make: impl FnOnce(&App, &Feed<T>) -> Result<(), Error> + Send + 'static,
    ) -> Stream<T> {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        let app = Arc::clone(self);
        let last = sender.clone();
        tokio::spawn(async move {
            let feed = Feed::new(sender);
            let maker = Arc::clone(&app);
            let made = app.work(move || make(&maker, &feed)).await;
            if let Err(error) = made.inspect_err(|error| tracing::debug!(%error, "a long answer ended early"))
            {
                // Nobody may be there to hear it.
                drop(last.send_timeout(Err(error), STALL_MAX).await);
            }
        });
        ReceiverStream::new(receiver)
    }
}

/// How a callback of the engine is told to stop because the asker stopped listening.
pub fn interrupted() -> EngineError {
    EngineError::Closed
}
