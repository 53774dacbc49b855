//! The estate of the laboratory: a shop behind a load balancer, of real servers, an agent on each machine but one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::machine::{Machine, Switch};
use crate::harness::{binary, wait_for};

/// The account that PostgreSQL runs as.
const NOBODY: u32 = 65_534;
const SERVER: &str = "https://10.77.0.2:7400";

/// What one request of the shop does: a session with the database is kept, the others are made for each request and last
/// milliseconds.
const APP: &str = r#"
import http.server, socket, struct
def ready(db):
    while True:
        head = db.recv(5, socket.MSG_WAITALL)
        body = db.recv(struct.unpack(">I", head[1:])[0] - 4, socket.MSG_WAITALL)
        assert head[:1] != b"E", body
        if head[:1] == b"Z": return
def session():
    db = socket.create_connection(("10.77.0.41", 5432), 10)
    words = b"user\0cmdb\0database\0postgres\0\0"
    db.sendall(struct.pack(">II", 8 + len(words), 196608) + words)
    ready(db)
    return db
class App(http.server.BaseHTTPRequestHandler):
    db = None
    def do_GET(self):
        App.db = App.db or session()
        text = b"select 1\0"
        App.db.sendall(b"Q" + struct.pack(">I", 4 + len(text)) + text)
        ready(App.db)
        with socket.create_connection(("10.77.0.42", 6379), 10) as cache:
            cache.sendall(b"PING\r\n")
            cache.recv(7)
        with socket.create_connection(("10.77.0.60", 9000), 10) as old:
            old.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while old.recv(4096): pass
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")
    def log_message(self, *words): pass
http.server.ThreadingHTTPServer(("10.77.0.31", 8000), App).serve_forever()
"#;

/// A browser: a connection for each page.
const USER: &str = r#"
import socket, time
while True:
    try:
        with socket.create_connection(("10.77.0.11", 80), 10) as shop:
            shop.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while shop.recv(4096): pass
    except OSError: pass
    time.sleep(0.1)
"#;

const BALANCER: &str = "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
    frontend shop\n bind 10.77.0.11:80\n default_backend web\n\
    backend web\n server web1 10.77.0.21:80 check inter 500\n server web2 10.77.0.22:80 check inter 500\n";

/// A branch asks the server beside it, at an address that the other branch uses as well.
const BRANCH: &str = r#"
import socket, time
while True:
    try:
        for address in (("192.168.7.10", 8080), ("10.77.0.11", 80)):
            with socket.create_connection(address, 10) as server:
                server.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while server.recv(4096): pass
    except OSError: pass
    time.sleep(0.1)
"#;

/// What a gateway does: the branch behind it is not seen from outside.
const TRANSLATION: &str = "table ip branch {\n chain out {\n type nat hook postrouting priority 100\n oifname eth0 masquerade\n }\n}\n";

/// Everything that runs.
pub struct Estate {
    pub switch: Switch,
    branches: Vec<Switch>,
    machines: Vec<Machine>,
    _directory: TempDir,
    place: PathBuf,
}

impl Estate {
    pub fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("our own directory");
        let place = directory.path().to_owned();
        let switch = Switch::start("switch", "10.77.0.1/24", &place);
        let mut estate =
            Self { switch, branches: Vec::new(), machines: Vec::new(), _directory: directory, place };
        for (name, address) in [
            ("cmdb", "10.77.0.2/24"),
            ("lb", "10.77.0.11/24"),
            ("web1", "10.77.0.21/24"),
            ("web2", "10.77.0.22/24"),
            ("app", "10.77.0.31/24"),
            ("db", "10.77.0.41/24"),
            ("cache", "10.77.0.42/24"),
            ("dns", "10.77.0.53/24"),
            ("legacy", "10.77.0.60/24"),
            ("user", "10.77.0.70/24"),
        ] {
            let machine = Machine::start(name, estate.machines.len() + 1, "10.77.0.53", &estate.place);
            machine.plug(&estate.switch, "eth0", address);
            estate.machines.push(machine);
        }
        estate.make_certificate();
        estate.start_servers();
        estate.start_cmdb();
        estate
    }

    pub fn machine(&self, name: &str) -> &Machine {
        self.machines.iter().find(|machine| machine.name == name).expect("a machine of the laboratory")
    }

    fn start_servers(&self) {
        let dns = self.machine("dns");
        dns.serve(
            "dnsmasq",
            &[
                "dnsmasq",
                "--keep-in-foreground",
                "--no-hosts",
                "--no-resolv",
                "--bind-interfaces",
                "--listen-address=10.77.0.53",
                "--user=root",
                "--pid-file=/run/dnsmasq.pid",
                "--conf-file=/dev/null",
            ],
        );
        self.machine("cache").serve(
            "redis",
            &[
                "redis-server",
                "--bind",
                "10.77.0.42",
                "--save",
                "",
                "--protected-mode",
                "no",
                "--dir",
                "/run",
            ],
        );
        self.start_database();
        let legacy = self.machine("legacy");
        legacy.serve("old", &["python3", "-m", "http.server", "--directory", "/run", "9000"]);
        let app = self.machine("app");
        let program = app.write("app.py", APP);
        app.serve("app", &["python3", &program]);
        for (name, address) in [("web1", "10.77.0.21"), ("web2", "10.77.0.22")] {
            let web = self.machine(name);
            let text = format!(
                "daemon off; pid /run/nginx.pid; error_log stderr; worker_processes 1; user root;\nevents {{}}\n\
                 http {{ access_log off; server {{ listen {address}:80; location / {{ proxy_pass http://10.77.0.31:8000; }} }} }}\n"
            );
            let configuration = web.write("nginx.conf", &text);
            web.serve("nginx", &["nginx", "-p", "/run", "-c", &configuration]);
        }
        let lb = self.machine("lb");
        let configuration = lb.write("haproxy.cfg", BALANCER);
        lb.serve("haproxy", &["haproxy", "-f", &configuration]);
        let user = self.machine("user");
        let program = user.write("browser.py", USER);
        user.serve("browser", &["python3", &program]);
    }

    /// A network of its own behind a gateway, with the addresses that every branch has.
    pub fn start_branch(&mut self, name: &str, gateway: &str) {
        let switch = Switch::start(&format!("lan-{name}"), "192.168.7.254/24", &self.place);
        let mut add = |kind: &str, address: &str| {
            let machine =
                Machine::start(&format!("{kind}-{name}"), self.machines.len() + 1, "10.77.0.53", &self.place);
            machine.plug(&switch, "eth1", address);
            self.machines.push(machine);
        };
        for (kind, address) in
            [("gate", "192.168.7.1/24"), ("srv", "192.168.7.10/24"), ("cl", "192.168.7.20/24")]
        {
            add(kind, address);
        }
        let gate = self.machine(&format!("gate-{name}"));
        gate.plug(&self.switch, "eth0", gateway);
        gate.must(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        let rules = gate.write("nat.nft", TRANSLATION);
        gate.must(&["nft", "-f", &rules]);
        for kind in ["srv", "cl"] {
            self.machine(&format!("{kind}-{name}")).must(&[
                "ip",
                "route",
                "add",
                "default",
                "via",
                "192.168.7.1",
            ]);
        }
        self.machine(&format!("srv-{name}"))
            .serve("server", &["python3", "-m", "http.server", "--directory", "/run", "8080"]);
        let client = self.machine(&format!("cl-{name}"));
        let program = client.write("branch.py", BRANCH);
        client.serve("client", &["python3", &program]);
        self.branches.push(switch);
    }

    fn start_database(&self) {
        let db = self.machine("db");
        let programs = postgres_programs().expect("looked for before");
        let data = db.directory().join("data");
        fs::create_dir(&data).expect("a folder");
        fs::set_permissions(db.directory(), fs::Permissions::from_mode(0o755)).expect("our own directory");
        chown(&data, Some(NOBODY), Some(NOBODY)).expect("root may give away");
        let data = data.to_str().expect("a plain path");
        let (initdb, postgres) = (programs.join("initdb"), programs.join("postgres"));
        let (initdb, postgres) = (initdb.to_str().expect("plain"), postgres.to_str().expect("plain"));
        let as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--"];
        let make = [
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
            data,
        ];
        db.must(&[&as_nobody[..], &[initdb], &make].concat());
        fs::write(format!("{data}/pg_hba.conf"), "host all all 10.77.0.0/24 trust\n").expect("a file");
        let run = [
            "-D",
            data,
            "-c",
            "listen_addresses=10.77.0.41",
            "-c",
            "fsync=off",
            "-c",
            "unix_socket_directories=",
        ];
        db.serve("postgres", &[&as_nobody[..], &[postgres], &run].concat());
    }

    /// One that the server shows and everybody trusts.
    fn make_certificate(&self) {
        let made =
            rcgen::generate_simple_self_signed(vec!["10.77.0.2".to_owned()]).expect("a plain certificate");
        fs::write(self.certificate(), made.cert.pem()).expect("a file");
        fs::write(self.place.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    }

    fn certificate(&self) -> PathBuf {
        self.place.join("certificate.pem")
    }

    /// The server of the graph.
    pub fn start_cmdb(&self) {
        let cmdb = self.machine("cmdb");
        let data = cmdb.directory().join("data");
        let program = binary("cmdb-server");
        let (certificate, key) = (self.certificate(), self.place.join("key.pem"));
        let words = [text(&program), "--data", text(&data), "--listen", "10.77.0.2:7400", "--agents", "open"];
        let tls = ["--tls-cert", text(&certificate), "--tls-key", text(&key)];
        cmdb.serve(
            "server",
            &[&words[..], &tls, &["--scan-interval-s", "1", "--heartbeat-interval-s", "1"]].concat(),
        );
        wait_for("the server", || {
            self.shell().args(["status"]).output().ok().filter(|ran| ran.status.success())
        });
    }

    /// Starts the agent of a machine.
    pub fn start_agent(&self, name: &str) {
        self.start_agent_with(name, &[]);
    }

    /// Starts the agent of a machine with more options.
    pub fn start_agent_with(&self, name: &str, options: &[&str]) {
        let machine = self.machine(name);
        let (program, state) = (binary("cmdb-agent"), machine.directory().join("state"));
        let certificate = self.certificate();
        let words =
            [text(&program), "--server", SERVER, "--ca", text(&certificate), "--state-dir", text(&state)];
        machine.serve("agent", &[&words[..], options].concat());
    }

    fn shell(&self) -> std::process::Command {
        let mut command = self.switch.machine().command(text(&binary("cmdb")));
        command.args(["--server", SERVER]).arg("--ca").arg(self.certificate());
        command
    }

    /// What a command of the shell prints.
    pub fn ask(&self, words: &[&str]) -> String {
        let output = self.shell().args(words).output().expect("nsenter is executable");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cmdb {}: {err}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Every dependency, use and provider in the graph, in words: `nginx on web1 depends_on tcp/8000 on app`.
    pub fn found(&self) -> Vec<String> {
        let export = self.ask(&["export"]);
        let lines: Vec<Value> = export.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        super::graph::edges(&lines)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// The directory with `initdb` and `postgres`.
pub fn postgres_programs() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CMDB_TEST_POSTGRES") {
        return Some(PathBuf::from(path));
    }
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions.map(|version| version.path().join("bin")).find(|path| path.join("initdb").is_file())
}
