//! What one scan of software tells the next: the names of instances, how each endpoint was used and how often, from which
//! its confidence grows, and the programs that ran for a moment between scans.
//!
//! Invariant: bounded; what has not been seen for long is forgotten, and so is the oldest above the limit. A use stays
//! reported until it is forgotten: a connection for each request is not another report at each scan.

use std::collections::BTreeMap;

use super::names::NameMemory;
use crate::claim::Relation;

/// The most uses remembered.
pub const USES_MAX: usize = 50_000;
/// The most programs of a moment remembered.
pub const PASSING_MAX: usize = 1_000;
/// What was not seen in so many scans is forgotten: a day's worth at one scan in five minutes.
const SCANS_REMEMBERED: u64 = 288;
/// A program that makes short connections keeps using a server when so many scans have seen it.
const TIMES_KEPT_USING: u8 = 3;
/// How sure a use is after the first, second, … scan that saw it. Steps, so that reports stay equal in between.
const CONFIDENCE: [f64; 5] = [0.6, 0.7, 0.8, 0.9, 0.95];

/// How an endpoint is used, as seen at one scan; the most telling first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Manner {
    /// By a connection that lasts.
    Lasting,
    /// By connections that were made and ended between two scans.
    Short,
    /// By datagrams, or by a connection that is being tried or closed.
    Traffic,
}

/// One use of an endpoint by an instance.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Use {
    /// The key of the instance.
    pub client: String,
    /// The key of the endpoint.
    pub target: String,
}

/// How often a use was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// In how many scans; counts up to the last step.
    pub times: u8,
    /// In which scan last.
    pub scan: u64,
    /// It is a dependency, and not mere traffic.
    pub depends: bool,
}

/// A program that ran between two scans: what was said of it, without its relationships.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passing {
    /// The encoded claim.
    pub body: Vec<u8>,
    /// In which scan it was heard of last.
    pub scan: u64,
}

/// Everything that a scan of software needs to know of those before it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// How often each use was seen.
    pub uses: UseMemory,
    /// Names that were given to instances.
    pub names: NameMemory,
    /// Programs that ran between scans, by the keys of their instances.
    pub passing: BTreeMap<String, Passing>,
}

impl Memory {
    /// A new scan begins.
    pub fn begin(&mut self) {
        self.uses.begin();
        self.names.begin();
        let scan = self.uses.scan;
        self.passing.retain(|_, passing| scan.saturating_sub(passing.scan) <= SCANS_REMEMBERED);
    }

    /// What to say of a program: of one that has ended what was said first, so that each run is not news.
    pub fn settle(&mut self, key: &str, body: Vec<u8>, has_ended: bool) -> Vec<u8> {
        let scan = self.uses.scan;
        let has_room = self.passing.len() < PASSING_MAX;
        match self.passing.get_mut(key) {
            Some(passing) if has_ended => {
                passing.scan = scan;
                return passing.body.clone();
            }
            // It is looked at while it runs: now more is known of it.
            Some(passing) => passing.body.clone_from(&body),
            None if has_ended && has_room => {
                self.passing.insert(key.to_owned(), Passing { body: body.clone(), scan });
            }
            None => {}
        }
        body
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

    /// A use is seen in this scan.
    pub fn see(&mut self, client: &str, target: &str, manner: Manner) {
        let scan = self.scan;
        let one = Use { client: client.to_owned(), target: target.to_owned() };
        let seen = self.uses.entry(one).or_insert(Seen { times: 0, scan, depends: false });
        if seen.scan != scan || seen.times == 0 {
            seen.times =
                seen.times.saturating_add(1).min(u8::try_from(CONFIDENCE.len()).expect("five steps"));
            seen.scan = scan;
        }
        seen.depends |= match manner {
            Manner::Lasting => true,
            Manner::Short => seen.times >= TIMES_KEPT_USING,
            Manner::Traffic => false,
        };
    }

    /// The only client that was seen to use an endpoint.
    pub fn only_client_of(&self, target: &str) -> Option<String> {
        let mut clients = self.uses.keys().filter(|one| one.target == target).map(|one| &one.client);
        let only = clients.next()?;
        clients.next().is_none().then(|| only.clone())
    }

    /// What a client uses: the endpoint, how, and how sure that is.
    pub fn of<'a>(&'a self, client: &str) -> impl Iterator<Item = (&'a str, Relation, f64)> {
        let first = Use { client: client.to_owned(), target: String::new() };
        let client = client.to_owned();
        let own = self.uses.range(first..).take_while(move |(one, _)| one.client == client);
        own.map(|(one, seen)| {
            let relation = if seen.depends { Relation::DependsOn } else { Relation::ConnectsTo };
            let step = usize::from(seen.times).saturating_sub(1).min(CONFIDENCE.len() - 1);
            (one.target.as_str(), relation, CONFIDENCE[step])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(memory: &UseMemory) -> Vec<String> {
        memory
            .of("psql")
            .map(|(target, relation, sure)| format!("{} {target} {sure}", relation.as_str()))
            .collect()
    }

    #[test]
    fn confidence_grows_by_steps_and_stays() {
        let mut memory = UseMemory::default();
        let seen: Vec<f64> = (0..7)
            .map(|_| {
                memory.begin();
                memory.see("psql", "a", Manner::Lasting);
                memory.see("psql", "a", Manner::Lasting);
                memory.of("psql").next().unwrap().2
            })
            .collect();
        assert_eq!(seen, [0.6, 0.7, 0.8, 0.9, 0.95, 0.95, 0.95]);
    }

    #[test]
    fn what_keeps_using_a_server_depends_on_it_and_traffic_never_does() {
        let mut memory = UseMemory::default();
        for scan in 1..=4 {
            memory.begin();
            memory.see("psql", "a", Manner::Short);
            memory.see("psql", "b", Manner::Traffic);
            memory.see("psql-2", "c", Manner::Lasting);
            let expected = if scan < 3 { "connects_to a" } else { "depends_on a" };
            assert!(said(&memory)[0].starts_with(expected), "{scan}: {:?}", said(&memory));
        }
        assert_eq!(said(&memory), ["depends_on a 0.9", "connects_to b 0.9"]);
        // A connection that lasts says so at once, and what was a dependency stays one while it is remembered.
        memory.begin();
        memory.see("psql", "b", Manner::Lasting);
        memory.begin();
        memory.see("psql", "b", Manner::Traffic);
        assert_eq!(said(&memory), ["depends_on a 0.9", "depends_on b 0.95"]);
    }

    #[test]
    fn what_is_not_seen_for_long_is_forgotten() {
        let mut memory = Memory::default();
        memory.begin();
        memory.uses.see("psql", "a", Manner::Lasting);
        memory.settle("psql", vec![1], true);
        for _ in 0..SCANS_REMEMBERED {
            memory.begin();
        }
        assert_eq!((memory.uses.uses.len(), memory.passing.len()), (1, 1));
        memory.begin();
        assert!(memory.uses.uses.is_empty() && memory.passing.is_empty());
    }

    #[test]
    fn a_program_of_a_moment_is_said_the_same_each_time() {
        let mut memory = Memory::default();
        memory.begin();
        assert_eq!(memory.settle("psql", vec![1], true), [1]);
        assert_eq!(memory.settle("psql", vec![2], true), [1]);
        // Seen while it ran: that says more.
        assert_eq!(memory.settle("psql", vec![3], false), [3]);
        assert_eq!(memory.settle("psql", vec![4], true), [3]);
        // What runs on is said as it is.
        assert_eq!(memory.settle("nginx", vec![5], false), [5]);
        assert_eq!(memory.passing.len(), 1);
    }
}
