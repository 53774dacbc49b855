//! `cmdb verify`: has the server compare its log with its tables. Exit code 1 where they differ.

use clap::Args;
use cmdb_proto::v1::verify_event::Event;
use cmdb_proto::v1::{VerifyRequest, VerifyResult};
use serde_json::json;

use crate::error::CommandError;
use crate::message::Progress;
use crate::output::table::{BAD, GOOD};
use crate::output::{Format, escape, json, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// Findings printed; a store that is broken in one place can differ in a million.
const FINDINGS_SHOWN: usize = 1_000;

#[derive(Args, Debug)]
pub struct Arguments {}

pub async fn run(_: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let mut events = session.connect().await?.admin().verify(VerifyRequest {}).await?.into_inner();
    let progress = Progress::new(&session.messages);
    let mut findings: Vec<String> = Vec::new();
    let mut result = None;
    while let Some(event) = events.message().await? {
        match event.event {
            Some(Event::Progress(at)) => progress.at(&at.phase, at.done, at.total),
            Some(Event::Finding(finding)) if findings.len() < FINDINGS_SHOWN => findings.push(finding),
            Some(Event::Finding(_)) | None => {}
            Some(Event::Result(last)) => result = Some(last),
        }
    }
    progress.end();
    let result =
        result.ok_or_else(|| CommandError::failure("the server ended before the check was complete"))?;
    print(session, &findings, &result)?;
    session.flush()?;
    match result.findings {
        0 => Ok(()),
        count => Err(CommandError::failure(format!(
            "the store differs from its log in {}",
            words::count(count, "place", "places")
        ))
        .hint("keep the file as it is, and restore the last backup with `cmdb-server restore FILE`")),
    }
}

fn print(session: &mut Session, findings: &[String], result: &VerifyResult) -> Result<(), CommandError> {
    let out = session.out.as_mut();
    if session.format == Format::Json {
        let object = json!({
            "revision": result.revision,
            "commits": result.commits,
            "changes": result.changes,
            "items": result.items,
            "relationships": result.relationships,
            "findings_total": result.findings,
            "findings": findings,
        });
        return Ok(json::write(out, &object)?);
    }
    for finding in findings {
        writeln!(out, "{BAD}differs{BAD:#}: {}", escape::line(finding))?;
    }
    let beside = result.findings.saturating_sub(findings.len() as u64);
    if beside > 0 {
        writeln!(out, "… and {}", words::count(beside, "more difference", "more differences"))?;
    }
    if result.findings == 0 && !session.messages.is_quiet() {
        writeln!(
            out,
            "{GOOD}clean{GOOD:#} at revision {}: {}, {}, {}, {}",
            result.revision,
            words::count(result.commits, "commit", "commits"),
            words::count(result.changes, "change", "changes"),
            words::count(result.items, "item", "items"),
            words::count(result.relationships, "relationship", "relationships")
        )?;
    }
    Ok(())
}
