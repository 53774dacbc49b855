//! Our side: a process like the others', which loads the same files and answers the same questions.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use cmdb_core::graph::{Carries, Delta, EdgeState, Graph, Index, Reaches, Visited};
use cmdb_core::model::{ItemId, Revision, Status};
use cmdb_impact::{Options as ImpactOptions, impact};
use petgraph::visit::VisitMap;
use serde::de::DeserializeOwned;

use super::engine::{Answer, Asked, Loaded, Memory, Question, summed};
use crate::machine;
use crate::measure::cpu;

/// Hops of the shorter question.
const HOPS: u32 = 3;

/// Loads and answers, as `compare` starts it.
#[derive(clap::Args)]
pub struct Ours {
    items: PathBuf,
    needs: PathBuf,
}

impl Ours {
    /// Until standard input ends.
    #[allow(clippy::print_stdout, reason = "the protocol is standard output")]
    pub fn serve(&self) -> Result<()> {
        let before_kb = machine::resident()?;
        let (began, cpu_began) = (Instant::now(), cpu());
        let graph = load(&self.items, &self.needs)?;
        let (wall, cpu) = (began.elapsed(), cpu() - cpu_began);
        let Memory { resident_kb, peak_kb } = memory(before_kb)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (wall_ns, cpu_ns) = (u64::try_from(wall.as_nanos())?, u64::try_from(cpu.as_nanos())?);
        println!("{}", serde_json::to_string(&Loaded { version, wall_ns, cpu_ns, resident_kb, peak_kb })?);
        let mut output = std::io::stdout().lock();
        let mut seen = Visited::of(&graph);
        for line in std::io::stdin().lock().lines() {
            let asked: Asked = serde_json::from_str(&line?).context("reading what is asked")?;
            if asked.ask == Question::Memory {
                writeln!(output, "{}", serde_json::to_string(&memory(before_kb)?)?)?;
            }
            for seed in asked.seeds {
                let seed = graph.index(ItemId(seed)).with_context(|| format!("there is no item {seed}"))?;
                let answer = answer(&graph, asked.ask, seed, &mut seen)?;
                writeln!(output, "{}", serde_json::to_string(&answer)?)?;
            }
        }
        Ok(())
    }
}

fn answer(graph: &Graph, question: Question, seed: Index, seen: &mut Visited) -> Result<Answer> {
    let (began, cpu_began) = (Instant::now(), cpu());
    let found: Found = match question {
        Question::ThreeHops => Found::Within(within(graph, seed, HOPS, seen)),
        _ => Found::All(impact(graph, &[seed], ImpactOptions::default())),
    };
    let (wall, cpu) = (began.elapsed(), cpu() - cpu_began);
    let id = |index| graph.id(index).0;
    let (count, sum) = match &found {
        Found::All(impact) => summed(impact.affected().iter().map(|affected| id(affected.item))),
        Found::Within(items) => summed(items.iter().map(|index| id(*index))),
    };
    Ok(Answer {
        wall_ns: u64::try_from(wall.as_nanos())?,
        cpu_ns: u64::try_from(cpu.as_nanos())?,
        count,
        sum,
    })
}

/// An answer as it is; what is compared of it is taken from it when the clock has stopped.
enum Found {
    All(cmdb_impact::Impact),
    Within(Vec<Index>),
}

/// Who is reached in a few hops: a loop over the rows of the graph, as a program that uses it would have one.
fn within(graph: &Graph, seed: Index, hops: u32, seen: &mut Visited) -> Vec<Index> {
    let mut found = vec![seed];
    seen.visit(seed);
    let mut begin = 0;
    for _ in 0..hops {
        let end = found.len();
        for place in begin..end {
            for arc in graph.reach(found[place]) {
                let dependent = match arc {
                    Reaches::Hard(dependent) => dependent,
                    Reaches::Member(gate) => graph.slack(gate).dependent(),
                    Reaches::Weak(_) => continue,
                };
                if seen.visit(dependent) {
                    found.push(dependent);
                }
            }
        }
        begin = end;
    }
    for item in &found {
        seen.unvisit(*item);
    }
    found.swap_remove(0);
    found
}

/// The graph from the files that everybody loads.
fn load(items: &Path, needs: &Path) -> Result<Graph> {
    let class: Arc<str> = Arc::from("item");
    let kind: Arc<str> = Arc::from("depends_on");
    let items = rows::<u64>(items)?.into_iter().map(|id| Delta::Item {
        id: ItemId(id),
        class: Arc::clone(&class),
        status: Status::Active,
    });
    let needs = rows::<(u64, u64)>(needs)?.into_iter().map(|(provider, dependent)| Delta::Edge {
        dependent: ItemId(dependent),
        provider: ItemId(provider),
        kind: Arc::clone(&kind),
        from_is_dependent: true,
        after: Some(EdgeState {
            carries: Carries::Hard,
            group: None,
            weight: 1.0,
            inferred: false,
            confidence: 1.0,
            status: Status::Active,
        }),
    });
    Ok(Graph::build(Revision(1), items.chain(needs)))
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("reading {}", path.display()))?;
    let mut record = csv::ByteRecord::new();
    let mut rows = Vec::new();
    while reader.read_byte_record(&mut record)? {
        rows.push(record.deserialize(None).with_context(|| format!("reading {}", path.display()))?);
    }
    Ok(rows)
}

fn memory(before_kb: i64) -> Result<Memory> {
    let peak_kb = i64::try_from(machine::resident_peak()? >> 10)?;
    Ok(Memory { resident_kb: machine::resident()? - before_kb, peak_kb: peak_kb - before_kb })
}
