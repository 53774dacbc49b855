//! Adds up connections as they are made: by process, own address and server. The client's own ports do not matter.
//!
//! Pure: given changes of sockets in the order of time. Invariant: bounded; a process that tries very many places of which
//! most do not answer is a *scanner*: what it found is no use of it.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::tracepoint::{ASKED, BOTH_ASKED, Change, ESTABLISHED};
use super::{Flow, Gathered};

/// The most connections that are under way at once.
const ASKED_MAX: usize = 16_384;
/// The most processes with connections between two scans.
const PROCESSES_MAX: usize = 8_192;
/// The most servers of all processes between two scans.
const FLOWS_MAX: usize = 20_000;
/// So many places that did not answer, and more of them than did, make a scanner.
const SCAN_PLACES: usize = 64;

/// What was seen since the last scan, and what is under way.
#[derive(Debug, Default)]
pub struct Tally {
    asked: HashMap<u64, Asked>,
    by_process: HashMap<u32, Process>,
    flows: usize,
    left_out: u64,
}

#[derive(Debug)]
struct Asked {
    pid: u32,
    at_ns: u64,
}

#[derive(Debug, Default)]
struct Process {
    answered: HashMap<(IpAddr, SocketAddr), Times>,
    /// At most so many as make a scanner.
    silent: HashSet<SocketAddr>,
}

#[derive(Debug)]
struct Times {
    first_ns: u64,
    count: u32,
}

impl Tally {
    /// A socket changed its state.
    pub fn note(&mut self, change: &Change) {
        if change.to == ASKED {
            // Of a process that is outside of the container that we are in, its number is not told.
            if matches!(change.pid, 0 | u32::MAX) {
                return;
            }
            if self.asked.len() < ASKED_MAX {
                self.asked.insert(change.socket, Asked { pid: change.pid, at_ns: change.at_ns });
            } else {
                self.left_out += 1;
            }
            return;
        }
        // Asked for before we were told of anything.
        let Some(asked) = self.asked.remove(&change.socket) else { return };
        if self.by_process.len() >= PROCESSES_MAX && !self.by_process.contains_key(&asked.pid) {
            self.left_out += 1;
            return;
        }
        let process = self.by_process.entry(asked.pid).or_default();
        if !matches!(change.to, ESTABLISHED | BOTH_ASKED) {
            if process.silent.len() < SCAN_PLACES {
                process.silent.insert(change.remote);
            }
            return;
        }
        let flow = (change.local.ip(), change.remote);
        if !process.answered.contains_key(&flow) {
            if self.flows >= FLOWS_MAX {
                self.left_out += 1;
                return;
            }
            self.flows += 1;
        }
        let times = process.answered.entry(flow).or_insert(Times { first_ns: asked.at_ns, count: 0 });
        times.count = times.count.saturating_add(1);
    }

    /// Whether a process has a connection, or one under way.
    pub fn knows(&self, pid: u32) -> bool {
        self.by_process.contains_key(&pid) || self.asked.values().any(|asked| asked.pid == pid)
    }

    /// Hands over what was seen, and begins anew; what is under way goes on.
    pub fn gather(&mut self) -> Gathered {
        let mut gathered = Gathered { left_out: std::mem::take(&mut self.left_out), ..Gathered::default() };
        self.flows = 0;
        for (pid, process) in std::mem::take(&mut self.by_process) {
            if process.is_scanner() {
                gathered.scanners += 1;
                continue;
            }
            gathered.flows.extend(process.answered.into_iter().map(|((local, remote), times)| Flow {
                pid,
                local,
                remote,
                first_ns: times.first_ns,
                times: times.count,
            }));
        }
        gathered.flows.sort_unstable_by_key(|flow| (flow.pid, flow.remote, flow.local));
        gathered
    }
}

impl Process {
    fn is_scanner(&self) -> bool {
        let places: HashSet<SocketAddr> = self.answered.keys().map(|(_, remote)| *remote).collect();
        self.silent.len() >= SCAN_PLACES && self.silent.len() > places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLOSE.
    const OVER: u64 = 7;

    #[derive(Default)]
    struct Bench {
        tally: Tally,
        socket: u64,
    }

    impl Bench {
        fn connect(&mut self, pid: u32, remote: &str, outcome: u64) {
            self.socket += 1;
            let mut change = Change {
                at_ns: self.socket,
                pid,
                socket: self.socket,
                from: OVER,
                to: ASKED,
                local: "10.0.0.5:0".parse().unwrap(),
                remote: remote.parse().unwrap(),
            };
            self.tally.note(&change);
            // The answer comes in whatever context the processor is in.
            change.pid = 0;
            change.from = ASKED;
            change.to = outcome;
            change.local.set_port(40_000 + u16::try_from(self.socket % 20_000).unwrap());
            self.tally.note(&change);
        }

        fn gathered(&mut self) -> Vec<String> {
            let gathered = self.tally.gather();
            gathered
                .flows
                .iter()
                .map(|flow| format!("{} {} x{}", flow.pid, flow.remote, flow.times))
                .collect()
        }
    }

    #[test]
    fn connections_are_added_up_by_who_asked() {
        let mut bench = Bench::default();
        for (pid, remote, outcome) in [
            (7, "10.0.0.6:5432", ESTABLISHED),
            (7, "10.0.0.6:5432", ESTABLISHED),
            (7, "10.0.0.6:6379", OVER),
            (8, "10.0.0.6:5432", BOTH_ASKED),
        ] {
            bench.connect(pid, remote, outcome);
        }
        assert_eq!(bench.gathered(), ["7 10.0.0.6:5432 x2", "8 10.0.0.6:5432 x1"]);
        assert_eq!(bench.gathered(), [""; 0], "told once");
    }

    #[test]
    fn an_answer_may_come_after_the_scan_and_one_to_nothing_asked_is_nothing() {
        let mut bench = Bench::default();
        let mut change = Change {
            at_ns: 1,
            pid: 7,
            socket: 1,
            from: OVER,
            to: ASKED,
            local: "10.0.0.5:0".parse().unwrap(),
            remote: "10.0.0.6:80".parse().unwrap(),
        };
        bench.tally.note(&change);
        assert!(bench.tally.knows(7));
        assert_eq!(bench.gathered(), [""; 0]);
        change.to = ESTABLISHED;
        bench.tally.note(&change);
        assert_eq!(bench.gathered(), ["7 10.0.0.6:80 x1"]);
        bench.tally.note(&change);
        assert_eq!(bench.gathered(), [""; 0]);
        assert!(!bench.tally.knows(7));
    }

    #[test]
    fn processes_that_we_do_not_see_are_not_ours() {
        let mut bench = Bench::default();
        bench.connect(0, "10.0.0.6:80", ESTABLISHED);
        bench.connect(u32::MAX, "10.0.0.6:80", ESTABLISHED);
        assert_eq!(bench.tally.gather().left_out, 0);
        assert_eq!(bench.gathered(), [""; 0]);
    }

    #[test]
    fn what_tries_one_place_after_the_other_is_a_scanner() {
        let mut bench = Bench::default();
        for port in 1..=200 {
            let outcome = if port % 50 == 0 { ESTABLISHED } else { OVER };
            bench.connect(7, &format!("10.0.0.6:{port}"), outcome);
        }
        // Tries a server that is down, over and over, and uses another one.
        for _ in 0..500 {
            bench.connect(8, "10.0.0.6:9", OVER);
        }
        bench.connect(8, "10.0.0.7:80", ESTABLISHED);
        // Looks after very many, most of which answer.
        for number in 1..=200 {
            bench.connect(
                9,
                &format!("10.0.1.{number}:22"),
                if number % 3 == 0 { OVER } else { ESTABLISHED },
            );
        }
        let gathered = bench.tally.gather();
        assert_eq!(gathered.scanners, 1);
        let of = |pid| gathered.flows.iter().filter(|flow| flow.pid == pid).count();
        assert_eq!((of(7), of(8), of(9)), (0, 1, 134));
    }

    #[test]
    fn what_is_beyond_the_limits_is_counted() {
        let mut bench = Bench::default();
        for number in 0..u32::try_from(FLOWS_MAX).unwrap() + 10 {
            let ip = std::net::Ipv4Addr::from(0x0a00_0000 + number);
            bench.connect(7, &format!("{ip}:80"), ESTABLISHED);
        }
        let gathered = bench.tally.gather();
        assert_eq!((gathered.flows.len(), gathered.left_out), (FLOWS_MAX, 10));
    }
}
