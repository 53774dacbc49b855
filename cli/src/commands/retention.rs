//! `cmdb retention`: how long the history is kept, what the next compaction drops, and compacting now.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{CompactRequest, CompactResponse, RetentionRequest, RetentionResponse};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{NAME, WARN};
use crate::output::{Format, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cmdb retention compact --before '1 year ago' --dry-run")]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// How long the history is kept, and what the next daily run drops
    Show,
    /// Compact the history now; baselines stay
    Compact {
        /// The moment that is the oldest from then on, but for baselines
        #[arg(long, value_name = "WHEN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        before: String,
        /// Why; kept with the commit
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Only say what would be dropped
        #[arg(long)]
        dry_run: bool,
    },
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    match arguments.what.unwrap_or(What::Show) {
        What::Show => {
            let answer = connection.commits().retention(RetentionRequest {}).await?.into_inner();
            let now = session.now;
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &object(&answer))?,
                _ => table(out, &answer, now)?,
            }
        }
        What::Compact { before, reason, dry_run } => {
            let request = CompactRequest { before, reason, dry_run };
            let answer = connection.commits().compact(request).await?.into_inner();
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &dropped(&answer, dry_run))?,
                _ => told(out, &answer, dry_run)?,
            }
        }
    }
    Ok(())
}

fn table(out: &mut dyn Write, answer: &RetentionResponse, now: Timestamp) -> io::Result<()> {
    let kept = match answer.history_days {
        0 => "for good".to_owned(),
        days => format!("for {}", words::count(days, "day", "days")),
    };
    writeln!(out, "{NAME}every change is kept {kept}{NAME:#}")?;
    match answer.oldest_revision {
        0 => writeln!(out, "  the history is whole, up to revision {}", answer.head)?,
        oldest => {
            let age = time::ago(answer.oldest_us, now).map(|age| format!(", {age}")).unwrap_or_default();
            writeln!(out, "  every change is there from revision {oldest}{age} up to {}", answer.head)?;
        }
    }
    writeln!(out, "  kept beside that: {}", words::count(answer.baselines, "baseline", "baselines"))?;
    if answer.unfinished {
        writeln!(out, "  {WARN}a compaction was cut off{WARN:#}: the next one goes on with it")?;
    }
    if answer.due_revision > 0 {
        let counts = counts(answer.due_changes, answer.due_commits, answer.at_least);
        writeln!(out, "  the next daily run drops {counts} before revision {}", answer.due_revision)?;
    }
    Ok(())
}

fn counts(changes: u64, commits: u64, at_least: bool) -> String {
    let least = if at_least { "at least " } else { "" };
    format!(
        "{least}{} and {}",
        words::count(changes, "change", "changes"),
        words::count(commits, "commit", "commits")
    )
}

fn told(out: &mut dyn Write, answer: &CompactResponse, dry_run: bool) -> io::Result<()> {
    if answer.changes + answer.commits == 0 && answer.revision == 0 {
        return writeln!(out, "there is nothing to drop before revision {}", answer.oldest_revision);
    }
    let (verb, counts) = (
        if dry_run { "would be dropped" } else { "dropped" },
        counts(answer.changes, answer.commits, answer.at_least),
    );
    write!(out, "{NAME}{verb}{NAME:#}: {counts} before revision {}", answer.oldest_revision)?;
    match answer.revision {
        0 => writeln!(out),
        revision => writeln!(out, ", in revision {revision}"),
    }
}

fn object(answer: &RetentionResponse) -> Json {
    json!({
        "history_days": answer.history_days,
        "oldest_revision": answer.oldest_revision,
        "oldest_recorded_at": if answer.oldest_revision > 0 { time::rfc3339(answer.oldest_us) } else { None },
        "head": answer.head,
        "baselines": answer.baselines,
        "unfinished": answer.unfinished,
        "due": {
            "revision": answer.due_revision,
            "changes": answer.due_changes,
            "commits": answer.due_commits,
            "at_least": answer.at_least,
        },
    })
}

fn dropped(answer: &CompactResponse, dry_run: bool) -> Json {
    json!({
        "dry_run": dry_run,
        "revision": answer.revision,
        "oldest_revision": answer.oldest_revision,
        "changes": answer.changes,
        "commits": answer.commits,
        "at_least": answer.at_least,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_is_due_is_said() {
        let mut out = Vec::new();
        let answer = crate::canned::retention();
        let now = Timestamp::from_microsecond(crate::canned::NOW_US).expect("in range");
        table(&mut out, &answer, now).expect("memory takes it");
        let text = String::from_utf8(out).expect("text");
        expect_test::expect![[r#"
            every change is kept for 90 days
              every change is there from revision 30, 2 h ago up to 42
              kept beside that: 1 baseline
              the next daily run drops 7 changes and 2 commits before revision 32
        "#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }
}
