//! `cmdb classes`: the kinds of items, one of them in full, or the types of relationships.

use std::collections::HashMap;
use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1::{
    Class, ClassesRequest, ClassesResponse, RelationshipType, RelationshipTypesRequest,
    RelationshipTypesResponse,
};
use serde_json::{Value as Json, json};

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::output::json::{self, Object};
use crate::output::table::{Cell, FAINT, NAME, Table};
use crate::output::tree::Tree;
use crate::output::{Format, escape, words};
use crate::session::Session;
use crate::time;

pub const FORMATS: &[Format] = &[Format::Table, Format::Json, Format::Jsonl, Format::Tree];

#[derive(Args, Debug)]
pub struct Arguments {
    /// This class with its attributes, and the classes below it
    #[arg(value_name = "CLASS")]
    class: Option<String>,
    /// The types of relationships instead, and which end's failure reaches the other
    #[arg(long, conflicts_with = "class")]
    relationships: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let as_of = arguments.as_of.text();
    let mut schema = session.connect().await?.schema();
    if arguments.relationships {
        let answer = schema.relationship_types(RelationshipTypesRequest { as_of }).await?.into_inner();
        return print_types(session, &answer, &arguments.as_of);
    }
    let asked = arguments.class.unwrap_or_default();
    let answer = schema.classes(ClassesRequest { class: asked.clone(), as_of }).await?.into_inner();
    let out = session.out.as_mut();
    match session.format {
        Format::Json => object(out, &answer)?,
        Format::Jsonl => {
            answer.classes.iter().try_for_each(|class| json::write_line(out, &class_json(class)))?
        }
        Format::Tree => tree(&answer.classes).write(out)?,
        Format::Table | Format::Dot => {
            match answer.classes.iter().find(|class| class.name == asked) {
                Some(class) => one(out, class, &answer.classes)?,
                None => all(out, &answer.classes)?,
            }
            arguments.as_of.write(out, answer.revision, answer.as_of_us, session.now)?;
        }
    }
    arguments.as_of.note(session, answer.revision, answer.as_of_us);
    Ok(())
}

fn all(out: &mut dyn Write, classes: &[Class]) -> io::Result<()> {
    let mut rows = Table::new(&["CLASS", "ITEMS", "TITLE"]).right(1);
    let mut depths: HashMap<&str, usize> = HashMap::new();
    for class in in_tree_order(classes) {
        let depth = depths.get(class.parent.as_str()).map_or(0, |depth| depth + 1);
        depths.insert(&class.name, depth);
        let style = if class.r#abstract { FAINT } else { anstyle::Style::new() };
        rows.row([
            Cell::styled(format!("{:1$}{2}", "", depth * 2, class.name), style),
            if class.r#abstract { "".into() } else { class.items.into() },
            Cell::styled(&class.title, style),
        ]);
    }
    rows.write(out)?;
    let items = classes.iter().map(|class| class.items).sum();
    let (classes, items) =
        (words::count(classes.len() as u64, "class", "classes"), words::count(items, "item", "items"));
    writeln!(out, "\n{NAME}{classes}, {items}{NAME:#}")
}

/// Each class followed by the classes below it.
fn in_tree_order(classes: &[Class]) -> Vec<&Class> {
    let names: std::collections::HashSet<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    let mut below: HashMap<&str, Vec<&Class>> = HashMap::new();
    let mut open = Vec::new();
    for class in classes.iter().rev() {
        if names.contains(class.parent.as_str()) {
            below.entry(&class.parent).or_default().push(class);
        } else {
            open.push(class);
        }
    }
    let mut ordered = Vec::new();
    while let Some(class) = open.pop() {
        ordered.push(class);
        open.extend(below.remove(class.name.as_str()).unwrap_or_default());
    }
    ordered
}

fn one(out: &mut dyn Write, class: &Class, classes: &[Class]) -> io::Result<()> {
    writeln!(out, "{NAME}{}{NAME:#}: {}", escape::line(&class.name), escape::line(&class.title))?;
    if !class.description.is_empty() {
        writeln!(out, "{}", escape::line(&class.description))?;
    }
    let mut facts = Table::new(&["", ""]).indent(2);
    let mut fact = |name: &str, text: String| facts.row([Cell::styled(name, FAINT), text.into()]);
    fact("parent", if class.parent.is_empty() { "none".into() } else { class.parent.clone() });
    let children: Vec<&str> =
        classes.iter().filter(|other| other.parent == class.name).map(|child| child.name.as_str()).collect();
    if !children.is_empty() {
        fact("children", children.join(", "));
    }
    fact("items", if class.r#abstract { "none of its own".into() } else { words::number(class.items) });
    if class.running {
        fact("not seen", "stopped: it keeps its relationships for a time".into());
    }
    fact("up of itself", format!("{} of the time", class.availability));
    for (place, rule) in class.identification.iter().enumerate() {
        let within = if rule.within { ", within its host" } else { "" };
        let label = if place == 0 { "identified by" } else { "or else" };
        fact(label, format!("{}{within}", words::and(rule.attributes.iter().map(String::as_str))));
    }
    fact("declared in", class.declared_in.clone());
    facts.write(out)?;
    write_attributes(out, class)
}

fn write_attributes(out: &mut dyn Write, class: &Class) -> io::Result<()> {
    if class.attributes.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let mut rows = Table::new(&["ATTRIBUTE", "TYPE", "UNIT", "FROM", "DESCRIPTION"]);
    for attribute in &class.attributes {
        rows.row([
            attribute.name.as_str().into(),
            attribute.r#type.as_str().into(),
            attribute.unit.as_str().into(),
            attribute.inherited_from.as_str().into(),
            attribute.description.as_str().into(),
        ]);
    }
    rows.write(out)
}

fn tree(classes: &[Class]) -> Tree {
    let mut tree = Tree::default();
    let mut nodes: HashMap<&str, usize> = HashMap::new();
    for class in in_tree_order(classes) {
        let items = if class.items > 0 {
            format!(" {FAINT}{}{FAINT:#}", words::number(class.items))
        } else {
            String::new()
        };
        let label = format!("{}{items}", escape::line(&class.name));
        let node = match nodes.get(class.parent.as_str()) {
            Some(parent) => tree.child(*parent, label),
            None => tree.root(label),
        };
        nodes.insert(&class.name, node);
    }
    tree
}

fn object(out: &mut dyn Write, answer: &ClassesResponse) -> io::Result<()> {
    let mut object = Object::open(out)?;
    object.field("revision", answer.revision)?;
    object.field("as_of", time::rfc3339(answer.as_of_us))?;
    object.list("classes", answer.classes.iter().map(class_json))?;
    object.field("schema_digest", answer.schema_digest.as_str())?;
    object.close()
}

fn class_json(class: &Class) -> Json {
    let attributes: Vec<Json> = class
        .attributes
        .iter()
        .map(|attribute| {
            json!({
                "name": attribute.name,
                "type": attribute.r#type,
                "unit": json::or_null(&attribute.unit),
                "description": attribute.description,
                "indexed": attribute.indexed,
                "inherited_from": json::or_null(&attribute.inherited_from),
            })
        })
        .collect();
    let identification: Vec<Json> = class
        .identification
        .iter()
        .map(|rule| json!({"attributes": rule.attributes, "within": rule.within}))
        .collect();
    json!({
        "name": class.name,
        "parent": json::or_null(&class.parent),
        "title": class.title,
        "description": class.description,
        "abstract": class.r#abstract,
        "running": class.running,
        "availability": class.availability,
        "items": class.items,
        "attributes": attributes,
        "identification": identification,
        "declared_in": class.declared_in,
    })
}

fn print_types(
    session: &mut Session,
    answer: &RelationshipTypesResponse,
    as_of: &AsOf,
) -> Result<(), CommandError> {
    let out = session.out.as_mut();
    match session.format {
        Format::Json => {
            let mut object = Object::open(out)?;
            object.field("revision", answer.revision)?;
            object.field("as_of", time::rfc3339(answer.as_of_us))?;
            object.list("relationship_types", answer.types.iter().map(type_json))?;
            object.close()?;
        }
        Format::Jsonl => answer.types.iter().try_for_each(|kind| json::write_line(out, &type_json(kind)))?,
        Format::Table => {
            types(out, &answer.types)?;
            as_of.write(out, answer.revision, answer.as_of_us, session.now)?;
        }
        Format::Tree | Format::Dot => {
            return Err(CommandError::usage("types of relationships are no tree")
                .with("expected", "table, json or jsonl with --relationships"));
        }
    }
    as_of.note(session, answer.revision, answer.as_of_us);
    Ok(())
}

fn types(out: &mut dyn Write, types: &[RelationshipType]) -> io::Result<()> {
    let mut rows = Table::new(&["TYPE", "INVERSE", "A FAILURE TRAVELS", "DESCRIPTION"]);
    for kind in types {
        rows.row([
            kind.name.as_str().into(),
            kind.inverse.as_str().into(),
            travels(kind).into(),
            kind.description.as_str().into(),
        ]);
    }
    rows.write(out)
}

fn travels(kind: &RelationshipType) -> String {
    let way = match kind.failure.as_str() {
        "target_to_source" => "from target to source",
        "source_to_target" => "from source to target",
        "none" => return "not at all".to_owned(),
        other => other,
    };
    if kind.weak { format!("{way}, degrading only") } else { way.to_owned() }
}

fn type_json(kind: &RelationshipType) -> Json {
    json!({
        "name": kind.name,
        "inverse": kind.inverse,
        "failure": kind.failure,
        "weak": kind.weak,
        "description": kind.description,
        "declared_in": kind.declared_in,
    })
}

#[cfg(test)]
mod tests;
