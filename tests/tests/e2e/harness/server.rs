//! A server process on a port and a store of its own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::shell::Shell;
use super::{Guarded, PATIENCE, binary, clean_environment, wait_for};

/// Ports are chosen before the server binds them; another process may be faster.
const START_ATTEMPTS_MAX: u32 = 5;

/// How a server speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Security {
    Plain,
    /// Over TLS, with its own authority; agents report often.
    Tls,
}

/// A running server. Ends with its guard; its store goes with the last owner of the directory.
pub struct Server {
    process: Guarded,
    port: u16,
    directory: PathBuf,
    ready_in: Duration,
    security: Security,
    _owned: Option<TempDir>,
}

impl Server {
    /// A server with an empty store that goes when the server goes.
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mut server = Self::start_in(directory.path());
        server._owned = Some(directory);
        server
    }

    /// A server with the store and the log of `directory`, which stay.
    pub fn start_in(directory: &Path) -> Self {
        Self::start_as(directory, Security::Plain, || Command::new(binary("cmdb-server")))
    }

    /// A server that speaks TLS, with an empty store that goes when the server goes.
    pub fn start_secure() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mut server = Self::start_secure_in(directory.path());
        server._owned = Some(directory);
        server
    }

    /// The same, with the store and the log of `directory`, which stay.
    pub fn start_secure_in(directory: &Path) -> Self {
        Self::start_as(directory, Security::Tls, || {
            let mut command = Command::new(binary("cmdb-server"));
            command.args(["--tls", "on", "--heartbeat-interval-s", "1"]);
            command
        })
    }

    /// The same, with a disk that takes no file larger than so many MiB.
    pub fn start_with_small_files(directory: &Path, mib: u32) -> Self {
        // In blocks of 512 bytes. Without the trap a write beyond would end the process instead of failing.
        let limit = format!("ulimit -f {}; trap '' XFSZ; exec \"$@\"", u64::from(mib) * 2_048);
        Self::start_as(directory, Security::Plain, move || {
            let mut command = Command::new("sh");
            command.args(["-c", &limit, "sh"]).arg(binary("cmdb-server"));
            command
        })
    }

    fn start_as(directory: &Path, security: Security, program: impl Fn() -> Command) -> Self {
        let mut refused = String::new();
        for _ in 0..START_ATTEMPTS_MAX {
            match Self::try_start(directory, security, program()) {
                Ok(server) => return server,
                Err(log) => refused = log,
            }
        }
        panic!("the server did not start:\n{refused}");
    }

    fn try_start(directory: &Path, security: Security, mut command: Command) -> Result<Self, String> {
        let port = free_port();
        let log = log_path(directory);
        let output = File::options().create(true).append(true).open(&log).expect("a log file");
        let began = Instant::now();
        clean_environment(&mut command);
        let process = command
            .arg("--data")
            .arg(directory.join("data"))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a second handle of the log"))
            .stderr(output)
            .spawn()
            .expect("the server is executable");
        let mut process = Guarded(process);
        while !is_ready(security, port, directory) {
            if process.0.try_wait().expect("the server is our child").is_some() {
                return Err(std::fs::read_to_string(&log).unwrap_or_default());
            }
            assert!(began.elapsed() < PATIENCE, "the server is not ready:\n{}", read(&log));
            std::thread::sleep(Duration::from_millis(2));
        }
        let ready_in = began.elapsed();
        Ok(Self { process, port, directory: directory.to_owned(), ready_in, security, _owned: None })
    }

    /// The time from the start of the process to the first healthy answer.
    pub fn ready_in(&self) -> Duration {
        self.ready_in
    }

    pub fn url(&self) -> String {
        match self.security {
            Security::Plain => url(self.port),
            Security::Tls => format!("https://localhost:{}", self.port),
        }
    }

    /// The certificate of the server's own authority.
    pub fn ca(&self) -> PathBuf {
        self.directory.join("data/authority.pem")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The shell, talking to this server.
    pub fn shell(&self) -> Shell {
        match self.security {
            Security::Plain => Shell::new(&self.url()),
            Security::Tls => Shell::new(&self.url()).with_ca(&self.ca()),
        }
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        read(&log_path(&self.directory))
    }

    /// SIGKILL, as when the power goes.
    pub fn kill(mut self) {
        self.process.0.kill().expect("the server is ours to kill");
        self.process.0.wait().expect("the server is our child");
    }

    /// SIGTERM; the server must end by itself, and well.
    pub fn terminate(mut self) {
        self.process.terminate();
        let status =
            wait_for("the server to end after SIGTERM", || self.process.0.try_wait().expect("our own child"));
        assert!(status.success(), "the server ended with {status}:\n{}", self.log());
    }

    /// A channel for the generated clients.
    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(self.url()).expect("an address").connect().await.expect("the server listens")
    }
}

/// Restores a backup into the store of `directory`, with the server down.
pub fn restore(directory: &Path, backup: &Path) -> std::process::Output {
    Command::new(binary("cmdb-server"))
        .arg("restore")
        .arg("--data")
        .arg(directory.join("data"))
        .arg(backup)
        .output()
        .expect("the server is executable")
}

/// Whether a server answers; over TLS the file that says where it listens tells.
fn is_ready(security: Security, port: u16, directory: &Path) -> bool {
    match security {
        Security::Plain => is_serving(port),
        Security::Tls => directory.join("data/address").exists(),
    }
}

fn is_serving(port: u16) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = runtime.block_on(async {
        let channel = Endpoint::from_shared(url(port))
            .expect("an address")
            .connect_timeout(Duration::from_secs(1))
            .timeout(Duration::from_secs(5))
            .connect()
            .await
            .ok()?;
        let request = HealthCheckRequest { service: String::new() };
        let answer: HealthCheckResponse = HealthClient::new(channel).check(request).await.ok()?.into_inner();
        Some(answer.status())
    });
    asked == Some(ServingStatus::Serving)
}

/// A port that nobody listens on at the moment.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("server.log")
}

fn read(log: &Path) -> String {
    std::fs::read_to_string(log).unwrap_or_default()
}
