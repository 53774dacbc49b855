//! What users would pick, put the same questions on the same estate in the same run.
//!
//! ```text
//! estate ─ facts (CSV) ─┬─→ ours (this program again)  ─┐
//!                       └─→ ask.py ENGINE (a process)  ─┴─ duel: a handful of questions to one, the same to the other
//!                                                             └─→ report: table, chart, one flat object
//! ```
//!
//! Both sides load the same files and speak one protocol, so both are measured alike. The answers are compared: how many
//! items, and a sum over their ids. Invariant: what differs is named, and the command fails. What cannot run is
//! named and left out. An engine that is slow is put fewer questions, and the ratio is of those that both were put.

mod chart;
mod duel;
mod engine;
mod facts;
mod ours;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::graph::estate::Estate;
use crate::graph::{Output, Size};
use crate::machine;

use duel::Duel;
use engine::{Contender, ENGINES, Engine, Player};
use facts::Facts;
pub use ours::Ours;

/// What is compared, and where the figures go.
#[derive(clap::Args)]
pub struct Options {
    /// How large the estate is
    #[arg(long, value_enum, ignore_case = true, default_value = "s")]
    size: Size,
    /// Questions of each kind; of each layer of the estate as many
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    seeds: u32,
    /// These engines only
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Contender>,
    /// Seconds after which an engine is put no more questions of a kind
    #[arg(long, default_value_t = 60)]
    limit_s: u64,
    /// What is printed
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
    /// Seed of the estate and of what is asked
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The page that the table is written into; the chart is put beside it
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
    /// A Python with the engines' packages, as `cargo xtask bench compare` sets it up
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// The directory with `initdb` and `postgres`
    #[arg(long)]
    postgresql: Option<PathBuf>,
    /// Why an engine is left out: `kuzu=it cannot be installed`
    #[arg(long, value_parser = reason)]
    skip: Vec<(Contender, String)>,
}

fn reason(text: &str) -> Result<(Contender, String), String> {
    let (name, why) = text.split_once('=').ok_or("expected NAME=REASON")?;
    Ok((clap::ValueEnum::from_str(name, true)?, why.to_owned()))
}

/// Asks everybody, prints, writes the page and the chart.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line program")]
pub fn run(options: &Options) -> Result<()> {
    let machine = machine::describe()?;
    let made = Estate::new(options.size.items(), options.seed);
    // Not in the target directory: a server may run as somebody who cannot go there.
    let place = tempfile::tempdir().context("making a directory for what is compared")?;
    let facts = Facts::write(&made, place.path(), options.seed, options.seeds as usize)?;
    drop(made);
    let mut ours = Player::start(Engine::Ours, &facts, options.limits())?;
    let mut duels = Vec::new();
    let mut skipped = Vec::new();
    for contender in &ENGINES {
        if !options.only.is_empty() && !options.only.contains(&contender.name) {
            skipped.push(format!("left out: {}: not among those that were asked for", contender.shown));
            continue;
        }
        eprintln!("asking {} …", contender.shown);
        let known = options.skip.iter().find(|(name, _)| *name == contender.name);
        let outcome = match known {
            Some((_, reason)) => Err(anyhow::anyhow!(reason.clone())),
            None => options
                .engine(contender)
                .and_then(|engine| Duel::fight(contender, engine, &mut ours, &facts, options.limits())),
        };
        match outcome {
            Ok(duel) => duels.push(duel),
            Err(error) => skipped.push(format!("skipped: {}: {}", contender.shown, in_one_line(&error))),
        }
    }
    let report = report::Report {
        size: options.size.name(),
        machine,
        items: facts.items,
        relationships: facts.relationships,
        limit: options.limits().questions,
        ours: ours.finish()?,
        duels,
        skipped,
    };
    match options.output {
        Output::Json => println!("{}", report.json()),
        Output::Table => {
            let chart =
                options.page.with_file_name(format!("compare-{}.svg", options.size.name().to_lowercase()));
            report.write(&options.page, &chart)?;
            println!("{}", report.table(&chart)?);
        }
    }
    fail_if_different(&report.duels)
}

/// A wrong answer is no matter of taste: the command fails, and says which one.
fn fail_if_different(duels: &[Duel]) -> Result<()> {
    let differences: Vec<String> = duels.iter().flat_map(Duel::differences).collect();
    ensure!(differences.is_empty(), "answers differ from ours:\n{}", differences.join("\n"));
    Ok(())
}

/// The reason, without what a tool wrote around it.
fn in_one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next_back().map_or_else(|| first.to_owned(), |last| format!("{first} {last}"))
}

/// How long is waited for an engine.
#[derive(Clone, Copy)]
pub struct Limits {
    /// For it to load the estate.
    load: Duration,
    /// For all questions of a kind.
    questions: Duration,
}

/// An engine may take so long to load the estate.
const LOAD_MAX: Duration = Duration::from_secs(900);

impl Options {
    fn limits(&self) -> Limits {
        Limits { load: LOAD_MAX, questions: Duration::from_secs(self.limit_s) }
    }

    fn engine(&self, contender: &engine::Entry) -> Result<Engine> {
        let mut environment = Vec::new();
        if contender.name == Contender::Postgresql {
            match &self.postgresql {
                Some(programs) => environment.push(("CMDB_COMPARE_POSTGRESQL", programs.clone())),
                None => bail!("no `--postgresql` names where its programs are"),
            }
        }
        Ok(Engine::Python { interpreter: self.python.clone(), name: contender.module, environment })
    }
}

#[cfg(test)]
mod tests;
