//! `cmdb neighbours`: what is related to an item, in both directions, up to a depth.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use cmdb_proto::v1::{Edge, GraphItem, NeighboursRequest, NeighboursResponse};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use super::narrow::MinConfidence;
use super::question;
use super::walk;
use crate::error::CommandError;
use crate::output::dot::{Digraph, Fill};
use crate::output::json::{self, Object};
use crate::output::table::{FAINT, NAME, Table, WARN};
use crate::output::tree::Tree;
use crate::output::{Format, escape, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl, Format::Tree, Format::Dot];

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "ITEM")]
    item: String,
    /// Relationships away at most
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10))]
    depth: u32,
    /// Only relationships of this type; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    #[command(flatten)]
    confidence: MinConfidence,
    /// List only relationships with an item of this class or one below it; others are gone over all the same. May be given
    /// several times
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Only relationships that go out of the item, or come in to it
    #[arg(long, value_enum, default_value = "both")]
    direction: Direction,
    /// List at most this many relationships
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    as_of: AsOf,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Direction {
    Out,
    In,
    Both,
}

impl Direction {
    fn name(self) -> &'static str {
        match self {
            Direction::Out => "out",
            Direction::In => "in",
            Direction::Both => "both",
        }
    }
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let request = NeighboursRequest {
        item: arguments.item,
        depth: arguments.depth,
        types: arguments.types,
        min_confidence: arguments.confidence.number(),
        direction: arguments.direction.name().to_owned(),
        limit: arguments.limit.unwrap_or(0),
        as_of: arguments.as_of.text(),
        classes: arguments.classes,
    };
    let answer = session.connect().await?.graph().neighbours(request).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Table => {
            table(out, &answer)?;
            return Ok(arguments.as_of.write(out, answer.revision, answer.as_of_us, session.now)?);
        }
        Format::Json => return Ok(object(out, &answer)?),
        Format::Jsonl => answer.edges.iter().try_for_each(|edge| json::write_line(out, &edge_json(edge)))?,
        Format::Tree => tree(out, &answer)?,
        Format::Dot => graph(out, &answer)?,
    }
    arguments.as_of.note(session, answer.revision, answer.as_of_us);
    walk::note_omissions(session, &omissions(&answer));
    Ok(())
}

fn omissions(answer: &NeighboursResponse) -> Vec<String> {
    let mut omissions = Vec::new();
    if answer.truncated {
        omissions.push("the list is cut: --limit N lists more".to_owned());
    }
    if answer.left_out > 0 {
        let count = words::count(answer.left_out, "relationship is", "relationships are");
        omissions.push(format!("{count} less sure than --min-confidence"));
    }
    let (one, many) =
        ("relationship with no item of these classes", "relationships with no item of these classes");
    omissions.extend(question::others(answer.other_relationships, one, many));
    if answer.hidden > 0 {
        omissions.push(format!("{} that you may not see", words::count(answer.hidden, "item", "items")));
    }
    omissions
}

/// The items of the answer by id, the one that was asked for included.
fn by_id(answer: &NeighboursResponse) -> HashMap<&str, &GraphItem> {
    answer.item.iter().chain(&answer.items).map(|item| (item.id.as_str(), item)).collect()
}

/// A person's name for an end of a relationship.
fn end(items: &HashMap<&str, &GraphItem>, id: &str) -> String {
    items.get(id).map_or_else(|| id.to_owned(), |item| format!("{} ({id})", walk::name_and_status(item)))
}

fn table(out: &mut dyn Write, answer: &NeighboursResponse) -> io::Result<()> {
    let items = by_id(answer);
    let mut rows = Table::new(&["FROM", "TYPE", "TO", "GROUP", "STATUS"]);
    for edge in &answer.edges {
        rows.row([
            end(&items, &edge.from).into(),
            edge.r#type.as_str().into(),
            end(&items, &edge.to).into(),
            edge.group.as_str().into(),
            status(edge).into(),
        ]);
    }
    if !rows.is_empty() {
        rows.write(out)?;
        writeln!(out)?;
    }
    let edges = words::count(answer.edges.len() as u64, "relationship", "relationships");
    let others = words::count(
        answer.items.iter().filter(|item| !is_asked(answer, item)).count() as u64,
        "item",
        "items",
    );
    let name = answer.item.as_ref().map(walk::title).unwrap_or_default();
    match answer.edges.len() {
        0 if answer.other_relationships > 0 => {
            let of = question::of_classes(&answer.classes);
            writeln!(
                out,
                "{NAME}no relationship with an item{} is known around {name}{NAME:#}",
                escape::line(&of)
            )?;
        }
        0 => writeln!(out, "{NAME}no relationship of {name} is known{NAME:#}")?,
        _ => writeln!(out, "{NAME}{edges} to {others} around {name}{NAME:#}")?,
    }
    for omission in omissions(answer) {
        writeln!(out, "{WARN}not listed{WARN:#}: {omission}")?;
    }
    Ok(())
}

fn status(edge: &Edge) -> String {
    let sure = (edge.confidence * 100.0).round();
    let sure = if sure > 0.0 && sure < 100.0 { format!(", {sure} % sure") } else { String::new() };
    format!("{}{}{sure}", edge.status, if edge.stale { ", stale" } else { "" })
}

fn is_asked(answer: &NeighboursResponse, item: &GraphItem) -> bool {
    answer.item.as_ref().is_some_and(|asked| asked.id == item.id)
}

fn object(out: &mut dyn Write, answer: &NeighboursResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", time::rfc3339(answer.as_of_us))?;
    object.field("item", answer.item.as_ref().map(json::graph_item).map(Json::Object))?;
    object.list("items", answer.items.iter().map(|item| Json::Object(json::graph_item(item))))?;
    object.list("relationships", answer.edges.iter().map(edge_json))?;
    object.field("truncated", answer.truncated)?;
    object.field("hidden", answer.hidden)?;
    object.field("left_out", answer.left_out)?;
    if !answer.classes.is_empty() {
        object.field("classes", answer.classes.clone())?;
        object.field("other_relationships", answer.other_relationships)?;
    }
    object.close()
}

fn edge_json(edge: &Edge) -> Json {
    json!({
        "from": edge.from,
        "type": edge.r#type,
        "to": edge.to,
        "group": json::or_null(&edge.group),
        "status": json::or_null(&edge.status),
        "stale": edge.stale,
        "confidence": edge.confidence,
    })
}

/// Walks breadth first, so that each item hangs at its distance from the item that was asked for. What is reached over
/// relationships that are not listed stands apart.
fn tree(out: &mut dyn Write, answer: &NeighboursResponse) -> io::Result<()> {
    let items = by_id(answer);
    let mut edges_of: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in &answer.edges {
        edges_of.entry(&edge.from).or_default().push(edge);
        if edge.from != edge.to {
            edges_of.entry(&edge.to).or_default().push(edge);
        }
    }
    let mut tree = Tree::default();
    let Some(asked) = &answer.item else { return Ok(()) };
    let mut seen: HashSet<&str> = HashSet::from([asked.id.as_str()]);
    let mut apart = None;
    let mut queue = VecDeque::from([(asked.id.as_str(), tree.root(walk::title(asked)))]);
    let mut others = answer.items.iter();
    loop {
        while let Some((id, node)) = queue.pop_front() {
            for edge in edges_of.remove(id).unwrap_or_default() {
                let (other, arrow) =
                    if edge.from == id { (edge.to.as_str(), "→") } else { (edge.from.as_str(), "←") };
                if !seen.insert(other) {
                    continue;
                }
                let kind = escape::line(&edge.r#type);
                let name = items.get(other).map_or_else(|| other.to_owned(), |item| walk::title(item));
                let child = tree.child(node, format!("{FAINT}{kind} {arrow}{FAINT:#} {name}"));
                queue.push_back((other, child));
            }
        }
        let Some(other) = others.find(|item| !seen.contains(item.id.as_str())) else { break };
        seen.insert(&other.id);
        let root = *apart
            .get_or_insert_with(|| tree.root("reached over relationships that are not listed".to_owned()));
        queue.push_back((&other.id, tree.child(root, walk::title(other))));
    }
    tree.write(out)
}

fn graph(out: &mut dyn Write, answer: &NeighboursResponse) -> io::Result<()> {
    let mut graph = Digraph::open(out, "Arrows are relationships, from source to target.")?;
    for item in by_id(answer).into_iter().collect::<std::collections::BTreeMap<_, _>>().into_values() {
        let fill = if is_asked(answer, item) { Fill::Seed } else { Fill::None };
        graph.node(&item.id, walk::name(item), &item.class, fill)?;
    }
    for edge in &answer.edges {
        graph.edge(&edge.from, &edge.to, &edge.r#type, &edge.group)?;
    }
    graph.close()
}

#[cfg(test)]
mod tests;
