//! Which item a claim speaks of.
//!
//! Pure: it is told what the index holds, and answers with a verdict and the reasons for it. Knows nothing of the
//! store, of precedence between sources, or of what the item becomes.
//!
//! Order: the source's own key, then every strong rule (serial number, machine id …), then the weak rules in order.
//! A weak rule finds only what no strong identifier contradicts. What is found by nothing is new; what is found
//! several times is new as well, and all of them are recorded as a duplicate set: nothing is guessed.
//!
//! Invariant: the verdict depends on the claim and the index alone, not on the time or the order of sources.

use std::collections::BTreeSet;

use crate::model::item::{Identification, Method};
use crate::model::schema::{Rule, Schema, Strength};
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

/// The identifiers of a claim, and why some rules gave none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Evidence {
    /// In the order of the rules.
    pub identifiers: Vec<Identifier>,
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

/// What a claim offers to the rules of its class.
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

/// Finds the item. `known` is the one that the source's key is bound to.
///
/// # Errors
/// When the index cannot be read.
pub fn decide<I: Index>(evidence: &Evidence, known: Option<ItemId>, index: &I) -> Result<Verdict, I::Error> {
    match known {
        Some(item) => decide_known(evidence, item, index),
        None => decide_unknown(evidence, index),
    }
}

fn decide_known<I: Index>(evidence: &Evidence, item: ItemId, index: &I) -> Result<Verdict, I::Error> {
    let (mut others, by) = strong_matches(evidence, index)?;
    let confirmed = others.remove(&item);
    for distinct in index.distinct_from(item)? {
        others.remove(&distinct);
    }
    let mut identification = Identification {
        method: Method::Key,
        skipped: evidence.skipped.clone(),
        ..Identification::default()
    };
    if !others.is_empty() {
        describe(&mut identification, by);
        identification.candidates = others.iter().copied().collect();
        return Ok(Verdict { item: Some(item), duplicates: others.into_iter().collect(), identification });
    }
    if !confirmed && contradicts(evidence, &index.strong_identifiers(item)?) {
        identification.method = Method::New;
        identification.candidates = vec![item];
        identification.skipped.push(format!("key: every strong identifier differs from those of {item}"));
        return Ok(Verdict { item: None, duplicates: Vec::new(), identification });
    }
    Ok(Verdict { item: Some(item), duplicates: Vec::new(), identification })
}

fn decide_unknown<I: Index>(evidence: &Evidence, index: &I) -> Result<Verdict, I::Error> {
    let (strong, by) = strong_matches(evidence, index)?;
    if !strong.is_empty() {
        return Ok(verdict(evidence, strong, by));
    }
    let mut skipped = Vec::new();
    for weak in evidence.identifiers.iter().filter(|identifier| identifier.strength == Strength::Weak) {
        let mut found = BTreeSet::new();
        for item in index.items_with(weak)? {
            if contradicts(evidence, &index.strong_identifiers(item)?) {
                skipped.push(format!("{}: {item} has other strong identifiers", weak.attributes.join(" + ")));
            } else {
                found.insert(item);
            }
        }
        if !found.is_empty() {
            return Ok(verdict(evidence, found, Some(weak)));
        }
    }
    let mut new = verdict(evidence, BTreeSet::new(), None);
    new.identification.skipped.extend(skipped);
    Ok(new)
}

fn strong_matches<'e, I: Index>(
    evidence: &'e Evidence,
    index: &I,
) -> Result<(BTreeSet<ItemId>, Option<&'e Identifier>), I::Error> {
    let mut found = BTreeSet::new();
    let mut by = None;
    for identifier in evidence.identifiers.iter().filter(|identifier| identifier.strength == Strength::Strong)
    {
        let items = index.items_with(identifier)?;
        if !items.is_empty() && by.is_none() {
            by = Some(identifier);
        }
        found.extend(items);
    }
    Ok((found, by))
}

fn verdict(evidence: &Evidence, found: BTreeSet<ItemId>, by: Option<&Identifier>) -> Verdict {
    let mut identification =
        Identification { skipped: evidence.skipped.clone(), ..Identification::default() };
    describe(&mut identification, by);
    identification.candidates = found.iter().copied().collect();
    let mut all = found.into_iter();
    match (all.next(), all.next()) {
        (None, _) => {
            identification.method = Method::New;
            Verdict { item: None, duplicates: Vec::new(), identification }
        }
        (Some(item), None) => {
            identification.method = Method::Rule;
            Verdict { item: Some(item), duplicates: Vec::new(), identification }
        }
        (Some(_), Some(_)) => {
            identification.method = Method::Duplicate;
            let duplicates = identification.candidates.clone();
            Verdict { item: None, duplicates, identification }
        }
    }
}

fn describe(identification: &mut Identification, by: Option<&Identifier>) {
    if let Some(by) = by {
        identification.rule.clone_from(&by.attributes);
        identification.values.clone_from(&by.values);
    }
}

/// Whether what both sides know strongly differs in everything that can be compared.
fn contradicts(evidence: &Evidence, known: &[Identifier]) -> bool {
    let comparable =
        |identifier: &&Identifier| identifier.strength == Strength::Strong && !identifier.one_of_many;
    let mut differs = false;
    for mine in evidence.identifiers.iter().filter(comparable) {
        let mut theirs = known.iter().filter(comparable).filter(|theirs| theirs.rule == mine.rule).peekable();
        if theirs.peek().is_none() {
            continue;
        }
        if theirs.any(|theirs| theirs.digest == mine.digest) {
            return false;
        }
        differs = true;
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
    let names: Vec<_> = rule.names().collect();
    names.join(" + ")
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
