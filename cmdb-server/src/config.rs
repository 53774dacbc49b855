//! The configuration: flags > environment > file > default, one table of settings for all four.
//!
//! Knows nothing of what the values are used for, and reads no environment but what it is given.
//! Invariant: a [`Config`] that exists is consistent; where each value comes from can be shown.

mod arguments;
mod file;
mod print;
mod setting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use arguments::{Arguments, Verb};
use setting::{SETTINGS, Setting};

/// Reads a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How the log is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where the certificate and its key lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// How the server speaks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// Plainly: on a loopback address only.
    Off,
    /// Over TLS, with a certificate of its own authority.
    Own,
    /// Over TLS, with a certificate that was given.
    Files(TlsFiles),
}

impl Tls {
    /// Whether it speaks TLS.
    pub fn is_on(&self) -> bool {
        *self != Tls::Off
    }
}

/// Which agents are let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepts {
    /// All, but those that have enrolled must show their certificate.
    Open,
    /// Those with a certificate of the server's authority.
    Enrolled,
}

/// Whether the server makes itself known by mDNS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Announce {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// The configuration in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where the store lies.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The user's own schema files.
    pub schema: Option<PathBuf>,
    /// How the server speaks.
    pub tls: Tls,
    /// Names and addresses under which its own certificate is shown; none: those of this machine.
    pub tls_names: Vec<String>,
    /// Which agents are let in.
    pub agents: Accepts,
    /// For how many days an agent's certificate is valid.
    pub certificate_days: u32,
    /// Whether to announce.
    pub announce: Announce,
    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
    /// Seconds between an agent's scans.
    pub scan_interval_s: u32,
    /// Seconds between an agent's heartbeats.
    pub heartbeat_interval_s: u32,
    /// Agents connected at the same time, at most.
    pub sessions_max: usize,
    /// Largest report and largest batch of claims, in bytes.
    pub report_bytes_max: usize,
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Variable(String),
    /// A line of the configuration file.
    File(PathBuf, usize),
    /// Nobody gave one.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(flag) => write!(f, "flag --{flag}"),
            Origin::Variable(variable) => write!(f, "environment {variable}"),
            Origin::File(path, line) => write!(f, "file {}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum ConfigError {
    #[error("cannot read the configuration file {}", path.display())]
    FileUnreadable { path: PathBuf, source: std::io::Error },
    #[error("{}:{line}: not TOML: {message}", path.display())]
    FileSyntax { path: PathBuf, line: usize, message: String },
    #[error("{}:{line}: unknown key \"{key}\"; {hint}", path.display())]
    KeyUnknown { path: PathBuf, line: usize, key: String, hint: String },
    #[error("{}:{line}: \"{key}\" must be {expected}; given: {given}", path.display())]
    FileType { path: PathBuf, line: usize, key: &'static str, expected: &'static str, given: &'static str },
    #[error("{name} = \"{given}\" ({origin}): {problem}; {hint}")]
    Value { name: &'static str, origin: Origin, given: String, problem: String, hint: String },
    #[error(
        "there is no place for the data: neither XDG_DATA_HOME nor HOME is set; \
         say where with --data DIR or CMDB_DATA"
    )]
    NoDataDirectory,
    #[error("{given} is set and {missing} is not; TLS needs both the certificate and its private key")]
    HalfTls { given: &'static str, missing: &'static str },
    #[error(
        "agents = \"enrolled\" needs TLS, and on a loopback address such as {address} there is none unless it is \
         asked for: give --tls on as well, or leave --agents out"
    )]
    EnrolledWithoutTls { address: SocketAddr },
}

/// Settings as text, each with its origin; `None`: not set and no default.
pub type Values = BTreeMap<&'static str, (Option<String>, Origin)>;

/// Brings flags, environment, file and defaults together.
///
/// # Errors
/// When the file is wrong. What the values mean is checked by [`Config::from_values`].
pub fn gather(
    flags: &BTreeMap<&'static str, String>,
    environment: Environment<'_>,
) -> Result<Values, ConfigError> {
    let path = flags.get(arguments::CONFIG).cloned().or_else(|| environment("CMDB_CONFIG"));
    let path = path.filter(|path| !path.is_empty()).map(PathBuf::from);
    let written = match &path {
        Some(path) => file::read(path)?,
        None => BTreeMap::new(),
    };
    let value_of = |setting: &Setting| {
        if let Some(value) = flags.get(setting.name) {
            return (Some(value.clone()), Origin::Flag(setting.flag));
        }
        // An empty variable is an unset one: that is how container tools spell "none".
        if let Some(value) = environment(&setting.variable()).filter(|value| !value.is_empty()) {
            return (Some(value), Origin::Variable(setting.variable()));
        }
        if let (Some(value), Some(path)) = (written.get(setting.name), &path) {
            return (Some(value.text.clone()), Origin::File(path.clone(), value.line));
        }
        (default_of(setting, environment), Origin::Default)
    };
    Ok(SETTINGS.iter().map(|setting| (setting.name, value_of(setting))).collect())
}

fn default_of(setting: &Setting, environment: Environment<'_>) -> Option<String> {
    match (setting.name, setting.default) {
        ("data", _) => default_data(environment),
        (_, "") => None,
        (_, default) => Some(default.to_owned()),
    }
}

/// As root where services keep their state, else where a person's programs do.
fn default_data(environment: Environment<'_>) -> Option<String> {
    if rustix::process::geteuid().is_root() {
        return Some("/var/lib/cmdb-server".to_owned());
    }
    let set = |name: &str| environment(name).filter(|value| Path::new(value).is_absolute());
    let home = set("XDG_DATA_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&set("HOME")?).join(".local/share")));
    Some(home?.join("cmdb-server").to_string_lossy().into_owned())
}

impl Config {
    /// Checks and reads the values.
    ///
    /// # Errors
    /// The first value that is wrong, with where it comes from and what would be right.
    pub fn from_values(values: &Values) -> Result<Config, ConfigError> {
        let path = |name| text(values, name).map(PathBuf::from);
        let listen = read(values, "listen", address)?;
        let tls = tls(path("tls_cert"), path("tls_key"), read(values, "tls", tls_mode)?, listen)?;
        let agents = match values["agents"].0 {
            None if tls.is_on() => Accepts::Enrolled,
            None => Accepts::Open,
            Some(_) => read(values, "agents", accepts)?,
        };
        if agents == Accepts::Enrolled && !tls.is_on() {
            return Err(ConfigError::EnrolledWithoutTls { address: listen });
        }
        let config = Config {
            data: path("data").ok_or(ConfigError::NoDataDirectory)?,
            listen,
            schema: path("schema"),
            tls,
            tls_names: read(values, "tls_names", names)?,
            agents,
            certificate_days: read(values, "certificate_days", |text| number(text, 1, 825))?,
            announce: read(values, "announce", announce)?,
            log_format: read(values, "log_format", log_format)?,
            log: read(values, "log", log_filter)?,
            scan_interval_s: read(values, "scan_interval_s", |text| number(text, 1, 86_400))?,
            heartbeat_interval_s: read(values, "heartbeat_interval_s", |text| number(text, 1, 3_600))?,
            sessions_max: read(values, "sessions_max", |text| number(text, 1, 1_000_000))?,
            report_bytes_max: read(values, "report_bytes_max", |text| number(text, 1 << 20, 1 << 30))?,
        };
        Ok(config)
    }
}

/// The configuration in force as TOML, with where each value comes from.
pub fn print(values: &Values) -> String {
    print::print(values)
}

fn text<'a>(values: &'a Values, name: &str) -> Option<&'a str> {
    values.get(name)?.0.as_deref()
}

/// What is wrong with a value, and what would be right.
struct Wrong {
    problem: String,
    hint: String,
}

fn wrong<T>(problem: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { problem: problem.into(), hint: hint.into() })
}

fn read<T>(
    values: &Values,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, Wrong>,
) -> Result<T, ConfigError> {
    let (given, origin) = &values[name];
    let given = given.as_deref().unwrap_or_default();
    parse(given).map_err(|wrong| ConfigError::Value {
        name,
        origin: origin.clone(),
        given: given.to_owned(),
        problem: wrong.problem,
        hint: wrong.hint,
    })
}

fn address(text: &str) -> Result<SocketAddr, Wrong> {
    const HINT: &str = "write an IP address and a port, such as 127.0.0.1:7400 or [::1]:7400";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => match text.to_socket_addrs()
        {
            Ok(mut addresses) => addresses.next().map_or_else(|| wrong("the name has no address", HINT), Ok),
            Err(error) => wrong(format!("the name cannot be resolved: {error}"), HINT),
        },
        _ => wrong("not an address", HINT),
    }
}

/// Whether TLS was asked for, or is to be spoken where others reach the server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TlsMode {
    Auto,
    On,
}

fn tls_mode(text: &str) -> Result<TlsMode, Wrong> {
    match text {
        "auto" => Ok(TlsMode::Auto),
        "on" => Ok(TlsMode::On),
        _ => wrong("neither auto nor on", "write auto, for TLS beyond loopback, or on, for TLS everywhere"),
    }
}

fn accepts(text: &str) -> Result<Accepts, Wrong> {
    match text {
        "open" => Ok(Accepts::Open),
        "enrolled" => Ok(Accepts::Enrolled),
        _ => wrong("neither open nor enrolled", "write open or enrolled"),
    }
}

/// Names of hosts and addresses, with commas.
fn names(text: &str) -> Result<Vec<String>, Wrong> {
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let good = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    match names.iter().find(|name| !name.chars().all(good) || name.len() > 253) {
        Some(name) => wrong(
            format!("{name:?} is no name of a host"),
            "write names or addresses with commas, such as cmdb.example.org,10.0.0.5",
        ),
        None => Ok(names),
    }
}

fn tls(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    mode: TlsMode,
    listen: SocketAddr,
) -> Result<Tls, ConfigError> {
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Tls::Files(TlsFiles { cert, key })),
        (None, None) if mode == TlsMode::Auto && listen.ip().to_canonical().is_loopback() => Ok(Tls::Off),
        (None, None) => Ok(Tls::Own),
        (Some(_), None) => Err(ConfigError::HalfTls { given: "tls_cert", missing: "tls_key" }),
        (None, Some(_)) => Err(ConfigError::HalfTls { given: "tls_key", missing: "tls_cert" }),
    }
}

fn announce(text: &str) -> Result<Announce, Wrong> {
    match text {
        "on" | "true" | "yes" | "1" => Ok(Announce::On),
        "off" | "false" | "no" | "0" => Ok(Announce::Off),
        _ => wrong("neither on nor off", "write on or off"),
    }
}

fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => wrong("not a log format", "write text or json"),
    }
}

fn log_filter(text: &str) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    // A bare word that is no level would be taken for a module's name, and silence everything else.
    let bare = !text.contains(['=', ',', '[']);
    if bare && !LEVELS.contains(&text.to_lowercase().as_str()) {
        let hint = match setting::nearest(text, LEVELS.into_iter()) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None => "write error, warn, info, debug, trace or off".to_owned(),
        };
        return wrong("not a log level", hint);
    }
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            wrong(format!("not a log filter: {error}"), "write a level, or a filter such as info,h2=warn")
        }
    }
}

fn number<T: FromStr + PartialOrd + fmt::Display>(text: &str, least: T, most: T) -> Result<T, Wrong> {
    let hint = format!("write a whole number from {least} to {most}");
    match text.replace('_', "").parse::<T>() {
        Ok(number) if number >= least && number <= most => Ok(number),
        Ok(_) => wrong("out of range", hint),
        Err(_) => wrong("not a whole number", hint),
    }
}
