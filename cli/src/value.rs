//! Values of attributes: as text for people, as JSON for programs, and read from `attr=value`.
//!
//! Knows the declared types of the contract, not the classes. Invariant: what is read as a type is printed so
//! that it can be read again.

use std::collections::BTreeMap;

use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::{Value, ValueList, ValueMap};
use jiff::SignedDuration;
use serde_json::Value as Json;

use crate::time;

/// As a person reads it: text bare, lists in brackets.
pub fn text(value: &Value) -> String {
    match &value.kind {
        None => String::new(),
        Some(Kind::Text(text)) => text.clone(),
        Some(Kind::Integer(number)) => number.to_string(),
        Some(Kind::Float(number)) => number.to_string(),
        Some(Kind::Boolean(truth)) => truth.to_string(),
        Some(Kind::TimestampUs(moment)) => timestamp(*moment),
        Some(Kind::DurationUs(length)) => duration(*length),
        Some(Kind::Bytes(bytes)) => hex(bytes),
        Some(Kind::List(list)) => {
            let values: Vec<String> = list.values.iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        Some(Kind::Map(map)) => {
            let values: Vec<String> =
                map.values.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
            format!("{{{}}}", values.join(", "))
        }
    }
}

/// As JSON: moments in RFC 3339, durations as `5s`, bytes in hexadecimal.
pub fn json(value: &Value) -> Json {
    match &value.kind {
        None => Json::Null,
        Some(Kind::Integer(number)) => (*number).into(),
        Some(Kind::Float(number)) if number.is_finite() => (*number).into(),
        Some(Kind::Boolean(truth)) => (*truth).into(),
        Some(Kind::List(list)) => list.values.iter().map(json).collect(),
        Some(Kind::Map(map)) => {
            Json::Object(map.values.iter().map(|(name, value)| (name.clone(), json(value))).collect())
        }
        Some(_) => text(value).into(),
    }
}

/// Attributes as a JSON object.
pub fn json_map(values: &BTreeMap<String, Value>) -> Json {
    Json::Object(values.iter().map(|(name, value)| (name.clone(), json(value))).collect())
}

fn timestamp(moment_us: i64) -> String {
    // 0 is a moment here, not "unknown".
    jiff::Timestamp::from_microsecond(moment_us)
        .map_or_else(|_| format!("{moment_us} µs"), |moment| moment.to_string())
}

fn duration(length_us: i64) -> String {
    let sign = if length_us < 0 { "-" } else { "" };
    let length = length_us.unsigned_abs();
    let (seconds, rest) = (length / 1_000_000, length % 1_000_000);
    if rest == 0 {
        return format!("{sign}{seconds}s");
    }
    let rest = format!("{rest:06}");
    format!("{sign}{seconds}.{}s", rest.trim_end_matches('0'))
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The type that an attribute is declared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Text,
    Integer,
    Float,
    Boolean,
    Timestamp,
    Duration,
    Bytes,
    List,
    Map,
}

impl Type {
    /// The type of that name; `None` for one that this shell does not know.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Type::Text,
            "integer" => Type::Integer,
            "float" => Type::Float,
            "boolean" => Type::Boolean,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "bytes" => Type::Bytes,
            "list" => Type::List,
            "map" => Type::Map,
            _ => return None,
        })
    }

    /// How such a value is written, for the one who wrote another.
    pub fn expected(self) -> &'static str {
        match self {
            Type::Text => "text",
            Type::Integer => "a whole number, such as 42",
            Type::Float => "a number, such as 1.5",
            Type::Boolean => "true or false",
            Type::Timestamp => "a moment, such as 2026-11-03T14:05:00Z or 2026-11-03 (UTC)",
            Type::Duration => "a length of time, such as 90s, 15m or 2h 30m",
            Type::Bytes => "bytes in hexadecimal, such as 00ff",
            Type::List => "values with commas between, such as a,b,c, or a JSON array",
            Type::Map => "a JSON object, such as {\"a\": 1}",
        }
    }

    /// Reads a value of this type; `None` where the text is not one.
    pub fn parse(self, text: &str) -> Option<Value> {
        let trimmed = text.trim();
        let kind = match self {
            Type::Text => Kind::Text(text.to_owned()),
            Type::Integer => Kind::Integer(trimmed.parse().ok()?),
            Type::Float => Kind::Float(trimmed.parse().ok().filter(|number: &f64| number.is_finite())?),
            Type::Boolean => Kind::Boolean(trimmed.parse().ok()?),
            Type::Timestamp => Kind::TimestampUs(time::parse(trimmed)?),
            Type::Duration => {
                let length: SignedDuration = trimmed.parse().ok()?;
                Kind::DurationUs(length.as_micros().try_into().ok()?)
            }
            Type::Bytes => Kind::Bytes(bytes(trimmed)?),
            Type::List if trimmed.starts_with('[') => of_json(&serde_json::from_str(trimmed).ok()?)?.kind?,
            Type::List => Kind::List(ValueList {
                values: trimmed.split(',').map(|part| of(Kind::Text(part.trim().to_owned()))).collect(),
            }),
            Type::Map => {
                let object: Json = serde_json::from_str(trimmed).ok().filter(Json::is_object)?;
                of_json(&object)?.kind?
            }
        };
        Some(of(kind))
    }
}

fn of(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|place| u8::from_str_radix(&text[place..place + 2], 16).ok()).collect()
}

fn of_json(json: &Json) -> Option<Value> {
    let kind = match json {
        Json::Null => return Some(Value { kind: None }),
        Json::Bool(truth) => Kind::Boolean(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Kind::Integer(whole),
            None => Kind::Float(number.as_f64()?),
        },
        Json::String(text) => Kind::Text(text.clone()),
        Json::Array(values) => {
            Kind::List(ValueList { values: values.iter().map(of_json).collect::<Option<_>>()? })
        }
        Json::Object(values) => Kind::Map(ValueMap {
            values: values
                .iter()
                .map(|(name, value)| Some((name.clone(), of_json(value)?)))
                .collect::<Option<_>>()?,
        }),
    };
    Some(of(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(declared: Type, given: &str, expected: Option<&str>) {
        let read = declared.parse(given).map(|value| json(&value).to_string());
        assert_eq!(read.as_deref(), expected, "{declared:?} from {given:?}");
    }

    #[test]
    fn text_is_read_by_the_declared_type() {
        check(Type::Text, " 42 ", Some("\" 42 \""));
        check(Type::Integer, "42", Some("42"));
        check(Type::Integer, "4.2", None);
        check(Type::Integer, "99999999999999999999", None);
        check(Type::Float, "4", Some("4.0"));
        check(Type::Float, "inf", None);
        check(Type::Boolean, "true", Some("true"));
        check(Type::Boolean, "yes", None);
        check(Type::Timestamp, "2026-11-03", Some("\"2026-11-03T00:00:00Z\""));
        check(Type::Timestamp, "soon", None);
        check(Type::Duration, "2h 30m", Some("\"9000s\""));
        check(Type::Duration, "1.5s", Some("\"1.5s\""));
        check(Type::Duration, "-250ms", Some("\"-0.25s\""));
        check(Type::Duration, "5", None);
        check(Type::Bytes, "00ff", Some("\"00ff\""));
        check(Type::Bytes, "00f", None);
        check(Type::Bytes, "zz", None);
        check(Type::Bytes, "+f+f", None);
        check(Type::List, "a, b,c", Some("[\"a\",\"b\",\"c\"]"));
        check(Type::List, "[1, \"b\"]", Some("[1,\"b\"]"));
        check(Type::List, "[1,", None);
        check(Type::Map, "{\"a\": 1}", Some("{\"a\":1}"));
        check(Type::Map, "[1]", None);
    }

    #[test]
    fn what_is_printed_for_people_reads_plainly() {
        let list = Type::List.parse("a,b").expect("a list");
        assert_eq!(text(&list), "[a, b]");
        assert_eq!(text(&of(Kind::TimestampUs(0))), "1970-01-01T00:00:00Z");
        assert_eq!(text(&of(Kind::Float(f64::NAN))), "NaN");
        assert_eq!(json(&of(Kind::Float(f64::NAN))), Json::from("NaN"));
        assert_eq!(text(&of(Kind::DurationUs(i64::MIN))), "-9223372036854.775808s");
    }
}
