//! The way to the server: address, TLS, and one client per service.
//!
//! Knows nothing of commands. Invariant: one channel, opened before the first question is asked, so that
//! a server that is not there is said once and plainly.

use std::path::Path;
use std::time::Duration;

use cmdb_proto::v1::{
    admin_service_client::AdminServiceClient, agent_service_client::AgentServiceClient,
    commit_service_client::CommitServiceClient, graph_service_client::GraphServiceClient,
    group_service_client::GroupServiceClient, health_service_client::HealthServiceClient,
    identity_service_client::IdentityServiceClient, item_service_client::ItemServiceClient,
    scenario_service_client::ScenarioServiceClient, schema_service_client::SchemaServiceClient,
    transfer_service_client::TransferServiceClient,
};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::error::CommandError;

/// The largest answer that is taken: an impact of a million items with its reasons.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// How long to wait for the connection.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How often a silent connection is probed, so that `watch` notices a server that vanished.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How a certificate begins in a PEM file.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// The metadata that tells the server who asks.
const ACTOR: &str = "cmdb-actor";

/// Where the server is, checked but not yet asked.
pub struct Target {
    pub url: String,
    endpoint: Endpoint,
    asker: Asker,
}

/// Who asks, told with every request. Without a name the server uses its own for people it does not know.
#[derive(Clone)]
pub struct Asker(Option<MetadataValue<Ascii>>);

impl Asker {
    /// The person who was named, who must be nameable, or else the one who is logged in, if that can be a name.
    pub fn new(named: Option<&str>) -> Result<Self, CommandError> {
        if let Some(name) = named.filter(|name| !name.is_empty()) {
            let name = name.parse().map_err(|_| {
                CommandError::usage("this cannot be the name of a person")
                    .with("expected", "letters, digits, dots, underscores, hyphens and @")
                    .with("given", name)
                    .hint("set --actor or CMDB_ACTOR")
            })?;
            return Ok(Asker(Some(name)));
        }
        let login = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        Ok(Asker(login.filter(|name| is_plain(name)).and_then(|name| name.parse().ok())))
    }
}

/// Whether every server takes this name.
fn is_plain(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

impl Interceptor for Asker {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        if let Some(name) = &self.0 {
            request.metadata_mut().insert(ACTOR, name.clone());
        }
        Ok(request)
    }
}

impl Target {
    /// Reads an address: a URL, or `host:port` for plain http.
    pub fn new(server: &str, ca: Option<&Path>, asker: Asker) -> Result<Self, CommandError> {
        let url = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
        let is_https = url.starts_with("https://");
        if !is_https && !url.starts_with("http://") {
            return Err(bad_address(server));
        }
        let endpoint = Endpoint::from_shared(url.clone()).map_err(|_| bad_address(server))?;
        if endpoint.uri().host().is_none_or(str::is_empty) {
            return Err(bad_address(server));
        }
        let endpoint = match (is_https, ca) {
            (true, ca) => with_tls(endpoint, ca)?,
            (false, None) => endpoint,
            (false, Some(_)) => {
                return Err(CommandError::usage("--ca is for https")
                    .with("given", &url)
                    .hint("write https:// in --server, or leave --ca out"));
            }
        };
        let endpoint = endpoint
            .connect_timeout(CONNECT_WAIT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .http2_adaptive_window(true)
            .tcp_nodelay(true);
        Ok(Target { url, endpoint, asker })
    }

    /// Connects.
    pub async fn connect(&self) -> Result<Connection, CommandError> {
        let channel =
            self.endpoint.connect().await.map_err(|error| CommandError::unreachable(&self.url, &error))?;
        Ok(Connection { channel, asker: self.asker.clone() })
    }
}

fn bad_address(server: &str) -> CommandError {
    CommandError::usage("the server's address cannot be read")
        .with("expected", "http://HOST:PORT or https://HOST:PORT")
        .with("given", server)
        .hint("set --server or CMDB_SERVER")
}

fn with_tls(endpoint: Endpoint, ca: Option<&Path>) -> Result<Endpoint, CommandError> {
    let roots = match ca {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| CommandError::file("reading", path, &error))?;
            // Other PEM files are read without complaint, as if they held no certificate.
            if !pem.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE) {
                return Err(CommandError::usage("there is no certificate in the file of --ca")
                    .with("file", path.display())
                    .with("expected", "certificates in PEM"));
            }
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
        None => ClientTlsConfig::new().with_native_roots(),
    };
    endpoint.tls_config(roots).map_err(|error| CommandError::usage(format!("TLS cannot be set up: {error}")))
}

/// A connected server.
pub struct Connection {
    channel: Channel,
    asker: Asker,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Connection {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> $client<InterceptedService<Channel, Asker>> {
                    $client::with_interceptor(self.channel.clone(), self.asker.clone())
                        .max_decoding_message_size(ANSWER_BYTES_MAX)
                }
            )*
        }
    };
}

clients! {
    /// Agents and tokens.
    agents: AgentServiceClient;
    /// Status, backup, verify.
    admin: AdminServiceClient;
    /// Commits: watch, revert.
    commits: CommitServiceClient;
    /// Impact, dependencies, trace, neighbours.
    graph: GraphServiceClient;
    /// Redundancy groups: list, confirm, reject.
    groups: GroupServiceClient;
    /// Merge, split, duplicates, explain.
    identity: IdentityServiceClient;
    /// Whether the facts can be trusted.
    health: HealthServiceClient;
    /// Items: get, list, apply, retire, history.
    items: ItemServiceClient;
    /// Scenarios.
    scenarios: ScenarioServiceClient;
    /// Classes and relationship types.
    schema: SchemaServiceClient;
    /// Import and export.
    transfer: TransferServiceClient;
}
