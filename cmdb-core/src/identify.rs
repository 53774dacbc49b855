//! Which item a claim speaks of.
//!
//! Pure: it is told what the index holds, and answers with a verdict and the reasons for it. Knows nothing of the
//! store, of precedence between sources, or of what the item becomes.
//!
//! Order: the source's own key, then every strong rule (serial number, machine id …), then the weak rules in order.
//! A weak rule finds only what no strong identifier contradicts. What is found by nothing is new; what is found
//! several times is new as well, and all of them are recorded as a duplicate set: nothing is guessed.
//!
//! ```text
//!  claim ──evidence──▶ identifiers (own fields), criteria (rows to look up) ──decide──▶ verdict
//!                                        ▲ Index: who has it     ▲ Surroundings: rows, live machines that say it too
//! ```
//!
//! Definitions: a *row* is an item that belongs to another one and tells it by what it says, such as an interface of
//! a host. *Rivals* of a claim are other live machines that speak of the same item.
//!
//! Invariant: the verdict depends on the claim, the index and the surroundings alone, not on the order of sources.

mod apart;
mod decide;

pub use decide::decide;

use std::collections::BTreeSet;

use crate::model::item::Identification;
use crate::model::schema::{Lookup, Rule, Schema, Strength};
use crate::model::{ItemId, Value};

/// The most identifiers one claim may yield; a longer list in an attribute is cut here.
pub const IDENTIFIERS_MAX: usize = 1_000;

/// What identifies an item: a rule with its values, as a digest that the index holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identifier {
    /// Of rule, host and values.
    pub digest: [u8; 16],
    /// Of rule and host: identifiers with the same one can be compared.
    pub rule: [u8; 16],
    /// The attributes of the rule.
    pub attributes: Vec<String>,
    /// Their values, normalised.
    pub values: Vec<String>,
    /// What a match is worth.
    pub strength: Strength,
    /// One of several of the same rule: others of the item may differ without contradiction.
    pub one_of_many: bool,
}

/// A rule that goes by looked-up rows, with what the claim itself says to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Criterion {
    /// What is looked up.
    pub lookup: Lookup,
    /// Own attributes that an item must have as well, normalised.
    pub own: Vec<(String, String)>,
    /// The class that declares the rule.
    pub declared_by: String,
    /// What a match is worth.
    pub strength: Strength,
    /// How many identifiers come from rules before this one.
    pub after: usize,
}

impl Criterion {
    /// All that the rule goes by.
    #[must_use]
    pub fn attributes(&self) -> Vec<String> {
        let own = self.own.iter().map(|(name, _)| name.clone());
        own.chain([self.lookup.name()]).collect()
    }

    /// The values: its own, then the rows'.
    #[must_use]
    pub fn values(&self, rows: &BTreeSet<String>) -> Vec<String> {
        let own = self.own.iter().map(|(_, value)| value.clone());
        own.chain([rows.iter().cloned().collect::<Vec<_>>().join(", ")]).collect()
    }
}

/// The identifiers of a claim, and why some rules gave none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// In the order of the rules.
    pub identifiers: Vec<Identifier>,
    /// Rules that go by looked-up rows, in their order.
    pub criteria: Vec<Criterion>,
    /// Rules that gave none, each with the reason.
    pub skipped: Vec<String>,
}

/// What the index knows.
pub trait Index {
    /// Why it cannot be read.
    type Error;

    /// The items with an identifier; retired ones are left out.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn items_with(&self, identifier: &Identifier) -> Result<Vec<ItemId>, Self::Error>;

    /// The strong identifiers of an item.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn strong_identifiers(&self, item: ItemId) -> Result<Vec<Identifier>, Self::Error>;

    /// The items that a person told apart from an item.
    ///
    /// # Errors
    /// When the index cannot be read.
    fn distinct_from(&self, item: ItemId) -> Result<Vec<ItemId>, Self::Error>;
}

/// Whose word on an item's rows counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Everybody's.
    Anyone,
    /// That of the claim's rivals.
    Rivals,
}

/// What is known of the claim beside itself, and of items beside their identifiers.
pub trait Surroundings {
    /// Why it cannot be read.
    type Error;

    /// What the rows of the claim's item say, those of the same report first; normalised.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rows(&self, lookup: &Lookup) -> Result<BTreeSet<String>, Self::Error>;

    /// What the rows of an item say.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rows_of(&self, item: ItemId, lookup: &Lookup, whose: Whose) -> Result<BTreeSet<String>, Self::Error>;

    /// The items that meet a criterion with these rows; retired ones are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn items_by_rows(
        &self,
        criterion: &Criterion,
        rows: &BTreeSet<String>,
    ) -> Result<BTreeSet<ItemId>, Self::Error>;

    /// The strong identifiers that the claim's rivals state of an item; `None`: it has no rival there.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rivals(&self, item: ItemId) -> Result<Option<Vec<Identifier>>, Self::Error>;

    /// Whether the claim puts its item on the same host as its rivals put that item; `None`: that cannot be told.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn same_host(&self, item: ItemId) -> Result<Option<bool>, Self::Error>;

    /// Whether others who speak of an item, and they alone, place it within another host than the claim does.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn is_elsewhere(&self, item: ItemId) -> Result<bool, Self::Error>;

    /// Whether a person has merged another item into this one.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn joined_by_a_person(&self, item: ItemId) -> Result<bool, Self::Error>;
}

/// Which item it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The item; `None`: a new one.
    pub item: Option<ItemId>,
    /// Items that may be the same.
    pub duplicates: Vec<ItemId>,
    /// How it was found.
    pub identification: Identification,
}

/// What a claim offers to the rules of its class. Rows are looked up later, and only where they matter.
pub fn evidence<'a>(
    schema: &Schema,
    class: &str,
    attribute: impl Fn(&str) -> Option<&'a Value>,
    within: Option<ItemId>,
) -> Evidence {
    let mut evidence = Evidence::default();
    let Some(declared) = schema.class(class) else { return evidence };
    for rule in &declared.identification {
        match rule_values(schema, class, rule, &attribute, within) {
            Ok(all) if rule.lookup.is_some() => evidence.criteria.extend(criterion(&evidence, rule, all)),
            Ok(all) => {
                let room = IDENTIFIERS_MAX - evidence.identifiers.len();
                let found = all.into_iter().take(room).map(|values| identifier(rule, within, values));
                evidence.identifiers.extend(found);
            }
            Err(reason) => evidence.skipped.push(format!("{}: {reason}", rule_name(rule))),
        }
    }
    evidence
}

/// Whether what both sides know strongly differs in everything that can be compared.
#[must_use]
pub fn contradicts(mine: &[Identifier], theirs: &[Identifier]) -> bool {
    let mut differs = false;
    for rule in apart::compare(mine, theirs) {
        match rule {
            (_, apart::Comparison::Agrees) => return false,
            (_, apart::Comparison::Differs) => differs = true,
        }
    }
    differs
}

/// The value lists of a rule: one, or one for each element of a list.
fn rule_values<'a>(
    schema: &Schema,
    class: &str,
    rule: &Rule,
    attribute: &impl Fn(&str) -> Option<&'a Value>,
    within: Option<ItemId>,
) -> Result<Vec<Vec<String>>, String> {
    if rule.within && within.is_none() {
        return Err("the claim names no host".to_owned());
    }
    if rule.any_of_list {
        let name = &rule.attributes[0].name;
        let value = attribute(name).ok_or_else(|| format!("no {name}"))?;
        let each = schema.normalise_each(class, name, value);
        return if each.is_empty() {
            Err(format!("{name} has no usable element"))
        } else {
            Ok(each.into_iter().map(|value| vec![value]).collect())
        };
    }
    let mut values = Vec::with_capacity(rule.attributes.len());
    for wanted in &rule.attributes {
        let value = attribute(&wanted.name);
        match value.and_then(|value| schema.normalise(class, &wanted.name, value)) {
            Some(text) => values.push(text),
            None if wanted.optional => values.push(String::new()),
            None if value.is_some() => {
                return Err(format!("{} says nothing (\"{}\")", wanted.name, value.expect("just seen")));
            }
            None => return Err(format!("no {}", wanted.name)),
        }
    }
    Ok(vec![values])
}

fn rule_name(rule: &Rule) -> String {
    rule.criteria().join(" + ")
}

fn criterion(evidence: &Evidence, rule: &Rule, values: Vec<Vec<String>>) -> Option<Criterion> {
    let values = values.into_iter().next()?;
    Some(Criterion {
        lookup: rule.lookup.clone()?,
        own: rule.names().map(str::to_owned).zip(values).collect(),
        declared_by: rule.declared_by.clone(),
        strength: rule.strength,
        after: evidence.identifiers.len(),
    })
}

fn identifier(rule: &Rule, within: Option<ItemId>, values: Vec<String>) -> Identifier {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(&rule.declared_by);
    rule.names().for_each(&mut part);
    if rule.within {
        part(&within.expect("checked by rule_values").to_string());
    }
    let of_rule = short(&hasher);
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    values.iter().for_each(|value| part(value));
    Identifier {
        digest: short(&hasher),
        rule: of_rule,
        attributes: rule.names().map(str::to_owned).collect(),
        values,
        strength: rule.strength,
        one_of_many: rule.any_of_list,
    }
}

fn short(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut digest = [0; 16];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

#[cfg(test)]
mod tests;
