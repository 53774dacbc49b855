//! JSON as values of attributes and back. What JSON has no type for is tagged: `{"$timestamp": "…"}`,
//! `{"$duration_us": 5}`, `{"$bytes": "00ff"}`, `{"$float": "inf"}`; a map that would look like a tag is wrapped:
//! `{"$map": {…}}`.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::VALUE_DEPTH_MAX;
use super::json::{Json, Member, Node};
use super::problem::Fault;
use crate::claim::ATTRIBUTES_MAX;
use crate::model::schema::bytes_from_hex;
use crate::model::value::Attributes;
use crate::model::{Problem, Reason, Schema, Timestamp, Value};

/// Attributes by name. With a schema: each fitted to the declaration of the class.
pub(super) fn attributes(
    members: Vec<Member<'_>>,
    fit: Option<(&Schema, &str)>,
) -> Result<Attributes, Fault> {
    let mut attributes = Attributes::new();
    if let Some(member) = members.get(ATTRIBUTES_MAX) {
        let message = format!("more than {ATTRIBUTES_MAX} attributes");
        let problem = Problem::new(Reason::LimitExceeded, message, "attributes");
        return Err(Fault::new(member.offset, problem));
    }
    for Member { name, offset, node } in members {
        if attributes.contains_key(&name) {
            return Err(Fault::format(offset, &name, format!("attribute \"{name}\" is given twice")));
        }
        if name.is_empty() {
            return Err(Fault::format(offset, &name, "an attribute has no name"));
        }
        // Null says nothing, and never overwrites.
        let Some(value) = value(node, 0)? else { continue };
        let value = match fit {
            Some((schema, class)) => {
                schema.fit(class, &name, value).map_err(|problem| Fault::new(node.offset(), problem))?
            }
            None => value,
        };
        attributes.insert(name, value);
    }
    Ok(attributes)
}

/// The value at a node; `None`: null.
pub(super) fn value(node: Node<'_>, depth: usize) -> Result<Option<Value>, Fault> {
    if depth == VALUE_DEPTH_MAX {
        let message = format!("a value is nested deeper than {VALUE_DEPTH_MAX}");
        return Err(Fault::new(node.offset(), Problem::new(Reason::LimitExceeded, message, "value")));
    }
    Ok(Some(match node.read()? {
        Json::Null => return Ok(None),
        Json::Boolean(truth) => Value::Boolean(truth),
        Json::Number(text) => number(text, node.offset())?,
        Json::Text(text) => Value::Text(text),
        Json::List(nodes) => {
            let values = nodes.into_iter().filter_map(|node| value(node, depth + 1).transpose());
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => match members.as_slice() {
            [only] if only.name.starts_with('$') => tagged(only, depth)?,
            _ => Value::Map(map(members, depth)?),
        },
    }))
}

fn map(members: Vec<Member<'_>>, depth: usize) -> Result<BTreeMap<String, Value>, Fault> {
    let mut values = BTreeMap::new();
    for Member { name, offset, node } in members {
        if values.contains_key(&name) {
            return Err(Fault::format(offset, &name, format!("\"{name}\" is given twice")));
        }
        if let Some(value) = value(node, depth + 1)? {
            values.insert(name, value);
        }
    }
    Ok(values)
}

/// Whole where it is written so and fits, exact as far as a float is.
fn number(text: &str, offset: usize) -> Result<Value, Fault> {
    let whole = !text.contains(['.', 'e', 'E']);
    match text.parse::<i64>() {
        Ok(number) if whole => return Ok(Value::Integer(number)),
        _ => {}
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float).ok_or_else(|| {
        let problem = Problem::new(Reason::ValueType, format!("the number {text} is too large"), "number");
        Fault::new(offset, problem)
    })
}

/// A value that JSON has no type for.
fn tagged(member: &Member<'_>, depth: usize) -> Result<Value, Fault> {
    let inner = member.node.read()?;
    let refuse = |expected: &str| {
        let tag = &member.name;
        Fault::format(member.node.offset(), tag, format!("\"{tag}\" is {expected}, not {}", inner.kind()))
            .expected(expected, inner.kind())
    };
    let tagged = match (member.name.as_str(), &inner) {
        ("$timestamp", _) => {
            moment(&inner).map(Value::Timestamp).ok_or_else(|| refuse("a moment in RFC 3339"))?
        }
        ("$duration_us", Json::Number(text)) => {
            text.parse().map(Value::DurationUs).map_err(|_| refuse("a whole number of microseconds"))?
        }
        ("$duration_us", _) => return Err(refuse("a whole number of microseconds")),
        ("$bytes", Json::Text(text)) => {
            bytes_from_hex(text).map(Value::Bytes).ok_or_else(|| refuse("pairs of hexadecimal digits"))?
        }
        ("$bytes", _) => return Err(refuse("pairs of hexadecimal digits")),
        ("$float", Json::Text(text)) => {
            text.parse().map(Value::Float).map_err(|_| refuse("inf, -inf or NaN"))?
        }
        ("$float", _) => return Err(refuse("inf, -inf or NaN")),
        ("$map", Json::Object(_)) => {
            let Json::Object(members) = inner else { unreachable!("just seen") };
            Value::Map(map(members, depth)?)
        }
        _ => Value::Map(
            value(member.node, depth + 1)?.map(|value| (member.name.clone(), value)).into_iter().collect(),
        ),
    };
    Ok(tagged)
}

/// A moment: RFC 3339, or microseconds where the calendar ends.
pub(super) fn moment(json: &Json<'_>) -> Option<Timestamp> {
    match json {
        Json::Text(text) => Timestamp::from_rfc3339(text).ok(),
        Json::Number(text) => text.parse().ok().map(Timestamp),
        _ => None,
    }
}

/// A moment on its way out.
pub(super) struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.to_string();
        match Timestamp::from_rfc3339(&text) {
            Ok(same) if same == self.0 => serializer.serialize_str(&text),
            _ => serializer.serialize_i64(self.0.0),
        }
    }
}

/// A value on its way out.
pub(super) struct Outgoing<'v>(pub &'v Value);

impl Serialize for Outgoing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Text(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.serialize_i64(*number),
            Value::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Float(number) => tag(serializer, "$float", &number.to_string()),
            Value::Boolean(truth) => serializer.serialize_bool(*truth),
            Value::Timestamp(moment) => tag(serializer, "$timestamp", &Moment(*moment)),
            Value::DurationUs(length) => tag(serializer, "$duration_us", length),
            Value::Bytes(_) => tag(serializer, "$bytes", &self.0.to_string()),
            Value::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                values.iter().try_for_each(|value| list.serialize_element(&Outgoing(value)))?;
                list.end()
            }
            Value::Map(values) if looks_tagged(values) => tag(serializer, "$map", &OutgoingMap(values)),
            Value::Map(values) => OutgoingMap(values).serialize(serializer),
        }
    }
}

fn looks_tagged(values: &BTreeMap<String, Value>) -> bool {
    values.len() == 1 && values.keys().all(|name| name.starts_with('$'))
}

fn tag<S: Serializer>(serializer: S, name: &str, value: &impl Serialize) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, value)?;
    map.end()
}

/// Named values on their way out.
pub(super) struct OutgoingMap<'v>(pub &'v BTreeMap<String, Value>);

impl OutgoingMap<'_> {
    /// For serde: whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for OutgoingMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, Outgoing(value))))
    }
}
