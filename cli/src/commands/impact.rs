//! `cmdb impact`: what is reached when items fail, grouped by what becomes of it, with the reason.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{Affected, AssumedGroup, Counts, ImpactRequest, ImpactResponse};
use jiff::Timestamp;
use serde_json::json;

use super::narrow;
use super::question::{self, Classes, Question};
use super::walk::{self, Answer, Step};
use crate::error::CommandError;
use crate::output::dot::{Digraph, Fill};
use crate::output::json::{self, Object};
use crate::output::table::{BAD, FAINT, NAME, Table, WARN};
use crate::output::{Format, escape, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl, Format::Tree, Format::Dot];

/// The states in the order of their weight, as the contract and as a heading names them.
const STATES: [(&str, &str); 3] = [("failed", "fails"), ("degraded", "degraded"), ("at_risk", "at risk")];

#[derive(Args, Debug)]
pub struct Arguments {
    /// The items that fail together
    #[arg(required = true, value_name = "ITEM")]
    items: Vec<String>,
    /// Only count what is reached
    #[arg(long)]
    count: bool,
    /// List only the chain that leads to this item: why it is affected
    #[arg(
        long,
        value_name = "ITEM",
        default_value = "",
        hide_default_value = true,
        conflicts_with_all = ["count", "depth", "limit", "classes"]
    )]
    why: String,
    /// Only what the items do together and none of them does alone
    #[arg(long, conflicts_with = "why")]
    joint: bool,
    /// Take this item to be down already, and tell only what the others do beside that; may be given several times
    #[arg(long, value_name = "ITEM", conflicts_with = "joint")]
    down: Vec<String>,
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
    let request = ImpactRequest {
        items: arguments.items,
        count_only: arguments.count,
        limit: arguments.limit.unwrap_or(0),
        depth: arguments.depth.unwrap_or(0),
        as_of: arguments.question.as_of(),
        why: arguments.why,
        joint: arguments.joint,
        down: arguments.down,
        scenario: arguments.question.scenario(),
        narrow: arguments.question.narrow(),
        classes: arguments.shown.classes,
    };
    let (count_only, question) = (request.count_only, arguments.question);
    let answer = session.connect().await?.graph().impact(request).await?.into_inner();
    print(session, &answer, count_only, &question)?;
    question.note(session, answer.revision)
}

fn print(
    session: &mut Session,
    answer: &ImpactResponse,
    count_only: bool,
    question: &Question,
) -> Result<(), CommandError> {
    let out = session.out.as_mut();
    match session.format {
        Format::Table if answer.why.is_some() => {
            chain(out, answer)?;
            return question.write(session, answer.revision, answer.as_of_us);
        }
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

fn omissions(answer: &ImpactResponse) -> Vec<String> {
    let mut omissions = walk::omissions(answer.truncated, answer.hidden, counts(answer).beyond_depth);
    let (one, many) = ("affected item of another class", "affected items of other classes");
    omissions.extend(question::others(answer.other_classes, one, many));
    omissions
}

fn counts(answer: &ImpactResponse) -> Counts {
    answer.counts.clone().unwrap_or_default()
}

fn table(out: &mut dyn Write, answer: &ImpactResponse, count_only: bool, now: Timestamp) -> io::Result<()> {
    for (state, heading) in STATES {
        let mut rows = Table::new(&["NAME", "ID", "CLASS", "DISTANCE", "WHY"]).indent(2).right(3);
        for affected in answer.affected.iter().filter(|affected| affected.state == state) {
            let item = affected.item.clone().unwrap_or_default();
            rows.row([
                walk::name_and_status(&item).into(),
                item.id.into(),
                item.class.into(),
                affected.distance.into(),
                why(affected).into(),
            ]);
        }
        if !rows.is_empty() {
            let style = if state == "failed" { BAD.bold() } else { WARN.bold() };
            writeln!(out, "{style}{heading}{style:#}")?;
            rows.write(out)?;
            writeln!(out)?;
        }
    }
    if count_only {
        by_class(out, &counts(answer))?;
    }
    writeln!(out, "{NAME}{}{NAME:#}", sentence(answer, now))?;
    for omission in omissions(answer) {
        writeln!(out, "{WARN}not listed{WARN:#}: {omission}")?;
    }
    for assumption in &answer.assumptions {
        writeln!(out, "{FAINT}assumed: {}{FAINT:#}", escape::line(assumption))?;
    }
    if !answer.assumed_groups.is_empty() {
        writeln!(
            out,
            "{FAINT}`cmdb groups confirm ITEM GROUP`, or reject, settles what is assumed{FAINT:#}"
        )?;
    }
    narrow::write(out, answer.over.as_ref())?;
    walk::write_coverage(out, answer.coverage.as_ref(), now, kind(answer))
}

/// The steps from what failed to the item that was asked for.
fn chain(out: &mut dyn Write, answer: &ImpactResponse) -> io::Result<()> {
    let item = answer.why.clone().unwrap_or_default();
    let (name, seeds) = (walk::title(&item), walk::names(&answer.seeds));
    let name = escape::line(&name);
    if answer.seeds.iter().any(|seed| seed.id == item.id) {
        return writeln!(out, "{NAME}{name} is one of those that fail{NAME:#}");
    }
    if answer.affected.is_empty() {
        return writeln!(out, "{NAME}{name} is not affected by {seeds}{NAME:#}");
    }
    for step in &answer.affected {
        let item = step.item.clone().unwrap_or_default();
        let state = STATES.iter().find(|(state, _)| *state == step.state).map_or("", |(_, words)| words);
        writeln!(out, "  {} {state}: {}", escape::line(&walk::title(&item)), why(step))?;
    }
    let steps = words::count(answer.affected.len() as u64, "step", "steps");
    writeln!(out, "\n{NAME}{name}: {steps} from {seeds}{NAME:#}")?;
    for assumption in &answer.assumptions {
        writeln!(out, "{FAINT}assumed: {}{FAINT:#}", escape::line(assumption))?;
    }
    Ok(())
}

fn by_class(out: &mut dyn Write, counts: &Counts) -> io::Result<()> {
    let mut rows = Table::new(&["CLASS", "ITEMS"]).right(1);
    for (class, count) in &counts.by_class {
        rows.row([class.into(), (*count).into()]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    rows.write(out)?;
    writeln!(out)
}

/// Why an item is reached: the server's reason, or what carried it there.
fn why(affected: &Affected) -> String {
    if !affected.reason.is_empty() {
        return affected.reason.clone();
    }
    walk::listed(affected.via.iter().map(walk::carrier))
}

fn kind(answer: &ImpactResponse) -> Answer {
    let counts = counts(answer);
    let listed = counts.failed + counts.degraded + counts.at_risk;
    let reached = listed + counts.beyond_depth + answer.hidden + answer.other_classes;
    if reached == 0 { Answer::Empty } else { Answer::Listed }
}

/// `when storage-1 fails, 12 items fail and 3 are degraded`, or what an empty answer means.
fn sentence(answer: &ImpactResponse, now: Timestamp) -> String {
    let seeds = walk::names(&answer.seeds);
    let counts = counts(answer);
    if kind(answer) == Answer::Empty && answer.joint {
        return format!("{seeds} do nothing together that none of them does alone");
    }
    let down = walk::while_down(&answer.down);
    if kind(answer) == Answer::Empty && !down.is_empty() {
        return format!("nothing more is known to fail with {seeds}{down}");
    }
    if kind(answer) == Answer::Empty {
        return format!(
            "nothing known depends on {seeds}, {}",
            walk::observed(answer.coverage.as_ref(), now)
        );
    }
    let of = question::of_classes(&answer.classes);
    let mut parts = vec![match counts.failed {
        0 => format!("no other item{of} fails"),
        1 => format!("1 item{of} fails"),
        failed => format!("{} items{of} fail", words::number(failed)),
    }];
    for (count, state) in [(counts.degraded, "degraded"), (counts.at_risk, "at risk")] {
        if count > 0 {
            let verb = if count == 1 { "is" } else { "are" };
            parts.push(format!("{} {verb} {state}", words::number(count)));
        }
    }
    let verb = if answer.seeds.len() == 1 { "fails" } else { "fail" };
    if answer.joint {
        let parts = words::and(parts.iter().map(String::as_str));
        return format!("when {seeds} {verb} together, and not when one does: {parts}");
    }
    format!("when {seeds} {verb}{down}, {}", words::and(parts.iter().map(String::as_str)))
}

fn object(out: &mut dyn Write, answer: &ImpactResponse, count_only: bool) -> io::Result<()> {
    let mut object = Object::open(out)?;
    walk::open_json(&mut object, answer.revision, answer.as_of_us, &answer.seeds)?;
    if let Some(why) = &answer.why {
        object.field("why", json::graph_item(why))?;
    }
    if !count_only {
        object.list("affected", answer.affected.iter().map(affected_json))?;
    }
    let counts = counts(answer);
    let mut counted = json!({
        "failed": counts.failed,
        "degraded": counts.degraded,
        "at_risk": counts.at_risk,
        "by_class": counts.by_class,
    });
    if counts.beyond_depth > 0 {
        counted["beyond_depth"] = counts.beyond_depth.into();
    }
    object.field("down", answer.down.iter().map(json::graph_item).collect::<Vec<_>>())?;
    object.field("counts", counted)?;
    if !answer.classes.is_empty() {
        object.field("classes", answer.classes.clone())?;
        object.field("other_classes", answer.other_classes)?;
    }
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("over", narrow::json(answer.over.as_ref()))?;
    object.field("coverage", json::coverage(answer.coverage.as_ref()))?;
    object.field("assumptions", answer.assumptions.clone())?;
    object.list("assumed_groups", answer.assumed_groups.iter().map(assumed_json))?;
    object.close()
}

fn assumed_json(group: &AssumedGroup) -> serde_json::Value {
    json!({
        "item": group.item.as_ref().map(json::graph_item),
        "group": group.group,
        "require": group.require,
        "confidence": group.confidence,
        "evidence": json::or_null(&group.evidence),
    })
}

fn lines(out: &mut dyn Write, answer: &ImpactResponse) -> io::Result<()> {
    answer.affected.iter().try_for_each(|affected| json::write_line(out, &affected_json(affected)))
}

fn affected_json(affected: &Affected) -> serde_json::Value {
    let item = affected.item.clone().unwrap_or_default();
    let step = Step { item: &item, distance: affected.distance, via: &affected.via };
    walk::step_json(&step, |object| {
        object.insert("state".into(), affected.state.as_str().into());
    })
}

fn tree(out: &mut dyn Write, answer: &ImpactResponse) -> io::Result<()> {
    let steps = answer.affected.iter().filter_map(|affected| {
        let item = affected.item.as_ref()?;
        let mark = match affected.state.as_str() {
            "failed" => format!("{BAD}fails{BAD:#}"),
            state => format!("{WARN}{}{WARN:#}", escape::line(&state.replace('_', " "))),
        };
        Some((Step { item, distance: affected.distance, via: &affected.via }, mark))
    });
    walk::write_tree(out, &answer.seeds, steps)
}

fn graph(out: &mut dyn Write, answer: &ImpactResponse) -> io::Result<()> {
    let about = "An arrow points the way the failure travels; dashed: through a redundancy group.";
    let mut graph = Digraph::open(out, about)?;
    for seed in &answer.seeds {
        graph.node(&seed.id, walk::name(seed), &seed.class, Fill::Seed)?;
    }
    for affected in &answer.affected {
        let Some(item) = &affected.item else { continue };
        let fill = match affected.state.as_str() {
            "failed" => Fill::Failed,
            "degraded" => Fill::Degraded,
            _ => Fill::AtRisk,
        };
        graph.node(&item.id, walk::name(item), &item.class, fill)?;
        for via in &affected.via {
            graph.edge(&via.id, &item.id, &via.r#type, &via.group)?;
        }
    }
    graph.close()
}

#[cfg(test)]
mod tests;
