//! The command as a process.

use std::io::{BufRead, BufReader};
use std::path::Path;
#[expect(clippy::disallowed_types, reason = "a test starts the agent itself")]
use std::process::Command;
use std::process::{Output, Stdio};

use crate::fixtures::place;

#[expect(clippy::disallowed_types, reason = "a test starts the agent itself")]
fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cmdb-agent"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CMDB_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> (Output, String, String) {
    let output = agent(arguments).output().expect("the agent is executable");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    (output, stdout, stderr)
}

fn path(path: &Path) -> &str {
    path.to_str().expect("test paths are UTF-8")
}

#[test]
fn a_report_is_shown_without_a_server_or_state() {
    let root = place("debian-web");
    let (output, stdout, stderr) =
        run(&["--once", "--print", "--root", path(&root), "--state-dir", "/no/such/place"]);
    assert!(output.status.success(), "{stderr}");
    assert!(stdout.contains("database_instance \"postgresql on web01\""), "{stdout}");

    let (_, stdout, _) = run(&["--once", "--print", "--output", "json", "--root", path(&root)]);
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    let software = report["sections"].as_array().expect("sections").last().expect("software");
    assert_eq!(software["scope"], "software");
    let is_node = |entry: &&serde_json::Value| entry["key"] == "software:node:orders";
    let node = software["entries"].as_array().expect("entries").iter().find(is_node).expect("node is there");
    assert_eq!(node["attributes"]["port"], 3000);
    assert_eq!(node["relationships"][1]["confidence"], 0.6);
}

#[test]
fn this_very_machine_can_be_shown() {
    let (output, stdout, stderr) = run(&["--once", "--output", "json"]);
    assert!(output.status.success(), "{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).expect("one JSON object");
    let scopes: Vec<_> =
        report["sections"].as_array().expect("sections").iter().map(|section| &section["scope"]).collect();
    assert_eq!(scopes.len(), 8);
    assert_eq!(report["sections"][0]["entries"][0]["class"], "operating_system");
}

#[test]
fn misuse_and_failure_have_their_own_exit_codes() {
    let (output, _, stderr) = run(&["--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let (output, _, stderr) = run(&["--print"]);
    assert_eq!(output.status.code(), Some(2), "{stderr}");

    let directory = tempfile::tempdir().expect("a temporary directory");
    let state = directory.path().join("state");
    // Port 9 is the discard service, which nobody runs.
    let (output, stdout, stderr) =
        run(&["--once", "--server", "http://127.0.0.1:9", "--state-dir", path(&state)]);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("the server http://127.0.0.1:9 could not be reached"), "{stderr}");

    let (output, _, stderr) = run(&["--once", "--discover-timeout", "0", "--state-dir", path(&state)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("--server") && stderr.contains("CMDB_SERVER"), "{stderr}");
}

#[test]
fn settings_are_shown_with_where_they_came_from() {
    let mut command = agent(&["--print-config", "--log", "debug"]);
    let output = command.env("CMDB_SERVER", "http://from-environment:7400").output().expect("it runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = |name: &str| stdout.lines().find(|line| line.starts_with(name)).expect(name).to_owned();
    assert!(line("server").contains("from-environment") && line("server").ends_with("# the environment"));
    assert!(line("log").ends_with("# the command line"));
    assert!(line("root").ends_with("# default"));
}

#[test]
fn a_request_to_end_is_followed_at_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut agent = agent(&["--server", "http://127.0.0.1:9", "--state-dir", path(directory.path())])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the agent is executable");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let waits = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("not connected")));
    assert!(waits.is_some(), "it says that it is not connected");
    terminate(agent.id());
    let status = agent.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert!(log.any(|line| line.is_ok_and(|line| line.contains("the agent stops"))));
}

#[expect(clippy::disallowed_types, reason = "a test ends the agent that it started")]
fn terminate(pid: u32) {
    let status = Command::new("kill").arg(pid.to_string()).status().expect("kill is everywhere");
    assert!(status.success());
}
