//! The agent's settings: flags, then environment, then the file, then defaults.
//!
//! Knows nothing of what they are used for. Invariant: each setting says where its value came from, and a file
//! that is not understood is refused with the line.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::client::Fingerprint;
use crate::host::site::Site;

/// Read when no other file is named, if it is there.
const DEFAULT_FILE: &str = "/etc/cmdb/agent.toml";
/// The most bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How long a server is looked for.
const DISCOVER_TIMEOUT_S: u32 = 5;
/// The longest that a server may be looked for.
const DISCOVER_TIMEOUT_S_MAX: u32 = 300;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("the configuration file {path} could not be read: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is too large to be one.
    #[error("the configuration file {path} is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// The file is not as expected.
    #[error("the configuration file {path} is not as expected: {error}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("{setting} (from {origin}): expected {expected}, given {given:?}")]
    Value {
        /// Which setting.
        setting: &'static str,
        /// Where it was set.
        origin: Origin,
        /// What would be right.
        expected: &'static str,
        /// What stands there.
        given: String,
    },
}

/// The discovery agent of the CMDB: reads what this machine is and what it depends on, and reports it.
///
/// It reads files and sockets itself, starts no other program, and reports no values of arguments. Settings come
/// from flags, then the environment, then the configuration file, then defaults; --print-config shows them.
#[derive(Debug, Parser)]
#[command(name = "cmdb-agent", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Scan and report once, wait until the server has it, and leave
    #[arg(long)]
    once: bool,
    /// With --once: show the report instead of sending it; needs no server
    #[arg(long, requires = "once")]
    print: bool,
    /// How the report is shown: text for people, json for programs; means --print
    #[arg(long, value_enum, value_name = "FORM", requires = "once")]
    output: Option<Output>,
    /// Address of the server: https://HOST:PORT, http://HOST:PORT, or HOST:PORT for plain http
    #[arg(long, value_name = "URL", env = "CMDB_SERVER", global = true)]
    server: Option<String>,
    /// Certificates (PEM) of the authority that signed the server's; without: those of the system
    #[arg(long, value_name = "FILE", env = "CMDB_AGENT_CA", global = true)]
    ca: Option<PathBuf>,
    /// Seconds to look for a server by mDNS when no address is set; 0: do not look
    #[arg(long, value_name = "SECONDS", env = "CMDB_AGENT_DISCOVER_TIMEOUT", global = true)]
    discover_timeout: Option<u32>,
    /// Where the agent keeps its id and what the server has acknowledged
    #[arg(long, value_name = "DIR", env = "CMDB_AGENT_STATE_DIR", global = true)]
    state_dir: Option<PathBuf>,
    /// Read the machine whose files lie below DIR instead of this one
    #[arg(long, value_name = "DIR", env = "CMDB_AGENT_ROOT", global = true)]
    root: Option<PathBuf>,
    /// The network that this machine's private addresses are of, where several use the same ones; with the
    /// networks that are its own: NAME:CIDR,…
    #[arg(long, value_name = "NAME[:CIDR,…]", env = "CMDB_AGENT_SITE")]
    site: Option<String>,
    /// Report the arguments of this product's processes, not only their digest; may be repeated
    #[arg(long, value_name = "PRODUCT", env = "CMDB_AGENT_ALLOW_ARGUMENTS", value_delimiter = ',')]
    allow_arguments: Vec<String>,
    /// A table of products to recognise, asked before the built-in one; may be repeated
    #[arg(long, value_name = "FILE", env = "CMDB_AGENT_SOFTWARE_FILES", value_delimiter = ',')]
    software_file: Vec<PathBuf>,
    /// How much is logged on standard error
    #[arg(long, value_enum, value_name = "LEVEL", env = "CMDB_AGENT_LOG", global = true)]
    log: Option<Level>,
    /// The configuration file [default: /etc/cmdb/agent.toml, if there]
    #[arg(long, value_name = "FILE", env = "CMDB_AGENT_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Show the settings and where each came from, as a configuration file, and leave
    #[arg(long)]
    print_config: bool,
}

/// What is done about the agent's identity, once.
#[derive(Debug, Subcommand)]
enum Command {
    /// Get a certificate for a token of `cmdb tokens create`; from then on the agent shows it
    Enroll {
        /// The token
        #[arg(long, value_name = "TOKEN", env = "CMDB_AGENT_TOKEN", hide_env_values = true)]
        token: String,
        /// Fingerprint of the server's authority, sha256:…; without: --ca, or the authorities of the system
        #[arg(long, value_name = "FINGERPRINT", env = "CMDB_AGENT_CA_FINGERPRINT")]
        ca_fingerprint: Option<Fingerprint>,
        /// Enroll again, though there is a certificate
        #[arg(long)]
        again: bool,
    },
    /// Get the next certificate now; a running agent does so by itself, in time
    Renew,
    /// Give the identity up, for good: the host is no longer managed
    Leave,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    server: Option<String>,
    ca: Option<PathBuf>,
    discover_timeout: Option<u32>,
    state_dir: Option<PathBuf>,
    root: Option<PathBuf>,
    site: Option<String>,
    allow_arguments: Option<Vec<String>>,
    software_files: Option<Vec<PathBuf>>,
    log: Option<Level>,
}

/// How a report is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What failed.
    Error,
    /// And what deserves attention.
    Warn,
    /// And what happens.
    Info,
    /// And how.
    Debug,
    /// And everything else.
    Trace,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

impl From<Level> for tracing::level_filters::LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A flag.
    Flag,
    /// The environment.
    Environment,
    /// The configuration file.
    File,
    /// Nobody set it.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Origin::Flag => "the command line",
            Origin::Environment => "the environment",
            Origin::File => "the configuration file",
            Origin::Default => "default",
        })
    }
}

/// A value and where it came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What the agent is asked to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    /// Report and go on reporting.
    Run,
    /// Report once.
    Once,
    /// Show one report.
    Print(Output),
    /// Show the settings.
    PrintConfig,
    /// Get the first certificate.
    Enroll {
        /// What lets the agent in.
        token: String,
        /// What the server's authority is recognised by.
        ca_fingerprint: Option<Fingerprint>,
        /// Though there is a certificate.
        again: bool,
    },
    /// Get the next certificate.
    Renew,
    /// Give the identity up.
    Leave,
}

/// The settings of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// What to do.
    pub job: Job,
    /// Address of the server.
    pub server: Setting<Option<String>>,
    /// Certificates of the server's authority.
    pub ca: Setting<Option<PathBuf>>,
    /// Seconds to look for a server.
    pub discover_timeout_s: Setting<u32>,
    /// The state directory.
    pub state_dir: Setting<PathBuf>,
    /// What is read.
    pub root: Setting<PathBuf>,
    /// The network that private addresses are of; empty: there is one only.
    pub site: Setting<String>,
    /// Products whose arguments are reported.
    pub allow_arguments: Setting<BTreeSet<String>>,
    /// Tables of products.
    pub software_files: Setting<Vec<PathBuf>>,
    /// How much is logged.
    pub log: Setting<Level>,
    /// The configuration file that was read.
    pub file: Option<PathBuf>,
}

/// The settings from a command line, whose first word is the program; errors of use, help and version go to
/// clap, which prints them and knows the exit code.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Result<Config, ConfigError>, clap::Error> {
    let matches = Arguments::command().try_get_matches_from(words)?;
    let arguments = Arguments::from_arg_matches(&matches)?;
    Ok(combine(arguments, &matches))
}

fn combine(arguments: Arguments, matches: &ArgMatches) -> Result<Config, ConfigError> {
    let (file, from_file) = read_file(arguments.config.as_deref())?;
    let pick = Pick { matches };
    let list = |given: Vec<String>| (!given.is_empty()).then_some(given);
    let job = match (arguments.print_config, arguments.once, arguments.output, arguments.print) {
        (true, ..) => Job::PrintConfig,

        (_, true, Some(output), _) => Job::Print(output),
        (_, true, None, true) => Job::Print(Output::Text),
        (_, true, None, false) => Job::Once,
        (_, false, ..) => match arguments.command {
            None => Job::Run,
            Some(Command::Enroll { token, ca_fingerprint, again }) => {
                Job::Enroll { token, ca_fingerprint, again }
            }
            Some(Command::Renew) => Job::Renew,
            Some(Command::Leave) => Job::Leave,
        },
    };
    let allow =
        pick.of("allow_arguments", list(arguments.allow_arguments), from_file.allow_arguments, Vec::new());
    let paths = (!arguments.software_file.is_empty()).then_some(arguments.software_file);
    let log = if job == Job::Run { Level::Info } else { Level::Warn };
    let config = Config {
        job,
        server: pick.optional("server", arguments.server.map(url), from_file.server.map(url)),
        ca: pick.optional("ca", arguments.ca, from_file.ca),
        discover_timeout_s: pick.of(
            "discover_timeout",
            arguments.discover_timeout,
            from_file.discover_timeout,
            DISCOVER_TIMEOUT_S,
        ),
        state_dir: pick.of("state_dir", arguments.state_dir, from_file.state_dir, default_state_dir()),
        root: pick.of("root", arguments.root, from_file.root, PathBuf::from("/")),
        site: pick.of("site", arguments.site, from_file.site, String::new()),
        allow_arguments: Setting { value: allow.value.into_iter().collect(), origin: allow.origin },
        software_files: pick.of("software_file", paths, from_file.software_files, Vec::new()),
        log: pick.of("log", arguments.log, from_file.log, log),
        file,
    };
    config.check()?;
    Ok(config)
}

/// An address without a scheme is plain http, as the shell reads it.
fn url(server: String) -> String {
    if server.contains("://") { server } else { format!("http://{server}") }
}

struct Pick<'a> {
    matches: &'a ArgMatches,
}

impl Pick<'_> {
    fn of<T>(&self, id: &str, given: Option<T>, from_file: Option<T>, default: T) -> Setting<T> {
        match (given, self.matches.value_source(id), from_file) {
            (Some(value), Some(ValueSource::EnvVariable), _) => {
                Setting { value, origin: Origin::Environment }
            }
            (Some(value), ..) => Setting { value, origin: Origin::Flag },
            (None, _, Some(value)) => Setting { value, origin: Origin::File },
            (None, _, None) => Setting { value: default, origin: Origin::Default },
        }
    }

    fn optional<T>(&self, id: &str, given: Option<T>, from_file: Option<T>) -> Setting<Option<T>> {
        self.of(id, given.map(Some), from_file.map(Some), None)
    }
}

fn read_file(named: Option<&Path>) -> Result<(Option<PathBuf>, FileSettings), ConfigError> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE)).to_owned();
    match std::fs::metadata(&path) {
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((None, FileSettings::default()));
        }
        Ok(metadata) if metadata.len() > FILE_BYTES_MAX => return Err(ConfigError::TooLarge { path }),
        _ => {}
    }
    let text = std::fs::read_to_string(&path)
        .map_err(|error| ConfigError::Unreadable { path: path.clone(), error })?;
    match toml::from_str(&text) {
        Ok(settings) => Ok((Some(path), settings)),
        Err(error) => Err(ConfigError::Malformed { path, error: Box::new(error) }),
    }
}

/// As root where services keep their state, else in the user's own place for it.
fn default_state_dir() -> PathBuf {
    if crate::platform::is_superuser() {
        return PathBuf::from("/var/lib/cmdb-agent");
    }
    let base = std::env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::home_dir().map(|directory| directory.join(".local/state")));
    base.unwrap_or_else(|| PathBuf::from(".")).join("cmdb-agent")
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        if let Some(server) = &self.server.value
            && !(server.starts_with("http://") || server.starts_with("https://"))
        {
            return Err(ConfigError::Value {
                setting: "server",
                origin: self.server.origin,
                expected: "http://HOST:PORT, https://HOST:PORT or HOST:PORT",
                given: server.clone(),
            });
        }
        if self.discover_timeout_s.value > DISCOVER_TIMEOUT_S_MAX {
            return Err(ConfigError::Value {
                setting: "discover_timeout",
                origin: self.discover_timeout_s.origin,
                expected: "at most 300 seconds",
                given: self.discover_timeout_s.value.to_string(),
            });
        }
        if Site::parse(&self.site.value).is_none() {
            return Err(ConfigError::Value {
                setting: "site",
                origin: self.site.origin,
                expected: "a name of a-z, 0-9, - _ and ., such as berlin, or with its networks berlin:192.168.7.0/24,10.9.0.0/16",
                given: self.site.value.clone(),
            });
        }
        Ok(())
    }

    /// The settings as a configuration file, each with where it came from.
    pub fn print(&self) -> String {
        let mut text = String::new();
        let file = self.file.as_ref().map_or("none".to_owned(), |path| path.display().to_string());
        let _ = writeln!(text, "# configuration file: {file}");
        let mut line = |name: &str, value: Option<String>, origin: Origin| {
            let _ = match value {
                Some(value) => writeln!(text, "{:<48} # {origin}", format!("{name} = {value}")),
                None => writeln!(text, "{:<48} # not set", format!("# {name} =")),
            };
        };
        let quote = |text: &str| toml_text(text);
        let path = |path: &PathBuf| toml_text(&path.to_string_lossy());
        let list = |items: Vec<String>| format!("[{}]", items.join(", "));
        line("server", self.server.value.as_deref().map(quote), self.server.origin);
        line("ca", self.ca.value.as_ref().map(path), self.ca.origin);
        line(
            "discover_timeout",
            Some(self.discover_timeout_s.value.to_string()),
            self.discover_timeout_s.origin,
        );
        line("state_dir", Some(path(&self.state_dir.value)), self.state_dir.origin);
        line("root", Some(path(&self.root.value)), self.root.origin);
        let site = Some(&self.site.value).filter(|site| !site.is_empty());
        line("site", site.map(|site| quote(site)), self.site.origin);
        let products = self.allow_arguments.value.iter().map(|product| quote(product)).collect();
        line("allow_arguments", Some(list(products)), self.allow_arguments.origin);
        let files = self.software_files.value.iter().map(path).collect();
        line("software_files", Some(list(files)), self.software_files.origin);
        line("log", Some(quote(self.log.value.as_str())), self.log.origin);
        text
    }
}

/// A text as TOML writes it.
fn toml_text(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
