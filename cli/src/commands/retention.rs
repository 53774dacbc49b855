//! `cmdb retention`: how long the history is kept, saying so, what the next compaction drops, and compacting now.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    CompactRequest, CompactResponse, RetentionRequest, RetentionResponse, SetRetentionRequest,
    SetRetentionResponse,
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{NAME, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cmdb retention set --history 90d --reason 'a quarter is enough' --dry-run\n  \
    cmdb retention compact --before '1 year ago' --dry-run"
)]
pub struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand, Debug)]
enum What {
    /// How long the history is kept, and what the next daily run drops
    Show,
    /// Say for how long every change is kept; what is older is dropped once a day, but for baselines
    Set {
        /// So many days (90d), weeks (26w) or years of 365 days (2y), or forever
        #[arg(long, value_name = "LENGTH", value_parser = days)]
        history: u64,
        /// Why; kept with the commit
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        reason: String,
        /// Only say what the next daily run would drop
        #[arg(long)]
        dry_run: bool,
    },
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

/// As given to `--history`; 0: for good.
fn days(text: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("forever") {
        return Ok(0);
    }
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let each = match unit.trim() {
        "d" | "day" | "days" => 1,
        "w" | "week" | "weeks" => 7,
        "y" | "year" | "years" => 365,
        _ => 0,
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(each)) {
        Some(days) if days > 0 => Ok(days),
        _ => Err("days, weeks or years, such as 90d, 26w or 2y; or forever".to_owned()),
    }
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
        What::Set { history, reason, dry_run } => {
            let request = SetRetentionRequest { history_days: history, reason, dry_run };
            let answer = connection.commits().set_retention(request).await?.into_inner();
            let now = session.now;
            let out = session.out.as_mut();
            match session.format {
                Format::Json => json::write(out, &set(&answer, dry_run))?,
                _ => said(out, &answer, dry_run, now)?,
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

fn kept(days: u64) -> String {
    match days {
        0 => "for good".to_owned(),
        days => format!("for {}", words::count(days, "day", "days")),
    }
}

fn said(out: &mut dyn Write, answer: &SetRetentionResponse, dry_run: bool, now: Timestamp) -> io::Result<()> {
    let then = answer.retention.as_ref().map_or(0, |retention| retention.history_days);
    let before = kept(answer.history_days_before);
    match (dry_run, answer.revision) {
        (true, _) => writeln!(out, "would be kept {}, before {before}", kept(then))?,
        (false, 0) => writeln!(out, "nothing changed: it was so already")?,
        (false, revision) => writeln!(out, "revision {revision}: kept {}, before {before}", kept(then))?,
    }
    answer.retention.as_ref().map_or(Ok(()), |retention| table(out, retention, now))
}

fn table(out: &mut dyn Write, answer: &RetentionResponse, now: Timestamp) -> io::Result<()> {
    writeln!(out, "{NAME}every change is kept {}{NAME:#}", kept(answer.history_days))?;
    if answer.set_revision > 0 {
        let age = time::ago(answer.set_us, now).map(|age| format!(", {age}")).unwrap_or_default();
        let by = escape::line(&answer.set_by);
        write!(out, "  so says revision {}, by {by}{age}", answer.set_revision)?;
        match answer.reason.trim() {
            "" => writeln!(out)?,
            reason => writeln!(out, ": {}", escape::line(reason))?,
        }
    }
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
        "set_revision": answer.set_revision,
        "set_at": time::rfc3339(answer.set_us),
        "set_by": answer.set_by,
        "reason": answer.reason,
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

fn set(answer: &SetRetentionResponse, dry_run: bool) -> Json {
    json!({
        "dry_run": dry_run,
        "revision": answer.revision,
        "history_days_before": answer.history_days_before,
        "retention": answer.retention.as_ref().map(object),
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
              so says revision 40, by anna, 2 h ago: a quarter is enough
              every change is there from revision 30, 2 h ago up to 42
              kept beside that: 1 baseline
              the next daily run drops 7 changes and 2 commits before revision 32
        "#]]
        .assert_eq(&anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn how_long_is_read_in_days() {
        let cases = [
            ("90d", Some(90)),
            ("1 day", Some(1)),
            ("26w", Some(182)),
            ("2 years", Some(730)),
            ("Forever", Some(0)),
            ("0d", None),
            ("90", None),
            ("3m", None),
            ("-1d", None),
            ("1.5d", None),
            ("", None),
            ("99999999999999999999d", None),
            ("9999999999999999999y", None),
        ];
        for (given, expected) in cases {
            assert_eq!(days(given).ok(), expected, "{given}");
        }
    }

    #[test]
    fn what_was_said_and_what_follows_is_shown() {
        let now = Timestamp::from_microsecond(crate::canned::NOW_US).expect("in range");
        let print = |answer: &SetRetentionResponse, dry_run| {
            let mut out = Vec::new();
            said(&mut out, answer, dry_run, now).expect("memory takes it");
            anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
        };
        let answer = crate::canned::set_retention();
        let shown = print(&answer, false);
        assert!(
            shown.starts_with(
                "revision 40: kept for 90 days, before for good\nevery change is kept for 90 days\n"
            ),
            "{shown}"
        );
        let shown = print(&SetRetentionResponse { revision: 0, ..answer.clone() }, true);
        assert!(shown.starts_with("would be kept for 90 days, before for good\n"), "{shown}");
        let shown = print(&SetRetentionResponse { revision: 0, ..answer }, false);
        assert!(shown.starts_with("nothing changed: it was so already\nevery"), "{shown}");
    }
}
