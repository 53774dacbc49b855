//! Talks to the server: finds it, connects, opens a session and exchanges messages.
//!
//! Knows nothing of scans or of when to report; [`crate::schedule`] does. Invariant: every wait has a named limit.

pub mod backoff;
mod connect;
pub mod discover;
pub mod enrolment;
mod fingerprint;
pub mod tls;

use std::path::PathBuf;
use std::time::Duration;

use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::discovery_service_client::DiscoveryServiceClient;
use cmdb_proto::v1::server_message::Message as FromServer;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use tonic_types::StatusExt;

use crate::show::time::rfc3339 as moment;
use connect::connect;
pub use fingerprint::Fingerprint;
use tls::Trust;

/// How long the server may take to answer a hello.
const WELCOME_WAIT_MAX: Duration = Duration::from_secs(30);
/// Messages on their way to the transport.
const MESSAGES_WAITING_MAX: usize = 4;
/// How long a clock that is wrong is left to be set.
const CLOCK_RETRY: Duration = Duration::from_secs(60);
/// The most bytes of one message of the server.
const SERVER_MESSAGE_BYTES_MAX: usize = 4 << 20;
/// How long the server may take to end a session after the agent's goodbye.
const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(3);
/// The name under which a server shows a certificate of its own authority, whatever its address is.
pub const SERVER_NAME: &str = "cmdb-server.internal";

/// Why there is no session, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answered by mDNS.
    #[error(
        "no server address is set, and no server announced itself as _cmdb._tcp.local within {seconds} s; \
         give its address with --server, CMDB_SERVER or `server` in the configuration file"
    )]
    NotDiscovered {
        /// How long it was looked for.
        seconds: u32,
    },
    /// mDNS does not work here.
    #[error("looking for a server by mDNS failed: {0}; give its address with --server or CMDB_SERVER")]
    DiscoveryFailed(String),
    /// The address is no URL.
    #[error(
        "the server address {url:?} is not understood: {reason}; expected http://HOST:PORT or https://HOST:PORT"
    )]
    BadAddress {
        /// The address.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The authority's certificates could not be read.
    #[error("the certificates in {path} could not be read: {error}; name a PEM file with --ca")]
    NoCertificates {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Nobody is there, or the connection could not be secured.
    #[error("the server {url} could not be reached: {reason}; is it running, and is the address right?")]
    Unreachable {
        /// The address.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// Somebody is there, and cannot prove who.
    #[error(
        "the server {url} was reached, but its certificate is not trusted: {reason}; give the certificate of its \
         authority with --ca, and use a name that the server's certificate carries"
    )]
    Untrusted {
        /// The address.
        url: String,
        /// The chain of causes.
        reason: String,
    },
    /// Somebody is there, and is not the one whose fingerprint is known.
    #[error(
        "the server {url} was reached, but the authority of its certificate does not have the fingerprint {expected}: \
         {reason}; take the line that `cmdb tokens create` prints on that server"
    )]
    WrongFingerprint {
        /// The address.
        url: String,
        /// What was expected.
        expected: Fingerprint,
        /// The chain of causes.
        reason: String,
    },
    /// The server's certificate is right but for the time.
    #[error(
        "the clocks do not agree: this host's says {}, {}, and the server's certificate is valid {} {}; set the clock \
         that is wrong (`timedatectl` shows whether it is kept in step)",
        moment(*ours_us),
        theirs_us.map_or_else(
            || "the server did not tell its own".to_owned(),
            |theirs_us| format!("the server's says {}", moment(theirs_us)),
        ),
        if valid_us > ours_us { "from" } else { "until" },
        moment(*valid_us)
    )]
    WrongClock {
        /// The address.
        url: String,
        /// Microseconds since the epoch.
        ours_us: i64,
        /// `None`: it could not be asked.
        theirs_us: Option<i64>,
        /// When the certificate begins, or ends.
        valid_us: i64,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Another host holds this identity.
    #[error("the server says: {reason}; this one takes another identity")]
    Shared {
        /// What the server said.
        reason: String,
    },
    /// The server ended the stream with an error.
    #[error("the server ended the session: {0}")]
    Ended(String),
    /// The server closed the stream.
    #[error("the server closed the session")]
    Closed,
    /// The server said nothing.
    #[error("the server did not answer within {seconds} s")]
    Silent {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server refused.
    #[error("{}", refusal(problem))]
    Refused {
        /// Why.
        problem: Box<v1::Problem>,
        /// Seconds before another attempt makes sense.
        retry_after_s: u32,
    },
    /// The server does not keep to the protocol.
    #[error("the server answered {given}, expected {expected}; is it a CMDB server of this version?")]
    Unexpected {
        /// What would be right.
        expected: &'static str,
        /// What came.
        given: &'static str,
    },
}

fn refusal(problem: &v1::Problem) -> String {
    let mut text = format!("the server refused: {}", problem.message);
    for (name, value) in [("expected", &problem.expected), ("given", &problem.given)] {
        if !value.is_empty() {
            text.push_str(&format!(", {name} {value}"));
        }
    }
    if !problem.hint.is_empty() {
        text.push_str(&format!("; {}", problem.hint));
    }
    text
}

impl ClientError {
    /// Seconds before another attempt makes sense.
    pub fn retry_after(&self) -> Duration {
        match self {
            ClientError::Refused { retry_after_s, .. } => Duration::from_secs(u64::from(*retry_after_s)),
            ClientError::WrongClock { .. } => CLOCK_RETRY,
            _ => Duration::ZERO,
        }
    }
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// `http://HOST:PORT` or `https://HOST:PORT`.
    pub url: String,
    /// The name that the server's certificate has to carry; `None`: the host in the URL.
    pub certificate_name: Option<String>,
}

impl From<String> for Address {
    fn from(url: String) -> Self {
        Self { url, certificate_name: None }
    }
}

/// An open session.
pub struct Session {
    outbound: mpsc::Sender<v1::AgentMessage>,
    inbound: Streaming<v1::ServerMessage>,
    /// Bytes of the messages sent so far.
    pub sent_bytes: u64,
    /// What the server said first.
    pub welcome: v1::Welcome,
}

impl Session {
    /// Connects and says who the agent is.
    pub async fn open(address: &Address, trust: &Trust, hello: v1::Hello) -> Result<Self, ClientError> {
        let channel = connect(address, trust).await?;
        let mut client =
            DiscoveryServiceClient::new(channel).max_decoding_message_size(SERVER_MESSAGE_BYTES_MAX);
        let (outbound, queue) = mpsc::channel(MESSAGES_WAITING_MAX);
        let hello = message(FromAgent::Hello(hello));
        let sent_bytes = bytes_of(&hello);
        outbound.send(hello).await.map_err(|_| ClientError::Closed)?;
        let answer = tokio::time::timeout(WELCOME_WAIT_MAX, client.session(ReceiverStream::new(queue))).await;
        let silent = || ClientError::Silent { seconds: WELCOME_WAIT_MAX.as_secs() };
        let mut inbound = answer.map_err(|_| silent())?.map_err(|status| ended(&status))?.into_inner();
        let first =
            tokio::time::timeout(WELCOME_WAIT_MAX, next(&mut inbound)).await.map_err(|_| silent())??;
        let welcome = match first {
            FromServer::Welcome(welcome) => welcome,
            FromServer::NewIdentity(said) => return Err(ClientError::Shared { reason: said.reason }),
            other => return Err(unexpected("a welcome", other)),
        };
        Ok(Self { outbound, inbound, sent_bytes, welcome })
    }

    /// Sends a report.
    pub async fn report(&mut self, report: v1::Report) -> Result<(), ClientError> {
        self.send(FromAgent::Report(report)).await
    }

    /// Sends a sign of life.
    pub async fn heartbeat(&mut self, heartbeat: v1::Heartbeat) -> Result<(), ClientError> {
        self.send(FromAgent::Heartbeat(heartbeat)).await
    }

    /// Says why the agent stops, and waits until the server has taken notice.
    pub async fn goodbye(mut self, reason: &str) {
        if self.send(FromAgent::Goodbye(v1::Goodbye { reason: reason.to_owned() })).await.is_err() {
            return;
        }
        let Self { outbound, mut inbound, .. } = self;
        drop(outbound);
        let end = async { while next(&mut inbound).await.is_ok() {} };
        // Whether it was heard does not change that the agent stops.
        let _ = tokio::time::timeout(GOODBYE_WAIT_MAX, end).await;
    }

    async fn send(&mut self, one: FromAgent) -> Result<(), ClientError> {
        let one = message(one);
        let bytes = bytes_of(&one);
        self.outbound.send(one).await.map_err(|_| ClientError::Closed)?;
        self.sent_bytes += bytes;
        Ok(())
    }

    /// The next message of the server. Safe to drop and to call again.
    pub async fn next(&mut self) -> Result<FromServer, ClientError> {
        next(&mut self.inbound).await
    }
}

async fn next(inbound: &mut Streaming<v1::ServerMessage>) -> Result<FromServer, ClientError> {
    loop {
        let one = inbound.message().await.map_err(|status| ended(&status))?.ok_or(ClientError::Closed)?;
        // A message of a kind that this version does not know is passed over.
        if let Some(one) = one.message {
            return Ok(one);
        }
    }
}

/// The error for a message that does not belong here.
pub fn unexpected(expected: &'static str, given: FromServer) -> ClientError {
    let given = match given {
        FromServer::Error(error) => {
            return ClientError::Refused {
                problem: Box::new(error.problem.unwrap_or_default()),
                retry_after_s: error.retry_after_s,
            };
        }
        FromServer::Welcome(_) => "a welcome",
        FromServer::Ack(_) => "an acknowledgement",
        FromServer::Rescan(_) => "a request to scan again",
        FromServer::NewIdentity(_) => "a request to take another identity",
    };
    ClientError::Unexpected { expected, given }
}

fn message(one: FromAgent) -> v1::AgentMessage {
    v1::AgentMessage { message: Some(one) }
}

fn bytes_of(message: &v1::AgentMessage) -> u64 {
    u64::try_from(message.encoded_len()).unwrap_or(u64::MAX)
}

fn ended(status: &Status) -> ClientError {
    let causes = chain(status);
    // The transport keeps no kinds apart, only words: this is what an authority that does not know its own says.
    if causes.contains("UnknownCA") || causes.contains("BadCertificate") {
        return ClientError::Ended(format!(
            "{causes}: the server has another authority than the one that gave this agent its certificate; enroll \
             again with a token of that server, or put its authority back"
        ));
    }
    let detail = if status.message().is_empty() { status.code().description() } else { status.message() };
    ClientError::Ended(detail.to_owned())
}

/// A refusal of a call, with what to do.
fn refused(status: &Status) -> ClientError {
    let Some(info) = status.get_details_error_info() else { return ended(status) };
    let said = |name: &str| info.metadata.get(name).cloned().unwrap_or_default();
    let problem = v1::Problem {
        reason: info.reason.clone(),
        message: status.message().to_owned(),
        thing: said("thing"),
        expected: said("expected"),
        given: said("given"),
        hint: said("hint"),
    };
    ClientError::Refused { problem: Box::new(problem), retry_after_s: 0 }
}

/// An error with its causes, without saying the same twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
