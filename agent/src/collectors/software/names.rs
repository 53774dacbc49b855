//! Names that tell the instances of a product on one host apart, and stay.
//!
//! Where there is one, it needs no name. When a second one comes, the first keeps the plain name; when the first
//! goes, the second does not become the first: an item must not turn into another because a neighbour stopped. So
//! names are remembered. An instance that comes back under another port, but with the same data or by the same
//! unit, is the same one.
//!
//! Knows nothing of processes. Invariant: no two instances of a product in one place have the same name, and the
//! memory is bounded.

use std::collections::{BTreeMap, BTreeSet};

/// The most names remembered.
pub const NAMES_MAX: usize = 10_000;
/// A name that was not seen in so many scans is forgotten: a month's worth at one scan in five minutes.
const SCANS_REMEMBERED: u64 = 8_640;

/// What tells the instances of a product apart, the strongest first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Identity {
    /// What a runtime runs.
    Program(String),
    /// Its main port.
    Port(u16),
    /// Where its data lies.
    Data(String),
    /// What starts it.
    Unit(String),
    /// Nothing.
    Nothing,
}

impl Identity {
    /// As a name.
    pub fn label(&self) -> String {
        match self {
            Identity::Program(text) | Identity::Data(text) => text.clone(),
            Identity::Port(port) => port.to_string(),
            Identity::Unit(unit) => unit.trim_end_matches(".service").to_owned(),
            Identity::Nothing => String::new(),
        }
    }
}

/// An instance that needs a name.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What tells it apart.
    pub identity: Identity,
    /// Where its data lies.
    pub data_path: Option<String>,
    /// What starts it.
    pub unit: Option<String>,
    /// It stands on the product's usual port.
    pub is_usual: bool,
}

/// Whose name it is: product, place and what tells it apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NameKey {
    /// The product.
    pub product: String,
    /// The container or network; empty: the host's own.
    pub place: String,
    /// [`Identity::label`].
    pub identity: String,
}

/// A name that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The name; empty: the plain one.
    pub name: String,
    /// Where the data lay; empty: not known.
    pub data_path: String,
    /// What started it; empty: not known.
    pub unit: String,
    /// It stood on the product's usual port.
    pub is_usual: bool,
    /// In which scan it was seen last.
    pub scan: u64,
}

/// All names that were given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NameMemory {
    /// The number of this scan.
    pub scan: u64,
    /// What was given.
    pub names: BTreeMap<NameKey, Named>,
}

impl NameMemory {
    /// A new scan begins.
    pub fn begin(&mut self) {
        self.scan += 1;
        let scan = self.scan;
        self.names.retain(|_, named| scan.saturating_sub(named.scan) <= SCANS_REMEMBERED);
        if self.names.len() > NAMES_MAX {
            let mut scans: Vec<u64> = self.names.values().map(|named| named.scan).collect();
            scans.sort_unstable();
            let oldest_kept = scans[scans.len() - NAMES_MAX];
            self.names.retain(|_, named| named.scan > oldest_kept);
        }
    }

    /// The names of all instances of a product in one place, in the order of the candidates.
    pub fn names_of(&mut self, product: &str, place: &str, candidates: &[Candidate]) -> Vec<String> {
        let key = |identity: &Identity| NameKey {
            product: product.to_owned(),
            place: place.to_owned(),
            identity: identity.label(),
        };
        let mut names: Vec<Option<String>> = candidates
            .iter()
            .map(|one| self.names.get(&key(&one.identity)).map(|named| named.name.clone()))
            .collect();
        let present: BTreeSet<NameKey> = candidates.iter().map(|one| key(&one.identity)).collect();
        for (candidate, name) in candidates.iter().zip(&mut names).filter(|(_, name)| name.is_none()) {
            *name = self.take_over(product, place, candidate, &present);
        }
        let mut held = self.held(product, place);
        held.extend(names.iter().flatten().cloned());
        if let Some(plain) = plain(candidates, &names, &held) {
            names[plain] = Some(String::new());
            held.insert(String::new());
        }
        let scan = self.scan;
        candidates
            .iter()
            .zip(names)
            .map(|(candidate, name)| {
                let name = name.unwrap_or_else(|| unlike(&candidate.identity.label(), &mut held));
                let named = Named {
                    name: name.clone(),
                    data_path: candidate.data_path.clone().unwrap_or_default(),
                    unit: candidate.unit.clone().unwrap_or_default(),
                    is_usual: candidate.is_usual,
                    scan,
                };
                self.names.insert(key(&candidate.identity), named);
                name
            })
            .collect()
    }

    fn held(&self, product: &str, place: &str) -> BTreeSet<String> {
        self.of(product, place).map(|(_, named)| named.name.clone()).collect()
    }

    fn of(&self, product: &str, place: &str) -> impl Iterator<Item = (&NameKey, &Named)> {
        let first = NameKey { product: product.to_owned(), place: place.to_owned(), identity: String::new() };
        self.names.range(first..).take_while(move |(key, _)| key.product == product && key.place == place)
    }

    /// The name of an instance that is not there any more and was, by all signs, the same one.
    fn take_over(
        &mut self,
        product: &str,
        place: &str,
        candidate: &Candidate,
        present: &BTreeSet<NameKey>,
    ) -> Option<String> {
        let same = |known: &str, now: &Option<String>| !known.is_empty() && now.as_deref() == Some(known);
        let gone = || self.of(product, place).filter(|(key, _)| !present.contains(key));
        let is_same = |named: &Named| {
            same(&named.data_path, &candidate.data_path) || same(&named.unit, &candidate.unit)
        };
        // A program on a port of no meaning, which is another at each start, is the one that was there before.
        let is_passing = |named: &Named| named.name.is_empty() && !named.is_usual && !candidate.is_usual;
        let found =
            gone().find(|(_, named)| is_same(named)).or_else(|| gone().find(|(_, named)| is_passing(named)));
        let key = found.map(|(key, _)| key.clone())?;
        self.names.remove(&key).map(|named| named.name)
    }
}

/// Which candidate gets the plain name, if it is free: the only one, else that on the product's usual port.
fn plain(candidates: &[Candidate], names: &[Option<String>], held: &BTreeSet<String>) -> Option<usize> {
    if held.contains("") {
        return None;
    }
    let mut open = (0..candidates.len()).filter(|index| names[*index].is_none());
    match (candidates.len(), open.next()) {
        (1, only) => only,
        (_, first) => first.into_iter().chain(open).find(|index| candidates[*index].is_usual),
    }
}

/// A name that nobody has.
fn unlike(label: &str, held: &mut BTreeSet<String>) -> String {
    let mut name = label.to_owned();
    let mut number = 2;
    while !held.insert(name.clone()) {
        name = format!("{label}-{number}");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `port[*][ data]`: the usual port is marked with a star.
    fn candidate(text: &str) -> Candidate {
        let (port, data) = text.split_once(' ').map_or((text, None), |(port, data)| (port, Some(data)));
        Candidate {
            identity: Identity::Port(port.trim_end_matches('*').parse().unwrap()),
            data_path: data.map(str::to_owned),
            unit: None,
            is_usual: port.ends_with('*'),
        }
    }

    /// The names in each of a row of scans.
    fn check(scans: &[(&[&str], &[&str])]) {
        let mut memory = NameMemory::default();
        for (number, (candidates, expected)) in scans.iter().enumerate() {
            memory.begin();
            let candidates: Vec<_> = candidates.iter().map(|text| candidate(text)).collect();
            assert_eq!(memory.names_of("postgresql", "", &candidates), *expected, "scan {number}");
        }
    }

    #[test]
    fn one_needs_no_name_and_the_usual_port_goes_first() {
        check(&[(&["5433"], &[""])]);
        check(&[(&["5432*", "5433"], &["", "5433"])]);
        check(&[(&["5433", "5434"], &["5433", "5434"])]);
    }

    #[test]
    fn names_stay_when_neighbours_come_and_go() {
        check(&[
            (&["5433 /a"], &[""]),
            (&["5432* /b", "5433 /a"], &["5432", ""]),
            (&["5432* /b"], &["5432"]),
            (&[], &[]),
            (&["5432* /b", "5433 /a"], &["5432", ""]),
        ]);
    }

    #[test]
    fn the_same_data_on_another_port_is_the_same_instance() {
        check(&[(&["5432* /a"], &[""]), (&["6000 /a"], &[""]), (&["5432* /b", "6000 /a"], &["5432", ""])]);
    }

    #[test]
    fn another_server_does_not_become_the_one_that_is_down() {
        check(&[
            (&["5432* /a"], &[""]),
            (&["6000 /b"], &["6000"]),
            (&["5432* /a", "6000 /b"], &["", "6000"]),
        ]);
    }

    #[test]
    fn a_port_of_no_meaning_does_not_make_another_instance() {
        check(&[(&["40001"], &[""]), (&["40002"], &[""]), (&["40003"], &[""])]);
    }

    #[test]
    fn no_two_have_the_same_name() {
        // The first was named 5433, moves to 5434 with its data, and another one comes to 5433.
        check(&[
            (&["5432* /x", "5433 /a"], &["", "5433"]),
            (&["5432* /x", "5434 /a"], &["", "5433"]),
            (&["5432* /x", "5433 /b", "5434 /a"], &["", "5433-2", "5433"]),
        ]);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut memory = NameMemory::default();
        memory.begin();
        for number in 0..NAMES_MAX + 500 {
            memory.names_of(&format!("product-{number}"), "", &[candidate("1")]);
        }
        memory.begin();
        memory.names_of("postgresql", "", &[candidate("5433")]);
        assert!(memory.names.len() <= NAMES_MAX, "{}", memory.names.len());
        for _ in 0..=SCANS_REMEMBERED {
            memory.begin();
        }
        assert!(memory.names.is_empty());
    }
}
