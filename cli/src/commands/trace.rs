//! `cmdb trace`: the dependency chains between two items.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Chain, GraphItem, Step, TraceRequest, TraceResponse};
use serde_json::{Value as Json, json};

use super::narrow;
use super::question::{self, Question};
use super::walk;
use crate::error::CommandError;
use crate::output::dot::{Digraph, Fill};
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, NAME, WARN};
use crate::output::{Format, escape, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl, Format::Dot];

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "FROM")]
    from: String,
    #[arg(value_name = "TO")]
    to: String,
    /// List at most this many chains
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    max: u32,
    #[command(flatten)]
    shown: Through,
    #[command(flatten)]
    question: Question,
}

#[derive(Args, Debug)]
struct Through {
    /// List only chains that lead through an item of this class or one below it, the ends aside; may be given several times
    #[arg(id = "classes", long = "class", value_name = "CLASS")]
    classes: Vec<String>,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = TraceRequest {
        from: arguments.from,
        to: arguments.to,
        chains_max: arguments.max,
        as_of: arguments.question.as_of(),
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
        classes: arguments.shown.classes,
    };
    let answer = session.connect().await?.graph().trace(request).await?.into_inner();
    print(session, &answer, &arguments.question)?;
    arguments.question.note(session, answer.revision)
}

fn print(session: &mut Session, answer: &TraceResponse, question: &Question) -> Result<(), CommandError> {
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, answer)?,
        Format::Jsonl => {
            answer.chains.iter().try_for_each(|chain| json::write_line(out, &chain_json(chain)))?
        }
        Format::Dot => graph(out, answer)?,
        Format::Table | Format::Tree => {
            table(out, answer)?;
            return question.write(session, answer.revision, answer.as_of_us);
        }
    }
    question.as_of.note(session, answer.revision, answer.as_of_us);
    walk::note_omissions(session, &omissions(answer));
    narrow::note(session, answer.over.as_ref());
    Ok(())
}

fn omissions(answer: &TraceResponse) -> Vec<String> {
    let mut omissions = Vec::new();
    if answer.truncated {
        let reason = match answer.truncated_reason.as_str() {
            "" => "--max N lists more",
            reason => reason,
        };
        omissions.push(format!("there are more chains: {reason}"));
    }
    let class = question::of_classes(&answer.classes);
    let (one, many) = (format!("chain through no item{class}"), format!("chains through no item{class}"));
    omissions.extend(question::others(answer.other_chains, &one, &many));
    if answer.hidden > 0 {
        omissions.push(format!("{} that you may not see", words::count(answer.hidden, "item", "items")));
    }
    omissions
}

fn table(out: &mut dyn Write, answer: &TraceResponse) -> io::Result<()> {
    let (from, to) = (end(&answer.from), end(&answer.to));
    for (direction, heading) in [
        ("from_needs_to", format!("{} needs {}", walk::title(&from), walk::title(&to))),
        ("to_needs_from", format!("{} needs {}", walk::title(&to), walk::title(&from))),
    ] {
        let chains: Vec<&Chain> = answer.chains.iter().filter(|chain| chain.direction == direction).collect();
        if chains.is_empty() {
            continue;
        }
        writeln!(out, "{NAME}{heading}{NAME:#}")?;
        for (place, chain) in chains.iter().enumerate() {
            writeln!(out, "  {}. {}", place + 1, in_line(chain))?;
        }
        writeln!(out)?;
    }
    match answer.chains.len() as u64 {
        0 if answer.other_chains > 0 => writeln!(
            out,
            "{NAME}no chain between {} and {} leads through an item{}{NAME:#}",
            escape::line(walk::name(&from)),
            escape::line(walk::name(&to)),
            escape::line(&question::of_classes(&answer.classes))
        )?,
        0 => writeln!(
            out,
            "{NAME}no dependency chain is known between {} and {}, in either direction{NAME:#}",
            escape::line(walk::name(&from)),
            escape::line(walk::name(&to))
        )?,
        count => writeln!(out, "{NAME}{}, shortest first{NAME:#}", words::count(count, "chain", "chains"))?,
    }
    for omission in omissions(answer) {
        writeln!(out, "{WARN}not listed{WARN:#}: {}", escape::line(&omission))?;
    }
    narrow::write(out, answer.over.as_ref())
}

fn end(item: &Option<GraphItem>) -> GraphItem {
    item.clone().unwrap_or_default()
}

/// `app-1 ─depends_on→ db-1 ←member_of─ node-2`: the arrow is the relationship's own direction.
fn in_line(chain: &Chain) -> String {
    let mut line = String::new();
    for step in &chain.steps {
        let item = end(&step.item);
        line.push_str(&escape::line(walk::name(&item)));
        if step.r#type.is_empty() {
            continue;
        }
        let group = if step.group.is_empty() { String::new() } else { format!(" ({})", step.group) };
        let name = format!("{}{group}", step.r#type);
        let name = escape::line(&name);
        line.push_str(&if step.forward {
            format!(" {FAINT}─{name}→{FAINT:#} ")
        } else {
            format!(" {FAINT}←{name}─{FAINT:#} ")
        });
    }
    line
}

fn object(out: &mut dyn Write, answer: &TraceResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", time::rfc3339(answer.as_of_us))?;
    object.field("from", json::graph_item(&end(&answer.from)))?;
    object.field("to", json::graph_item(&end(&answer.to)))?;
    object.list("chains", answer.chains.iter().map(chain_json))?;
    if !answer.classes.is_empty() {
        object.field("classes", answer.classes.clone())?;
        object.field("other_chains", answer.other_chains)?;
    }
    object.field("truncated", answer.truncated)?;
    object.field("truncated_reason", json::or_null(&answer.truncated_reason))?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.close()
}

fn chain_json(chain: &Chain) -> Json {
    json!({"direction": chain.direction, "steps": chain.steps.iter().map(step_json).collect::<Vec<_>>()})
}

fn step_json(step: &Step) -> Json {
    let mut object = json::graph_item(&end(&step.item));
    object.insert("type".into(), json::or_null(&step.r#type));
    object.insert("group".into(), json::or_null(&step.group));
    object.insert("forward".into(), step.forward.into());
    object.insert("stale".into(), step.stale.into());
    Json::Object(object)
}

fn graph(out: &mut dyn Write, answer: &TraceResponse) -> io::Result<()> {
    let mut graph = Digraph::open(out, "Arrows are relationships, from source to target.")?;
    let ends = [end(&answer.from).id, end(&answer.to).id];
    let mut drawn = std::collections::BTreeSet::new();
    for step in answer.chains.iter().flat_map(|chain| &chain.steps) {
        let item = end(&step.item);
        if drawn.insert((item.id.clone(), String::new(), String::new())) {
            let fill = if ends.contains(&item.id) { Fill::Seed } else { Fill::None };
            graph.node(&item.id, walk::name(&item), &item.class, fill)?;
        }
    }
    for steps in answer.chains.iter().flat_map(|chain| chain.steps.windows(2)) {
        let [step, next] = steps else { continue };
        let (this, next) = (end(&step.item).id, end(&next.item).id);
        let (source, target) = if step.forward { (this, next) } else { (next, this) };
        if drawn.insert((source.clone(), target.clone(), step.r#type.clone())) {
            graph.edge(&source, &target, &step.r#type, &step.group)?;
        }
    }
    graph.close()
}

#[cfg(test)]
mod tests;
