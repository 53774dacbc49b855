//! `--as-of`: the moment that is asked, for every command that reads. The server reads it; here it is only said again.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;

use crate::output::Format;
use crate::output::table::FAINT;
use crate::session::Session;
use crate::time;

#[derive(Args, Debug)]
pub struct AsOf {
    /// Ask the moment of a revision (7), a date or time (2026-11-03, midnight UTC), or "2 hours ago"
    #[arg(long = "as-of", value_name = "WHEN", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    text: Option<String>,
}

impl AsOf {
    /// As the server is asked.
    pub fn text(&self) -> String {
        self.text.clone().unwrap_or_default()
    }

    /// Until when things had been watched when what is shown was so.
    pub fn now(&self, as_of_us: i64, now: Timestamp) -> Timestamp {
        let then = self.text.as_ref().and_then(|_| Timestamp::from_microsecond(as_of_us).ok());
        then.unwrap_or(now)
    }

    /// Says below an answer for people which moment it shows, where one was asked for.
    pub fn write(&self, out: &mut dyn Write, revision: u64, as_of_us: i64, now: Timestamp) -> io::Result<()> {
        match self.text {
            Some(_) => writeln!(out, "{FAINT}{}{FAINT:#}", shown(revision, as_of_us, now)),
            None => Ok(()),
        }
    }

    /// Says the same on standard error, where the answer is a list that has no room for it.
    pub fn note(&self, session: &mut Session, revision: u64, as_of_us: i64) {
        let has_no_room = matches!(session.format, Format::Jsonl | Format::Tree | Format::Dot);
        if self.text.is_some() && has_no_room {
            session.messages.note(&shown(revision, as_of_us, session.now));
        }
    }
}

/// Why a command takes no moment, in words; `None`: it takes one.
pub fn why_not(command: &str) -> Option<&'static str> {
    Some(match command {
        "status" => {
            "status says how the server is now; `cmdb health --as-of` and `cmdb classes --as-of` count what was there"
        }
        "agents" | "tokens" => "it says how agents are now; `cmdb health --as-of` counts what they saw",
        "watch" => "watch follows the log; `--after REVISION` goes on from a revision",
        "diff" => "diff compares two moments; say them with `--from` and `--to`",
        "identify" => {
            "a report is tried on what is there now; `cmdb explain ITEM --as-of` says how an item was identified"
        }
        "rules" => "new rules are tried on the claims that are stored now",
        "retention" => {
            "it says how far back a moment can be asked; `cmdb retention compact --before WHEN` takes one"
        }
        "verify" | "backup" => "it takes the whole store, with every past moment in it",
        "baseline" => "only `cmdb baseline create` takes a moment; each baseline is one",
        "scenario" => "a scenario asks from its base; `cmdb scenario create --base WHEN` takes a moment",
        "completions" => "it asks no server",
        "import" | "set" | "unpin" | "relate" | "unrelate" | "retire" | "purge" | "merge" | "split"
        | "revert" => "it changes what is there now; the past stays as it was",
        _ => return None,
    })
}

/// `as of revision 7, 2026-11-03 14:05:11Z (2 h ago)`.
pub fn shown(revision: u64, as_of_us: i64, now: Timestamp) -> String {
    match (time::for_people(as_of_us), time::ago(as_of_us, now)) {
        (Some(moment), Some(ago)) => format!("as of revision {revision}, {moment} ({ago})"),
        _ => format!("as of revision {revision}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn the_moment_is_named_where_it_was_asked_for() {
        let now = Timestamp::from_microsecond(canned::NOW_US).expect("in range");
        let hour = 3_600_000_000;
        assert_eq!(
            shown(7, canned::NOW_US - 2 * hour, now),
            "as of revision 7, 2026-11-03 12:05:11Z (2 h ago)"
        );
        let check = |text: Option<&str>, expected: &str| {
            let mut out = Vec::new();
            let as_of = AsOf { text: text.map(str::to_owned) };
            as_of.write(&mut out, 7, canned::NOW_US - 2 * hour, now).expect("memory takes it");
            let text = String::from_utf8(out).expect("text");
            assert_eq!(anstream::adapter::strip_str(&text).to_string(), expected);
        };
        check(Some("2 hours ago"), "as of revision 7, 2026-11-03 12:05:11Z (2 h ago)\n");
        check(None, "");
    }
}
