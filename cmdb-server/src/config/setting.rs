//! The table of settings: one row gives the flag, the environment variable, the file's key, the default and
//! the help. Knows nothing of what the values are used for.

/// What kind of value a setting has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Text, or a path.
    Text,
    /// A whole number.
    Number,
    /// On or off; a flag without a value means on.
    Switch,
}

/// A setting.
#[derive(Debug)]
pub struct Setting {
    /// As in the configuration file.
    pub name: &'static str,
    /// As on the command line, without the dashes.
    pub flag: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// What stands for the value in the help.
    pub value_name: &'static str,
    /// The default; empty: none, or one that depends on the machine.
    pub default: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Offline commands take it as well.
    pub offline: bool,
}

impl Setting {
    /// As set in the environment.
    pub fn variable(&self) -> String {
        format!("CMDB_{}", self.name.to_uppercase())
    }
}

const fn setting(
    name: &'static str,
    flag: &'static str,
    kind: Kind,
    value_name: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, flag, kind, value_name, default, help, offline: false }
}

const fn offline(setting: Setting) -> Setting {
    Setting { offline: true, ..setting }
}

/// Every setting, in the order in which they are shown.
pub const SETTINGS: &[Setting] = &[
    offline(setting("data", "data", Kind::Text, "DIR", "", "Where the store lies")),
    setting(
        "listen",
        "listen",
        Kind::Text,
        "ADDRESS",
        "127.0.0.1:7400",
        "IP address and port; port 0 takes a free one",
    ),
    offline(setting(
        "schema",
        "schema",
        Kind::Text,
        "DIR",
        "",
        "More classes and rules: TOML files, read after the built-in ones",
    )),
    setting(
        "tls_cert",
        "tls-cert",
        Kind::Text,
        "FILE",
        "",
        "Certificate chain (PEM), in place of one of the server's own authority",
    ),
    setting("tls_key", "tls-key", Kind::Text, "FILE", "", "Private key of the certificate (PEM)"),
    setting("tls", "tls", Kind::Text, "auto|on", "auto", "TLS beyond loopback addresses only, or everywhere"),
    setting(
        "tls_names",
        "tls-names",
        Kind::Text,
        "NAMES",
        "",
        "Names and addresses of this server, with commas, for its own certificate; the first is told to agents",
    ),
    setting(
        "agents",
        "agents",
        Kind::Text,
        "open|enrolled",
        "",
        "Which agents are let in: all, or those that enrolled; by default enrolled where there is TLS",
    ),
    setting(
        "certificate_days",
        "certificate-days",
        Kind::Number,
        "DAYS",
        "90",
        "For how long an agent's certificate is valid; agents renew it in time",
    ),
    setting(
        "announce",
        "announce",
        Kind::Switch,
        "on|off",
        "off",
        "Announce the server by mDNS, so that agents find it",
    ),
    offline(setting("log_format", "log-format", Kind::Text, "FORMAT", "text", "text or json")),
    offline(setting(
        "log",
        "log",
        Kind::Text,
        "LEVEL",
        "info",
        "error, warn, info, debug or trace; or a filter such as info,h2=off",
    )),
    setting(
        "scan_interval_s",
        "scan-interval-s",
        Kind::Number,
        "SECONDS",
        "60",
        "Seconds between an agent's scans",
    ),
    setting(
        "heartbeat_interval_s",
        "heartbeat-interval-s",
        Kind::Number,
        "SECONDS",
        "30",
        "Seconds between an agent's heartbeats",
    ),
    setting(
        "sessions_max",
        "sessions-max",
        Kind::Number,
        "N",
        "20000",
        "Agents connected at the same time, at most",
    ),
    setting(
        "report_bytes_max",
        "report-bytes-max",
        Kind::Number,
        "BYTES",
        "67108864",
        "Largest report, and largest batch of claims",
    ),
];

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The name in `names` that `given` was probably meant to be.
pub fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this likeness (0 to 1) a suggestion confuses more than it helps.
    const LIKENESS_MIN: f64 = 0.6;
    let given = given.to_lowercase().replace('-', "_");
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(&given, name), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}
