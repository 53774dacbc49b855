//! The import rules of the design and a few habits, read from `cargo metadata` and the sources.
//!
//! Knows the rules as tables ([`rules`]), reads paths out of Rust files without a compiler
//! ([`source`]), and names each breach with the rule's sentence and `file:line`. Invariant: a rule that
//! cannot fail is worse than none, so each has a small bad example in `tests`.

mod dependencies;
mod habits;
mod rooms;
mod source;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breach {
    /// Relative to the workspace.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// The sentence of the rule.
    pub rule: String,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {} (found {})", self.file.display(), self.line, self.rule, self.found)
    }
}

/// One source file, as the rules see it.
pub struct SourceFile {
    /// Relative to the workspace.
    pub path: PathBuf,
    pub text: String,
}

/// What the rules found.
#[derive(Default)]
pub struct Findings {
    pub breaches: Vec<Breach>,
    pub warnings: Vec<String>,
}

/// Checks the workspace; prints warnings, and fails with every breach.
pub fn run(root: &Path) -> Result<()> {
    let findings = look(root)?;
    for warning in &findings.warnings {
        process::say(format!("tidy: warning: {warning}"));
    }
    if findings.breaches.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = findings.breaches.iter().map(ToString::to_string).collect();
    bail!("tidy: {} breaches\n{}", lines.len(), lines.join("\n"));
}

/// Reads the workspace and applies every rule.
pub fn look(root: &Path) -> Result<Findings> {
    let files = tracked_files(root)?;
    let mut findings = Findings::default();
    for package in dependencies::packages(root)? {
        findings.breaches.extend(dependencies::breaches(&package));
        findings.breaches.extend(habits::missing_lints(&package));
    }
    for file in &files {
        findings.breaches.extend(rooms::breaches(file));
        findings.breaches.extend(habits::machine_paths(file));
        findings.breaches.extend(habits::conflict_markers(file));
        findings.warnings.extend(habits::long_file(file));
    }
    findings.breaches.sort();
    Ok(findings)
}

/// The text files under version control, what is new and not ignored included.
fn tracked_files(root: &Path) -> Result<Vec<SourceFile>> {
    let mut list = Command::new("git");
    list.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let names: Vec<PathBuf> = match process::read(&mut list) {
        Ok(names) => names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect(),
        // An unpacked archive has no version control; then everything but what is built counts.
        Err(_) => walk(root)?,
    };
    // A file that is removed and not yet committed is still listed; a binary is not UTF-8.
    let readable = |name: PathBuf| {
        let text = std::fs::read_to_string(root.join(&name)).ok()?;
        Some(SourceFile { path: name, text })
    };
    Ok(names.into_iter().filter_map(readable).collect())
}

fn walk(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let is_built = ["target", ".git", "node_modules"].iter().any(|name| entry.file_name() == *name);
            if kind.is_dir() && !is_built {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path().strip_prefix(root)?.to_owned());
            }
        }
    }
    Ok(files)
}
