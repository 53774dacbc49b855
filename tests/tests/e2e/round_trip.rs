//! Export, import into an empty store, export again: the same graph.

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

#[test]
fn an_export_imported_into_an_empty_store_exports_the_same() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    // More than one source, a correction by hand, and an item out of use.
    let directory = TempDir::new().expect("a temporary directory");
    let second = directory.path().join("second.jsonl");
    let lines = r#"{"item":{"key":"w","class":"web_server","name":"Web server 3","attributes":{"version":"1.27"}}}
{"relationship":{"from":"w","type":"runs_on","to":"webshop:vm-web-2"}}
{"relationship":{"from":"w","type":"depends_on","to":{"match":{"class":"cache","name":"nowhere"}}}}
"#;
    std::fs::write(&second, lines).expect("a file");
    shell.import("second", &second);
    shell.ok(["set", "webshop:web-1", "version=1.28", "--reason", "seen on the machine"]);
    shell.ok(["retire", "webshop:cache-1"]);

    let first = shell.export();
    let file = directory.path().join("export.jsonl");
    std::fs::write(&file, &first).expect("the export is writable");
    let copy = Server::start();
    copy.shell().ok(["import".as_ref(), file.as_os_str()]);
    copy.shell().verify_is_clean();
    assert_same_lines(&first, &copy.shell().export());
    assert_same_impact(&shell, &copy.shell(), "webshop:storage-ams");
}

/// All but the first line, which names the revision of the store that was exported.
fn assert_same_lines(first: &str, second: &str) {
    assert!(first.lines().count() > 80, "an export of the sample estate has a line for each item");
    for (number, (left, right)) in first.lines().zip(second.lines()).enumerate().skip(1) {
        assert_eq!(left, right, "line {} differs", number + 1);
    }
    assert_eq!(first.lines().count(), second.lines().count());
}

fn assert_same_impact(left: &Shell, right: &Shell, item: &str) {
    let affected = |shell: &Shell| -> Vec<Value> {
        shell.json(&["impact", item])["affected"]
            .as_array()
            .expect("an impact answer lists the affected")
            .clone()
    };
    assert!(!affected(left).is_empty());
    assert_eq!(affected(left), affected(right));
}

#[test]
fn importing_the_same_again_changes_nothing() {
    let server = Server::start();
    let shell = server.shell();
    let file = repository("examples/webshop.jsonl");
    shell.import("webshop", &file);
    let revision = shell.revision();
    shell.import("webshop", &file);
    assert_eq!(shell.revision(), revision);
}
