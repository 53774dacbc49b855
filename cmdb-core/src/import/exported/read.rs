//! Lines of an export as exported things.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, FORMAT, Header, LeftOut,
};
use crate::import::field::{Absent, Object, check};
use crate::import::json::{Json, Node};
use crate::import::json_lines::{REQUIRE, check_class, check_type};
use crate::import::problem::Fault;
use crate::import::value::{attributes, moment, value};
use crate::model::item::{Identification, Marks, Method, Pin, Purged, Stated};
use crate::model::source::SourceKind;
use crate::model::{ItemId, Problem, Reason, Require, Revision, Schema, Status, Timestamp, UnitKind, Value};

/// Whether the item or relationship carries its claims: then it comes from an export.
pub(in crate::import) fn is_export(node: Node<'_>) -> bool {
    node.may_name("claims")
        && matches!(node.read(), Ok(Json::Object(members)) if members.iter().any(|member| member.name == "claims"))
}

pub(in crate::import) fn read_header(node: Node<'_>) -> Result<Exported, Fault> {
    let mut fields = Object::read(node, "an export", &["format", "revision", "left_out"])?;
    let offset = fields.offset;
    let format = whole(&mut fields, "format")?;
    if format == 0 || format > FORMAT {
        let message = format!("the export has format {format}; this program reads up to {FORMAT}");
        let problem = Problem::new(Reason::FormatInvalid, message, "format")
            .expected(FORMAT.to_string(), format.to_string())
            .hint("import it with the release that wrote it, or a newer one");
        return Err(Fault::new(offset, problem));
    }
    let revision = Revision(whole(&mut fields, "revision")?);
    let left_out = fields.take("left_out").map(left_out).transpose()?;
    Ok(Exported::Header(Header { format, revision, left_out }))
}

fn left_out(node: Node<'_>) -> Result<LeftOut, Fault> {
    let mut fields = Object::read(node, "what was left out", &["waiting", "matched"])?;
    Ok(LeftOut { waiting: whole(&mut fields, "waiting")?, matched: whole(&mut fields, "matched")? })
}

pub(in crate::import) fn read_source(node: Node<'_>) -> Result<Exported, Fault> {
    let mut fields = Object::read(node, "a source", &["name", "kind", "title", "version"])?;
    let (name, offset) = fields.text("name", Absent::Fault)?;
    if name.is_empty() || name.contains(':') {
        let message = format!("\"{name}\" is not the name of a source: it is not empty and has no colon");
        return Err(Fault::new(offset, Problem::new(Reason::SourceInvalid, message, name)));
    }
    let SourceKindText(kind) =
        fields.parsed("kind", Reason::SourceInvalid, "person, agent, connector, import or rule")?;
    let (title, _) = fields.text("title", Absent::Empty)?;
    let (version, _) = fields.text("version", Absent::Empty)?;
    Ok(Exported::Source(ExportedSource { name, kind, title, version }))
}

/// [`SourceKind`] reads itself; the name says what it stands in for.
struct SourceKindText(SourceKind);

impl FromStr for SourceKindText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().map(SourceKindText)
    }
}

/// The text of a status.
struct StatusText(Status);

impl FromStr for StatusText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Status::Active, Status::Stopped, Status::Missing, Status::Retired]
            .into_iter()
            .find(|status| status.name() == text)
            .map(StatusText)
            .ok_or(())
    }
}

/// The text of a method of identification.
struct MethodText(Method);

impl FromStr for MethodText {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Method::Key, Method::Rule, Method::New, Method::Named, Method::Duplicate, Method::Clone]
            .into_iter()
            .find(|method| super::write::method_name(*method) == text)
            .map(MethodText)
            .ok_or(())
    }
}

const STATUSES: &str = "active, stopped, missing or retired";
const AN_ID: &str = "an item id such as @42";

pub(in crate::import) fn read_item(node: Node<'_>, schema: &Schema) -> Result<Exported, Fault> {
    let known = [
        "id",
        "class",
        "name",
        "status",
        "status_since",
        "first_seen",
        "claims",
        "groups",
        "duplicates",
        "merged_into",
        "distinct_from",
        "purged",
    ];
    let mut fields = Object::read(node, "an exported item", &known)?;
    let id = fields.parsed("id", Reason::FormatInvalid, AN_ID)?;
    let (class, offset) = fields.text("class", Absent::Fault)?;
    check_class(&class, offset, schema)?;
    let (name, _) = fields.text("name", Absent::Empty)?;
    let StatusText(status) = fields.parsed("status", Reason::FormatInvalid, STATUSES)?;
    let merged_into = match fields.take("merged_into") {
        Some(node) => Some(self::id(node, "\"merged_into\"")?),
        None => None,
    };
    Ok(Exported::Item(Box::new(ExportedItem {
        id,
        class,
        name,
        status,
        status_since: required_moment(&mut fields, "status_since")?,
        first_seen: required_moment(&mut fields, "first_seen")?,
        claims: fields.elements("claims")?.into_iter().map(item_claim).collect::<Result<_, _>>()?,
        groups: fields.elements("groups")?.into_iter().map(group).collect::<Result<_, _>>()?,
        duplicates: ids(&mut fields, "duplicates")?,
        merged_into,
        distinct_from: ids(&mut fields, "distinct_from")?,
        purged: fields.elements("purged")?.into_iter().map(purged).collect::<Result<_, _>>()?,
    })))
}

fn item_claim(node: Node<'_>) -> Result<ExportedItemClaim, Fault> {
    let known = [
        "source",
        "key",
        "scope",
        "class",
        "name",
        "attributes",
        "effective",
        "within",
        "first_seen",
        "observed_at",
        "withdrawn_at",
        "identification",
        "stale",
        "nulls",
        "pins",
        "otherwise_at",
    ];
    let mut fields = Object::read(node, "an exported claim", &known)?;
    let (source, _) = fields.text("source", Absent::Fault)?;
    let (key, _) = fields.text("key", Absent::Fault)?;
    let (scope, _) = fields.text("scope", Absent::Empty)?;
    let (class, _) = fields.text("class", Absent::Empty)?;
    let (name, _) = fields.text("name", Absent::Empty)?;
    let values = attributes(fields.members("attributes")?, None)?;
    let effective: BTreeSet<String> = texts(&mut fields, "effective")?.into_iter().collect();
    let attributes = values
        .into_iter()
        .map(|(name, value)| {
            let effective = effective.contains(&name);
            (name, Stated { value, effective })
        })
        .collect();
    let within = match fields.take("within") {
        Some(node) => Some(id(node, "\"within\"")?),
        None => None,
    };
    Ok(ExportedItemClaim {
        source,
        key,
        scope,
        class,
        name,
        attributes,
        within,
        first_seen: required_moment(&mut fields, "first_seen")?,
        observed_at: required_moment(&mut fields, "observed_at")?,
        withdrawn_at: optional_moment(&mut fields, "withdrawn_at")?,
        identification: identification(fields.required("identification")?)?,
        marks: Marks {
            stale: texts(&mut fields, "stale")?.into_iter().collect(),
            nulls: texts(&mut fields, "nulls")?.into_iter().collect(),
            pins: fields.elements("pins")?.into_iter().map(pin).collect::<Result<_, _>>()?,
            otherwise_at: optional_moment(&mut fields, "otherwise_at")?,
        },
    })
}

fn pin(node: Node<'_>) -> Result<(String, Pin), Fault> {
    let mut fields = Object::read(node, "a pin", &["attribute", "since", "until", "reason"])?;
    let (attribute, _) = fields.text("attribute", Absent::Fault)?;
    let (reason, _) = fields.text("reason", Absent::Empty)?;
    let since = required_moment(&mut fields, "since")?;
    let until = optional_moment(&mut fields, "until")?;
    Ok((attribute, Pin { since, until, reason }))
}

fn purged(node: Node<'_>) -> Result<(String, Purged), Fault> {
    let known = ["attribute", "revision", "by", "at", "reason", "suppressed"];
    let mut fields = Object::read(node, "what was purged", &known)?;
    let (attribute, _) = fields.text("attribute", Absent::Fault)?;
    let (by, _) = fields.text("by", Absent::Empty)?;
    let (reason, _) = fields.text("reason", Absent::Empty)?;
    let revision = Revision(whole(&mut fields, "revision")?);
    let at = required_moment(&mut fields, "at")?;
    let suppressed = fields.flag("suppressed")?;
    Ok((attribute, Purged { revision, by, at, reason, suppressed }))
}

fn identification(node: Node<'_>) -> Result<Identification, Fault> {
    let known = ["method", "rule", "values", "candidates", "skipped"];
    let mut fields = Object::read(node, "an identification", &known)?;
    let MethodText(method) =
        fields.parsed("method", Reason::FormatInvalid, "key, rule, new, named, duplicate or clone")?;
    Ok(Identification {
        method,
        rule: texts(&mut fields, "rule")?,
        values: texts(&mut fields, "values")?,
        candidates: ids(&mut fields, "candidates")?,
        skipped: texts(&mut fields, "skipped")?,
    })
}

fn group(node: Node<'_>) -> Result<ExportedGroup, Fault> {
    let known = ["name", "require", "inferred", "confidence", "source", "key", "evidence", "rejected"];
    let mut fields = Object::read(node, "an exported group", &known)?;
    let (name, _) = fields.text("name", Absent::Fault)?;
    let require: Require = fields.parsed("require", Reason::RequireInvalid, REQUIRE)?;
    let inferred = fields.flag("inferred")?;
    let confidence = number(&mut fields, "confidence")?;
    let (source, _) = fields.text("source", Absent::Fault)?;
    let (key, _) = fields.text("key", Absent::Fault)?;
    let (evidence, _) = fields.text("evidence", Absent::Empty)?;
    let rejected = fields.flag("rejected")?;
    Ok(ExportedGroup { name, require, inferred, confidence, source, key, evidence, rejected })
}

pub(in crate::import) fn read_relationship(node: Node<'_>, schema: &Schema) -> Result<Exported, Fault> {
    let known = [
        "from",
        "type",
        "to",
        "status",
        "status_since",
        "denied",
        "first_seen",
        "effective",
        "grouped_by",
        "claims",
    ];
    let mut fields = Object::read(node, "an exported relationship", &known)?;
    let offset = fields.offset;
    let from = fields.parsed("from", Reason::FormatInvalid, AN_ID)?;
    let (kind, kind_offset) = fields.text("type", Absent::Fault)?;
    check_type(&kind, kind_offset, schema)?;
    let to = fields.parsed("to", Reason::FormatInvalid, AN_ID)?;
    let StatusText(status) = fields.parsed("status", Reason::FormatInvalid, STATUSES)?;
    let claims: Vec<_> =
        fields.elements("claims")?.into_iter().map(relationship_claim).collect::<Result<_, _>>()?;
    let place = |name: &str, number: u64| {
        let place = usize::try_from(number).ok().filter(|place| *place < claims.len());
        place.ok_or_else(|| {
            let message = format!("\"{name}\" is the place of one of the {} claims, from 0", claims.len());
            Fault::format(offset, name, message)
        })
    };
    let effective = place("effective", whole(&mut fields, "effective")?)?;
    let grouped_by = match fields.take("grouped_by") {
        Some(node) => place("grouped_by", whole_number(node, "grouped_by")?)?,
        None => effective,
    };
    Ok(Exported::Relationship(Box::new(ExportedRelationship {
        from,
        kind,
        to,
        status,
        status_since: required_moment(&mut fields, "status_since")?,
        denied: fields.flag("denied")?,
        first_seen: required_moment(&mut fields, "first_seen")?,
        claims,
        effective,
        grouped_by,
    })))
}

pub(super) fn relationship_claim(node: Node<'_>) -> Result<ExportedRelationshipClaim, Fault> {
    let known = [
        "source",
        "unit",
        "key",
        "scope",
        "group",
        "weight",
        "inferred",
        "confidence",
        "denied",
        "attributes",
        "first_seen",
        "observed_at",
        "withdrawn_at",
    ];
    let mut fields = Object::read(node, "an exported claim", &known)?;
    let (source, _) = fields.text("source", Absent::Fault)?;
    let (key, _) = fields.text("key", Absent::Fault)?;
    let (scope, _) = fields.text("scope", Absent::Empty)?;
    let (group, _) = fields.text("group", Absent::Empty)?;
    Ok(ExportedRelationshipClaim {
        source,
        unit: unit(&mut fields)?,
        key,
        scope,
        group,
        weight: number(&mut fields, "weight")?,
        inferred: fields.flag("inferred")?,
        confidence: number(&mut fields, "confidence")?,
        denied: fields.flag("denied")?,
        attributes: attributes(fields.members("attributes")?, None)?,
        first_seen: required_moment(&mut fields, "first_seen")?,
        observed_at: required_moment(&mut fields, "observed_at")?,
        withdrawn_at: optional_moment(&mut fields, "withdrawn_at")?,
    })
}

pub(super) fn unit(fields: &mut Object<'_>) -> Result<UnitKind, Fault> {
    let (unit, offset) = fields.text("unit", Absent::Empty)?;
    let kinds = [UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy];
    match kinds.into_iter().find(|kind| unit == kind.name()) {
        Some(kind) => Ok(kind),
        None if unit.is_empty() => Ok(UnitKind::Item),
        None => Err(Fault::format(offset, "unit", format!("\"{unit}\" is no kind of unit"))
            .expected("item, relationship or redundancy", unit)),
    }
}

pub(super) fn optional_moment(fields: &mut Object<'_>, name: &str) -> Result<Option<Timestamp>, Fault> {
    let Some(node) = fields.take(name) else { return Ok(None) };
    let json = node.read()?;
    match moment(&json) {
        Some(moment) => Ok(Some(moment)),
        None => {
            let (expected, given) = ("a moment in RFC 3339", json.kind());
            Err(Fault::format(node.offset(), name, format!("\"{name}\" is {expected}, not {given}"))
                .expected(expected, given))
        }
    }
}

pub(super) fn required_moment(fields: &mut Object<'_>, name: &str) -> Result<Timestamp, Fault> {
    let offset = fields.offset;
    optional_moment(fields, name)?
        .ok_or_else(|| Fault::format(offset, name, format!("\"{name}\" is missing")))
}

/// A number; 1 when it is absent.
pub(super) fn number(fields: &mut Object<'_>, name: &str) -> Result<f64, Fault> {
    let Some(node) = fields.take(name) else { return Ok(1.0) };
    match value(node, 0)? {
        Some(Value::Float(number)) => Ok(number),
        Some(Value::Integer(number)) => Ok(number as f64),
        _ => Err(Fault::format(node.offset(), name, format!("\"{name}\" is a number"))),
    }
}

fn whole(fields: &mut Object<'_>, name: &str) -> Result<u64, Fault> {
    whole_number(fields.required(name)?, name)
}

fn whole_number(node: Node<'_>, name: &str) -> Result<u64, Fault> {
    let what = format!("\"{name}\"");
    let expected = "a whole number";
    match check(node, &what, expected, |json| matches!(json, Json::Number(_)))? {
        Json::Number(text) => text
            .parse()
            .map_err(|_| Fault::format(node.offset(), name, format!("{what} is {expected}, not {text}"))),
        _ => unreachable!("checked to be a number"),
    }
}

pub(super) fn id(node: Node<'_>, what: &str) -> Result<ItemId, Fault> {
    let text = text(node, what)?;
    text.parse().map_err(|_| {
        Fault::format(node.offset(), what, format!("{what} is {AN_ID}, not \"{text}\"")).expected(AN_ID, text)
    })
}

fn text(node: Node<'_>, what: &str) -> Result<String, Fault> {
    match check(node, what, "text", |json| matches!(json, Json::Text(_)))? {
        Json::Text(text) => Ok(text),
        _ => unreachable!("checked to be text"),
    }
}

fn ids(fields: &mut Object<'_>, name: &str) -> Result<Vec<ItemId>, Fault> {
    let what = format!("\"{name}\"");
    fields.elements(name)?.into_iter().map(|node| id(node, &what)).collect()
}

pub(super) fn texts(fields: &mut Object<'_>, name: &str) -> Result<Vec<String>, Fault> {
    let what = format!("\"{name}\"");
    fields.elements(name)?.into_iter().map(|node| text(node, &what)).collect()
}
