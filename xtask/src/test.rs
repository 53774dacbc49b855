//! `cargo xtask test`: sets up what the tests need and runs all of them.
//!
//! Invariant: a missing optional tool never fails the run. It is told in one line here, and the test that
//! needed it says so again where it skips.

mod tools;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
pub struct Options {
    /// Do not install anything: use the optional tools that are there
    #[arg(long)]
    no_setup: bool,
    /// Install the optional tools and run nothing, as when an image for tests is built
    #[arg(long, conflicts_with = "no_setup")]
    setup_only: bool,
    /// Passed on to `cargo test --workspace`
    #[arg(last = true)]
    cargo_arguments: Vec<String>,
}

/// Builds, sets up, tests; the exit code is the test runner's.
pub fn test(root: &Path, options: &Options) -> Result<ExitCode> {
    if options.setup_only {
        tools::find(root, tools::Setup::Install).lines().for_each(process::say);
        return Ok(ExitCode::SUCCESS);
    }
    // The end to end tests start these binaries. Built together with the tests, so that nothing is
    // compiled twice under different features.
    process::run(process::cargo(root).args(["build", "--workspace", "--bins", "--tests"]))?;
    let setup = if options.no_setup { tools::Setup::UsePresent } else { tools::Setup::Install };
    let found = tools::find(root, setup);
    found.lines().for_each(process::say);
    let mut runner = process::cargo(root);
    runner.args(["test", "--workspace", "--no-fail-fast"]).args(&options.cargo_arguments);
    runner.envs(found.environment());
    Ok(process::exit_code(process::status(&mut runner)?))
}
