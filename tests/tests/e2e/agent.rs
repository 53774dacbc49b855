//! The agent against a real server: this machine is in the graph, and a second look changes nothing.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::agent;
use crate::harness::server::Server;

#[test]
fn this_machine_reports_itself() {
    let server = Server::start();
    let shell = server.shell();
    let state = TempDir::new().expect("a temporary directory");
    agent::once(&server.url(), state.path());

    let systems = shell.json_lines(&["items", "--all", "--class", "operating_system"]);
    assert_eq!(systems.len(), 1, "one operating system runs here: {systems:?}");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("this is Linux");
    assert_eq!(attribute(&systems[0], "kernel.release"), release.trim());

    let of_class = |class: &str| shell.json_lines(&["items", "--all", "--class", class]).len();
    assert!(of_class("software") > 0, "the server itself runs here");
    assert!(of_class("endpoint") > 0, "the server itself listens here");
    assert!(of_class("network_interface") > 0, "every machine has a loopback interface");
    if Path::new("/var/lib/dpkg/status").exists() {
        let status = std::fs::read_to_string("/var/lib/dpkg/status").expect("readable");
        let installed =
            status.lines().filter(|line| line.starts_with("Status: ") && line.ends_with(" installed"));
        assert_eq!(of_class("package"), installed.count(), "every installed package is an item");
    }
    shell.verify_is_clean();
}

fn attribute<'a>(item: &'a Value, name: &str) -> &'a str {
    item["attributes"][name]["value"].as_str().unwrap_or_else(|| panic!("no {name}: {item}"))
}
