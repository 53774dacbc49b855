//! Claims that wait for the item that they stand within.
//!
//! A machine's parts arrive in any order, and one of them may fail to be read. What stands within something that is
//! not known yet waits, word for word, beside the references that wait for a match and by the same questions. It is
//! placed when the key that it names is bound to an item.
//!
//! A relationship of a machine to a key that is not known yet waits in the same way, apart from its claim.
//!
//! How many wait, and for how long, is the business of the [`queue`].

use super::references::{self, Resolved};
use super::{Stating, Unit, matches, queue, stated};
use crate::change::Draft;
use crate::claim::{Claim, Reference};
use crate::engine::request::{Decision, Outcome};
use crate::model::{Problem, SourceId, SourceKind, Timestamp};
use crate::reconcile::Sources;
use crate::store::record::{self, MatchRecord, UnitRecord};
use crate::store::{StoreError, Table, key};

/// Whether a claim may wait: a machine states its parts in any order. People and files are told of a slip.
pub(super) fn may_wait(kind: SourceKind, claim: &Claim) -> bool {
    let within = claim.item.as_ref().and_then(|item| item.within.as_ref());
    within.is_some_and(|within| may_come(kind, within))
}

/// Whether what a source refers to may become known later.
pub(super) fn may_come(kind: SourceKind, reference: &Reference) -> bool {
    matches!(kind, SourceKind::Agent | SourceKind::Connector)
        && matches!(reference, Reference::Key(_) | Reference::SourceKey { .. })
}

/// Keeps a claim until the item that it stands within is known.
pub(super) fn park(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    problem: &Problem,
) -> Result<Decision, StoreError> {
    let claim = &unit.claim;
    let mut decision = Decision {
        key: claim.key.clone(),
        outcome: Outcome::Waits,
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: vec![format!("waits: {}", problem.message)],
    };
    let mut kept = draft.unit(stating.source, claim.kind, &claim.key)?.unwrap_or_default();
    for id in kept.matches.clone() {
        let found = matches::load(draft, id)?;
        if found.is_some_and(|found| found.parked.is_some() && found.digest == unit.digest) {
            decision.item = kept.item.map(crate::model::ItemId);
            return Ok(decision);
        }
    }
    forget(draft, &mut kept)?;
    queue::make_room(draft, stating.kind)?;
    let id = draft.new_match();
    let mut record = MatchRecord {
        source: stating.source.0,
        key: claim.key.clone(),
        unit_kind: record::unit_kind_number(claim.kind),
        scope: stating.scope.to_owned(),
        waits: problem.message.clone(),
        parked: Some(record::claim_record(claim)),
        digest: unit.digest.clone(),
        observed_at_us: stating.observed_at.0,
        otherwise_at_us: unit.otherwise_at.map(|at| at.0),
        ..MatchRecord::default()
    };
    matches::ask(draft, id, &record);
    queue::enter(draft, id, &mut record);
    draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &record);
    kept.matches.push(id);
    stated(&mut kept, stating, unit);
    draft.put_unit(stating.source, claim.kind, &claim.key, kept)?;
    Ok(decision)
}

/// Drops the claim that waits under a unit, where one does: it is stated anew.
pub(super) fn forget(draft: &mut Draft<'_>, kept: &mut UnitRecord) -> Result<(), StoreError> {
    for id in kept.matches.clone() {
        if matches::load(draft, id)?.is_some_and(|found| found.parked.is_some()) {
            matches::remove(draft, id)?;
            kept.matches.retain(|other| *other != id);
        }
    }
    Ok(())
}

/// The key that a claim waits for, as probes have it.
pub(super) fn awaited(draft: &Draft<'_>, found: &MatchRecord) -> Option<(String, String)> {
    let parked = found.parked.clone()?;
    awaited_key(draft, SourceId(found.source), &record::claim_from(parked).ok()?.item?.within?)
}

/// A key as probes have it.
pub(super) fn awaited_key(
    draft: &Draft<'_>,
    source: SourceId,
    reference: &Reference,
) -> Option<(String, String)> {
    let own = draft.name_and_kind(source).0;
    let value = match reference {
        Reference::Key(text) => {
            // A key of the same source; or source and key, where there is such a source.
            let other = text.split_once(':').filter(|(source, _)| draft.source_named(source).is_some());
            match other {
                Some((source, text)) => key::awaited(source, text),
                None => key::awaited(own, text),
            }
        }
        Reference::SourceKey { source, key } => key::awaited(source, key),
        Reference::Match(_) | Reference::This | Reference::Id(_) => return None,
    };
    Some((key::AWAITED_KEY.to_owned(), value))
}

/// A claim that need not wait any more, with who states it.
pub(super) struct Ready {
    source: SourceId,
    kind: SourceKind,
    observed_at: Timestamp,
    unit: Unit,
}

/// Takes a claim that waits out, if the item that it stands within is known now.
pub(super) fn take_ready(draft: &mut Draft<'_>, id: u64) -> Result<Option<Ready>, StoreError> {
    let Some(found) = matches::load(draft, id)? else { return Ok(None) };
    let Some(parked) = found.parked.clone() else { return Ok(None) };
    let claim = record::claim_from(parked)?;
    let source = SourceId(found.source);
    let kind = draft.name_and_kind(source).1;
    let observed_at = Timestamp(found.observed_at_us);
    let stating = Stating { source, kind, scope: &found.scope, observed_at, merge: false };
    let within = claim.item.as_ref().and_then(|item| item.within.as_ref());
    let resolved = match within {
        Some(within) => references::resolve(draft, &stating, None, within)?,
        None => return Ok(None),
    };
    if !matches!(resolved, Ok(Resolved::Item(_))) {
        return Ok(None);
    }
    queue::detach(draft, id, &found)?;
    Ok(Some(Ready {
        source,
        kind,
        observed_at,
        unit: Unit {
            claim,
            digest: found.digest,
            scope: found.scope,
            otherwise_at: found.otherwise_at_us.map(Timestamp),
        },
    }))
}

/// States what need not wait any more.
pub(super) fn state_ready(draft: &mut Draft<'_>, ready: &Ready) -> Result<(), StoreError> {
    let stating = Stating {
        source: ready.source,
        kind: ready.kind,
        scope: &ready.unit.scope,
        observed_at: ready.observed_at,
        merge: false,
    };
    let units = std::slice::from_ref(&ready.unit);
    let mut stated = super::place(draft, &stating, units)?;
    super::check_groups(draft, &stating, units, &mut stated)
}
