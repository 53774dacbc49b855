//! `cmdb history`: what changed on an item, newest first.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{HistoryRequest, HistoryResponse};
use jiff::Timestamp;

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, NAME};
use crate::output::{Format, change, escape};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    /// List at most this many commits
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only commits before this revision
    #[arg(long, value_name = "REVISION", value_parser = clap::value_parser!(u64).range(1..))]
    before: Option<u64>,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = HistoryRequest {
        item: arguments.item,
        limit: arguments.limit,
        before_revision: arguments.before.unwrap_or(0),
        as_of: arguments.as_of.text(),
    };
    let answer = session.connect().await?.items().history(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        Format::Jsonl => {
            for commit in &answer.commits {
                json::write_line(out, &json::commit(commit))?;
            }
            session.flush()?;
            arguments.as_of.note(session, answer.revision, answer.as_of_us);
            if let Some(older) = older(&answer) {
                session.messages.note(&older);
            }
        }
        _ => {
            table(out, &answer, session.now)?;
            arguments.as_of.write(out, answer.revision, answer.as_of_us, session.now)?;
        }
    }
    Ok(())
}

fn older(answer: &HistoryResponse) -> Option<String> {
    let before = answer.next_before_revision;
    (before > 0).then(|| format!("there are older changes: --before {before}"))
}

fn table(out: &mut dyn Write, answer: &HistoryResponse, now: Timestamp) -> io::Result<()> {
    writeln!(out, "{NAME}{} ({}){NAME:#}, newest first", escape::line(&answer.name), answer.item)?;
    for commit in &answer.commits {
        writeln!(out)?;
        change::headline(out, commit, now)?;
        writeln!(out)?;
        change::write_all(out, &commit.changes, commit.changes_total)?;
    }
    if answer.commits.is_empty() {
        writeln!(out, "\nno change is known")?;
    }
    match older(answer) {
        Some(older) => writeln!(out, "\n{FAINT}{older}{FAINT:#}"),
        None => Ok(()),
    }
}

fn object(out: &mut dyn Write, answer: &HistoryResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", time::rfc3339(answer.as_of_us))?;
    object.field("item", answer.item.as_str())?;
    object.field("name", answer.name.as_str())?;
    object.list("commits", answer.commits.iter().map(json::commit))?;
    let next = (answer.next_before_revision > 0).then_some(answer.next_before_revision);
    object.field("next_before_revision", next)?;
    object.close()
}

#[cfg(test)]
mod tests;
