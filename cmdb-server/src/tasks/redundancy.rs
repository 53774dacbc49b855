//! Looks for redundancy in what commits have changed, beside everything else.

use std::sync::Arc;
use std::time::Duration;

use cmdb_core::engine::EngineError;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::app::App;

/// How long commits gather before they are looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// How long to wait after a look that failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Looks after every commit, until the server closes.
pub async fn redundancy(app: Arc<App>, mut closing: watch::Receiver<bool>) {
    let mut head = app.head.clone();
    loop {
        head.mark_unchanged();
        let next = look_at_all(&app, &closing).await;
        let wait = async {
            match next {
                Next::Commit => {
                    let gone = head.changed().await.is_err();
                    sleep(PAUSE).await;
                    gone
                }
                Next::Again => {
                    sleep(PAUSE_AFTER_FAILURE).await;
                    false
                }
            }
        };
        tokio::select! {
            gone = wait => if gone { return },
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// When to look again.
enum Next {
    /// When something has changed.
    Commit,
    /// In any case: this time it failed.
    Again,
}

/// Looks until nothing is left.
async fn look_at_all(app: &Arc<App>, closing: &watch::Receiver<bool>) -> Next {
    while !*closing.borrow() {
        let looking = Arc::clone(app);
        let look = tokio::task::spawn_blocking(move || match looking.room.check() {
            Ok(()) => looking.engine.propose_groups().map(|proposed| proposed.left),
            // What cannot be kept is not looked for; the next commit comes when there is room.
            Err(_) => Ok(0),
        });
        match look.await {
            Ok(Ok(0) | Err(EngineError::Closed)) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "looking for redundancy failed, and is tried again later");
                return Next::Again;
            }
            Err(error) => {
                tracing::error!(%error, "looking for redundancy failed");
                return Next::Again;
            }
        }
    }
    Next::Commit
}
