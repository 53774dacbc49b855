//! `cmdb show`: one item with its attributes, relationships and redundancy, and with what each source says.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::identification::Method;
use cmdb_proto::v1::{
    EffectiveValue, GetItemRequest, GivenValue, Identification, Item, Pin, Relationship, SourceClaim,
};
use jiff::Timestamp;
use serde_json::Value as Json;

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::table::{Cell, FAINT, HEADING, NAME, Table, WARN};
use crate::output::{Format, change, escape, json, words};
use crate::session::Session;
use crate::{time, value};

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    /// What each source says of it, and how the item was identified
    #[arg(long)]
    sources: bool,
    /// List at most this many relationships [default: 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = GetItemRequest {
        item: arguments.item,
        claims: arguments.sources,
        relationships: true,
        relationships_max: arguments.limit.unwrap_or(0),
        as_of: arguments.as_of.text(),
    };
    let item = session.connect().await?.items().get(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&item, arguments.sources))?,
        _ => {
            table(out, &item, session.now)?;
            arguments.as_of.write(out, item.as_of_revision, item.as_of_us, session.now)?;
        }
    }
    Ok(())
}

fn object(item: &Item, with_sources: bool) -> Json {
    let mut object = json::item(item);
    object["as_of_revision"] = item.as_of_revision.into();
    object["as_of"] = time::rfc3339(item.as_of_us).into();
    object["relationships"] = item.relationships.iter().map(json::relationship).collect();
    object["relationships_omitted"] = item.relationships_omitted.into();
    if !item.redirected_from.is_empty() {
        object["redirected_from"] = item.redirected_from.as_str().into();
    }
    object["inherited"] = item.given.iter().map(given_json).collect();
    object["groups"] = item.groups.iter().map(json::redundancy).collect();
    if with_sources {
        object["claims"] = item.claims.iter().map(json::claim).collect();
    }
    object
}

fn given_json(given: &GivenValue) -> Json {
    serde_json::json!({
        "attribute": given.attribute,
        "value": given.value,
        "rule": given.rule,
        "service": given.service,
        "service_name": given.service_name,
    })
}

fn table(out: &mut dyn Write, item: &Item, now: Timestamp) -> io::Result<()> {
    writeln!(out, "{NAME}{}{NAME:#} ({}, {})", escape::line(&item.name), item.id, escape::line(&item.class))?;
    facts(out, item, now)?;
    attributes(out, item, now)?;
    purged(out, item)?;
    given(out, item)?;
    relationships(out, item)?;
    groups(out, item)?;
    for claim in &item.claims {
        write_claim(out, claim, now)?;
    }
    Ok(())
}

fn facts(out: &mut dyn Write, item: &Item, now: Timestamp) -> io::Result<()> {
    let mut facts = Table::new(&["", ""]).indent(2);
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, FAINT), text.into()]);
    fact("status", json::status_name(item.status).to_owned());
    fact("key", format!("{} of {}", item.key, item.source));
    if let Some(seen) = moment(item.first_seen_us, now) {
        fact("first seen", seen);
    }
    if let Some(seen) = moment(item.last_seen_us, now) {
        fact("last seen", seen);
    }
    fact("last change", format!("revision {}", item.revision));
    if !item.redirected_from.is_empty() {
        fact("merged into it", format!("{}, which was asked for", item.redirected_from));
    }
    if !item.duplicates.is_empty() {
        fact("may be the same as", item.duplicates.join(", "));
    }
    facts.write(out)
}

fn moment(moment_us: i64, now: Timestamp) -> Option<String> {
    Some(format!("{} ({})", time::for_people(moment_us)?, time::ago(moment_us, now)?))
}

fn attributes(out: &mut dyn Write, item: &Item, now: Timestamp) -> io::Result<()> {
    if item.attributes.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = Table::new(&["ATTRIBUTE", "VALUE", "SOURCE", "OBSERVED", ""]);
    for (name, effective) in &item.attributes {
        rows.row([
            name.into(),
            effective.value.as_ref().map(value::text).unwrap_or_default().into(),
            effective.source.as_str().into(),
            time::ago(effective.observed_at_us, now).unwrap_or_default().into(),
            Cell::styled(marks(effective), FAINT),
        ]);
    }
    rows.write(out)
}

/// What deserves attention on a value, in a few words.
fn marks(effective: &EffectiveValue) -> String {
    let pin = effective.pin.as_ref().map(pinned);
    let stale = effective.stale.then(|| "stale".to_owned());
    pin.into_iter().chain(stale).collect::<Vec<_>>().join(", ")
}

fn pinned(pin: &Pin) -> String {
    let until = time::for_people(pin.until_us).map_or_else(String::new, |until| format!(" until {until}"));
    format!("pinned{until}: {}", pin.reason)
}

/// What was said once and is nowhere any more.
fn purged(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    if item.purged.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for purged in &item.purged {
        let who = if purged.suppressed { " (only people may state it)" } else { "" };
        writeln!(
            out,
            "{}: {}{FAINT}{who}{FAINT:#}",
            escape::line(&purged.attribute),
            change::tombstone(purged)
        )?;
    }
    Ok(())
}

/// Who answers for it, where it does not say so itself.
fn given(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    if item.given.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = Table::new(&["INHERITED", "VALUE", "FROM"]);
    for given in &item.given {
        let from = if given.rule.is_empty() {
            format!("{} ({})", given.service_name, given.service)
        } else {
            format!("the rule in {}", given.rule)
        };
        rows.row([given.attribute.as_str().into(), given.value.as_str().into(), from.into()]);
    }
    rows.write(out)
}

fn relationships(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    if item.relationships.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = Table::new(&["RELATIONSHIP", "", "ITEM", "CLASS", "SOURCES", ""]);
    for relationship in &item.relationships {
        let (arrow, name, id, class) = other_end(item, relationship);
        rows.row([
            relationship.r#type.as_str().into(),
            arrow.into(),
            format!("{name} ({id})").into(),
            class.into(),
            relationship.sources.join(", ").into(),
            Cell::styled(change::marks(relationship).join(", "), FAINT),
        ]);
    }
    rows.write(out)?;
    if item.relationships_omitted > 0 {
        let omitted = words::number(item.relationships_omitted.into());
        writeln!(out, "{WARN}not listed{WARN:#}: {omitted} more relationships, --limit N lists more")?;
    }
    Ok(())
}

/// The end of a relationship that is not `item`, and the arrow that leads from `item`.
fn other_end<'a>(item: &Item, relationship: &'a Relationship) -> (&'static str, &'a str, &'a str, &'a str) {
    if relationship.from == item.id {
        ("→", &relationship.to_name, &relationship.to, &relationship.to_class)
    } else {
        ("←", &relationship.from_name, &relationship.from, &relationship.from_class)
    }
}

fn groups(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    if item.groups.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = Table::new(&["GROUP", "REQUIRES", "OF", "SOURCE", ""]).right(2);
    for group in &item.groups {
        let percent = (group.confidence * 100.0).round();
        let mark = match (group.rejected, group.inferred) {
            (true, _) => "rejected: all are needed".to_owned(),
            (false, true) => format!("inferred, {percent} % sure"),
            (false, false) => String::new(),
        };
        rows.row([
            group.group.as_str().into(),
            group.require.as_str().into(),
            group.members.into(),
            group.source.as_str().into(),
            Cell::styled(mark, FAINT),
        ]);
    }
    rows.write(out)
}

fn write_claim(out: &mut dyn Write, claim: &SourceClaim, now: Timestamp) -> io::Result<()> {
    let (source, key) = (escape::line(&claim.source), escape::line(&claim.key));
    writeln!(out, "\n{HEADING}{source}{HEADING:#} says of {key}:")?;
    let mut facts = Table::new(&["", ""]).indent(2);
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, FAINT), text.into()]);
    if !claim.class.is_empty() {
        fact("class", claim.class.clone());
    }
    if !claim.name.is_empty() {
        fact("name", claim.name.clone());
    }
    if let Some(first) = moment(claim.first_seen_us, now) {
        fact("first seen", first);
    }
    if let Some(observed) = moment(claim.observed_at_us, now) {
        fact("observed", observed);
    }
    if let Some(confirmed) = moment(claim.confirmed_at_us, now) {
        fact("last confirmed", confirmed);
    }
    if let Some(withdrawn) = moment(claim.withdrawn_at_us, now) {
        fact("withdrawn", withdrawn);
    }
    if let Some(identification) = &claim.identification {
        fact("identified", identified(identification));
        if !identification.candidates.is_empty() {
            fact("candidates", identification.candidates.join(", "));
        }
        for skipped in &identification.skipped {
            fact("passed over", skipped.clone());
        }
    }
    for (name, said) in &claim.attributes {
        let counts = if claim.effective.contains(name) { " (counts)" } else { "" };
        let stale = if claim.stale.contains(name) { " (stale)" } else { "" };
        let pin = claim.pins.get(name).map_or_else(String::new, |pin| format!(" ({})", pinned(pin)));
        fact(name, format!("{}{counts}{stale}{pin}", value::text(said)));
    }
    for name in &claim.nulls {
        fact(name, "no value".to_owned());
    }
    facts.write(out)
}

/// How the item was found, in words.
fn identified(identification: &Identification) -> String {
    let values: Vec<String> =
        identification.values.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    let values = if values.is_empty() { identification.rule.join(", ") } else { values.join(", ") };
    match identification.method() {
        Method::Key => "by its key".to_owned(),
        Method::Rule => format!("by {values}"),
        Method::New => "as a new item: nothing matched".to_owned(),
        Method::Named => "by its id".to_owned(),
        Method::Duplicate => format!("not surely: several items have {values}"),
        Method::Clone => format!("as another machine that states the same {values}"),
        Method::Unspecified => "not said".to_owned(),
    }
}

#[cfg(test)]
mod tests;
