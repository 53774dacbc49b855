//! The agent, run once.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{binary, clean_environment};

/// `cmdb-agent --once` against `server`, with its state in `state`; it must succeed.
pub fn once(server: &str, state: &Path, options: &[&OsStr]) {
    let mut command = Command::new(binary("cmdb-agent"));
    clean_environment(&mut command);
    command.args(["--server", server]).arg("--state-dir").arg(state).arg("--once").args(options);
    let output = command.stdin(Stdio::null()).output().expect("the agent is executable");
    assert!(
        output.status.success(),
        "the agent ended with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
