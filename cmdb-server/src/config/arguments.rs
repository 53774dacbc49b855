//! The command line, as given; what it means together with the environment and the file is decided by
//! [`super::Config`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::setting::{Kind, SETTINGS, Setting};

/// What the program is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Run the server.
    Serve,
    /// Show the configuration in force and leave.
    PrintConfig,
    /// Build a store from a backup.
    Restore {
        /// The backup; `-` is standard input.
        file: PathBuf,
    },
    /// Give back the space that the store does not use.
    Compact,
}

/// The command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arguments {
    /// What to do.
    pub verb: Verb,
    /// Settings given as flags, by name.
    pub flags: BTreeMap<&'static str, String>,
}

impl Arguments {
    /// Reads the command line; the first word is the program.
    ///
    /// # Errors
    /// When it is not understood, or help or the version is asked for: clap's error prints itself.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
        let matches = command().try_get_matches_from(words)?;
        let mut flags = flags_of(&matches);
        let verb = match matches.subcommand() {
            Some(("restore", matches)) => {
                flags.extend(flags_of(matches));
                let file = matches.get_one::<PathBuf>("file").expect("clap requires the file");
                Verb::Restore { file: file.clone() }
            }
            Some(("compact", matches)) => {
                flags.extend(flags_of(matches));
                Verb::Compact
            }
            _ if matches.get_flag("print-config") => Verb::PrintConfig,
            _ => Verb::Serve,
        };
        Ok(Arguments { verb, flags })
    }
}

/// The flags given; settings of the server are no arguments of the offline commands.
fn flags_of(matches: &ArgMatches) -> BTreeMap<&'static str, String> {
    let names = SETTINGS.iter().map(|setting| setting.name).chain([CONFIG]);
    names
        .filter_map(|name| match matches.try_get_one::<String>(name) {
            Ok(Some(value)) => Some((name, value.clone())),
            _ => None,
        })
        .collect()
}

/// The one setting that cannot stand in the file.
pub const CONFIG: &str = "config";

/// The whole command line.
pub fn command() -> Command {
    let about = "The CMDB server: one graph of everything a service depends on. Settings are taken from flags, \
                 then the environment, then the configuration file, then the defaults.";
    let server = Command::new("cmdb-server").version(env!("CARGO_PKG_VERSION")).about(about);
    let print_config = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Show the configuration in force, and where each value comes from");
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .value_parser(clap::value_parser!(PathBuf))
        .help("A backup made with `cmdb backup`; - is standard input");
    let restore = Command::new("restore")
        .about("Build a new store from a backup, and verify it; the data directory must hold none")
        .arg(file);
    let compact = Command::new("compact")
        .about("Give back the space that the store does not use; the server is stopped");
    server
        .args(SETTINGS.iter().map(argument))
        .arg(config_argument())
        .arg(print_config)
        .subcommand(restore.args(offline_arguments()))
        .subcommand(compact.args(offline_arguments()))
        .args_conflicts_with_subcommands(false)
}

fn offline_arguments() -> impl Iterator<Item = Arg> {
    SETTINGS.iter().filter(|setting| setting.offline).map(argument).chain([config_argument()])
}

fn config_argument() -> Arg {
    Arg::new(CONFIG)
        .long(CONFIG)
        .value_name("FILE")
        .help("Configuration file (TOML) with any of these settings [env: CMDB_CONFIG]")
}

fn argument(setting: &'static Setting) -> Arg {
    let default = match setting.default {
        "" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let argument = Arg::new(setting.name).long(setting.flag).value_name(setting.value_name).help(format!(
        "{}{default} [env: {}]",
        setting.help,
        setting.variable()
    ));
    match setting.kind {
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("on"),
        Kind::Text | Kind::Number => argument,
    }
}
