//! `cmdb diff`: what differs between two moments, grouped by item, with who changed it and why.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::change::Kind;
use cmdb_proto::v1::{Change, Commit, DiffRequest, DiffResponse, DiffTotals, Difference, Status};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::as_of::shown;
use super::walk;
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{BAD, FAINT, GOOD, NAME, WARN};
use crate::output::{Format, change, escape, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

#[derive(Args, Debug)]
#[command(
    after_help = "A moment is a revision (7), a date or time (2026-11-03 is midnight UTC), or such as \"2 hours ago\".\n\
    Example: cmdb diff --from yesterday --around webshop"
)]
pub struct Arguments {
    /// The earlier moment
    #[arg(long, value_name = "WHEN", default_value = "1 day ago")]
    from: String,
    /// The later moment
    #[arg(long, value_name = "WHEN", default_value = "now")]
    to: String,
    /// Only this item, and what it needs at either moment
    #[arg(long, value_name = "ITEM")]
    around: Option<String>,
    /// Only what it needs over at most this many relationships
    #[arg(long, value_name = "N", requires = "around", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// List at most this many facts
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = DiffRequest {
        from: arguments.from,
        to: arguments.to,
        around: arguments.around.unwrap_or_default(),
        depth: arguments.depth.unwrap_or(0),
        limit: arguments.limit,
    };
    let answer = session.connect().await?.commits().diff(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        Format::Jsonl => {
            let commits = by_revision(&answer);
            for difference in &answer.differences {
                json::write_line(out, &difference_json(difference, &commits))?;
            }
            session.flush()?;
            walk::note_omissions(session, &omissions(&answer));
        }
        _ => table(out, &answer, session.now)?,
    }
    Ok(())
}

fn omissions(answer: &DiffResponse) -> Vec<String> {
    let mut omissions = Vec::new();
    if answer.truncated {
        let differ = differ(&answer.totals.unwrap_or_default());
        let left_out = differ.saturating_sub(answer.differences.len() as u64);
        let count = words::count(left_out, "more fact differs", "more facts differ");
        omissions.push(format!("{count}: --limit N lists more"));
    }
    if answer.hidden > 0 {
        omissions.push(format!("{} that you may not see", words::count(answer.hidden, "fact", "facts")));
    }
    omissions
}

fn differ(totals: &DiffTotals) -> u64 {
    let items = totals.items_added + totals.items_changed + totals.items_removed;
    items + totals.relationships_added + totals.relationships_changed + totals.relationships_removed
}

fn by_revision(answer: &DiffResponse) -> BTreeMap<u64, &Commit> {
    answer.commits.iter().map(|commit| (commit.revision, commit)).collect()
}

fn table(out: &mut dyn Write, answer: &DiffResponse, now: Timestamp) -> io::Result<()> {
    let commits = by_revision(answer);
    for group in groups(answer) {
        write_group(out, &group, &commits, now)?;
        writeln!(out)?;
    }
    let around = match &answer.around {
        Some(item) => format!(
            ", around {}: {} compared",
            walk::title(item),
            words::count(answer.around_items, "item", "items")
        ),
        None => String::new(),
    };
    writeln!(out, "{NAME}{}{around}{NAME:#}", sentence(&answer.totals.unwrap_or_default()))?;
    for omission in omissions(answer) {
        writeln!(out, "{WARN}not listed{WARN:#}: {omission}")?;
    }
    let moment = |revision: u64, us: i64| match revision {
        0 => "before the first commit".to_owned(),
        _ => shown(revision, us, now).trim_start_matches("as of ").to_owned(),
    };
    let from = moment(answer.from_revision, answer.from_us);
    writeln!(out, "{FAINT}from {from}\nto   {}{FAINT:#}", moment(answer.to_revision, answer.to_us))
}

/// `2 items added, 1 changed; 3 relationships removed`.
fn sentence(totals: &DiffTotals) -> String {
    let parts = |one: &str, many: &str, counts: [(u64, &str); 3]| -> Option<String> {
        let said: Vec<_> = counts.into_iter().filter(|(count, _)| *count > 0).collect();
        let (&(first, verb), rest) = said.split_first()?;
        let mut parts = vec![format!("{} {verb}", words::count(first, one, many))];
        parts.extend(rest.iter().map(|(count, verb)| format!("{} {verb}", words::number(*count))));
        Some(parts.join(", "))
    };
    let items =
        [(totals.items_added, "added"), (totals.items_changed, "changed"), (totals.items_removed, "retired")];
    let relationships = [
        (totals.relationships_added, "added"),
        (totals.relationships_changed, "changed"),
        (totals.relationships_removed, "removed"),
    ];
    let said: Vec<String> =
        [parts("item", "items", items), parts("relationship", "relationships", relationships)]
            .into_iter()
            .flatten()
            .collect();
    if said.is_empty() { "nothing differs".to_owned() } else { said.join("; ") }
}

/// What differs on one item: the item itself, and relationships written from it.
struct Group<'a> {
    item: Option<&'a Difference>,
    relationships: Vec<&'a Difference>,
}

/// In the order in which the items first come.
fn groups(answer: &DiffResponse) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for difference in &answer.differences {
        let Some(changed) = &difference.change else { continue };
        let place = *places.entry(&changed.item).or_insert_with(|| {
            groups.push(Group { item: None, relationships: Vec::new() });
            groups.len() - 1
        });
        match changed.relationship {
            Some(_) => groups[place].relationships.push(difference),
            None => groups[place].item = Some(difference),
        }
    }
    groups
}

fn write_group(
    out: &mut dyn Write,
    group: &Group<'_>,
    commits: &BTreeMap<u64, &Commit>,
    now: Timestamp,
) -> io::Result<()> {
    let Some(first) = group.item.or(group.relationships.first().copied()) else { return Ok(()) };
    let Some(changed) = &first.change else { return Ok(()) };
    let name = change::item(changed);
    match group.item {
        None => writeln!(out, "{NAME}{name}{NAME:#}")?,
        Some(difference) => {
            writeln!(out, "{} {NAME}{name}{NAME:#}{}", item_sign(changed), status(changed))?;
            change::write_details(out, changed, 4)?;
            write_commits(out, difference, 4, commits, now)?;
        }
    }
    for difference in &group.relationships {
        let Some(changed) = &difference.change else { continue };
        let Some(relationship) = &changed.relationship else { continue };
        writeln!(out, "  {} {}", relationship_sign(changed.kind()), change::sentence(relationship))?;
        change::write_details(out, changed, 6)?;
        write_commits(out, difference, 6, commits, now)?;
    }
    Ok(())
}

/// What became of an item: it came, it was taken out of use, or something else is said of it.
fn item_sign(changed: &Change) -> String {
    let retired = |status: i32| status == i32::from(Status::Retired);
    if changed.kind() == Kind::ItemCreated {
        format!("{GOOD}+{GOOD:#}")
    } else if retired(changed.status_after) && !retired(changed.status_before) {
        format!("{BAD}-{BAD:#}")
    } else {
        format!("{WARN}~{WARN:#}")
    }
}

fn relationship_sign(kind: Kind) -> String {
    match kind {
        Kind::RelationshipAdded => format!("{GOOD}+{GOOD:#}"),
        Kind::RelationshipRemoved => format!("{BAD}-{BAD:#}"),
        _ => format!("{WARN}~{WARN:#}"),
    }
}

fn status(changed: &Change) -> String {
    let (before, after) = (json::status_name(changed.status_before), json::status_name(changed.status_after));
    if before.is_empty() || before == after { String::new() } else { format!(": {before} → {after}") }
}

/// Who made it so, and why: the newest commit whole, the others by their numbers.
fn write_commits(
    out: &mut dyn Write,
    difference: &Difference,
    indent: usize,
    commits: &BTreeMap<u64, &Commit>,
    now: Timestamp,
) -> io::Result<()> {
    let Some((newest, older)) = difference.revisions.split_first() else { return Ok(()) };
    write!(out, "{:indent$}{FAINT}revision {newest}", "")?;
    if let Some(commit) = commits.get(newest) {
        if let Some(age) = time::ago(commit.recorded_at_us, now) {
            write!(out, ", {age}")?;
        }
        write!(out, ", {}", escape::line(&commit.actor))?;
        if !commit.reason.is_empty() {
            write!(out, ": {}", escape::line(&commit.reason))?;
        }
    }
    if !older.is_empty() {
        let older: Vec<String> = older.iter().map(u64::to_string).collect();
        write!(out, "; before that {}", words::and(older.iter().map(String::as_str)))?;
    }
    writeln!(out, "{FAINT:#}")
}

fn object(out: &mut dyn Write, answer: &DiffResponse) -> io::Result<()> {
    let commits = by_revision(answer);
    let mut object = Object::open(out)?;
    object
        .field("from", json!({"revision": answer.from_revision, "as_of": time::rfc3339(answer.from_us)}))?;
    object.field("to", json!({"revision": answer.to_revision, "as_of": time::rfc3339(answer.to_us)}))?;
    object.field("around", answer.around.as_ref().map(json::graph_item).map(Json::Object))?;
    object.field("around_items", answer.around.as_ref().map(|_| answer.around_items))?;
    object.list(
        "differences",
        answer.differences.iter().map(|difference| difference_json(difference, &commits)),
    )?;
    let totals = answer.totals.unwrap_or_default();
    object.field(
        "totals",
        json!({
            "items": {"added": totals.items_added, "changed": totals.items_changed, "removed": totals.items_removed},
            "relationships": {
                "added": totals.relationships_added,
                "changed": totals.relationships_changed,
                "removed": totals.relationships_removed,
            },
        }),
    )?;
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.close()
}

/// A change, with the commits that made it.
fn difference_json(difference: &Difference, commits: &BTreeMap<u64, &Commit>) -> Json {
    let mut object = difference.change.as_ref().map_or(Json::Null, json::change);
    let made_by = difference.revisions.iter().map(|revision| match commits.get(revision) {
        Some(commit) => json!({
            "revision": revision,
            "recorded_at": time::rfc3339(commit.recorded_at_us),
            "actor": commit.actor,
            "reason": json::or_null(&commit.reason),
        }),
        None => json!({"revision": revision}),
    });
    if let Json::Object(fields) = &mut object {
        fields.insert("commits".to_owned(), made_by.collect());
    }
    object
}

#[cfg(test)]
mod tests;
