//! What the server does without being asked.

mod announce;
mod guard;
mod redundancy;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

pub use announce::{Announcement, announce};
pub use guard::guard;
pub use redundancy::redundancy;

use crate::app::App;

/// Seconds between two looks at what time has changed.
const TICK: Duration = Duration::from_secs(2);

/// Between two compactions of the history; each of them is a commit.
const RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// Lets time pass for the engine, until the server closes. Ticks never overlap, and none is made up for.
pub async fn clock(app: Arc<App>, mut closing: watch::Receiver<bool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let app = Arc::clone(&app);
        let tick = tokio::task::spawn_blocking(move || {
            app.room.look();
            if app.room.check().is_ok() {
                app.engine.tick();
            }
        });
        if let Err(error) = tick.await {
            tracing::error!(%error, "the clock's work failed");
        }
    }
}

/// Compacts what is older than so many days, at the start and once a day, until the server closes.
pub async fn retention(app: Arc<App>, days: u64, mut closing: watch::Receiver<bool>) {
    let mut runs = interval(RETENTION);
    runs.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = runs.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let app = Arc::clone(&app);
        let run = tokio::task::spawn_blocking(move || match app.room.check() {
            Ok(()) => app.keep_days(days),
            Err(error) => Err(error),
        });
        match run.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the history was not compacted; the next run goes on"),
            Err(error) => tracing::error!(%error, "the work of the retention failed"),
        }
    }
}
