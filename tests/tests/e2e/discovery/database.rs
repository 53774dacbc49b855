//! Servers of others, started for a test on a port and in a directory of their own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::server::free_port;
use crate::harness::{Guarded, wait_for};

/// The account that PostgreSQL runs as where the tests run as root, which it refuses: "nobody".
const NOBODY: u32 = 65_534;

/// A running database server.
pub struct Database {
    pub port: u16,
    /// What it is, as the agent calls it.
    pub product: &'static str,
    _process: Guarded,
    _directory: TempDir,
}

/// Starts `redis-server`.
pub fn redis(program: &Path) -> Database {
    let (directory, port) = (TempDir::new().expect("a temporary directory"), free_port());
    let mut command = Command::new(program);
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
        .arg("--dir")
        .arg(directory.path());
    start(command, "redis", port, directory)
}

/// Starts `postgres` on a new cluster; `programs` is the directory with `initdb`.
pub fn postgres(programs: &Path) -> Database {
    let (directory, port) = (TempDir::new().expect("a temporary directory"), free_port());
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("root may give away");
    }
    let as_itself = |program: &str| {
        let mut command = Command::new(programs.join(program));
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.env("HOME", directory.path()).current_dir(directory.path());
        command
    };
    let data = directory.path().join("data");
    let mut initdb = as_itself("initdb");
    initdb.args([
        "--auth",
        "trust",
        "--username",
        "cmdb",
        "--no-sync",
        "--locale",
        "C",
        "--encoding",
        "UTF8",
        "-D",
    ]);
    let made = initdb.arg(&data).output().expect("initdb is executable");
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let mut command = as_itself("postgres");
    command.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]);
    command.args(["-c", &format!("port={port}"), "-c"]);
    command.arg(format!("unix_socket_directories={}", directory.path().display()));
    start(command, "postgresql", port, directory)
}

fn start(mut command: Command, product: &'static str, port: u16, directory: TempDir) -> Database {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut process = Guarded(child.expect("the database server is executable"));
    wait_for(product, || {
        let ended = process.0.try_wait().expect("the database server is our child");
        assert!(ended.is_none(), "{product} ended early: {ended:?}");
        TcpStream::connect(("127.0.0.1", port)).ok()
    });
    Database { port, product, _process: process, _directory: directory }
}

/// A session of PostgreSQL's protocol, version 3: the start-up message, then all that the server says until it
/// is ready. The connection lasts as long as what is returned.
pub fn connect_to_postgres(port: u16) -> TcpStream {
    // The server listens a moment before it takes sessions.
    wait_for("a session of PostgreSQL", || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let parameters = b"user\0cmdb\0database\0postgres\0\0";
        let length = u32::try_from(8 + parameters.len()).expect("a short message");
        let message = [&length.to_be_bytes(), &196_608_u32.to_be_bytes(), parameters.as_slice()].concat();
        stream.write_all(&message).ok()?;
        until_ready(&mut stream).then_some(stream)
    })
}

/// Reads messages `type, length, body` until ReadyForQuery; `false` on an error.
fn until_ready(stream: &mut TcpStream) -> bool {
    loop {
        let mut head = [0; 5];
        if stream.read_exact(&mut head).is_err() {
            return false;
        }
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("32 bits fit").saturating_sub(4)];
        if stream.read_exact(&mut body).is_err() {
            return false;
        }
        match head[0] {
            b'Z' => return true,
            b'E' => return false,
            _ => {}
        }
    }
}
