//! The table by which programs are recognised: `software.toml`, and the user's own files before it.
//!
//! Knows nothing of running processes beyond their names and arguments. Invariant: a rule is checked when it is
//! read, so that a mistake is named with its file and product, and the first rule that fits decides.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The built-in table.
const BUILT_IN: &str = include_str!("../../../software.toml");
/// The most rules of all tables together.
const RULES_MAX: usize = 10_000;
/// Which of the first arguments may be the script that an interpreter runs.
const SCRIPT_ARGUMENTS: usize = 4;

/// Why a table was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file could not be read.
    #[error("the software table {path} could not be read: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is not the TOML that is expected.
    #[error("the software table {path} is not as expected: {error}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Where and what.
        error: Box<toml::de::Error>,
    },
    /// A rule makes no sense.
    #[error("the software table {path}, product {product:?}: {problem}")]
    Rule {
        /// Which table.
        path: PathBuf,
        /// Which rule.
        product: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    software: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    product: String,
    class: String,
    #[serde(default)]
    executables: Vec<String>,
    #[serde(default)]
    scripts: Vec<String>,
    #[serde(default)]
    titles: Vec<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    ports: Vec<u16>,
    #[serde(default)]
    runtime: bool,
    #[serde(default)]
    client: bool,
    #[serde(default)]
    data_path: Vec<String>,
    #[serde(default)]
    configuration_path: Vec<String>,
    #[serde(default)]
    version: Vec<String>,
}

/// How one product is recognised and described.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub product: String,
    /// The class of its instances.
    pub class: String,
    executables: Vec<String>,
    scripts: Vec<String>,
    titles: Vec<String>,
    arguments: Vec<String>,
    /// Its usual ports, the most usual first.
    pub ports: Vec<u16>,
    /// What it is used for: a server, other people's programs, or a client.
    pub role: Role,
    /// Where its data is looked for, in order.
    pub data_path: Vec<Place>,
    /// Where its configuration is looked for, in order.
    pub configuration_path: Vec<Place>,
    /// Where its version is looked for, in order.
    pub version: Vec<VersionPlace>,
}

/// What a program is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Reported whenever it runs.
    Server,
    /// Runs programs of others, after which its instances are named.
    Runtime,
    /// Reported only while it is connected or listens.
    Client,
}

/// Where a path is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// The value of an argument: `argument:-D`.
    Argument(String),
    /// A path, if it is there: `path:/etc/nginx/nginx.conf`.
    Path(String),
    /// The program's working directory: `cwd`.
    WorkingDirectory,
}

/// Where a version is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VersionPlace {
    /// In the program's own path: `executable:/usr/lib/postgresql/{}/bin/`.
    Executable(Pattern),
    /// In an argument: `argument:rabbitmq_server-{}`.
    Argument(Pattern),
    /// A file below the data path: `data:PG_VERSION`.
    Data(String),
    /// The package that the program belongs to: `package`.
    Package,
}

/// A text with a version in it, written `{}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    before: String,
    after: String,
}

impl Pattern {
    /// The version that stands between the pattern's two parts, anywhere in `text`.
    pub fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        let mut rest = text;
        while let Some(at) = rest.find(&self.before) {
            rest = &rest[at + self.before.len()..];
            let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
            let version = rest[..end].trim_end_matches('.');
            if version.starts_with(|c: char| c.is_ascii_digit())
                && rest[version.len()..].starts_with(&self.after)
            {
                return Some(version);
            }
        }
        None
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("{}") {
            Some((before, after)) if !before.is_empty() => {
                Ok(Self { before: before.into(), after: after.into() })
            }
            _ => Err(format!(
                "expected a text with {{}} where the version stands, such as name-{{}}, given {text:?}"
            )),
        }
    }
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// The file name of the executable.
    pub executable: &'a str,
    /// The arguments, the program's name first.
    pub arguments: &'a [String],
}

impl Rule {
    /// Whether this is the program's rule.
    pub fn fits(&self, program: Program<'_>) -> bool {
        let executable = self.executables.is_empty()
            || self.executables.iter().any(|pattern| matches_name(pattern, program.executable));
        let script = self.scripts.is_empty() && self.titles.is_empty()
            || self.script(program).is_some()
            || program
                .arguments
                .first()
                .is_some_and(|title| self.titles.iter().any(|t| title.starts_with(t)));
        let argument = self.arguments.is_empty()
            || program
                .arguments
                .iter()
                .any(|argument| self.arguments.iter().any(|part| argument.contains(part)));
        executable && script && argument
    }

    /// The argument that names the script of this rule.
    pub fn script<'a>(&self, program: Program<'a>) -> Option<&'a str> {
        program
            .arguments
            .iter()
            .take(SCRIPT_ARGUMENTS)
            .map(String::as_str)
            .find(|argument| self.scripts.iter().any(|script| matches_name(script, file_name(argument))))
    }
}

/// A file name; `*` at the end stands for any rest.
fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// All rules, in order.
#[derive(Clone, Debug)]
pub struct Catalogue {
    rules: Vec<Rule>,
}

impl Catalogue {
    /// The user's tables, then the built-in one.
    pub fn load(files: &[PathBuf]) -> Result<Self, CatalogueError> {
        let mut rules = Vec::new();
        for path in files {
            let text = std::fs::read_to_string(path)
                .map_err(|error| CatalogueError::Unreadable { path: path.clone(), error })?;
            rules.extend(parse(&text, path)?);
        }
        rules.extend(parse(BUILT_IN, Path::new("software.toml (built in)"))?);
        if rules.len() > RULES_MAX {
            let problem = format!("expected at most {RULES_MAX} rules in all tables, given {}", rules.len());
            return Err(CatalogueError::Rule { path: PathBuf::from("all"), product: "all".into(), problem });
        }
        Ok(Self { rules })
    }

    /// The first rule that fits.
    pub fn find(&self, program: Program<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.fits(program))
    }
}

fn parse(text: &str, path: &Path) -> Result<Vec<Rule>, CatalogueError> {
    let table: Table = toml::from_str(text)
        .map_err(|error| CatalogueError::Malformed { path: path.to_owned(), error: Box::new(error) })?;
    table
        .software
        .into_iter()
        .map(|entry| {
            let product = entry.product.clone();
            rule(entry).map_err(|problem| CatalogueError::Rule { path: path.to_owned(), product, problem })
        })
        .collect()
}

fn rule(entry: Entry) -> Result<Rule, String> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
    };
    if !is_name(&entry.product) || !is_name(&entry.class) {
        return Err("expected product and class in lower-case letters, digits, '-', '_' and '.'".into());
    }
    if entry.executables.is_empty() && entry.scripts.is_empty() && entry.titles.is_empty() {
        return Err("expected executables, scripts or titles to recognise it by; none is given".into());
    }
    let every = [&entry.executables, &entry.scripts, &entry.titles, &entry.arguments];
    if every.into_iter().flatten().any(|text| text.trim_matches('*').is_empty()) {
        return Err("an empty text, or '*' alone, fits every program".into());
    }
    let role = match (entry.runtime, entry.client) {
        (true, true) => return Err("expected runtime or client, given both".into()),
        (true, false) => Role::Runtime,
        (false, true) => Role::Client,
        (false, false) => Role::Server,
    };
    let version = if entry.version.is_empty() { vec!["package".to_owned()] } else { entry.version };
    Ok(Rule {
        product: entry.product,
        class: entry.class,
        executables: entry.executables,
        scripts: entry.scripts,
        titles: entry.titles,
        arguments: entry.arguments,
        ports: entry.ports,
        role,
        data_path: entry.data_path.iter().map(|text| place(text)).collect::<Result<_, _>>()?,
        configuration_path: entry
            .configuration_path
            .iter()
            .map(|text| place(text))
            .collect::<Result<_, _>>()?,
        version: version.iter().map(|text| version_place(text)).collect::<Result<_, _>>()?,
    })
}

fn place(text: &str) -> Result<Place, String> {
    match text.split_once(':') {
        Some(("argument", option)) if !option.is_empty() => Ok(Place::Argument(option.to_owned())),
        Some(("path", path)) if path.starts_with('/') => Ok(Place::Path(path.to_owned())),
        None if text == "cwd" => Ok(Place::WorkingDirectory),
        _ => Err(format!("expected argument:OPTION, path:/ABSOLUTE or cwd, given {text:?}")),
    }
}

fn version_place(text: &str) -> Result<VersionPlace, String> {
    match text.split_once(':') {
        Some(("executable", pattern)) => Ok(VersionPlace::Executable(Pattern::parse(pattern)?)),
        Some(("argument", pattern)) => Ok(VersionPlace::Argument(Pattern::parse(pattern)?)),
        Some(("data", file)) if !file.is_empty() => Ok(VersionPlace::Data(file.to_owned())),
        None if text == "package" => Ok(VersionPlace::Package),
        _ => Err(format!(
            "expected package, executable:PATTERN, argument:PATTERN or data:FILE, given {text:?}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(executable: &str, arguments: &[&str]) -> Option<String> {
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let catalogue = Catalogue::load(&[]).unwrap();
        catalogue.find(Program { executable, arguments: &arguments }).map(|rule| rule.product.clone())
    }

    #[test]
    fn programs_are_recognised() {
        let cases: [(&str, &[&str], Option<&str>); 14] = [
            ("postgres", &["/usr/lib/postgresql/15/bin/postgres", "-D", "/x"], Some("postgresql")),
            ("mysqld", &["/usr/sbin/mysqld"], Some("mysql")),
            ("mariadbd", &["/usr/sbin/mariadbd"], Some("mariadb")),
            ("redis-server", &["/usr/bin/redis-server 127.0.0.1:6379"], Some("redis")),
            ("java", &["java", "-cp", "x", "kafka.Kafka", "server.properties"], Some("kafka")),
            ("java", &["java", "org.apache.catalina.startup.Bootstrap", "start"], Some("tomcat")),
            ("java", &["java", "-jar", "/srv/orders.jar"], Some("java")),
            (
                "beam.smp",
                &["beam.smp", "-pa", "/usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin"],
                Some("rabbitmq"),
            ),
            ("python3.11", &["/usr/bin/python3", "/usr/bin/gunicorn", "app:app"], Some("gunicorn")),
            ("python3.11", &["gunicorn: master [app:app]"], Some("gunicorn")),
            ("python3.11", &["python3", "/srv/job.py"], Some("python")),
            ("node", &["node", "/srv/app/server.js"], Some("node")),
            ("php-fpm8.2", &["php-fpm: master process"], Some("php-fpm")),
            ("my-own-thing", &["my-own-thing"], None),
        ];
        for (executable, arguments, expected) in cases {
            assert_eq!(product(executable, arguments).as_deref(), expected, "{executable} {arguments:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("[[software]]\nproduct = \"x\"", "missing field `class`"),
            (
                "[[software]]\nproduct = \"x\"\nclass = \"cache\"\nexecutable = []",
                "unknown field `executable`",
            ),
            (
                "[[software]]\nproduct = \"x\"\nclass = \"cache\"",
                "product \"x\": expected executables, scripts or titles",
            ),
            ("[[software]]\nproduct = \"x\"\nclass = \"cache\"\nexecutables = [\"*\"]", "fits every program"),
            ("[[software]]\nproduct = \"X\"\nclass = \"cache\"\nexecutables = [\"x\"]", "lower-case"),
            (
                "[[software]]\nproduct = \"x\"\nclass = \"cache\"\nexecutables = [\"x\"]\nversion = [\"argument:x\"]",
                "given \"x\"",
            ),
            (
                "[[software]]\nproduct = \"x\"\nclass = \"cache\"\nexecutables = [\"x\"]\ndata_path = [\"path:rel\"]",
                "given \"path:rel\"",
            ),
        ];
        for (text, expected) in cases {
            let error = parse(text, Path::new("mine.toml")).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("mine.toml"), "{error}");
        }
    }

    #[test]
    fn versions_in_texts() {
        let pattern = Pattern::parse("kafka_2.13-{}.jar").unwrap();
        assert_eq!(pattern.find("/opt/libs/a.jar:/opt/libs/kafka_2.13-3.6.0.jar"), Some("3.6.0"));
        assert_eq!(pattern.find("/opt/libs/kafka_2.13-x.jar"), None);
        let pattern = Pattern::parse("/postgresql/{}/bin/").unwrap();
        assert_eq!(pattern.find("/usr/lib/postgresql/15/bin/postgres"), Some("15"));
        assert!(Pattern::parse("{}").is_err() && Pattern::parse("x").is_err());
    }
}
