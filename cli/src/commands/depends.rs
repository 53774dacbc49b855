//! `cmdb depends`: everything that items need, directly or through others.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{DependenciesRequest, DependenciesResponse, Dependency};
use jiff::Timestamp;
use serde_json::json;

use super::narrow;
use super::question::{self, Classes, Question};
use super::walk::{self, Answer, Step};
use crate::error::CommandError;
use crate::output::dot::{Digraph, Fill};
use crate::output::json::{self, Object};
use crate::output::table::{GOOD, NAME, Table, WARN};
use crate::output::{Format, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl, Format::Tree, Format::Dot];

#[derive(Args, Debug)]
pub struct Arguments {
    /// The items whose needs are asked for
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
    /// Only count what is needed
    #[arg(long)]
    count: bool,
    /// List only what is at most this many relationships away
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// List at most this many items
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    shown: Classes,
    #[command(flatten)]
    question: Question,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    walk::check_count(arguments.count, session.format)?;
    let request = DependenciesRequest {
        items: arguments.items,
        limit: arguments.limit.unwrap_or(0),
        depth: arguments.depth.unwrap_or(0),
        count_only: arguments.count,
        as_of: arguments.question.as_of(),
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
        classes: arguments.shown.classes,
    };
    let (count_only, question) = (request.count_only, arguments.question);
    let answer = session.connect().await?.graph().dependencies(request).await?.into_inner();
    print(session, &answer, count_only, &question)?;
    question.note(session, answer.revision)
}

fn print(
    session: &mut Session,
    answer: &DependenciesResponse,
    count_only: bool,
    question: &Question,
) -> Result<(), CommandError> {
    let out = session.out.as_mut();
    match session.format {
        Format::Table => {
            table(out, answer, count_only, question.now(answer.as_of_us, session.now))?;
            return question.write(session, answer.revision, answer.as_of_us);
        }
        Format::Json => return Ok(object(out, answer, count_only)?),
        Format::Jsonl => lines(out, answer)?,
        Format::Tree => tree(out, answer)?,
        Format::Dot => graph(out, answer)?,
    }
    question.as_of.note(session, answer.revision, answer.as_of_us);
    walk::note_omissions(session, &omissions(answer));
    narrow::note(session, answer.over.as_ref());
    Ok(())
}

fn omissions(answer: &DependenciesResponse) -> Vec<String> {
    let mut omissions = walk::omissions(answer.truncated, answer.hidden, answer.beyond_depth);
    let (one, many) = ("needed item of another class", "needed items of other classes");
    omissions.extend(question::others(answer.other_classes, one, many));
    omissions
}

fn table(
    out: &mut dyn Write,
    answer: &DependenciesResponse,
    count_only: bool,
    now: Timestamp,
) -> io::Result<()> {
    let mut rows = Table::new(&["NAME", "ID", "CLASS", "DISTANCE", "", "NEEDED BY"]).right(3);
    for dependency in &answer.dependencies {
        let item = dependency.item.clone().unwrap_or_default();
        rows.row([
            walk::name_and_status(&item).into(),
            item.id.into(),
            item.class.into(),
            dependency.distance.into(),
            if dependency.redundant { "redundant" } else { "always" }.into(),
            walk::listed(dependency.via.iter().map(needed_by)).into(),
        ]);
    }
    if count_only {
        let mut rows = Table::new(&["CLASS", "ITEMS"]).right(1);
        for (class, count) in &answer.by_class {
            rows.row([class.into(), (*count).into()]);
        }
        if !rows.is_empty() {
            rows.write(out)?;
            writeln!(out)?;
        }
    } else if !rows.is_empty() {
        rows.write(out)?;
        writeln!(out)?;
    }
    writeln!(out, "{NAME}{}{NAME:#}", sentence(answer, now))?;
    for omission in omissions(answer) {
        writeln!(out, "{WARN}not listed{WARN:#}: {omission}")?;
    }
    narrow::write(out, answer.over.as_ref())?;
    walk::write_coverage(out, answer.coverage.as_ref(), now, kind(answer))
}

/// `app-1 (depends_on, group db)`.
fn needed_by(via: &cmdb_proto::v1::Via) -> String {
    let name = [&via.name, &via.key].into_iter().find(|text| !text.is_empty()).unwrap_or(&via.id);
    let group = if via.group.is_empty() { String::new() } else { format!(", group {}", via.group) };
    let stale = if via.stale { ", stale" } else { "" };
    format!("{name} ({}{group}{stale})", via.r#type)
}

fn kind(answer: &DependenciesResponse) -> Answer {
    let needed = answer.total + answer.hidden + answer.beyond_depth + answer.other_classes;
    if needed == 0 { Answer::Empty } else { Answer::Listed }
}

fn sentence(answer: &DependenciesResponse, now: Timestamp) -> String {
    let seeds = walk::names(&answer.seeds);
    let (needs, is) = if answer.seeds.len() == 1 { ("needs", "is") } else { ("need", "are") };
    if kind(answer) == Answer::Empty {
        let observed = walk::observed(answer.coverage.as_ref(), now);
        return format!("{seeds} {is} not known to need anything, {observed}");
    }
    let redundant = answer.dependencies.iter().filter(|dependency| dependency.redundant).count() as u64;
    let of = question::of_classes(&answer.classes);
    let total = match answer.total {
        0 => format!("no item{of}"),
        total => words::count(total, "item", "items") + &of,
    };
    match redundant {
        0 => format!("{seeds} {needs} {total}"),
        count => format!("{seeds} {needs} {total}, {} of them redundant", words::number(count)),
    }
}

fn object(out: &mut dyn Write, answer: &DependenciesResponse, count_only: bool) -> io::Result<()> {
    let mut object = Object::open(out)?;
    walk::open_json(&mut object, answer.revision, answer.as_of_us, &answer.seeds)?;
    if !count_only {
        object.list("dependencies", answer.dependencies.iter().map(dependency_json))?;
    }
    let mut counted = json!({"total": answer.total, "by_class": answer.by_class});
    if answer.beyond_depth > 0 {
        counted["beyond_depth"] = answer.beyond_depth.into();
    }
    object.field("counts", counted)?;
    if !answer.classes.is_empty() {
        object.field("classes", answer.classes.clone())?;
        object.field("other_classes", answer.other_classes)?;
    }
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.field("coverage", json::coverage(answer.coverage.as_ref()))?;
    object.close()
}

fn lines(out: &mut dyn Write, answer: &DependenciesResponse) -> io::Result<()> {
    answer.dependencies.iter().try_for_each(|dependency| json::write_line(out, &dependency_json(dependency)))
}

fn dependency_json(dependency: &Dependency) -> serde_json::Value {
    let item = dependency.item.clone().unwrap_or_default();
    let step = Step { item: &item, distance: dependency.distance, via: &dependency.via };
    walk::step_json(&step, |object| {
        object.insert("redundant".into(), dependency.redundant.into());
    })
}

fn tree(out: &mut dyn Write, answer: &DependenciesResponse) -> io::Result<()> {
    let steps = answer.dependencies.iter().filter_map(|dependency| {
        let item = dependency.item.as_ref()?;
        let mark = if dependency.redundant { format!("{GOOD}redundant{GOOD:#}") } else { String::new() };
        Some((Step { item, distance: dependency.distance, via: &dependency.via }, mark))
    });
    walk::write_tree(out, &answer.seeds, steps)
}

fn graph(out: &mut dyn Write, answer: &DependenciesResponse) -> io::Result<()> {
    let about = "An arrow points at what is needed; dashed: in a redundancy group.";
    let mut graph = Digraph::open(out, about)?;
    for seed in &answer.seeds {
        graph.node(&seed.id, walk::name(seed), &seed.class, Fill::Seed)?;
    }
    for dependency in &answer.dependencies {
        let Some(item) = &dependency.item else { continue };
        graph.node(&item.id, walk::name(item), &item.class, Fill::None)?;
        for via in &dependency.via {
            graph.edge(&via.id, &item.id, &via.r#type, &via.group)?;
        }
    }
    graph.close()
}

#[cfg(test)]
mod tests;
