//! What one scan of software tells the next: the names of instances, and how often each use of an endpoint was
//! seen, from which its confidence grows.
//!
//! Invariant: bounded; what has not been seen for long is forgotten, and so is the oldest above the limit.

use std::collections::BTreeMap;

use super::names::NameMemory;
use crate::claim::Relation;

/// The most uses remembered.
pub const USES_MAX: usize = 50_000;
/// A use that was not seen in so many scans is forgotten: a day's worth at one scan in five minutes.
const SCANS_REMEMBERED: u64 = 288;
/// How sure a use is after the first, second, … scan that saw it. Steps, so that reports stay equal in between.
const CONFIDENCE: [f64; 5] = [0.6, 0.7, 0.8, 0.9, 0.95];

/// One use of an endpoint by an instance.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Use {
    /// The key of the instance.
    pub client: String,
    /// The key of the endpoint.
    pub target: String,
    /// How it is used.
    pub relation: Relation,
}

/// How often a use was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// In how many scans; counts up to the last step.
    pub times: u8,
    /// In which scan last.
    pub scan: u64,
}

/// Everything that a scan of software needs to know of those before it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// How often each use was seen.
    pub uses: UseMemory,
    /// Names that were given to instances.
    pub names: NameMemory,
}

impl Memory {
    /// A new scan begins.
    pub fn begin(&mut self) {
        self.uses.begin();
        self.names.begin();
    }
}

/// All uses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UseMemory {
    /// The number of this scan.
    pub scan: u64,
    /// What was seen.
    pub uses: BTreeMap<Use, Seen>,
}

impl UseMemory {
    /// A new scan begins.
    pub fn begin(&mut self) {
        self.scan += 1;
        let scan = self.scan;
        self.uses.retain(|_, seen| scan.saturating_sub(seen.scan) <= SCANS_REMEMBERED);
        if self.uses.len() > USES_MAX {
            let mut scans: Vec<u64> = self.uses.values().map(|seen| seen.scan).collect();
            scans.sort_unstable();
            let oldest_kept = scans[scans.len() - USES_MAX];
            self.uses.retain(|_, seen| seen.scan > oldest_kept);
        }
    }

    /// A use is seen in this scan. How sure it is now.
    pub fn see(&mut self, one: Use) -> f64 {
        let scan = self.scan;
        let seen = self.uses.entry(one).or_insert(Seen { times: 0, scan: scan.wrapping_sub(1) });
        if seen.scan != scan || seen.times == 0 {
            seen.times =
                seen.times.saturating_add(1).min(u8::try_from(CONFIDENCE.len()).expect("five steps"));
            seen.scan = scan;
        }
        CONFIDENCE[usize::from(seen.times).saturating_sub(1).min(CONFIDENCE.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(target: &str) -> Use {
        Use { client: "software:psql".into(), target: target.into(), relation: Relation::DependsOn }
    }

    #[test]
    fn confidence_grows_by_steps_and_stays() {
        let mut memory = UseMemory::default();
        let seen: Vec<f64> = (0..7)
            .map(|_| {
                memory.begin();
                memory.see(one("a"));
                memory.see(one("a"))
            })
            .collect();
        assert_eq!(seen, [0.6, 0.7, 0.8, 0.9, 0.95, 0.95, 0.95]);
    }

    #[test]
    fn what_is_not_seen_for_long_is_forgotten() {
        let mut memory = UseMemory::default();
        memory.begin();
        memory.see(one("a"));
        for _ in 0..SCANS_REMEMBERED {
            memory.begin();
        }
        assert_eq!(memory.uses.len(), 1);
        memory.begin();
        assert!(memory.uses.is_empty());
    }
}
