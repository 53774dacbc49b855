//! Whether an item fulfils a condition.

use std::cmp::Ordering;

use super::compare::{against, equal};
use super::{Literal, Node, Operator};
use crate::model::Value;

type ValueOf<'v> = &'v dyn Fn(&str) -> Option<Value>;

pub(super) fn holds(node: &Node, value: ValueOf<'_>, class_is: &dyn Fn(&str) -> bool) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| holds(node, value, class_is)),
        Node::Or(nodes) => nodes.iter().any(|node| holds(node, value, class_is)),
        Node::Not(node) => !holds(node, value, class_is),
        Node::Has(attribute) => find(attribute, value).is_some(),
        Node::ClassIs(class) => class_is(&class.text),
        Node::Compare { attribute, operator, literal } => {
            compares(find(attribute, value).as_ref(), *operator, literal)
        }
        Node::In(attribute, literals) => find(attribute, value)
            .is_some_and(|value| literals.iter().any(|literal| any(&value, &|value| equal(value, literal)))),
    }
}

/// The attribute, or what lies under the rest of its name in a map.
fn find(name: &str, value: ValueOf<'_>) -> Option<Value> {
    value(name).or_else(|| {
        name.match_indices('.').find_map(|(dot, _)| match value(&name[..dot])? {
            Value::Map(values) => inside(&values, &name[dot + 1..]).cloned(),
            _ => None,
        })
    })
}

fn inside<'m>(values: &'m std::collections::BTreeMap<String, Value>, name: &str) -> Option<&'m Value> {
    values.get(name).or_else(|| {
        name.match_indices('.').find_map(|(dot, _)| match values.get(&name[..dot])? {
            Value::Map(values) => inside(values, &name[dot + 1..]),
            _ => None,
        })
    })
}

fn compares(value: Option<&Value>, operator: Operator, literal: &Literal) -> bool {
    let Some(value) = value else { return operator == Operator::NotEqual };
    let ordered = |fits: fn(Ordering) -> bool| any(value, &|value| against(value, literal).is_some_and(fits));
    match operator {
        Operator::Equal => any(value, &|value| equal(value, literal)),
        Operator::NotEqual => !any(value, &|value| equal(value, literal)),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        Operator::Contains => any(value, &|value| contains(value, &literal.text)),
    }
}

/// Whether it is so of the value, or of any in it.
fn any(value: &Value, so: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::List(values) => values.iter().any(|value| any(value, so)),
        Value::Map(values) => values.values().any(|value| any(value, so)),
        value => so(value),
    }
}

fn contains(value: &Value, part: &str) -> bool {
    let part = part.to_lowercase();
    match value {
        Value::Text(text) => text.to_lowercase().contains(&part),
        value => value.to_string().to_lowercase().contains(&part),
    }
}
