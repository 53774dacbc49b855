//! A report becomes units to state and units to withdraw.
//!
//! What has not changed is skipped by its digest, without decoding: the whole section first, then each entry.

use std::collections::{BTreeMap, BTreeSet};

use super::ingest::withdraw::withdraw_unit;
use super::ingest::{self, Stating, Unit, WITHDRAWN};
use super::request::{Decision, Entry, Outcome, REFUSED_MAX, Report, ReportOutcome, Section};
use crate::change::Draft;
use crate::claim::UnitKind;
use crate::model::{Problem, Reason, SourceId};
use crate::store::record::{self, ScopeRecord};
use crate::store::{StoreError, Table, key};

/// The most entries that one scope may hold.
pub const SCOPE_ENTRIES_MAX: usize = 200_000;

/// States a report in a draft.
pub(super) fn ingest(draft: &mut Draft<'_>, report: &Report) -> Result<ReportOutcome, StoreError> {
    let name = &report.source;
    let source = draft.source(&name.name, name.kind, &name.title, &name.version)?;
    let mut outcome = ReportOutcome::default();
    let mut work = Work::default();
    for section in &report.sections {
        read_section(draft, source, report, section, &mut work, &mut outcome)?;
    }
    let stating =
        Stating { source, kind: name.kind, scope: "", observed_at: report.observed_at, merge: false };
    let decisions = ingest::state(draft, &stating, &work.units)?;
    for (scope, key) in &work.gone {
        // It may have moved to another section of this very report.
        let unit = draft.unit(source, UnitKind::Item, key)?;
        if unit.is_some_and(|unit| unit.scope == *scope) {
            withdraw_unit(draft, &stating, UnitKind::Item, key)?;
            outcome.withdrawn += 1;
        }
    }
    ingest::settle(draft)?;
    for (scope, row) in work.scopes {
        draft.put_record(Table::Scopes, key::scope(source, &scope), &row);
    }
    if draft.take_unsettled(source) {
        ask_for_all(draft, source, &mut outcome)?;
    }
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

#[derive(Default)]
struct Work {
    units: Vec<Unit>,
    /// Scope and key of what is no longer named.
    gone: Vec<(String, String)>,
    scopes: Vec<(String, ScopeRecord)>,
}

fn read_section(
    draft: &Draft<'_>,
    source: SourceId,
    report: &Report,
    section: &Section,
    work: &mut Work,
    outcome: &mut ReportOutcome,
) -> Result<(), StoreError> {
    let kept = draft.row(Table::Scopes, &key::scope(source, &section.scope))?;
    let kept: ScopeRecord = match kept {
        Some(bytes) => record::decode(Table::Scopes, &bytes)?,
        None => ScopeRecord::default(),
    };
    let reason = section.complete.as_ref().err().cloned().unwrap_or_default();
    if kept.digest == section.digest && kept.incomplete_reason == reason && !section.digest.is_empty() {
        outcome.unchanged += u32::try_from(section.entries.len()).unwrap_or(u32::MAX);
        return Ok(());
    }
    if section.unchanged {
        outcome.rescan.push(section.scope.clone());
        return Ok(());
    }
    let known = known_units(draft, source, &section.scope)?;
    let mut whole = true;
    let mut named = BTreeSet::new();
    for entry in &section.entries {
        named.insert(entry.key.as_str());
        if known.get(&entry.key).is_some_and(|digest| *digest == entry.digest) {
            outcome.unchanged += 1;
            continue;
        }
        match decode(report, section, entry) {
            Some(Ok(unit)) => work.units.push(unit),
            Some(Err(decision)) => count(outcome, decision),
            None => whole = false,
        }
    }
    if !whole {
        outcome.rescan.push(section.scope.clone());
        return Ok(());
    }
    if section.complete.is_ok() {
        let gone = known.iter().filter(|(key, digest)| !named.contains(key.as_str()) && *digest != WITHDRAWN);
        work.gone.extend(gone.map(|(key, _)| (section.scope.clone(), key.clone())));
    }
    work.scopes.push((
        section.scope.clone(),
        ScopeRecord {
            digest: section.digest.clone(),
            incomplete_reason: reason,
            changed_at_us: report.observed_at.0,
        },
    ));
    Ok(())
}

fn known_units(
    draft: &Draft<'_>,
    source: SourceId,
    scope: &str,
) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
    let rows = draft.rows(Table::ScopeUnits, &key::scope(source, scope), SCOPE_ENTRIES_MAX)?;
    let item = rows.into_iter().filter_map(|(row, digest)| match key::split_scope_unit(&row)? {
        (_, _, UnitKind::Item, unit) => Some((unit, digest)),
        _ => None,
    });
    Ok(item.collect())
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
        Ok(claim) => Ok(Unit { claim, digest: entry.digest.clone(), scope: section.scope.clone() }),
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
    let digest = if outcome.rescan.is_empty() { report.digest.clone() } else { Vec::new() };
    if row.report_digest != digest {
        row.report_digest = digest;
        draft.put_record(Table::Sources, key::source(source), &row);
    }
    Ok(())
}
