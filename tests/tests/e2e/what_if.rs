//! A scenario from the first edit to the commit: what if there were a second payment instance?

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

/// `NAME state` of everything that is reached.
fn affected(answer: &Value) -> BTreeSet<String> {
    let affected = answer["affected"].as_array().expect("an impact answer lists the affected");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    affected.iter().map(|item| format!("{} {}", text(&item["key"]), text(&item["state"]))).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn scenario(shell: &Shell, arguments: &[&str]) -> Value {
    shell.json(&[&["scenario"], arguments].concat())
}

#[test]
fn a_second_payment_instance_is_imagined_and_then_made() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let base = shell.revision();
    let alone = set(&["si-payment failed", "order failed", "offering-nl failed", "offering-de failed"]);
    assert_eq!(affected(&shell.json(&["impact", "payment-1"])), alone);

    let why = shell.json(&["impact", "payment-1", "--why", "offering-nl"]);
    let steps: Vec<_> = why["affected"].as_array().expect("a chain").iter().collect();
    let steps: Vec<_> = steps.iter().map(|step| step["key"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        (steps, &why["why"]["key"]),
        (vec!["si-payment", "order", "offering-nl"], &"offering-nl".into())
    );
    let untouched = shell.json(&["impact", "payment-1", "--why", "mailer-1"]);
    assert_eq!(untouched["affected"].as_array().map(Vec::len), Some(0));

    scenario(&shell, &["create", "second", "--reason", "one payment instance is not enough"]);
    scenario(&shell, &["add", "second", "application", "payment-2", "version=1.4.7"]);
    scenario(&shell, &["relate", "second", "+payment-2", "runs_on", "vm-app-2"]);
    scenario(&shell, &["relate", "second", "si-payment", "depends_on", "payment-1", "--group", "pay"]);
    scenario(&shell, &["relate", "second", "si-payment", "depends_on", "+payment-2", "--group", "pay"]);
    scenario(&shell, &["require", "second", "si-payment", "pay", "at_least", "1"]);
    let edited = scenario(&shell, &["set", "second", "payment-1", "version=2.0"]);
    assert_eq!((edited["edits_total"].as_u64(), edited["base_revision"].as_u64()), (Some(6), Some(base)));

    let redundant = set(&["si-payment degraded"]);
    assert_eq!(affected(&shell.json(&["impact", "payment-1", "--scenario", "second"])), redundant);
    let added = shell.json(&["impact", "+payment-2", "--scenario", "second"]);
    assert_eq!((affected(&added), added["seeds"][0]["id"].as_str()), (redundant.clone(), Some("+payment-2")));
    let both = shell.json(&["impact", "payment-1", "+payment-2", "--scenario", "second"]);
    assert_eq!(affected(&both), alone);
    let joint = shell.json(&["impact", "payment-1", "+payment-2", "--joint", "--scenario", "second"]);
    assert_eq!(affected(&joint), alone, "one of them alone degrades, and no more");
    let chains = shell.json(&["trace", "order", "+payment-2", "--scenario", "second"]);
    let steps = chains["chains"][0]["steps"].as_array().expect("a chain");
    let steps: Vec<_> = steps.iter().map(|step| step["id"].as_str().expect("an id")).collect();
    assert_eq!((steps.len(), steps.last()), (3, Some(&"+payment-2")));
    let needs = shell.json(&["depends", "si-payment", "--scenario", "second", "--depth", "1"]);
    let needs = needs["dependencies"].as_array().expect("what is needed");
    assert!(
        needs.iter().any(|item| item["id"] == "+payment-2" && item["class"] == "application"),
        "{needs:?}"
    );

    let points = |scenario: &[&str]| {
        let question: &[&str] = &["critical", "--service", "si-payment"];
        let answer = shell.json(&[question, scenario].concat());
        let points = answer["points"].as_array().expect("points of failure").clone();
        let keys: BTreeSet<String> =
            points.iter().map(|point| point["item"]["key"].as_str().unwrap_or_default().to_owned()).collect();
        (keys, answer["services"][0].clone())
    };
    assert!(points(&[]).0.contains("payment-1"));
    let (keys, standing) = points(&["--scenario", "second"]);
    assert!(!keys.contains("payment-1"), "{keys:?}");
    let sets = standing["sets"].to_string();
    assert!(sets.contains("payment-1") && sets.contains("+payment-2"), "{sets}");
    let left = shell.json(&["critical", "--service", "si-payment", "--down", "payment-1"]);
    assert_eq!(left["services"][0]["down"], true);

    assert_eq!(affected(&shell.json(&["impact", "payment-1"])), alone, "nothing has happened");
    assert_eq!(shell.revision(), base);
    shell.run(["impact", "+payment-2"]).must_end_with(3);
    shell.run(["impact", "+payment-3", "--scenario", "second"]).must_end_with(3).says(&["+payment-2"]);
    shell.run(["impact", "payment-1", "--scenario", "third"]).must_end_with(3).says(&["third"]);

    // Somebody upgrades the first instance meanwhile.
    shell.ok(["set", "payment-1", "version=1.5"]);
    let diff = scenario(&shell, &["diff", "second"]);
    let field = diff["conflicts"][0]["field"].as_str().expect("a conflict").to_owned();
    assert_eq!(diff["conflicts"].as_array().map(Vec::len), Some(1), "{diff}");
    let refused = shell.run(["scenario", "apply", "second"]).must_end_with(1);
    assert!(refused.out.contains(&format!("--take-field '{field}=mine'")), "{}", refused.out);
    for part in ["1.4.7", "1.5", "2.0"] {
        assert!(refused.out.contains(part), "{}", refused.out);
    }
    assert_eq!(shell.revision(), base + 1);

    let decided = format!("{field}=theirs");
    let dry = scenario(&shell, &["apply", "second", "--take-field", &decided, "--dry-run"]);
    assert_eq!((dry["revision"].as_u64(), shell.revision()), (None, base + 1));
    let applied = scenario(&shell, &["apply", "second", "--take-field", &decided]);
    assert_eq!(applied["revision"], base + 2);
    assert_eq!(affected(&shell.json(&["impact", "payment-1"])), redundant);
    assert_eq!(shell.json(&["show", "payment-1"])["attributes"]["version"]["value"], "1.5");
    assert_eq!(shell.json(&["show", "payment-2"])["attributes"]["version"]["value"], "1.4.7");
    shell.verify_is_clean();

    assert_eq!(scenario(&shell, &["list"])["scenarios"][0]["name"], "second");
    shell.ok(["scenario", "delete", "second"]);
    assert_eq!(scenario(&shell, &["list"])["scenarios"].as_array().map(Vec::len), Some(0));
    assert_eq!(affected(&shell.json(&["impact", "payment-1"])), redundant, "what was applied stays");
}
