//! The past: every answer as it was given, and what differs between two moments.

use std::path::Path;

use serde_json::Value;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

/// Every question of the shell that has a moment, with the answer of the present.
const QUESTIONS: &[&[&str]] = &[
    &["show", "webshop:cache-1"],
    &["items", "--all"],
    &["items", "--retired", "--all"],
    &["impact", "webshop:cache-1", "webshop:web-1"],
    &["depends", "webshop:webshop"],
    &["trace", "webshop:webshop", "webshop:cache-1"],
    &["critical", "--service", "webshop:order"],
    &["neighbours", "webshop:cache-1", "--depth", "2"],
    &["history", "webshop:cache-1"],
];

/// What the questions are answered at a moment; at present, when there is none.
fn answers(shell: &Shell, as_of: Option<&str>) -> Vec<Value> {
    let moment: Vec<&str> = as_of.into_iter().flat_map(|as_of| ["--as-of", as_of]).collect();
    let mut answers: Vec<Value> =
        QUESTIONS.iter().map(|question| shell.json(&[question, moment.as_slice()].concat())).collect();
    for answer in &mut answers {
        without_presence(answer);
    }
    answers
}

/// When something was last seen is a stream of its own, and coarse in the past.
fn without_presence(answer: &mut Value) {
    match answer {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "last_seen");
            fields.values_mut().for_each(without_presence);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_presence),
        _ => {}
    }
}

fn import(shell: &Shell, directory: &Path, name: &str, lines: &str) {
    let file = directory.join(name);
    std::fs::write(&file, lines).expect("a file");
    shell.import("second", &file);
}

#[test]
fn a_past_moment_answers_as_it_did_whatever_was_imported_retired_or_reverted_since() {
    let (server, directory) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let mut then = vec![(shell.revision(), answers(&shell, None), shell.export())];
    let mut remember = |shell: &Shell| then.push((shell.revision(), answers(shell, None), shell.export()));

    import(
        &shell,
        directory.path(),
        "second.jsonl",
        r#"{"item":{"key":"w","class":"web_server","name":"Web server 3"}}
{"relationship":{"from":"w","type":"depends_on","to":"webshop:cache-1"}}
"#,
    );
    remember(&shell);
    shell.ok(["set", "webshop:cache-1", "version=8.2", "--reason", "upgraded"]);
    let upgraded = shell.revision();
    remember(&shell);
    shell.ok(["retire", "second:w"]);
    remember(&shell);
    shell.ok(["retire", "webshop:web-1"]);
    remember(&shell);
    shell.ok(["revert", &upgraded.to_string()]);
    shell.verify_is_clean();

    for (revision, expected, export) in &then {
        let as_of = format!("r{revision}");
        for ((question, given), expected) in QUESTIONS.iter().zip(answers(&shell, Some(&as_of))).zip(expected)
        {
            assert_eq!(&given, expected, "{question:?} as of {as_of}");
        }
        assert_eq!(shell.ok(["export", "--as-of", &as_of]), *export, "as of {as_of}");
    }
    assert_ne!(answers(&shell, None), then[0].1, "something changed since");

    let table = shell.ok(["impact", "webshop:cache-1", "--as-of", "1"]);
    assert!(table.contains("as of revision 1, 20"), "{table}");
    shell.run(["impact", "webshop:cache-1", "--as-of", "1", "--output", "jsonl"]).says(&["as of revision 1"]);
    shell
        .run(["show", "webshop:web-1", "--as-of", "some day"])
        .must_end_with(1)
        .says(&["some day", "RFC 3339"]);
    shell.run(["show", "webshop:web-1", "--as-of", "2 days ago"]).must_end_with(3).says(&["revision 1"]);
    shell.run(["show", "second:w", "--as-of", "1"]).must_end_with(3).says(&["second:w"]);
}

#[test]
fn what_changed_within_the_dependencies_of_a_service_is_one_call() {
    let (server, directory) = (Server::start(), tempfile::tempdir().expect("a directory"));
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let before = shell.revision().to_string();
    // customer-mail needs si-mail, mailer-1, vm-batch-1 and what these stand on; nothing of it needs web-1.
    shell.ok(["set", "webshop:mailer-1", "version=9", "--reason", "security fix"]);
    shell.ok(["set", "webshop:web-1", "version=9"]);
    import(
        &shell,
        directory.path(),
        "relay.jsonl",
        r#"{"item":{"key":"relay","class":"application","name":"Mail relay"}}
{"relationship":{"from":"webshop:mailer-1","type":"depends_on","to":"relay"}}
"#,
    );
    let answer = shell.json(&["diff", "--from", &before, "--around", "webshop:customer-mail"]);
    let differences = answer["differences"].as_array().expect("a list");
    let items: Vec<&str> = differences.iter().filter_map(|one| one["item"]["name"].as_str()).collect();
    assert!(items.contains(&"Mail relay"), "{items:?}");
    assert!(!items.contains(&"Web server 1"), "{items:?}");
    let version = differences.iter().find(|one| one["attributes"][0]["name"] == "version").expect("the fix");
    assert_eq!(version["attributes"][0]["after"], "9");
    assert_eq!(version["commits"][0]["reason"], "security fix");
    let related = differences.iter().find(|one| one["kind"] == "relationship_added").expect("a relationship");
    assert_eq!(related["relationship"]["to"]["name"], "Mail relay");
    assert_eq!(answer["totals"]["items"]["added"], 1);
    assert_eq!(answer["truncated"], false);

    let near = ["diff", "--from", &before, "--around", "webshop:customer-mail", "--depth", "1"];
    assert_eq!(shell.json(&near)["differences"], Value::Array(Vec::new()));
    let table = shell.ok(["diff", "--from", &before, "--around", "webshop:customer-mail"]);
    assert!(table.contains("security fix") && table.contains("items compared"), "{table}");
    assert!(shell.ok(["diff", "--from", "r4", "--to", "r4"]).starts_with("nothing differs"));
    // A day ago there was nothing.
    let all = shell.json(&["diff", "--limit", "1"]);
    assert_eq!((&all["from"]["revision"], &all["truncated"]), (&Value::from(0), &Value::from(true)));
    shell.run(["diff", "--from", "4", "--to", "1"]).must_end_with(1).says(&["exchange"]);
}

#[test]
fn a_watch_with_a_filter_ends_at_the_newest_commit_even_when_nothing_of_it_fits() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    shell.ok(["set", "webshop:cache-1", "version=8.2"]);
    let revisions = |filter: &[&str]| -> Vec<u64> {
        let commits = shell.json_lines(&[&["watch", "--after", "0", "--once"], filter].concat());
        commits.iter().filter_map(|commit| commit["revision"].as_u64()).collect()
    };
    // In between is the commit of the rule that concludes redundancy; it touches neither.
    assert_eq!(revisions(&["--item", "webshop:cache-1"]), [1, 3]);
    assert_eq!(revisions(&["--class", "web_server"]), [1]);
    assert_eq!(revisions(&["--class", "package"]), [] as [u64; 0]);
}
