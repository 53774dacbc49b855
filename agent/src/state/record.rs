//! The records in the state files. Fields are only ever added, so that a newer agent reads an older one's state.

use std::collections::BTreeMap;

use crate::collectors::software::memory::{Memory, PASSING_MAX, Passing, Seen, USES_MAX, Use, UseMemory};
use crate::collectors::software::names::{NAMES_MAX, NameKey, NameMemory, Named};
use crate::identity::Identity;
use crate::report::{Digest, Known, KnownSection};
use crate::seal::Seal;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KnownRecord {
    #[prost(bytes = "vec", tag = "1")]
    digest: Vec<u8>,
    #[prost(message, repeated, tag = "2")]
    sections: Vec<SectionRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SectionRecord {
    #[prost(string, tag = "1")]
    scope: String,
    #[prost(bytes = "vec", tag = "2")]
    digest: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    entries: Vec<EntryRecord>,
    #[prost(string, tag = "4")]
    incomplete_reason: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct EntryRecord {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    digest: Vec<u8>,
}

impl KnownRecord {
    pub(super) fn from_known(known: &Known) -> Self {
        let sections = known.sections.iter().map(|(scope, section)| SectionRecord {
            scope: scope.clone(),
            digest: section.digest.to_vec(),
            incomplete_reason: section.incomplete_reason.clone(),
            entries: section
                .entries
                .iter()
                .map(|(key, digest)| EntryRecord { key: key.clone(), digest: digest.to_vec() })
                .collect(),
        });
        Self {
            digest: known.digest.map(|digest| digest.to_vec()).unwrap_or_default(),
            sections: sections.collect(),
        }
    }

    pub(super) fn into_known(self) -> Option<Known> {
        let digest = |bytes: Vec<u8>| Digest::try_from(bytes).ok();
        let mut sections = BTreeMap::new();
        for section in self.sections {
            let mut entries = BTreeMap::new();
            for entry in section.entries {
                entries.insert(entry.key, digest(entry.digest)?);
            }
            let incomplete_reason = section.incomplete_reason;
            let known = KnownSection { digest: digest(section.digest)?, incomplete_reason, entries };
            sections.insert(section.scope, known);
        }
        Some(Known { digest: digest(self.digest), sections })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct IdentityRecord {
    #[prost(string, tag = "1")]
    agent_id: String,
    #[prost(string, tag = "2")]
    server: String,
    #[prost(bytes = "vec", tag = "3")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    certificate: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    authority: Vec<u8>,
    #[prost(string, tag = "6")]
    server_name: String,
    #[prost(int64, tag = "7")]
    not_before_us: i64,
    #[prost(int64, tag = "8")]
    not_after_us: i64,
}

impl IdentityRecord {
    pub(super) fn from_identity(identity: &Identity) -> Self {
        let Identity { agent_id, server, key, certificate, authority, server_name, .. } = identity.clone();
        let agent_id = agent_id.to_string();
        let (not_before_us, not_after_us) = (identity.not_before_us, identity.not_after_us);
        Self { agent_id, server, key, certificate, authority, server_name, not_before_us, not_after_us }
    }

    pub(super) fn into_identity(self) -> Option<Identity> {
        let Self { server, key, certificate, authority, server_name, not_before_us, not_after_us, .. } = self;
        let agent_id = self.agent_id.parse().ok()?;
        Some(Identity {
            agent_id,
            server,
            key,
            certificate,
            authority,
            server_name,
            not_before_us,
            not_after_us,
        })
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SealRecord {
    #[prost(message, repeated, tag = "1")]
    parts: Vec<SealPartRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SealPartRecord {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", repeated, tag = "2")]
    digests: Vec<Vec<u8>>,
}

impl SealRecord {
    pub(super) fn from_seal(seal: &Seal) -> Self {
        let parts = seal.parts.iter().map(|(name, digests)| SealPartRecord {
            name: name.clone(),
            digests: digests.iter().map(|digest| digest.to_vec()).collect(),
        });
        Self { parts: parts.collect() }
    }

    pub(super) fn into_seal(self) -> Seal {
        let digests = |digests: Vec<Vec<u8>>| digests.into_iter().filter_map(|digest| digest.try_into().ok());
        Seal {
            parts: self.parts.into_iter().map(|part| (part.name, digests(part.digests).collect())).collect(),
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct MemoryRecord {
    #[prost(message, optional, tag = "1")]
    uses: Option<UsesRecord>,
    #[prost(message, optional, tag = "2")]
    names: Option<NamesRecord>,
    #[prost(message, repeated, tag = "3")]
    passing: Vec<PassingRecord>,
}

/// A program that ran between two scans.
#[derive(Clone, PartialEq, prost::Message)]
struct PassingRecord {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(bytes = "vec", tag = "2")]
    body: Vec<u8>,
    #[prost(uint64, tag = "3")]
    scan: u64,
}

impl MemoryRecord {
    pub(super) fn from_memory(memory: &Memory) -> Self {
        let (uses, names) = (UsesRecord::from_memory(&memory.uses), NamesRecord::from_memory(&memory.names));
        let passing = memory.passing.iter().map(|(key, passing)| PassingRecord {
            key: key.clone(),
            body: passing.body.clone(),
            scan: passing.scan,
        });
        Self { uses: Some(uses), names: Some(names), passing: passing.collect() }
    }

    pub(super) fn into_memory(self) -> Memory {
        Memory {
            uses: self.uses.unwrap_or_default().into_memory(),
            names: self.names.unwrap_or_default().into_memory(),
            passing: self
                .passing
                .into_iter()
                .take(PASSING_MAX)
                .map(|record| (record.key, Passing { body: record.body, scan: record.scan }))
                .collect(),
        }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct NamesRecord {
    #[prost(uint64, tag = "1")]
    scan: u64,
    #[prost(message, repeated, tag = "2")]
    names: Vec<NameRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NameRecord {
    #[prost(string, tag = "1")]
    product: String,
    #[prost(string, tag = "2")]
    place: String,
    #[prost(string, tag = "3")]
    identity: String,
    #[prost(string, tag = "4")]
    name: String,
    #[prost(string, tag = "5")]
    data_path: String,
    #[prost(string, tag = "6")]
    unit: String,
    #[prost(bool, tag = "7")]
    is_usual: bool,
    #[prost(uint64, tag = "8")]
    scan: u64,
}

impl NamesRecord {
    pub(super) fn from_memory(memory: &NameMemory) -> Self {
        let names = memory.names.iter().map(|(key, named)| NameRecord {
            product: key.product.clone(),
            place: key.place.clone(),
            identity: key.identity.clone(),
            name: named.name.clone(),
            data_path: named.data_path.clone(),
            unit: named.unit.clone(),
            is_usual: named.is_usual,
            scan: named.scan,
        });
        Self { scan: memory.scan, names: names.collect() }
    }

    pub(super) fn into_memory(self) -> NameMemory {
        let names = self.names.into_iter().take(NAMES_MAX).map(|record| {
            let key = NameKey { product: record.product, place: record.place, identity: record.identity };
            let named = Named {
                name: record.name,
                data_path: record.data_path,
                unit: record.unit,
                is_usual: record.is_usual,
                scan: record.scan,
            };
            (key, named)
        });
        NameMemory { scan: self.scan, names: names.collect() }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct UsesRecord {
    #[prost(uint64, tag = "1")]
    scan: u64,
    #[prost(message, repeated, tag = "2")]
    uses: Vec<UseRecord>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct UseRecord {
    #[prost(string, tag = "1")]
    client: String,
    #[prost(string, tag = "2")]
    target: String,
    /// Whether it is a dependency; else it is traffic.
    #[prost(bool, tag = "3")]
    depends: bool,
    #[prost(uint32, tag = "4")]
    times: u32,
    #[prost(uint64, tag = "5")]
    scan: u64,
}

impl UsesRecord {
    pub(super) fn from_memory(memory: &UseMemory) -> Self {
        let uses = memory.uses.iter().map(|(one, seen)| UseRecord {
            client: one.client.clone(),
            target: one.target.clone(),
            depends: seen.depends,
            times: u32::from(seen.times),
            scan: seen.scan,
        });
        Self { scan: memory.scan, uses: uses.collect() }
    }

    pub(super) fn into_memory(self) -> UseMemory {
        let uses = self.uses.into_iter().take(USES_MAX).map(|record| {
            let one = Use { client: record.client, target: record.target };
            let times = u8::try_from(record.times).unwrap_or(u8::MAX);
            (one, Seen { times, scan: record.scan, depends: record.depends })
        });
        UseMemory { scan: self.scan, uses: uses.collect() }
    }
}
