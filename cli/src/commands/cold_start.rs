//! `cmdb cold-start`: what cannot start again on its own once everything is down.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{ColdStartRequest, ColdStartResponse, Deadlock, GraphItem};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::narrow;
use super::question::Question;
use super::walk::{self, Answer};
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{BAD, NAME, WARN};
use crate::output::{Format, escape, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// Items of a deadlock that are written out.
const WRITTEN_MAX: usize = 12;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cmdb cold-start order\n\n\
    After a power cut everything is down, and an item starts once what it needs is up. Items that need each other wait for \
    ever: somebody has to start one of them by hand. What depends weakly does not wait.")]
pub struct Arguments {
    /// Look at these items and what they need [default: everything]
    #[arg(value_name = "ITEM")]
    items: Vec<String>,
    /// List at most this many deadlocks, and items of each [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    question: Question,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = ColdStartRequest {
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.question.as_of(),
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
        items: arguments.items,
    };
    let question = arguments.question;
    let answer = session.connect().await?.graph().cold_start(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        _ => {
            text(out, &answer, question.now(answer.as_of_us, session.now))?;
            question.write(session, answer.revision, answer.as_of_us)?;
        }
    }
    question.note(session, answer.revision)
}

fn text(out: &mut dyn Write, answer: &ColdStartResponse, now: Timestamp) -> io::Result<()> {
    for deadlock in &answer.deadlocks {
        let (style, sure) = match deadlock.state.as_str() {
            "at_risk" => (WARN, " if a guessed redundancy does not hold"),
            _ => (BAD, ""),
        };
        let count = words::count(deadlock.items_total, "item waits", "items wait");
        let who = if deadlock.items_total == 1 { "itself" } else { "each other" };
        writeln!(
            out,
            "{style}{count} for {who}{sure}{style:#}: {}",
            named(&deadlock.items, deadlock.items_total)
        )?;
        if deadlock.waiting > 0 {
            writeln!(
                out,
                "  {} for them",
                words::count(deadlock.waiting, "other item waits", "other items wait")
            )?;
        }
        writeln!(out, "  {}", by_hand(deadlock))?;
    }
    if !answer.deadlocks.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{NAME}{}{NAME:#}", sentence(answer))?;
    if answer.truncated {
        writeln!(out, "{WARN}not listed{WARN:#}: the lists are cut: --limit N lists more")?;
    }
    narrow::write(out, answer.over.as_ref())?;
    walk::write_coverage(out, answer.coverage.as_ref(), now, Answer::Listed)
}

fn named(items: &[GraphItem], total: u64) -> String {
    let mut shown: Vec<String> =
        items.iter().take(WRITTEN_MAX).map(|item| walk::name(item).to_owned()).collect();
    let more = total.saturating_sub(shown.len() as u64);
    if more > 0 {
        shown.push(format!("{} more", words::number(more)));
    }
    escape::line(&words::and(shown.iter().map(String::as_str))).into_owned()
}

fn by_hand(deadlock: &Deadlock) -> String {
    match deadlock.starters_total {
        0 => "no single one of them, started by hand, is known to be enough".to_owned(),
        total if total == deadlock.items_total => "any one of them, started by hand, is enough".to_owned(),
        total => format!("started by hand, enough is any of {}", named(&deadlock.starters, total)),
    }
}

fn sentence(answer: &ColdStartResponse) -> String {
    let of = match answer.of.is_empty() {
        true => words::count(answer.items, "item", "items"),
        false => format!("{} and what they need, {}", walk::names(&answer.of), {
            words::count(answer.items, "item", "items")
        }),
    };
    let risk = match answer.stuck_at_risk {
        0 => String::new(),
        count => format!(", and {} more if a guessed redundancy does not hold", words::number(count)),
    };
    match answer.stuck {
        0 if answer.stuck_at_risk == 0 => format!("{of}: everything starts again on its own"),
        stuck => {
            let stuck = words::count(stuck, "item does not start", "items do not start");
            let deadlocks = words::count(answer.deadlocks_total, "deadlock", "deadlocks");
            format!("{of}: {stuck} again on their own{risk}; {deadlocks}")
        }
    }
}

fn object(out: &mut dyn Write, answer: &ColdStartResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", crate::time::rfc3339(answer.as_of_us))?;
    object.field("of", answer.of.iter().map(thing).collect::<Vec<_>>())?;
    object.field("items", answer.items)?;
    object.field("stuck", answer.stuck)?;
    object.field("stuck_at_risk", answer.stuck_at_risk)?;
    object.list(
        "deadlocks",
        answer.deadlocks.iter().map(|deadlock| {
            json!({
                "items": deadlock.items.iter().map(thing).collect::<Vec<_>>(),
                "items_total": deadlock.items_total,
                "state": deadlock.state,
                "waiting": deadlock.waiting,
                "starters": deadlock.starters.iter().map(thing).collect::<Vec<_>>(),
                "starters_total": deadlock.starters_total,
            })
        }),
    )?;
    object.field("deadlocks_total", answer.deadlocks_total)?;
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.field("coverage", json::coverage(answer.coverage.as_ref()))?;
    object.close()
}

fn thing(item: &GraphItem) -> Json {
    Json::Object(json::graph_item(item))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn deadlocks_are_told_in_words() {
        let mut out = Vec::new();
        let now = Timestamp::from_microsecond(canned::NOW_US).expect("a moment");
        text(&mut out, &canned::cold_start(), now).expect("a vector takes everything");
        let out = anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string();
        for expected in [
            "2 items wait for each other: web-1 and orders-db",
            "1 other item waits for them",
            "started by hand, enough is any of orders-db",
            "6 items: 3 items do not start again on their own; 1 deadlock",
        ] {
            assert!(out.contains(expected), "{expected}\n{out}");
        }
        let fine = ColdStartResponse { items: 4, ..ColdStartResponse::default() };
        assert_eq!(sentence(&fine), "4 items: everything starts again on its own");
    }
}
