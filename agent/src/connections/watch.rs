//! Listens to the kernel: a thread that sleeps until a quarter of a ring is full, and empties all of them.
//!
//! Rings are emptied one after the other while the kernel goes on writing. What was written after the emptying began is held
//! back to the next time, so that changes are told in the order of time, whichever CPU they happened on.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, openat};

use super::Gathered;
use super::programs::{Programs, Step};
use super::tally::Tally;
use super::tracepoint::{Change, DIRECTORY, FILTER, Format};
use crate::platform::{self, Rings, Wanted};

/// Pages of the rings of all CPUs together, and the least and most pages of one.
const RING_PAGES: usize = 256;
const RING_PAGES_LEAST: usize = 4;
const RING_PAGES_MOST: usize = 64;
/// Programs start less often than connections, and are said in fewer bytes: their rings are so much smaller.
const PROGRAMS_SHARE: usize = 4;
/// How often a thread looks whether it is still wanted.
const WAIT_MAX: Duration = Duration::from_secs(60);
const STACK_BYTES: usize = 128 << 10;
const FORMAT_BYTES_MAX: u64 = 64 << 10;
/// PERF_RECORD_LOST, PERF_RECORD_SAMPLE.
const LOST: u32 = 2;
const SAMPLE: u32 = 9;

/// Why the kernel does not tell us.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Its tracing files cannot be read.
    #[error(
        "the kernel's tracing files cannot be read ({0}): run as root, or mount tracefs at /sys/kernel/tracing and give the \
         agent CAP_DAC_READ_SEARCH"
    )]
    NoFiles(io::Error),
    /// It has another format.
    #[error("this kernel does not say what it knows of sockets as expected: Linux 4.16 and later do")]
    Format,
    /// Not allowed.
    #[error(
        "the kernel does not let this user listen to its events ({0}): run as root, or give the agent CAP_PERFMON"
    )]
    Denied(io::Error),
    /// No thread.
    #[error("the thread that listens to the kernel could not be started: {0}")]
    Thread(io::Error),
}

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Mutex<Listening>>,
}

#[derive(Debug)]
struct Listening {
    format: Format,
    connections: Rings,
    /// Without them, what is gone has no name.
    programs: Option<Rings>,
    held: Vec<Change>,
    held_steps: Vec<Step>,
    tally: Tally,
    started: Programs,
    lost: u64,
    left_out: u64,
}

impl Watch {
    /// Begins to listen.
    pub fn start() -> Result<Self, Refused> {
        let text = format_text().map_err(Refused::NoFiles)?;
        let format = Format::parse(&text).ok_or(Refused::Format)?;
        let cpus = cpus();
        let pages = (RING_PAGES / cpus.len().max(1)).clamp(RING_PAGES_LEAST, RING_PAGES_MOST);
        let pages = 1 << pages.ilog2();
        let connections =
            Rings::open(Wanted::Tracepoint(format.id, FILTER), &cpus, pages).map_err(Refused::Denied)?;
        let programs =
            Rings::open(Wanted::Programs, &cpus, (pages / PROGRAMS_SHARE).max(RING_PAGES_LEAST)).ok();
        let listening = Listening {
            format,
            connections,
            programs,
            held: Vec::new(),
            held_steps: Vec::new(),
            tally: Tally::default(),
            started: Programs::default(),
            lost: 0,
            left_out: 0,
        };
        let shared = Arc::new(Mutex::new(listening));
        let weak = Arc::downgrade(&shared);
        std::thread::Builder::new()
            .name("connections".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || listen(&weak))
            .map_err(Refused::Thread)?;
        Ok(Self { shared })
    }

    /// What was learnt since this was asked last.
    pub fn gather(&mut self) -> Gathered {
        let mut listening = lock(&self.shared);
        listening.empty_rings();
        let mut gathered = listening.tally.gather();
        gathered.programs = std::mem::take(&mut listening.started);
        listening.left_out = listening.left_out.saturating_add(gathered.left_out);
        gathered
    }

    /// What was missed so far, in words; empty: nothing.
    pub fn missed(&self) -> String {
        let listening = lock(&self.shared);
        let mut words = Vec::new();
        if listening.lost > 0 {
            words.push(format!("{} events came faster than they were read", listening.lost));
        }
        if listening.left_out > 0 {
            words.push(format!("{} connections were beyond the limits of what is kept", listening.left_out));
        }
        words.join("; ")
    }
}

fn lock(shared: &Mutex<Listening>) -> MutexGuard<'_, Listening> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(shared: &Weak<Mutex<Listening>>) {
    loop {
        let descriptors: Vec<RawFd> = {
            let Some(shared) = shared.upgrade() else { return };
            let mut listening = lock(&shared);
            listening.empty_rings();
            let programs = listening.programs.iter().flat_map(Rings::descriptors);
            listening.connections.descriptors().chain(programs).collect()
        };
        platform::wait(&descriptors, WAIT_MAX);
    }
}

impl Listening {
    fn empty_rings(&mut self) {
        let (now_ns, since_boot_ns) = platform::clocks_ns();
        let shift = since_boot_ns.saturating_sub(now_ns);
        let mut changes = std::mem::take(&mut self.held);
        let (format, lost) = (&self.format, &mut self.lost);
        self.connections.take(&mut |record| match record.kind {
            SAMPLE => changes.extend(format.read(record.content)),
            LOST => *lost += number(record.content, 8).unwrap_or(1),
            _ => {}
        });
        let mut steps = std::mem::take(&mut self.held_steps);
        if let Some(programs) = &mut self.programs {
            programs.take(&mut |record| {
                steps.extend(Step::read(record.kind, record.flags, record.content));
            });
        }
        // A process may start a program on one CPU and the next one on another.
        self.held_steps = until(now_ns, &mut steps, |step| step.at_ns);
        let mut ended = Vec::new();
        steps.into_iter().for_each(|step| self.started.take(step, &mut ended));
        self.held = until(now_ns, &mut changes, |change| change.at_ns);
        for change in &mut changes {
            change.at_ns = change.at_ns.saturating_add(shift);
            self.tally.note(change);
        }
        for pid in ended {
            if !self.tally.knows(pid) && !self.held.iter().any(|change| change.pid == pid) {
                self.started.forget(pid);
            }
        }
    }
}

/// Puts them in the order of time, and takes out those of after `now_ns`.
fn until<T>(now_ns: u64, all: &mut Vec<T>, at_ns: impl Fn(&T) -> u64) -> Vec<T> {
    all.sort_by_key(&at_ns);
    all.split_off(all.partition_point(|one| at_ns(one) <= now_ns))
}

fn number(content: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*content.get(at..)?.first_chunk()?))
}

/// From where the tracing files are mounted, or from a mount of our own that nobody else sees.
fn format_text() -> io::Result<String> {
    for mounted in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] {
        if let Ok(text) = fs::read_to_string(Path::new(mounted).join(DIRECTORY).join("format")) {
            return Ok(text);
        }
    }
    let files = platform::unmounted_tracefs()?;
    let path = format!("{DIRECTORY}/format");
    let file = openat(&files, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).take(FORMAT_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The CPUs that are there: `0-3,6`.
fn cpus() -> Vec<u32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let found = parse_cpus(&text);
    if found.is_empty() { vec![0] } else { found }
}

fn parse_cpus(text: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
            found.extend((first..=last).take(8_192));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::super::programs::tests::name_of;
    use super::*;

    #[test]
    fn cpus_in_words() {
        assert_eq!(parse_cpus("0-1\n"), [0, 1]);
        assert_eq!(parse_cpus("0,2-4,9"), [0, 2, 3, 4, 9]);
        assert_eq!(parse_cpus("x,-,3-1"), [0; 0]);
    }

    #[test]
    fn what_happened_first_counts_first_whichever_cpu_told_it() {
        let record = |name: &str, at_ns| Step::read(3, 1 << 13, &name_of(8, name, at_ns)).unwrap();
        let mut steps = vec![record("redis-cli", 20), record("later", 40), record("nsenter", 10)];
        let held = until(30, &mut steps, |step| step.at_ns);
        let mut programs = Programs::default();
        steps.into_iter().for_each(|step| programs.take(step, &mut Vec::new()));
        assert_eq!(programs.get(8).unwrap().name.as_deref(), Some("redis-cli"));
        assert_eq!(held, [record("later", 40)]);
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn every_connection_is_told_with_the_process_that_made_it() {
        let mut watch = match Watch::start() {
            Ok(watch) => watch,
            Err(refused) => {
                eprintln!("SKIPPED: kernel events: {refused}");
                return;
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        // More than a ring holds.
        for _ in 0..3_000 {
            drop(TcpStream::connect(server).unwrap());
            drop(listener.accept().unwrap());
        }
        let gathered = watch.gather();
        let ours: Vec<_> = gathered.flows.iter().filter(|flow| flow.remote == server).collect();
        assert_eq!(ours.len(), 1, "{ours:?} {}", watch.missed());
        let asked: u64 = ours[0].times.into();
        assert_eq!((ours[0].pid, ours[0].local), (std::process::id(), server.ip()));
        assert!(asked == 3_000 || !watch.missed().is_empty(), "{asked} and nothing was missed");
    }
}
