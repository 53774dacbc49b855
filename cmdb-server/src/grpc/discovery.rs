//! The agents' stream: hello, then reports and heartbeats, one report at a time.
//!
//! While a report is on its way to disk the session reads nothing more, so an agent that is faster than the disk
//! is slowed by the transport, not by a queue.

use std::sync::Arc;
use std::time::Duration;

use cmdb_core::engine::{Decision, EngineError, Outcome, ReportOutcome, SourceName};
use cmdb_core::model::Timestamp;
use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::discovery_service_server::DiscoveryService;
use cmdb_proto::v1::server_message::Message as ToAgent;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::app::enrolment::{Arrival, Heard, MISMATCHES_MAX, Refusal, mismatches, plain};
use crate::app::reports::{Introduction, agent_source};
use crate::app::sessions::{Cost, Holding};
use crate::app::{App, Error};
use crate::authority::Holder;
use crate::convert::report::{ack_to, report_from};
use crate::status;

/// How long a stream may be open without a hello.
const HELLO_WAIT_MAX: Duration = Duration::from_secs(10);
/// A session ends when it says nothing for so many heartbeats.
const HEARTBEATS_MISSED_MAX: u32 = 4;
/// Messages that wait for the agent to take them.
const MESSAGES_WAITING_MAX: usize = 8;
/// How long a message waits for the agent to take it.
const SEND_WAIT_MAX: Duration = Duration::from_secs(30);
/// Refused claims of one report that are logged one by one.
const REFUSED_LOGGED_MAX: usize = 10;

/// When an agent should try again, in seconds.
mod retry_after_s {
    pub const SOON: u32 = 5;
    pub const LATER: u32 = 60;
    /// Somebody must mend something first.
    pub const MUCH_LATER: u32 = 600;
}

pub struct Discovery(pub Arc<App>);

#[tonic::async_trait]
impl DiscoveryService for Discovery {
    type SessionStream = ReceiverStream<Result<v1::ServerMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (outbound, receiver) = mpsc::channel(MESSAGES_WAITING_MAX);
        let peer = super::peer(&request);
        let holder = peer.and_then(|peer| peer.holder);
        let peer = peer.and_then(|peer| peer.remote).map(|address| address.to_string()).unwrap_or_default();
        let session = Session { app: Arc::clone(&self.0), inbound: request.into_inner(), outbound, holder };
        tokio::spawn(session.run(peer));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

struct Session {
    app: Arc<App>,
    inbound: Streaming<v1::AgentMessage>,
    outbound: mpsc::Sender<Result<v1::ServerMessage, Status>>,
    /// What the certificate of its connection says.
    holder: Option<Holder>,
}

/// An agent that was let in.
struct Guest {
    agent: Uuid,
    source: SourceName,
}

/// What a session did, for its line in the log.
#[derive(Default)]
struct Tally {
    reports: u64,
    cost: Option<v1::Cost>,
}

/// Why a session is over.
enum End {
    /// The agent closed it, or is gone.
    Agent,
    /// The agent said that it stops.
    Goodbye,
    /// The agent was told to take an identity of its own.
    Shared,
    /// The server ends it.
    Server(Error),
}

impl Session {
    async fn run(mut self, peer: String) {
        let guest = match self.hello().await {
            Ok(guest) => guest,
            Err(End::Agent | End::Goodbye | End::Shared) => return,
            Err(End::Server(error)) => {
                tracing::warn!(peer, error = status::problem(&error).message, "session refused");
                return self.refuse(&error, 0).await;
            }
        };
        let mut tally = Tally::default();
        let (host, name) = (guest.source.title.clone(), guest.source.name.clone());
        let end = self.converse(&guest, &peer, &mut tally).await;
        let cost = tally.cost.unwrap_or_default();
        let why = match &end {
            End::Agent => "the agent is gone".to_owned(),
            End::Goodbye => "the agent stops".to_owned(),
            End::Shared => "another host holds this identity".to_owned(),
            End::Server(error) => status::problem(error).message,
        };
        tracing::info!(
            source = name,
            host,
            reports = tally.reports,
            agent_cpu_ms = cost.cpu_us / 1_000,
            agent_resident_bytes = cost.resident_bytes,
            why,
            "session closed"
        );
        if let End::Server(error) = end {
            self.refuse(&error, 0).await;
        }
    }

    /// The first message: who the agent is.
    async fn hello(&mut self) -> Result<Guest, End> {
        let silent = Error::SessionSilent { seconds: HELLO_WAIT_MAX.as_secs() };
        let first = timeout(HELLO_WAIT_MAX, self.inbound.message()).await.map_err(|_| End::Server(silent))?;
        let hello = match self.read(first)? {
            FromAgent::Hello(hello) => hello,
            FromAgent::Report(_) => return Err(End::Server(Error::HelloExpected { given: "a report" })),
            FromAgent::Heartbeat(_) => {
                return Err(End::Server(Error::HelloExpected { given: "a heartbeat" }));
            }
            FromAgent::Goodbye(_) => return Err(End::Goodbye),
        };
        let introduction = Introduction {
            agent_id: hello.agent_id,
            host_name: hello.host_name,
            agent_version: hello.agent_version,
            protocol_version: hello.protocol_version,
        };
        let (agent, source) = agent_source(&introduction).map_err(End::Server)?;
        let arrival = Arrival {
            agent_id: agent,
            holder: self.holder.as_ref(),
            clock: (hello.sent_at_us > 0).then_some(Timestamp(hello.sent_at_us)),
        };
        let enrolment = &self.app.enrolment;
        enrolment
            .admit(&arrival, (self.app.clock)())
            .map_err(|refusal| End::Server(Error::Enrolment(refusal)))?;
        let seal = super::enrolment::seal_from(hello.seal);
        let differs = mismatches(&enrolment.heard(agent).unwrap_or_default().seal, &seal);
        if self.app.sessions.note_process(&source.name, &hello.instance, differs) == Holding::Shared {
            self.part(&source).await?;
            return Err(End::Shared);
        }
        enrolment.hear(agent, |heard| {
            let Heard { goodbye, goodbye_at_us, left_at_us, .. } = heard;
            (*goodbye_at_us, *left_at_us) = (0, 0);
            goodbye.clear();
            heard.host_name.clone_from(&source.title);
            heard.version.clone_from(&source.version);
            heard.platform = plain(&hello.platform);
            if differs < MISMATCHES_MAX && !seal.is_empty() {
                heard.seal = seal;
            }
        });
        Ok(Guest { agent, source })
    }

    /// Tells the agent that another host holds its identity.
    async fn part(&self, source: &SourceName) -> Result<(), End> {
        tracing::warn!(
            source = source.name,
            host = source.title,
            "two hosts hold one identity: this one gets another"
        );
        let reason = "another host that runs now holds the same identity";
        self.send(ToAgent::NewIdentity(v1::NewIdentity { reason: reason.to_owned() })).await
    }

    async fn converse(&mut self, guest: &Guest, peer: &str, tally: &mut Tally) -> End {
        let Guest { agent, source } = guest;
        let mut seat = match self.app.sessions.enter(&source.name) {
            Ok(seat) => seat,
            Err(error) => return End::Server(error),
        };
        tracing::info!(
            source = source.name,
            host = source.title,
            version = source.version,
            peer,
            "session opened"
        );
        self.app.heartbeat(&source.name);
        if self.welcome(source).await.is_err() {
            return End::Agent;
        }
        let silence =
            Duration::from_secs(u64::from(self.app.limits.heartbeat_interval_s)) * HEARTBEATS_MISSED_MAX;
        let mut closing = self.app.closing.clone();
        loop {
            let message = tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => return End::Server(EngineError::Closed.into()),
                () = seat.superseded() => return End::Server(self.superseded(*agent, source)),
                message = timeout(silence, self.inbound.message()) => message,
            };
            let Ok(message) = message else {
                return End::Server(Error::SessionSilent { seconds: silence.as_secs() });
            };
            let done = match self.read(message) {
                Ok(FromAgent::Report(report)) => {
                    tally.reports += 1;
                    self.report(report, guest).await
                }
                Ok(FromAgent::Heartbeat(heartbeat)) => {
                    tally.cost = heartbeat.cost.or(tally.cost);
                    if let Some(cost) = heartbeat.cost {
                        let cost = Cost {
                            cpu_us: cost.cpu_us,
                            resident_bytes: cost.resident_bytes,
                            scan_cpu_us: cost.scan_cpu_us,
                            sent_bytes: cost.sent_bytes,
                            running_s: cost.running_s,
                        };
                        seat.note_cost(cost);
                        self.app.enrolment.note_cost(*agent, cost);
                    }
                    let (rung, rung_reason) = (plain(&heartbeat.rung), plain(&heartbeat.rung_reason));
                    self.app
                        .enrolment
                        .hear(*agent, |heard| (heard.rung, heard.rung_reason) = (rung, rung_reason));
                    self.heartbeat(&heartbeat.report_digest, source).await
                }
                Ok(FromAgent::Goodbye(goodbye)) => {
                    let now = (self.app.clock)();
                    let reason = plain(&goodbye.reason);
                    self.app.enrolment.hear(*agent, |heard| {
                        heard.goodbye = if reason.is_empty() { "stop".to_owned() } else { reason };
                        heard.goodbye_at_us = now.0;
                    });
                    Err(End::Goodbye)
                }
                Ok(FromAgent::Hello(_)) => Err(End::Server(Error::HelloExpected { given: "a second hello" })),
                Err(end) => Err(end),
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    fn read(&self, message: Result<Option<v1::AgentMessage>, Status>) -> Result<FromAgent, End> {
        match message {
            Ok(Some(message)) => message.message.ok_or(End::Server(Error::MessageEmpty)),
            Ok(None) => Err(End::Agent),
            // The transport's word for a message above the limit.
            Err(status) if status.code() == Code::OutOfRange => {
                Err(End::Server(Error::ReportTooLarge { limit: self.app.limits.report_bytes_max }))
            }
            Err(_) => Err(End::Agent),
        }
    }

    async fn welcome(&self, source: &SourceName) -> Result<(), End> {
        let limits = self.app.limits;
        let settings = v1::Settings {
            scan_interval_s: limits.scan_interval_s,
            heartbeat_interval_s: limits.heartbeat_interval_s,
            report_bytes_max: limits.report_bytes_max as u64,
        };
        self.send(ToAgent::Welcome(v1::Welcome {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            source: source.name.clone(),
            settings: Some(settings),
            report_digest: self.app.engine.report_digest(&source.name),
            server_time_us: (self.app.clock)().0,
        }))
        .await
    }

    /// Why a session was ended from elsewhere.
    fn superseded(&self, agent: Uuid, source: &SourceName) -> Error {
        let arrival = Arrival { agent_id: agent, holder: self.holder.as_ref(), clock: None };
        match self.app.enrolment.admit(&arrival, (self.app.clock)()) {
            Err(refusal @ (Refusal::Revoked { .. } | Refusal::CertificateRequired { .. })) => refusal.into(),
            _ => Error::SessionSuperseded { agent: source.title.clone() },
        }
    }

    async fn report(&mut self, report: v1::Report, guest: &Guest) -> Result<(), End> {
        let Guest { agent, source } = guest;
        let sequence = report.sequence;
        let taken = match report_from(report, source.clone()) {
            Ok(report) => self.app.report(report).await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(outcome) => {
                if let Some(refused) = outcome.refused.first() {
                    let why = format!("{}: {}", refused.key, why(refused));
                    self.app.enrolment.note_error(*agent, u64::from(outcome.refused_total), &why);
                }
                self.acknowledge(sequence, &outcome, source).await
            }
            Err(error @ Error::Engine(EngineError::Closed)) => Err(End::Server(error)),
            Err(error) => {
                let why = status::problem(&error).message;
                tracing::warn!(source = source.name, sequence, why, "report refused");
                self.app.enrolment.note_error(*agent, 1, &why);
                self.refuse(&error, sequence).await;
                Ok(())
            }
        }
    }

    async fn acknowledge(
        &self,
        sequence: u64,
        outcome: &ReportOutcome,
        source: &SourceName,
    ) -> Result<(), End> {
        tracing::debug!(
            source = source.name,
            sequence,
            revision = outcome.revision.0,
            created = outcome.created,
            updated = outcome.updated,
            unchanged = outcome.unchanged,
            withdrawn = outcome.withdrawn,
            "report"
        );
        for refused in outcome.refused.iter().take(REFUSED_LOGGED_MAX) {
            tracing::warn!(source = source.name, key = refused.key, why = why(refused), "claim refused");
        }
        if outcome.refused_total as usize > REFUSED_LOGGED_MAX {
            tracing::warn!(source = source.name, refused = outcome.refused_total, "claims refused in all");
        }
        let digest = self.app.engine.report_digest(&source.name);
        self.send(ToAgent::Ack(ack_to(sequence, outcome, digest))).await?;
        if outcome.rescan.is_empty() {
            return Ok(());
        }
        let reason = "the server does not hold what the report took for known";
        self.send(ToAgent::Rescan(v1::Rescan { scopes: outcome.rescan.clone(), reason: reason.to_owned() }))
            .await
    }

    async fn heartbeat(&self, acknowledged: &[u8], source: &SourceName) -> Result<(), End> {
        self.app.heartbeat(&source.name);
        if acknowledged.is_empty() || acknowledged == self.app.engine.report_digest(&source.name) {
            return Ok(());
        }
        let reason = "the server holds another report than the one last acknowledged";
        self.send(ToAgent::Rescan(v1::Rescan { scopes: Vec::new(), reason: reason.to_owned() })).await
    }

    async fn refuse(&self, error: &Error, sequence: u64) {
        let message = v1::SessionError {
            problem: Some(status::problem(error)),
            sequence,
            retry_after_s: retry_after(error),
        };
        // Nobody may be there to hear it.
        drop(self.send(ToAgent::Error(message)).await);
    }

    async fn send(&self, message: ToAgent) -> Result<(), End> {
        let message = v1::ServerMessage { message: Some(message) };
        self.outbound.send_timeout(Ok(message), SEND_WAIT_MAX).await.map_err(|_| End::Agent)
    }
}

fn why(refused: &Decision) -> String {
    let whole = match &refused.outcome {
        Outcome::Refused(problem) => Some(problem),
        Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Waits => None,
    };
    let problems: Vec<String> = whole.into_iter().chain(&refused.problems).map(ToString::to_string).collect();
    problems.join("; ")
}

fn retry_after(error: &Error) -> u32 {
    match error {
        Error::Engine(EngineError::Busy { .. } | EngineError::Closed) | Error::Busy { .. } => {
            retry_after_s::SOON
        }
        Error::Engine(EngineError::Store(_))
        | Error::SessionsFull { .. }
        | Error::SessionSilent { .. }
        | Error::DiskFull { .. }
        | Error::Internal => retry_after_s::LATER,
        _ => retry_after_s::MUCH_LATER,
    }
}
