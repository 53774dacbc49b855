//! What a collector is, and the section of the report that it fills.
//!
//! Knows nothing of any particular collector. Invariant: a section that could not be read in whole says so, with
//! the reason and what would open it; "not visible" never looks like "not there".

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use cmdb_proto::v1;
use prost::Message;

use crate::claim::Draft;
use crate::connections::Standing;
use crate::host::Host;

/// The most entries of one section.
pub const ENTRIES_MAX: usize = 100_000;
/// The most reasons listed for one section.
const GAPS_MAX: usize = 8;

/// A part of the report that is complete, or not, on its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// The operating system instance.
    Os,
    /// The machine, or the container.
    Machine,
    /// Disks.
    Disks,
    /// File systems.
    Filesystems,
    /// Network interfaces and addresses.
    Network,
    /// Installed packages.
    Packages,
    /// Units of the service manager.
    Units,
    /// Software instances, their endpoints and connections.
    Software,
}

impl Scope {
    /// In the order of the report.
    pub const ALL: [Scope; 8] = [
        Scope::Os,
        Scope::Machine,
        Scope::Disks,
        Scope::Filesystems,
        Scope::Network,
        Scope::Packages,
        Scope::Units,
        Scope::Software,
    ];

    /// As it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Os => "os",
            Scope::Machine => "machine",
            Scope::Disks => "disks",
            Scope::Filesystems => "filesystems",
            Scope::Network => "network",
            Scope::Packages => "packages",
            Scope::Units => "units",
            Scope::Software => "software",
        }
    }
}

/// What one collector saw. Claims are kept as they travel, which takes a fraction of the room.
#[derive(Clone, Debug)]
pub struct Section {
    scope: Scope,
    bodies: BTreeMap<String, Vec<u8>>,
    gaps: Vec<String>,
}

impl Section {
    /// An empty section.
    pub fn new(scope: Scope) -> Self {
        Self { scope, bodies: BTreeMap::new(), gaps: Vec::new() }
    }

    /// Which part of the report.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Says something; the first claim under a key stands.
    pub fn add(&mut self, draft: Draft) {
        if self.bodies.len() >= ENTRIES_MAX {
            self.gap(format!("more than {ENTRIES_MAX} entries: the rest is left out"));
            return;
        }
        let claim = draft.finish();
        match self.bodies.entry(claim.key.clone()) {
            Entry::Vacant(place) => {
                place.insert(claim.encode_to_vec());
            }
            Entry::Occupied(place) => {
                tracing::warn!(
                    key = place.key(),
                    scope = self.scope.as_str(),
                    "two entries have the same key"
                );
            }
        }
    }

    /// Something could not be read. `reason` says what, and what would open it.
    pub fn gap(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if self.gaps.len() < GAPS_MAX && !self.gaps.contains(&reason) {
            self.gaps.push(reason);
        }
    }

    /// What was said, in the order of the keys.
    pub fn claims(&self) -> impl ExactSizeIterator<Item = v1::Claim> {
        let decoded = |body: &Vec<u8>| v1::Claim::decode(body.as_slice()).expect("it was encoded here");
        self.bodies.values().map(decoded)
    }

    /// What was said, as it travels: keys with their claims, in order.
    pub fn bodies(&self) -> impl ExactSizeIterator<Item = (&String, &Vec<u8>)> {
        self.bodies.iter()
    }

    /// Why it is not complete; `None`: it is.
    pub fn incomplete_reason(&self) -> Option<String> {
        (!self.gaps.is_empty()).then(|| self.gaps.join("; "))
    }
}

/// Fills one section of the report.
pub trait Collector: Send {
    /// Which one.
    fn scope(&self) -> Scope;
    /// On which rung connections are learnt of; `None`: this one learns of none.
    fn standing(&self) -> Option<Standing> {
        None
    }
    /// Reads and says what is there.
    fn collect(&mut self, host: &mut Host, section: &mut Section);
}
