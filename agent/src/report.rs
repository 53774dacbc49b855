//! Turns what the collectors saw into a report, and into the part of it that the server does not have.
//!
//! ```text
//!  entry digest    first 16 bytes of BLAKE3 of the encoded claim
//!  section digest  BLAKE3 over (key, entry digest), in the order of the keys
//!  report digest   BLAKE3 over (scope, complete, reason, section digest), in the order of the report
//! ```
//!
//! Knows nothing of the network or of files. Invariant: the same facts give the same digests, whatever the order
//! in which they were read; an entry goes without its body only when the server acknowledged that very digest.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_proto::v1;
use prost::Message;

use crate::collector::Section;

/// Bytes of every digest.
const DIGEST_BYTES: usize = 16;

/// A digest.
pub type Digest = [u8; DIGEST_BYTES];

/// Everything that one scan saw, encoded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// When, in microseconds since the epoch.
    pub observed_at_us: i64,
    /// Over the sections.
    pub digest: Digest,
    /// In the order of the report.
    pub sections: Vec<SealedSection>,
}

/// One encoded section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedSection {
    /// Which.
    pub scope: String,
    /// Why it is not complete; empty: it is.
    pub incomplete_reason: String,
    /// Over the entries.
    pub digest: Digest,
    /// In the order of their keys.
    pub entries: Vec<SealedEntry>,
}

/// One encoded claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedEntry {
    /// The agent's key.
    pub key: String,
    /// Of the body.
    pub digest: Digest,
    /// The claim.
    pub body: Vec<u8>,
}

impl Report {
    /// Encodes what was seen.
    pub fn seal(sections: &[Section], observed_at_us: i64) -> Self {
        let sections: Vec<SealedSection> = sections.iter().map(SealedSection::seal).collect();
        Self { observed_at_us, digest: digest_of_sections(&sections), sections }
    }

    /// What the server does not have, as it goes on the wire.
    pub fn delta(&self, known: &Known, sequence: u64) -> v1::Report {
        let sections = self.sections.iter().map(|section| section.delta(known.sections.get(&section.scope)));
        v1::Report {
            sequence,
            digest: self.digest.to_vec(),
            observed_at_us: self.observed_at_us,
            sections: sections.collect(),
        }
    }

    /// Leaves out the last new entries of the largest sections until what has to be sent fits into `bytes_max`.
    ///
    /// The sections that lose entries become incomplete. What was sent is known afterwards, so the next reports
    /// bring the rest. `false`: it does not fit even so.
    pub fn fit(&mut self, known: &Known, bytes_max: u64) -> bool {
        for _ in 0..self.sections.len() {
            let sent = self.delta(known, u64::MAX);
            let too_many = u64::try_from(sent.encoded_len()).unwrap_or(u64::MAX).saturating_sub(bytes_max);
            if too_many == 0 {
                return true;
            }
            let largest = (0..sent.sections.len()).max_by_key(|index| sent.sections[*index].encoded_len());
            let Some(largest) = largest else { return false };
            self.sections[largest].leave_out(&sent.sections[largest], too_many, bytes_max);
            self.digest = digest_of_sections(&self.sections);
        }
        u64::try_from(self.delta(known, u64::MAX).encoded_len()).is_ok_and(|bytes| bytes <= bytes_max)
    }
}

fn digest_of_sections(sections: &[SealedSection]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for section in sections {
        add(&mut hasher, section.scope.as_bytes());
        add(&mut hasher, &[u8::from(section.is_complete())]);
        add(&mut hasher, section.incomplete_reason.as_bytes());
        add(&mut hasher, &section.digest);
    }
    first_bytes(&hasher)
}

/// With its length in front, so that no two lists of parts look alike.
fn add(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
    hasher.update(part);
}

fn first_bytes(hasher: &blake3::Hasher) -> Digest {
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..DIGEST_BYTES]);
    digest
}

impl SealedSection {
    fn seal(section: &Section) -> Self {
        let entries: Vec<SealedEntry> = section
            .bodies()
            .map(|(key, body)| {
                let mut hasher = blake3::Hasher::new();
                hasher.update(body);
                SealedEntry { key: key.clone(), digest: first_bytes(&hasher), body: body.clone() }
            })
            .collect();
        Self {
            scope: section.scope().as_str().to_owned(),
            incomplete_reason: section.incomplete_reason().unwrap_or_default(),
            digest: digest_of_entries(&entries),
            entries,
        }
    }

    /// Whether everything was seen.
    pub fn is_complete(&self) -> bool {
        self.incomplete_reason.is_empty()
    }

    fn delta(&self, known: Option<&KnownSection>) -> v1::Section {
        let unchanged = known.is_some_and(|known| {
            known.digest == self.digest
                && known.incomplete_reason == self.incomplete_reason
                && self.entries.iter().all(|entry| known.has(entry))
        });
        let entries = if unchanged {
            Vec::new()
        } else {
            self.entries
                .iter()
                .map(|entry| v1::Entry {
                    key: entry.key.clone(),
                    digest: entry.digest.to_vec(),
                    body: if known.is_some_and(|known| known.has(entry)) {
                        Vec::new()
                    } else {
                        entry.body.clone()
                    },
                })
                .collect()
        };
        v1::Section {
            scope: self.scope.clone(),
            complete: self.is_complete(),
            incomplete_reason: self.incomplete_reason.clone(),
            digest: self.digest.to_vec(),
            entries,
            unchanged,
        }
    }

    fn leave_out(&mut self, sent: &v1::Section, too_many: u64, bytes_max: u64) {
        let reason = format!(
            "the report is larger than the {bytes_max} bytes that the server takes; the next one goes on"
        );
        let bytes = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        // The reason takes room too.
        let mut too_many = too_many.saturating_add(bytes(reason.len()));
        let mut left_out = BTreeSet::new();
        for entry in sent.entries.iter().rev().filter(|entry| !entry.body.is_empty()) {
            if too_many == 0 {
                break;
            }
            too_many = too_many.saturating_sub(bytes(entry.encoded_len()));
            left_out.insert(entry.key.as_str());
        }
        self.entries.retain(|entry| !left_out.contains(entry.key.as_str()));
        self.digest = digest_of_entries(&self.entries);
        self.incomplete_reason = reason;
    }
}

fn digest_of_entries(entries: &[SealedEntry]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for entry in entries {
        add(&mut hasher, entry.key.as_bytes());
        hasher.update(&entry.digest);
    }
    first_bytes(&hasher)
}

/// What the server has acknowledged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// The digest of the report; `None`: nothing was acknowledged.
    pub digest: Option<Digest>,
    /// By scope.
    pub sections: BTreeMap<String, KnownSection>,
}

/// What the server has acknowledged of one section.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KnownSection {
    /// Of the section.
    pub digest: Digest,
    /// Why it was not complete; empty: it was.
    pub incomplete_reason: String,
    /// Digests of the entries by key.
    pub entries: BTreeMap<String, Digest>,
}

impl KnownSection {
    fn has(&self, entry: &SealedEntry) -> bool {
        self.entries.get(&entry.key) == Some(&entry.digest)
    }
}

impl Known {
    /// Everything in a report that was acknowledged, but for the entries that were refused.
    pub fn of(report: &Report) -> Self {
        let sections = report.sections.iter().map(|section| {
            let entries = section.entries.iter().map(|entry| (entry.key.clone(), entry.digest)).collect();
            let incomplete_reason = section.incomplete_reason.clone();
            (section.scope.clone(), KnownSection { digest: section.digest, incomplete_reason, entries })
        });
        Self { digest: Some(report.digest), sections: sections.collect() }
    }

    /// An entry that was refused is sent whole the next time its section changes.
    pub fn forget_entry(&mut self, key: &str) {
        for section in self.sections.values_mut() {
            section.entries.remove(key);
        }
    }

    /// Sections that the server does not hold; none named: all.
    pub fn forget(&mut self, scopes: &[String]) {
        self.digest = None;
        if scopes.is_empty() {
            self.sections.clear();
        }
        for scope in scopes {
            self.sections.remove(scope);
        }
    }

    /// Whether the server has exactly this report.
    pub fn is(&self, report: &Report) -> bool {
        self.digest == Some(report.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Draft;
    use crate::collector::Scope;

    fn report(version: &str, gap: Option<&str>) -> Report {
        let mut os = Section::new(Scope::Os);
        os.add(Draft::new("os", "operating_system", "web01"));
        let mut packages = Section::new(Scope::Packages);
        packages.add(Draft::new("package:b", "package", "b").set("version", version));
        packages.add(Draft::new("package:a", "package", "a").set("version", "1"));
        if let Some(gap) = gap {
            packages.gap(gap);
        }
        Report::seal(&[os, packages], 5)
    }

    fn sent(report: &Report, known: &Known) -> Vec<String> {
        let mut shown = Vec::new();
        for section in report.delta(known, 1).sections {
            let bodies = section.entries.iter().filter(|entry| !entry.body.is_empty()).count();
            shown.push(format!("{} {} {}/{bodies}", section.scope, section.unchanged, section.entries.len()));
        }
        shown
    }

    #[test]
    fn only_what_changed_is_sent() {
        let first = report("1", None);
        assert_eq!(sent(&first, &Known::default()), ["os false 1/1", "packages false 2/2"]);
        let mut known = Known::of(&first);
        assert_eq!(sent(&first, &known), ["os true 0/0", "packages true 0/0"]);
        assert_eq!(sent(&report("2", None), &known), ["os true 0/0", "packages false 2/1"]);
        known.forget(&["packages".to_owned()]);
        assert_eq!(sent(&first, &known), ["os true 0/0", "packages false 2/2"]);
        known.forget(&[]);
        assert_eq!(sent(&first, &known), ["os false 1/1", "packages false 2/2"]);
    }

    #[test]
    fn a_refused_entry_is_sent_again() {
        let first = report("1", None);
        let mut known = Known::of(&first);
        known.forget_entry("package:a");
        assert_eq!(sent(&first, &known), ["os true 0/0", "packages false 2/1"]);
    }

    #[test]
    fn digests_tell_reports_apart() {
        let one = report("1", None);
        assert_eq!(one, report("1", None));
        assert_ne!(one.digest, report("2", None).digest);
        assert_ne!(
            one.digest,
            report("1", Some("not allowed")).digest,
            "a section that became incomplete is news"
        );
        let body = &one.sections[0].entries[0];
        assert_eq!(body.digest[..], blake3::hash(&body.body).as_bytes()[..16]);
    }

    #[test]
    fn a_report_above_the_limit_comes_in_parts() {
        let mut packages = Section::new(Scope::Packages);
        for number in 0..100 {
            packages.add(Draft::new(&format!("package:{number:03}"), "package", "name"));
        }
        let whole = Report::seal(&[packages], 5);
        let mut known = Known::default();
        let mut rounds = 0;
        loop {
            let mut part = whole.clone();
            assert!(part.fit(&known, 5000));
            assert!(part.delta(&known, 1).encoded_len() <= 5000);
            known = Known::of(&part);
            rounds += 1;
            if part.sections[0].is_complete() {
                break;
            }
            assert!(rounds < 10, "it must come to an end");
        }
        assert!(rounds > 1 && known.is(&whole));
    }
}
