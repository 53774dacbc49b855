//! What the server does without being asked.

mod announce;
mod guard;
mod redundancy;
mod retention;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

pub use announce::{Announcement, announce};
pub use guard::guard;
pub use redundancy::redundancy;
pub use retention::retention;

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
        let (app, flushing) = (Arc::clone(&app), Arc::clone(&app));
        let tick = tokio::task::spawn_blocking(move || {
            app.room.look();
            if app.room.check().is_ok() {
                app.engine.tick();
            }
        });
        if let Err(error) = tick.await {
            tracing::error!(%error, "the clock's work failed");
        }
        // What cannot be kept now is kept by a later tick.
        if let Err(error) = flushing.flush_heard().await {
            tracing::debug!(%error, "what was heard of agents is not kept yet");
        }
    }
}
