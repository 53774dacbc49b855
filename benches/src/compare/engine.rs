//! One engine as a process that loads the files and answers line by line. Ours is one of them.
//!
//! ```text
//! it:  {"version":…,"wall_ns":…,"cpu_ns":…,"resident_kb":…,"peak_kb":…}      once it has loaded
//! we:  {"ask":"reach","seeds":[17,4]}           it: {"wall_ns":…,"cpu_ns":…,"count":…,"sum":…}   for each seed
//! we:  {"ask":"memory"}                         it: {"resident_kb":…,"peak_kb":…}
//! ```
//!
//! Invariant: the process and what it started have ended when its [`Player`] is gone.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use super::Limits;
use super::facts::Facts;

/// How long it may take to end after it was asked to: a server ends after it.
const END_MAX: Duration = Duration::from_secs(40);
const POLL: Duration = Duration::from_millis(20);
/// Bytes of what it wrote that an error quotes.
const LOG_TAIL_BYTES: usize = 2_000;

/// The engines, as they are named on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Contender {
    Igraph,
    Rustworkx,
    Networkx,
    Falkordb,
    Kuzu,
    Sqlite,
    Duckdb,
    Postgresql,
}

/// One of them.
pub struct Entry {
    pub name: Contender,
    pub shown: &'static str,
    /// `engines/on_<module>.py`.
    pub module: &'static str,
    /// What lies between the question and the answer.
    pub kind: &'static str,
}

pub const ENGINES: [Entry; 8] = [
    Entry { name: Contender::Igraph, shown: "igraph", module: "igraph", kind: "library in C, from Python" },
    Entry {
        name: Contender::Rustworkx,
        shown: "rustworkx",
        module: "rustworkx",
        kind: "library in Rust, from Python",
    },
    Entry { name: Contender::Networkx, shown: "networkx", module: "networkx", kind: "library in Python" },
    Entry { name: Contender::Falkordb, shown: "FalkorDB", module: "falkordb", kind: "server, over a socket" },
    Entry {
        name: Contender::Kuzu,
        shown: "Kùzu",
        module: "kuzu",
        kind: "graph database in process, from Python",
    },
    Entry {
        name: Contender::Sqlite,
        shown: "SQLite",
        module: "sqlite",
        kind: "database in process, from Python",
    },
    Entry {
        name: Contender::Duckdb,
        shown: "DuckDB",
        module: "duckdb",
        kind: "database in process, from Python",
    },
    Entry {
        name: Contender::Postgresql,
        shown: "PostgreSQL",
        module: "postgresql",
        kind: "server, over a socket",
    },
];

/// How an engine is started.
pub enum Engine {
    Ours,
    Python { interpreter: PathBuf, name: &'static str, environment: Vec<(&'static str, PathBuf)> },
}

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    Reach,
    ThreeHops,
    Memory,
}

/// A line that is sent.
#[derive(Serialize, Deserialize)]
pub struct Asked {
    pub ask: Question,
    #[serde(default)]
    pub seeds: Vec<u64>,
}

/// The first line that comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    pub version: String,
    pub wall_ns: u64,
    pub cpu_ns: u64,
    pub resident_kb: i64,
    pub peak_kb: i64,
}

/// What comes back for a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub wall_ns: u64,
    pub cpu_ns: u64,
    /// Items, the seed not counted.
    pub count: u64,
    /// Of their ids, see [`summed`].
    pub sum: u64,
}

/// Memory beyond what the process took before it loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub resident_kb: i64,
    pub peak_kb: i64,
}

/// The largest prime below 2³².
const MODULUS: u64 = 4_294_967_291;

/// How many, and the sum that tells one set of items from another of the same size: of the ids' squares, each by the modulus.
pub fn summed(ids: impl Iterator<Item = u64>) -> (u64, u64) {
    ids.fold((0, 0), |(count, sum), id| (count + 1, sum + id * id % MODULUS))
}

/// An engine that runs.
pub struct Player {
    child: Child,
    lines: Receiver<String>,
    log: PathBuf,
    pub loaded: Loaded,
}

impl Player {
    /// Starts it and waits until it has loaded.
    pub fn start(engine: Engine, facts: &Facts, limits: Limits) -> Result<Player> {
        let (mut command, name) = match engine {
            Engine::Ours => {
                let mut command = Command::new(std::env::current_exe().context("looking for this program")?);
                command.arg("ours").args([&facts.items_file, &facts.needs_file]);
                (command, "ours")
            }
            Engine::Python { interpreter, name, environment } => {
                let place = facts.directory.join(name);
                std::fs::create_dir_all(&place)?;
                let mut command = Command::new(interpreter);
                // Nothing is left in the source tree.
                command.arg("-B").arg(scripts().join("ask.py")).arg(name);
                command.args([&facts.items_file, &facts.needs_file, &place]).envs(environment);
                (command, name)
            }
        };
        Player::run(&mut command, &facts.directory.join(format!("{name}.log")), limits.load)
    }

    /// Runs what speaks the protocol.
    pub fn run(command: &mut Command, log: &Path, load_max: Duration) -> Result<Player> {
        let errors = std::fs::File::create(log).with_context(|| format!("creating {}", log.display()))?;
        // A group of its own: what it starts can be ended with it.
        let started =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors).process_group(0).spawn();
        let mut child = started.with_context(|| format!("starting {}", command.get_program().display()))?;
        let output = child.stdout.take().context("its output is ours")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let nothing = Loaded { version: String::new(), wall_ns: 0, cpu_ns: 0, resident_kb: 0, peak_kb: 0 };
        let mut player = Player { child, lines, log: log.to_owned(), loaded: nothing };
        let first = player.line(load_max).context("loading the estate")?;
        player.loaded = parsed(&first)?;
        Ok(player)
    }

    /// Puts a question about each of the seeds; fewer answers come back when the time is up, and then no more can be
    /// asked.
    pub fn ask(&mut self, ask: Question, seeds: &[u64], time_max: Duration) -> Result<Vec<Answer>> {
        self.send(&Asked { ask, seeds: seeds.to_vec() })?;
        let began = Instant::now();
        let mut answers = Vec::with_capacity(seeds.len());
        while answers.len() < seeds.len() {
            match self.lines.recv_timeout(time_max.saturating_sub(began.elapsed())) {
                Ok(line) => answers.push(parsed(&line)?),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("it ended while it was asked\n{}", self.log_tail())
                }
            }
        }
        Ok(answers)
    }

    /// What it takes now, and took at most.
    pub fn memory(&mut self, time_max: Duration) -> Result<Memory> {
        self.send(&Asked { ask: Question::Memory, seeds: Vec::new() })?;
        parsed(&self.line(time_max)?)
    }

    /// What it said first, and what it took. It has ended.
    pub fn finish(mut self) -> Result<(Loaded, Memory)> {
        let memory = self.memory(END_MAX)?;
        Ok((self.loaded.clone(), memory))
    }

    fn send(&mut self, asked: &Asked) -> Result<()> {
        let mut line = serde_json::to_string(asked)?;
        line.push('\n');
        let input = self.child.stdin.as_mut().context("its input is ours")?;
        input.write_all(line.as_bytes()).with_context(|| format!("it ended\n{}", self.log_tail()))
    }

    fn line(&self, time_max: Duration) -> Result<String> {
        match self.lines.recv_timeout(time_max) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!("it took more than {} s", time_max.as_secs()),
            Err(RecvTimeoutError::Disconnected) => bail!("it ended\n{}", self.log_tail()),
        }
    }

    fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL_BYTES)..]).trim_end().to_owned()
    }

    /// `None` when it did not end in time.
    fn ended_within(&mut self, longest: Duration) -> Option<()> {
        let asked = Instant::now();
        while asked.elapsed() < longest {
            if self.child.try_wait().ok()?.is_some() {
                return Some(());
            }
            std::thread::sleep(POLL);
        }
        None
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        // The end of its input is the end; in the middle of a question it does not see that and is told.
        drop(self.child.stdin.take());
        let group = Pid::from_child(&self.child);
        if self.ended_within(Duration::from_secs(5)).is_none() {
            let _ = kill_process_group(group, Signal::TERM);
            if self.ended_within(END_MAX).is_none() {
                let _ = kill_process_group(group, Signal::KILL);
                let _ = self.child.wait();
            }
        }
    }
}

fn parsed<T: for<'a> Deserialize<'a>>(line: &str) -> Result<T> {
    serde_json::from_str(line).with_context(|| format!("it said {line:?}, which is no answer"))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compare")
}
