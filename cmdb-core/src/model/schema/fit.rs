//! Values against their declaration.

use super::{Attribute, Schema};
use crate::model::duration;
use crate::model::problem::{Problem, Reason};
use crate::model::time::Timestamp;
use crate::model::value::{Value, ValueType};

/// The most characters of a given value that a message repeats.
const GIVEN_CHARACTERS_MAX: usize = 80;
/// Whole numbers up to this size are exact as floats.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

impl Schema {
    /// The value as the attribute is declared: a whole number where a number is wanted, RFC 3339 text where a moment
    /// is wanted, `"2h"` where a length of time is wanted. Attributes that the class does not declare are
    /// accepted as given.
    ///
    /// # Errors
    /// [`Reason::ValueType`] with the attribute, the expected type, the given type and value.
    pub fn fit(&self, class: &str, attribute: &str, value: Value) -> Result<Value, Problem> {
        let Some(declared) = self.attribute(class, attribute) else { return finite(attribute, value) };
        convert(declared.value_type, value)
            .and_then(|value| elements(declared, value))
            .map_err(|given| misfit(declared, &given))
    }

    /// The value that a text means for the attribute, as in a CSV cell or on a command line. Lists are written as a
    /// JSON array or with `;` between the elements, maps as a JSON object or as `name=value;name=value`.
    /// Attributes that the class does not declare are text.
    ///
    /// # Errors
    /// [`Reason::ValueType`] with the attribute, the expected type and the text.
    pub fn parse_text(&self, class: &str, attribute: &str, text: &str) -> Result<Value, Problem> {
        let Some(declared) = self.attribute(class, attribute) else {
            return Ok(Value::Text(text.to_owned()));
        };
        read(declared, text).ok_or_else(|| misfit(declared, &Value::Text(text.to_owned())))
    }
}

/// The value as the type wants it, or the value that does not fit.
fn convert(wanted: ValueType, value: Value) -> Result<Value, Value> {
    match (wanted, value) {
        (_, Value::Float(number)) if !number.is_finite() => Err(Value::Float(number)),
        (wanted, value) if wanted == value.type_of() => Ok(value),
        (ValueType::Float, Value::Integer(number)) => Ok(Value::Float(number as f64)),
        (ValueType::Integer, Value::Float(number)) => {
            whole(number).map(Value::Integer).ok_or(Value::Float(number))
        }
        (ValueType::Timestamp, Value::Text(text)) => match Timestamp::from_rfc3339(text.trim()) {
            Ok(moment) => Ok(Value::Timestamp(moment)),
            Err(_) => Err(Value::Text(text)),
        },
        (ValueType::Duration, Value::Text(text)) => {
            duration::parse_us(&text).map(Value::DurationUs).ok_or(Value::Text(text))
        }
        (ValueType::Bytes, Value::Text(text)) => {
            bytes_from_hex(&text).map(Value::Bytes).ok_or(Value::Text(text))
        }
        (_, value) => Err(value),
    }
}

/// The whole number that a float is exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and within ±2^53")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i64)
}

/// The elements of a list as its declaration wants them.
fn elements(declared: &Attribute, value: Value) -> Result<Value, Value> {
    match (declared.element, value) {
        (Some(wanted), Value::List(values)) => {
            values.into_iter().map(|value| convert(wanted, value)).collect::<Result<_, _>>().map(Value::List)
        }
        (_, value) => Ok(value),
    }
}

fn finite(attribute: &str, value: Value) -> Result<Value, Problem> {
    match value {
        Value::Float(number) if !number.is_finite() => {
            let message = format!("attribute \"{attribute}\" is not a number: {number}");
            Err(Problem::new(Reason::ValueType, message, attribute).expected("a number", number.to_string()))
        }
        value => Ok(value),
    }
}

fn read(declared: &Attribute, text: &str) -> Option<Value> {
    match declared.value_type {
        ValueType::List => {
            let value = structured(text, '[').unwrap_or_else(|| split(text, declared.element))?;
            elements(declared, value).ok()
        }
        ValueType::Map => structured(text, '{').unwrap_or_else(|| pairs(text)),
        wanted => scalar(wanted, text),
    }
}

/// A text as a value of a type that is neither list nor map.
fn scalar(wanted: ValueType, text: &str) -> Option<Value> {
    let plain = text.trim();
    match wanted {
        ValueType::Text => Some(Value::Text(text.to_owned())),
        ValueType::Integer => plain.parse().ok().map(Value::Integer),
        ValueType::Float => plain.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
        ValueType::Boolean => match plain.to_lowercase().as_str() {
            "true" | "yes" => Some(Value::Boolean(true)),
            "false" | "no" => Some(Value::Boolean(false)),
            _ => None,
        },
        ValueType::Timestamp | ValueType::Duration | ValueType::Bytes => {
            convert(wanted, Value::Text(plain.to_owned())).ok()
        }
        ValueType::List | ValueType::Map => None,
    }
}

/// JSON, when the text begins like it. The outer option: whether it does; the inner: whether it is valid.
fn structured(text: &str, opening: char) -> Option<Option<Value>> {
    let text = text.trim();
    text.starts_with(opening)
        .then(|| serde_json::from_str::<serde_json::Value>(text).ok().and_then(from_json))
}

fn from_json(json: serde_json::Value) -> Option<Value> {
    Some(match json {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(truth) => Value::Boolean(truth),
        serde_json::Value::Number(number) => {
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Float))?
        }
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(values) => {
            Value::List(values.into_iter().map(from_json).collect::<Option<_>>()?)
        }
        serde_json::Value::Object(values) => Value::Map(
            values
                .into_iter()
                .map(|(name, value)| from_json(value).map(|value| (name, value)))
                .collect::<Option<_>>()?,
        ),
    })
}

fn split(text: &str, element: Option<ValueType>) -> Option<Value> {
    let wanted = element.unwrap_or(ValueType::Text);
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| scalar(wanted, part)).collect::<Option<_>>().map(Value::List)
}

fn pairs(text: &str) -> Option<Value> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=')?;
            Some((name.trim().to_owned(), Value::Text(value.trim().to_owned())))
        })
        .collect::<Option<_>>()
        .map(Value::Map)
}

/// Bytes from pairs of hexadecimal digits.
#[must_use]
pub fn bytes_from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

fn misfit(declared: &Attribute, given: &Value) -> Problem {
    let expected = match (declared.value_type, declared.element) {
        (ValueType::List, Some(element)) => format!("list of {element}"),
        (wanted, _) => wanted.to_string(),
    };
    let shown: String = given.to_string().chars().take(GIVEN_CHARACTERS_MAX).collect();
    let (name, given_type) = (&declared.name, given.type_of());
    let message = format!("attribute \"{name}\" is {expected}, not {given_type} \"{shown}\"");
    let problem = Problem::new(Reason::ValueType, message, name.as_str())
        .expected(expected, format!("{given_type} \"{shown}\""));
    match declared.value_type {
        ValueType::Timestamp => problem.hint("write it in RFC 3339, such as \"2026-11-22T10:00:00Z\""),
        ValueType::Duration => problem.hint(format!("write {}", duration::EXPECTED)),
        ValueType::Bytes => problem.hint("write pairs of hexadecimal digits"),
        ValueType::Text if matches!(given, Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => {
            problem.hint(format!("write it in quotes: \"{shown}\""))
        }
        ValueType::Integer | ValueType::Float if shown.trim().parse::<i64>().is_ok() => {
            problem.hint(format!("write it without quotes: {}", shown.trim()))
        }
        ValueType::Integer => problem.hint("write a whole number, without a unit"),
        ValueType::Float => problem.hint("write a number, without a unit"),
        _ => problem,
    }
}
