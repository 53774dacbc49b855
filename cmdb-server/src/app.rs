//! What the server can do, whichever face asks: one file per capability. Speaks the model, not the wire.
//!
//! A question runs beside the async threads, on one consistent moment of the store, a limited number at a time.
//! A change goes to the engine's writer and is answered when it is durable.
//!
//! Invariant: nothing here outlives its asker without a limit: answers that nobody takes are given up.

pub mod admin;
mod asker;
pub mod changes;
pub mod commits;
pub mod diff;
pub mod enrolment;
mod error;
mod feed;
pub mod graph;
pub mod groups;
pub mod health;
pub mod identity;
pub mod import;
pub mod items;
pub mod moment;
mod names;
mod people;
pub mod reports;
pub mod retention;
mod room;
pub mod scenarios;
pub mod schema;
pub mod sessions;
mod staging;
mod told;

use std::sync::Arc;
use std::time::Instant;

use cmdb_core::engine::{Clock, Cmdb, EngineError, Reader, Reply, Secrets};
use cmdb_core::model::Revision;
use tokio::sync::{Notify, Semaphore, oneshot, watch};

pub use asker::Asker;
pub use enrolment::Enrolment;
pub use error::Error;
pub use feed::{Feed, Stream};
pub use moment::{Beginning, reader_at};
pub use names::{Names, label_of, labels_of};
pub use people::{Person, import_source};
pub use room::Room;
pub use sessions::Sessions;
pub use staging::{Staging, Upload};
pub use told::{Told, told};

/// Questions that are worked on at the same time. Each may hold a moment of the store.
const READS_MAX: usize = 32;
/// Questions that wait for their turn.
const READS_WAITING_MAX: usize = 4_096;

/// What the server is made of.
pub struct App {
    /// The engine.
    pub engine: Cmdb,
    /// What time it is.
    pub clock: Clock,
    /// What nobody can guess.
    pub secret: Secrets,
    /// The newest revision.
    pub head: watch::Receiver<Revision>,
    /// Turns true when the server begins to shut down.
    pub closing: watch::Receiver<bool>,
    /// The agents that are connected.
    pub sessions: Sessions,
    /// The agents there are, and who is let in.
    pub enrolment: Enrolment,
    /// An address that agents can use, as far as the server knows.
    pub url: String,
    /// Where imports are staged.
    pub staging: Staging,
    /// Room on the disk.
    pub room: Room,
    /// What the server tells agents, and what it takes from them.
    pub limits: Limits,
    /// Told when the store failed, so that somebody looks whether it still works.
    pub trouble: Arc<Notify>,
    reads: Arc<Semaphore>,
    waiting: Semaphore,
    /// Long answers, beside the questions: they last as long as their reader likes, within limits.
    answers: Arc<Semaphore>,
    started: Instant,
    scenario_turn: scenarios::Turn,
    /// How many items each one could take with it, as it was last counted.
    blast: Arc<graph::Kept<graph::Figures>>,
    /// The same, by how critical these are.
    weighted: Arc<graph::Kept<graph::Weighted>>,
}

/// What the server tells agents, and what it takes from them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Seconds between an agent's scans.
    pub scan_interval_s: u32,
    /// Seconds between an agent's heartbeats.
    pub heartbeat_interval_s: u32,
    /// Bytes.
    pub report_bytes_max: usize,
}

/// What an [`App`] is put together from.
pub struct Parts {
    /// The engine.
    pub engine: Cmdb,
    /// What time it is.
    pub clock: Clock,
    /// What nobody can guess.
    pub secret: Secrets,
    /// Turns true when the server begins to shut down.
    pub closing: watch::Receiver<bool>,
    /// The agents that are connected.
    pub sessions: Sessions,
    /// The agents there are, and who is let in.
    pub enrolment: Enrolment,
    /// An address that agents can use, as far as the server knows.
    pub url: String,
    /// Where imports are staged.
    pub staging: Staging,
    /// Room on the disk.
    pub room: Room,
    /// Limits.
    pub limits: Limits,
}

impl App {
    /// Puts it together; from here on it follows the engine's commits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(parts: Parts) -> Result<App, EngineError> {
        let (tell, head) = watch::channel(Revision(0));
        parts.engine.on_commit(Box::new(move |revision| {
            tracing::debug!(revision = revision.0, "commit");
            // Commits are told in order, but this one may race with the present head below.
            tell.send_if_modified(|head| {
                let newer = revision > *head;
                *head = revision.max(*head);
                newer
            });
        }));
        let trouble = Arc::new(Notify::new());
        let tell_trouble = Arc::clone(&trouble);
        parts.engine.on_complaint(Box::new(move |error| {
            tell_trouble.notify_one();
            tracing::error!(error = full(error), "the engine failed where nobody was waiting");
        }));
        let Parts { engine, clock, secret, closing, sessions, enrolment, url, staging, room, limits } = parts;
        Ok(App {
            engine,
            clock,
            secret,
            head,
            closing,
            sessions,
            enrolment,
            url,
            staging,
            room,
            limits,
            trouble,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            waiting: Semaphore::new(READS_WAITING_MAX),
            answers: Arc::new(Semaphore::new(feed::ANSWERS_MAX)),
            started: Instant::now(),
            scenario_turn: scenarios::Turn::default(),
            blast: Arc::default(),
            weighted: Arc::default(),
        })
    }

    /// Asks a question of the present moment.
    ///
    /// # Errors
    /// What the question fails with, or that too many are waiting.
    pub async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let engine = self.engine.clone();
        self.work(move || question(&engine.reader()?)).await
    }

    /// Runs what takes a while beside the async threads.
    ///
    /// # Errors
    /// What the work fails with, or that too much of it is waiting.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.waiting.try_acquire().map_err(|_| Error::Busy { limit: READS_WAITING_MAX })?;
        let permit = Arc::clone(&self.reads).acquire_owned().await.expect("the semaphore is never closed");
        drop(turn);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        task.await.map_err(|_| Error::Internal)?
    }

    /// Asks the writer, and waits for its answer.
    ///
    /// # Errors
    /// What the engine answers, that it has gone, or that the disk is full.
    pub async fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&Cmdb, Reply<T>)) -> Result<T, Error> {
        self.room.check()?;
        let (tell, told) = oneshot::channel();
        // An asker who has gone is nobody's fault: the change stands all the same.
        ask(&self.engine, Box::new(move |answer| drop(tell.send(answer))));
        let answer = told.await.map_err(|_| EngineError::Closed)?;
        if let Err(EngineError::Store(_)) = answer {
            self.trouble.notify_one();
        }
        Ok(answer?)
    }
}

/// An error with what caused it.
fn full(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
