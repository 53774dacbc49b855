//! Identification rules: those of a class, of the class it is identified like, and of its ancestors.

use std::collections::BTreeMap;

use super::declaration::{LookupDeclaration, RuleDeclaration, WITHIN};
use super::document::{File, Located};
use super::finding::Finding;
use super::{Class, Lookup, RelationshipType, Rule, RuleAttribute, Step, Strength};
use crate::model::nearest::nearest;
use crate::model::value::ValueType;

/// What each class itself declares.
pub(super) struct OwnRules<'d> {
    /// Its own rules and those of extensions, by class.
    pub rules: BTreeMap<&'d str, Vec<&'d RuleDeclaration>>,
    /// The class that each is identified like.
    pub like: BTreeMap<&'d str, &'d Located<String>>,
    /// What lookups may go along.
    pub types: Types<'d>,
}

impl OwnRules<'_> {
    /// The rules of a class in the order in which they are tried.
    pub(super) fn resolve(
        &self,
        class: &Class,
        files: &[File<'_>],
        findings: &mut Vec<Finding>,
    ) -> Vec<Rule> {
        let mut rules = self.declared(class, files, findings);
        for name in std::iter::once(&class.name).chain(&class.ancestors) {
            if name != &class.name {
                rules.extend(self.of(name, class));
            }
            if let Some(like) = self.like.get(name.as_str()) {
                let taken = self.of(&like.value, class);
                if name == &class.name {
                    Self::check_like(class, like, &taken, self.known(&like.value), files, findings);
                }
                rules.extend(taken);
            }
        }
        rules.sort_by_key(|rule| rule.strength);
        rules
    }

    fn known(&self, class: &str) -> bool {
        self.rules.contains_key(class)
    }

    /// The class's own rules, checked.
    fn declared(&self, class: &Class, files: &[File<'_>], findings: &mut Vec<Finding>) -> Vec<Rule> {
        let own = self.rules.get(class.name.as_str()).into_iter().flatten();
        for rule in own {
            for (attribute, _) in &rule.attributes {
                if let Some(message) = unfit(class, &attribute.value, rule.attributes.len()) {
                    findings.push(attribute.at.finding(files, message));
                }
            }
        }
        self.of(&class.name, class)
    }

    /// The rules that `declared_by` itself declares, as `class` has them.
    fn of(&self, declared_by: &str, class: &Class) -> Vec<Rule> {
        let own = self.rules.get(declared_by).into_iter().flatten();
        own.map(|rule| built(rule, declared_by, class, &self.types)).collect()
    }

    fn check_like(
        class: &Class,
        like: &Located<String>,
        taken: &[Rule],
        known: bool,
        files: &[File<'_>],
        findings: &mut Vec<Finding>,
    ) {
        if !known || taken.is_empty() {
            let message = format!("identified_like names \"{}\", which declares no rules", like.value);
            findings.push(like.at.finding(files, message));
        }
        for name in taken.iter().flat_map(Rule::names).filter(|name| !class.attributes.contains_key(*name)) {
            let message = format!(
                "class \"{}\" is identified like \"{}\" and lacks its attribute \"{name}\"",
                class.name, like.value
            );
            findings.push(like.at.finding(files, message));
        }
    }
}

fn built(rule: &RuleDeclaration, declared_by: &str, class: &Class, types: &Types<'_>) -> Rule {
    let attributes: Vec<_> = rule
        .attributes
        .iter()
        .map(|(name, optional)| RuleAttribute { name: name.value.clone(), optional: *optional })
        .collect();
    let any_of_list = match attributes.as_slice() {
        [only] => {
            class.attributes.get(&only.name).is_some_and(|attribute| attribute.value_type == ValueType::List)
        }
        _ => false,
    };
    let strength: Strength = rule.strength;
    Rule {
        attributes,
        within: rule.within,
        strength,
        any_of_list: any_of_list && rule.lookup.is_none(),
        declared_by: declared_by.to_owned(),
        lookup: rule.lookup.as_ref().map(|lookup| looked_up(lookup, types)),
    }
}

fn looked_up(lookup: &LookupDeclaration, types: &Types<'_>) -> Lookup {
    Lookup {
        class: lookup.class.value.clone(),
        attribute: lookup.attribute.value.clone(),
        by: lookup.by.iter().filter_map(|step| types.step(&step.value)).collect(),
        rows: lookup.rows,
        unique: lookup.unique,
    }
}

/// The relationship types there are, by name and by inverse.
#[derive(Clone, Copy)]
pub(super) struct Types<'d> {
    pub by_name: &'d BTreeMap<String, RelationshipType>,
    pub inverses: &'d BTreeMap<String, String>,
}

impl Types<'_> {
    fn step(&self, text: &str) -> Option<Step> {
        if text == WITHIN {
            return Some(Step::Within);
        }
        if self.by_name.contains_key(text) {
            return Some(Step::To(text.to_owned()));
        }
        self.inverses.get(text).map(|name| Step::From(name.clone()))
    }

    /// Notes what a lookup names and is not there.
    pub(super) fn check(
        &self,
        lookup: &LookupDeclaration,
        classes: &[Class],
        files: &[File<'_>],
        findings: &mut Vec<Finding>,
    ) {
        let mut wrong = |named: &Located<String>, message: String| {
            findings.push(named.at.finding(files, message));
        };
        for step in lookup.by.iter().filter(|step| self.step(&step.value).is_none()) {
            let names = self.by_name.keys().chain(self.inverses.keys()).map(String::as_str);
            let near = nearest(&step.value, names)
                .map_or(String::new(), |near| format!(": did you mean \"{near}\"?"));
            wrong(step, format!("\"{}\" is neither \"{WITHIN}\" nor a relationship type{near}", step.value));
        }
        let Some(class) = classes.iter().find(|class| class.name == lookup.class.value) else {
            let near = nearest(&lookup.class.value, classes.iter().map(|class| class.name.as_str()))
                .map_or(String::new(), |near| format!(": did you mean \"{near}\"?"));
            return wrong(&lookup.class, format!("there is no class \"{}\"{near}", lookup.class.value));
        };
        let attribute = &lookup.attribute;
        match class.attributes.get(&attribute.value) {
            None => {
                let message = unfit(class, &attribute.value, 1).unwrap_or_default();
                wrong(attribute, message);
            }
            Some(declared) if !declared.indexed => {
                let message =
                    format!("\"{}\" is not indexed, so nothing can be looked up by it", attribute.value);
                wrong(attribute, message);
            }
            Some(_) => {}
        }
    }
}

/// Why an attribute cannot stand in a rule of the class.
fn unfit(class: &Class, attribute: &str, in_rule: usize) -> Option<String> {
    let Some(declared) = class.attributes.get(attribute) else {
        let near = nearest(attribute, class.attributes.keys().map(String::as_str));
        let right =
            near.map_or("declare it under attributes".to_owned(), |near| format!("did you mean \"{near}\"?"));
        return Some(format!("class \"{}\" has no attribute \"{attribute}\": {right}", class.name));
    };
    match declared.value_type {
        ValueType::List if in_rule > 1 => {
            Some(format!("\"{attribute}\" is a list: it identifies only in a rule of its own"))
        }
        ValueType::Map => Some(format!("\"{attribute}\" is a map: it cannot identify")),
        _ => None,
    }
}
