//! From claims to a draft: which item, what it becomes, what hangs on it.
//!
//! The order within a batch is: items, then relationships, then redundancy, then what follows from them (entry
//! points, references that wait). So a claim may refer to what a later claim of the same batch names.
//!
//! Invariant: a refused claim, or refused part of one, leaves nothing behind; what a claim no longer says is taken
//! back.

mod around;
mod batch;
mod digest;
mod external;
pub(super) mod groups;
pub(super) mod items;
pub(super) mod matches;
pub(super) mod pins;
pub(super) mod queue;
pub(super) mod references;
pub(super) mod relationships;
pub(super) mod waiting;
pub(super) mod withdraw;

use crate::change::Draft;
use crate::claim::{Claim, Reference};
use crate::engine::request::{Decision, Outcome};
use crate::model::{Problem, SourceId, SourceKind, Timestamp};
use crate::store::StoreError;
use crate::store::record::UnitRecord;

/// Who states claims, when, and in which scope.
#[derive(Clone, Copy)]
pub(super) struct Stating<'a> {
    pub(super) source: SourceId,
    pub(super) kind: SourceKind,
    pub(super) scope: &'a str,
    pub(super) observed_at: Timestamp,
    /// Keep what the source said under the same key and does not say now.
    pub(super) merge: bool,
}

impl<'a> Stating<'a> {
    /// The same, in the scope that the unit came with.
    fn of(&self, unit: &'a Unit) -> Stating<'a> {
        Stating { scope: &unit.scope, ..*self }
    }
}

/// A claim with its digest and the scope it came with.
pub(super) struct Unit {
    pub(super) claim: Claim,
    pub(super) digest: Vec<u8>,
    pub(super) scope: String,
    /// When its source last said otherwise of it; `None`: it does not report by sections.
    pub(super) otherwise_at: Option<Timestamp>,
}

impl Unit {
    /// A unit whose claim came without a digest.
    pub(super) fn of(claim: Claim, scope: &str) -> Unit {
        Unit { digest: digest::of(&claim), claim, scope: scope.to_owned(), otherwise_at: None }
    }
}

/// The digest of a unit that is bound to its item and says nothing any more.
pub(super) const WITHDRAWN: &[u8] = &[];
/// The digest of a unit that must be stated again to be believed unchanged.
pub(super) const UNKNOWN: &[u8] = &[0];

/// Reads ahead what the source said under the keys of units, and under those that they refer to.
pub(super) fn fetch(draft: &mut Draft<'_>, source: SourceId, units: &[Unit]) -> Result<(), StoreError> {
    let own = units.iter().map(|unit| (unit.claim.kind, unit.claim.key.as_str()));
    let ends =
        units.iter().flat_map(|unit| &unit.claim.relationships).flat_map(|said| [&said.from, &said.to]);
    let hosts = units.iter().filter_map(|unit| unit.claim.item.as_ref()?.within.as_ref());
    let referred = ends.chain(hosts).filter_map(|reference| match reference {
        Reference::Key(key) => Some(key.as_str()),
        _ => None,
    });
    draft.fetch_units(source, own, referred)
}

/// Keeps that a unit says what it says now, and since when.
fn stated(kept: &mut UnitRecord, stating: &Stating<'_>, unit: &Unit) {
    if kept.digest != unit.digest {
        kept.heard_us = Some(stating.observed_at.0);
    }
    stating.scope.clone_into(&mut kept.scope);
    kept.digest.clone_from(&unit.digest);
}

/// Whether a unit that comes alone was observed before what is known of it.
fn is_late(draft: &Draft<'_>, stating: &Stating<'_>, unit: &Unit) -> Result<bool, StoreError> {
    if unit.otherwise_at.is_some() || stating.observed_at >= draft.now() {
        return Ok(false);
    }
    let kept = draft.kept_unit(stating.source, unit.claim.kind, &unit.claim.key)?;
    Ok(kept.and_then(|kept| kept.heard_us).is_some_and(|heard| stating.observed_at.0 < heard))
}

/// States a batch of units. One decision for each, in order.
pub(super) fn state(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    units: &[Unit],
) -> Result<Vec<Decision>, StoreError> {
    fetch(draft, stating.source, units)?;
    state_fetched(draft, stating, units)
}

/// The same, of units that were read ahead.
pub(super) fn state_fetched(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    units: &[Unit],
) -> Result<Vec<Decision>, StoreError> {
    let mut stated = place(draft, stating, units)?;
    settle(draft)?;
    check_groups(draft, stating, units, &mut stated)?;
    Ok(stated.decisions)
}

/// What became of units, and the groups that they declare.
struct Placed {
    decisions: Vec<Decision>,
    groups: Vec<groups::Declared>,
}

/// Puts units in place; what follows from them is left.
fn place(draft: &mut Draft<'_>, stating: &Stating<'_>, units: &[Unit]) -> Result<Placed, StoreError> {
    let mut decisions = items::state_items(draft, stating, units)?;
    let mut groups = Vec::new();
    for (unit, decision) in units.iter().zip(&mut decisions) {
        let left_alone = matches!(decision.outcome, Outcome::Refused(_) | Outcome::Waits);
        if left_alone || is_late(draft, stating, unit)? {
            continue;
        }
        let stating = &stating.of(unit);
        let problems = relationships::state_relationships(draft, stating, unit, decision)?;
        note_problems(decision, unit, problems);
        let problems = groups::state_groups(draft, stating, unit, decision, &mut groups)?;
        note_problems(decision, unit, problems);
    }
    external::join(draft, units, &decisions)?;
    Ok(Placed { decisions, groups })
}

/// Takes back groups that do not fit their members.
fn check_groups(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    units: &[Unit],
    stated: &mut Placed,
) -> Result<(), StoreError> {
    for (group, problem) in groups::unfit(draft, stating, &stated.groups)? {
        let place =
            units.iter().position(|unit| unit.claim.key == group.key && unit.claim.kind == group.unit);
        groups::take_back(draft, stating, &group)?;
        if let Some(place) = place {
            note_problems(&mut stated.decisions[place], &units[place], vec![problem]);
        }
    }
    Ok(())
}

/// What follows from what was stated: entry points of services, and references that wait.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    matches::state_entry_points(draft)?;
    matches::settle(draft)?;
    // What was placed meanwhile may name entry points.
    matches::state_entry_points(draft)
}

/// A unit that says one thing is refused with it; of one that says several, the rest stands.
fn note_problems(decision: &mut Decision, unit: &Unit, problems: Vec<Problem>) {
    let parts = unit.claim.relationships.len() + unit.claim.redundancies.len();
    let alone = unit.claim.item.is_none() && problems.len() == parts;
    for problem in problems {
        if alone {
            decision.outcome = Outcome::Refused(problem);
        } else {
            decision.problems.push(problem);
        }
    }
}
