//! `cargo xtask bench agent`: what the agent costs its host, beside what Debian has, in one run on one machine.
//!
//! The agent is built as it is shipped and runs against a real server; its CPU time per scan is what it says itself
//! (the server passes it on), its memory what the kernel says. Invariant: what is started here is ended here.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::crowd::Crowd;
use super::others;
use crate::dist;
use crate::process::{self, Guarded};

const PAGE: &str = "docs/performance.md";
const BEGIN: &str = "<!-- agent -->";
const END: &str = "<!-- end agent -->";
/// Scans of which the median counts.
const SCANS: usize = 15;
const RUNS: usize = 11;
const WAIT_MAX: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
/// The kernel counts the CPU time of children in such parts of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// A crowded host has so many more processes and sockets.
const PROCESSES: usize = 1_000;
const SOCKETS: usize = 10_000;

/// What one thing costs.
pub struct Row {
    pub what: String,
    pub memory_mb: f64,
    pub memory_is: &'static str,
    pub cpu_ms: f64,
    pub cpu_is: &'static str,
    /// `None`: not counted, for want of `strace` or of an end to wait for.
    pub children: Option<usize>,
}

/// One run of a command to its end.
pub struct Run {
    pub cpu_ms: f64,
    pub peak_mb: f64,
    pub status: ExitStatus,
}

/// Builds, measures, prints, and writes the page.
pub fn bench(root: &Path) -> Result<ExitCode> {
    let agent = dist::build_agent(root)?;
    process::run(process::cargo(root).args(["build", "-p", "cmdb-server", "-p", "cmdb-cli"]))?;
    let directory = tempfile::tempdir().context("making a directory for the measurements")?;
    let place =
        Place { binaries: process::target_directory(root).join("debug"), agent, root: directory.path() };
    let mut rows = vec![Ok(place.once()?)];
    rows.extend([Ok(place.steady("typical", 0, 0)?), Ok(place.steady("crowded", PROCESSES, SOCKETS)?)]);
    rows.extend(others::measure(directory.path()));
    let table = table(&place, &rows)?;
    process::say(&table);
    write(&root.join(PAGE), &table)?;
    Ok(ExitCode::SUCCESS)
}

struct Place<'a> {
    binaries: PathBuf,
    agent: PathBuf,
    root: &'a Path,
}

impl Place<'_> {
    fn look(&self) -> Command {
        let mut command = Command::new(&self.agent);
        command.args(["--once", "--print"]);
        command
    }

    /// A first look, start of the program included.
    fn once(&self) -> Result<Row> {
        process::say("measuring one look of the agent");
        // One run is too short for the kernel's ticks: all together, divided.
        let began = children_cpu_ms()?;
        let runs = (0..RUNS).map(|_| one_run(&mut self.look())).collect::<Result<Vec<_>>>()?;
        for run in &runs {
            ensure!(run.status.success(), "the agent ended with {}", run.status);
        }
        let cpu_ms = (children_cpu_ms()? - began) / f64::from(u32::try_from(RUNS)?);
        Ok(Row {
            what: "`cmdb-agent --once --print`".to_owned(),
            memory_mb: median(runs.iter().map(|run| run.peak_mb).collect()),
            memory_is: "peak",
            cpu_ms,
            cpu_is: "one look, start included",
            children: children(self.root, &self.look())?,
        })
    }

    /// The agent as it stays, on this host with so much more on it.
    fn steady(&self, name: &str, processes: usize, sockets: usize) -> Result<Row> {
        process::say(format!("measuring the agent on a {name} host"));
        let _crowd = Crowd::gather(processes, sockets)?;
        let directory = self.root.join(name);
        std::fs::create_dir_all(&directory)?;
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let mut server = Command::new(self.binaries.join("cmdb-server"));
        server.arg("--data").arg(directory.join("data")).args(["--listen", &format!("127.0.0.1:{port}")]);
        server.args(["--scan-interval-s", "1", "--heartbeat-interval-s", "1"]);
        let mut server = Guarded::start("the server", &mut server, &directory.join("server.log"))?;
        let mut agent = Command::new(&self.agent);
        agent.args(["--server", &url]).arg("--state-dir").arg(directory.join("state"));
        let mut agent = Guarded::start("the agent", &mut agent, &directory.join("agent.log"))?;
        let scans = self.scans(&url, &mut server, &mut agent)?;
        let (resident_mb, peak_mb) = memory(agent.id())?;
        let there = processes_now()?;
        agent.end()?;
        server.end()?;
        Ok(Row {
            what: format!(
                "`cmdb-agent` on a {name} host: {there} processes, {} sockets; peak {peak_mb:.1} MB",
                if sockets == 0 { "few".to_owned() } else { sockets.to_string() }
            ),
            memory_mb: resident_mb,
            memory_is: "resident, steady",
            cpu_ms: median(scans),
            cpu_is: "one scan",
            children: None,
        })
    }

    /// The CPU time of each scan, as the agent says it, in milliseconds.
    fn scans(&self, url: &str, server: &mut Guarded, agent: &mut Guarded) -> Result<Vec<f64>> {
        let (mut scans, mut last) = (Vec::new(), 0);
        let began = Instant::now();
        while scans.len() < SCANS {
            ensure!(began.elapsed() < WAIT_MAX, "the agent said its cost {} times only", scans.len());
            std::thread::sleep(POLL);
            server.still_runs()?;
            agent.still_runs()?;
            let Some(cost) = self.cost(url) else { continue };
            let scan = cost["scan_cpu_us"].as_u64().unwrap_or(0);
            if scan != last && scan > 0 {
                last = scan;
                scans.push(f64::from(u32::try_from(scan)?) / 1_000.0);
            }
        }
        Ok(scans)
    }

    fn cost(&self, url: &str) -> Option<Value> {
        let mut ask = Command::new(self.binaries.join("cmdb"));
        let answer = process::read(ask.args(["--server", url, "status", "--output", "json"])).ok()?;
        let status: Value = serde_json::from_str(&answer).ok()?;
        status["sources"].as_array()?.iter().map(|source| source["cost"].clone()).find(|cost| !cost.is_null())
    }
}

/// Runs a command to its end; what it prints is dropped.
pub fn one_run(command: &mut Command) -> Result<Run> {
    let before = children_cpu_ms()?;
    let shown = process::shown(command);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().with_context(|| format!("starting `{shown}`"))?;
    let mut peak_mb: f64 = 0.0;
    let status = loop {
        if let Ok((_, peak)) = memory(child.id()) {
            peak_mb = peak_mb.max(peak);
        }
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    Ok(Run { cpu_ms: children_cpu_ms()? - before, peak_mb, status })
}

/// How many programs a command starts; `None`: there is no `strace`.
pub fn children(directory: &Path, command: &Command) -> Result<Option<usize>> {
    if !process::succeeds(Command::new("strace").arg("-V")) {
        return Ok(None);
    }
    let trace = directory.join("trace");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-qq", "-e", "trace=execve,execveat", "-o"]).arg(&trace);
    traced.arg(command.get_program()).args(command.get_args());
    // Some end with an error after all is done: what they started is counted all the same.
    process::succeeds(&mut traced);
    let text = std::fs::read_to_string(&trace).context("reading what strace wrote")?;
    let started = text.lines().filter(|line| line.contains("execve") && line.ends_with(" = 0")).count();
    Ok(Some(started.saturating_sub(1)))
}

/// Resident memory of a process, now and at its peak, in MB.
pub fn memory(pid: u32) -> Result<(f64, f64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
    };
    let both = || Some((field("VmRSS:")?, field("VmHWM:")?));
    both().context("the process has no memory any more")
}

/// CPU time of all threads of a process so far, in milliseconds.
pub fn cpu_ms_of(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next().and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    }
    Ok(nanoseconds / 1e6)
}

/// CPU time of all children that have ended and theirs, in milliseconds.
fn children_cpu_ms() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(") ").context("our own line of /proc has a name")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|word| word.parse::<f64>().ok()).unwrap_or(0.0);
    // The fields of user and system time of children: 16 and 17, counted from the state, which is the third.
    Ok((ticks(13) + ticks(14)) * 1_000.0 / TICKS_PER_SECOND)
}

fn processes_now() -> Result<usize> {
    let names = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    Ok(names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count())
}

/// The middle one.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(place: &Place<'_>, rows: &[Result<Row, String>]) -> Result<String> {
    let bytes = std::fs::metadata(&place.agent).context("looking at the agent's binary")?.len();
    let linked = if place.agent.components().any(|part| part.as_os_str().to_string_lossy().ends_with("-musl"))
    {
        "static"
    } else {
        "linked to this machine's libc"
    };
    let mut text = format!(
        "Binary: {:.1} MB, stripped, {linked}. Medians of {SCANS} scans, {RUNS} looks; of other programs of 5 looks, 11 \
         requests. Child processes as `strace -f` counts them.\n\n",
        f64::from(u32::try_from(bytes / 1024)?) / 1024.0
    );
    text.push_str("| what | memory | CPU | child processes |\n|---|---|---|---|\n");
    let mut skipped = Vec::new();
    for row in rows {
        match row {
            Ok(row) => {
                let children =
                    row.children.map_or_else(|| "not counted".to_owned(), |number| number.to_string());
                text.push_str(&format!(
                    "| {} | {:.1} MB {} | {:.1} ms {} | {children} |\n",
                    row.what, row.memory_mb, row.memory_is, row.cpu_ms, row.cpu_is
                ));
            }
            Err(reason) => skipped.push(reason.as_str()),
        }
    }
    for reason in skipped {
        text.push_str(&format!("\n{reason}\n"));
    }
    Ok(text)
}

/// Puts the table between its marks, at the end of the page the first time.
fn write(page: &Path, table: &str) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
    let section = format!("{BEGIN}\n{table}{END}");
    let written = match (text.find(BEGIN), text.find(END)) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}{section}{}", &text[..begin], &text[end + END.len()..])
        }
        _ => format!("{}\n\n## The agent\n\n{section}\n", text.trim_end()),
    };
    std::fs::write(page, written).with_context(|| format!("writing {}", page.display()))
}
