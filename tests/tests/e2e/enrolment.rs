//! An agent's life with real processes: a token, an identity, reports, the next certificate, the end.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::harness::server::Server;
use crate::harness::{Guarded, binary, clean_environment, wait_for};

/// The agent with these words and its state in `state`.
fn agent(state: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(binary("cmdb-agent"));
    clean_environment(&mut command);
    command.args(words).arg("--state-dir").arg(state).stdin(Stdio::null());
    command
}

fn ran(state: &Path, words: &[&str]) -> Output {
    agent(state, words).output().expect("the agent is executable")
}

fn ok(state: &Path, words: &[&str]) -> String {
    let output = ran(state, words);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn refused(state: &Path, words: &[&str], says: &str) {
    let output = ran(state, words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(says), "{words:?} does not say {says:?}: {said}");
}

/// How the one agent that the server lists is doing.
fn state_of(server: &Server) -> String {
    let agents = server.shell().json(&["agents"]);
    let states: Vec<&str> = agents["agents"]
        .as_array()
        .expect("agents")
        .iter()
        .filter_map(|agent| agent["state"].as_str())
        .collect();
    states.join(" ")
}

#[test]
fn token_enroll_report_renew_leave_enroll_again_revoke() {
    let server = Server::start_secure();
    let shell = server.shell();
    let directory = TempDir::new().expect("a temporary directory");
    let state = directory.path().join("state");
    // Nobody is let in without a certificate.
    let ca = server.ca().display().to_string();
    refused(&state, &["--once", "--server", &server.url(), "--ca", &ca], "need one");

    // The line that the shell prints is all that a host needs.
    let line = shell.ok(["tokens", "create", "--uses", "2", "--scope", "127.0.0.0/8"]);
    let words: Vec<&str> = line.split_whitespace().skip(1).collect();
    ok(&state, &words);
    assert_eq!(state_of(&server), "expected");
    refused(
        &directory.path().join("pinned"),
        &with_other_fingerprint(&words),
        "does not have the fingerprint",
    );
    let identity = state.join("identity");
    let first = std::fs::read(&identity).expect("the agent keeps its identity");
    assert_private(&identity);

    // From now on it needs no address and shows its certificate.
    ok(&state, &["--once"]);
    assert_eq!(state_of(&server), "stopped", "it said that it stops");
    ok(&state, &["renew"]);
    let second = std::fs::read(&identity).expect("the agent keeps its identity");
    assert_ne!(first, second);
    ok(&state, &["--once"]);
    // The one before is still valid: both overlap.
    std::fs::write(&identity, &first).expect("writable");
    ok(&state, &["--once"]);

    // A service that is stopped says so; one that is killed does not.
    let mut running = Guarded(agent(&state, &[]).spawn().expect("the agent is executable"));
    wait_for("the agent to be connected", || (state_of(&server) == "connected").then_some(()));
    running.terminate();
    let status = wait_for("the agent to end", || running.0.try_wait().expect("our own child"));
    assert!(status.success(), "{status}");
    wait_for("the stop to be known", || (state_of(&server) == "stopped").then_some(()));
    let running = Guarded(agent(&state, &[]).spawn().expect("the agent is executable"));
    wait_for("the agent to be connected", || (state_of(&server) == "connected").then_some(()));
    drop(running);
    wait_for("the silence to be noticed", || (state_of(&server) == "silent").then_some(()));

    ok(&state, &["leave"]);
    assert!(!identity.exists());
    assert_eq!(state_of(&server), "unmanaged");
    refused(&state, &["--once", "--server", &server.url(), "--ca", &ca], "need one");

    // The same host comes back as the same agent, and what people revoke stays out.
    ok(&state, &words);
    ok(&state, &["--once"]);
    let agents = shell.json(&["agents"]);
    let id = agents["agents"][0]["agent_id"].as_str().expect("an id").to_owned();
    shell.ok(["agents", "revoke", &id, "--reason", "sold"]);
    refused(&state, &["--once"], "revoked: sold");
    assert_eq!(state_of(&server), "revoked");
    refused(&directory.path().join("third"), &words, "all 2 agents");
    shell.verify_is_clean();
}

#[test]
fn identities_are_in_the_backup_and_their_authority_is_not() {
    let server = Server::start_secure();
    let shell = server.shell();
    let directory = TempDir::new().expect("a temporary directory");
    let state = directory.path().join("state");
    let line = shell.ok(["tokens", "create"]);
    ok(&state, &line.split_whitespace().skip(1).collect::<Vec<_>>());
    let backup = directory.path().join("backup.cmdb");
    shell.ok(["backup", backup.to_str().expect("UTF-8")]);
    let elsewhere = directory.path().join("restored");
    std::fs::create_dir_all(&elsewhere).expect("a directory");
    let restored = crate::harness::server::restore(&elsewhere, &backup);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for name in ["authority.pem", "authority.key"] {
        assert!(!elsewhere.join("data").join(name).exists(), "{name} is in the backup");
        std::fs::copy(server.ca().with_file_name(name), elsewhere.join("data").join(name)).expect("copied");
    }
    let restored = Server::start_secure_in(&elsewhere);
    assert_eq!(state_of(&restored), "expected");
    ok(&state, &["--once", "--server", &restored.url()]);
    assert_eq!(state_of(&restored), "stopped");
}

/// The words with another fingerprint in the place of the right one.
fn with_other_fingerprint<'a>(words: &[&'a str]) -> Vec<&'a str> {
    const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    words.iter().map(|word| if word.starts_with("sha256:") { OTHER } else { word }).collect()
}

fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
}
