//! `cargo xtask bench`: runs the benchmarks in release mode. A benchmark is not a test: nothing fails on a time.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub struct Options {
    /// Passed on to the benchmark program, such as `--items 20000`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds the benches crate optimised and runs it.
pub fn bench(root: &Path, options: &Options) -> Result<ExitCode> {
    let mut command = process::cargo(root);
    command.args(["run", "--release", "--package", "cmdb-benches", "--"]).args(&options.arguments);
    Ok(process::exit_code(process::status(&mut command)?))
}
