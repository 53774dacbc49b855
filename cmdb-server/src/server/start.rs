//! The steps of starting, each with its own clear failure.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use cmdb_core::engine::{Clock, Cmdb, Opened, Options};
use cmdb_core::health::Rules;
use cmdb_core::model::Timestamp;
use cmdb_core::model::schema::Schema;
use cmdb_core::store::{RedbStore, Store};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::server::Router;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic_health::server::HealthReporter;

use super::ADDRESS_FILE;
use crate::app::{App, Limits, Parts, Room, Sessions, Staging};
use crate::config::{Config, TlsFiles};
use crate::grpc;

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
/// How long a TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

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

/// Reads the certificate and its key.
pub fn tls(files: &TlsFiles) -> anyhow::Result<ServerTlsConfig> {
    let read = |path: &Path, what: &str| {
        std::fs::read(path).with_context(|| format!("cannot read the {what} {}", path.display()))
    };
    let (cert, key) = (read(&files.cert, "certificate")?, read(&files.key, "private key")?);
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(cert, key)).timeout(HANDSHAKE_MAX);
    // A trial: the error of the real one would not say which files it speaks of.
    Server::builder().tls_config(tls.clone()).map_err(|error| {
        let detail = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        anyhow::anyhow!(
            "the certificate {} and the private key {} cannot be used: {detail}; both must be PEM and belong together",
            files.cert.display(),
            files.key.display()
        )
    })?;
    Ok(tls)
}

/// Opens the store and the engine. Takes a while; not for async threads.
pub fn open(config: &Config, closing: watch::Receiver<bool>) -> anyhow::Result<(App, Arc<dyn Store>)> {
    let schema = schema(config.schema.as_deref())?;
    prepare_directory(&config.data)?;
    let store: Arc<dyn Store> = Arc::new(RedbStore::open(&config.data)?);
    // From here on the directory is ours: what an earlier server left there is old.
    drop(std::fs::remove_file(config.data.join(ADDRESS_FILE)));
    let clock: Clock = Arc::new(now);
    let options = Options { image: Some(config.data.join(IMAGE_FILE)), ..Options::default() };
    let engine = Cmdb::open(Arc::clone(&store), schema, Arc::clone(&clock), Arc::new(secret), options)?;
    match engine.opened() {
        Opened::Read { revision, followed } => {
            tracing::info!(image = %revision, followed, "graph read");
        }
        Opened::Built { why } => {
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
    Ok((App::new(Parts { engine, clock, closing, sessions, staging, room, limits })?, store))
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
pub fn faces(app: &Arc<App>, tls: Option<ServerTlsConfig>) -> anyhow::Result<(HealthReporter, Router)> {
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
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
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
