//! An item: one version of a node of the graph, with every source's claim beside the effective values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::id::{ItemId, Revision, SourceId};
use super::relationship::Require;
use super::time::Timestamp;
use super::value::Value;

/// How often one is sent on from a merged item to the next.
pub const REDIRECTS_MAX: usize = 64;

/// Where an item or a relationship is in its life.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Status {
    /// Somebody claims it.
    #[default]
    Active,
    /// A running thing that is not seen now; counts in impact.
    Stopped,
    /// Nobody claims it any more; counts in impact, marked.
    Missing,
    /// Gone: counts in nothing but history.
    Retired,
}

impl Status {
    /// As shown to people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Stopped => "stopped",
            Status::Missing => "missing",
            Status::Retired => "retired",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One version of an item.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// Its stable name.
    pub id: ItemId,
    /// The effective class.
    pub class: String,
    /// The effective name.
    pub name: String,
    /// Where it is in its life.
    pub status: Status,
    /// Since when it has this status.
    pub status_since: Timestamp,
    /// When it was first observed.
    pub first_seen: Timestamp,
    /// What each source says, in the order in which they first said it.
    pub claims: Vec<ItemClaimState>,
    /// Redundancy groups named on this item, one per (group, source).
    pub groups: Vec<Group>,
    /// Items that may be the same as this one.
    pub duplicates: Vec<ItemId>,
    /// The item that it was merged into: whoever asks for this one is answered with that one.
    pub merged_into: Option<ItemId>,
    /// Items that a person told apart from this one, in order: never taken for the same again.
    pub distinct_from: Vec<ItemId>,
    /// Attributes of which a value was erased, here or in what became of this version.
    pub purged: BTreeMap<String, Purged>,
}

/// What is left of a value that was erased.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purged {
    /// The commit that erased it.
    pub revision: Revision,
    /// Who did.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// What sources other than people say of the attribute is not taken. Only the present says so.
    pub suppressed: bool,
}

/// What one source says of an item under one key.
#[derive(Clone, PartialEq, Debug)]
pub struct ItemClaimState {
    /// Who says it.
    pub source: SourceId,
    /// The source's own name for the item.
    pub key: String,
    /// The part of the world this came with.
    pub scope: String,
    /// The class it claims; empty: says nothing of the class.
    pub class: String,
    /// The name it claims; empty: says nothing of the name.
    pub name: String,
    /// The attributes it claims.
    pub attributes: BTreeMap<String, Stated>,
    /// The item that it is identified within.
    pub within: Option<ItemId>,
    /// When the source first said it.
    pub first_seen: Timestamp,
    /// When the source last said something new.
    pub observed_at: Timestamp,
    /// When the source ceased to say it.
    pub withdrawn_at: Option<Timestamp>,
    /// How the item was found.
    pub identification: Identification,
    /// What weighs the claim's attributes beside the order of sources.
    pub marks: Marks,
}

/// What is known of a claim's attributes beside their values. `name` counts as an attribute here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Not confirmed in time: the next source in the order goes first.
    pub stale: BTreeSet<String>,
    /// The source says that there is no value.
    pub nulls: BTreeSet<String>,
    /// Held by a person against every other source.
    pub pins: BTreeMap<String, Pin>,
    /// Of what is reported by sections: when the source last said something else, or nothing, of the item; the
    /// beginning of time: never. Between sources of equal rank the one that changed its mind last goes first.
    pub otherwise_at: Option<Timestamp>,
}

/// A person holds a value against every other source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// When it was pinned.
    pub since: Timestamp,
    /// When it ends; `None`: when somebody unpins it.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// A claimed value, and whether it is the effective one.
#[derive(Clone, PartialEq, Debug)]
pub struct Stated {
    /// The value.
    pub value: Value,
    /// It won reconciliation.
    pub effective: bool,
}

/// A redundancy group as one source declares it, on the dependent.
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its name on this item.
    pub name: String,
    /// How many members are needed.
    pub require: Require,
    /// Concluded from evidence, not confirmed by a person.
    pub inferred: bool,
    /// 0 to 1.
    pub confidence: f64,
    /// Who declares it.
    pub source: SourceId,
    /// The declaring claim's key.
    pub key: String,
    /// What it was concluded from, in words; of a person's word on it, the reason.
    pub evidence: String,
    /// A person says that there is no such redundancy: all members are needed.
    pub rejected: bool,
}

/// The way in which an item was found for a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Method {
    /// (source, key) was known.
    Key,
    /// An identification rule found it.
    Rule,
    /// Nothing matched.
    #[default]
    New,
    /// The claim named the item by its id.
    Named,
    /// Several items matched; they are recorded as a duplicate set.
    Duplicate,
    /// Another live machine states the same identifier, and the rest of the evidence tells them apart.
    Clone,
}

/// The decision on a claim, kept to be shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identification {
    /// The way it was found.
    pub method: Method,
    /// The attributes of the deciding rule.
    pub rule: Vec<String>,
    /// Their values, normalised, in the rule's order.
    pub values: Vec<String>,
    /// The items that matched.
    pub candidates: Vec<ItemId>,
    /// Rules passed over, each with the reason.
    pub skipped: Vec<String>,
}

/// What stands in place of an identifier that was erased.
const ERASED: &str = "(purged)";

impl Identification {
    fn erase(&mut self, attribute: &str) -> bool {
        let mut erased = false;
        for (name, value) in self.rule.iter().zip(&mut self.values) {
            if name == attribute && value != ERASED {
                ERASED.clone_into(value);
                erased = true;
            }
        }
        erased
    }
}

/// The effective value of an attribute, with where it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Effective<'a> {
    /// The value.
    pub value: &'a Value,
    /// Whose it is.
    pub source: SourceId,
    /// When that source observed it.
    pub observed_at: Timestamp,
    /// The person who says it holds it against all others.
    pub pin: Option<&'a Pin>,
}

impl ItemClaimState {
    /// Takes the value of an attribute away, with its marks and its part in how the item was found.
    fn erase(&mut self, attribute: &str) -> bool {
        let stated = self.attributes.remove(attribute).is_some();
        let pinned = self.marks.pins.remove(attribute).is_some();
        let stale = self.marks.stale.remove(attribute);
        stated | pinned | stale | self.identification.erase(attribute)
    }

    fn effective<'a>(&'a self, name: &str, stated: &'a Stated) -> Effective<'a> {
        Effective {
            value: &stated.value,
            source: self.source,
            observed_at: self.observed_at,
            pin: self.marks.pins.get(name),
        }
    }
}

impl Item {
    /// The effective value of one attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Effective<'_>> {
        self.claims.iter().find_map(|claim| {
            let stated = claim.attributes.get(name).filter(|stated| stated.effective)?;
            Some(claim.effective(name, stated))
        })
    }

    /// All effective values, by attribute.
    #[must_use]
    pub fn effective(&self) -> BTreeMap<&str, Effective<'_>> {
        let mut effective = BTreeMap::new();
        for claim in &self.claims {
            for (name, stated) in claim.attributes.iter().filter(|(_, stated)| stated.effective) {
                effective.insert(name.as_str(), claim.effective(name, stated));
            }
        }
        effective
    }

    /// Takes every value of an attribute off the claims, with what was derived from it; whether there was any.
    pub fn erase(&mut self, attribute: &str, of: &dyn Fn(&ItemClaimState) -> bool) -> bool {
        let mut erased = false;
        for claim in self.claims.iter_mut().filter(|claim| of(claim)) {
            erased |= claim.erase(attribute);
        }
        erased
    }

    /// The attributes that only people may state.
    pub fn suppressed(&self) -> impl Iterator<Item = (&str, &Purged)> {
        let suppressed = self.purged.iter().filter(|(_, purged)| purged.suppressed);
        suppressed.map(|(attribute, purged)| (attribute.as_str(), purged))
    }

    /// The claims that stand.
    pub fn standing(&self) -> impl Iterator<Item = &ItemClaimState> {
        self.claims.iter().filter(|claim| claim.withdrawn_at.is_none())
    }

    /// The key under which people know it: that of its first claim that is not an id.
    #[must_use]
    pub fn key(&self) -> Option<(SourceId, &str)> {
        let named = self.claims.iter().find(|claim| !claim.key.starts_with('@'));
        named.or(self.claims.first()).map(|claim| (claim.source, claim.key.as_str()))
    }
}
