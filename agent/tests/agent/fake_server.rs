//! A server that does what a test tells it, and shows what the agent said.

use std::sync::Arc;
use std::time::Duration;

use cmdb_proto::v1;
use cmdb_proto::v1::agent_message::Message as FromAgent;
use cmdb_proto::v1::discovery_service_server::{DiscoveryService, DiscoveryServiceServer};
use cmdb_proto::v1::server_message::Message as ToAgent;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// How long a test waits for the agent before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's side of one session.
pub struct Session {
    inbound: Streaming<v1::AgentMessage>,
    outbound: mpsc::Sender<Result<v1::ServerMessage, Status>>,
}

impl Session {
    /// What the agent says next.
    pub async fn next(&mut self) -> FromAgent {
        let message = tokio::time::timeout(PATIENCE, self.inbound.message()).await;
        message
            .expect("the agent says something in time")
            .expect("the stream is whole")
            .expect("the agent is still there")
            .message
            .expect("a message says something")
    }

    /// The next report, heartbeats passed over.
    pub async fn report(&mut self) -> v1::Report {
        loop {
            match self.next().await {
                FromAgent::Report(report) => return report,
                FromAgent::Heartbeat(_) => {}
                other => panic!("expected a report, given {other:?}"),
            }
        }
    }

    /// The next heartbeat; a report is a failure.
    pub async fn heartbeat(&mut self) -> v1::Heartbeat {
        match self.next().await {
            FromAgent::Heartbeat(heartbeat) => heartbeat,
            other => panic!("expected a heartbeat, given {other:?}"),
        }
    }

    /// The hello; answers it.
    pub async fn welcome(&mut self, report_digest: &[u8]) -> v1::Hello {
        let FromAgent::Hello(hello) = self.next().await else { panic!("the first message is a hello") };
        let settings =
            v1::Settings { scan_interval_s: 1, heartbeat_interval_s: 1, report_bytes_max: 4 << 20 };
        self.say(ToAgent::Welcome(v1::Welcome {
            server_version: "test".into(),
            source: "agent-test".into(),
            settings: Some(settings),
            report_digest: report_digest.to_vec(),
            server_time_us: 1,
        }))
        .await;
        hello
    }

    /// Acknowledges a report as a whole.
    pub async fn acknowledge(&self, report: &v1::Report) {
        self.say(ToAgent::Ack(v1::Ack {
            sequence: report.sequence,
            revision: 7,
            report_digest: report.digest.clone(),
            ..Default::default()
        }))
        .await;
    }

    pub async fn say(&self, message: ToAgent) {
        let message = v1::ServerMessage { message: Some(message) };
        self.outbound.send(Ok(message)).await.expect("the agent listens");
    }
}

/// A server on a free port.
pub struct FakeServer {
    /// Its port.
    pub port: u16,
    sessions: mpsc::Receiver<Session>,
}

impl FakeServer {
    /// Without TLS.
    pub async fn start() -> Self {
        Self::with(None).await
    }

    pub async fn with(tls: Option<Identity>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (sender, sessions) = mpsc::channel(4);
        let mut server = Server::builder();
        if let Some(identity) = tls {
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).expect("a usable identity");
        }
        let service = DiscoveryServiceServer::new(Door { sessions: Arc::new(Mutex::new(sender)) });
        let serving = server.add_service(service).serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(serving);
        Self { port, sessions }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The next agent that comes in.
    pub async fn session(&mut self) -> Session {
        let session = tokio::time::timeout(PATIENCE, self.sessions.recv()).await;
        session.expect("an agent comes in time").expect("the server runs")
    }
}

struct Door {
    sessions: Arc<Mutex<mpsc::Sender<Session>>>,
}

#[tonic::async_trait]
impl DiscoveryService for Door {
    type SessionStream = ReceiverStream<Result<v1::ServerMessage, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (outbound, answers) = mpsc::channel(8);
        let session = Session { inbound: request.into_inner(), outbound };
        self.sessions.lock().await.send(session).await.expect("the test is still there");
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}
