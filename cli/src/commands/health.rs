//! `cmdb health`: whether the facts can be trusted, and the items behind each figure.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{FactRate, HealthFigure, HealthRequest, HealthResponse};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::table::{BAD, Cell, GOOD, HEADING, NAME, Table, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// Classes and sources that the table shows.
const RATES_SHOWN: usize = 10;
/// Shares above which they are good.
const GOOD_PERCENT: f64 = 95.0;
const FAIR_PERCENT: f64 = 80.0;
/// Hours within which a machine must have been heard.
const INTERVAL_HOURS: u64 = 24;
const HOUR_S: u64 = 3_600;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cmdb health\n  cmdb health --list unowned --limit 20\n  \
    cmdb health --class database_instance --list audit:database_protected\n  cmdb health --as-of \"30 days ago\"")]
pub struct Arguments {
    /// Only this class and the classes below it
    #[arg(long, value_name = "CLASS", default_value = "", hide_default_value = true)]
    class: String,
    /// The items behind this figure, such as orphans or contradicted
    #[arg(long, value_name = "FIGURE", default_value = "", hide_default_value = true)]
    list: String,
    /// List at most this many [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000), requires = "list")]
    limit: Option<u32>,
    /// Hours within which a machine must have been heard for its word to count
    #[arg(long, value_name = "HOURS", default_value_t = INTERVAL_HOURS, value_parser = clap::value_parser!(u64).range(1..=87_600))]
    interval: u64,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = HealthRequest {
        class: arguments.class,
        list: arguments.list.clone(),
        limit: arguments.limit.unwrap_or(0),
        interval_s: arguments.interval * HOUR_S,
        as_of: arguments.as_of.text(),
    };
    let health = session.connect().await?.health().health(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&health, &arguments.list))?,
        _ => {
            if arguments.list.is_empty() {
                table(out, &health)?;
            } else {
                list(out, &health, &arguments.list)?;
            }
            arguments.as_of.write(out, health.revision, health.as_of_us, session.now)?;
        }
    }
    Ok(())
}

fn discoverable(rate: &FactRate) -> u64 {
    rate.confirmed + rate.contradicted + rate.unconfirmed
}

/// The share in percent; `None`: of nothing.
fn percent(count: u64, of: u64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let share = 100.0 * count as f64 / of as f64;
    (of > 0).then_some(share)
}

fn percent_text(percent: Option<f64>) -> String {
    percent.map_or_else(String::new, |percent| format!("{percent:.1} %"))
}

/// A share that should be high.
fn share(count: u64, of: u64) -> Cell {
    let percent = percent(count, of);
    let style = match percent {
        Some(percent) if percent >= GOOD_PERCENT => GOOD,
        Some(percent) if percent >= FAIR_PERCENT => WARN,
        Some(_) => BAD,
        None => anstyle::Style::new(),
    };
    Cell::styled(percent_text(percent), style)
}

fn table(out: &mut dyn Write, health: &HealthResponse) -> io::Result<()> {
    let facts = health.facts.unwrap_or_default();
    let rate = percent_text(percent(facts.confirmed, discoverable(&facts)));
    let rate = if rate.is_empty() { "nothing to confirm".to_owned() } else { format!("{rate} confirmed") };
    let (items, hours) = (words::count(health.items, "item", "items"), health.interval_s / HOUR_S);
    writeln!(
        out,
        "{NAME}{items}, {rate}{NAME:#} by machines within {}",
        words::count(hours, "hour", "hours")
    )?;
    for area in areas(&health.figures) {
        writeln!(out, "\n{HEADING}{}{HEADING:#}", escape::line(area))?;
        let mut rows = Table::new(&["", "", "", "", ""]).indent(2).right(1).right(2).right(3);
        for figure in health.figures.iter().filter(|figure| figure.area == area) {
            rows.row([
                figure.name.as_str().into(),
                figure.count.into(),
                format!("of {}", words::number(figure.of)).into(),
                percent_text(percent(figure.count, figure.of)).into(),
                figure.title.as_str().into(),
            ]);
        }
        rows.write(out)?;
    }
    rates(out, "class", &health.by_class)?;
    rates(out, "source", &health.by_source)?;
    writeln!(out, "\n`cmdb health --list FIGURE` names the items behind a figure")
}

/// The areas, in the order in which the server tells them.
fn areas(figures: &[HealthFigure]) -> Vec<&str> {
    let mut areas: Vec<&str> = figures.iter().map(|figure| figure.area.as_str()).collect();
    areas.dedup();
    areas
}

/// Those with the most facts that are not confirmed first.
fn rates(out: &mut dyn Write, by: &'static str, rates: &BTreeMap<String, FactRate>) -> io::Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEADING}confirmation by {by}{HEADING:#}")?;
    let mut order: Vec<(&String, &FactRate)> = rates.iter().collect();
    let open = |rate: &FactRate| rate.unconfirmed + rate.contradicted;
    order.sort_by(|(a, one), (b, other)| open(other).cmp(&open(one)).then(a.cmp(b)));
    let mut rows =
        Table::new(&["NAME", "DISCOVERABLE", "CONFIRMED", "CONTRADICTED", "UNCONFIRMED", "UNDISCOVERABLE"])
            .indent(2);
    for column in 1..=5 {
        rows = rows.right(column);
    }
    for (name, rate) in order.iter().take(RATES_SHOWN) {
        rows.row([
            name.as_str().into(),
            discoverable(rate).into(),
            share(rate.confirmed, discoverable(rate)),
            rate.contradicted.into(),
            rate.unconfirmed.into(),
            rate.undiscoverable.into(),
        ]);
    }
    rows.write(out)?;
    if order.len() > RATES_SHOWN {
        let more = words::number((order.len() - RATES_SHOWN) as u64);
        writeln!(out, "  {WARN}not listed{WARN:#}: {more} more, --output json has them all")?;
    }
    Ok(())
}

fn list(out: &mut dyn Write, health: &HealthResponse, name: &str) -> io::Result<()> {
    if let Some(figure) = health.figures.iter().find(|figure| figure.name == name) {
        let (count, of) = (words::number(figure.count), words::number(figure.of));
        writeln!(out, "{NAME}{}{NAME:#}: {count} of {of}", escape::line(&figure.title))?;
    }
    if health.listed.is_empty() {
        return writeln!(out, "no item is behind it");
    }
    writeln!(out)?;
    let mut rows = Table::new(&["NAME", "ID", "CLASS", "WHY"]);
    for item in &health.listed {
        let more =
            if item.more > 0 { format!(" and {} more", words::number(item.more)) } else { String::new() };
        rows.row([
            item.name.as_str().into(),
            item.id.as_str().into(),
            item.class.as_str().into(),
            format!("{}{more}", item.details.join("; ")).into(),
        ]);
    }
    rows.write(out)?;
    if health.omitted > 0 {
        let omitted = words::count(health.omitted, "more item", "more items");
        writeln!(out, "\n{WARN}not listed{WARN:#}: {omitted}, --limit N lists more")?;
    }
    Ok(())
}

fn object(health: &HealthResponse, list: &str) -> Json {
    let rates = |rates: &BTreeMap<String, FactRate>| -> Json {
        rates
            .iter()
            .map(|(name, rate)| (name.clone(), rate_json(rate)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut object = json!({
        "revision": health.revision,
        "as_of": time::rfc3339(health.as_of_us),
        "interval_s": health.interval_s,
        "items": health.items,
        "figures": health.figures.iter().map(figure_json).collect::<Vec<_>>(),
        "facts": rate_json(&health.facts.unwrap_or_default()),
        "by_class": rates(&health.by_class),
        "by_source": rates(&health.by_source),
    });
    if !list.is_empty() {
        let listed = health.listed.iter().map(|item| {
            json!({
                "id": item.id,
                "key": item.key,
                "class": item.class,
                "name": item.name,
                "details": item.details,
                "details_omitted": item.more,
            })
        });
        object["list"] = list.into();
        object["listed"] = listed.collect();
        object["omitted"] = health.omitted.into();
    }
    object
}

fn figure_json(figure: &HealthFigure) -> Json {
    json!({
        "name": figure.name,
        "area": figure.area,
        "title": figure.title,
        "count": figure.count,
        "of": figure.of,
        "items": figure.items,
    })
}

fn rate_json(rate: &FactRate) -> Json {
    let discoverable = discoverable(rate);
    json!({
        "discoverable": discoverable,
        "confirmed": rate.confirmed,
        "contradicted": rate.contradicted,
        "unconfirmed": rate.unconfirmed,
        "undiscoverable": rate.undiscoverable,
        "confirmed_percent": percent(rate.confirmed, discoverable),
    })
}

#[cfg(test)]
mod tests;
