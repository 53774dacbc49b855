//! The steps of starting, each with its own clear failure.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use cmdb_core::engine::{Clock, Cmdb, Opened as Graph, Options, Secrets};
use cmdb_core::health::Rules;
use cmdb_core::model::Timestamp;
use cmdb_core::model::schema::Schema;
use cmdb_core::store::{RedbStore, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::rustls::ServerConfig;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::server::HealthReporter;

use super::ADDRESS_FILE;
use crate::app::enrolment::EnrolmentParts;
use crate::app::{App, Enrolment, Limits, Parts, Room, Sessions, Staging};
use crate::authority::Authority;
use crate::config::{Config, Tls};
use crate::grpc;
use crate::tls::{self, Shown};

/// The live graph as it was a while ago, in the data directory.
const IMAGE_FILE: &str = "graph.image";
/// Connections that are left for people and programs when every agent is connected.
pub const CONNECTIONS_BESIDE_AGENTS: usize = 1_000;
/// Streams on one connection.
const STREAMS_MAX: u32 = 256;
/// What one stream may send before it is read, in bytes.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// What one connection may send before it is read, in bytes.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The largest headers of a request, in bytes.
const HEADER_BYTES_MAX: u32 = 32 << 10;
/// How often a silent connection is asked whether it is there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take to say so.
const KEEPALIVE_ANSWER_MAX: Duration = Duration::from_secs(20);

/// Takes the address.
pub async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    let address = config.listen;
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is in use by another process, perhaps another cmdb-server; stop it, or give this one another \
             --listen (port 0 takes a free one)"
        ),
        std::io::ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("{address} is not an address of this machine; give --listen one that is")
        }
        std::io::ErrorKind::PermissionDenied => {
            anyhow::anyhow!("this user may not listen on {address}; take a port of 1024 or above")
        }
        _ => anyhow::anyhow!("cannot listen on {address}: {error}"),
    })
}

/// What a server is made of, once its store is open.
pub struct Opened {
    /// What it can do.
    pub app: App,
    /// Its store.
    pub store: Arc<dyn Store>,
    /// How it speaks TLS; `None`: it speaks plainly.
    pub tls: Option<Arc<ServerConfig>>,
}

/// Opens the store and the engine. Takes a while; not for async threads.
pub fn open(config: &Config, address: SocketAddr, closing: watch::Receiver<bool>) -> anyhow::Result<Opened> {
    let schema = schema(config.schema.as_deref())?;
    prepare_directory(&config.data)?;
    let shown = match &config.tls {
        Tls::Files(files) => Some(Arc::new(Shown::of_files(files)?)),
        Tls::Off | Tls::Own => None,
    };
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&config.data)?);
    // From here on the directory is ours: what an earlier server left there is old.
    drop(std::fs::remove_file(config.data.join(ADDRESS_FILE)));
    let clock: Clock = Arc::new(now);
    let options = Options { image: Some(config.data.join(IMAGE_FILE)), ..Options::default() };
    let secret: Secrets = Arc::new(secret);
    let engine = Cmdb::open(Arc::clone(&store), schema, Arc::clone(&clock), Arc::clone(&secret), options)?;
    match engine.opened() {
        Graph::Read { revision, followed } => {
            tracing::info!(image = %revision, followed, "graph read");
        }
        Graph::Built { why } => {
            tracing::info!(why = why.as_deref().unwrap_or("no image is kept"), "graph built from the store");
        }
    }
    let limits = Limits {
        scan_interval_s: config.scan_interval_s,
        heartbeat_interval_s: config.heartbeat_interval_s,
        report_bytes_max: config.report_bytes_max,
    };
    let staging = Staging::open(&config.data)?;
    let sessions = Sessions::new(config.sessions_max);
    let room = Room::new(&config.data);
    let names = names(&config.tls_names, address);
    let url = url(&names[0], address, config.tls.is_on());
    let (authority, tls) = match shown_by(config, shown, names)? {
        Some((authority, shown)) => {
            let tls = tls::server(shown, &authority)?;
            (Some(authority), Some(tls))
        }
        None => (None, None),
    };
    let enrolment = Enrolment::open(
        EnrolmentParts {
            authority,
            accepts: config.agents,
            own_certificate: config.tls == Tls::Own,
            certificate_days: config.certificate_days,
        },
        &engine.reader()?,
    )?;
    let parts = Parts { engine, clock, secret, closing, sessions, enrolment, url, staging, room, limits };
    Ok(Opened { app: App::new(parts)?, store, tls })
}

/// The authority, and what the server shows; `None`: it speaks plainly.
fn shown_by(
    config: &Config,
    of_files: Option<Arc<Shown>>,
    names: Vec<String>,
) -> anyhow::Result<Option<(Arc<Authority>, Arc<Shown>)>> {
    if !config.tls.is_on() {
        return Ok(None);
    }
    let authority = Arc::new(Authority::open(&config.data, now())?);
    let shown = match of_files {
        Some(shown) => shown,
        None => Arc::new(Shown::own(&authority, names, Arc::new(now))?),
    };
    tracing::info!(fingerprint = authority.fingerprint(), "the authority of agents");
    Ok(Some((authority, shown)))
}

/// What this server is called by those who come to it: at least one name.
fn names(given: &[String], address: SocketAddr) -> Vec<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host = if host.is_empty() { "localhost".to_owned() } else { host };
    let first = host.split('.').next().unwrap_or(&host).to_owned();
    let mut names = given.to_vec();
    if !address.ip().is_unspecified() && !address.ip().is_loopback() && given.is_empty() {
        names.push(address.ip().to_string());
    }
    names.extend([host, format!("{first}.local"), first].map(|name| name.to_ascii_lowercase()));
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// The address to tell agents.
fn url(name: &str, address: SocketAddr, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    let host = if address.ip().is_loopback() { address.ip().to_string() } else { name.to_owned() };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("{scheme}://{host}:{}", address.port())
}

/// The wall clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// What nobody can guess: the system's randomness.
pub fn secret() -> [u8; 32] {
    use rustix::rand::{GetRandomFlags, getrandom};

    let mut secret = [0; 32];
    let mut filled = 0;
    while filled < secret.len() {
        match getrandom(&mut secret[filled..], GetRandomFlags::empty()) {
            Ok(drawn) => filled += drawn,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the system gives no randomness: {error}"),
        }
    }
    secret
}

/// The built-in schema, and the user's files by name.
pub fn schema(directory: Option<&Path>) -> anyhow::Result<Schema> {
    let Some(directory) = directory else { return Ok(Schema::built_in()) };
    let unreadable = || format!("cannot read the schema directory {}", directory.display());
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        tracing::warn!(directory = %directory.display(), "the schema directory holds no .toml file");
    }
    let mut files = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the schema file {}", path.display()))?;
        files.push((path.display().to_string(), text));
    }
    // What the rules say of items is read here as well, so that nobody finds out later.
    match Schema::load(&files).and_then(|schema| Rules::read(&schema).map(|_| schema)) {
        Ok(schema) => Ok(schema),
        Err(error) => bail!("the schema in {} cannot be used:\n{error}", directory.display()),
    }
}

/// The data directory belongs to this user alone: it holds everything that agents said.
pub fn prepare_directory(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
        anyhow::anyhow!(
            "cannot make the data directory {}: {error}; give another one with --data DIR, or make it and give it to \
             this user",
            directory.display()
        )
    })?;
    let probe = tempfile::tempfile_in(directory).map(drop);
    probe.map_err(|error| {
        anyhow::anyhow!(
            "cannot write to the data directory {}: {error}; give another one with --data DIR, or give it to this user",
            directory.display()
        )
    })
}

/// The services on one port.
pub fn faces(app: &Arc<App>) -> anyhow::Result<(HealthReporter, Router)> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(cmdb_proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let mut server = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER_MAX));
    let router = server
        .add_routes(grpc::routes(app))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    Ok((reporter, router))
}

/// Says where the server listens, for those who did not choose the port. Whole or not there.
pub fn write_address(path: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let write = || {
        let directory = path.parent().expect("the address file lies in the data directory");
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        writeln!(file, "{address}")?;
        file.persist(path)?;
        std::io::Result::Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Every connection is an open file; the usual limit of 1,024 is for programs that have few.
pub fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the number of files that may be open");
    }
}
