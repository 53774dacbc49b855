//! What the answers of the graph have in common: how items are named, and how far the graph is known.

use std::fmt::Write as _;
use std::io;

use cmdb_proto::v1::{Coverage, GraphItem, Via};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::error::CommandError;
use crate::output::json::Object;
use crate::output::table::FAINT;
use crate::output::tree::{self, Reached};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

/// How many items are named in a sentence before they are only counted.
const NAMED_MAX: usize = 3;
/// How many carriers are named in a row of a table; the JSON formats have all that the server names.
const CARRIERS_MAX: usize = 2;

/// `orders-db (@12, database_instance)`.
pub fn title(item: &GraphItem) -> String {
    escape::line(&format!("{} ({}, {})", name(item), item.id, item.class)).into_owned()
}

/// The name, or the key where there is none; with the status where it is not the usual one.
pub fn name_and_status(item: &GraphItem) -> String {
    match item.status.as_str() {
        "" | "active" => name(item).to_owned(),
        status => format!("{} ({status})", name(item)),
    }
}

/// The name, the key or the id: the first that there is.
pub fn name(item: &GraphItem) -> &str {
    [&item.name, &item.key].into_iter().find(|text| !text.is_empty()).unwrap_or(&item.id)
}

/// `web-1 and web-2`, or `5 items`.
pub fn names(items: &[GraphItem]) -> String {
    if items.len() > NAMED_MAX {
        return words::count(items.len() as u64, "item", "items");
    }
    escape::line(&words::and(items.iter().map(name))).into_owned()
}

/// ` while web-2 is down`; nothing where nothing is.
pub fn while_down(down: &[GraphItem]) -> String {
    match down {
        [] => String::new(),
        [one] => format!(" while {} is down", names(std::slice::from_ref(one))),
        all => format!(" while {} are down", names(all)),
    }
}

/// `depends_on orders-db (group db)`.
pub fn carrier(via: &Via) -> String {
    let name = [&via.name, &via.key].into_iter().find(|text| !text.is_empty()).unwrap_or(&via.id);
    let mut carrier = format!("{} {name}", via.r#type);
    if !via.group.is_empty() {
        let _ = write!(carrier, " (group {})", via.group);
    }
    if via.stale {
        carrier.push_str(" (stale)");
    }
    carrier
}

/// The first of the carriers, and how many there are besides.
pub fn listed(carriers: impl ExactSizeIterator<Item = String>) -> String {
    let more = carriers.len().saturating_sub(CARRIERS_MAX);
    let mut listed = carriers.take(CARRIERS_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        let _ = write!(listed, " and {more} more");
    }
    listed
}

/// How long the graph behind the answer has been observed: `observed for 2 h`. Until now, and not until the
/// answer's revision: where nothing changes there is none, and the watching goes on.
pub fn observed(coverage: Option<&Coverage>, now: Timestamp) -> String {
    match coverage.and_then(|coverage| time::between(coverage.observed_since_us, now.as_microsecond())) {
        Some(length) => format!("observed for {length}"),
        None => "not observed yet".to_owned(),
    }
}

/// What the answer cannot know, in one line; for an empty answer without what its sentence says already.
pub fn write_coverage(
    out: &mut dyn io::Write,
    coverage: Option<&Coverage>,
    now: Timestamp,
    answer: Answer,
) -> io::Result<()> {
    let mut parts = match answer {
        Answer::Empty => Vec::new(),
        Answer::Listed => vec![observed(coverage, now)],
    };
    let counted = coverage.copied().unwrap_or_default();
    for (count, one, many) in [
        (counted.hosts_without_agent, "host without an agent", "hosts without an agent"),
        (counted.external_endpoints, "external endpoint", "external endpoints"),
        (counted.stale_relationships, "stale relationship", "stale relationships"),
    ] {
        if count > 0 {
            parts.push(words::count(count, one, many));
        }
    }
    if parts.is_empty() {
        return Ok(());
    }
    writeln!(out, "{FAINT}coverage: {}{FAINT:#}", parts.join(", "))
}

/// Whether a walk reached anything, be it listed or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    Empty,
    Listed,
}

/// How much of the answer is not listed, and why; nothing where it is whole.
pub fn omissions(truncated: bool, hidden: u64, beyond_depth: u64) -> Vec<String> {
    let mut omissions = Vec::new();
    if truncated {
        omissions.push("the list is cut: --limit N lists more, --count only counts".to_owned());
    }
    if beyond_depth > 0 {
        let count = words::count(beyond_depth, "item lies", "items lie");
        omissions.push(format!("{count} beyond --depth"));
    }
    if hidden > 0 {
        omissions.push(format!("{} that you may not see", words::count(hidden, "item", "items")));
    }
    omissions
}

/// `--count` prints no list, so it goes with the formats that have more than one.
pub fn check_count(count: bool, format: Format) -> Result<(), CommandError> {
    if !count || matches!(format, Format::Table | Format::Json) {
        return Ok(());
    }
    Err(CommandError::usage("--count lists nothing")
        .with("expected", "--output table or json with --count")
        .with("given", format!("--output {}", format.name())))
}

/// Says on standard error what a list that stands alone cannot say itself.
pub fn note_omissions(session: &mut Session, omissions: &[String]) {
    for omission in omissions {
        session.messages.note(omission);
    }
}

/// One item that a walk reached, apart from what the one or the other kind of walk says of it.
pub struct Step<'a> {
    pub item: &'a GraphItem,
    pub distance: u32,
    pub via: &'a [Via],
}

/// Prints the walk as a tree below its seeds; `mark` says what stands behind an item's name.
pub fn write_tree<'a>(
    out: &mut dyn io::Write,
    seeds: &[GraphItem],
    steps: impl Iterator<Item = (Step<'a>, String)>,
) -> io::Result<()> {
    let seeds: Vec<_> = seeds.iter().map(|seed| (seed.id.as_str(), title(seed))).collect();
    let reached = steps
        .map(|(step, mark)| Reached {
            id: &step.item.id,
            label: label(&step, &mark),
            from: step.via.iter().map(|via| via.id.as_str()).collect(),
        })
        .collect();
    tree::of_walk(seeds, reached, "reached through items that are not listed").write(out)
}

fn label(step: &Step<'_>, mark: &str) -> String {
    let mut label = title(step.item);
    if let Some(first) = step.via.first() {
        let types: Vec<&str> =
            step.via.iter().filter(|via| via.id == first.id).map(|via| via.r#type.as_str()).collect();
        let _ = write!(label, " {FAINT}{}{FAINT:#}", escape::line(&types.join(", ")));
    }
    if !mark.is_empty() {
        let _ = write!(label, " {mark}");
    }
    let mut others: Vec<&str> = Vec::new();
    for via in step.via.iter().skip(1) {
        if Some(&via.id) != step.via.first().map(|first| &first.id) && !others.contains(&via.name.as_str()) {
            others.push(&via.name);
        }
    }
    if !others.is_empty() {
        let _ = write!(label, " {FAINT}also through {}{FAINT:#}", escape::line(&words::and(others)));
    }
    label
}

/// The fields that every step has in JSON.
pub fn step_json(step: &Step<'_>, between: impl FnOnce(&mut Map<String, Json>)) -> Json {
    let mut object = json::graph_item(step.item);
    between(&mut object);
    object.insert("distance".into(), step.distance.into());
    object.insert("via".into(), step.via.iter().map(json::via).collect());
    Json::Object(object)
}

/// The fields that open every answer.
pub fn open_json(
    object: &mut Object<'_>,
    revision: u64,
    as_of_us: i64,
    seeds: &[GraphItem],
) -> io::Result<()> {
    object.field("revision", revision)?;
    object.field("as_of", time::rfc3339(as_of_us))?;
    object.list("seeds", seeds.iter().map(|seed| Json::Object(json::graph_item(seed))))
}
