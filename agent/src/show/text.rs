//! A report as a person reads it: section by section, one item after the other.

use std::fmt::Write;

use cmdb_proto::v1;

use super::key_of;
use super::time::rfc3339;
use crate::collector::{Scope, Section};
use crate::scan::Scan;

/// Columns before an attribute's value.
const NAME_WIDTH: usize = 20;
/// Attributes that a line of packages has already.
const PACKAGE_LINE: usize = 3;

/// The report as text.
pub fn text(scan: &Scan) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "observed at {}", rfc3339(scan.observed_at_us));
    if let Some(standing) = &scan.standing {
        let why = if standing.reason.is_empty() { String::new() } else { format!(" ({})", standing.reason) };
        let _ = writeln!(text, "connections by {}{why}", standing.rung);
    }
    for section in &scan.sections {
        show_section(&mut text, section);
    }
    let items: usize = scan.sections.iter().map(|section| section.bodies().len()).sum();
    let relationships: usize =
        scan.sections.iter().flat_map(Section::claims).map(|claim| claim.relationships.len()).sum();
    let incomplete = scan.sections.iter().filter(|section| section.incomplete_reason().is_some()).count();
    let _ =
        writeln!(text, "\n{items} items, {relationships} relationships; {incomplete} sections incomplete");
    text
}

fn show_section(text: &mut String, section: &Section) {
    let _ = writeln!(text, "\n{} ({})", section.scope().as_str(), section.bodies().len());
    if let Some(reason) = section.incomplete_reason() {
        let _ = writeln!(text, "  incomplete: {reason}");
    }
    for claim in section.claims() {
        match section.scope() {
            Scope::Packages => show_package(text, &claim),
            _ => show_claim(text, &claim),
        }
    }
}

/// There are hundreds, and all have the same attributes: one line each.
fn show_package(text: &mut String, claim: &v1::Claim) {
    let attributes = claim.item.as_ref().map(|item| &item.attributes);
    let shown: Vec<String> = ["package", "version", "architecture"]
        .iter()
        .filter_map(|name| Some(show_value(attributes?.get(*name)?)))
        .collect();
    debug_assert!(shown.len() <= PACKAGE_LINE);
    let _ = writeln!(text, "  {}", shown.join(" "));
}

fn show_claim(text: &mut String, claim: &v1::Claim) {
    let Some(item) = &claim.item else { return };
    let _ = writeln!(text, "  {} \"{}\"  [{}]", item.class, item.name, claim.key);
    for (name, value) in &item.attributes {
        let _ = writeln!(text, "    {name:<NAME_WIDTH$} {}", show_value(value));
    }
    for relationship in &claim.relationships {
        let from = key_of(relationship.from.as_ref());
        let to = key_of(relationship.to.as_ref());
        let sure = remarks(relationship);
        let _ = match (from, to) {
            (None, Some(to)) => writeln!(text, "    → {} {to}{sure}", relationship.r#type),
            (Some(from), None) => writeln!(text, "    ← {from} {}{sure}", relationship.r#type),
            _ => continue,
        };
    }
    for group in &claim.redundancies {
        let _ = writeln!(
            text,
            "    group {}: needs {}  (concluded, confidence {}): {}",
            group.group, group.require, group.confidence, group.evidence
        );
    }
}

/// How sure a relationship is, and in which group it stands.
fn remarks(relationship: &v1::RelationshipClaim) -> String {
    let mut remarks = Vec::new();
    if relationship.inferred {
        remarks.push(format!("seen, confidence {}", relationship.confidence));
    }
    if !relationship.group.is_empty() {
        remarks.push(format!("group {}", relationship.group));
    }
    // 0 stands for 1 on the wire.
    if relationship.weight != 0.0 && relationship.weight != 1.0 {
        remarks.push(format!("weight {}", relationship.weight));
    }
    if remarks.is_empty() { String::new() } else { format!("  ({})", remarks.join(", ")) }
}

fn show_value(value: &v1::Value) -> String {
    use v1::value::Kind;
    match &value.kind {
        None => String::new(),
        Some(Kind::Text(text)) => text.clone(),
        Some(Kind::Integer(number)) => number.to_string(),
        Some(Kind::DurationUs(number)) => format!("{number} µs"),
        Some(Kind::Float(number)) => number.to_string(),
        Some(Kind::Boolean(flag)) => (if *flag { "yes" } else { "no" }).to_owned(),
        Some(Kind::TimestampUs(moment)) => rfc3339(*moment),
        Some(Kind::Bytes(bytes)) => format!("{} bytes", bytes.len()),
        Some(Kind::List(list)) => list.values.iter().map(show_value).collect::<Vec<_>>().join(", "),
        Some(Kind::Map(map)) => map
            .values
            .iter()
            .map(|(name, one)| format!("{name}={}", show_value(one)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
