//! Which crate may depend on which, read from `cargo metadata`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Breach;
use crate::process;

/// A crate of the workspace with its declared dependencies.
pub struct Package {
    pub name: String,
    /// Relative to the workspace.
    pub manifest: PathBuf,
    pub manifest_text: String,
    pub dependencies: Vec<String>,
}

struct Rule {
    package: &'static str,
    sentence: &'static str,
    forbids: fn(&str) -> bool,
}

const RULES: [Rule; 9] = [
    Rule {
        package: "cmdb-proto",
        sentence: "the wire contract knows nothing of ours",
        forbids: |name| is_ours(name),
    },
    Rule {
        package: "cmdb-core",
        sentence: "core never imports tokio, tonic or axum",
        forbids: |name| ["tokio", "tonic", "axum"].iter().any(|banned| is_family(name, banned)),
    },
    Rule {
        package: "cmdb-core",
        sentence: "core encodes its own records and never sees cmdb-proto or another crate of ours",
        forbids: |name| is_ours(name),
    },
    Rule {
        package: "cmdb-impact",
        sentence: "impact uses core's model and graph and no other crate of ours",
        forbids: |name| is_ours(name) && name != "cmdb-core",
    },
    Rule {
        package: "cmdb-impact",
        sentence: "impact is pure: no store, no network, no clock",
        forbids: |name| {
            ["redb", "tokio", "tonic", "axum", "jiff"].iter().any(|banned| is_family(name, banned))
        },
    },
    Rule {
        package: "cmdb-agent",
        sentence: "the agent depends on the wire contract and never on core",
        forbids: |name| is_ours(name) && name != "cmdb-proto",
    },
    Rule {
        package: "cmdb-cli",
        sentence: "the shell depends on the wire contract only",
        forbids: |name| is_ours(name) && name != "cmdb-proto",
    },
    Rule {
        package: "cmdb-server",
        sentence: "the server never imports the agent or the shell",
        forbids: |name| ["cmdb-agent", "cmdb-cli"].contains(&name),
    },
    Rule { package: "*", sentence: "nothing imports the server", forbids: |name| name == SERVER },
];

const SERVER: &str = "cmdb-server";
/// Measures what the server does with the bytes of a message, which no started server tells.
const BENCHES: &str = "cmdb-benches";

fn is_ours(name: &str) -> bool {
    name.starts_with("cmdb-") || name == "xtask"
}

/// `tonic`, and what is built around it: `tonic-prost`, `axum-server`.
fn is_family(name: &str, family: &str) -> bool {
    name == family || name.strip_prefix(family).is_some_and(|rest| rest.starts_with('-'))
}

/// The crates of the workspace at `root`.
pub fn packages(root: &Path) -> Result<Vec<Package>> {
    let text = process::read(process::cargo(root).args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text).context("reading what `cargo metadata` says")?;
    let listed = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
    listed.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> Result<Package> {
    let manifest = Path::new(package["manifest_path"].as_str().context("a package has a manifest")?);
    let manifest_text =
        std::fs::read_to_string(manifest).with_context(|| format!("reading {}", manifest.display()))?;
    let dependencies = package["dependencies"].as_array().context("a package lists its dependencies")?;
    Ok(Package {
        name: package["name"].as_str().context("a package has a name")?.to_owned(),
        manifest: manifest.strip_prefix(root).unwrap_or(manifest).to_owned(),
        manifest_text,
        dependencies: dependencies
            .iter()
            .filter_map(|entry| entry["name"].as_str())
            .map(str::to_owned)
            .collect(),
    })
}

/// Dependencies that a rule forbids. Those of tests count: a test that needs a server starts a real one.
pub fn breaches(package: &Package) -> Vec<Breach> {
    let rules = RULES.iter().filter(|rule| rule.package == "*" || rule.package == package.name);
    rules
        .flat_map(|rule| {
            package.dependencies.iter().filter(|name| (rule.forbids)(name)).map(move |name| (rule, name))
        })
        .filter(|(_, name)| (package.name.as_str(), name.as_str()) != (BENCHES, SERVER))
        .map(|(rule, name)| Breach {
            file: package.manifest.clone(),
            line: line_of(&package.manifest_text, name),
            rule: rule.sentence.to_owned(),
            found: format!("dependency {name}"),
        })
        .collect()
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let declares =
        |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    manifest.lines().position(declares).map_or(1, |index| index + 1)
}
