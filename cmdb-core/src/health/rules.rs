//! The declared rules, with their conditions read.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::nearest::nearest;
use crate::model::schema::{self, Finding, Schema, SchemaError};
use crate::model::{Problem, Value};
use crate::query::Filter;

/// Rules that are ready to be applied.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) audits: Vec<Audit>,
    pub(super) assignments: Vec<Assignment>,
}

#[derive(Clone, Debug)]
pub(super) struct Audit {
    pub name: String,
    pub class: String,
    pub condition: Option<Filter>,
    pub requires: Vec<Requirement>,
    pub message: String,
}

/// Something that must hold.
#[derive(Clone, Debug)]
pub(super) enum Requirement {
    /// One of these relationships is there.
    Related { text: String, any_of: Vec<Related> },
    /// The attributes are so.
    Holds(Filter),
}

/// A relationship to something of a class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Related {
    pub kind: String,
    pub incoming: bool,
    /// `None`: any.
    pub class: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub class: String,
    pub name: String,
    pub site: String,
    pub condition: Option<Filter>,
    pub gives: BTreeMap<String, String>,
    pub declared_in: String,
}

/// What is asked of an item when a condition is tried.
pub(super) type ValueOf<'v> = &'v dyn Fn(&str) -> Option<Value>;

impl Rules {
    /// Reads the conditions of the schema's audits and assignments.
    ///
    /// # Errors
    /// Every finding, each with file, line and column.
    pub fn read(schema: &Schema) -> Result<Rules, SchemaError> {
        let mut findings = Vec::new();
        let audits = schema.health().audits().iter().map(|audit| Audit {
            name: audit.name.clone(),
            class: audit.class.clone(),
            condition: audit.condition.as_ref().and_then(|text| filter(text, schema, &mut findings)),
            requires: audit
                .requires
                .iter()
                .filter_map(|text| requirement(text, schema, &mut findings))
                .collect(),
            message: audit.message.clone(),
        });
        let audits = audits.collect();
        let assignments = schema.health().assignments().iter().map(|assignment| Assignment {
            class: assignment.class.clone(),
            name: assignment.name.clone(),
            site: assignment.site.clone(),
            condition: assignment.condition.as_ref().and_then(|text| filter(text, schema, &mut findings)),
            gives: assignment.gives.clone(),
            declared_in: format!("{}:{}", assignment.place.file, assignment.place.line),
        });
        let assignments = assignments.collect();
        if findings.is_empty() { Ok(Rules { audits, assignments }) } else { Err(SchemaError::new(findings)) }
    }

    /// The sites that assignments speak of.
    pub(super) fn sites(&self) -> BTreeSet<&str> {
        self.assignments.iter().map(|rule| rule.site.as_str()).filter(|site| !site.is_empty()).collect()
    }
}

/// A condition; what is wrong with it is noted where it stands.
fn filter(condition: &schema::Condition, schema: &Schema, findings: &mut Vec<Finding>) -> Option<Filter> {
    let read = Filter::parse(&condition.text).and_then(|filter| {
        filter.check(schema)?;
        // An undeclared name in a rule is a misspelling: nobody would notice that it never matches.
        filter.misspelt(schema).map_or(Ok(filter), Err)
    });
    match read {
        Ok(filter) => Some(filter),
        Err(problem) => {
            findings.push(condition.place.finding(said(&problem)));
            None
        }
    }
}

fn said(problem: &Problem) -> String {
    if problem.hint.is_empty() {
        problem.message.clone()
    } else {
        format!("{}: {}", problem.message, problem.hint)
    }
}

fn requirement(
    condition: &schema::Condition,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) -> Option<Requirement> {
    if !condition.text.trim_start().starts_with("related ") {
        return filter(condition, schema, findings).map(Requirement::Holds);
    }
    let mut any_of = Vec::new();
    for part in condition.text.split(" or ") {
        match related(part, schema) {
            Ok(related) => any_of.push(related),
            Err(message) => {
                findings.push(condition.place.finding(message));
                return None;
            }
        }
    }
    Some(Requirement::Related { text: condition.text.clone(), any_of })
}

fn related(text: &str, schema: &Schema) -> Result<Related, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["related", kind, class] = words.as_slice() else {
        return Err(format!(
            "\"{text}\" is not a requirement: write \"related TYPE CLASS\", \"related TYPE any\" or a condition"
        ));
    };
    let (known, incoming) = match (schema.relationship_type(kind), schema.relationship_type_by_inverse(kind))
    {
        (Some(known), _) => (known, false),
        (None, Some(known)) => (known, true),
        (None, None) => {
            let names =
                schema.relationship_types().flat_map(|kind| [kind.name.as_str(), kind.inverse.as_str()]);
            let right = match nearest(kind, names) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "`cmdb classes --relationships` lists them".to_owned(),
            };
            return Err(format!("there is no relationship type \"{kind}\": {right}"));
        }
    };
    if *class != "any" && schema.class(class).is_none() {
        let right = match schema.nearest_class(class) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write any, or a class".to_owned(),
        };
        return Err(format!("there is no class \"{class}\": {right}"));
    }
    let class = Some(*class).filter(|class| *class != "any").map(str::to_owned);
    Ok(Related { kind: known.name.clone(), incoming, class })
}

/// Whether a name fits a pattern, in which `*` stands for any text. Upper and lower case are one.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut open) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().expect("a split has a part");
    for part in parts {
        let Some(at) = open.find(part) else { return false };
        open = &open[at + part.len()..];
    }
    open.ends_with(last)
}
