//! `cmdb blast-radius`: how many items each item could take with it, redundancy set aside.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Blast, BlastRadiusRequest, BlastRadiusResponse, CriticalityBasis};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use super::long;
use super::walk;
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, NAME, Table};
use crate::output::{Format, escape, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl];

/// Services that say nothing of how critical they are and are written out.
const SERVICES_WRITTEN_MAX: usize = 3;

#[derive(Args, Debug)]
pub struct Arguments {
    /// List at most this many items, the largest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    top: u32,
    /// Count what is more critical for more: an item of criticality 1 for 4, of 2 for 3, of 3 for 2, of 4 for 1
    #[arg(long)]
    weighted: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = BlastRadiusRequest {
        top: arguments.top,
        as_of: arguments.as_of.text(),
        weighted: arguments.weighted,
    };
    let events = session.connect().await?.graph().blast_radius(request).await?.into_inner();
    let answer = long::answer(session, events).await?;
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

fn rows(answer: &BlastRadiusResponse) -> Table {
    let named = |blast: &Blast| {
        let item = blast.item.clone().unwrap_or_default();
        [walk::name_and_status(&item).into(), item.id.into(), item.class.into()]
    };
    if answer.criticality.is_none() {
        let mut rows = Table::new(&["NAME", "ID", "CLASS", "ITEMS"]).right(3);
        for blast in &answer.items {
            let [name, id, class] = named(blast);
            rows.row([name, id, class, blast.items.into()]);
        }
        return rows;
    }
    let mut rows = Table::new(&["NAME", "ID", "CLASS", "WEIGHT", "ITEMS", "OF 1", "OF 2", "OF 3", "OF 4"]);
    rows = (3..9).fold(rows, Table::right);
    for blast in &answer.items {
        let [name, id, class] = named(blast);
        let of = |place: usize| blast.by_criticality.get(place).copied().unwrap_or(0);
        let counts = [of(0), of(1), of(2), of(3)].map(Into::into);
        let [one, two, three, four] = counts;
        rows.row([name, id, class, blast.weight.into(), blast.items.into(), one, two, three, four]);
    }
    rows
}

/// What the weights rest on, a line each.
fn basis(basis: &CriticalityBasis) -> Vec<String> {
    let items = |count| words::count(count, "item", "items");
    let mut lines = vec![format!(
        "of criticality 1 an item counts 4, of 2 it counts 3, of 3 2, of 4 1; {} it, {} it from what needs them",
        words::count(basis.declared, "item declares", "items declare"),
        words::count(basis.inherited, "inherits", "inherit"),
    )];
    if basis.assumed > 0 {
        lines.push(format!("assumed: criticality 1 for {} of which nothing is known", items(basis.assumed)));
    }
    if basis.services_total > 0 {
        let mut named: Vec<String> = basis
            .services
            .iter()
            .take(SERVICES_WRITTEN_MAX)
            .map(|item| walk::name(item).to_owned())
            .collect();
        let more = basis.services_total.saturating_sub(named.len() as u64);
        if more > 0 {
            named.push(format!("{} more", words::number(more)));
        }
        let services = words::count(basis.services_total, "service", "services");
        let names = words::and(named.iter().map(String::as_str));
        lines.push(format!("{services} among them, whose needs inherit it: {names}"));
    }
    if basis.unusable > 0 {
        lines.push(format!(
            "{} another value than 1 to 4, which counts for nothing",
            words::count(basis.unusable, "item has", "items have")
        ));
    }
    lines
}

fn table(out: &mut dyn Write, answer: &BlastRadiusResponse) -> io::Result<()> {
    let mut rows = rows(answer);
    if !rows.is_empty() {
        rows.write(out)?;
        writeln!(out)?;
    }
    let listed = answer.items.len() as u64;
    let total = words::count(answer.total, "item", "items");
    let weighted = if answer.criticality.is_some() { "weighted " } else { "" };
    match answer.total {
        0 => writeln!(out, "{NAME}nothing known depends on anything{NAME:#}")?,
        _ if listed < answer.total => writeln!(
            out,
            "{NAME}the {} with the largest {weighted}blast radius of {total} that others depend on{NAME:#}",
            words::number(listed)
        )?,
        _ => writeln!(out, "{NAME}{total} that others depend on{NAME:#}")?,
    }
    writeln!(out, "{FAINT}redundancy set aside; `cmdb impact ITEM --count` counts with it{FAINT:#}")?;
    for line in answer.criticality.iter().flat_map(basis) {
        writeln!(out, "{FAINT}{}{FAINT:#}", escape::line(&line))?;
    }
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
    if let Some(basis) = &answer.criticality {
        object.field("criticality", basis_json(basis))?;
    }
    object.close()
}

fn blast_json(blast: &Blast) -> Json {
    let mut object = json::graph_item(&blast.item.clone().unwrap_or_default());
    object.insert("blast_radius".into(), blast.items.into());
    if !blast.by_criticality.is_empty() {
        object.insert("weight".into(), blast.weight.into());
        object.insert("by_criticality".into(), blast.by_criticality.clone().into());
    }
    Json::Object(object)
}

fn basis_json(basis: &CriticalityBasis) -> Json {
    json!({
        "declared": basis.declared,
        "inherited": basis.inherited,
        "assumed": basis.assumed,
        "services": basis.services.iter().map(json::graph_item).collect::<Vec<_>>(),
        "services_total": basis.services_total,
        "unusable": basis.unusable,
    })
}

#[cfg(test)]
mod tests;
