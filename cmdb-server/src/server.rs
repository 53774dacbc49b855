//! A running server: from the configuration to the first answer, and from the signal to the last.
//!
//! ```text
//! bind → schema → store → engine → faces → ready            closing → sessions end → engine drains → address gone
//! ```
//!
//! Invariant: nothing is answered before the engine is open, and nothing acknowledged is lost when it closes.

mod start;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use cmdb_core::store::StoreError;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

pub use start::{now, prepare_directory, schema, secret};

use crate::app::App;
use crate::config::{Announce, Config};
use crate::grpc::SERVICES;
use crate::tasks::{self, Announcement};

/// How long requests may take to end when the server closes.
const CLOSE_MAX: Duration = Duration::from_secs(15);
/// How long what is still running afterwards is waited for.
const LEFTOVERS_MAX: Duration = Duration::from_secs(5);
/// The file within the data directory that says where the server listens.
const ADDRESS_FILE: &str = "address";

/// Runs a server until it is told to stop by a signal.
///
/// # Errors
/// When it cannot start, or ends badly.
pub fn run(config: &Config) -> anyhow::Result<()> {
    start::raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let mut server = tokio::select! {
            server = Running::start(config) => server?,
            name = signals.next() => {
                tracing::info!(signal = name, "closed before the server was ready");
                return Ok(());
            }
        };
        let broken = tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "closing");
                None
            }
            error = server.broken() => {
                tracing::error!(%error, "the store cannot be written any more: closing");
                Some(error)
            }
        };
        tokio::select! {
            ended = server.stop() => ended?,
            name = signals.next() => {
                tracing::warn!(signal = name, "a second signal: leaving at once");
                // Nothing acknowledged is lost: it is durable. What was not is the askers' to repeat.
                std::process::exit(1)
            }
        }
        match broken {
            None => Ok(()),
            Some(error) => anyhow::bail!(
                "the store in {} could not be written any more, so the server has left: {}; see whether the disk \
                 is full or broken, and start the server again: nothing that was acknowledged is lost",
                config.data.display(),
                error.to_string().trim_end_matches('.')
            ),
        }
    });
    runtime.shutdown_timeout(LEFTOVERS_MAX);
    ended
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// A server that answers.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    app: Arc<App>,
    closing: watch::Sender<bool>,
    health: HealthReporter,
    faces: JoinHandle<Result<(), tonic::transport::Error>>,
    clock: JoinHandle<()>,
    redundancy: JoinHandle<()>,
    guard: JoinHandle<StoreError>,
    announcement: Option<Announcement>,
    address_file: PathBuf,
}

impl Running {
    /// Starts a server; when this returns, it answers.
    ///
    /// # Errors
    /// One paragraph: what is in the way, and what to do about it.
    pub async fn start(config: &Config) -> anyhow::Result<Running> {
        let began = Instant::now();
        let listener = start::bind(config).await?;
        let address = listener.local_addr()?;
        let (closing, closed) = watch::channel(false);
        let start::Opened { app, store, tls } = {
            let (config, closed) = (config.clone(), closed.clone());
            tokio::task::spawn_blocking(move || start::open(&config, address, closed)).await??
        };
        let app = Arc::new(app);
        let (health, faces) = start::faces(&app)?;
        for name in SERVICES.into_iter().chain([""]) {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        let connections =
            crate::listen::accept(listener, config.sessions_max + start::CONNECTIONS_BESIDE_AGENTS, tls);
        let mut stop = closed.clone();
        let faces = tokio::spawn(faces.serve_with_incoming_shutdown(connections, async move {
            drop(stop.wait_for(|closing| *closing).await);
        }));
        tokio::spawn(tasks::retention(Arc::clone(&app), closed.clone()));
        let clock = tokio::spawn(tasks::clock(Arc::clone(&app), closed.clone()));
        let redundancy = tokio::spawn(tasks::redundancy(Arc::clone(&app), closed));
        let guard = tokio::spawn(tasks::guard(store, Arc::clone(&app.trouble)));
        let announcement = match config.announce {
            Announce::On => Some(tasks::announce(address, config.tls.is_on())?),
            Announce::Off => None,
        };
        let address_file = config.data.join(ADDRESS_FILE);
        start::write_address(&address_file, address)?;
        let reader = app.engine.reader()?;
        let (revision, items) = (reader.revision().0, reader.figures()?.items);
        let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(%address, revision, items, milliseconds, tls = config.tls.is_on(), "ready");
        Ok(Running {
            address,
            app,
            closing,
            health,
            faces,
            clock,
            redundancy,
            guard,
            announcement,
            address_file,
        })
    }

    /// Waits until the store cannot be written any more; what it says then.
    pub async fn broken(&mut self) -> StoreError {
        match (&mut self.guard).await {
            Ok(error) => error,
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops: no more connections, sessions end, the engine drains what it took.
    ///
    /// # Errors
    /// When the faces had failed.
    pub async fn stop(self) -> anyhow::Result<()> {
        drop(self.announcement);
        self.guard.abort();
        for name in SERVICES.into_iter().chain([""]) {
            self.health.set_service_status(name, ServingStatus::NotServing).await;
        }
        self.closing.send_replace(true);
        let mut faces = self.faces;
        let ended = match timeout(CLOSE_MAX, &mut faces).await {
            Ok(ended) => ended.context("the faces failed")?.context("the faces failed"),
            Err(_) => {
                tracing::warn!(seconds = CLOSE_MAX.as_secs(), "requests are cut that took too long to end");
                faces.abort();
                Ok(())
            }
        };
        drop(self.clock.await);
        drop(self.redundancy.await);
        if let Err(error) = self.app.flush_heard().await {
            tracing::warn!(%error, "what was last heard of agents could not be kept");
        }
        let engine = self.app.engine.clone();
        tokio::task::spawn_blocking(move || engine.close()).await.context("the engine failed to close")?;
        match std::fs::remove_file(&self.address_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, file = %self.address_file.display(), "cannot remove the address file");
            }
            _ => {}
        }
        tracing::info!("closed");
        ended
    }
}
