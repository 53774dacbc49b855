//! Compacts the history that the store is not to keep: at the start, and once a day.
//!
//! What day it is the server's clock says: how long this process has run does not, where the machine was asleep.

use std::sync::Arc;
use std::time::Duration;

use cmdb_core::engine::EngineError;
use cmdb_core::model::Timestamp;
use cmdb_core::model::time::DAY_US;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::{App, Error};

/// Between two looks whether a day has passed.
const LOOK: Duration = Duration::from_secs(60);

/// Looks whether a run is due, until the server closes.
pub async fn retention(app: Arc<App>, mut closing: watch::Receiver<bool>) {
    let mut runs = Daily::default();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        if runs.is_due((app.clock)()) {
            run(&app).await;
        }
    }
}

/// When the last run was.
#[derive(Default)]
struct Daily {
    last: Option<Timestamp>,
}

impl Daily {
    /// Whether it is time for a run, which then counts as begun.
    fn is_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back does not put the next run off for as long.
        let is_due = self.last.is_none_or(|last| now < last || now >= last.plus_us(DAY_US));
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

/// One run. What fails is told: the next run goes on.
async fn run(app: &Arc<App>) {
    let running = Arc::clone(app);
    let run = tokio::task::spawn_blocking(move || {
        running.room.check()?;
        running.keep_history()
    });
    match run.await {
        Ok(Ok(())) => {}
        Ok(Err(Error::Engine(EngineError::Closed))) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the history was not compacted; the next run goes on"),
        Err(error) => tracing::error!(%error, "the work of the retention failed"),
    }
}

#[cfg(test)]
mod tests;
