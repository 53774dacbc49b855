//! `cargo xtask check`: what every change passes before it is shared.
//!
//! All parts run, so that one look shows everything; the first failure decides the exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::{process, tidy};

/// Installed below `target/` when the machine has none.
const DENY_VERSION: &str = "~0.20";
/// What `cargo deny` can look at without the network.
const DENY_OFFLINE: [&str; 3] = ["bans", "licenses", "sources"];

#[derive(clap::Args)]
pub struct Options {
    /// Leave cargo-deny out (it may have to be installed)
    #[arg(long)]
    no_deny: bool,
}

/// Runs every part and sums up.
pub fn check(root: &Path, options: &Options) -> Result<ExitCode> {
    let mut failed = Vec::new();
    let mut part = |name: &'static str, result: Result<()>| {
        if let Err(error) = result {
            process::complain(&error);
            failed.push(name);
        }
    };
    part("format", process::run(process::cargo(root).args(["fmt", "--all", "--check"])));
    part("tidy", tidy::run(root));
    let mut clippy = process::cargo(root);
    clippy.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    part("clippy", process::run(&mut clippy));
    if options.no_deny {
        process::say("deny: left out on request");
    } else {
        part("deny", deny(root));
    }
    if failed.is_empty() {
        process::say("check: all parts passed");
        Ok(ExitCode::SUCCESS)
    } else {
        bail!("check failed: {}", failed.join(", "))
    }
}

fn deny(root: &Path) -> Result<()> {
    let program = deny_program(root)?;
    let command = || {
        let mut command = Command::new(&program);
        command.current_dir(root).args(["--log-level", "error"]);
        command
    };
    process::run(command().arg("check").args(DENY_OFFLINE))?;
    // The advisory database is fetched from the network; a machine without it still checks the rest.
    if let Err(error) = process::read(command().args(["fetch", "db"])) {
        let reason = process::in_one_line(&error);
        process::say(format!("deny: advisories SKIPPED, the database cannot be fetched: {reason}"));
        return Ok(());
    }
    process::run(command().args(["check", "--disable-fetch", "advisories"]))
}

fn deny_program(root: &Path) -> Result<PathBuf> {
    let own = root.join("target/tools/bin/cargo-deny");
    for program in [PathBuf::from("cargo-deny"), own.clone()] {
        if process::succeeds(Command::new(&program).arg("--version")) {
            return Ok(program);
        }
    }
    process::say("deny: cargo-deny is not installed; installing it into target/tools (a few minutes, once)");
    let mut install = process::cargo(root);
    install.args(["install", "--locked", "--quiet", "cargo-deny", "--version", DENY_VERSION]);
    install.arg("--root").arg(root.join("target/tools"));
    process::run(&mut install)?;
    Ok(own)
}
