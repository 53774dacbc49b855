//! `cmdb watch`: every commit as it comes, with its changes. Can be taken up again where it ended.

use std::io::{self, Write};
use std::pin::pin;

use clap::Args;
use cmdb_proto::v1::{Commit, StatusRequest, WatchRequest};
use jiff::Timestamp;

use crate::connection::Connection;
use crate::error::CommandError;
use crate::output::{Format, change, json};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Jsonl];

/// Changes printed of one commit; a report of a new host has thousands.
const CHANGES_SHOWN: u32 = 20;

#[derive(Args, Debug)]
pub struct Arguments {
    /// Begin with the commit after this revision, 0 for the very first, instead of with the next one
    #[arg(long, value_name = "REVISION")]
    after: Option<u64>,
    /// End with the commit that is the newest now
    #[arg(long, requires = "after")]
    once: bool,
    /// Only what changes items of this class and the classes below it, and relationships with an end in one
    #[arg(long, value_name = "CLASS", default_value = "", hide_default_value = true)]
    class: String,
    /// Only what changes this item, and relationships with an end in it
    #[arg(long, value_name = "ITEM", default_value = "", hide_default_value = true)]
    item: String,
    /// List at most this many changes of a commit [default: 20, in jsonl 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    changes: Option<u32>,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let last = if arguments.once { Some(head(&connection).await?) } else { None };
    let mut seen = arguments.after;
    // Beyond the newest commit there is nothing to follow, and the server says so.
    if last.is_some() && last == seen {
        return Ok(());
    }
    let default = if session.format == Format::Jsonl { 0 } else { CHANGES_SHOWN };
    let request = WatchRequest {
        after_revision: arguments.after.unwrap_or(0),
        from_now: arguments.after.is_none(),
        changes_max: arguments.changes.unwrap_or(default),
        class: arguments.class,
        item: arguments.item,
        until_revision: last.unwrap_or(0),
    };
    let mut commits = connection.commits().watch(request).await?.into_inner();
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    let outcome = loop {
        let commit = tokio::select! {
            biased;
            _ = &mut interrupt => break Ok(()),
            commit = commits.message() => commit,
        };
        let commit = match commit {
            Ok(Some(commit)) => commit,
            Ok(None) if last.is_some() => return Ok(()),
            Ok(None) => break Err(CommandError::failure("the server ended the watch")),
            Err(status) => break Err(CommandError::from(status)),
        };
        print(session, &commit)?;
        seen = Some(commit.revision);
        if last.is_some_and(|last| commit.revision >= last) {
            return Ok(());
        }
    };
    let Some(seen) = seen else { return outcome };
    let hint = format!("`cmdb watch --after {seen}` goes on from here");
    match outcome {
        Ok(()) => {
            session.messages.hint(&hint);
            Ok(())
        }
        Err(error) => Err(error.hint(hint)),
    }
}

async fn head(connection: &Connection) -> Result<u64, CommandError> {
    Ok(connection.admin().status(StatusRequest {}).await?.into_inner().revision)
}

fn print(session: &mut Session, commit: &Commit) -> Result<(), CommandError> {
    match session.format {
        Format::Jsonl => json::write_line(session.out.as_mut(), &json::commit(commit))?,
        _ => table(session.out.as_mut(), commit, session.now)?,
    }
    // Whoever watches wants to see each commit when it comes.
    session.flush()
}

fn table(out: &mut dyn Write, commit: &Commit, now: Timestamp) -> io::Result<()> {
    change::headline(out, commit, now)?;
    let count = commit.changes_total.max(commit.changes.len() as u64);
    if count > commit.changes.len() as u64 {
        writeln!(out, " · {} changes", crate::output::words::number(count))?;
    } else {
        writeln!(out, " · {}", change::summary(&commit.changes))?;
    }
    change::write_all(out, &commit.changes, count)
}

#[cfg(test)]
mod tests;
