//! Changes and commits as lines for people: shared by `history`, `watch` and the corrections.

use std::io::{self, Write};

use cmdb_proto::v1::change::Kind;
use cmdb_proto::v1::{AttributeChange, Change, Commit, Purged, Relationship, Value};
use jiff::Timestamp;

use crate::output::table::{BAD, FAINT, GOOD, NAME, WARN};
use crate::output::{escape, json, words};
use crate::{time, value};

/// The first line of a commit: which revision, when, who, why.
pub fn headline(out: &mut dyn Write, commit: &Commit, now: Timestamp) -> io::Result<()> {
    write!(out, "{NAME}revision {}{NAME:#}", commit.revision)?;
    if let Some(moment) = time::for_people(commit.recorded_at_us) {
        write!(out, "  {moment}")?;
    }
    if let Some(age) = time::ago(commit.recorded_at_us, now) {
        write!(out, " {FAINT}({age}){FAINT:#}")?;
    }
    write!(out, "  {}", escape::line(&commit.actor))?;
    if !commit.reason.is_empty() {
        write!(out, ": {}", escape::line(&commit.reason))?;
    }
    Ok(())
}

/// `2 items created, 1 updated, 3 relationships added`, of the changes that are listed.
pub fn summary(changes: &[Change]) -> String {
    let mut counts = [0u64; 6];
    for change in changes {
        if let Some(place) = place(change.kind()) {
            counts[place] += 1;
        }
    }
    const WORDS: [(&str, &str, &str); 6] = [
        ("item", "items", "created"),
        ("item", "items", "updated"),
        ("item", "items", "with a new status"),
        ("relationship", "relationships", "added"),
        ("relationship", "relationships", "updated"),
        ("relationship", "relationships", "removed"),
    ];
    let parts: Vec<String> = counts
        .iter()
        .zip(WORDS)
        .filter(|(count, _)| **count > 0)
        .map(|(count, (one, many, verb))| format!("{} {verb}", words::count(*count, one, many)))
        .collect();
    if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
}

fn place(kind: Kind) -> Option<usize> {
    match kind {
        Kind::Unspecified => None,
        Kind::ItemCreated => Some(0),
        Kind::ItemUpdated => Some(1),
        Kind::ItemStatus => Some(2),
        Kind::RelationshipAdded => Some(3),
        Kind::RelationshipUpdated => Some(4),
        Kind::RelationshipRemoved => Some(5),
    }
}

/// Every listed change, indented, and how many there are besides.
pub fn write_all(out: &mut dyn Write, changes: &[Change], total: u64) -> io::Result<()> {
    for change in changes {
        write_one(out, change)?;
    }
    let beside = total.saturating_sub(changes.len() as u64);
    if beside > 0 {
        writeln!(out, "  {FAINT}… and {}{FAINT:#}", words::count(beside, "more change", "more changes"))?;
    }
    Ok(())
}

fn write_one(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    let item = item(change);
    match change.kind() {
        Kind::ItemCreated => writeln!(out, "  {GOOD}+{GOOD:#} {item}")?,
        Kind::ItemUpdated | Kind::Unspecified => writeln!(out, "  {WARN}~{WARN:#} {item}")?,
        Kind::ItemStatus => {
            let before = json::status_name(change.status_before);
            let after = json::status_name(change.status_after);
            writeln!(out, "  {WARN}~{WARN:#} {item}: {before} → {after}")?;
        }
        Kind::RelationshipAdded => relationship(out, &format!("{GOOD}+{GOOD:#}"), change)?,
        Kind::RelationshipUpdated => relationship(out, &format!("{WARN}~{WARN:#}"), change)?,
        Kind::RelationshipRemoved => relationship(out, &format!("{BAD}-{BAD:#}"), change)?,
    }
    write_details(out, change, 6)
}

/// The attributes that changed, before and after, and what else there is to say; a line each.
pub fn write_details(out: &mut dyn Write, change: &Change, indent: usize) -> io::Result<()> {
    for changed in &change.attributes {
        writeln!(out, "{:indent$}{}", "", attribute(changed))?;
    }
    for purged in &change.purged {
        writeln!(
            out,
            "{:indent$}{}: {FAINT}{}{FAINT:#}",
            "",
            escape::line(&purged.attribute),
            tombstone(purged)
        )?;
    }
    for note in &change.notes {
        writeln!(out, "{:indent$}{FAINT}{}{FAINT:#}", "", escape::line(note))?;
    }
    Ok(())
}

/// `purged by ann, 2026-11-22 10:00:00Z: a password`.
pub fn tombstone(purged: &Purged) -> String {
    let at = time::for_people(purged.at_us).unwrap_or_default();
    escape::line(&format!("purged by {}, {at}: {}", purged.by, purged.reason)).into_owned()
}

/// `orders-db (@2, database_instance)`.
pub fn item(change: &Change) -> String {
    format!(
        "{} ({}, {})",
        escape::line(&change.item_name),
        escape::line(&change.item),
        escape::line(&change.item_class)
    )
}

fn relationship(out: &mut dyn Write, sign: &str, change: &Change) -> io::Result<()> {
    match &change.relationship {
        Some(relationship) => writeln!(out, "  {sign} {}", sentence(relationship)),
        None => writeln!(out, "  {sign} {}: a relationship", item(change)),
    }
}

/// `app-1 (@1) depends_on db-1 (@2), group db, denied`.
pub fn sentence(relationship: &Relationship) -> String {
    let end = |name: &str, id: &str| {
        if name.is_empty() { id.to_owned() } else { format!("{name} ({id})") }
    };
    let mut sentence = format!(
        "{} {} {}",
        end(&relationship.from_name, &relationship.from),
        relationship.r#type,
        end(&relationship.to_name, &relationship.to)
    );
    for mark in marks(relationship) {
        sentence.push_str(", ");
        sentence.push_str(&mark);
    }
    escape::line(&sentence).into_owned()
}

/// What deserves attention on a relationship, in a few words each.
pub fn marks(relationship: &Relationship) -> Vec<String> {
    let mut marks = Vec::new();
    if !relationship.group.is_empty() {
        marks.push(format!("group {}", relationship.group));
    }
    #[allow(clippy::float_cmp, reason = "1 and 0 are what is not said, exactly")]
    let is_weighted = relationship.weight != 0.0 && relationship.weight != 1.0;
    if is_weighted {
        marks.push(format!("weight {}", relationship.weight));
    }
    if relationship.denied {
        marks.push("denied".to_owned());
    }
    if relationship.inferred {
        let percent = (relationship.confidence * 100.0).round();
        marks.push(if percent > 0.0 { format!("inferred, {percent} % sure") } else { "inferred".to_owned() });
    }
    if relationship.stale {
        marks.push("stale".to_owned());
    }
    match json::status_name(relationship.status) {
        "" | "active" => {}
        status => marks.push(status.to_owned()),
    }
    marks
}

fn attribute(change: &AttributeChange) -> String {
    let side = |value: &Option<Value>| value.as_ref().filter(|value| value.kind.is_some()).map(value::text);
    let values = match (side(&change.before), side(&change.after)) {
        (None, after) => after.unwrap_or_else(|| "nothing".to_owned()),
        (Some(before), after) => format!("{before} → {}", after.as_deref().unwrap_or("nothing")),
    };
    let line = format!("{}: {values}", change.name);
    let source = if change.source.is_empty() {
        String::new()
    } else {
        format!(" {FAINT}({}){FAINT:#}", escape::line(&change.source))
    };
    escape::line(&line).into_owned() + &source
}
