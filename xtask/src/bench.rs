//! `cargo xtask bench`: runs the benchmarks in release mode. A benchmark is not a test: nothing fails on a time.
//!
//! Those of the engine are a program of their own; that of the agent, which is about processes, stands here.

mod agent;
mod crowd;
mod others;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub struct Options {
    /// `agent`: what the agent costs its host, beside others; anything else is passed on to the benchmark program,
    /// such as `--items 20000`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the benches crate optimised and runs it.
pub fn bench(root: &Path, options: &Options) -> Result<ExitCode> {
    if let [only] = options.arguments.as_slice()
        && only == "agent"
    {
        return agent::bench(root);
    }
    let mut command = process::cargo(root);
    command.args(["run", "--release", "--package", "cmdb-benches", "--"]).args(&options.arguments);
    Ok(process::exit_code(process::status(&mut command)?))
}
