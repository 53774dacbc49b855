//! One scan: looks at the host and lets every collector fill its section.
//!
//! Knows nothing of the server. Invariant: a scan that finds the host as it was gives an equal report.

use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::collector::{Collector, Section};
use crate::collectors::software::Software;
use crate::collectors::software::memory::Memory;
use crate::connections::Standing;
use crate::host::Host;
use crate::host::site::Site;
use crate::report::Report;
use crate::root::Root;
use crate::seal::Seal;

/// What a scan tells the next one: the collector writes it, the state keeps it.
pub type SharedMemory = Arc<Mutex<Memory>>;

/// Looks at one host, again and again.
pub struct Scanner {
    host: Host,
    collectors: Vec<Box<dyn Collector>>,
}

/// What a scan saw and what it cost.
#[derive(Debug)]
pub struct Scan {
    /// The sections, in the order of the report.
    pub sections: Vec<Section>,
    /// When, in microseconds since the epoch.
    pub observed_at_us: i64,
    /// Microseconds of CPU.
    pub cpu_us: u64,
    /// How connections are learnt of.
    pub standing: Option<Standing>,
}

impl Scanner {
    /// A scanner of the host at a root.
    pub fn new(root: Root, software: Software) -> Self {
        Self { host: Host::new(root), collectors: crate::collectors::all(software) }
    }

    /// With private addresses that are of this network.
    pub fn in_site(mut self, site: Site) -> Self {
        self.host.site = site;
        self
    }

    /// Looks now.
    pub fn scan(&mut self) -> Scan {
        let before = crate::platform::usage().cpu_us;
        let observed_at_us = now_us();
        self.host.refresh();
        let sections = self
            .collectors
            .iter_mut()
            .map(|collector| {
                let mut section = Section::new(collector.scope());
                collector.collect(&mut self.host, &mut section);
                tracing::debug!(
                    scope = section.scope().as_str(),
                    entries = section.bodies().len(),
                    incomplete = section.incomplete_reason(),
                    "collected"
                );
                section
            })
            .collect();
        let cpu_us = crate::platform::usage().cpu_us.saturating_sub(before);
        let standing = self.collectors.iter().find_map(|collector| collector.standing());
        Scan { sections, observed_at_us, cpu_us, standing }
    }

    /// What tells this host from a copy of it.
    pub fn seal(&self) -> Seal {
        Seal::read(&self.host.root)
    }

    /// The host's name, as last seen.
    pub fn host_name(&mut self) -> &str {
        if self.host.name.is_empty() {
            self.host.refresh();
        }
        &self.host.name
    }
}

impl Scan {
    /// The report of it.
    pub fn seal(&self) -> Report {
        Report::seal(&self.sections, self.observed_at_us)
    }
}

/// The time, in microseconds since the epoch.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
