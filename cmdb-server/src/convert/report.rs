//! Reports as they come in, and what agents are told.

use cmdb_core::claim::KEY_BYTES_MAX;
use cmdb_core::engine::{Entry, Report, ReportOutcome, Section, SourceName};
use cmdb_core::model::Timestamp;
use cmdb_proto::v1;

use super::change::decision_to;
use super::claim::decode;
use crate::app::Error;

/// Sections of one report.
const SECTIONS_MAX: usize = 256;
/// Entries of one report.
const ENTRIES_MAX: usize = 2_000_000;
/// The longest name of a scope, in bytes.
const SCOPE_BYTES_MAX: usize = 128;
/// The longest digest, in bytes.
const DIGEST_BYTES_MAX: usize = 64;
/// The longest reason for an incomplete section that is kept, in characters.
const REASON_CHARACTERS_MAX: usize = 500;

/// A report as it came in; the bodies of its entries are not looked at.
///
/// # Errors
/// When it breaks a limit or contradicts itself.
pub fn report_from(report: v1::Report, source: SourceName) -> Result<Report, Error> {
    let entries: usize = report.sections.iter().map(|section| section.entries.len()).sum();
    check(report.sections.len() <= SECTIONS_MAX, "too many sections", "report", || {
        format!("at most {SECTIONS_MAX} sections")
    })?;
    check(entries <= ENTRIES_MAX, "too many entries", "report", || format!("at most {ENTRIES_MAX} entries"))?;
    digest(&report.digest, "report")?;
    let mut scopes: Vec<String> = report.sections.iter().map(|section| section.scope.clone()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    check(scopes.len() == report.sections.len(), "a scope is named twice", "report", || {
        "one section for each scope".to_owned()
    })?;
    Ok(Report {
        source,
        digest: report.digest,
        observed_at: Timestamp(report.observed_at_us),
        sections: report.sections.into_iter().map(section_from).collect::<Result<_, _>>()?,
        decode,
    })
}

fn section_from(section: v1::Section) -> Result<Section, Error> {
    let scope = section.scope;
    let named = !scope.is_empty() && scope.len() <= SCOPE_BYTES_MAX && !scope.chars().any(char::is_control);
    check(named, "a scope has no usable name", "section", || {
        format!("1 to {SCOPE_BYTES_MAX} bytes without control characters")
    })?;
    digest(&section.digest, &scope)?;
    check(
        !section.unchanged || section.entries.is_empty(),
        "an unchanged section has entries",
        &scope,
        || "entries, or unchanged".to_owned(),
    )?;
    let reason = section.incomplete_reason.chars().filter(|c| !c.is_control()).take(REASON_CHARACTERS_MAX);
    let reason: String = reason.collect();
    let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
    Ok(Section {
        complete: if section.complete { Ok(()) } else { Err(reason) },
        digest: section.digest,
        unchanged: section.unchanged,
        entries: section
            .entries
            .into_iter()
            .map(|entry| entry_from(entry, &scope))
            .collect::<Result<_, _>>()?,
        scope,
    })
}

fn entry_from(entry: v1::Entry, scope: &str) -> Result<Entry, Error> {
    let good =
        !entry.key.is_empty() && entry.key.len() <= KEY_BYTES_MAX && !entry.key.chars().any(char::is_control);
    check(good, "the key of an entry is not usable", scope, || {
        format!("1 to {KEY_BYTES_MAX} bytes without control characters")
    })?;
    digest(&entry.digest, scope)?;
    check(!entry.digest.is_empty(), "an entry has no digest", scope, || "16 bytes".to_owned())?;
    let body = (!entry.body.is_empty()).then_some(entry.body);
    Ok(Entry { key: entry.key, digest: entry.digest, body })
}

fn digest(digest: &[u8], thing: &str) -> Result<(), Error> {
    check(digest.len() <= DIGEST_BYTES_MAX, "a digest is too long", thing, || {
        format!("at most {DIGEST_BYTES_MAX} bytes")
    })
}

fn check(
    holds: bool,
    problem: &'static str,
    thing: &str,
    expected: impl Fn() -> String,
) -> Result<(), Error> {
    if holds {
        return Ok(());
    }
    let thing = thing.chars().take(SCOPE_BYTES_MAX).flat_map(char::escape_debug).collect();
    Err(Error::ReportInvalid { problem, thing, expected: expected() })
}

/// What an agent is told of its report; `digest` is what the store now has of it.
pub fn ack_to(sequence: u64, outcome: &ReportOutcome, digest: Vec<u8>) -> v1::Ack {
    v1::Ack {
        sequence,
        revision: outcome.revision.0,
        report_digest: digest,
        created: outcome.created,
        updated: outcome.updated,
        unchanged: outcome.unchanged,
        withdrawn: outcome.withdrawn,
        refused: outcome.refused.iter().map(decision_to).collect(),
        refused_total: outcome.refused_total,
        waiting: outcome.waiting,
    }
}
