//! A section that was observed before one that is known already: what it says is filled in behind.
//!
//! It changes nothing that a later section spoke of. What only it named is taken over: as standing, where no complete
//! section left it out since, otherwise as something that was there and is not seen any more. So the graph is the one
//! that the sections would have given in the order in which they were observed.

use super::heard::{self, Scope};
use super::{Gone, Work, decode, known_units};
use crate::change::Draft;
use crate::claim::UnitKind;
use crate::engine::ingest::{self, Stating, Unit, WITHDRAWN, withdraw::withdraw_unit};
use crate::engine::request::{Entry, Report, Section};
use crate::model::{Item, ItemId, SourceId, Status, Timestamp};
use crate::store::StoreError;
use crate::store::record::UnitRecord;

/// Reads a section that comes too late.
pub(super) fn read_section(
    draft: &mut Draft<'_>,
    source: SourceId,
    report: &Report,
    section: &Section,
    scope: Scope,
    work: &mut Work,
) -> Result<(), StoreError> {
    if section.unchanged {
        return Ok(());
    }
    let at = report.observed_at;
    let known = known_units(draft, source, &section.scope)?;
    for entry in &section.entries {
        if known.get(&entry.key).is_some_and(|digest| *digest == entry.digest) {
            heard::named_again(draft, source, &section.scope, &entry.key, at)?;
            continue;
        }
        read_entry(draft, source, report, section, entry, work)?;
    }
    if section.complete.is_err() {
        return Ok(());
    }
    let latest = scope.complete_at().is_none_or(|complete| complete < at);
    let named: std::collections::BTreeSet<&str> =
        section.entries.iter().map(|entry| entry.key.as_str()).collect();
    for key in known.keys().filter(|key| !named.contains(key.as_str())) {
        let Some(kept) = draft.unit(source, UnitKind::Item, key)? else { continue };
        let last_named = heard::last_named(draft, source, key, &kept)?;
        if last_named.is_some_and(|last| last > at) {
            ingest::items::said_otherwise(draft, source, key, &kept, at)?;
        } else if latest && kept.digest != WITHDRAWN {
            work.gone.push(Gone { scope: section.scope.clone(), key: key.clone(), last_named });
        }
    }
    if latest {
        let mut row = scope.row;
        row.complete_us = Some(at.0);
        work.scopes.push((section.scope.clone(), row));
    }
    Ok(())
}

/// An entry that is not what its unit says now.
pub(super) fn read_entry(
    draft: &Draft<'_>,
    source: SourceId,
    report: &Report,
    section: &Section,
    entry: &Entry,
    work: &mut Work,
) -> Result<(), StoreError> {
    let at = report.observed_at;
    // What is refused, or was not sent, was spoken of by a later section or will be by the next.
    let Some(Ok(mut unit)) = decode(report, section, entry) else { return Ok(()) };
    let kept = draft.unit(source, UnitKind::Item, &entry.key)?;
    let home = kept.as_ref().map_or(section.scope.as_str(), |kept| &kept.scope);
    let home = Scope::of(draft, source, home)?;
    let left_out = home.complete_at().is_some_and(|complete| at <= complete);
    unit.otherwise_at = Some(heard::otherwise_at(draft, source, &home, &entry.key)?);
    let Some(kept) = kept else {
        let list = if left_out { &mut work.unseen } else { &mut work.units };
        if left_out {
            unit.otherwise_at = Some(Timestamp::default());
        }
        list.push(unit);
        return Ok(());
    };
    let last_named = heard::last_named(draft, source, &entry.key, &kept)?;
    if last_named.is_some_and(|last| at <= last) {
        work.behind.push(unit);
    } else if kept.digest == WITHDRAWN && left_out {
        unit.otherwise_at = Some(last_named.unwrap_or_default());
        work.unseen.push(unit);
    } else {
        work.units.push(unit);
    }
    Ok(())
}

/// A unit that was there and is not seen any more, with what its item was before.
pub(super) struct Unseen {
    key: String,
    before: Option<std::sync::Arc<Item>>,
}

/// Leaves out what is retired already; the rest with what is to be put back.
pub(super) fn before(
    draft: &Draft<'_>,
    source: SourceId,
    units: Vec<Unit>,
) -> Result<(Vec<Unit>, Vec<Unseen>), StoreError> {
    let (mut left, mut unseen) = (Vec::new(), Vec::new());
    for unit in units {
        let kept = draft.unit(source, UnitKind::Item, &unit.claim.key)?.and_then(|kept| kept.item);
        let before = kept.map(|id| draft.item(ItemId(id))).transpose()?.flatten();
        if before.as_ref().is_some_and(|item| item.status == Status::Retired) {
            continue;
        }
        unseen.push(Unseen { key: unit.claim.key.clone(), before });
        left.push(unit);
    }
    Ok((left, unseen))
}

/// Takes back what was stated only to have been there. Since when it is not seen stays as it was.
pub(super) fn withdraw(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unseen: Vec<Unseen>,
) -> Result<(), StoreError> {
    for one in unseen {
        withdraw_unit(draft, stating, UnitKind::Item, &one.key, Some(stating.observed_at))?;
        let Some(before) = one.before else { continue };
        let Some(item) = draft.item(before.id)?.filter(|item| item.status == before.status) else { continue };
        let mut item = Item::clone(&item);
        item.status_since = before.status_since;
        let mine = |claim: &crate::model::item::ItemClaimState| {
            claim.source == stating.source && claim.key == one.key
        };
        if let (Some(claim), Some(old)) =
            (item.claims.iter_mut().find(|claim| mine(claim)), before.claims.iter().find(|claim| mine(claim)))
        {
            claim.withdrawn_at = old.withdrawn_at.or(claim.withdrawn_at);
        }
        draft.put_item(item)?;
    }
    Ok(())
}

/// What a unit said before what it says now leaves behind.
pub(super) fn state_behind(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
) -> Result<(), StoreError> {
    let kept: Option<UnitRecord> = draft.unit(stating.source, UnitKind::Item, &unit.claim.key)?;
    let Some(kept) = kept else { return Ok(()) };
    let stating = &Stating { scope: &unit.scope, ..*stating };
    if ingest::items::differs(draft, stating, unit, &kept)? {
        ingest::items::said_otherwise(draft, stating.source, &unit.claim.key, &kept, stating.observed_at)?;
    }
    ingest::relationships::leave_traces(draft, stating, unit, &kept)
}
