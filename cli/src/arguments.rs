//! The command line as a whole: the options that every command takes, and the commands.
//!
//! Each command's own arguments stand with the command.

use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, ValueEnum};

use crate::commands::{Command, why_no_moment};
use crate::output::Format;

/// Asks a CMDB server what there is, what depends on what, and what breaks.
#[derive(Parser, Debug)]
#[command(name = "cmdb", version, max_term_width = 110)]
#[command(after_help = "ITEM is an id (@42), a key, source:key, or a unique name.\n\
    Exit codes: 0 done, 1 error, 2 wrong usage, 3 not found.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Address of the server
    #[arg(
        long,
        global = true,
        env = "CMDB_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7400"
    )]
    pub server: String,
    /// Certificates (PEM) that an https server is checked against, instead of those of the system
    #[arg(long, global = true, env = "CMDB_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// In whose name to ask and to correct [default: who is logged in]
    #[arg(long, global = true, env = "CMDB_ACTOR", value_name = "NAME")]
    pub actor: Option<String>,
    /// How to print the answer; each command knows some of these
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub output: Option<Format>,
    /// When to use colours; auto: on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// No progress, no notes, no report of success: only what was asked for, and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// A refused command line with the reason why its command takes no moment, where one was given to such a command.
pub fn explained(mut error: clap::Error) -> clap::Error {
    let unknown = |kind: &ContextValue| matches!(kind, ContextValue::String(text) if text == "--as-of");
    if error.kind() == ErrorKind::UnknownArgument && error.get(ContextKind::InvalidArg).is_some_and(unknown) {
        let command = Cli::command();
        let is_command = |word: &&str| command.find_subcommand(word).is_some();
        let words: Vec<String> = std::env::args().skip(1).collect();
        let named = words.iter().map(String::as_str).find(is_command);
        if let Some(why) = named.and_then(why_no_moment) {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![why.into()]));
        }
    }
    error
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// The choice in the words of the stream that colours.
    pub fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}
