//! `cmdb`: the shell of the CMDB. Asks a running server and prints what it says.
//!
//! ```text
//! arguments → commands/<verb> ──connection──▶ server
//!                  │                             │
//!                  └── output/{table,json,tree,dot} ◀┘      message: what goes to standard error
//! ```
//!
//! Knows the wire contract and nothing of the model, the store or identification.
//! Invariant: standard output carries the answer only; everything else goes to standard error, and every
//! error leaves through `error.rs`, which alone knows exit codes.

mod arguments;
#[cfg(test)]
mod canned;
mod commands;
mod connection;
mod error;
mod file;
mod message;
mod output;
mod session;
mod time;
mod value;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Cli;
use crate::message::Messages;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help, version and usage errors: clap prints them, with the same exit code 2 as ours.
        Err(error) => arguments::explained(error).exit(),
    };
    let mut messages = Messages::new(cli.global.color, cli.global.quiet);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            messages.error(&error);
            error.exit_code()
        }
    }
}

fn run(cli: Cli) -> Result<(), error::CommandError> {
    let mut session = session::Session::new(&cli.global, cli.command.formats())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error::CommandError::failure(format!("could not start: {error}")))?;
    let outcome = runtime.block_on(cli.command.run(&mut session)).and_then(|()| session.flush());
    // A blocked read of standard input must not hold up the end.
    runtime.shutdown_background();
    outcome
}
