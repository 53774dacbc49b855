//! `cmdb availability`: how likely services are to be up, and which improvement buys most.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{AvailabilityRequest, AvailabilityResponse, ClassFigure, Estimate, Gain, Uptime};
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

/// Seconds of a year: 365 days and a quarter.
const YEAR_SECONDS: f64 = 31_557_600.0;

#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  cmdb availability order\n  cmdb availability order --down rack-2 --output json\n  \
    cmdb set db-1 availability=0.9995\n\n\
    Each item is up of itself so much of the time as its attribute `availability` says, from 0 to 1, else its class \
    (`cmdb classes CLASS`); items fail independently of each other, and what fails with them is what `cmdb impact` says. \
    The answer is exact where that can be computed, and an estimate from samples with the interval in which 95 of 100 \
    such estimates lie elsewhere."
)]
pub struct Arguments {
    /// Services, or any other items [default: every service]
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// Take this item to be down; may be given several times
    #[arg(long, value_name = "ITEM")]
    down: Vec<String>,
    /// Draw at least this many samples instead of computing exactly
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    samples: Option<u64>,
    /// What is drawn is a function of this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// List at most this many services, and items of each [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    question: Question,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = AvailabilityRequest {
        down: arguments.down,
        samples: arguments.samples.unwrap_or(0),
        seed: arguments.seed,
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.question.as_of(),
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
        items: arguments.services,
    };
    let gains = if request.items.is_empty() { Gains::Left } else { Gains::Listed };
    let question = arguments.question;
    let events = session.connect().await?.graph().availability(request).await?.into_inner();
    let answer = long::answer(session, events).await?;
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        _ => {
            text(out, &answer, gains, question.now(answer.as_of_us, session.now))?;
            question.write(session, answer.revision, answer.as_of_us)?;
        }
    }
    question.note(session, answer.revision)
}

/// Whether gains are written out: of every service they would be too many to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gains {
    Left,
    Listed,
}

fn text(out: &mut dyn Write, answer: &AvailabilityResponse, gains: Gains, now: Timestamp) -> io::Result<()> {
    if answer.uptimes.is_empty() {
        return writeln!(out, "there is no service: name an item, or state one of class service");
    }
    let mut rows = Table::new(&["NAME", "ID", "UP", "DOWN A YEAR", "AT WORST", "NEEDS", "FOUND"]);
    rows = [2, 3, 4, 5].into_iter().fold(rows, Table::right);
    for uptime in &answer.uptimes {
        let item = uptime.item.clone().unwrap_or_default();
        let down = uptime.unavailability.unwrap_or_default();
        rows.row([
            walk::name_and_status(&item).into(),
            item.id.into(),
            up(down.value).into(),
            yearly(&down, uptime.exact).into(),
            uptime.at_worst.map_or_else(|| "-".to_owned(), |worst| up(worst.value)).into(),
            uptime.needed.into(),
            found(uptime).into(),
        ]);
    }
    rows.write(out)?;
    for uptime in answer.uptimes.iter().filter(|uptime| gains == Gains::Listed && !uptime.gains.is_empty()) {
        let name = uptime.item.as_ref().map(walk::title).unwrap_or_default();
        writeln!(out, "\n{HEADING}WHAT WOULD BUY MOST FOR {}{HEADING:#}", escape::line(&name))?;
        let mut rows = Table::new(&["IF IT NEVER FAILED", "ID", "CLASS", "UP OF ITSELF", "GAINED A YEAR"]);
        rows = [3, 4].into_iter().fold(rows, Table::right);
        for gain in &uptime.gains {
            let item = gain.item.clone().unwrap_or_default();
            rows.row([
                walk::name_and_status(&item).into(),
                item.id.into(),
                item.class.into(),
                up(gain.unavailability).into(),
                time(gain.gain).into(),
            ]);
        }
        rows.write(out)?;
        let more = uptime.gains_total.saturating_sub(uptime.gains.len() as u64);
        if more > 0 {
            let more = words::count(more, "other item", "other items");
            writeln!(
                out,
                "{WARN}not listed{WARN:#}: {more} that would buy no more each: --limit N lists them"
            )?;
        }
    }
    writeln!(out, "\n{NAME}{}{NAME:#}", sentence(answer))?;
    if answer.uptimes_total > answer.uptimes.len() as u64 {
        writeln!(out, "{WARN}not listed{WARN:#}: the list is cut: --limit N lists more")?;
    }
    for unusable in &answer.unusable {
        let name = unusable.item.as_ref().map(walk::title).unwrap_or_default();
        let given = escape::line(&unusable.given);
        let name = escape::line(&name);
        writeln!(
            out,
            "{WARN}not counted{WARN:#}: availability of {name} is {given}, not a number from 0 to 1"
        )?;
    }
    writeln!(out, "{FAINT}{}{FAINT:#}", escape::line(&figures(answer)))?;
    narrow::write(out, answer.over.as_ref())?;
    walk::write_coverage(out, answer.coverage.as_ref(), now, Answer::Listed)
}

/// `99.95 %`, with so many digits that what is lacking shows.
fn up(unavailability: f64) -> String {
    let percent = 100.0 * (1.0 - unavailability);
    if unavailability <= 0.0 || unavailability >= 1.0 {
        return format!("{percent:.0} %");
    }
    // Two digits of what is lacking.
    let lacking = -(unavailability * 100.0).log10().floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 14")]
    let digits = (lacking + 1.0).clamp(0.0, 14.0) as usize;
    format!("{percent:.digits$} %")
}

/// A share of a year: `4.4 h`.
fn time(share: f64) -> String {
    let seconds = share * YEAR_SECONDS;
    match seconds {
        _ if seconds <= 0.0 => "none".to_owned(),
        _ if seconds < 0.1 => "under 0.1 s".to_owned(),
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        _ if seconds < 3_600.0 => format!("{:.1} min", seconds / 60.0),
        _ if seconds < 172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} d", seconds / 86_400.0),
    }
}

fn yearly(down: &Estimate, exact: bool) -> String {
    match exact {
        true => time(down.value),
        false => format!("{} ({} to {})", time(down.value), time(down.low), time(down.high)),
    }
}

fn found(uptime: &Uptime) -> String {
    match uptime.exact {
        true => "exactly".to_owned(),
        false => format!("from {} samples", words::number(uptime.samples)),
    }
}

fn sentence(answer: &AvailabilityResponse) -> String {
    let down = walk::while_down(&answer.down);
    match answer.uptimes.as_slice() {
        [one] if answer.uptimes_total == 1 => {
            let name = one.item.as_ref().map(walk::title).unwrap_or_default();
            format!("{}: up {} of the time{down}", name, up(one.unavailability.unwrap_or_default().value))
        }
        _ => format!("{}, the least likely to be up first{down}", {
            words::count(answer.uptimes_total, "service", "services")
        }),
    }
}

/// Where the figures come from.
fn figures(answer: &AvailabilityResponse) -> String {
    let by_class: u64 = answer.classes.iter().map(|class| class.items).sum();
    let own = match answer.own_figures {
        0 => "no item has a figure of its own".to_owned(),
        count => format!("{} with a figure of their own", words::count(count, "item", "items")),
    };
    let named = |class: &&ClassFigure| class.availability < 1.0;
    let classes = answer.classes.iter().filter(named);
    let classes: Vec<String> =
        classes.map(|class| format!("{} {} ({})", class.class, class.availability, class.items)).collect();
    let fail = match classes.is_empty() {
        true => String::new(),
        false => format!(": {}", classes.join(", ")),
    };
    format!("assumed: items fail independently; {own}; {by_class} by their class{fail}")
}

fn object(out: &mut dyn Write, answer: &AvailabilityResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", crate::time::rfc3339(answer.as_of_us))?;
    object.field("down", answer.down.iter().map(thing).collect::<Vec<_>>())?;
    object.list("services", answer.uptimes.iter().map(uptime_json))?;
    object.field("services_total", answer.uptimes_total)?;
    object.field("own_figures", answer.own_figures)?;
    object.list(
        "class_figures",
        answer.classes.iter().map(
            |class| json!({"class": class.class, "availability": class.availability, "items": class.items}),
        ),
    )?;
    object.list(
        "unusable",
        answer.unusable.iter().map(|one| json!({"item": one.item.as_ref().map(thing), "given": one.given})),
    )?;
    object.field("unusable_total", answer.unusable_total)?;
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.field("coverage", json::coverage(answer.coverage.as_ref()))?;
    object.close()
}

fn thing(item: &cmdb_proto::v1::GraphItem) -> Json {
    Json::Object(json::graph_item(item))
}

fn uptime_json(uptime: &Uptime) -> Json {
    let estimate =
        |estimate: &Estimate| json!({"value": estimate.value, "low": estimate.low, "high": estimate.high});
    let gain = |gain: &Gain| json!({"item": gain.item.as_ref().map(thing), "unavailability": gain.unavailability, "gain": gain.gain});
    let down = uptime.unavailability.unwrap_or_default();
    json!({
        "item": uptime.item.as_ref().map(thing),
        "needed": uptime.needed,
        "availability": 1.0 - down.value,
        "unavailability": estimate(&down),
        "at_worst": uptime.at_worst.as_ref().map(estimate),
        "exact": uptime.exact,
        "samples": uptime.samples,
        "gains": uptime.gains.iter().map(gain).collect::<Vec<_>>(),
        "gains_total": uptime.gains_total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn shares_of_time_are_written_so_that_what_is_lacking_shows() {
        let written = [0.0, 1.0, 0.3, 0.0005, 0.000_012_3].map(up);
        assert_eq!(written, ["100 %", "0 %", "70 %", "99.950 %", "99.9988 %"]);
        let times = [0.0, 1e-10, 1e-7, 1e-4, 5e-4, 0.02].map(time);
        assert_eq!(times, ["none", "under 0.1 s", "3.2 s", "52.6 min", "4.4 h", "7.3 d"]);
    }

    #[test]
    fn an_estimate_says_that_it_is_one_and_what_was_assumed() {
        let mut out = Vec::new();
        let now = Timestamp::from_microsecond(canned::NOW_US).expect("a moment");
        text(&mut out, &canned::availability(), Gains::Listed, now).expect("a vector takes everything");
        let out = anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string();
        for expected in [
            "WHAT WOULD BUY MOST FOR Shop",
            "from 65,536 samples",
            "assumed: items fail independently; 1 item with a figure of their own; 3 by their class: server 0.9995 (3)",
            "not counted: availability of web-1",
            "went over depends_on and runs_on; connects_to only degrades",
        ] {
            assert!(out.contains(expected), "{expected}\n{out}");
        }
    }
}
