//! When to scan, report and show a sign of life; what to do with the server's answers.
//!
//! ```text
//!  connect → hello → welcome ─→ scan → report → ack ─┐
//!     ↑                          ↑   (or heartbeat)  │ interval, or the server's request
//!     └── full jitter ←── lost   └───────────────────┘
//! ```
//!
//! Knows nothing of how facts are read or encoded. Invariant: what counts as known by the server is only what it
//! acknowledged after it was durable; at most one report is on its way and at most one waits behind it.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::Duration;

use cmdb_proto::v1;
use cmdb_proto::v1::server_message::Message as FromServer;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::backoff::{Backoff, random};
use crate::client::discover::discover;
use crate::client::tls::Trust;
use crate::client::{Address, ClientError, Session, unexpected};
use crate::connections::Standing;
use crate::enrolment::{self, EnrolmentError, Host, Next};
use crate::goodbye;
use crate::identity::IdentityError;
use crate::report::{Known, Report};
use crate::scan::{Scan, Scanner, SharedMemory, now_us};
use crate::state::{State, StateError};
use uuid::Uuid;

/// How long the server may take to make a report durable.
const ACK_WAIT_MAX: Duration = Duration::from_secs(180);
/// How long the next attempt to renew the certificate waits after one.
const RENEW_PAUSE: Duration = Duration::from_secs(3_600);
/// Requests to scan again that are followed without an accepted report in between.
const RESCANS_MAX: u32 = 5;
/// Bytes around a report in its message.
const ENVELOPE_BYTES: u64 = 64;
/// Bounds of what the server may ask for, and what is done when it asks for nothing.
const SCAN_INTERVAL: Bounds = Bounds { least: 1, usual: 300, most: 86_400 };
const HEARTBEAT_INTERVAL: Bounds = Bounds { least: 1, usual: 60, most: 3_600 };
const REPORT_BYTES: Bounds = Bounds { least: 64 << 10, usual: 4 << 20, most: 256 << 20 };

struct Bounds {
    least: u64,
    usual: u64,
    most: u64,
}

impl Bounds {
    fn settle(&self, asked: u64) -> u64 {
        if asked == 0 { self.usual } else { asked.clamp(self.least, self.most) }
    }
}

/// Why the agent ends.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The server could not be talked to.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The state could not be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity could not be kept.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A collector failed in a way that is an error of the agent.
    #[error("the scan failed: {0}; please report this as an error of the agent")]
    Scan(String),
    /// The server asks again and again.
    #[error(
        "the server asked {RESCANS_MAX} times in a row for the whole report ({reason}) and never accepted it"
    )]
    NeverAccepted {
        /// What it said last.
        reason: String,
    },
    /// Even the smallest report is too large.
    #[error(
        "the report is larger than the {bytes_max} bytes that the server takes; \
         raise the limit of report sizes on the server"
    )]
    TooLarge {
        /// The server's limit.
        bytes_max: u64,
    },
}

/// Where the server is.
#[derive(Clone, Debug)]
pub struct Server {
    /// Its address; `None`: the one that gave the identity, or one that announces itself.
    pub url: Option<String>,
    /// The authority's certificates.
    pub ca: Option<PathBuf>,
    /// Seconds to look for it.
    pub discover_timeout_s: u32,
}

/// The agent at work.
pub struct Agent {
    server: Server,
    state: State,
    memory: SharedMemory,
    known: Known,
    /// `None` while a scan has it.
    scanner: Option<Scanner>,
    scan: Option<JoinHandle<Done>>,
    scan_cpu_us: u64,
    standing: Option<Standing>,
    sent_bytes: u64,
    host: Host,
    /// The seal is of another host: this one is a copy, and needs an identity of its own.
    is_copy: bool,
    /// Drawn anew by each process.
    instance: Uuid,
    started: Instant,
    renew_from: Instant,
}

/// A scan and the scanner, which comes back with it.
type Done = Box<(Scanner, Scan)>;

/// How a session came to its end without an error.
enum Ending {
    /// The agent was told to stop.
    Stopped,
    /// One report was accepted.
    Reported(v1::Ack),
}

/// What one session is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Once,
    Forever,
}

impl Agent {
    /// An agent with its state and a scanner that remembers in the same `memory`.
    pub fn new(server: Server, state: State, memory: SharedMemory, mut scanner: Scanner) -> Self {
        let known = state.known();
        let host = Host { name: scanner.host_name().to_owned(), seal: scanner.seal() };
        let is_copy = state.seal().is_some_and(|seal| seal.is_of_another_host(&host.seal));
        Self {
            server,
            state,
            memory,
            known,
            scanner: Some(scanner),
            scan: None,
            scan_cpu_us: 0,
            standing: None,
            sent_bytes: 0,
            host,
            is_copy,
            instance: Uuid::new_v4(),
            started: Instant::now(),
            renew_from: Instant::now(),
        }
    }

    /// Reports once and returns the server's acknowledgement; `None`: it was told to stop before.
    pub async fn once(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Option<v1::Ack>, RunError> {
        match self.session(Purpose::Once, stop, &mut Backoff::default()).await? {
            Ending::Reported(ack) => Ok(Some(ack)),
            Ending::Stopped => Ok(None),
        }
    }

    /// Reports until told to stop; returns early only when the state cannot be kept.
    pub async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), RunError> {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.session(Purpose::Forever, stop, &mut backoff).await {
                Ok(_) => return Ok(()),
                Err(error @ (RunError::State(_) | RunError::Scan(_) | RunError::Identity(_))) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            self.is_copy |= matches!(error, RunError::Client(ClientError::Shared { .. }));
            let asked = match &error {
                RunError::Client(error) => error.retry_after(),
                _ => Duration::ZERO,
            };
            let wait = backoff.next(asked, random());
            tracing::warn!(%error, retry_in_s = wait.as_secs_f32(), "not connected");
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn session(
        &mut self,
        purpose: Purpose,
        stop: &mut watch::Receiver<bool>,
        backoff: &mut Backoff,
    ) -> Result<Ending, RunError> {
        let opened = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(Ending::Stopped),
            opened = self.open() => opened?,
        };
        let mut conversation = Conversation::new(opened, purpose);
        if conversation.session.welcome.report_digest != self.known.digest.map(Vec::from).unwrap_or_default()
        {
            // Another server, or one that was restored: what it has is not what is thought.
            self.known = Known::default();
        }
        let ending = self.converse(&mut conversation, stop, backoff).await;
        self.sent_bytes = self.sent_bytes.saturating_add(conversation.session.sent_bytes);
        if ending.is_ok() {
            conversation.session.goodbye(goodbye::reason()).await;
        }
        ending
    }

    /// The address that was set, or that of the server that gave the identity.
    fn known_address(&self) -> Option<Address> {
        let known = self.server.url.clone().or_else(|| Some(self.state.identity()?.server.clone()));
        known.map(Address::from)
    }

    fn trust(&self) -> Trust {
        Trust::Known { identity: self.state.identity().cloned(), ca: self.server.ca.clone() }
    }

    /// Makes a copy of a host an agent of its own; else remembers what tells this host from a copy.
    async fn be_oneself(&mut self, address: &Address) -> Result<(), RunError> {
        if !self.is_copy {
            if self.state.seal().as_ref() != Some(&self.host.seal) {
                self.state.keep_seal(&self.host.seal)?;
            }
            return Ok(());
        }
        let before = self.state.agent_id();
        match self.state.identity() {
            Some(_) => {
                let trust = self.trust();
                enrolment::renew(address, &trust, Next::Another, &self.host, &mut self.state).await?;
            }
            None => {
                self.state.take_new_id()?;
                self.state.keep_seal(&self.host.seal)?;
            }
        }
        self.is_copy = false;
        self.known = Known::default();
        tracing::warn!(%before, now = %self.state.agent_id(), "this host is a copy of another one, and has its own identity now");
        Ok(())
    }

    /// Takes the next certificate when it is time, by the server's clock. What fails is tried again later.
    async fn renew_in_time(&mut self, server_time_us: i64) -> Result<(), RunError> {
        let due = self.state.identity().is_some_and(|identity| identity.is_due(server_time_us));
        if !due || Instant::now() < self.renew_from {
            return Ok(());
        }
        self.renew_from = Instant::now() + RENEW_PAUSE;
        let (address, trust) =
            (find(self.known_address(), self.server.discover_timeout_s).await?, self.trust());
        match enrolment::renew(&address, &trust, Next::Same, &self.host, &mut self.state).await {
            Ok(()) => tracing::info!("the certificate is renewed"),
            Err(EnrolmentError::Client(error)) => {
                tracing::warn!(%error, again_in_s = RENEW_PAUSE.as_secs(), "the certificate could not be renewed");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn open(&mut self) -> Result<Session, RunError> {
        let address = find(self.known_address(), self.server.discover_timeout_s).await?;
        self.be_oneself(&address).await?;
        let hello = v1::Hello {
            agent_id: self.state.agent_id().to_string(),
            host_name: self.host.name.clone(),
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: cmdb_proto::PROTOCOL_VERSION,
            platform: crate::platform_name(),
            instance: self.instance.as_bytes().to_vec(),
            seal: self.host.seal.to_wire(),
            sent_at_us: now_us(),
        };
        let session = Session::open(&address, &self.trust(), hello).await?;
        tracing::info!(
            server = address.url,
            version = session.welcome.server_version,
            source = session.welcome.source,
            "connected"
        );
        self.renew_in_time(session.welcome.server_time_us).await?;
        Ok(session)
    }

    async fn converse(
        &mut self,
        talk: &mut Conversation,
        stop: &mut watch::Receiver<bool>,
        backoff: &mut Backoff,
    ) -> Result<Ending, RunError> {
        self.start_scan();
        loop {
            let event = talk.next_event(&mut self.scan, stop).await;
            match event {
                Event::Stop => return Ok(Ending::Stopped),
                Event::Scanned(done) => {
                    self.scan = None;
                    let (mut scanner, scan) = *done.map_err(|error| RunError::Scan(error.to_string()))?;
                    scanner.host_name().clone_into(&mut self.host.name);
                    self.scanner = Some(scanner);
                    self.scan_cpu_us = scan.cpu_us;
                    self.standing.clone_from(&scan.standing);
                    let report = scan.seal();
                    drop(scan);
                    if std::mem::take(&mut talk.scan_again) {
                        self.start_scan();
                    } else {
                        self.offer(talk, report).await?;
                    }
                }
                Event::ScanDue => {
                    talk.scan_at = Instant::now() + talk.scan_interval;
                    self.start_scan();
                }
                // A report on its way is a sign of life, and what the server has changes with it.
                Event::HeartbeatDue if talk.in_flight.is_some() => {
                    talk.heartbeat_at = Instant::now() + talk.heartbeat_interval;
                }
                Event::HeartbeatDue => {
                    self.heartbeat(talk).await?;
                    self.renew_in_time(talk.server_time_us()).await?;
                }
                Event::AckOverdue => {
                    return Err(ClientError::Silent { seconds: ACK_WAIT_MAX.as_secs() }.into());
                }
                Event::Message(message) => {
                    if let Some(ack) = self.take_message(talk, message?, backoff).await? {
                        return Ok(Ending::Reported(ack));
                    }
                }
            }
        }
    }

    fn start_scan(&mut self) {
        if let Some(mut scanner) = self.scanner.take() {
            self.scan = Some(tokio::task::spawn_blocking(move || {
                let scan = scanner.scan();
                Box::new((scanner, scan))
            }));
        }
    }

    /// Sends what is new, or a sign of life where nothing is; waits its turn behind a report on its way.
    async fn offer(&mut self, talk: &mut Conversation, mut report: Report) -> Result<(), RunError> {
        self.keep_memory()?;
        if talk.in_flight.is_some() {
            talk.waiting = Some(report);
            return Ok(());
        }
        if talk.purpose == Purpose::Forever && self.known.is(&report) {
            return self.heartbeat(talk).await;
        }
        let bytes_max = talk.report_bytes_max.saturating_sub(ENVELOPE_BYTES);
        if !report.fit(&self.known, bytes_max) {
            return Err(RunError::TooLarge { bytes_max });
        }
        talk.sequence += 1;
        talk.session.report(report.delta(&self.known, talk.sequence)).await?;
        talk.in_flight =
            Some(InFlight { sequence: talk.sequence, report: Known::of(&report), sent_at: Instant::now() });
        Ok(())
    }

    async fn heartbeat(&mut self, talk: &mut Conversation) -> Result<(), RunError> {
        talk.heartbeat_at = Instant::now() + talk.heartbeat_interval;
        let usage = crate::platform::usage();
        let standing = self.standing.as_ref();
        let heartbeat = v1::Heartbeat {
            sent_at_us: now_us(),
            report_digest: self.known.digest.map(Vec::from).unwrap_or_default(),
            cost: Some(v1::Cost {
                cpu_us: usage.cpu_us,
                resident_bytes: usage.resident_bytes,
                scan_cpu_us: self.scan_cpu_us,
                sent_bytes: self.sent_bytes.saturating_add(talk.session.sent_bytes),
                running_s: self.started.elapsed().as_secs(),
            }),
            rung: standing.map(|standing| standing.rung.to_owned()).unwrap_or_default(),
            rung_reason: standing.map(|standing| standing.reason.clone()).unwrap_or_default(),
        };
        Ok(talk.session.heartbeat(heartbeat).await?)
    }

    /// The acknowledgement, once it is the one that a session for one report waits for.
    async fn take_message(
        &mut self,
        talk: &mut Conversation,
        message: FromServer,
        backoff: &mut Backoff,
    ) -> Result<Option<v1::Ack>, RunError> {
        match message {
            FromServer::Ack(ack) => {
                let Some(sent) = talk.in_flight.take_if(|sent| sent.sequence == ack.sequence) else {
                    tracing::debug!(sequence = ack.sequence, "an acknowledgement that nobody waits for");
                    return Ok(None);
                };
                backoff.succeeded();
                let whole = self.take_ack(&ack, sent.report)?;
                if whole {
                    talk.rescans = 0;
                    if talk.purpose == Purpose::Once {
                        return Ok(Some(ack));
                    }
                    self.heartbeat(talk).await?;
                }
                if let Some(report) = talk.waiting.take() {
                    self.offer(talk, report).await?;
                }
            }
            FromServer::Rescan(rescan) => {
                tracing::info!(scopes = ?rescan.scopes, reason = rescan.reason, "the server asks for a whole report");
                talk.rescans += 1;
                if talk.rescans > RESCANS_MAX {
                    return Err(RunError::NeverAccepted { reason: rescan.reason });
                }
                self.known.forget(&rescan.scopes);
                talk.in_flight = None;
                talk.waiting = None;
                talk.scan_again = self.scan.is_some();
                self.start_scan();
            }
            FromServer::Error(error) => self.take_error(talk, error)?,
            FromServer::NewIdentity(said) => {
                return Err(ClientError::Shared { reason: said.reason }.into());
            }
            other @ FromServer::Welcome(_) => {
                return Err(unexpected("an acknowledgement or a request", other).into());
            }
        }
        Ok(None)
    }

    /// Keeps what the server has now. Whether it has all of the report.
    fn take_ack(&mut self, ack: &v1::Ack, mut report: Known) -> Result<bool, RunError> {
        for decision in &ack.refused {
            let problem = decision.problem.clone().unwrap_or_default();
            tracing::warn!(
                key = decision.key,
                reason = problem.reason,
                problem.message,
                "refused by the server"
            );
            report.forget_entry(&decision.key);
        }
        let whole = report.digest.is_some_and(|digest| digest[..] == ack.report_digest[..]);
        if !whole {
            report.digest = None;
        }
        tracing::info!(
            revision = ack.revision,
            created = ack.created,
            updated = ack.updated,
            unchanged = ack.unchanged,
            withdrawn = ack.withdrawn,
            refused = ack.refused_total,
            "reported"
        );
        self.known = report;
        self.state.keep_known(&self.known)?;
        Ok(whole)
    }

    fn take_error(&mut self, talk: &mut Conversation, error: v1::SessionError) -> Result<(), RunError> {
        let retry_after_s = error.retry_after_s;
        let problem = error.problem.unwrap_or_default();
        let refused = ClientError::Refused { problem: Box::new(problem), retry_after_s };
        let of_report = error.sequence != 0 && talk.purpose == Purpose::Forever;
        if !of_report {
            return Err(refused.into());
        }
        // This report was refused, not the session: the next scan tries again, whole.
        tracing::warn!(error = %refused, retry_after_s, "the report was refused");
        if talk.in_flight.take_if(|sent| sent.sequence == error.sequence).is_some() {
            self.known = Known::default();
            let asked = Duration::from_secs(u64::from(retry_after_s));
            let wait = if asked.is_zero() { talk.scan_interval } else { asked };
            talk.scan_at = Instant::now() + wait;
        }
        Ok(())
    }

    fn keep_memory(&self) -> Result<(), StateError> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.state.keep_memory(&memory)
    }
}

impl From<EnrolmentError> for RunError {
    fn from(error: EnrolmentError) -> Self {
        match error {
            EnrolmentError::Client(error) => RunError::Client(error),
            EnrolmentError::State(error) => RunError::State(error),
            EnrolmentError::Identity(error) => RunError::Identity(error),
            EnrolmentError::NotEnrolled => RunError::Identity(IdentityError::Unusable("there is none")),
        }
    }
}

/// The address that is known, or that of a server that announces itself.
async fn find(known: Option<Address>, timeout_s: u32) -> Result<Address, ClientError> {
    match (known, timeout_s) {
        (Some(address), _) => Ok(address),
        (None, 0) => Err(ClientError::NotDiscovered { seconds: 0 }),
        (None, timeout_s) => discover(timeout_s).await,
    }
}

struct InFlight {
    sequence: u64,
    report: Known,
    sent_at: Instant,
}

/// One session and what stands open in it.
struct Conversation {
    session: Session,
    purpose: Purpose,
    scan_interval: Duration,
    heartbeat_interval: Duration,
    report_bytes_max: u64,
    scan_at: Instant,
    heartbeat_at: Instant,
    sequence: u64,
    in_flight: Option<InFlight>,
    /// The newest report, while another is on its way.
    waiting: Option<Report>,
    /// The scan that is under way began before the server asked.
    scan_again: bool,
    rescans: u32,
    opened: Instant,
}

enum Event {
    Stop,
    Scanned(Result<Done, tokio::task::JoinError>),
    ScanDue,
    HeartbeatDue,
    AckOverdue,
    Message(Result<FromServer, ClientError>),
}

impl Conversation {
    fn new(session: Session, purpose: Purpose) -> Self {
        let settings = session.welcome.settings.unwrap_or_default();
        let scan_interval = Duration::from_secs(SCAN_INTERVAL.settle(settings.scan_interval_s.into()));
        let heartbeat_interval =
            Duration::from_secs(HEARTBEAT_INTERVAL.settle(settings.heartbeat_interval_s.into()));
        Self {
            session,
            purpose,
            scan_interval,
            heartbeat_interval,
            report_bytes_max: REPORT_BYTES.settle(settings.report_bytes_max),
            scan_at: Instant::now() + scan_interval,
            heartbeat_at: Instant::now() + heartbeat_interval,
            sequence: 0,
            in_flight: None,
            waiting: None,
            scan_again: false,
            rescans: 0,
            opened: Instant::now(),
        }
    }

    /// What the server's clock says.
    fn server_time_us(&self) -> i64 {
        let since = i64::try_from(self.opened.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.session.welcome.server_time_us.saturating_add(since)
    }

    async fn next_event(
        &mut self,
        scan: &mut Option<JoinHandle<Done>>,
        stop: &mut watch::Receiver<bool>,
    ) -> Event {
        let ack_by = self.in_flight.as_ref().map(|sent| sent.sent_at + ACK_WAIT_MAX);
        let scanning = scan.is_some();
        let scanned = async {
            match scan {
                Some(handle) => handle.await,
                None => std::future::pending().await,
            }
        };
        let overdue = async {
            match ack_by {
                Some(moment) => tokio::time::sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Event::Stop,
            message = self.session.next() => Event::Message(message),
            done = scanned => Event::Scanned(done),
            () = overdue => Event::AckOverdue,
            () = tokio::time::sleep_until(self.heartbeat_at) => Event::HeartbeatDue,
            () = tokio::time::sleep_until(self.scan_at), if !scanning => Event::ScanDue,
        }
    }
}
