//! Which command prints in which format, and what it prints besides.

use serde_json::Value;

use crate::fake::{Fake, LARGE};
use crate::shell::{command, ended, run};

/// A report as the agent prints it.
const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../agent/tests/golden/debian-web.json");

const ALL: [&str; 5] = ["table", "json", "jsonl", "tree", "dot"];

/// Any file of rules: what is made of it is up to the server.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// Every command that answers, and the formats it supports, its default first.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&["status"], &["table", "json"]),
    (&["health"], &["table", "json"]),
    (&["health", "--list", "orphans"], &["table", "json"]),
    (&["classes"], &["table", "json", "jsonl", "tree"]),
    (&["classes", "database_instance"], &["table", "json", "jsonl", "tree"]),
    (&["items"], &["table", "json", "jsonl"]),
    (&["show", "orders-db", "--sources"], &["table", "json"]),
    (&["history", "orders-db"], &["table", "json", "jsonl"]),
    (&["diff", "--from", "yesterday", "--around", "Shop"], &["table", "json", "jsonl"]),
    (&["impact", "orders-db", "web-1"], &["table", "json", "jsonl", "tree", "dot"]),
    (&["depends", "Shop"], &["table", "json", "jsonl", "tree", "dot"]),
    (&["trace", "Shop", "orders-db"], &["table", "json", "jsonl", "dot"]),
    (&["critical", "--service", "Shop", "--down", "web-1"], &["table", "json"]),
    (&["availability", "Shop", "--down", "web-1", "--min-confidence", "0.5"], &["table", "json"]),
    (&["cold-start", "Shop", "--type", "runs_on"], &["table", "json"]),
    (&["neighbours", "web-1", "--depth", "2"], &["table", "json", "jsonl", "tree", "dot"]),
    (&["blast-radius", "--top", "2"], &["table", "json", "jsonl"]),
    (&["trace", "Shop", "orders-db", "--class", "web_server"], &["table", "json", "jsonl", "dot"]),
    (&["blast-radius", "--weighted"], &["table", "json", "jsonl"]),
    (&["items", "--sort", "-blast_radius"], &["table", "json", "jsonl"]),
    (&["watch", "--after", "40", "--once"], &["table", "jsonl"]),
    (&["verify"], &["table", "json"]),
    (&["export"], &["jsonl"]),
    (&["set", "orders-db", "version=15.5"], &["table", "json"]),
    (&["relate", "web-1", "depends_on", "orders-db"], &["table", "json"]),
    (&["unrelate", "web-1", "depends_on", "orders-db"], &["table", "json"]),
    (&["retire", "orders-db"], &["table", "json"]),
    (&["revert", "42"], &["table", "json"]),
    (&["merge", "web-1", "orders-db"], &["table", "json"]),
    (&["split", "orders-db"], &["table", "json"]),
    (&["baseline", "list"], &["table", "json"]),
    (&["agents"], &["table", "json", "jsonl"]),
    (&["agents", "revoke", "web-1"], &["table", "json", "jsonl"]),
    (&["tokens", "create", "--uses", "2"], &["table", "json"]),
    (&["tokens", "list"], &["table", "json"]),
    (&["tokens", "revoke", "8f14e45f"], &["table", "json"]),
    (&["retention"], &["table", "json"]),
    (&["retention", "set", "--history", "90d"], &["table", "json"]),
    (&["retention", "compact", "--before", "17", "--dry-run"], &["table", "json"]),
    (&["baseline", "create", "audit-2026", "--as-of", "17"], &["table", "json"]),
    (&["baseline", "delete", "audit-2026"], &["table", "json"]),
    (&["purge", "orders-db.labels", "--reason", "a password"], &["table", "json"]),
    (&["purge", "--commit", "42", "--reason", "a password"], &["table", "json"]),
    (&["duplicates"], &["table", "json"]),
    (&["explain", "orders-db"], &["table", "json"]),
    (&["rules", "test", RULES], &["table", "json"]),
    (&["identify", "--file", REPORT], &["table", "json"]),
    (&["groups"], &["table", "json"]),
    (&["groups", "confirm", "Shop", "nginx:443"], &["table", "json"]),
    (&["groups", "reject", "Shop", "nginx:443"], &["table", "json"]),
    (&["completions", "bash"], &[]),
];

#[test]
fn a_command_prints_in_its_formats_and_refuses_the_others() {
    let fake = Fake::start();
    for (command, supported) in COMMANDS {
        for format in ALL {
            let arguments: Vec<&str> = command.iter().copied().chain(["--output", format]).collect();
            let ran = run(&fake.url, &arguments);
            if !supported.contains(&format) {
                ran.must_end_with(2).says(&["error", format]).says(supported);
                continue;
            }
            let ran = ran.must_end_with(0);
            assert!(!ran.out.contains('\u{1b}'), "{arguments:?} prints colours into a pipe");
            check_form(format, &ran.out, &arguments);
        }
    }
}

fn check_form(format: &str, out: &str, arguments: &[&str]) {
    let parse = |text: &str| -> Value {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{text}"))
    };
    match format {
        "json" => assert!(parse(out).is_object(), "{arguments:?}"),
        "jsonl" => {
            assert!(out.lines().count() > 0, "{arguments:?}");
            assert!(out.lines().all(|line| parse(line).is_object()), "{arguments:?}");
        }
        "dot" => assert!(out.contains("digraph cmdb {\n") && out.ends_with("}\n"), "{arguments:?}\n{out}"),
        _ => assert!(!out.is_empty(), "{arguments:?}"),
    }
}

#[test]
fn the_default_format_is_the_first_that_is_supported() {
    let fake = Fake::start();
    for (command, supported) in COMMANDS.iter().filter(|(_, supported)| !supported.is_empty()) {
        let asked: Vec<&str> = command.iter().copied().chain(["--output", supported[0]]).collect();
        assert_eq!(run(&fake.url, command).out, run(&fake.url, &asked).out, "{command:?}");
    }
}

#[test]
fn colours_come_only_when_they_are_asked_for() {
    let fake = Fake::start();
    let coloured = run(&fake.url, &["impact", "orders-db", "--color", "always"]);
    assert!(coloured.out.contains('\u{1b}'));
    let coloured = run(&fake.url, &["show", "nobody", "--color", "always"]);
    assert!(coloured.err.contains('\u{1b}'));
    let plain = run(&fake.url, &["impact", "orders-db", "--output", "json", "--color", "always"]);
    assert!(!plain.out.contains('\u{1b}'), "JSON is for programs");
    let arguments = ["impact", "orders-db"];
    let forced = command(&fake.url, &arguments).env("NO_COLOR", "1").output().expect("cmdb is executable");
    assert!(!ended(&arguments, forced).out.contains('\u{1b}'));
}

#[test]
fn a_count_prints_no_list() {
    let fake = Fake::start();
    for command in ["impact", "depends"] {
        let ran = run(&fake.url, &[command, "Shop", "--count", "--output", "json"]).must_end_with(0);
        let answer: Value = serde_json::from_str(&ran.out).expect("JSON");
        assert!(answer.get("affected").is_none() && answer.get("dependencies").is_none());
        assert!(answer["counts"].is_object());
        for format in ["jsonl", "tree", "dot"] {
            run(&fake.url, &[command, "Shop", "--count", "--output", format])
                .must_end_with(2)
                .says(&["--count"]);
        }
    }
    assert_eq!(run(&fake.url, &["items", "--count"]).must_end_with(0).out, "3\n");
}

#[test]
fn a_large_answer_is_taken_whole() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["impact", "large", "--output", "jsonl"]).must_end_with(0);
    assert_eq!(ran.out.lines().count(), LARGE as usize);
}

#[test]
fn items_are_asked_for_page_by_page_up_to_the_limit() {
    let fake = Fake::start();
    let arguments = [
        "items",
        "--class",
        "endless",
        "--limit",
        "2500",
        "--output",
        "jsonl",
        "--sort",
        "-name",
        "--retired",
    ];
    let ran = run(&fake.url, &arguments).must_end_with(0).says(&["2,500 of"]);
    assert_eq!(ran.out.lines().count(), 2_500);
    let recorded = fake.recorded();
    let pages: Vec<u32> = recorded.listed.iter().map(|request| request.page_size).collect();
    assert_eq!(pages, [1_000, 1_000, 500]);
    assert!(recorded.listed.iter().all(|request| request.sort == "-name" && request.retired));
    assert_eq!(recorded.listed[1].page_token, "more");
}

#[test]
fn types_of_relationships_are_listed() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["classes", "--relationships"]).must_end_with(0);
    assert!(ran.out.contains("from target to source, degrading only"), "{}", ran.out);
    run(&fake.url, &["classes", "--relationships", "--output", "tree"]).must_end_with(2);
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = run("", &["completions", shell, "--server", "http://127.0.0.1:1"]).must_end_with(0);
        assert!(ran.out.contains("neighbours"), "{shell}");
    }
}
