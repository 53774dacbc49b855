//! Starts the binaries, waits for conditions, and ends what it started.
//!
//! The binaries are those of the profile that the tests were built with; `CMDB_TEST_BIN_DIR` names another
//! directory.

pub mod agent;
pub mod load;
pub mod server;
pub mod shell;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a condition may take before the test gives up. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// The path of one of our binaries, such as `cmdb-server`.
pub fn binary(name: &str) -> PathBuf {
    let directory = std::env::var_os("CMDB_TEST_BIN_DIR").map_or_else(profile_directory, PathBuf::from);
    let path = directory.join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo xtask test`, or `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// `target/debug` for a test that runs as `target/debug/deps/e2e-…`.
fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a test knows its own path");
    let deps = executable.parent().expect("a test stands in a directory");
    deps.parent().expect("deps stands in the profile's directory").to_owned()
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the repository").join(path)
}

/// What a developer has set for the own server, agent and shell must not reach the test.
pub fn clean_environment(command: &mut Command) {
    let ours =
        |name: &str| name.starts_with("CMDB_") || ["NO_COLOR", "CLICOLOR_FORCE", "RUST_LOG"].contains(&name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
}

/// Looks until `condition` gives something; panics with `what` when it does not in time.
pub fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited {} s in vain for {what}", PATIENCE.as_secs());
        std::thread::sleep(POLL);
    }
}

/// A child that is killed when its guard goes.
pub struct Guarded(pub Child);

impl Guarded {
    /// Asks the child to end, as a service manager does.
    pub fn terminate(&self) {
        let process = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .expect("the child is ours to end");
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Fails only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line that is seen also when the test passes: the runner holds back only what the print macros write.
pub fn tell(line: &str) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A tool that `cargo xtask test` sets up, or `None` after saying loudly that the test is skipped.
pub fn tool(variable: &str, what: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Some(PathBuf::from(path));
    }
    let reason = std::env::var(format!("{variable}_SKIP"))
        .unwrap_or_else(|_| format!("{variable} is not set; `cargo xtask test` sets it up"));
    tell(&format!("SKIPPED: {what}: {reason}"));
    None
}
