//! The messages of the contract as JSON, with the field names that `docs/formats.md` promises.
//!
//! Invariant: a moment is RFC 3339 in UTC, or null where it is not known; an id is written `@42`.

use std::io::{self, Write};

use cmdb_proto::v1::{
    self as wire, Change, Commit, Coverage, GraphItem, Identification, Item, RedundancyGroup, Relationship,
    Via,
};
use serde_json::{Map, Value as Json, json};

use crate::time::rfc3339;
use crate::value;

/// One object, indented, and a line break.
pub fn write(out: &mut dyn Write, object: &Json) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, object)?;
    writeln!(out)
}

/// An object written field by field, a line each, so that a list of a million things is never whole in memory.
pub struct Object<'a> {
    out: &'a mut dyn Write,
    place: Place,
}

/// Where the writing of an object stands, so that it can go on later.
#[derive(Clone, Copy)]
pub struct Place {
    is_first_field: bool,
    is_first_element: bool,
}

impl<'a> Object<'a> {
    pub fn open(out: &'a mut dyn Write) -> io::Result<Self> {
        write!(out, "{{")?;
        Ok(Object { out, place: Place { is_first_field: true, is_first_element: true } })
    }

    /// Goes on where [`Object::pause`] stopped.
    pub fn resume(out: &'a mut dyn Write, place: Place) -> Self {
        Object { out, place }
    }

    pub fn pause(self) -> Place {
        self.place
    }

    pub fn field(&mut self, name: &str, value: impl Into<Json>) -> io::Result<()> {
        self.name(name)?;
        serde_json::to_writer(&mut *self.out, &value.into())?;
        Ok(())
    }

    /// A list of things, one a line.
    pub fn list(&mut self, name: &str, things: impl Iterator<Item = Json>) -> io::Result<()> {
        self.open_list(name)?;
        for thing in things {
            self.element(&thing)?;
        }
        self.close_list()
    }

    pub fn open_list(&mut self, name: &str) -> io::Result<()> {
        self.name(name)?;
        self.place.is_first_element = true;
        write!(self.out, "[")
    }

    pub fn element(&mut self, thing: &Json) -> io::Result<()> {
        let comma = if self.place.is_first_element { "" } else { "," };
        self.place.is_first_element = false;
        write!(self.out, "{comma}\n    ")?;
        serde_json::to_writer(&mut *self.out, thing)?;
        Ok(())
    }

    pub fn close_list(&mut self) -> io::Result<()> {
        write!(self.out, "{}]", if self.place.is_first_element { "" } else { "\n  " })
    }

    pub fn close(self) -> io::Result<()> {
        writeln!(self.out, "\n}}")
    }

    fn name(&mut self, name: &str) -> io::Result<()> {
        let comma = if self.place.is_first_field { "" } else { "," };
        self.place.is_first_field = false;
        write!(self.out, "{comma}\n  \"{name}\": ")
    }
}

/// One object on one line.
pub fn write_line(out: &mut dyn Write, object: &Json) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    writeln!(out)
}

/// An item as the graph's answers name it.
pub fn graph_item(item: &GraphItem) -> Map<String, Json> {
    let mut object = Map::new();
    for (name, text) in [("id", &item.id), ("key", &item.key), ("class", &item.class), ("name", &item.name)] {
        object.insert(name.to_owned(), text.as_str().into());
    }
    object
}

/// What carried a walk to an item.
pub fn via(via: &Via) -> Json {
    json!({"id": via.id, "key": via.key, "name": via.name, "type": via.r#type, "group": or_null(&via.group), "stale": via.stale})
}

/// How far the graph behind an answer is known.
pub fn coverage(coverage: Option<&Coverage>) -> Json {
    let coverage = coverage.copied().unwrap_or_default();
    json!({
        "observed_since": rfc3339(coverage.observed_since_us),
        "hosts_without_agent": coverage.hosts_without_agent,
        "external_endpoints": coverage.external_endpoints,
        "stale_relationships": coverage.stale_relationships,
    })
}

/// An item with its effective attributes, and what else was asked for.
pub fn item(item: &Item) -> Json {
    let attributes: Map<String, Json> = item
        .attributes
        .iter()
        .map(|(name, effective)| {
            let value = effective.value.as_ref().map(value::json);
            let observed_at = rfc3339(effective.observed_at_us);
            let pin = effective.pin.as_ref().map(pin);
            let said = json!({
                "value": value,
                "source": effective.source,
                "observed_at": observed_at,
                "pin": pin,
                "stale": effective.stale,
            });
            (name.clone(), said)
        })
        .collect();
    json!({
        "id": item.id,
        "key": item.key,
        "source": item.source,
        "class": item.class,
        "name": item.name,
        "status": status(item.status),
        "attributes": attributes,
        "revision": item.revision,
        "first_seen": rfc3339(item.first_seen_us),
        "last_seen": rfc3339(item.last_seen_us),
        "duplicates": item.duplicates,
        "purged": item.purged.iter().map(purged).collect::<Vec<_>>(),
    })
}

/// What is left of a value that was erased.
fn purged(purged: &wire::Purged) -> Json {
    json!({
        "attribute": purged.attribute,
        "by": purged.by,
        "at": rfc3339(purged.at_us),
        "reason": purged.reason,
        "revision": purged.revision,
        "suppressed": purged.suppressed,
    })
}

fn pin(pin: &wire::Pin) -> Json {
    json!({"since": rfc3339(pin.since_us), "until": rfc3339(pin.until_us), "reason": pin.reason})
}

/// What one source says of an item.
pub fn claim(claim: &wire::SourceClaim) -> Json {
    json!({
        "source": claim.source,
        "key": claim.key,
        "class": claim.class,
        "name": claim.name,
        "attributes": value::json_map(&claim.attributes),
        "first_seen": rfc3339(claim.first_seen_us),
        "observed_at": rfc3339(claim.observed_at_us),
        "withdrawn_at": rfc3339(claim.withdrawn_at_us),
        "confirmed_at": rfc3339(claim.confirmed_at_us),
        "effective": claim.effective,
        "stale": claim.stale,
        "nulls": claim.nulls,
        "pins": claim.pins.iter().map(|(name, how)| (name.clone(), pin(how))).collect::<Map<String, Json>>(),
        "identification": claim.identification.as_ref().map(identification),
    })
}

/// How an item was found.
pub fn identification(identification: &Identification) -> Json {
    json!({
        "method": lower(identification.method().as_str_name()),
        "rule": identification.rule,
        "values": identification.values,
        "candidates": identification.candidates,
        "skipped": identification.skipped,
    })
}

pub fn relationship(relationship: &Relationship) -> Json {
    json!({
        "from": {"id": relationship.from, "key": relationship.from_key, "class": relationship.from_class, "name": relationship.from_name},
        "type": relationship.r#type,
        "to": {"id": relationship.to, "key": relationship.to_key, "class": relationship.to_class, "name": relationship.to_name},
        "group": or_null(&relationship.group),
        "weight": relationship.weight,
        "inferred": relationship.inferred,
        "confidence": relationship.confidence,
        "denied": relationship.denied,
        "status": status(relationship.status),
        "attributes": value::json_map(&relationship.attributes),
        "sources": relationship.sources,
        "first_seen": rfc3339(relationship.first_seen_us),
        "last_seen": rfc3339(relationship.last_seen_us),
        "stale": relationship.stale,
    })
}

pub fn redundancy(group: &RedundancyGroup) -> Json {
    json!({
        "group": group.group,
        "require": group.require,
        "members": group.members,
        "inferred": group.inferred,
        "confidence": group.confidence,
        "source": group.source,
        "evidence": or_null(&group.evidence),
        "rejected": group.rejected,
    })
}

pub fn commit(commit: &Commit) -> Json {
    json!({
        "revision": commit.revision,
        "recorded_at": rfc3339(commit.recorded_at_us),
        "actor": commit.actor,
        "reason": or_null(&commit.reason),
        "changes": changes(&commit.changes),
        "changes_total": commit.changes_total,
        "hash": value::hex(&commit.hash),
    })
}

pub fn changes(changes: &[Change]) -> Json {
    changes.iter().map(change).collect()
}

/// One change.
pub fn change(change: &Change) -> Json {
    let attributes: Vec<Json> = change
        .attributes
        .iter()
        .map(|attribute| {
            let side = |value: &Option<wire::Value>| value.as_ref().map(value::json);
            let (before, after) = (side(&attribute.before), side(&attribute.after));
            json!({"name": attribute.name, "before": before, "after": after, "source": or_null(&attribute.source)})
        })
        .collect();
    json!({
        "kind": lower(change.kind().as_str_name()),
        "item": {"id": change.item, "class": change.item_class, "name": change.item_name},
        "attributes": attributes,
        "relationship": change.relationship.as_ref().map(relationship),
        "status_before": status(change.status_before),
        "status_after": status(change.status_after),
        "notes": change.notes,
        "purged": change.purged.iter().map(purged).collect::<Vec<_>>(),
    })
}

/// The name of a status, or null where there is none.
fn status(status: i32) -> Json {
    match status_name(status) {
        "" => Json::Null,
        name => name.into(),
    }
}

/// `active`, `stopped`, `missing`, `retired`; empty where there is none.
pub fn status_name(status: i32) -> &'static str {
    match wire::Status::try_from(status) {
        Ok(wire::Status::Active) => "active",
        Ok(wire::Status::Stopped) => "stopped",
        Ok(wire::Status::Missing) => "missing",
        Ok(wire::Status::Retired) => "retired",
        Ok(wire::Status::Unspecified) | Err(_) => "",
    }
}

/// The text, or null where it is empty.
pub fn or_null(text: &str) -> Json {
    if text.is_empty() { Json::Null } else { text.into() }
}

/// An enum's name in the contract, in the lower case of the JSON formats; an unspecified one is null.
fn lower(name: &str) -> Json {
    if name.ends_with("_UNSPECIFIED") { Json::Null } else { name.to_ascii_lowercase().into() }
}
