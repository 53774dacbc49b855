//! Ctrl-C and SIGTERM, as a condition that the demo looks at between its steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

const POLL: Duration = Duration::from_millis(100);

/// Whether we were asked to end.
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on a signal no longer ends us at once: what was started is ended first.
    pub fn listen() -> Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut interrupt, mut terminate) = runtime.block_on(async {
            let listened = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
            anyhow::Ok(listened)
        })?;
        let seen = asked.clone();
        let wait = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            seen.store(true, Ordering::SeqCst);
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("listening for Ctrl-C")?;
        Ok(Self(asked))
    }

    /// An error when we were asked to end.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::SeqCst) {
            bail!("interrupted");
        }
        Ok(())
    }

    /// Waits until we are asked to end, or `condition` fails.
    pub fn wait_while(&self, mut condition: impl FnMut() -> Result<()>) -> Result<()> {
        while !self.0.load(Ordering::SeqCst) {
            condition()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}
