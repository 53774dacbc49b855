//! Benchmarks of the engine on a generated estate. They print; nothing asserts on a time.

mod compare;
mod generator;
mod graph;
mod machine;
mod measure;
mod micro;
mod store;
mod table;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// As the server has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
#[command(about = "Benchmarks of the engine on a generated estate")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Commits, reports and impact answers on one store (the default)
    Micro(Options),
    /// The figures that the store has to reach, written into docs/performance.md
    Store(store::Options),
    /// The live graph and the answers beside the raw limit and petgraph, written into docs/performance.md
    Graph(graph::Options),
    /// What users would pick, asked the same on the same estate, written into docs/performance.md
    Compare(compare::Options),
    /// Our side of `compare`
    #[command(hide = true)]
    Ours(compare::Ours),
    /// Opens a store and dies; what `store` opens afterwards
    #[command(hide = true)]
    Killed(store::Killed),
    /// A server until standard input ends; what `store` sends reports to
    #[command(hide = true)]
    Serve(store::Serve),
}

/// What is measured on.
#[derive(clap::Args)]
pub struct Options {
    /// Items of the generated estate
    #[arg(long, default_value_t = 20_000)]
    items: u64,
    /// Seed of the estate and of what is asked
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Where the store is made; it is removed afterwards
    #[arg(long, default_value = "target")]
    directory: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self { items: 20_000, seed: 42, directory: PathBuf::from("target") }
    }
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Some(Command::Micro(options)) => micro::run(&options),
        Some(Command::Store(options)) => store::run(&options),
        Some(Command::Graph(options)) => graph::run(&options),
        Some(Command::Compare(options)) => compare::run(&options),
        Some(Command::Ours(ours)) => ours.serve(),
        Some(Command::Killed(killed)) => store::die(&killed),
        Some(Command::Serve(serve)) => store::serve(&serve),
        None => micro::run(&Options::default()),
    }
}
