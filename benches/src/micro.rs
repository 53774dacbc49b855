//! One store, filled and then asked: how fast commits are durable, what an unchanged report costs, and how
//! long an impact answer takes.
//!
//! Everything goes through the engine's one door, on redb, on the disk that the store would lie on. The network
//! is left out.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use cmdb_core::claim::{Claim, UnitKind};
use cmdb_core::engine::{
    Actor, Applied, Apply, Clock, Cmdb, EngineError, Entry, Options as EngineOptions, Report, ReportOutcome,
    Section, SourceName,
};
use cmdb_core::graph::{Graph, Index};
use cmdb_core::model::{Problem, Schema, SourceKind, Timestamp};
use cmdb_core::store::RedbStore;
use cmdb_impact::propagate;

use crate::Options;
use crate::generator::{self, Random};
use crate::machine;
use crate::measure::{Measured, measure};

/// Claims of one applied batch.
const BATCH: usize = 1_000;
/// Entries of the report that is sent again.
const REPORT_ENTRIES: u64 = 1_000;
/// Agents that report at the same moment.
const AGENTS: u64 = 64;
const REPETITIONS: u64 = 21;
/// Questions in one measured run.
const QUESTIONS: usize = 100;

#[allow(clippy::print_stdout, reason = "this is a command line program")]
fn say(line: &str) {
    println!("{line}");
}

/// Runs everything and prints medians.
pub fn run(options: &Options) -> Result<()> {
    let directory = machine::scratch(&options.directory)?;
    let claims = generator::estate(options.items, options.seed);
    let relationships: usize = claims.iter().map(|claim| claim.relationships.len()).sum();
    say(&format!("estate: {} items, {relationships} relationships, seed {}", claims.len(), options.seed));
    say(&Measured::heading());
    let engine = open(directory.path())?;
    say(&fill(&engine, &claims)?.line());
    say(&single_commits(&engine)?.line());
    say(&reports_together(&engine)?.line());
    for measured in repeated_reports(&engine)? {
        say(&measured.line());
    }
    for measured in impact(&engine.graph(), options.seed)? {
        say(&measured.line());
    }
    engine.close();
    drop(engine);
    say(&reopen(directory.path(), claims.len() as u64)?.line());
    Ok(())
}

fn open(directory: &Path) -> Result<Cmdb> {
    let store = Arc::new(RedbStore::open(directory)?);
    let clock: Clock = Arc::new(now);
    Ok(Cmdb::open(store, Schema::built_in(), clock, Arc::new(|| [7; 32]), EngineOptions::default())?)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since.as_micros()).expect("before the year 292277"))
}

/// The whole estate, in batches; each batch is one durable commit.
fn fill(engine: &Cmdb, claims: &[Claim]) -> Result<Measured> {
    let batches: Vec<&[Claim]> = claims.chunks(BATCH).collect();
    let name = format!("apply {BATCH} new items in one commit");
    measure(name, batches.len() as u64, (BATCH as u64, "items"), |number| {
        let batch = batches[usize::try_from(number)?];
        apply(engine, batch.to_vec())
    })
}

/// One small change after the other, each waiting for its own durable commit.
fn single_commits(engine: &Cmdb) -> Result<Measured> {
    measure("apply 1 new item in one commit", REPETITIONS, (1, "items"), |number| {
        apply(engine, vec![generator::item("business_application", &format!("single-{number}"))])
    })
}

/// Many agents at once: the writer makes one commit of what is waiting.
fn reports_together(engine: &Cmdb) -> Result<Measured> {
    let name = format!("{AGENTS} agents, 1 changed entry each, at once");
    measure(name, REPETITIONS, (AGENTS, "reports"), |number| {
        let (sender, receiver) = mpsc::channel();
        for agent in 0..AGENTS {
            let entries = vec![entry(&format!("item-{agent}"), number)];
            let sender = sender.clone();
            // The receiver outlives every answer.
            let reply = Box::new(move |outcome| drop(sender.send(outcome)));
            engine.report(report(&format!("agent-{agent}"), number, Ok(entries)), reply);
        }
        for _ in 0..AGENTS {
            taken(receiver.recv()?)?;
        }
        Ok(())
    })
}

/// The same report again: whole, and with one entry of a thousand changed.
fn repeated_reports(engine: &Cmdb) -> Result<[Measured; 2]> {
    let source = "agent-repeated";
    let entries = |version: u64| -> Vec<Entry> {
        let of = |number| entry(&format!("repeated-{number}"), if number == 0 { version } else { 0 });
        (0..REPORT_ENTRIES).map(of).collect()
    };
    send(engine, report(source, 0, Ok(entries(0))))?;
    let unchanged = measure("unchanged report of 1,000 entries", REPETITIONS, (1, "reports"), |_| {
        send(engine, report(source, 0, Err(Unchanged)))
    })?;
    let changed = measure("report of 1,000 entries, 1 changed", REPETITIONS, (1, "reports"), |number| {
        send(engine, report(source, number + 1, Ok(entries(number + 1))))
    })?;
    Ok([unchanged, changed])
}

fn impact(graph: &Graph, seed: u64) -> Result<[Measured; 2]> {
    let mut random = Random::new(seed);
    let clusters: Vec<Index> = graph.indexes().filter(|index| graph.class(*index) == "cluster").collect();
    let any: Vec<Index> = graph.indexes().collect();
    let mut ask = |name: &str, among: &[Index]| {
        measure(name, REPETITIONS, (QUESTIONS as u64, "answers"), |_| {
            for _ in 0..QUESTIONS {
                let place = usize::try_from(random.below(among.len() as u64))?;
                let answer = propagate::impact(graph, &[among[place]], propagate::Options::default());
                std::hint::black_box(answer.counts());
            }
            Ok(())
        })
    };
    let of_any = ask(&format!("{QUESTIONS} impact answers, any item"), &any)?;
    let of_clusters = ask(&format!("{QUESTIONS} impact answers, a cluster"), &clusters)?;
    Ok([of_any, of_clusters])
}

/// Opening a filled store: what a restart costs before it answers.
fn reopen(directory: &Path, items: u64) -> Result<Measured> {
    measure("open the filled store", 5, (items, "items"), |_| {
        let engine = open(directory)?;
        engine.close();
        Ok(())
    })
}

fn apply(engine: &Cmdb, claims: Vec<Claim>) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    let apply = Apply {
        source: source("estate", SourceKind::Import),
        actor: Actor { name: "bench".to_owned(), reason: String::new() },
        claims,
        merge: false,
        dry_run: false,
        observed_at: None,
    };
    let reply = Box::new(move |outcome: Result<Applied, EngineError>| drop(sender.send(outcome)));
    engine.apply(apply, reply);
    let applied = receiver.recv()??;
    applied.revision.map(drop).context("new items make a revision")
}

fn send(engine: &Cmdb, report: Report) -> Result<()> {
    let (sender, receiver) = mpsc::channel();
    engine.report(report, Box::new(move |outcome| drop(sender.send(outcome))));
    taken(receiver.recv()?)
}

fn taken(outcome: Result<ReportOutcome, EngineError>) -> Result<()> {
    let outcome = outcome?;
    match outcome.refused.first() {
        None => Ok(()),
        Some(decision) => Err(anyhow!("an entry was refused: {decision:?}")),
    }
}

fn source(name: &str, kind: SourceKind) -> SourceName {
    SourceName { name: name.to_owned(), kind, title: String::new(), version: String::new() }
}

/// The section equals the last one that was acknowledged.
struct Unchanged;

fn report(agent: &str, version: u64, entries: Result<Vec<Entry>, Unchanged>) -> Report {
    let digest = version.to_le_bytes().to_vec();
    let unchanged = entries.is_err();
    let section = Section {
        scope: "software".to_owned(),
        complete: Ok(()),
        digest: digest.clone(),
        unchanged,
        entries: entries.unwrap_or_default(),
    };
    let source = source(agent, SourceKind::Agent);
    Report { source, digest, observed_at: now(), sections: vec![section], decode }
}

fn entry(key: &str, version: u64) -> Entry {
    let body = format!("{key}\n{version}").into_bytes();
    Entry { key: key.to_owned(), digest: version.to_le_bytes().to_vec(), body: Some(body) }
}

/// `key\nversion`: the cheapest body there is, so that the engine is measured and not the decoding.
fn decode(body: &[u8]) -> Result<Claim, Problem> {
    let text = String::from_utf8_lossy(body);
    let (key, version) = text.split_once('\n').expect("entry() writes two lines");
    let mut claim = generator::item("business_application", key);
    debug_assert_eq!(claim.kind, UnitKind::Item);
    generator::describe(&mut claim, version);
    Ok(claim)
}
