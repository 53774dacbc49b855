//! kill -9 of the server during a stream of reports, fifty times on one store: nothing that was
//! acknowledged is lost, and the store is clean each time. SIGTERM loses nothing either.

use std::path::Path;

use tempfile::TempDir;

use crate::harness::load::{self, Load, Promise, Reporter};
use crate::harness::server::Server;
use crate::harness::tell;

const KILLS: u64 = 50;
const AGENTS: u64 = 4;
/// Acknowledgements before a kill: from 1 to this.
const ACKNOWLEDGEMENTS_MAX: u64 = 40;
const SEED: u64 = 0x5eed_c0de;

#[derive(Clone, Copy)]
enum End {
    Kill,
    Terminate,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_fifty_times_nothing_acknowledged_is_lost() {
    tell(&format!("crash test: seed {SEED:#x}"));
    let directory = TempDir::new().expect("a temporary directory");
    let reporters: Vec<Reporter> = (1..=AGENTS).map(Reporter::new).collect();
    let mut random = SEED;
    let mut ready = Vec::new();
    for _ in 0..KILLS {
        let server = start(directory.path()).await;
        ready.push(server.ready_in());
        check(&server, &reporters).await;
        random = next_random(random);
        run_until_it_ends(server, &reporters, 1 + random % ACKNOWLEDGEMENTS_MAX, End::Kill).await;
    }
    let server = start(directory.path()).await;
    ready.push(server.ready_in());
    check(&server, &reporters).await;
    ready.sort();
    let acknowledged: usize = reporters.iter().map(|reporter| reporter.promise().acknowledged.len()).sum();
    tell(&format!(
        "crash test: {KILLS} kills, {acknowledged} acknowledged reports kept; ready after start: median {} ms, longest {} ms",
        ready[ready.len() / 2].as_millis(),
        ready[ready.len() - 1].as_millis()
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_nothing_acknowledged_is_lost() {
    let directory = TempDir::new().expect("a temporary directory");
    let reporters: Vec<Reporter> = (1..=AGENTS).map(Reporter::new).collect();
    for _ in 0..3 {
        let server = start(directory.path()).await;
        check(&server, &reporters).await;
        run_until_it_ends(server, &reporters, ACKNOWLEDGEMENTS_MAX, End::Terminate).await;
    }
    check(&start(directory.path()).await, &reporters).await;
}

async fn start(directory: &Path) -> Server {
    let directory = directory.to_owned();
    // The harness waits; it must not hold up the runtime that it waits with.
    tokio::task::spawn_blocking(move || Server::start_in(&directory)).await.expect("the server starts")
}

/// Every promise is kept and the log agrees with the tables.
async fn check(server: &Server, reporters: &[Reporter]) {
    let held = load::held(server.channel().await).await;
    let broken: Vec<String> = reporters
        .iter()
        .map(Reporter::promise)
        .flat_map(|promise: Promise| promise.broken_by(&held))
        .collect();
    assert!(broken.is_empty(), "{}\n--- log:\n{}", broken.join("\n"), server.log());
    let shell = server.shell();
    tokio::task::spawn_blocking(move || shell.verify_is_clean()).await.expect("verify ends");
}

async fn run_until_it_ends(server: Server, reporters: &[Reporter], acknowledgements: u64, end: End) {
    let mut load = Load::start(&server, reporters).await;
    load.reach(acknowledgements, &server).await;
    let ended = tokio::task::spawn_blocking(move || match end {
        End::Kill => server.kill(),
        End::Terminate => server.terminate(),
    });
    ended.await.expect("the server ends");
    load.end().await;
}

/// xorshift64: which moment is hit must differ from round to round and be the same from run to run.
fn next_random(mut state: u64) -> u64 {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    state
}
