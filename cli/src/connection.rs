//! The way to the server: address, TLS, and one client per service.
//!
//! Knows nothing of commands. Invariant: one channel, opened before the first question is asked, so that
//! a server that is not there is said once and plainly.

use std::path::Path;
use std::time::Duration;

use cmdb_proto::v1::{
    admin_service_client::AdminServiceClient, commit_service_client::CommitServiceClient,
    graph_service_client::GraphServiceClient, item_service_client::ItemServiceClient,
    schema_service_client::SchemaServiceClient, transfer_service_client::TransferServiceClient,
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::error::CommandError;

/// The largest answer that is taken: an impact of a million items with its reasons.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// How long to wait for the connection.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How often a silent connection is probed, so that `watch` notices a server that vanished.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Where the server is, checked but not yet asked.
pub struct Target {
    pub url: String,
    endpoint: Endpoint,
}

impl Target {
    /// Reads an address: a URL, or `host:port` for plain http.
    pub fn new(server: &str, ca: Option<&Path>) -> Result<Self, CommandError> {
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
        Ok(Target { url, endpoint })
    }

    /// Connects.
    pub async fn connect(&self) -> Result<Connection, CommandError> {
        let channel =
            self.endpoint.connect().await.map_err(|error| CommandError::unreachable(&self.url, &error))?;
        Ok(Connection { channel })
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
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
        None => ClientTlsConfig::new().with_native_roots(),
    };
    endpoint.tls_config(roots).map_err(|error| CommandError::usage(format!("TLS cannot be set up: {error}")))
}

/// A connected server.
pub struct Connection {
    channel: Channel,
}

macro_rules! clients {
    ($($(#[$doc:meta])* $name:ident: $client:ident;)*) => {
        impl Connection {
            $(
                $(#[$doc])*
                pub fn $name(&self) -> $client<Channel> {
                    $client::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX)
                }
            )*
        }
    };
}

clients! {
    /// Status, backup, verify.
    admin: AdminServiceClient;
    /// Commits: watch, revert.
    commits: CommitServiceClient;
    /// Impact, dependencies, trace, neighbours.
    graph: GraphServiceClient;
    /// Items: get, list, apply, retire, history.
    items: ItemServiceClient;
    /// Classes and relationship types.
    schema: SchemaServiceClient;
    /// Import and export.
    transfer: TransferServiceClient;
}
