//! `cmdb completions`: the completions of a shell. Asks no server.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Cli;
use crate::error::CommandError;
use crate::output::Format;
use crate::session::Session;

pub const FORMATS: &[Format] = &[];

#[derive(Args, Debug)]
#[command(after_help = "For bash: cmdb completions bash > ~/.local/share/bash-completion/completions/cmdb")]
pub struct Arguments {
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[allow(clippy::unused_async, reason = "every command runs the same way")]
pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "cmdb", &mut script);
    Ok(session.out.write_all(&script)?)
}
