//! `cmdb duplicates`: items that may be the same, with what speaks for it and against it.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::duplicate_set::Kind;
use cmdb_proto::v1::{DuplicateSet, DuplicatesRequest, DuplicatesResponse, IdentifierEvidence};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::table::{FAINT, NAME, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
pub struct Arguments {
    /// Only the set that this item stands in
    #[arg(value_name = "ITEM")]
    item: Option<String>,
    /// List at most this many sets [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = DuplicatesRequest {
        item: arguments.item.unwrap_or_default(),
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.as_of.text(),
    };
    let answer = session.connect().await?.identity().duplicates(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&answer))?,
        _ => {
            text(out, &answer)?;
            arguments.as_of.write(out, answer.as_of_revision, answer.as_of_us, session.now)?;
        }
    }
    Ok(())
}

fn kind(set: &DuplicateSet) -> &'static str {
    match set.kind() {
        Kind::Clone => "clone",
        Kind::Duplicate | Kind::Unspecified => "duplicate",
    }
}

fn object(answer: &DuplicatesResponse) -> Json {
    let sets: Vec<Json> = answer
        .sets
        .iter()
        .map(|set| {
            let items: Vec<Json> =
                set.items.iter().map(|item| Json::Object(json::graph_item(item))).collect();
            let evidence: Vec<Json> = set.evidence.iter().map(evidence_object).collect();
            json!({"kind": kind(set), "items": items, "items_total": set.items_total, "evidence": evidence})
        })
        .collect();
    json!({
        "revision": answer.as_of_revision,
        "as_of": time::rfc3339(answer.as_of_us),
        "sets": sets,
        "total": answer.total,
    })
}

/// One rule's identifiers.
pub fn evidence_object(row: &IdentifierEvidence) -> Json {
    let stated: Vec<Json> = row
        .stated
        .iter()
        .map(|stated| {
            let said_by: Vec<Json> =
                stated.said_by.iter().map(|by| json!({"source": by.source, "key": by.key})).collect();
            json!({"item": stated.item, "values": stated.values, "said_by": said_by})
        })
        .collect();
    json!({"attributes": row.attributes, "strong": row.strong, "agrees": row.agrees, "stated": stated})
}

fn text(out: &mut dyn Write, answer: &DuplicatesResponse) -> io::Result<()> {
    if answer.sets.is_empty() {
        return writeln!(out, "no items are taken for duplicates");
    }
    for set in &answer.sets {
        let items: Vec<String> = set
            .items
            .iter()
            .map(|item| format!("{} ({}, {})", escape::line(&item.name), item.id, escape::line(&item.class)))
            .collect();
        writeln!(out, "{NAME}{}{NAME:#}: {}", kind(set), items.join(" · "))?;
        for row in &set.evidence {
            evidence(out, row)?;
        }
    }
    let left = answer.total.saturating_sub(answer.sets.len() as u64);
    if left > 0 {
        writeln!(out, "{WARN}not listed{WARN:#}: {} more sets, --limit N lists more", words::number(left))?;
    }
    Ok(())
}

/// One rule's identifiers: who states which values.
pub fn evidence(out: &mut dyn Write, row: &IdentifierEvidence) -> io::Result<()> {
    let says = if row.agrees { "agree" } else { "differ" };
    let says = if row.stated.len() == 1 && !row.agrees { "" } else { says };
    writeln!(out, "  {} {says}", escape::line(&row.attributes.join(" + ")))?;
    for stated in &row.stated {
        let by: Vec<String> = stated.said_by.iter().map(|by| format!("{}:{}", by.source, by.key)).collect();
        writeln!(
            out,
            "    {} {} {FAINT}{}{FAINT:#}",
            stated.item,
            escape::line(&stated.values.join(" + ")),
            escape::line(&by.join(", "))
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn a_set_shows_who_states_what() {
        let answer =
            DuplicatesResponse { sets: vec![canned::duplicate_set()], total: 3, ..Default::default() };
        let object = object(&answer);
        assert_eq!(object["sets"][0]["kind"], "duplicate");
        assert_eq!(object["sets"][0]["evidence"][0]["stated"][1]["said_by"][0]["source"], "webshop");
        let mut out = Vec::new();
        text(&mut out, &answer).expect("a vector takes everything");
        let out = String::from_utf8(out).expect("text");
        let out = anstream::adapter::strip_str(&out).to_string();
        assert_eq!(
            out,
            "duplicate: orders-db (@2, database_instance) · web-1 (@3, web_server)\n  serial_number agree\n    \
             @2 j6p5nq2 agent.db1:host\n    @3 j6p5nq2 webshop:host\nnot listed: 2 more sets, --limit N lists more\n"
        );
    }
}
