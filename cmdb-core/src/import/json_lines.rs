//! JSON Lines: one object a line, with one field that says what it is.

use std::io::BufRead;

use super::exported;
use super::field::{Absent, Object};
use super::json::{Json, Member, Node};
use super::lines::{Line, Lines};
use super::problem::{Fault, ReadError, located};
use super::value::{attributes, value};
use super::{LINE_BYTES_MAX, Located, Record, key};
use crate::claim::{Claim, ItemClaim, Match, RedundancyClaim, Reference, RelationshipClaim, UnitKind};
use crate::model::schema::Failure;
use crate::model::{Problem, Reason, Schema};

/// What a line may be; `export`, `source` and `waiting` stand in exports only.
const LINE_FIELDS: [&str; 6] = ["item", "relationship", "redundancy", "export", "source", "waiting"];

pub(super) struct JsonLines<'s, R> {
    lines: Lines<R>,
    schema: &'s Schema,
    buffer: Vec<u8>,
    ended: bool,
}

impl<'s, R: BufRead> JsonLines<'s, R> {
    pub(super) fn new(input: R, schema: &'s Schema) -> JsonLines<'s, R> {
        JsonLines { lines: Lines::new(input), schema, buffer: Vec::new(), ended: false }
    }

    pub(super) fn next(&mut self) -> Option<Result<Located<Record>, ReadError>> {
        while !self.ended {
            self.buffer.clear();
            match self.lines.next(&mut self.buffer) {
                Ok(Line::End) => self.ended = true,
                Ok(Line::TooLong) => {
                    let number = self.lines.number;
                    return Some(Err(too_long("the line").whole_line(number, &self.buffer)));
                }
                Ok(Line::Read) if self.buffer.trim_ascii().is_empty() => {}
                Ok(Line::Read) => {
                    let number = self.lines.number;
                    let record = record(&self.buffer, self.schema);
                    return Some(match record {
                        Ok(record) => Ok(located(number, record)),
                        Err(fault) => Err(fault.at(number, &self.buffer)),
                    });
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
            }
        }
        None
    }
}

/// The fault of a line or row that is longer than it may be.
pub(super) fn too_long(thing: &str) -> Fault {
    let message = format!("{thing} is longer than {LINE_BYTES_MAX} bytes");
    Fault::new(0, Problem::new(Reason::LimitExceeded, message, thing))
}

fn record(line: &[u8], schema: &Schema) -> Result<Record, Fault> {
    let line = utf8(line)?;
    let node = Node::line(line)?;
    let Json::Object(mut members) = node.read()? else {
        return Err(Fault::format(node.offset(), "the line", "a line is an object")
            .hint("write {\"item\": {…}}, {\"relationship\": {…}} or {\"redundancy\": {…}}"));
    };
    let hint = "write one of {\"item\": {…}}, {\"relationship\": {…}} and {\"redundancy\": {…}} on a line";
    if members.is_empty() {
        return Err(Fault::format(node.offset(), "the line", "the line says nothing").hint(hint));
    }
    if let Some(second) = members.get(1) {
        let message = format!("a second field \"{}\" on one line", second.name);
        return Err(Fault::format(second.offset, &second.name, message).hint(hint));
    }
    let only = members.remove(0);
    match only.name.as_str() {
        "item" if exported::is_export(only.node) => {
            exported::read_item(only.node, schema).map(Record::Exported)
        }
        "relationship" if exported::is_export(only.node) => {
            exported::read_relationship(only.node, schema).map(Record::Exported)
        }
        "export" => exported::read_header(only.node).map(Record::Exported),
        "source" => exported::read_source(only.node).map(Record::Exported),
        "waiting" => exported::read_waiting(only.node).map(Record::Exported),
        "item" => item(only.node, schema).map(boxed),
        "relationship" => relationship(only.node, schema).map(boxed),
        "redundancy" => redundancy(only.node, schema).map(boxed),
        _ => {
            // The object is read again for the message about its one field.
            Object::read(node, "a line", &LINE_FIELDS)?;
            unreachable!("every known field has an arm of its own");
        }
    }
}

fn boxed(claim: Claim) -> Record {
    Record::Claim(Box::new(claim))
}

pub(super) fn utf8(line: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(line).map_err(|error| {
        Fault::format(error.valid_up_to(), "the line", "not UTF-8").hint("save the file as UTF-8")
    })
}

/// The names of those that are `null`.
fn nulls(members: &[Member<'_>]) -> Vec<String> {
    let mut nulls: Vec<String> =
        members.iter().filter(|member| member.node.is_null()).map(|member| member.name.clone()).collect();
    nulls.sort_unstable();
    nulls.dedup();
    nulls
}

fn item(node: Node<'_>, schema: &Schema) -> Result<Claim, Fault> {
    let mut fields = Object::read(node, "an item", &["key", "class", "name", "attributes", "within"])?;
    let (text, offset) = fields.text("key", Absent::Fault)?;
    let key = key::item_key(text, offset)?;
    let (class, offset) = fields.text("class", Absent::Fault)?;
    check_class(&class, offset, schema)?;
    let (name, _) = fields.text("name", Absent::Empty)?;
    let members = fields.members("attributes")?;
    let cleared = nulls(&members);
    let attributes = attributes(members, Some((schema, &class)))?;
    let within = match fields.take("within") {
        Some(node) => Some(key::reference(node, "\"within\" of an item", schema)?),
        None => None,
    };
    Ok(item_unit(key, ItemClaim { class, name, attributes, cleared, within, ..ItemClaim::default() }))
}

/// The unit of an item on its own.
pub(super) fn item_unit(key: String, item: ItemClaim) -> Claim {
    Claim { kind: UnitKind::Item, key, item: Some(item), relationships: Vec::new(), redundancies: Vec::new() }
}

/// A class that items can be of.
pub(super) fn check_class(class: &str, offset: usize, schema: &Schema) -> Result<(), Fault> {
    let Some(declared) = schema.class(class) else {
        return Err(unknown_class(class, offset, schema));
    };
    if !declared.is_abstract {
        return Ok(());
    }
    let children: Vec<_> = schema
        .classes()
        .filter(|child| child.is_a(class) && !child.is_abstract)
        .map(|child| child.name.as_str())
        .take(CHILDREN_SHOWN)
        .collect();
    let message = format!("class \"{class}\" is abstract: no item is of exactly this class");
    let problem = Problem::new(Reason::ClassAbstract, message, class)
        .hint(format!("name a kind of it, such as {}", children.join(", ")));
    Err(Fault::new(offset, problem))
}

/// How many kinds of an abstract class a message lists.
const CHILDREN_SHOWN: usize = 6;

fn unknown_class(class: &str, offset: usize, schema: &Schema) -> Fault {
    let problem = Problem::new(Reason::ClassUnknown, format!("there is no class \"{class}\""), class);
    let problem = match schema.nearest_class(class) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint("`cmdb classes` lists them; declare your own in a schema file"),
    };
    Fault::new(offset, problem)
}

/// `{"class": …, attribute: value, …}`: at least one attribute, every one of them indexed.
pub(super) fn matching(node: Node<'_>, schema: &Schema) -> Result<Match, Fault> {
    let Json::Object(mut members) =
        super::field::check(node, "\"match\"", "an object", |json| matches!(json, Json::Object(_)))?
    else {
        unreachable!("checked to be an object");
    };
    let mut class = String::new();
    if let Some(place) = members.iter().position(|member| member.name == "class") {
        let named = members.remove(place).node;
        let Json::Text(text) =
            super::field::check(named, "\"class\" of a match", "text", |json| matches!(json, Json::Text(_)))?
        else {
            unreachable!("checked to be text");
        };
        if schema.class(&text).is_none() {
            return Err(unknown_class(&text, named.offset(), schema));
        }
        class = text;
    }
    if members.is_empty() {
        let problem = Problem::new(Reason::MatchInvalid, "a match names no attribute", "match")
            .expected("at least one indexed attribute, such as host_name", "none");
        return Err(Fault::new(node.offset(), problem));
    }
    for member in &members {
        check_matched(&class, &member.name, member.offset, schema)?;
        if value(member.node, 0)?.is_none() {
            let message = format!("\"{}\" of a match is null", member.name);
            let problem = Problem::new(Reason::MatchInvalid, message, member.name.as_str())
                .hint("name only what the item has");
            return Err(Fault::new(member.node.offset(), problem));
        }
    }
    let attributes = attributes(members, Some((schema, &class)))?;
    Ok(Match { class, attributes })
}

/// An attribute by which items can be found.
fn check_matched(class: &str, attribute: &str, offset: usize, schema: &Schema) -> Result<(), Fault> {
    let declared = schema.attribute(class, attribute);
    if attribute == "name" || declared.is_some_and(|declared| declared.indexed) {
        return Ok(());
    }
    let message = match declared {
        Some(_) => format!("\"{attribute}\" is not indexed, so nothing can be matched by it"),
        None if class.is_empty() => format!("no class has an attribute \"{attribute}\""),
        None => format!("class \"{class}\" has no attribute \"{attribute}\""),
    };
    let problem = Problem::new(Reason::MatchInvalid, message, attribute)
        .expected("name, or an indexed attribute such as host_name, port, address, unit", attribute);
    let near = schema.nearest_attribute(class, attribute).filter(|near| *near != attribute);
    Err(Fault::new(
        offset,
        match near {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => problem.hint("`cmdb classes` shows which attributes are indexed"),
        },
    ))
}

fn relationship(node: Node<'_>, schema: &Schema) -> Result<Claim, Fault> {
    let known = ["from", "type", "to", "group", "weight", "inferred", "confidence", "denied", "attributes"];
    let mut fields = Object::read(node, "a relationship", &known)?;
    let from = key::reference(fields.required("from")?, "\"from\" of a relationship", schema)?;
    let (kind, offset) = fields.text("type", Absent::Fault)?;
    check_type(&kind, offset, schema)?;
    let to = key::reference(fields.required("to")?, "\"to\" of a relationship", schema)?;
    let (group, offset) = fields.text("group", Absent::Empty)?;
    check_group(&group, &kind, offset, schema)?;
    let weight = fields.number("weight", WEIGHT, fits_weight)?;
    let inferred = fields.flag("inferred")?;
    let confidence = fields.number("confidence", CONFIDENCE, fits_confidence)?;
    let denied = fields.flag("denied")?;
    let attributes = attributes(fields.members("attributes")?, None)?;
    Ok(relationship_unit(RelationshipClaim {
        from,
        kind,
        to,
        group,
        weight: weight.unwrap_or(1.0),
        inferred,
        confidence: confidence.unwrap_or(1.0),
        denied,
        attributes,
    }))
}

/// The unit of a relationship on its own.
pub(super) fn relationship_unit(relationship: RelationshipClaim) -> Claim {
    Claim {
        kind: UnitKind::Relationship,
        key: key::relationship(&relationship.from, &relationship.kind, &relationship.to),
        item: None,
        relationships: vec![relationship],
        redundancies: Vec::new(),
    }
}

/// A relationship type that is declared, written the right way round.
pub(super) fn check_type(kind: &str, offset: usize, schema: &Schema) -> Result<(), Fault> {
    if schema.relationship_type(kind).is_some() {
        return Ok(());
    }
    let problem = Problem::new(
        Reason::RelationshipTypeUnknown,
        format!("there is no relationship type \"{kind}\""),
        kind,
    );
    let problem = if let Some(meant) = schema.relationship_type_by_inverse(kind) {
        problem.hint(format!(
            "\"{kind}\" is \"{}\" read the other way round: exchange \"from\" and \"to\", and write \"{}\"",
            meant.name, meant.name
        ))
    } else {
        match schema.nearest_relationship_type(kind) {
            Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
            None => {
                problem.hint("`cmdb classes --relationships` lists them; declare your own in a schema file")
            }
        }
    };
    Err(Fault::new(offset, problem))
}

/// A group says how many are needed, so its members carry failure.
pub(super) fn check_group(group: &str, kind: &str, offset: usize, schema: &Schema) -> Result<(), Fault> {
    let carries = schema.relationship_type(kind).is_some_and(|kind| kind.failure != Failure::None);
    if group.is_empty() || carries {
        return Ok(());
    }
    let message = format!("\"{kind}\" carries no failure, so it cannot be in the group \"{group}\"");
    let problem = Problem::new(Reason::RelationshipInvalid, message, kind).hint("leave \"group\" out");
    Err(Fault::new(offset, problem))
}

pub(super) const REQUIRE: &str = "all, any, at_least N, percent P (0 to 100) or capacity C";
pub(super) const WEIGHT: &str = "a number above 0";
pub(super) const CONFIDENCE: &str = "a number above 0 and at most 1";

pub(super) fn fits_weight(weight: f64) -> bool {
    weight.is_finite() && weight > 0.0
}

pub(super) fn fits_confidence(confidence: f64) -> bool {
    confidence > 0.0 && confidence <= 1.0
}

fn redundancy(node: Node<'_>, schema: &Schema) -> Result<Claim, Fault> {
    let known = ["item", "group", "require", "inferred", "confidence", "evidence"];
    let mut fields = Object::read(node, "a redundancy", &known)?;
    let item: Reference = key::reference(fields.required("item")?, "\"item\" of a redundancy", schema)?;
    let (group, offset) = fields.text("group", Absent::Fault)?;
    if group.is_empty() {
        return Err(Fault::format(offset, "group", "\"group\" of a redundancy is empty"));
    }
    let require = fields.parsed("require", Reason::RequireInvalid, REQUIRE)?;
    let inferred = fields.flag("inferred")?;
    let confidence = fields.number("confidence", CONFIDENCE, fits_confidence)?.unwrap_or(1.0);
    let (evidence, _) = fields.text("evidence", Absent::Empty)?;
    let key = key::redundancy(&item, &group);
    let claim = RedundancyClaim { item, group, require, inferred, confidence, evidence, rejected: false };
    Ok(Claim {
        kind: UnitKind::Redundancy,
        key,
        item: None,
        relationships: Vec::new(),
        redundancies: vec![claim],
    })
}
