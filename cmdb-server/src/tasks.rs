//! What the server does without being asked.

mod announce;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

pub use announce::{Announcement, announce};

use crate::app::App;

/// Seconds between two looks at what time has changed.
const TICK: Duration = Duration::from_secs(2);

/// Lets time pass for the engine, until the server closes. Ticks never overlap, and none is made up for.
pub async fn clock(app: Arc<App>, mut closing: watch::Receiver<bool>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
        let engine = app.engine.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || engine.tick()).await {
            tracing::error!(%error, "the clock's work failed");
        }
    }
}
