//! A backup taken while the server takes reports restores to a clean store that holds what was acknowledged
//! before; one of a quiet server restores to the same graph.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::load::{self, Reporter};
use crate::harness::repository;
use crate::harness::server::{Server, restore};
use crate::harness::shell::Shell;

const AGENTS: u64 = 2;
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
    let total = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut running = tokio::task::JoinSet::new();
    for reporter in reporters.iter().cloned() {
        let (channel, total, stop) = (server.channel().await, total.clone(), stop.clone());
        running.spawn(async move { reporter.report(channel, total, stop).await });
    }
    while total.load(Ordering::SeqCst) < WARM_UP {
        assert!(running.try_join_next().is_none(), "an agent ended early\n{}", server.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before: Vec<_> = reporters.iter().map(Reporter::promise).collect();
    let directory = TempDir::new().expect("a temporary directory");
    let (shell, place) = (server.shell(), directory.path().to_owned());
    let file = tokio::task::spawn_blocking(move || backup(&shell, &place)).await.expect("the backup is taken");
    let at_backup_end = total.load(Ordering::SeqCst);
    stop.store(true, Ordering::SeqCst);
    while let Some(ended) = running.join_next().await {
        ended.expect("an agent does not fail");
    }
    assert!(at_backup_end > WARM_UP, "no report was taken while the backup ran");

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
    let file = directory.join("backup.redb");
    shell.ok(["backup".as_ref(), file.as_os_str()]);
    file
}

fn start_restored(directory: &Path, backup: &Path) -> Server {
    let output = restore(directory, backup);
    assert!(output.status.success(), "restore: {}", String::from_utf8_lossy(&output.stderr));
    Server::start_in(directory)
}
