//! `cmdb blast-radius`: how many items each item could take with it, redundancy set aside.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Blast, BlastRadiusRequest, BlastRadiusResponse};
use serde_json::Value as Json;

use super::as_of::AsOf;
use super::walk;
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, NAME, Table};
use crate::output::{Format, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

#[derive(Args, Debug)]
pub struct Arguments {
    /// List at most this many items, the largest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    top: u32,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = BlastRadiusRequest { top: arguments.top, as_of: arguments.as_of.text() };
    let answer = session.connect().await?.graph().blast_radius(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        Format::Jsonl => {
            answer.items.iter().try_for_each(|blast| json::write_line(out, &blast_json(blast)))?
        }
        _ => {
            table(out, &answer)?;
            return Ok(arguments.as_of.write(out, answer.revision, answer.as_of_us, session.now)?);
        }
    }
    arguments.as_of.note(session, answer.revision, answer.as_of_us);
    if let Some(behind) = behind(&answer) {
        session.messages.note(&behind);
    }
    Ok(())
}

/// The figures are of an earlier revision.
fn behind(answer: &BlastRadiusResponse) -> Option<String> {
    answer.refreshing.then(|| {
        format!(
            "exact for revision {}; {} is the newest, and the figures are being made anew",
            answer.revision, answer.head_revision
        )
    })
}

fn table(out: &mut dyn Write, answer: &BlastRadiusResponse) -> io::Result<()> {
    let mut rows = Table::new(&["NAME", "ID", "CLASS", "ITEMS"]).right(3);
    for blast in &answer.items {
        let item = blast.item.clone().unwrap_or_default();
        rows.row([
            walk::name_and_status(&item).into(),
            item.id.into(),
            item.class.into(),
            blast.items.into(),
        ]);
    }
    if !rows.is_empty() {
        rows.write(out)?;
        writeln!(out)?;
    }
    let listed = answer.items.len() as u64;
    let total = words::count(answer.total, "item", "items");
    match answer.total {
        0 => writeln!(out, "{NAME}nothing known depends on anything{NAME:#}")?,
        _ if listed < answer.total => writeln!(
            out,
            "{NAME}the {} with the largest blast radius of {total} that others depend on{NAME:#}",
            words::number(listed)
        )?,
        _ => writeln!(out, "{NAME}{total} that others depend on{NAME:#}")?,
    }
    writeln!(out, "{FAINT}redundancy set aside; `cmdb impact ITEM --count` counts with it{FAINT:#}")?;
    behind(answer).map_or(Ok(()), |behind| writeln!(out, "{FAINT}{behind}{FAINT:#}"))
}

fn object(out: &mut dyn Write, answer: &BlastRadiusResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", crate::time::rfc3339(answer.as_of_us))?;
    object.list("items", answer.items.iter().map(blast_json))?;
    object.field("total", answer.total)?;
    object.field("refreshing", answer.refreshing)?;
    object.field("head_revision", answer.head_revision)?;
    object.field("hidden", answer.hidden)?;
    object.close()
}

fn blast_json(blast: &Blast) -> Json {
    let mut object = json::graph_item(&blast.item.clone().unwrap_or_default());
    object.insert("blast_radius".into(), blast.items.into());
    Json::Object(object)
}

#[cfg(test)]
mod tests;
