//! What facts are measured by, as declared: expectations, what machines can find out, audits and assignments.
//!
//! Knows names of classes, attributes and relationship types. Conditions stay text with their place: they are read
//! where filters are known.

use std::collections::{BTreeMap, BTreeSet};

use super::Schema;
use super::assemble::{Assembly, ByName};
use super::document::{File, Located, Reader, Table};
use super::finding::{At, Place};

/// What is declared of an item's health.
#[derive(Clone, Debug, Default)]
pub struct Health {
    expectations: BTreeMap<String, Expectation>,
    discoverable: BTreeSet<String>,
    decided: BTreeSet<String>,
    discoverable_types: BTreeSet<String>,
    audits: Vec<Audit>,
    assignments: Vec<Assignment>,
}

/// What is expected of the items of a class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expectation {
    /// Attributes that an item must have.
    pub required: BTreeSet<String>,
    /// Attributes that an item should have.
    pub recommended: BTreeSet<String>,
    /// An item that is related to nothing is an orphan.
    pub relationship: bool,
    /// Somebody answers for it.
    pub owner: bool,
}

/// A condition as it is written, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

/// A rule that the items of a class are checked against.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audit {
    /// Its name, unique.
    pub name: String,
    /// The items of this class and its children are checked.
    pub class: String,
    /// Only those for which this holds.
    pub condition: Option<Condition>,
    /// Everything that must hold.
    pub requires: Vec<Condition>,
    /// What it asks for, in words.
    pub message: String,
}

/// Who answers for what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// Items of this class and its children; empty: any.
    pub class: String,
    /// Items whose name fits this pattern, `*` for any text; empty: any.
    pub name: String,
    /// Items that stand in the site of this name; empty: anywhere.
    pub site: String,
    /// Only those for which this holds.
    pub condition: Option<Condition>,
    /// What they are given, by attribute: owner, support_group, environment.
    pub gives: BTreeMap<String, String>,
    /// Where the rule stands.
    pub place: Place,
}

/// The attributes that are assigned and inherited.
pub const ASSIGNED: [&str; 3] = ["owner", "support_group", "environment"];

impl Health {
    /// What is expected of items of a class.
    #[must_use]
    pub fn expectation(&self, class: &str) -> Option<&Expectation> {
        self.expectations.get(class)
    }

    /// Whether machines can see items of a class.
    #[must_use]
    pub fn is_discoverable_class(&self, class: &str) -> bool {
        self.discoverable.contains(class)
    }

    /// Whether people decide the value of an attribute, so that no machine can find it out.
    #[must_use]
    pub fn is_decided(&self, attribute: &str) -> bool {
        self.decided.contains(attribute)
    }

    /// Whether machines can see relationships of a type.
    #[must_use]
    pub fn is_discoverable_type(&self, kind: &str) -> bool {
        self.discoverable_types.contains(kind)
    }

    /// The audits, built-in ones first.
    #[must_use]
    pub fn audits(&self) -> &[Audit] {
        &self.audits
    }

    /// The assignments, in the order in which they are tried.
    #[must_use]
    pub fn assignments(&self) -> &[Assignment] {
        &self.assignments
    }
}

/// What the files declare.
#[derive(Default)]
pub(super) struct HealthDeclarations {
    expects: Vec<ExpectDeclaration>,
    discovers: Vec<DiscoverDeclaration>,
    audits: Vec<AuditDeclaration>,
    assigns: Vec<AssignDeclaration>,
}

struct ExpectDeclaration {
    classes: Vec<Located<String>>,
    required: Vec<Located<String>>,
    recommended: Vec<Located<String>>,
    relationship: Option<bool>,
    owner: Option<bool>,
}

struct DiscoverDeclaration {
    classes: Vec<Located<String>>,
    except: Vec<Located<String>>,
    types: Vec<Located<String>>,
}

struct AuditDeclaration {
    name: Located<String>,
    class: Located<String>,
    condition: Option<Located<String>>,
    requires: Vec<Located<String>>,
    message: String,
}

struct AssignDeclaration {
    at: At,
    class: Option<Located<String>>,
    name: String,
    site: String,
    condition: Option<Located<String>>,
    gives: BTreeMap<String, String>,
}

impl Reader<'_, '_> {
    /// The tables of a file that speak of health.
    pub(super) fn health(&mut self, root: Table<'_, '_>, into: &mut HealthDeclarations) {
        for table in self.tables(root, "expect", "[[expect]]").unwrap_or_default() {
            into.expects.extend(self.expect(table));
        }
        for table in self.tables(root, "discover", "[[discover]]").unwrap_or_default() {
            self.keys(table, &["classes", "except", "relationship_types"]);
            into.discovers.push(DiscoverDeclaration {
                classes: self.texts(table, "classes").unwrap_or_default(),
                except: self.texts(table, "except").unwrap_or_default(),
                types: self.texts(table, "relationship_types").unwrap_or_default(),
            });
        }
        for table in self.tables(root, "audit", "[[audit]]").unwrap_or_default() {
            into.audits.extend(self.audit(table));
        }
        for table in self.tables(root, "assign", "[[assign]]").unwrap_or_default() {
            into.assigns.extend(self.assign(table));
        }
    }

    fn expect(&mut self, table: Table<'_, '_>) -> Option<ExpectDeclaration> {
        self.keys(table, &["classes", "required", "recommended", "relationship", "owner"]);
        let classes = self.texts(table, "classes").unwrap_or_default();
        if classes.is_empty() {
            self.wrong(table.at, "[[expect]] names at least one class: classes = [\"server\"]");
            return None;
        }
        Some(ExpectDeclaration {
            classes,
            required: self.texts(table, "required").unwrap_or_default(),
            recommended: self.texts(table, "recommended").unwrap_or_default(),
            relationship: self.flag(table, "relationship"),
            owner: self.flag(table, "owner"),
        })
    }

    fn audit(&mut self, table: Table<'_, '_>) -> Option<AuditDeclaration> {
        self.keys(table, &["name", "class", "where", "requires", "message"]);
        let (name, class) = (self.required(table, "name"), self.required(table, "class"));
        let message = self.required(table, "message");
        let requires = self.texts(table, "requires").unwrap_or_default();
        if requires.is_empty() {
            let message =
                "[[audit]] says what must hold: requires = [\"has owner\", \"related protected_by any\"]";
            self.wrong(table.at, message);
            return None;
        }
        let condition = self.text(table, "where");
        let name = self.plain_name(name?, "an audit")?;
        Some(AuditDeclaration { name, class: class?, condition, requires, message: message?.value })
    }

    fn assign(&mut self, table: Table<'_, '_>) -> Option<AssignDeclaration> {
        let mut keys = vec!["class", "name", "site", "where"];
        keys.extend(ASSIGNED);
        self.keys(table, &keys);
        let mut gives = BTreeMap::new();
        for name in ASSIGNED {
            gives.extend(self.text(table, name).map(|value| (name.to_owned(), value.value)));
        }
        let mut text = |key: &str| self.text(table, key);
        let (class, name, site, condition) = (text("class"), text("name"), text("site"), text("where"));
        if gives.is_empty() {
            let message = "[[assign]] gives at least one of owner, support_group, environment";
            self.wrong(table.at, message);
            return None;
        }
        if class.is_none() && name.is_none() && site.is_none() && condition.is_none() {
            let message = "[[assign]] says whom it speaks of: at least one of class, name, site, where";
            self.wrong(table.at, message);
            return None;
        }
        let plain = |text: Option<Located<String>>| text.map_or_else(String::new, |text| text.value);
        let (name, site) = (plain(name), plain(site));
        Some(AssignDeclaration { at: table.at, class, name, site, condition, gives })
    }
}

impl Assembly<'_, '_> {
    /// Fits the declarations to the classes.
    pub(super) fn health(&mut self, declared: &HealthDeclarations, schema: &Schema) -> Health {
        let by_name: ByName<'_> =
            schema.classes.iter().zip(0..).map(|(class, at)| (class.name.as_str(), at)).collect();
        let mut health = Health::default();
        for discover in &declared.discovers {
            for class in discover.classes.iter().filter(|class| self.is_class(class, &by_name)) {
                let kinds = schema.classes().filter(|kind| kind.is_a(&class.value));
                health.discoverable.extend(kinds.map(|kind| kind.name.clone()));
            }
            for attribute in &discover.except {
                if schema.anywhere.contains_key(&attribute.value) {
                    health.decided.insert(attribute.value.clone());
                } else {
                    let near = schema.nearest_attribute("", &attribute.value);
                    self.unknown_attribute(attribute.at, "", &attribute.value, near);
                }
            }
            for kind in discover.types.iter().filter(|kind| self.is_type(kind, schema)) {
                health.discoverable_types.insert(kind.value.clone());
            }
        }
        self.expectations(declared, schema, &by_name, &mut health);
        self.audits(declared, &by_name, &mut health);
        for assign in &declared.assigns {
            if assign.class.as_ref().is_some_and(|class| !self.is_class(class, &by_name)) {
                continue;
            }
            health.assignments.push(Assignment {
                class: assign.class.as_ref().map_or_else(String::new, |class| class.value.clone()),
                name: assign.name.clone(),
                site: assign.site.clone(),
                condition: assign.condition.as_ref().map(|condition| written(condition, self.files)),
                gives: assign.gives.clone(),
                place: assign.at.place(self.files),
            });
        }
        health
    }

    /// What is expected of a class is expected of its children.
    fn expectations(
        &mut self,
        declared: &HealthDeclarations,
        schema: &Schema,
        by_name: &ByName<'_>,
        health: &mut Health,
    ) {
        for expect in &declared.expects {
            for class in &expect.classes {
                if !self.is_class(class, by_name) {
                    continue;
                }
                for attribute in expect.required.iter().chain(&expect.recommended) {
                    if schema.attribute(&class.value, &attribute.value).is_none() {
                        let near = schema.nearest_attribute(&class.value, &attribute.value);
                        self.unknown_attribute(attribute.at, &class.value, &attribute.value, near);
                    }
                }
                for kind in schema.classes().filter(|kind| kind.is_a(&class.value)) {
                    let expected = health.expectations.entry(kind.name.clone()).or_default();
                    let names = |names: &[Located<String>]| -> Vec<String> {
                        names.iter().map(|name| name.value.clone()).collect()
                    };
                    expected.required.extend(names(&expect.required));
                    expected.recommended.extend(names(&expect.recommended));
                    expected.relationship = expect.relationship.unwrap_or(expected.relationship);
                    expected.owner = expect.owner.unwrap_or(expected.owner);
                }
            }
        }
        for expected in health.expectations.values_mut() {
            let required = &expected.required;
            expected.recommended.retain(|name| !required.contains(name));
        }
    }

    /// A user's audit replaces the built-in one of its name.
    fn audits(&mut self, declared: &HealthDeclarations, by_name: &ByName<'_>, health: &mut Health) {
        let mut places: BTreeMap<&str, (At, usize)> = BTreeMap::new();
        for audit in &declared.audits {
            if !self.is_class(&audit.class, by_name) {
                continue;
            }
            let built = Audit {
                name: audit.name.value.clone(),
                class: audit.class.value.clone(),
                condition: audit.condition.as_ref().map(|condition| written(condition, self.files)),
                requires: audit.requires.iter().map(|condition| written(condition, self.files)).collect(),
                message: audit.message.clone(),
            };
            match places.get(audit.name.value.as_str()).copied() {
                Some((first, _))
                    if self.files[first.file].built_in == self.files[audit.name.at.file].built_in =>
                {
                    let first = first.place(self.files);
                    let message = format!(
                        "audit \"{}\" is already declared in {}, line {}",
                        audit.name.value, first.file, first.line
                    );
                    self.wrong(audit.name.at, message);
                }
                Some((_, at)) => {
                    health.audits[at] = built;
                    places.insert(&audit.name.value, (audit.name.at, at));
                }
                None => {
                    places.insert(&audit.name.value, (audit.name.at, health.audits.len()));
                    health.audits.push(built);
                }
            }
        }
    }

    fn is_class(&mut self, class: &Located<String>, by_name: &ByName<'_>) -> bool {
        let known = by_name.contains_key(class.value.as_str());
        if !known {
            self.unknown_class(class.at, &class.value, by_name);
        }
        known
    }

    fn is_type(&mut self, kind: &Located<String>, schema: &Schema) -> bool {
        let known = schema.relationship_type(&kind.value).is_some();
        if !known {
            let right = match schema.nearest_relationship_type(&kind.value) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "declare it with [[relationship_type]]".to_owned(),
            };
            self.wrong(kind.at, format!("there is no relationship type \"{}\": {right}", kind.value));
        }
        known
    }
}

fn written(condition: &Located<String>, files: &[File<'_>]) -> Condition {
    Condition { text: condition.value.clone(), place: condition.at.place(files) }
}
