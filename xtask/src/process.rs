//! Child processes: run to their end, read, or guarded while they serve.
//!
//! Invariant: a [`Guarded`] child never outlives its guard. It is asked to end (SIGTERM) and, when it
//! does not, ended; always by its id, never by a name.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a child may take to end after it was asked to.
const END_MAX: Duration = Duration::from_secs(10);
/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(20);
/// Bytes of a log that an error message quotes.
const LOG_TAIL_BYTES: usize = 4_000;

/// The cargo that runs us, told nothing of us: a dependency whose build script looks at the variables that cargo sets for
/// a program it runs would be built anew, and all that needs it, whenever it is built through us and then without us.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_our_package(name)) {
        command.env_remove(name);
    }
    command
}

fn is_of_our_package(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|start| name.starts_with(start))
}

/// Where cargo puts what it builds.
pub fn target_directory(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path))
}

/// Runs the command to its end with our terminal; anything but success is an error.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed: {status}", shown(command));
    }
    Ok(())
}

/// Runs the command to its end with our terminal and returns how it ended.
pub fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("starting `{}`", shown(command)))
}

/// Runs the command and returns what it wrote to standard output.
pub fn read(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("starting `{}`", shown(command)))?;
    if !output.status.success() {
        bail!(
            "`{}` failed: {}\n{}",
            shown(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("the output of `{}` is not UTF-8", shown(command)))
}

/// Whether the command can be started and succeeds; what it prints is dropped.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The exit code of a child, as ours. A child ended by a signal counts as failed.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The command as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains([' ', '\'', '"']) || word.is_empty() { format!("{word:?}") } else { word.into_owned() }
}

/// The error and, of what the tool wrote, the last line, which is the one that tells why.
pub fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first} {last}"))
}

/// A line for the person who runs us.
#[allow(clippy::print_stdout, reason = "this is a command line program")]
pub fn say(line: impl AsRef<str>) {
    println!("{}", line.as_ref());
}

/// The error and its causes, on standard error.
#[allow(clippy::print_stderr, reason = "this is a command line program")]
pub fn complain(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}

/// A child that serves until its guard is dropped; its output goes to a log file.
pub struct Guarded {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Guarded {
    /// Starts the command with its output in `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let errors = output.try_clone().with_context(|| format!("opening {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C reaches us only; we end the child when we are ready for it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting `{}`", shown(command)))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of its log when the child has ended.
    pub fn still_runs(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| format!("waiting for {}", self.name))? {
            None => Ok(()),
            Some(status) => bail!("{} ended early: {status}\n{}", self.name, self.log_tail()),
        }
    }

    /// The last lines that the child wrote.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL_BYTES)..]).into_owned();
        format!("--- end of {}:\n{}", self.log.display(), tail.trim_end())
    }

    /// Asks the child to end, waits, and says how it ended.
    pub fn end(mut self) -> Result<()> {
        let status = self.ask_to_end()?;
        if !status.success() {
            bail!("{} did not end cleanly: {status}\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    fn ask_to_end(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM)
            .with_context(|| format!("ending {}", self.name))?;
        let asked = Instant::now();
        while asked.elapsed() < END_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(POLL);
        }
        self.child.kill()?;
        self.child.wait()?;
        bail!("{} did not end within {} s after SIGTERM and was killed", self.name, END_MAX.as_secs())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.ask_to_end().is_err() {
            // Nothing better can be done than not to leave it behind.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks at `condition` until it holds; `false` when it does not within `longest`.
pub fn wait_until(longest: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<bool> {
    let began = Instant::now();
    loop {
        if condition()? {
            return Ok(true);
        }
        if began.elapsed() > longest {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_not_told_which_package_runs_it() {
        // Cargo runs this test, so they are set here.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let command = cargo(Path::new("."));
        let removed = |name: &str| command.get_envs().any(|(known, value)| known == name && value.is_none());
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
        assert!(!is_of_our_package(OsStr::new("CARGO_TARGET_DIR")));
    }

    #[test]
    fn the_reason_of_a_failure_is_one_line() {
        let error = anyhow::anyhow!(
            "`apt-get install x` failed: exit status: 100\nReading lists\nE: no such package"
        );
        assert_eq!(in_one_line(&error), "`apt-get install x` failed: exit status: 100 E: no such package");
        assert_eq!(in_one_line(&anyhow::anyhow!("only this")), "only this");
    }
}
