//! Values in order: among themselves, and against what a filter says.

use std::cmp::Ordering;

use super::Literal;
use crate::model::duration;
use crate::model::time::Timestamp;
use crate::model::value::{Value, ValueType};

/// The order of two values for sorting. Numbers compare as numbers, texts naturally (`9.6` before `15.4`); values of
/// different types by type, so that the order is total.
#[must_use]
pub fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Integer(one), Value::Integer(other)) => one.cmp(other),
        (Value::Integer(_) | Value::Float(_), Value::Integer(_) | Value::Float(_)) => {
            as_float(one).total_cmp(&as_float(other))
        }
        (Value::Text(one), Value::Text(other)) => natural(one, other),
        (Value::Boolean(one), Value::Boolean(other)) => one.cmp(other),
        (Value::Timestamp(one), Value::Timestamp(other)) => one.cmp(other),
        (Value::DurationUs(one), Value::DurationUs(other)) => one.cmp(other),
        (Value::Bytes(one), Value::Bytes(other)) => one.cmp(other),
        (Value::List(one), Value::List(other)) => sequence(one.iter(), other.iter(), compare),
        (Value::Map(one), Value::Map(other)) => sequence(one.iter(), other.iter(), |one, other| {
            natural(one.0, other.0).then_with(|| compare(one.1, other.1))
        }),
        _ => place(one).cmp(&place(other)),
    }
}

fn as_float(value: &Value) -> f64 {
    match value {
        Value::Integer(number) => *number as f64,
        // Adding zero turns -0 into 0.
        Value::Float(number) => number + 0.0,
        _ => 0.0,
    }
}

fn place(value: &Value) -> u8 {
    match value {
        Value::Boolean(_) => 0,
        Value::Integer(_) | Value::Float(_) => 1,
        Value::DurationUs(_) => 2,
        Value::Timestamp(_) => 3,
        Value::Text(_) => 4,
        Value::Bytes(_) => 5,
        Value::List(_) => 6,
        Value::Map(_) => 7,
    }
}

fn sequence<T>(
    mut one: impl Iterator<Item = T>,
    mut other: impl Iterator<Item = T>,
    compare: impl Fn(T, T) -> Ordering,
) -> Ordering {
    loop {
        match (one.next(), other.next()) {
            (Some(one), Some(other)) => match compare(one, other) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
            (one, other) => return one.is_some().cmp(&other.is_some()),
        }
    }
}

/// The order of two texts in which runs of digits count as numbers; texts that differ only in leading zeros go by their
/// characters.
#[must_use]
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while !left.is_empty() && !right.is_empty() {
        let (left_run, left_rest) = run(left);
        let (right_run, right_rest) = run(right);
        let order = match (is_number(left_run), is_number(right_run)) {
            (true, true) => number(left_run, right_run),
            _ => left_run.cmp(right_run),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The digits, or the one character, that a text begins with, and the rest.
fn run(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let length = if digits > 0 { digits } else { text.chars().next().map_or(0, char::len_utf8) };
    text.split_at(length)
}

fn is_number(run: &str) -> bool {
    run.starts_with(|c: char| c.is_ascii_digit())
}

/// Digits of any length as numbers.
fn number(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// Whether a value is what a filter says. Of a text the characters count, whatever the literal looks like: the version
/// `12` equals `12` and `"12"`.
pub(super) fn equal(value: &Value, literal: &Literal) -> bool {
    against(value, literal) == Some(Ordering::Equal)
}

/// The order of a value against what a filter says; `None` when they cannot be compared.
pub(super) fn against(value: &Value, literal: &Literal) -> Option<Ordering> {
    match value {
        Value::Text(text) if *text == literal.text => Some(Ordering::Equal),
        value => typed(literal, value.type_of()).map(|literal| compare(value, &literal)),
    }
}

/// The value that a literal is for an attribute of a type.
pub(super) fn typed(literal: &Literal, wanted: ValueType) -> Option<Value> {
    let text = literal.text.trim();
    match wanted {
        ValueType::Text => Some(Value::Text(literal.text.clone())),
        ValueType::Integer | ValueType::Float => match &literal.value {
            Value::Integer(_) | Value::Float(_) => Some(literal.value.clone()),
            Value::Text(_) => match text.parse::<i64>() {
                Ok(number) => Some(Value::Integer(number)),
                Err(_) => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float),
            },
            _ => None,
        },
        ValueType::Boolean => text.parse().ok().map(Value::Boolean),
        ValueType::Timestamp => moment(text).map(Value::Timestamp),
        ValueType::Duration => duration::parse_us(text).map(Value::DurationUs),
        ValueType::Bytes => crate::model::schema::bytes_from_hex(text).map(Value::Bytes),
        ValueType::List | ValueType::Map => None,
    }
}

/// RFC 3339, or a date alone: its beginning in UTC.
fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::from_rfc3339(text)
        .or_else(|_| match text.len() {
            10 => Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")),
            _ => Timestamp::from_rfc3339(text),
        })
        .ok()
}
