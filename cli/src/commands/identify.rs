//! `cmdb identify`: what would become of each claim of a report. Nothing is written.
//!
//! A report is what `cmdb-agent --once --print --output json` prints. What a claim means, and whether it is right, is
//! for the server to say.

mod report;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use clap::Args;
use cmdb_proto::v1::decision::Outcome;
use cmdb_proto::v1::identification::Method;
use cmdb_proto::v1::{Decision, GraphItem, IdentifyRequest, IdentifyResponse};
use serde_json::{Value as Json, json};

use super::explain;
use crate::error::CommandError;
use crate::output::table::{FAINT, NAME, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

/// The longest report that is read, in bytes.
const REPORT_BYTES_MAX: u64 = 64 << 20;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cmdb-agent --once --print --output json > report.json\n  \
    cmdb identify --file report.json\n  cmdb identify --file report.json --source agent-0b6f3c1e5a0e")]
pub struct Arguments {
    /// The report, as `cmdb-agent --once --print --output json` prints it; - is standard input
    #[arg(long, value_name = "FILE")]
    file: String,
    /// Whose report it is: keys of this source are known [default: a source that nobody has heard of]
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let text = read(&arguments.file)?;
    let sections = report::sections(&text).map_err(|wrong| wrong.in_file(&arguments.file))?;
    let request = IdentifyRequest { source: arguments.source.unwrap_or_default(), sections };
    let answer = session.connect().await?.identity().identify(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &object(&answer))?,
        _ => table(out, &answer)?,
    }
    Ok(())
}

fn read(file: &str) -> Result<String, CommandError> {
    let path = std::path::Path::new(file);
    let mut text = String::new();
    let read = match file {
        "-" => io::stdin().take(REPORT_BYTES_MAX + 1).read_to_string(&mut text),
        _ => std::fs::File::open(path)
            .and_then(|opened| opened.take(REPORT_BYTES_MAX + 1).read_to_string(&mut text)),
    };
    let bytes = read.map_err(|error| CommandError::file("reading", path, &error))?;
    if bytes as u64 > REPORT_BYTES_MAX {
        return Err(CommandError::usage("the report is too long")
            .with("file", file)
            .with("expected", format!("at most {}", words::bytes(REPORT_BYTES_MAX))));
    }
    Ok(text)
}

/// What would happen, in a word.
fn would(decision: &Decision) -> &'static str {
    let method = decision.identification.as_ref().map(|found| found.method());
    match (decision.outcome(), method) {
        (Outcome::Refused, _) => "refuse",
        (Outcome::Waits, _) => "wait",
        (_, Some(Method::Duplicate)) => "duplicate",
        (_, Some(Method::Clone)) => "clone",
        (Outcome::Created, _) => "create",
        (Outcome::Updated, _) => "update",
        (Outcome::Unchanged | Outcome::Unspecified, _) => "unchanged",
    }
}

fn object(answer: &IdentifyResponse) -> Json {
    let items: Vec<Json> = answer.items.iter().map(|item| Json::Object(json::graph_item(item))).collect();
    let claims: Vec<Json> = answer
        .decisions
        .iter()
        .map(|decision| {
            json!({
                "key": decision.key,
                "would": would(decision),
                "item": (!decision.item.is_empty()).then_some(&decision.item),
                "identification": decision.identification.as_ref().map(json::identification),
                "problem": decision.problem.as_ref().map(|problem| &problem.message),
                "notes": decision.notes,
            })
        })
        .collect();
    json!({"revision": answer.revision, "claims": claims, "items": items})
}

fn table(out: &mut dyn Write, answer: &IdentifyResponse) -> io::Result<()> {
    let names: BTreeMap<&str, &GraphItem> =
        answer.items.iter().map(|item| (item.id.as_str(), item)).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for decision in &answer.decisions {
        let would = would(decision);
        *counts.entry(would).or_default() += 1;
        let item = match names.get(decision.item.as_str()) {
            Some(item) => {
                format!(" {} ({}, {})", escape::line(&item.name), item.id, escape::line(&item.class))
            }
            None => String::new(),
        };
        writeln!(out, "{NAME}{}{NAME:#}: {would}{item}", escape::line(&decision.key))?;
        if let Some(identification) = &decision.identification {
            explain::identified(out, identification)?;
        }
        if let Some(problem) = &decision.problem {
            writeln!(out, "    {WARN}{}{WARN:#}", escape::line(&problem.message))?;
        }
        for note in &decision.notes {
            writeln!(out, "    {FAINT}{}{FAINT:#}", escape::line(note))?;
        }
    }
    let counts: Vec<String> =
        counts.iter().map(|(would, count)| format!("{} {would}", words::number(*count))).collect();
    let all = if counts.is_empty() { "no claims".to_owned() } else { counts.join(", ") };
    writeln!(out, "{all}; nothing was written (revision {})", answer.revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned;

    #[test]
    fn each_claim_says_what_would_happen_and_why() {
        let mut out = Vec::new();
        table(&mut out, &canned::identified()).expect("a vector takes everything");
        let out = String::from_utf8(out).expect("text");
        let out = anstream::adapter::strip_str(&out).to_string();
        assert_eq!(
            out,
            "os: clone\n    clone by machine_id 0a1b, candidates @2\n      \
             @2 is another machine with the same identifier: what it runs on differ\n\
             machine: update web-1 (@3, web_server)\n    rule by serial_number j6p5nq2, candidates @3\n\
             db: wait\n    waits: db is said to be within \"host\", which nobody names\n\
             1 clone, 1 update, 1 wait; nothing was written (revision 42)\n"
        );
        let object = object(&canned::identified());
        assert_eq!(object["claims"][0]["would"], "clone");
        assert_eq!(object["claims"][1]["item"], "@3");
        assert_eq!(object["claims"][2]["item"], Json::Null);
    }
}
