//! The disk takes no more: what is written is refused with the cause, reading goes on, and after a restart everything
//! that was acknowledged is there.

use std::fmt::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::harness::server::Server;

const MIB: u32 = 8;
const ITEMS: u64 = 500;
/// Imports until the store is as large as a file may be.
const IMPORTS_MAX: u64 = 60;

fn items(directory: &TempDir, import: u64) -> PathBuf {
    let mut rows = String::from("key,class,name,description\n");
    for item in 0..ITEMS {
        writeln!(rows, "i{import}-{item},application,App {import}-{item},{}", "word ".repeat(40))
            .expect("room");
    }
    let file = directory.path().join("items.csv");
    std::fs::write(&file, rows).expect("written");
    file
}

#[test]
fn reading_goes_on_when_nothing_can_be_written() {
    let directory = TempDir::new().expect("a temporary directory");
    let server = Server::start_with_small_files(directory.path(), MIB);
    let shell = server.shell();
    let mut taken = 0;
    let refused = loop {
        assert!(taken < IMPORTS_MAX, "{taken} imports were taken:\n{}", server.log());
        let file = items(&directory, taken);
        let ran = shell.run(["import", "--source", &format!("s{taken}"), file.to_str().expect("UTF-8")]);
        if ran.code != 0 {
            break ran;
        }
        taken += 1;
    };
    assert!(refused.err.contains("cannot be written any more"), "{}", refused.err);
    let status = shell.json(&["status"]);
    assert_eq!(status["items"], taken * ITEMS, "{status}");
    assert!(status["read_only"].as_str().is_some_and(|cause| cause.contains("failed")), "{status}");
    assert!(shell.ok(["show", "i0-0"]).contains("App 0-0"));
    shell.verify_is_clean();
    let again = shell.run(["set", "i0-0", "description=later"]);
    assert!(again.code != 0 && again.err.contains("restart the server"), "{}", again.err);
    server.kill();
    let server = Server::start_in(directory.path());
    let status = server.shell().json(&["status"]);
    assert_eq!(status["read_only"], "", "{status}");
    let items = status["items"].as_u64().expect("a number");
    // The import whose last write failed may be there; whole, if at all.
    assert!([taken * ITEMS, (taken + 1) * ITEMS].contains(&items), "{items} after {taken} imports");
    server.shell().verify_is_clean();
    server.shell().ok(["set", "i0-0", "description=later"]);
}
