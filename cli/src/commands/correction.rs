//! What corrections by hand have in common: dry runs, reasons, finding the item, and the report at the end.
//!
//! Invariant: a correction speaks of an item by its id, which was looked up first, so that an ambiguous or
//! misspelt name is refused before anything is written.

use std::io::Write;

use clap::Args;
use cmdb_proto::v1::decision::Outcome;
use cmdb_proto::v1::{ApplyRequest, Change, Claim, GetItemRequest, Item};
use serde_json::{Value as Json, json};

use crate::connection::Connection;
use crate::error::CommandError;
use crate::output::table::NAME;
use crate::output::{Format, change, escape, json};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// Options of every correction.
#[derive(Args, Debug)]
pub struct Options {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

/// What a correction did, or would do.
#[derive(Debug)]
pub struct Outcomes {
    /// 0: nothing was written.
    pub revision: u64,
    pub changes: Vec<Change>,
    pub notes: Vec<String>,
    /// What a revert left as it is.
    pub skipped: Vec<String>,
}

/// The item that ITEM names; not found and ambiguous are the server's errors.
pub async fn find(connection: &Connection, item: &str) -> Result<Item, CommandError> {
    let request = GetItemRequest { item: item.to_owned(), ..GetItemRequest::default() };
    Ok(connection.items().get(request).await?.into_inner())
}

/// States one claim of the person who asks, beside what the person said before.
pub async fn apply(
    connection: &Connection,
    claim: Claim,
    options: &Options,
) -> Result<Outcomes, CommandError> {
    let request = ApplyRequest {
        source: String::new(),
        claims: vec![claim],
        merge: true,
        dry_run: options.dry_run,
        reason: options.reason.clone(),
        observed_at_us: 0,
    };
    let answer = connection.items().apply(request).await?.into_inner();
    let mut notes = Vec::new();
    for decision in answer.decisions {
        if decision.outcome() == Outcome::Refused {
            let problem = decision.problem.unwrap_or_default();
            return Err(CommandError::problem(&problem));
        }
        notes.extend(decision.notes);
    }
    Ok(Outcomes { revision: answer.revision, changes: answer.changes, notes, skipped: Vec::new() })
}

/// Prints what came of it.
pub fn report(session: &mut Session, options: &Options, outcomes: &Outcomes) -> Result<(), CommandError> {
    match session.format {
        Format::Json => json::write(session.out.as_mut(), &object(options, outcomes))?,
        _ if session.messages.is_quiet() && !options.dry_run => {}
        _ => table(session.out.as_mut(), options, outcomes)?,
    }
    if session.format != Format::Json {
        session.flush()?;
        for note in &outcomes.notes {
            session.messages.note(note);
        }
    }
    Ok(())
}

/// A commit, as `cmdb history` and `cmdb watch` print it, and as `--as-of` takes it: 7 or r7.
pub fn revision(text: &str) -> Result<u64, String> {
    let number = text.strip_prefix(['r', 'R']).unwrap_or(text).parse();
    number
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "a revision from 1 on, such as 42 or r42".to_owned())
}

fn table(out: &mut dyn Write, options: &Options, outcomes: &Outcomes) -> std::io::Result<()> {
    let summary = change::summary(&outcomes.changes);
    match (options.dry_run, outcomes.changes.is_empty()) {
        (true, true) if !outcomes.notes.is_empty() => writeln!(out, "{NAME}no item would change{NAME:#}")?,
        (true, true) => writeln!(out, "{NAME}nothing would change{NAME:#}")?,
        (false, true) if !outcomes.skipped.is_empty() => writeln!(out, "{NAME}nothing was undone{NAME:#}")?,
        (true, false) => writeln!(out, "{NAME}would change{NAME:#}: {summary}")?,
        (false, true) if outcomes.revision == 0 && !outcomes.notes.is_empty() => {
            writeln!(out, "{NAME}no item changed{NAME:#}")?;
        }
        (false, true) if outcomes.revision == 0 => {
            writeln!(out, "{NAME}nothing changed{NAME:#}: that is what is known already")?;
        }
        // What it did is no change of an item: the notes say it.
        (false, true) => writeln!(out, "{NAME}revision {}{NAME:#}", outcomes.revision)?,
        (false, false) => writeln!(out, "{NAME}revision {}{NAME:#}: {summary}", outcomes.revision)?,
    }
    change::write_all(out, &outcomes.changes, 0)?;
    for skipped in &outcomes.skipped {
        writeln!(out, "  left as it is: {}", escape::line(skipped))?;
    }
    Ok(())
}

fn object(options: &Options, outcomes: &Outcomes) -> Json {
    let revision = (outcomes.revision > 0).then_some(outcomes.revision);
    json!({
        "dry_run": options.dry_run,
        "revision": revision,
        "changes": json::changes(&outcomes.changes),
        "notes": outcomes.notes,
        "skipped": outcomes.skipped,
    })
}
