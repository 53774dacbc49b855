//! What Linux says of this process and of the machine.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

fn field(file: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim_start_matches(':').split_whitespace().next());
    number.with_context(|| format!("{file} says nothing of {name}"))?.parse().context("a number")
}

/// A directory for what a bench writes, gone with it. The place is made where it is not there: with another target
/// directory nobody has made it before.
pub fn scratch(place: &Path) -> Result<tempfile::TempDir> {
    let made = std::fs::create_dir_all(place).and_then(|()| tempfile::tempdir_in(place));
    made.with_context(|| format!("making a directory in {}", place.display()))
}

/// Bytes that this process has handed to the system to be written.
///
/// Not `write_bytes`, which counts what is made dirty in the page cache: where a page lies in a large folio (files that were
/// read ahead or copied), each page that is written counts the whole folio, ten times as much.
pub fn written() -> Result<u64> {
    field("/proc/self/io", "wchar")
}

/// The most memory that this process had at once, in bytes.
pub fn resident_peak() -> Result<u64> {
    Ok(field("/proc/self/status", "VmHWM")? << 10)
}

/// The memory that this process has now, in KiB.
pub fn resident() -> Result<i64> {
    i64::try_from(field("/proc/self/status", "VmRSS")?).context("memory that can be counted")
}

/// CPU time that another process has used, all its threads together.
pub fn cpu_of(process: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let path = thread?.path().join("schedstat");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let first = text.split(' ').next().unwrap_or_default();
        nanoseconds += first.parse::<u64>().with_context(|| format!("{} says {text:?}", path.display()))?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// From now on the peak is a new one.
pub fn forget_peak() -> Result<()> {
    std::fs::write("/proc/self/clear_refs", "5").context("resetting the peak of memory")
}

/// Model and number of processors, and how busy they are: `model, n cores, load x`.
pub fn describe() -> Result<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo")?;
    let model =
        text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism()?;
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default().to_owned();
    Ok(format!("{}, {cores} cores, load {load} when it began", model.unwrap_or("processor unknown")))
}
