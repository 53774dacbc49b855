//! The units that are stated together, by how they belong to each other.
//!
//! A host is identified by what belongs to it as well (its interfaces, its disks), which the same report names after
//! it. So the claims are read before any of them is placed.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::Unit;
use crate::claim::{Reference, RelationshipClaim};
use crate::model::schema::{Lookup, Schema, Step};

/// The most rows of one item that are looked at; further ones do not count.
pub(super) const ROWS_MAX: usize = 1_000;

/// Units by key, host and relationship, worked out when somebody asks.
pub(super) struct Batch<'u> {
    units: &'u [Unit],
    map: OnceCell<Map<'u>>,
}

#[derive(Default)]
struct Map<'u> {
    by_key: BTreeMap<&'u str, usize>,
    guests: BTreeMap<&'u str, Vec<&'u str>>,
    /// (type, target) → sources.
    sources: BTreeMap<(&'u str, &'u str), Vec<&'u str>>,
    /// (type, source) → targets.
    targets: BTreeMap<(&'u str, &'u str), Vec<&'u str>>,
}

impl<'u> Batch<'u> {
    pub(super) fn new(units: &'u [Unit]) -> Batch<'u> {
        Batch { units, map: OnceCell::new() }
    }

    /// Whether a unit of this key is stated.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map().by_key.contains_key(key)
    }

    /// The place of the unit of a key.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        self.map().by_key.get(key).copied()
    }

    /// What the rows of the item that a key names say.
    pub(super) fn rows(&self, schema: &Schema, key: &str, lookup: &Lookup) -> BTreeSet<String> {
        let map = self.map();
        let mut at: BTreeSet<&str> = [key].into();
        for step in lookup.by.iter().rev() {
            let mut before = BTreeSet::new();
            for key in at {
                let found = match step {
                    Step::Within => map.guests.get(key),
                    Step::To(kind) => map.sources.get(&(kind.as_str(), key)),
                    Step::From(kind) => map.targets.get(&(kind.as_str(), key)),
                };
                before.extend(found.into_iter().flatten().copied());
            }
            at = before.into_iter().take(ROWS_MAX).collect();
        }
        let rows = at.into_iter().filter_map(|key| self.units[*map.by_key.get(key)?].claim.item.as_ref());
        rows.filter(|row| schema.is_a(&row.class, &lookup.class))
            .filter_map(|row| {
                Some(schema.normalise_row(
                    &row.class,
                    &lookup.attribute,
                    row.attributes.get(&lookup.attribute)?,
                ))
            })
            .flatten()
            .collect()
    }

    fn map(&self) -> &Map<'u> {
        self.map.get_or_init(|| {
            let mut map = Map::default();
            for (place, unit) in self.units.iter().enumerate() {
                let key = unit.claim.key.as_str();
                let Some(item) = &unit.claim.item else { continue };
                map.by_key.insert(key, place);
                if let Some(Reference::Key(host)) = &item.within {
                    map.guests.entry(host).or_default().push(key);
                }
                for said in &unit.claim.relationships {
                    let Some((from, to)) = ends(key, said) else { continue };
                    map.sources.entry((&said.kind, to)).or_default().push(from);
                    map.targets.entry((&said.kind, from)).or_default().push(to);
                }
            }
            map
        })
    }
}

/// The keys of both ends, where they are keys.
pub(super) fn ends<'c>(key: &'c str, said: &'c RelationshipClaim) -> Option<(&'c str, &'c str)> {
    let end = |reference: &'c Reference| match reference {
        Reference::This => Some(key),
        Reference::Key(key) => Some(key.as_str()),
        Reference::SourceKey { .. } | Reference::Match(_) | Reference::Id(_) => None,
    };
    Some((end(&said.from)?, end(&said.to)?))
}
