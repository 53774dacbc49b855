//! A backup taken while the server takes reports restores to a clean store that holds what was acknowledged
//! before; one of a quiet server restores to the same graph.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::load::{self, Load, Reporter};
use crate::harness::repository;
use crate::harness::server::{Server, restore};
use crate::harness::shell::Shell;

const AGENTS: u64 = 2;
/// Backups until one runs beside a report.
const BACKUPS_MAX: u32 = 20;
/// Acknowledgements before the backup begins.
const WARM_UP: u64 = 20;

#[test]
fn a_restored_backup_exports_the_same_graph() {
    let server = Server::start();
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let directory = TempDir::new().expect("a temporary directory");
    let file = backup(&shell, directory.path());
    let restored = start_restored(directory.path(), &file);
    restored.shell().verify_is_clean();
    assert_eq!(restored.shell().export(), shell.export());
    assert_eq!(restored.shell().revision(), shell.revision());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_holds_what_was_acknowledged_before() {
    let server = tokio::task::spawn_blocking(Server::start).await.expect("the server starts");
    let reporters: Vec<Reporter> = (1..=AGENTS).map(Reporter::new).collect();
    let mut load = Load::start(&server, &reporters).await;
    load.reach(WARM_UP, &server).await;
    // One backup of a small store can fall between two reports; one of several does not.
    let directory = TempDir::new().expect("a temporary directory");
    let mut taken = None;
    for number in 0..BACKUPS_MAX {
        let before: Vec<_> = reporters.iter().map(Reporter::promise).collect();
        let acknowledged = load.acknowledged();
        let (shell, place) = (server.shell(), directory.path().join(number.to_string()));
        let file =
            tokio::task::spawn_blocking(move || backup(&shell, &place)).await.expect("the backup is taken");
        if load.acknowledged() > acknowledged {
            taken = Some((before, file));
            break;
        }
    }
    load.end().await;
    let (before, file) = taken.expect("reports are taken while a backup runs");

    let place = directory.path().to_owned();
    let restored = tokio::task::spawn_blocking(move || {
        let restored = start_restored(&place, &file);
        restored.shell().verify_is_clean();
        restored
    });
    let restored = restored.await.expect("the backup is restored");
    let held = load::held(restored.channel().await).await;
    for (mut promise, reporter) in before.into_iter().zip(&reporters) {
        // The backup may hold more than was acknowledged when it began.
        promise.sent = reporter.promise().sent;
        let broken = promise.broken_by(&held);
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

fn backup(shell: &Shell, directory: &Path) -> std::path::PathBuf {
    std::fs::create_dir_all(directory).expect("a temporary directory");
    let file = directory.join("backup");
    shell.ok(["backup".as_ref(), file.as_os_str()]);
    file
}

fn start_restored(directory: &Path, backup: &Path) -> Server {
    let output = restore(directory, backup);
    assert!(output.status.success(), "restore: {}", String::from_utf8_lossy(&output.stderr));
    Server::start_in(directory)
}
