//! The developer's commands: one file each. `cargo xtask --help` lists them.
//!
//! Everything here drives other programs (cargo, the built binaries, Python for one test) and knows
//! nothing of the model. Invariant: a child process that is started here is ended here, by its id.

mod bench;
mod check;
mod demo;
mod dist;
mod install;
mod process;
mod regenerate;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The developer's commands", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start a real server and a real agent on this machine and ask the first questions
    Demo(demo::Options),
    /// Set up what the tests need and run all of them
    Test(test::Options),
    /// Formatting, lints, dependencies and the import rules of the design
    Check(check::Options),
    /// Measure in release mode: the graph and its answers, others beside it, the store, the agent
    Bench(bench::Options),
    /// Generate the Rust code of the wire contract from proto/
    Regenerate,
    /// Build what is shipped: release binaries in a tarball
    Dist(dist::Options),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            process::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let root = workspace_root();
    match command {
        Command::Demo(options) => demo::demo(&root, &options),
        Command::Test(options) => test::test(&root, &options),
        Command::Check(options) => check::check(&root, &options),
        Command::Bench(options) => bench::bench(&root, &options),
        Command::Regenerate => regenerate::regenerate(&root).map(|()| ExitCode::SUCCESS),
        Command::Dist(options) => dist::dist(&root, &options),
    }
}

fn workspace_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask stands in the workspace").to_owned()
}
