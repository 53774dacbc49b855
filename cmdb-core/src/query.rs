//! Filters and sorting, as people type them: `os.name = "Debian" and (port > 1024 or not has serial_number)`.
//!
//! ```text
//! text ──token──▶ tokens ──parse──▶ Filter ──matches──▶ yes or no
//! ```
//!
//! Knows nothing of items: it asks for values by name and compares them. Besides attributes the names `id`, `key`,
//! `source`, `class`, `name` and `status` mean what every item has; a name with a dot that is no attribute looks into a
//! map (`labels.team`).
//!
//! Invariant: parsing and matching end in bounded time and stack on any input.

mod compare;
mod evaluate;
mod parse;
mod sort;
mod token;

#[cfg(test)]
mod tests;

use crate::model::nearest::nearest;
use crate::model::value::{Value, ValueType};
use crate::model::{Problem, Reason, Schema, Status};

pub use compare::{compare, natural};
pub use sort::Sort;

/// The longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 16 * 1024;
/// The deepest nesting of parentheses and `not`.
pub const FILTER_DEPTH_MAX: usize = 64;
/// The most values between the parentheses of `in`.
pub const IN_VALUES_MAX: usize = 1_000;

/// A condition on items.
#[derive(Clone, PartialEq, Debug)]
pub struct Filter {
    root: Node,
    text: String,
}

#[derive(Clone, PartialEq, Debug)]
enum Node {
    /// Every one.
    And(Vec<Node>),
    /// At least one.
    Or(Vec<Node>),
    Not(Box<Node>),
    /// The attribute has a value.
    Has(String),
    /// The class is this one or a kind of it.
    ClassIs(Literal),
    Compare {
        attribute: String,
        operator: Operator,
        literal: Literal,
    },
    /// Equal to one of them.
    In(String, Vec<Literal>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Contains, whatever the case.
    Contains,
}

/// A value as it stands in a filter. What it means depends on the attribute: `12` is the number, or the text `12` of a
/// version.
#[derive(Clone, PartialEq, Debug)]
pub struct Literal {
    /// By its looks: text, integer, float or boolean.
    pub value: Value,
    /// As it was written, without quotes.
    pub text: String,
    /// Where it stands, in characters from 1.
    pub column: usize,
}

impl Literal {
    /// The value that it is for an attribute of a type; `None` when it cannot be one.
    #[must_use]
    pub fn typed(&self, wanted: ValueType) -> Option<Value> {
        compare::typed(self, wanted)
    }
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`Reason::FilterInvalid`] with the column, what was expected there and what was found.
    pub fn parse(text: &str) -> Result<Filter, Problem> {
        parse::filter(text).map(|root| Filter { root, text: text.to_owned() })
    }

    /// Whether an item fulfils it. `value` gives the value of an attribute or of `id`, `key`, `source`, `class`, `name`,
    /// `status`; `class_is` says whether the item's class is the given one or a kind of it.
    ///
    /// A comparison with something absent is false; `!=` is the opposite of `=`. A list fulfils a comparison when any
    /// of its elements does.
    #[must_use]
    pub fn matches(&self, value: &dyn Fn(&str) -> Option<Value>, class_is: &dyn Fn(&str) -> bool) -> bool {
        evaluate::holds(&self.root, value, class_is)
    }

    /// What every match must be equal to: attribute and value, from the conditions that are joined by `and` at the top.
    #[must_use]
    pub fn equalities(&self) -> Vec<(&str, &Literal)> {
        self.conjuncts()
            .filter_map(|node| match node {
                Node::Compare { attribute, operator: Operator::Equal, literal } => {
                    Some((attribute.as_str(), literal))
                }
                Node::In(attribute, literals) => match literals.as_slice() {
                    [literal] => Some((attribute.as_str(), literal)),
                    _ => None,
                },
                _ => None,
            })
            .collect()
    }

    /// The class that every match is, or is a kind of, where the filter says so at the top.
    #[must_use]
    pub fn class(&self) -> Option<&str> {
        self.conjuncts().find_map(|node| match node {
            Node::ClassIs(literal) => Some(literal.text.as_str()),
            Node::Compare { attribute, operator: Operator::Equal, literal } if attribute == "class" => {
                Some(literal.text.as_str())
            }
            _ => None,
        })
    }

    fn conjuncts(&self) -> impl Iterator<Item = &Node> {
        match &self.root {
            Node::And(nodes) => nodes.as_slice(),
            node => std::slice::from_ref(node),
        }
        .iter()
    }

    /// The first attribute that it names and no class declares, as a problem. Such an attribute may still exist, since
    /// sources may state what is not declared: it explains why nothing matched, and refuses nothing.
    #[must_use]
    pub fn misspelt(&self, schema: &Schema) -> Option<Problem> {
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            let name = match node {
                Node::And(nodes) | Node::Or(nodes) => {
                    open.extend(nodes.iter().rev());
                    continue;
                }
                Node::Not(node) => {
                    open.push(node);
                    continue;
                }
                Node::ClassIs(_) => continue,
                Node::Has(name) | Node::In(name, _) | Node::Compare { attribute: name, .. } => name,
            };
            if !is_known(schema, name) {
                return Some(undeclared(schema, name));
            }
        }
        None
    }

    /// Whether the classes and states that it names exist.
    ///
    /// # Errors
    /// [`Reason::ClassUnknown`] or [`Reason::FilterInvalid`] with the column and the nearest name.
    pub fn check(&self, schema: &Schema) -> Result<(), Problem> {
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            match node {
                Node::And(nodes) | Node::Or(nodes) => open.extend(nodes),
                Node::Not(node) => open.push(node),
                Node::ClassIs(literal) => check_class(schema, literal)?,
                Node::Compare { attribute, operator: Operator::Equal | Operator::NotEqual, literal } => {
                    check_named(schema, attribute, literal)?;
                }
                Node::In(attribute, literals) => {
                    literals.iter().try_for_each(|literal| check_named(schema, attribute, literal))?;
                }
                Node::Has(_) | Node::Compare { .. } => {}
            }
        }
        Ok(())
    }
}

impl std::fmt::Display for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// What every item has besides its attributes.
const EVERY_ITEM: [&str; 6] = ["id", "key", "source", "class", "name", "status"];

/// Whether it is declared, or lies in something that is.
fn is_known(schema: &Schema, name: &str) -> bool {
    let declared = |name: &str| EVERY_ITEM.contains(&name) || schema.attribute("", name).is_some();
    declared(name) || name.match_indices('.').any(|(dot, _)| declared(&name[..dot]))
}

fn undeclared(schema: &Schema, name: &str) -> Problem {
    let message = format!("no class declares an attribute \"{name}\"");
    let problem = Problem::new(Reason::FilterInvalid, message, name);
    match nearest(name, EVERY_ITEM).or_else(|| schema.nearest_attribute("", name)) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint("`cmdb classes CLASS` lists the attributes of a class"),
    }
}

fn check_named(schema: &Schema, attribute: &str, literal: &Literal) -> Result<(), Problem> {
    match attribute {
        "class" => check_class(schema, literal),
        "status" => check_status(literal),
        _ => Ok(()),
    }
}

fn check_class(schema: &Schema, literal: &Literal) -> Result<(), Problem> {
    if schema.class(&literal.text).is_some() {
        return Ok(());
    }
    let message = format!("column {}: there is no class \"{}\"", literal.column, literal.text);
    let problem = Problem::new(Reason::ClassUnknown, message, literal.text.as_str());
    Err(match schema.nearest_class(&literal.text) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem,
    })
}

fn check_status(literal: &Literal) -> Result<(), Problem> {
    let names = [Status::Active, Status::Stopped, Status::Missing, Status::Retired].map(Status::name);
    if names.contains(&literal.text.as_str()) {
        return Ok(());
    }
    let message = format!("column {}: there is no status \"{}\"", literal.column, literal.text);
    let problem = Problem::new(Reason::FilterInvalid, message, literal.text.as_str())
        .expected(names.join(", "), literal.text.as_str());
    Err(match nearest(&literal.text, names) {
        Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
        None => problem.hint(format!("write one of {}", names.join(", "))),
    })
}
