//! Runs `cmdb` to its end.

use std::process::{Command, Output, Stdio};

/// What a command wrote, and how it ended.
pub struct Ran {
    shown: String,
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A command that talks to `server`, in an environment that says nothing.
pub fn command(server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cmdb"));
    for variable in ["CMDB_SERVER", "CMDB_CA", "CMDB_ACTOR", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.env("USER", "anna").args(arguments).env("CMDB_SERVER", server).stdin(Stdio::null());
    command
}

pub fn run(server: &str, arguments: &[&str]) -> Ran {
    ended(arguments, command(server, arguments).output().expect("cmdb is executable"))
}

pub fn ended(arguments: &[&str], output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the shell writes UTF-8");
    Ran {
        shown: arguments.join(" "),
        code: output.status.code().expect("the shell was not killed"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

impl Ran {
    pub fn must_end_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "`cmdb {}`\n--- out:\n{}\n--- err:\n{}", self.shown, self.out, self.err);
        self
    }

    /// Each of `parts` must stand on standard error.
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "`cmdb {}` does not say {part:?}:\n{}", self.shown, self.err);
        }
        self
    }

    pub fn says_nothing(self) -> Self {
        assert_eq!(self.err, "", "`cmdb {}`", self.shown);
        self
    }
}
