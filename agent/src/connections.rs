//! The ladder: how connections are learnt of that are not there any more when somebody looks.
//!
//! ```text
//!  events   the kernel tells of every connection as it is made, and who makes it
//!  polling  only what is open at the moment of a scan is seen
//! ```
//!
//! A host stands on the highest rung that it is let on, and says why not on the next one. Every rung starts with a look at the
//! sockets that are open, and looks again at each scan. Knows nothing of claims or products. Invariant: what is kept between two
//! scans is bounded, and what was left out is counted.

pub mod programs;
mod tally;
pub mod tracepoint;
#[cfg(target_os = "linux")]
mod watch;

use std::net::{IpAddr, SocketAddr};

use programs::Programs;

/// Where a host stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// `events` or `polling`.
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
    #[cfg(target_os = "linux")]
    watch: Option<watch::Watch>,
    reason: String,
}

impl Ladder {
    /// As high as this host lets us.
    #[cfg(target_os = "linux")]
    pub fn climb() -> Self {
        match watch::Watch::start() {
            Ok(watch) => Self { watch: Some(watch), reason: String::new() },
            Err(refused) => Self { watch: None, reason: refused.to_string() },
        }
    }

    /// As high as this host lets us.
    #[cfg(not(target_os = "linux"))]
    pub fn climb() -> Self {
        Self::polling("kernel events are read on Linux only")
    }

    /// The lowest rung, and why.
    pub fn polling(reason: &str) -> Self {
        Self {
            #[cfg(target_os = "linux")]
            watch: None,
            reason: reason.to_owned(),
        }
    }

    /// What was learnt since this was asked last.
    pub fn gather(&mut self) -> Gathered {
        #[cfg(target_os = "linux")]
        if let Some(watch) = &mut self.watch {
            return watch.gather();
        }
        Gathered::default()
    }

    /// Where the host stands.
    pub fn standing(&self) -> Standing {
        #[cfg(target_os = "linux")]
        if let Some(watch) = &self.watch {
            return Standing { rung: "events", reason: watch.missed() };
        }
        Standing { rung: "polling", reason: self.reason.clone() }
    }
}
