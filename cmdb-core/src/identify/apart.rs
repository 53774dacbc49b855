//! Whether a claim and its rivals speak of two machines that share an identifier: a copied disk image, a copied
//! virtual machine, a container that shows its host's id.
//!
//! What is shared proves nothing here; what else is known decides. Addresses that no two machines have at one time
//! decide alone. Where nothing else differs, the two speak of one item.

use super::{Evidence, Identifier, Surroundings, Whose};
use crate::model::ItemId;
use crate::model::schema::Strength;

/// How two sides stand by one rule that both have values for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Comparison {
    Agrees,
    Differs,
}

/// Since when claim and rivals speak of the item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meeting {
    /// The claim is about to join them.
    First,
    /// They share it already: a part that was replaced must not part them.
    Shared,
}

/// Every strong rule that both sides have a value for: its attributes, and how they stand.
pub(super) fn compare<'i>(
    mine: &'i [Identifier],
    theirs: &'i [Identifier],
) -> impl Iterator<Item = (&'i [String], Comparison)> {
    let comparable =
        |identifier: &&Identifier| identifier.strength == Strength::Strong && !identifier.one_of_many;
    mine.iter().filter(comparable).filter_map(move |mine| {
        let mut theirs =
            theirs.iter().filter(comparable).filter(|theirs| theirs.rule == mine.rule).peekable();
        theirs.peek()?;
        let agrees = theirs.any(|theirs| theirs.digest == mine.digest);
        let comparison = if agrees { Comparison::Agrees } else { Comparison::Differs };
        Some((mine.attributes.as_slice(), comparison))
    })
}

/// What tells the claim's item apart from an item that it shares an identifier with; empty: nothing does.
pub(super) fn told_apart<S: Surroundings>(
    evidence: &Evidence,
    item: ItemId,
    around: &S,
    meeting: Meeting,
) -> Result<Vec<String>, S::Error> {
    let Some(theirs) = around.rivals(item)? else { return Ok(Vec::new()) };
    if meeting == Meeting::Shared && around.joined_by_a_person(item)? {
        return Ok(Vec::new());
    }
    let rows = rows(evidence, item, around, Whose::Rivals)?;
    if rows.unique == Some(Comparison::Agrees) {
        return Ok(Vec::new());
    }
    let mut differs: Vec<String> = compare(&evidence.identifiers, &theirs)
        .filter(|(_, comparison)| *comparison == Comparison::Differs)
        .map(|(attributes, _)| attributes.join(" + "))
        .collect();
    let same_host = around.same_host(item)?;
    if same_host == Some(false) {
        differs.push("what it runs on".to_owned());
    }
    if meeting == Meeting::Shared {
        let held = same_host == Some(true) || rows.others == Some(Comparison::Agrees);
        return Ok(if held { Vec::new() } else { differs });
    }
    differs.extend(rows.differs);
    Ok(differs)
}

/// Whether the rows of the claim speak for an item although its strong identifiers have all changed: a main board
/// that was replaced in a machine with the same disks and addresses.
pub(super) fn rows_speak_for<S: Surroundings>(
    evidence: &Evidence,
    item: ItemId,
    around: &S,
) -> Result<bool, S::Error> {
    let rows = rows(evidence, item, around, Whose::Anyone)?;
    Ok(match rows.unique {
        Some(unique) => unique == Comparison::Agrees,
        None => rows.others == Some(Comparison::Agrees),
    })
}

/// How the looked-up rows of two sides stand.
#[derive(Default)]
struct RowsCompared {
    /// By lookups of values that no two items have at one time.
    unique: Option<Comparison>,
    /// By the others.
    others: Option<Comparison>,
    /// Unique ones that have nothing in common.
    differs: Vec<String>,
}

fn rows<S: Surroundings>(
    evidence: &Evidence,
    item: ItemId,
    around: &S,
    whose: Whose,
) -> Result<RowsCompared, S::Error> {
    let mut compared = RowsCompared::default();
    for criterion in &evidence.criteria {
        let lookup = &criterion.lookup;
        let mine = around.rows(lookup)?;
        if mine.is_empty() {
            continue;
        }
        let theirs = around.rows_of(item, lookup, whose)?;
        if theirs.is_empty() {
            continue;
        }
        let agrees = !mine.is_disjoint(&theirs);
        let comparison = if agrees { Comparison::Agrees } else { Comparison::Differs };
        let kept = if lookup.unique { &mut compared.unique } else { &mut compared.others };
        if *kept != Some(Comparison::Agrees) {
            *kept = Some(comparison);
        }
        if lookup.unique && !agrees {
            compared.differs.push(lookup.name());
        }
    }
    Ok(compared)
}
