//! The agent, run once or as a daemon.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{binary, clean_environment};

/// `cmdb-agent --once` against `server`, with its state in `state`.
pub fn once(server: &str, state: &Path) -> Output {
    let output = command(server, state).arg("--once").output().expect("the agent is executable");
    assert!(
        output.status.success(),
        "the agent ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn command(server: &str, state: &Path) -> Command {
    let mut command = Command::new(binary("cmdb-agent"));
    clean_environment(&mut command);
    command.args(["--server", server]).arg("--state-dir").arg(state).stdin(Stdio::null());
    command
}
