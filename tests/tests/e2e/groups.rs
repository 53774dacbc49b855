//! Redundancy that nobody declared: concluded, asked, confirmed, rejected, with the shell and a real server.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

const GROUP: &str = "postgresql:5432";

/// What becomes of the reporting, by the key of each item, when one database fails.
fn reporting(shell: &Shell) -> BTreeMap<String, String> {
    let answer = shell.json(&["impact", "orders-db-1"]);
    let affected = answer["affected"].as_array().expect("an impact answer lists the affected");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let pairs = affected.iter().map(|item| (text(&item["key"]), text(&item["state"])));
    pairs.filter(|(key, _)| key.contains("reporting")).collect()
}

fn states(of_server: &str, of_service: Option<&str>) -> BTreeMap<String, String> {
    let service = of_service.map(|state| ("si-reporting".to_owned(), state.to_owned()));
    [("reporting-1".to_owned(), of_server.to_owned())].into_iter().chain(service).collect()
}

#[test]
fn the_sample_estate_has_a_group_that_nobody_declared() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let proposed = shell.json(&["groups", "--state", "proposed"]);
    assert_eq!(
        (&proposed["total"], &proposed["groups"][0]["item"]["key"]),
        (&1.into(), &"reporting-1".into())
    );
    let listed = shell.ok(["groups", "--item", "reporting-1"]);
    for part in [GROUP, "needs any of 2, 90 % sure", "they replicate to one another"] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    assert_eq!(reporting(&shell), states("at_risk", Some("at_risk")));
    let asked = shell.ok(["impact", "orders-db-1"]);
    let assumed = "assumed: group postgresql:5432 of Reporting is inferred with confidence 0.90 (any)";
    assert!(asked.contains(assumed) && asked.contains("they replicate to one another"), "{asked}");

    let confirm = ["groups", "confirm", "reporting-1", GROUP, "--reason", "streaming replication"];
    shell.ok(confirm);
    assert_eq!(reporting(&shell), states("degraded", None));
    let confirmed = shell.revision();
    assert!(shell.ok(["history", "reporting-1"]).contains("streaming replication"));
    shell.ok(["groups", "reject", "reporting-1", GROUP, "--reason", "it writes"]);
    assert_eq!(reporting(&shell), states("failed", Some("failed")));
    let rejected = shell.json(&["groups", "--state", "rejected"]);
    assert_eq!(rejected["groups"][0]["reason"], "it writes");
    shell.ok(["revert", &shell.revision().to_string()]);
    shell.ok(["revert", &confirmed.to_string()]);
    assert_eq!(reporting(&shell), states("at_risk", Some("at_risk")));
    shell.verify_is_clean();
}
