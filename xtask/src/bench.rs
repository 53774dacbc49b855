//! `cargo xtask bench`: runs the benchmarks in release mode. A benchmark is not a test: nothing fails on a time.
//!
//! Those of the engine are a program of their own, which knows their options; that of the agent, which is about
//! processes, stands here, and so does setting up what the others need.

mod agent;
mod compare;
mod crowd;
mod others;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::process;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Without a name: `graph` at this size, s, m or l
    #[arg(long)]
    size: Option<String>,
    /// Without a name: what `graph` prints, table or json
    #[arg(long)]
    output: Option<String>,
}

#[derive(clap::Subcommand)]
enum What {
    /// The live graph and its answers beside the raw limit and petgraph
    Graph(Passed),
    /// What users would pick, asked the same on the same estate; installs it below `target/`
    Compare(compare::Options),
    /// What the store costs
    Store(Passed),
    /// What the agent costs its host, beside what Debian has
    Agent,
    /// Commits, reports and impact answers on one small store
    Micro(Passed),
}

/// Options that the benchmark program knows: `--help` lists them.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Options {
    /// What was given without a name.
    fn named(&self) -> Vec<String> {
        let given = [("--size", &self.size), ("--output", &self.output)];
        let given = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        given.collect()
    }
}

/// Builds what is needed, optimised, and runs it.
pub fn bench(root: &Path, options: &Options) -> Result<ExitCode> {
    let (name, arguments) = match &options.what {
        Some(What::Agent) => return agent::bench(root),
        Some(What::Compare(options)) => return compare::bench(root, options),
        Some(What::Graph(passed)) => ("graph", passed.arguments.clone()),
        Some(What::Store(passed)) => ("store", passed.arguments.clone()),
        Some(What::Micro(passed)) => ("micro", passed.arguments.clone()),
        None => ("graph", options.named()),
    };
    Ok(process::exit_code(process::status(&mut engine(root, name, &arguments))?))
}

/// The benchmark program with one of its commands.
fn engine(root: &Path, name: &str, arguments: &[String]) -> Command {
    let mut command = process::cargo(root);
    command.args(["run", "--release", "--quiet", "--package", "cmdb-benches", "--", name]).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn read(line: &str) -> Result<Options, String> {
        let words = std::iter::once("bench").chain(line.split(' ').filter(|word| !word.is_empty()));
        Line::try_parse_from(words).map(|line| line.options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_of_a_benchmark_are_passed_on() {
        let options = read("graph --size m --output json --help").expect("it is passed on");
        let Some(What::Graph(passed)) = options.what else { panic!("the graph was asked for") };
        assert_eq!(passed.arguments, ["--size", "m", "--output", "json", "--help"]);
        assert_eq!(read("--size M --output json").expect("the graph").named(), ["--size=M", "--output=json"]);
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_right_one_and_none_with_all() {
        let error = read("comapre --size s").err().expect("there is no such benchmark");
        assert!(error.contains("compare"), "{error}");
        let help = read("").err().expect("nothing was asked for");
        for name in ["graph", "compare", "store", "agent", "micro"] {
            assert!(help.contains(name), "{name} is not in\n{help}");
        }
    }
}
