//! Benchmarks of the engine on a generated estate. They print; nothing asserts on a time.

mod generator;
mod measure;
mod micro;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

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
        None => micro::run(&Options::default()),
    }
}
