//! `cmdb critical`: what services cannot do without, and how much each can lose.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{
    CriticalPart, CriticalRequest, CriticalResponse, CriticalSet, GraphItem, SinglePoint, Standing,
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::long;
use super::narrow;
use super::question::Question;
use super::walk::{self, Answer};
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, HEADING, NAME, Table, WARN};
use crate::output::{Format, escape, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// Of what a point fails, how many are written out.
const FAILED_WRITTEN_MAX: usize = 3;
/// Items of a part that are written out.
const PART_WRITTEN_MAX: usize = 3;

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cmdb critical --service order --down rack-2\n\n\
    The margin is how many items may fail, whichever they are, before the service does. A set is told by its parts: any \
    one item of each part, and the service is down. Sets are counted for every service, and listed for those that are named.")]
pub struct Arguments {
    /// A service, or any other item; may be given several times [default: every service]
    #[arg(long = "service", value_name = "ITEM")]
    services: Vec<String>,
    /// Take this item to be down already; may be given several times
    #[arg(long, value_name = "ITEM")]
    down: Vec<String>,
    /// List at most this many of each kind [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    question: Question,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = CriticalRequest {
        items: arguments.services,
        down: arguments.down,
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.question.as_of(),
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
    };
    let sets = if request.items.is_empty() { Sets::Counted } else { Sets::Listed };
    let question = arguments.question;
    let events = session.connect().await?.graph().critical(request).await?.into_inner();
    let answer = long::answer(session, events).await?;
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        _ => {
            text(out, &answer, sets, question.now(answer.as_of_us, session.now))?;
            question.write(session, answer.revision, answer.as_of_us)?;
        }
    }
    question.note(session, answer.revision)
}

/// Whether sets are written out: of every service they would be too many to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sets {
    Counted,
    Listed,
}

fn text(out: &mut dyn Write, answer: &CriticalResponse, sets: Sets, now: Timestamp) -> io::Result<()> {
    if answer.standings.is_empty() {
        return writeln!(
            out,
            "there is no service: name an item with --service, or state one of class service"
        );
    }
    let mut rows = Table::new(&["NAME", "ID", "MARGIN", "NEEDS", "ALONE", "AT RISK", "SETS"]);
    rows = [3, 4, 5, 6].into_iter().fold(rows, Table::right);
    for standing in &answer.standings {
        let item = standing.item.clone().unwrap_or_default();
        rows.row([
            walk::name_and_status(&item).into(),
            item.id.into(),
            margin(standing).into(),
            standing.needed.into(),
            standing.alone.into(),
            standing.alone_at_risk.into(),
            standing.sets_total.into(),
        ]);
    }
    rows.write(out)?;
    if !answer.points.is_empty() {
        writeln!(out, "\n{HEADING}SINGLE POINTS OF FAILURE{HEADING:#}")?;
        let mut rows = Table::new(&["NAME", "ID", "CLASS", "STATE", "FAILS", "OF THEM"]).right(4);
        for point in &answer.points {
            let item = point.item.clone().unwrap_or_default();
            rows.row([
                walk::name_and_status(&item).into(),
                item.id.into(),
                item.class.into(),
                point.state.clone().into(),
                point.fails.into(),
                fails(point).into(),
            ]);
        }
        rows.write(out)?;
    }
    let listed = |standing: &&Standing| sets == Sets::Listed && !standing.sets.is_empty();
    for standing in answer.standings.iter().filter(listed) {
        let name = standing.item.as_ref().map(walk::title).unwrap_or_default();
        writeln!(out, "\n{HEADING}TOGETHER THEY FAIL {}{HEADING:#}", escape::line(&name))?;
        for set in &standing.sets {
            writeln!(out, "  {}", written(set))?;
        }
    }
    writeln!(out, "\n{NAME}{}{NAME:#}", sentence(answer))?;
    if answer.truncated {
        writeln!(out, "{WARN}not listed{WARN:#}: the lists are cut: --limit N lists more")?;
    }
    for standing in answer.standings.iter().filter(|standing| !standing.is_down && !standing.margin_exact) {
        if standing.margin < 3 {
            let name = standing.item.as_ref().map(walk::title).unwrap_or_default();
            writeln!(
                out,
                "{WARN}not looked for{WARN:#}: sets of more than {} for {}; it needs too much for that here",
                standing.margin,
                escape::line(&name)
            )?;
        }
    }
    narrow::write(out, answer.over.as_ref())?;
    walk::write_coverage(out, answer.coverage.as_ref(), now, Answer::Listed)
}

/// How much may fail, in words.
fn margin(standing: &Standing) -> String {
    let already = if standing.at_risk_already { ", at risk already" } else { "" };
    match (standing.is_down, standing.margin, standing.margin_exact) {
        (true, ..) => "down".to_owned(),
        (_, 0, true) => format!("none{already}"),
        (_, margin, true) => format!("any {margin}{already}"),
        (_, margin, false) => format!("any {margin} or more{already}"),
    }
}

fn fails(point: &SinglePoint) -> String {
    let named = point.of.iter().take(FAILED_WRITTEN_MAX);
    let shown = named.map(|item| walk::name(item).to_owned()).collect::<Vec<_>>().join(", ");
    match point.fails.saturating_sub(point.of.len().min(FAILED_WRITTEN_MAX) as u64) {
        0 => shown,
        more => format!("{shown} and {} more", words::number(more)),
    }
}

/// `web-1 (or host-1, rack-1) + web-2`.
fn written(set: &CriticalSet) -> String {
    let part = |part: &CriticalPart| {
        let mut names = part.items.iter().map(|item| escape::line(walk::name(item)).to_string());
        let first = names.next().unwrap_or_default();
        let others: Vec<String> = names.take(PART_WRITTEN_MAX - 1).collect();
        let more = part.items_total.saturating_sub(1 + others.len() as u64);
        match (others.is_empty(), more) {
            (true, _) => first,
            (false, 0) => format!("{first} {FAINT}(or {}){FAINT:#}", others.join(", ")),
            (false, more) => {
                format!("{first} {FAINT}(or {} or {} more){FAINT:#}", others.join(", "), words::number(more))
            }
        }
    };
    set.parts.iter().map(part).collect::<Vec<_>>().join(" + ")
}

fn sentence(answer: &CriticalResponse) -> String {
    let of = match answer.standings.as_slice() {
        [one] if answer.standings_total == 1 => one.item.as_ref().map(walk::title).unwrap_or_default(),
        _ => words::count(answer.standings_total, "service", "services"),
    };
    let down = walk::while_down(&answer.down);
    let sure = answer.points_total.saturating_sub(answer.points_at_risk);
    let total = words::count(sure, "single point of failure", "single points of failure");
    let risk = match answer.points_at_risk {
        0 => String::new(),
        count => format!(", and {} if a guessed redundancy does not hold", words::number(count)),
    };
    format!("{of}: {total}{risk}{down}")
}

fn object(out: &mut dyn Write, answer: &CriticalResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", crate::time::rfc3339(answer.as_of_us))?;
    object.field("down", answer.down.iter().map(thing).collect::<Vec<_>>())?;
    object.list("services", answer.standings.iter().map(standing_json))?;
    object.field("services_total", answer.standings_total)?;
    object.list("points", answer.points.iter().map(point_json))?;
    object.field("points_total", answer.points_total)?;
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.field("coverage", json::coverage(answer.coverage.as_ref()))?;
    object.close()
}

fn thing(item: &GraphItem) -> Json {
    Json::Object(json::graph_item(item))
}

fn standing_json(standing: &Standing) -> Json {
    let sets = standing.sets.iter().map(|set| {
        let parts = set.parts.iter().map(|part| {
            let items: Vec<Json> = part.items.iter().map(thing).collect();
            json!({"items": items, "items_total": part.items_total})
        });
        parts.collect::<Vec<_>>()
    });
    json!({
        "item": standing.item.as_ref().map(thing),
        "needed": standing.needed, "down": standing.is_down, "at_risk_already": standing.at_risk_already,
        "margin": standing.margin, "margin_exact": standing.margin_exact,
        "alone": standing.alone, "alone_at_risk": standing.alone_at_risk,
        "sets": sets.collect::<Vec<_>>(), "sets_total": standing.sets_total,
    })
}

fn point_json(point: &SinglePoint) -> Json {
    json!({
        "item": point.item.as_ref().map(thing), "state": point.state, "fails": point.fails,
        "of": point.of.iter().map(thing).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn margins_points_and_sets_are_told_in_words() {
        let mut out = Vec::new();
        let now = Timestamp::from_microsecond(canned::NOW_US).expect("a moment");
        text(&mut out, &canned::critical(), Sets::Listed, now).expect("a vector takes everything");
        let out = anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string();
        for expected in [
            "TOGETHER THEY FAIL Shop",
            "web-1 + web-2",
            "1 single point of failure, and 1 if a guessed redundancy does not hold",
            "none",
        ] {
            assert!(out.contains(expected), "{expected}\n{out}");
        }
        let down = Standing { is_down: true, ..Standing::default() };
        let more = Standing { margin: 3, ..Standing::default() };
        let one = Standing { margin: 1, margin_exact: true, ..Standing::default() };
        let risky = Standing { at_risk_already: true, ..one.clone() };
        let expected = ["down", "any 3 or more", "any 1", "any 1, at risk already"];
        assert_eq!([&down, &more, &one, &risky].map(margin), expected);
    }
}
