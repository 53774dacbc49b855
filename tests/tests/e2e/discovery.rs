//! A real server and a client connected to it, found by the agent alone: both programs, the endpoint and the
//! dependency between them. Nothing is declared and nothing is imported about them.

mod database;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::agent;
use crate::harness::server::Server;
use crate::harness::shell::Shell;
use crate::harness::{Guarded, repository, tool};
use database::{Database, postgres, redis};

/// What must be found.
struct Expected<'a> {
    port: u16,
    /// What the programs are, as the agent calls them.
    server_product: &'a str,
    client_product: &'a str,
    /// The class of the server's item.
    server_class: Option<&'a str>,
}

#[test]
fn our_own_server_and_a_watching_shell_are_found() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let watch = shell.command(["watch", "--after", "0", "--output", "jsonl"]).stdout(Stdio::piped()).spawn();
    let mut watch = Guarded(watch.expect("the shell is executable"));
    let mut first = String::new();
    // It stays open: a watch whose reader has gone ends at the next commit.
    let mut out = BufReader::new(watch.0.stdout.take().expect("its output is a pipe"));
    out.read_line(&mut first).expect("the watch says something");
    assert!(first.contains("revision"), "the watch is connected: {first:?}");
    let expected = Expected {
        port: server.port(),
        server_product: "cmdb-server",
        client_product: "cmdb",
        server_class: None,
    };
    find(&server, &expected);
}

#[test]
fn redis_and_its_client_are_found() {
    let Some(program) = tool("CMDB_TEST_REDIS", "discovery of a Redis server and its client") else { return };
    let redis = redis(&program);
    let mut client = TcpStream::connect(("127.0.0.1", redis.port)).expect("the server listens");
    client.write_all(b"PING\r\n").expect("the server reads");
    let mut answer = [0; 7];
    client.read_exact(&mut answer).expect("the server answers");
    assert_eq!(&answer, b"+PONG\r\n");
    find_database(&redis, "cache");
}

#[test]
fn postgresql_and_its_client_are_found() {
    let Some(programs) = tool("CMDB_TEST_POSTGRES", "discovery of a PostgreSQL server and its client") else {
        return;
    };
    let postgres = postgres(&programs);
    let _client = database::connect_to_postgres(postgres.port);
    find_database(&postgres, "database_instance");
}

/// The client is this very test.
fn find_database(database: &Database, class: &str) {
    let this = std::env::current_exe().expect("a test knows its own path");
    let this = this.file_name().expect("a program has a name").to_string_lossy().into_owned();
    let expected = Expected {
        port: database.port,
        server_product: database.product,
        client_product: &this,
        server_class: Some(class),
    };
    find(&Server::start(), &expected);
}

fn find(server: &Server, expected: &Expected<'_>) {
    let state = TempDir::new().expect("a temporary directory");
    agent::once(&server.url(), state.path(), &[]);
    let shell = server.shell();
    let condition = format!("port = {} and protocol = \"tcp\"", expected.port);
    let endpoints = shell.json_lines(&["items", "--all", "--class", "endpoint", "--where", &condition]);
    assert_eq!(endpoints.len(), 1, "one endpoint on port {}: {endpoints:?}", expected.port);
    let endpoint = text(&endpoints[0], "id");

    let shown = shell.json(&["show", endpoint]);
    let provider = end_of(&shown, "provided_by", "from", endpoint, "to", &shell, expected.server_product);
    if let Some(class) = expected.server_class {
        assert_eq!(text(&provider, "class"), class);
    }
    let client = end_of(&shown, "depends_on", "to", endpoint, "from", &shell, expected.client_product);

    // And the question that it is all for: when the server fails, so does its client.
    let answer = shell.json(&["impact", text(&provider, "id")]);
    let affected = answer["affected"].as_array().expect("an impact answer lists the affected");
    let reached = affected.iter().find(|item| item["id"] == client["id"]);
    assert_eq!(reached.map(|item| text(item, "state")), Some("failed"), "{answer:#}");
}

/// The item at the `far` end of a relationship whose `near` end is `endpoint`, and that is `product`.
fn end_of(
    shown: &Value,
    kind: &str,
    near: &str,
    endpoint: &str,
    far: &str,
    shell: &Shell,
    product: &str,
) -> Value {
    let relationships = shown["relationships"].as_array().expect("an item shows its relationships");
    let candidates: Vec<Value> = relationships
        .iter()
        .filter(|one| one["type"] == kind && one[near]["id"] == endpoint)
        .map(|one| shell.json(&["show", text(&one[far], "id")]))
        .collect();
    let found = candidates.iter().find(|item| item["attributes"]["product"]["value"] == product);
    found.unwrap_or_else(|| panic!("no {kind} between {endpoint} and {product}: {candidates:#?}")).clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}
