//! A client that nobody here wrote: Python's grpcio finds the services through reflection.

use std::process::Command;

use crate::harness::server::Server;
use crate::harness::{repository, tool};

#[test]
fn a_foreign_client_lists_items_and_asks_for_impact() {
    let Some(python) = tool("CMDB_TEST_PYTHON", "the client written with Python's grpcio") else { return };
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let output = Command::new(python)
        .arg(repository("tests/foreign/client.py"))
        .arg(format!("127.0.0.1:{}", server.port()))
        .args(["web_server", "webshop:storage-ams"])
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let answer: serde_json::Value = serde_json::from_str(&said).expect("the client prints JSON");
    let services = answer["services"].as_array().expect("a list");
    assert!(services.iter().any(|name| name == "cmdb.v1.DiscoveryService"), "{services:?}");
    assert!(services.iter().any(|name| name == "grpc.health.v1.Health"), "{services:?}");
    assert_eq!(answer["items"], serde_json::json!(["Web server 1", "Web server 2"]));
    let counts = shell.json(&["impact", "webshop:storage-ams"])["counts"].clone();
    assert_eq!((&answer["failed"], &answer["degraded"]), (&counts["failed"], &counts["degraded"]));
    assert_eq!(answer["failed"], 33);
    assert_eq!(answer["error_reason"], "ITEM_NOT_FOUND");
}
