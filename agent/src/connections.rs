//! The ladder: how connections are learnt of that are not there any more when somebody looks.
//!
//! ```text
//!  events   the kernel tells of every connection as it is made, and who makes it
//!  endings  it tells of every connection of the host's own network as it ends, but not whose it was
//!  polling  only what is open at the moment of a scan is seen
//! ```
//!
//! A host stands on the highest rung that it is let on, and says why not on the next one. Every rung starts with a look at the
//! sockets that are open, and looks again at each scan. Knows nothing of claims or products. Invariant: what is kept between two
//! scans is bounded, and what was left out is counted.

mod endings;
#[cfg(target_os = "linux")]
mod listen;
pub mod programs;
mod tally;
pub mod tracepoint;
#[cfg(target_os = "linux")]
mod watch;

use std::net::{IpAddr, SocketAddr};

pub use endings::Ended;
use programs::Programs;

/// Where a host stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// `events`, `endings` or `polling`.
    pub rung: &'static str,
    /// Why not higher, or what was missed; empty: nothing.
    pub reason: String,
}

/// Connections of one process from one of the host's addresses to one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flow {
    /// The process.
    pub pid: u32,
    /// This end.
    pub local: IpAddr,
    /// The server.
    pub remote: SocketAddr,
    /// When the first was made, in nanoseconds since boot.
    pub first_ns: u64,
    /// How many.
    pub times: u32,
}

/// What was learnt since the last scan.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Connections that were answered, in order.
    pub flows: Vec<Flow>,
    /// Connections that ended, where nothing else is told of them.
    pub ended: Vec<Ended>,
    /// Programs that were started meanwhile.
    pub programs: Programs,
    /// Connections beyond the limits.
    pub left_out: u64,
    /// Processes that tried one place after the other, whose connections are no uses.
    pub scanners: usize,
}

/// What the host stands on.
#[derive(Debug)]
pub struct Ladder {
    source: Source,
    reason: String,
}

/// Who tells of connections.
#[derive(Debug)]
enum Source {
    #[cfg(target_os = "linux")]
    Events(watch::Watch),
    #[cfg(target_os = "linux")]
    Endings(listen::Listener),
    Nobody,
}

impl Ladder {
    /// As high as this host lets us.
    #[cfg(target_os = "linux")]
    pub fn climb() -> Self {
        let reason = match watch::Watch::start() {
            Ok(watch) => return Self { source: Source::Events(watch), reason: String::new() },
            Err(refused) => refused.to_string(),
        };
        match listen::Listener::start() {
            Ok(listener) => Self { source: Source::Endings(listener), reason },
            Err(error) => {
                let reason =
                    format!("{reason}; the kernel does not tell of sockets that end either ({error})");
                Self { source: Source::Nobody, reason }
            }
        }
    }

    /// As high as this host lets us.
    #[cfg(not(target_os = "linux"))]
    pub fn climb() -> Self {
        Self::polling("kernel events are read on Linux only")
    }

    /// The lowest rung, and why.
    pub fn polling(reason: &str) -> Self {
        Self { source: Source::Nobody, reason: reason.to_owned() }
    }

    /// What was learnt since this was asked last.
    pub fn gather(&mut self) -> Gathered {
        match &mut self.source {
            #[cfg(target_os = "linux")]
            Source::Events(watch) => watch.gather(),
            #[cfg(target_os = "linux")]
            Source::Endings(listener) => listener.gather(),
            Source::Nobody => Gathered::default(),
        }
    }

    /// Where the host stands.
    pub fn standing(&self) -> Standing {
        let (rung, missed) = match &self.source {
            #[cfg(target_os = "linux")]
            Source::Events(watch) => ("events", watch.missed()),
            #[cfg(target_os = "linux")]
            Source::Endings(listener) => ("endings", listener.missed()),
            Source::Nobody => ("polling", String::new()),
        };
        let both = [self.reason.as_str(), missed.as_str()];
        let reason = both.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ");
        Standing { rung, reason }
    }
}
