//! The shell `cmdb`, run to its end.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{binary, clean_environment};

/// Runs `cmdb` against one server.
#[derive(Clone)]
pub struct Shell {
    server: String,
    ca: Option<PathBuf>,
}

/// What a command wrote and how it ended.
pub struct Ran {
    shown: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Shell {
    pub fn new(server: &str) -> Self {
        Self { server: server.to_owned(), ca: None }
    }

    /// The same, which checks the server against this authority.
    pub fn with_ca(self, ca: &Path) -> Self {
        Self { ca: Some(ca.to_owned()), ..self }
    }

    /// A command that is not started yet.
    pub fn command<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Command {
        let mut command = Command::new(binary("cmdb"));
        clean_environment(&mut command);
        command.args(["--server", &self.server]);
        if let Some(ca) = &self.ca {
            command.arg("--ca").arg(ca);
        }
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs the command to its end, whatever that is.
    pub fn run<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> Ran {
        let mut command = self.command(arguments);
        let shown = shown(&command);
        Ran::new(shown, command.output().expect("the shell is executable"))
    }

    /// Runs a command that must succeed; returns its standard output.
    pub fn ok<Argument: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = Argument>) -> String {
        self.run(arguments).must_end_with(0).out
    }

    /// Runs a command that must succeed with `--output json`; returns the object.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(arguments.iter().copied().chain(["--output", "json"]));
        serde_json::from_str(&out)
            .unwrap_or_else(|error| panic!("cmdb {arguments:?} printed no JSON: {error}\n{out}"))
    }

    /// Runs a command that must succeed with `--output jsonl`; returns the objects.
    pub fn json_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.ok(arguments.iter().copied().chain(["--output", "jsonl"]));
        out.lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {line}"))
            })
            .collect()
    }

    /// Imports a file that must be taken whole.
    pub fn import(&self, source: &str, file: &Path) {
        self.ok([OsStr::new("import"), OsStr::new("--source"), OsStr::new(source), file.as_os_str()]);
    }

    /// What `cmdb export` writes.
    pub fn export(&self) -> String {
        self.ok(["export"])
    }

    /// `cmdb verify` must find the store clean.
    pub fn verify_is_clean(&self) {
        self.run(["verify"]).must_end_with(0);
    }

    /// The present revision.
    pub fn revision(&self) -> u64 {
        self.json(&["status"])["revision"].as_u64().expect("the status names the revision")
    }
}

impl Ran {
    fn new(shown: String, output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the shell writes UTF-8");
        let code = output.status.code().unwrap_or(-1);
        Self { shown, code, out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn must_end_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "`{}`\n--- out:\n{}\n--- err:\n{}", self.shown, self.out, self.err);
        self
    }

    /// Each of `parts` must stand on standard error.
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err.contains(part), "`{}` does not say {part:?}:\n{}", self.shown, self.err);
        }
    }
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    format!("cmdb {}", words.join(" "))
}
