//! A report becomes units to state and units to withdraw.
//!
//! What has not changed is skipped by its digest, without decoding: the whole section first, then each entry.
//!
//! Invariant: reports give the same graph in whatever order they arrive, and however often.

mod heard;
mod late;

use std::collections::{BTreeMap, BTreeSet};

use super::ingest::withdraw::withdraw_unit;
use super::ingest::{self, Stating, Unit, WITHDRAWN};
use super::request::{Decision, Entry, Outcome, REFUSED_MAX, Report, ReportOutcome, Section};
use crate::change::Draft;
use crate::claim::UnitKind;
use crate::model::{Problem, Reason, SourceId, Timestamp};
use crate::store::record::{self, ScopeRecord};
use crate::store::{StoreError, Table, key};
use heard::{Order, Scope};

/// The most entries that one scope may hold.
pub const SCOPE_ENTRIES_MAX: usize = 200_000;

/// States a report in a draft. `confirmed` is when the latest report that is known of its source was last heard again.
pub(super) fn ingest(
    draft: &mut Draft<'_>,
    report: &Report,
    confirmed: Option<Timestamp>,
) -> Result<ReportOutcome, StoreError> {
    let name = &report.source;
    let source = draft.source(&name.name, name.kind, &name.title, &name.version)?;
    heard::confirm(draft, source, confirmed)?;
    let mut outcome = ReportOutcome::default();
    let mut work = Work::default();
    for section in &report.sections {
        let scope = Scope::of(draft, source, &section.scope)?;
        match scope.order(section, report.observed_at) {
            Order::Equal => {
                outcome.unchanged += u32::try_from(section.entries.len()).unwrap_or(u32::MAX);
                let row = scope.confirmed(report.observed_at);
                work.scopes.extend(row.map(|row| (section.scope.clone(), row)));
            }
            Order::Later => read_section(draft, source, report, section, &scope, &mut work, &mut outcome)?,
            Order::Earlier => {
                outcome.late += 1;
                late::read_section(draft, source, report, section, scope, &mut work)?;
            }
        }
    }
    let stating =
        Stating { source, kind: name.kind, scope: "", observed_at: report.observed_at, merge: false };
    let decisions = state(draft, &stating, work, &mut outcome)?;
    for decision in decisions {
        count(&mut outcome, decision);
    }
    keep_digest(draft, source, report, &outcome)?;
    Ok(outcome)
}

/// A thing that much stands on turned out to be another item: every section is asked for in full.
fn ask_for_all(
    draft: &mut Draft<'_>,
    source: SourceId,
    outcome: &mut ReportOutcome,
) -> Result<(), StoreError> {
    for (row, bytes) in draft.rows(Table::Scopes, &source.0.to_be_bytes(), SCOPE_ENTRIES_MAX)? {
        let mut kept: ScopeRecord = record::decode(Table::Scopes, &bytes)?;
        kept.digest.clear();
        draft.put_record(Table::Scopes, row.clone(), &kept);
        let scope = row.get(4..).and_then(key::split_text).map(|(scope, _)| scope);
        outcome.rescan.extend(scope.filter(|scope| !outcome.rescan.contains(scope)));
    }
    Ok(())
}

/// What a report comes to.
#[derive(Default)]
struct Work {
    units: Vec<Unit>,
    /// What a late section named, and a later one did not.
    unseen: Vec<Unit>,
    /// What a late section says of units that later ones spoke of.
    behind: Vec<Unit>,
    gone: Vec<Gone>,
    scopes: Vec<(String, ScopeRecord)>,
}

/// A unit that is no longer named.
struct Gone {
    scope: String,
    key: String,
    last_named: Option<Timestamp>,
}

fn state(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    work: Work,
    outcome: &mut ReportOutcome,
) -> Result<Vec<Decision>, StoreError> {
    let source = stating.source;
    let (unseen_units, unseen) = late::before(draft, source, work.unseen)?;
    let mut units = work.units;
    let here = units.len();
    units.extend(unseen_units);
    let mut decisions = ingest::state(draft, stating, &units)?;
    decisions.truncate(here);
    for gone in &work.gone {
        // It may have moved to another section of this very report.
        let unit = draft.unit(source, UnitKind::Item, &gone.key)?;
        if unit.is_some_and(|unit| unit.scope == gone.scope) {
            withdraw_unit(draft, stating, UnitKind::Item, &gone.key, gone.last_named)?;
            if let Some(mut unit) = draft.unit(source, UnitKind::Item, &gone.key)? {
                unit.heard_us = gone.last_named.map(|at| at.0);
                draft.put_unit(source, UnitKind::Item, &gone.key, unit)?;
            }
            outcome.withdrawn += 1;
        }
    }
    late::withdraw(draft, stating, unseen)?;
    for unit in &work.behind {
        late::state_behind(draft, stating, unit)?;
    }
    ingest::settle(draft)?;
    for (scope, row) in work.scopes {
        draft.put_record(Table::Scopes, key::scope(source, &scope), &row);
    }
    if draft.take_unsettled(source) {
        ask_for_all(draft, source, outcome)?;
    }
    Ok(decisions)
}

/// Reads a section that is later than all before.
fn read_section(
    draft: &mut Draft<'_>,
    source: SourceId,
    report: &Report,
    section: &Section,
    scope: &Scope,
    work: &mut Work,
    outcome: &mut ReportOutcome,
) -> Result<(), StoreError> {
    if section.unchanged {
        outcome.rescan.push(section.scope.clone());
        return Ok(());
    }
    let at = report.observed_at;
    let known = known_units(draft, source, &section.scope)?;
    let mut whole = true;
    let mut named = BTreeSet::new();
    for entry in &section.entries {
        named.insert(entry.key.as_str());
        if known.get(&entry.key).is_some_and(|digest| *digest == entry.digest) {
            outcome.unchanged += 1;
            continue;
        }
        if spoken_of_since(draft, source, section, entry, at)? {
            late::read_entry(draft, source, report, section, entry, work)?;
            continue;
        }
        match decode(report, section, entry) {
            Some(Ok(mut unit)) => {
                unit.otherwise_at = Some(heard::otherwise_at(draft, source, scope, &entry.key)?);
                work.units.push(unit);
            }
            Some(Err(decision)) => count(outcome, decision),
            None => whole = false,
        }
    }
    if !whole {
        outcome.rescan.push(section.scope.clone());
        return Ok(());
    }
    if section.complete.is_ok() {
        for (key, _) in
            known.iter().filter(|(key, digest)| !named.contains(key.as_str()) && *digest != WITHDRAWN)
        {
            let Some(kept) = draft.unit(source, UnitKind::Item, key)? else { continue };
            let last_named = heard::last_named(draft, source, key, &kept)?;
            work.gone.push(Gone { scope: section.scope.clone(), key: key.clone(), last_named });
        }
    }
    heard::keep_named(draft, source, section, scope, at)?;
    work.scopes.push((section.scope.clone(), scope.replaced(section, at)));
    Ok(())
}

/// Whether another scope named the unit after this section was observed: it moved there.
fn spoken_of_since(
    draft: &Draft<'_>,
    source: SourceId,
    section: &Section,
    entry: &Entry,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let Some(kept) = draft.unit(source, UnitKind::Item, &entry.key)? else { return Ok(false) };
    if kept.scope == section.scope {
        return Ok(false);
    }
    Ok(heard::last_named(draft, source, &entry.key, &kept)?.is_some_and(|last| last > at))
}

fn known_units(
    draft: &mut Draft<'_>,
    source: SourceId,
    scope: &str,
) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let rows = draft.rows(Table::ScopeUnits, &key::scope(source, scope), SCOPE_ENTRIES_MAX)?;
    let items = rows.into_iter().filter_map(|(row, _)| match key::split_scope_unit(&row)? {
        (_, _, UnitKind::Item, unit) => Some(unit),
        _ => None,
    });
    let items: Vec<String> = items.collect();
    draft.fetch_units(
        source,
        items.iter().map(|unit| (UnitKind::Item, unit.as_str())),
        std::iter::empty(),
    )?;
    let mut known = BTreeMap::new();
    for unit in items {
        let kept = draft.unit(source, UnitKind::Item, &unit)?;
        known.insert(unit, kept.map(|kept| kept.digest).unwrap_or_default());
    }
    Ok(known)
}

/// The unit of an entry, or why it is refused; `None`: its body was not sent.
fn decode(report: &Report, section: &Section, entry: &Entry) -> Option<Result<Unit, Decision>> {
    let body = entry.body.as_ref()?;
    let decoded = (report.decode)(body).and_then(|claim| {
        if claim.key == entry.key {
            Ok(claim)
        } else {
            Err(Problem::new(
                Reason::KeyInvalid,
                format!("the entry is called \"{}\" and its body \"{}\"", entry.key, claim.key),
                entry.key.clone(),
            ))
        }
    });
    Some(match decoded {
        Ok(claim) => Ok(Unit {
            claim,
            digest: entry.digest.clone(),
            scope: section.scope.clone(),
            otherwise_at: Some(Timestamp::default()),
        }),
        Err(problem) => Err(Decision {
            key: entry.key.clone(),
            outcome: Outcome::Refused(problem),
            item: None,
            identification: None,
            problems: Vec::new(),
            notes: Vec::new(),
        }),
    })
}

fn count(outcome: &mut ReportOutcome, decision: Decision) {
    match decision.outcome {
        Outcome::Created => outcome.created += 1,
        Outcome::Updated => outcome.updated += 1,
        Outcome::Unchanged => outcome.unchanged += 1,
        Outcome::Waits => outcome.waiting += 1,
        Outcome::Refused(_) => {}
    }
    if matches!(decision.outcome, Outcome::Refused(_)) || !decision.problems.is_empty() {
        outcome.refused_total += 1;
        if outcome.refused.len() < REFUSED_MAX {
            outcome.refused.push(decision);
        }
    }
}

/// The next equal report is known by its digest, and costs nothing.
fn keep_digest(
    draft: &mut Draft<'_>,
    source: SourceId,
    report: &Report,
    outcome: &ReportOutcome,
) -> Result<(), StoreError> {
    let mut row = draft.source_record(source)?.unwrap_or_default();
    let before = row.clone();
    if row.reported_us.is_some_and(|latest| report.observed_at.0 < latest) {
        return Ok(());
    }
    row.reported_us = Some(report.observed_at.0);
    let digest = if outcome.rescan.is_empty() { report.digest.clone() } else { Vec::new() };
    row.report_digest = digest;
    if row != before {
        draft.put_record(Table::Sources, key::source(source), &row);
    }
    Ok(())
}
