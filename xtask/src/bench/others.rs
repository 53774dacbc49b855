//! What other agents of Debian cost on the same machine.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::agent::{Row, children, cpu_ms_of, median, memory, one_run};
use crate::install;
use crate::process::{self, Guarded};

/// A tool that looks once and leaves: package and command.
const LOOKERS: [(&str, &str, &[&str]); 4] = [
    ("facter", "facter", &[]),
    ("ohai", "ohai", &[]),
    ("lshw", "lshw", &["-quiet"]),
    ("fusioninventory-agent", "fusioninventory-inventory", &[]),
];
const EXPORTER: &str = "prometheus-node-exporter";
const RUNS: usize = 5;
const SCRAPES: usize = 11;
const READY_MAX: Duration = Duration::from_secs(20);

/// A row for each, or why there is none.
pub fn measure(directory: &Path) -> Vec<Result<Row, String>> {
    let lookers = LOOKERS.iter().map(|(package, command, arguments)| {
        installed(package, command)
            .and_then(|()| looker(directory, command, arguments))
            .map_err(|error| format!("skipped: {package}: {}", process::in_one_line(&error)))
    });
    let exporter = installed(EXPORTER, EXPORTER)
        .and_then(|()| exporter(directory))
        .map_err(|error| format!("skipped: {EXPORTER}: {}", process::in_one_line(&error)));
    lookers.chain([exporter]).collect()
}

/// Installs the package where it is missing and we may.
fn installed(package: &str, command: &str) -> Result<()> {
    let is_there = || process::succeeds(Command::new("sh").args(["-c", &format!("command -v {command}")]));
    if is_there() {
        return Ok(());
    }
    process::say(format!("installing {package}"));
    install::apt(package).map_err(anyhow::Error::msg)?;
    ensure!(is_there(), "the package has no command {command}");
    Ok(())
}

fn looker(directory: &Path, command: &str, arguments: &[&str]) -> Result<Row> {
    process::say(format!("measuring {command}"));
    let start = || {
        let mut looker = Command::new(command);
        looker.args(arguments);
        looker
    };
    let runs = (0..RUNS).map(|_| one_run(&mut start())).collect::<Result<Vec<_>>>()?;
    // A fact that cannot be had here fails the whole look of some, at its end.
    let failed = runs.iter().find(|run| !run.status.success());
    let remark = failed.map(|run| format!(" (ends with {})", run.status)).unwrap_or_default();
    Ok(Row {
        what: format!("`{command}`{remark}"),
        memory_mb: median(runs.iter().map(|run| run.peak_mb).collect()),
        memory_is: "peak of its main process",
        cpu_ms: median(runs.iter().map(|run| run.cpu_ms).collect()),
        cpu_is: "one look, start included",
        children: children(directory, &start())?,
    })
}

/// It stays; a look is one request for its figures.
fn exporter(directory: &Path) -> Result<Row> {
    process::say(format!("measuring {EXPORTER}"));
    let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let mut command = Command::new(EXPORTER);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut exporter = Guarded::start(EXPORTER, &mut command, &directory.join("exporter.log"))?;
    let began = Instant::now();
    while scrape(port).is_err() {
        exporter.still_runs()?;
        ensure!(began.elapsed() < READY_MAX, "it does not answer\n{}", exporter.log_tail());
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut costs = Vec::new();
    for _ in 0..SCRAPES {
        let before = cpu_ms_of(exporter.id())?;
        scrape(port)?;
        costs.push(cpu_ms_of(exporter.id())? - before);
    }
    let (resident_mb, _) = memory(exporter.id())?;
    exporter.end().ok();
    Ok(Row {
        what: format!("`{EXPORTER}` (no inventory, figures only)"),
        memory_mb: resident_mb,
        memory_is: "resident, steady",
        cpu_ms: median(costs),
        cpu_is: "one request",
        children: None,
    })
}

fn scrape(port: u16) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).context("connecting to the exporter")?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    ensure!(answer.starts_with(b"HTTP/1.0 200"), "the exporter gives no figures");
    Ok(())
}
