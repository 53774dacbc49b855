//! Scenario files: an estate, questions, and the answers that a person works out on paper.
//!
//! `tests/scenarios/*.toml` are imported into a real server with `cmdb import` and asked with
//! `cmdb … --output json`. Every list of an answer is compared whole: an item too many fails as one too few.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

/// A scenario file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    /// A file of the repository to import.
    estate: Option<PathBuf>,
    /// JSON Lines to import.
    lines: Option<String>,
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    title: String,
    #[serde(flatten)]
    ask: Ask,
}

#[derive(Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase")]
enum Ask {
    Impact(Impact),
    Depends(Depends),
    Trace(Trace),
}

/// What fails when `items` fail together. Keys; what is not named must not be in the answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Impact {
    items: Vec<String>,
    #[serde(default)]
    failed: Vec<String>,
    #[serde(default)]
    degraded: Vec<String>,
    #[serde(default)]
    at_risk: Vec<String>,
    /// Relationships from the nearest seed, for the items that are worth it.
    #[serde(default)]
    distance: BTreeMap<String, u64>,
    /// What carried the failure, for the items that are worth it: keys one step back.
    #[serde(default)]
    via: BTreeMap<String, Vec<String>>,
}

/// What `items` need.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Depends {
    items: Vec<String>,
    needs: Vec<String>,
}

/// The chains between two items, as lists of keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trace {
    from: String,
    to: String,
    chains: Vec<Vec<String>>,
}

#[test]
fn the_answers_are_those_worked_out_on_paper() {
    let mut files: Vec<PathBuf> = std::fs::read_dir(repository("tests/scenarios"))
        .expect("the scenarios are readable")
        .map(|entry| entry.expect("a directory entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no scenarios");
    let mut wrong = String::new();
    for file in &files {
        run(file, &mut wrong);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn run(file: &Path, wrong: &mut String) {
    let text = std::fs::read_to_string(file).expect("a scenario is readable");
    let scenario: Scenario =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let server = Server::start();
    let shell = server.shell();
    import(&scenario, &shell);
    for question in &scenario.question {
        let differences = match &question.ask {
            Ask::Impact(asked) => impact(&shell, asked),
            Ask::Depends(asked) => depends(&shell, asked),
            Ask::Trace(asked) => trace(&shell, asked),
        };
        for difference in differences {
            writeln!(wrong, "{} / {}: {difference}", scenario.title, question.title)
                .expect("a text takes all");
        }
    }
}

fn import(scenario: &Scenario, shell: &Shell) {
    if let Some(estate) = &scenario.estate {
        shell.import("scenario", &repository("").join(estate));
    }
    if let Some(lines) = &scenario.lines {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("lines.jsonl");
        std::fs::write(&file, lines).expect("the lines are writable");
        shell.import("scenario", &file);
    }
}

fn impact(shell: &Shell, asked: &Impact) -> Vec<String> {
    let answer = ask(shell, "impact", &asked.items);
    let affected = answer["affected"].as_array().expect("an impact answer lists the affected");
    let in_state = |state: &str| keys(affected.iter().filter(|item| item["state"] == state));
    let mut differences = Vec::new();
    for (state, expected) in
        [("failed", &asked.failed), ("degraded", &asked.degraded), ("at_risk", &asked.at_risk)]
    {
        differences.extend(compare(state, expected, &in_state(state)));
        let counted = answer["counts"][state].as_u64();
        if counted != Some(expected.len() as u64) {
            differences.push(format!("counts.{state} is {counted:?}, expected {}", expected.len()));
        }
    }
    let find = |key: &str| affected.iter().find(|item| item["key"] == key);
    for (key, expected) in &asked.distance {
        let given = find(key).and_then(|item| item["distance"].as_u64());
        if given != Some(*expected) {
            differences.push(format!("distance of {key} is {given:?}, expected {expected}"));
        }
    }
    for (key, expected) in &asked.via {
        let given = find(key).and_then(|item| item["via"].as_array()).cloned().unwrap_or_default();
        differences.extend(compare(&format!("via of {key}"), expected, &keys(given.iter())));
    }
    differences.extend(complete(&answer));
    differences
}

fn depends(shell: &Shell, asked: &Depends) -> Vec<String> {
    let answer = ask(shell, "depends", &asked.items);
    let needed = answer["dependencies"].as_array().expect("a depends answer lists the dependencies");
    compare("needs", &asked.needs, &keys(needed.iter())).into_iter().chain(complete(&answer)).collect()
}

fn trace(shell: &Shell, asked: &Trace) -> Vec<String> {
    let answer = shell.json(&["trace", &asked.from, &asked.to]);
    let chains = answer["chains"].as_array().expect("a trace answer lists the chains");
    let given: BTreeSet<Vec<String>> = chains.iter().map(|chain| chain_keys(&chain["steps"])).collect();
    let expected: BTreeSet<Vec<String>> = asked.chains.iter().cloned().collect();
    if given == expected { Vec::new() } else { vec![format!("chains are {given:?}, expected {expected:?}")] }
}

fn chain_keys(steps: &Value) -> Vec<String> {
    // A step is an item, or holds it.
    let key = |step: &Value| step["key"].as_str().or_else(|| step["item"]["key"].as_str()).map(str::to_owned);
    steps.as_array().map(|steps| steps.iter().filter_map(key).collect()).unwrap_or_default()
}

fn ask(shell: &Shell, command: &str, items: &[String]) -> Value {
    let arguments: Vec<&str> = std::iter::once(command).chain(items.iter().map(String::as_str)).collect();
    shell.json(&arguments)
}

/// An answer on a small estate leaves nothing out.
fn complete(answer: &Value) -> Option<String> {
    let whole = answer["truncated"] == false && answer["hidden"] == 0;
    (!whole).then(|| format!("truncated is {}, hidden is {}", answer["truncated"], answer["hidden"]))
}

fn keys<'a>(items: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    items.map(|item| item["key"].as_str().expect("an item has a key").to_owned()).collect()
}

fn compare(what: &str, expected: &[String], given: &BTreeSet<String>) -> Option<String> {
    let expected: BTreeSet<String> = expected.iter().cloned().collect();
    if expected == *given {
        return None;
    }
    let missing: Vec<_> = expected.difference(given).collect();
    let surplus: Vec<_> = given.difference(&expected).collect();
    Some(format!("{what}: missing {missing:?}, surplus {surplus:?}"))
}
