//! `cmdb rules test`: what rules that are not in force would change of what is stored.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use cmdb_proto::v1::{
    RulesChange, RulesFile, RulesIdentifier, RulesPart, TestRulesRequest, TestRulesResponse, Value,
};
use serde_json::{Value as Json, json};

use crate::error::CommandError;
use crate::output::table::{FAINT, HEADING, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::value;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  cmdb rules test order.toml\n\n\
    A file takes the place of the server's file of the same name, or is read after all others. To switch the rules on, \
    put it into the server's --schema directory and start the server anew.")]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Try files of rules on what is stored; nothing is written
    Test {
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// List at most this many of each kind [default: 100]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        limit: Option<u32>,
    },
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let What::Test { files, limit } = arguments.what;
    let files = files
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).map_err(|error| CommandError::file("read", path, &error))?;
            Ok(RulesFile { name: path.display().to_string(), text })
        })
        .collect::<Result<Vec<_>, CommandError>>()?;
    let request = TestRulesRequest { files, limit: limit.unwrap_or(0) };
    let answer = session.connect().await?.schema().test_rules(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&answer))?,
        _ => text(out, &answer)?,
    }
    Ok(())
}

fn object(answer: &TestRulesResponse) -> Json {
    let changes: Vec<Json> = answer
        .changes
        .iter()
        .map(|change| {
            json!({
                "item": change.item, "name": change.name, "attribute": change.attribute,
                "before": change.before.as_ref().map(value::json), "source_before": change.source_before,
                "after": change.after.as_ref().map(value::json), "source_after": change.source_after,
            })
        })
        .collect();
    let refused: Vec<Json> = answer
        .refused
        .iter()
        .map(|refusal| {
            let problem = refusal.problem.clone().unwrap_or_default();
            json!({
                "item": refusal.item, "name": refusal.name, "reason": problem.reason,
                "message": problem.message, "thing": problem.thing,
            })
        })
        .collect();
    let split: Vec<Json> = answer
        .split
        .iter()
        .map(|split| {
            let parts: Vec<&[String]> = split.parts.iter().map(|part| part.claims.as_slice()).collect();
            json!({ "item": split.item, "name": split.name, "parts": parts })
        })
        .collect();
    let identifiers = |listed: &[RulesIdentifier]| -> Vec<Json> { listed.iter().map(identifier).collect() };
    json!({
        "revision": answer.revision,
        "files": answer.files,
        "items": answer.items,
        "items_changed": answer.items_changed,
        "changes": changes,
        "changes_total": answer.changes_total,
        "refused": refused,
        "refused_total": answer.refused_total,
        "shared": identifiers(&answer.shared),
        "shared_total": answer.shared_total,
        "parted": identifiers(&answer.parted),
        "parted_total": answer.parted_total,
        "relationships": answer.relationships,
        "relationships_changed": answer.relationships_changed,
        "split": split,
        "split_total": answer.split_total,
    })
}

fn identifier(shared: &RulesIdentifier) -> Json {
    json!({
        "attributes": shared.attributes, "values": shared.values, "strong": shared.strong,
        "items": shared.items, "items_total": shared.items_total, "kept_apart": shared.kept_apart,
    })
}

fn text(out: &mut dyn Write, answer: &TestRulesResponse) -> io::Result<()> {
    if answer.changes_total > 0 {
        writeln!(out, "{HEADING}VALUES THAT WOULD CHANGE{HEADING:#}")?;
        for change in &answer.changes {
            let before = side(change.before.as_ref(), &change.source_before);
            let after = side(change.after.as_ref(), &change.source_after);
            writeln!(out, "  {} {} → {}", thing(change), before, after)?;
        }
        left(out, answer.changes_total, answer.changes.len())?;
    }
    if answer.refused_total > 0 {
        writeln!(out, "{HEADING}WOULD NOT BE TAKEN AGAIN{HEADING:#}")?;
        for refusal in &answer.refused {
            let problem = refusal.problem.clone().unwrap_or_default();
            let (name, message) = (escape::line(&refusal.name), escape::line(&problem.message));
            writeln!(
                out,
                "  {name} ({}): {message} {FAINT}{}{FAINT:#}",
                refusal.item,
                escape::line(&problem.thing)
            )?;
        }
        left(out, answer.refused_total, answer.refused.len())?;
    }
    for (heading, listed, total) in [
        ("ONE IDENTIFIER, SEVERAL ITEMS: WOULD BE DUPLICATES", &answer.shared, answer.shared_total),
        ("ONE IDENTIFIER NOW, NO LONGER THEN", &answer.parted, answer.parted_total),
    ] {
        if total > 0 {
            writeln!(out, "{HEADING}{heading}{HEADING:#}")?;
            listed.iter().try_for_each(|shared| identifier_line(out, shared))?;
            left(out, total, listed.len())?;
        }
    }
    if answer.split_total > 0 {
        writeln!(out, "{HEADING}CLAIMS OF ONE ITEM THAT WOULD NOT MEET AGAIN{HEADING:#}")?;
        for split in &answer.split {
            let part = |part: &RulesPart| escape::line(&part.claims.join(", ")).to_string();
            let parts = split.parts.iter().map(part).collect::<Vec<_>>().join(" | ");
            writeln!(out, "  {} ({}): {parts}", escape::line(&split.name), split.item)?;
        }
        left(out, answer.split_total, answer.split.len())?;
    }
    writeln!(
        out,
        "{} of {} items would change in {}; {} of {} relationships would be decided by another source",
        words::number(answer.items_changed),
        words::number(answer.items),
        words::count(answer.changes_total, "value", "values"),
        words::number(answer.relationships_changed),
        words::number(answer.relationships),
    )?;
    writeln!(
        out,
        "{FAINT}tried at revision {}: {}{FAINT:#}",
        answer.revision,
        escape::line(&answer.files.join(", "))
    )
}

fn thing(change: &RulesChange) -> String {
    format!("{} ({}) {}:", escape::line(&change.name), change.item, escape::line(&change.attribute))
}

fn side(value: Option<&Value>, source: &str) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let said = value::text(value);
    let said = escape::line(&said);
    if source.is_empty() { said.to_string() } else { format!("{said} ({})", escape::line(source)) }
}

fn identifier_line(out: &mut dyn Write, shared: &RulesIdentifier) -> io::Result<()> {
    let (attributes, values) = (shared.attributes.join(" + "), shared.values.join(" + "));
    let more = shared.items_total.saturating_sub(shared.items.len() as u64);
    let more = if more == 0 { String::new() } else { format!(" and {} more", words::number(more)) };
    let apart = if shared.kept_apart { ", told apart all the same" } else { "" };
    let strength = if shared.strong { "strong" } else { "weak" };
    writeln!(
        out,
        "  {} {} ({strength}{apart}): {}{more}",
        escape::line(&attributes),
        escape::line(&values),
        shared.items.join(", ")
    )
}

fn left(out: &mut dyn Write, total: u64, listed: usize) -> io::Result<()> {
    let left = total.saturating_sub(listed as u64);
    if left == 0 {
        return Ok(());
    }
    writeln!(out, "  {WARN}not listed{WARN:#}: {} more, --limit N lists more", words::number(left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn what_would_change_is_told_with_who_says_it_and_what_is_not_listed() {
        let answer = canned::tested_rules();
        assert_eq!(object(&answer)["changes"][0]["source_after"], "webshop");
        let mut out = Vec::new();
        text(&mut out, &answer).expect("a vector takes everything");
        let out = anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string();
        for expected in [
            "orders-db (@2) version: 15.4 (agent.db1) → 15.5 (webshop)",
            "not listed: 41 more",
            "serial_number j6p5nq2 (strong): @2, @3",
            "1 of 1,000,000 items would change in 42 values",
            "web-1 (@7): agent.web1:host, webshop:web-1 | cloud:i-0a",
        ] {
            assert!(out.contains(expected), "{expected}\n{out}");
        }
    }
}
