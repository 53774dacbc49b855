//! Typed values.

use std::collections::BTreeMap;

use cmdb_core::model::value::Attributes;
use cmdb_core::model::{Problem, Reason, Timestamp, Value};
use cmdb_proto::v1;
use cmdb_proto::v1::value::Kind;

/// Lists and maps within each other, at most.
pub const VALUE_DEPTH_MAX: usize = 16;

/// A value as it came in; `None`: a null, which says nothing.
///
/// # Errors
/// When values lie too deep within each other, or a number is none.
pub fn value_from(value: v1::Value, thing: &str) -> Result<Option<Value>, Problem> {
    read(value, thing, VALUE_DEPTH_MAX)
}

fn read(value: v1::Value, thing: &str, depth: usize) -> Result<Option<Value>, Problem> {
    let Some(kind) = value.kind else { return Ok(None) };
    let deeper = || {
        depth.checked_sub(1).ok_or_else(|| {
            Problem::new(Reason::LimitExceeded, "lists and maps lie too deep within each other", thing)
                .expected(format!("at most {VALUE_DEPTH_MAX} levels"), "more")
        })
    };
    let value = match kind {
        Kind::Text(text) => Value::Text(text),
        Kind::Integer(number) => Value::Integer(number),
        Kind::Float(number) if number.is_finite() => Value::Float(number),
        Kind::Float(number) => {
            return Err(Problem::new(Reason::ValueType, format!("{number} is not a number"), thing)
                .expected("a finite number", number.to_string())
                .hint("leave the attribute out where there is no value"));
        }
        Kind::Boolean(truth) => Value::Boolean(truth),
        Kind::TimestampUs(moment) => Value::Timestamp(Timestamp(moment)),
        Kind::DurationUs(length) => Value::DurationUs(length),
        Kind::Bytes(bytes) => Value::Bytes(bytes),
        Kind::List(list) => {
            let depth = deeper()?;
            let values = list.values.into_iter().filter_map(|value| read(value, thing, depth).transpose());
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Kind::Map(map) => {
            let depth = deeper()?;
            let mut values = BTreeMap::new();
            for (name, value) in map.values {
                if let Some(value) = read(value, thing, depth)? {
                    values.insert(name, value);
                }
            }
            Value::Map(values)
        }
    };
    Ok(Some(value))
}

/// A value as it goes out.
pub fn value_to(value: &Value) -> v1::Value {
    let kind = match value {
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Integer(number) => Kind::Integer(*number),
        Value::Float(number) => Kind::Float(*number),
        Value::Boolean(truth) => Kind::Boolean(*truth),
        Value::Timestamp(moment) => Kind::TimestampUs(moment.0),
        Value::DurationUs(length) => Kind::DurationUs(*length),
        Value::Bytes(bytes) => Kind::Bytes(bytes.clone()),
        Value::List(values) => Kind::List(v1::ValueList { values: values.iter().map(value_to).collect() }),
        Value::Map(values) => Kind::Map(v1::ValueMap { values: attributes_to(values) }),
    };
    v1::Value { kind: Some(kind) }
}

/// Attributes as they go out.
pub fn attributes_to(attributes: &Attributes) -> BTreeMap<String, v1::Value> {
    attributes.iter().map(|(name, value)| (name.clone(), value_to(value))).collect()
}
