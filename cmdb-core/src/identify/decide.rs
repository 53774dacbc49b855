//! The verdict on a claim.

use std::collections::BTreeSet;

use super::apart::{self, Meeting};
use super::{Criterion, Evidence, Identifier, Index, Surroundings, Verdict, contradicts};
use crate::model::ItemId;
use crate::model::item::{Identification, Method};
use crate::model::schema::Strength;

/// Finds the item. `known` is the one that the source's key is bound to.
///
/// # Errors
/// When the index cannot be read.
pub fn decide<E, X>(evidence: &Evidence, known: Option<ItemId>, index: &X) -> Result<Verdict, E>
where
    X: Index<Error = E> + Surroundings<Error = E>,
{
    match known {
        Some(item) => decide_known(evidence, item, index),
        None => decide_unknown(evidence, index, None),
    }
}

/// What found items: the attributes of a rule and their values.
#[derive(Clone)]
struct By {
    attributes: Vec<String>,
    values: Vec<String>,
    strength: Strength,
}

impl By {
    fn identifier(identifier: &Identifier) -> By {
        By {
            attributes: identifier.attributes.clone(),
            values: identifier.values.clone(),
            strength: identifier.strength,
        }
    }

    fn rows(criterion: &Criterion, rows: &BTreeSet<String>) -> By {
        By {
            attributes: criterion.attributes(),
            values: criterion.values(rows),
            strength: criterion.strength,
        }
    }
}

fn decide_known<E, X>(evidence: &Evidence, item: ItemId, index: &X) -> Result<Verdict, E>
where
    X: Index<Error = E> + Surroundings<Error = E>,
{
    if index.is_elsewhere(item)? {
        // The host turned out to be another one than theirs, and what is within it as well.
        let mut verdict = decide_unknown(evidence, index, Some(item))?;
        verdict.identification.skipped.push(format!("key: others say that {item} is within another host"));
        return Ok(verdict);
    }
    let (mut others, by) = strong_matches(evidence, index)?;
    let confirmed = others.remove(&item);
    for distinct in index.distinct_from(item)? {
        others.remove(&distinct);
    }
    if confirmed && !apart::told_apart(evidence, item, index, Meeting::Shared)?.is_empty() {
        return decide_unknown(evidence, index, Some(item));
    }
    let mut identification = Identification {
        method: Method::Key,
        skipped: evidence.skipped.clone(),
        ..Identification::default()
    };
    let moved = !confirmed && contradicts(&evidence.identifiers, &index.strong_identifiers(item)?);
    if moved && !apart::rows_speak_for(evidence, item, index)? {
        let mut verdict = decide_unknown(evidence, index, Some(item))?;
        let found = &mut verdict.identification;
        found.skipped.push(format!("key: every strong identifier differs from those of {item}"));
        if found.candidates.is_empty() {
            found.candidates = vec![item];
        }
        return Ok(verdict);
    }
    if !others.is_empty() {
        let sorted = sort(evidence, &others, index)?;
        describe(&mut identification, by.as_ref());
        identification.skipped.extend(sorted.reasons);
        identification.candidates = others.iter().copied().collect();
        if sorted.same.is_empty() {
            identification.method = Method::Clone;
        }
        return Ok(Verdict { item: Some(item), duplicates: others.into_iter().collect(), identification });
    }
    Ok(Verdict { item: Some(item), duplicates: Vec::new(), identification })
}

/// `not`: an item that it certainly is not.
fn decide_unknown<E, X>(evidence: &Evidence, index: &X, not: Option<ItemId>) -> Result<Verdict, E>
where
    X: Index<Error = E> + Surroundings<Error = E>,
{
    let (found, by) = strong_matches(evidence, index)?;
    let mut sorted = sort(evidence, &found, index)?;
    if let Some(not) = not.filter(|not| sorted.same.remove(not)) {
        sorted.clones.insert(not);
    }
    if !sorted.same.is_empty() {
        let mut verdict = verdict(evidence, sorted.same, by.as_ref());
        verdict.identification.skipped.extend(sorted.reasons);
        return Ok(verdict);
    }
    let mut skipped = sorted.reasons;
    let mut verdict = match weak_matches(evidence, index, &sorted.clones, not, &mut skipped)? {
        Some((found, by)) => verdict(evidence, found, Some(&by)),
        None => verdict(evidence, BTreeSet::new(), None),
    };
    verdict.identification.skipped.extend(skipped);
    if !sorted.clones.is_empty() && verdict.duplicates.is_empty() {
        describe(&mut verdict.identification, by.as_ref());
        verdict.identification.method = Method::Clone;
        verdict.duplicates = sorted.clones.iter().copied().collect();
        verdict.identification.candidates.clone_from(&verdict.duplicates);
    }
    Ok(verdict)
}

/// Items that share a strong identifier with the claim.
struct Sorted {
    /// Nothing tells them apart.
    same: BTreeSet<ItemId>,
    /// Other machines with the same identifier.
    clones: BTreeSet<ItemId>,
    /// Why they are others, in words.
    reasons: Vec<String>,
}

fn sort<S: Surroundings>(
    evidence: &Evidence,
    found: &BTreeSet<ItemId>,
    around: &S,
) -> Result<Sorted, S::Error> {
    let mut sorted = Sorted { same: BTreeSet::new(), clones: BTreeSet::new(), reasons: Vec::new() };
    for item in found {
        let differs = apart::told_apart(evidence, *item, around, Meeting::First)?;
        if differs.is_empty() {
            sorted.same.insert(*item);
        } else {
            sorted.clones.insert(*item);
            sorted.reasons.push(format!(
                "{item} is another machine with the same identifier: {} differ",
                differs.join(", ")
            ));
        }
    }
    Ok(sorted)
}

/// What the first weak rule finds that finds anything.
fn weak_matches<E, X>(
    evidence: &Evidence,
    index: &X,
    clones: &BTreeSet<ItemId>,
    not: Option<ItemId>,
    skipped: &mut Vec<String>,
) -> Result<Option<(BTreeSet<ItemId>, By)>, E>
where
    X: Index<Error = E> + Surroundings<Error = E>,
{
    for place in 0..=evidence.identifiers.len() {
        let mut offers: Vec<(BTreeSet<ItemId>, By)> = Vec::new();
        for criterion in evidence.criteria.iter().filter(|criterion| criterion.after == place) {
            if criterion.strength == Strength::Weak {
                let rows = index.rows(&criterion.lookup)?;
                offers.push((items_by_rows(criterion, &rows, index)?, By::rows(criterion, &rows)));
            }
        }
        let identifier = evidence.identifiers.get(place);
        for weak in identifier.into_iter().filter(|identifier| identifier.strength == Strength::Weak) {
            offers.push((index.items_with(weak)?.into_iter().collect(), By::identifier(weak)));
        }
        for (found, by) in offers {
            let mut kept = BTreeSet::new();
            for item in found.into_iter().filter(|item| Some(*item) != not && !clones.contains(item)) {
                let rule = by.attributes.join(" + ");
                if contradicts(&evidence.identifiers, &index.strong_identifiers(item)?) {
                    skipped.push(format!("{rule}: {item} has other strong identifiers"));
                    continue;
                }
                let differs = apart::told_apart(evidence, item, index, Meeting::First)?;
                if differs.is_empty() {
                    kept.insert(item);
                } else {
                    skipped.push(format!("{rule}: {item} is another machine: {} differ", differs.join(", ")));
                }
            }
            if !kept.is_empty() {
                return Ok(Some((kept, by)));
            }
        }
    }
    Ok(None)
}

fn items_by_rows<S: Surroundings>(
    criterion: &Criterion,
    rows: &BTreeSet<String>,
    around: &S,
) -> Result<BTreeSet<ItemId>, S::Error> {
    if rows.is_empty() { Ok(BTreeSet::new()) } else { around.items_by_rows(criterion, rows) }
}

fn strong_matches<E, X>(evidence: &Evidence, index: &X) -> Result<(BTreeSet<ItemId>, Option<By>), E>
where
    X: Index<Error = E> + Surroundings<Error = E>,
{
    let mut found = BTreeSet::new();
    let mut by = None;
    for identifier in evidence.identifiers.iter().filter(|identifier| identifier.strength == Strength::Strong)
    {
        let items = index.items_with(identifier)?;
        if !items.is_empty() && by.is_none() {
            by = Some(By::identifier(identifier));
        }
        found.extend(items);
    }
    for criterion in evidence.criteria.iter().filter(|criterion| criterion.strength == Strength::Strong) {
        let rows = index.rows(&criterion.lookup)?;
        let items = items_by_rows(criterion, &rows, index)?;
        if !items.is_empty() && by.is_none() {
            by = Some(By::rows(criterion, &rows));
        }
        found.extend(items);
    }
    debug_assert!(by.as_ref().is_none_or(|by| by.strength == Strength::Strong));
    Ok((found, by))
}

fn verdict(evidence: &Evidence, found: BTreeSet<ItemId>, by: Option<&By>) -> Verdict {
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

fn describe(identification: &mut Identification, by: Option<&By>) {
    if let Some(by) = by {
        identification.rule.clone_from(&by.attributes);
        identification.values.clone_from(&by.values);
    }
}
