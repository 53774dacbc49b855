//! What the files declare, one by one and with its place, before it is fitted together.

use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::document::{Element, File, Located, Reader, Table};
use super::finding::{At, Finding};
use super::health::HealthDeclarations;
use super::{Failure, Normalise, Rows, Strength};
use crate::model::duration;
use crate::model::relationship::Require;
use crate::model::source::SourceKind;
use crate::model::value::ValueType;

/// The longest name of a class, attribute or relationship type, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Names that filters give a meaning of their own.
pub(super) const RESERVED: [&str; 6] = ["id", "key", "source", "class", "name", "status"];

/// The step of a lookup that is no relationship.
pub(super) const WITHIN: &str = "within";

const VALUE_TYPES: [ValueType; 9] = [
    ValueType::Text,
    ValueType::Integer,
    ValueType::Float,
    ValueType::Boolean,
    ValueType::Timestamp,
    ValueType::Duration,
    ValueType::Bytes,
    ValueType::List,
    ValueType::Map,
];

/// Everything that the files declare, in their order.
#[derive(Default)]
pub(super) struct Declarations {
    pub classes: Vec<ClassDeclaration>,
    pub extensions: Vec<Extension>,
    pub relationship_types: Vec<TypeDeclaration>,
    pub orders: Vec<OrderDeclaration>,
    pub junk: Vec<JunkDeclaration>,
    pub health: HealthDeclarations,
}

pub(super) struct ClassDeclaration {
    pub name: Located<String>,
    pub parent: Option<Located<String>>,
    pub title: Option<String>,
    pub description: String,
    pub is_abstract: bool,
    pub running: Option<bool>,
    pub external_without_host: Option<bool>,
    pub attributes: Vec<AttributeDeclaration>,
    pub rules: Vec<RuleDeclaration>,
    pub identified_like: Option<Located<String>>,
    pub told_apart_by: Option<Vec<Located<String>>>,
    pub default_require: Vec<(Located<String>, Require)>,
    pub stopped_for_us: Option<i64>,
    pub retire_after_us: Option<i64>,
    pub availability: Option<f64>,
}

/// What a user's file adds to a class that is there, or says otherwise of it.
pub(super) struct Extension {
    pub class: Located<String>,
    pub attributes: Vec<AttributeDeclaration>,
    pub rules: Vec<RuleDeclaration>,
    pub availability: Option<f64>,
}

pub(super) struct AttributeDeclaration {
    pub name: Located<String>,
    pub value_type: ValueType,
    pub element: Option<ValueType>,
    pub unit: Option<String>,
    pub description: String,
    pub indexed: bool,
    pub normalise: Option<Normalise>,
}

pub(super) struct RuleDeclaration {
    /// Without the question mark; whether it had one.
    pub attributes: Vec<(Located<String>, bool)>,
    pub within: bool,
    pub strength: Strength,
    pub lookup: Option<LookupDeclaration>,
}

pub(super) struct LookupDeclaration {
    pub class: Located<String>,
    pub attribute: Located<String>,
    pub by: Vec<Located<String>>,
    pub rows: Rows,
    pub unique: bool,
}

pub(super) struct TypeDeclaration {
    pub name: Located<String>,
    pub inverse: Located<String>,
    pub failure: Failure,
    pub weak: bool,
    pub confidence_half_life_us: Option<i64>,
    pub stale_after_us: Option<i64>,
    pub description: String,
}

pub(super) struct OrderDeclaration {
    pub at: At,
    pub classes: Vec<Located<String>>,
    pub attributes: Vec<Located<String>>,
    pub sources: Vec<Entry>,
    pub null_overwrites: bool,
}

/// Whom an entry of an order speaks of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub who: Who,
    pub stale_after_us: Option<i64>,
}

/// Whose word it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Who {
    Kind(SourceKind),
    Source(String),
}

pub(super) struct JunkDeclaration {
    pub values: Vec<Located<String>>,
    pub attributes: Vec<Located<String>>,
    pub one_character: bool,
    pub locally_administered: bool,
    pub lookups_only: bool,
}

/// Reads all files.
pub(super) fn read(files: &[File<'_>], findings: &mut Vec<Finding>) -> Declarations {
    let mut declarations = Declarations::default();
    for (file, File { text, .. }) in files.iter().enumerate() {
        let mut reader = Reader { files, file, findings: &mut *findings };
        if let Some(document) = reader.document(text) {
            let root = reader.root(&document);
            reader.file(root, &mut declarations);
        }
    }
    declarations
}

impl Reader<'_, '_> {
    fn file(&mut self, root: Table<'_, '_>, into: &mut Declarations) {
        self.keys(
            root,
            &[
                "class",
                "extend",
                "relationship_type",
                "order",
                "junk",
                "expect",
                "discover",
                "audit",
                "assign",
            ],
        );
        for table in self.tables(root, "class", "[[class]]").unwrap_or_default() {
            into.classes.extend(self.class(table));
        }
        for table in self.tables(root, "extend", "[[extend]]").unwrap_or_default() {
            into.extensions.extend(self.extension(table));
        }
        for table in self.tables(root, "relationship_type", "[[relationship_type]]").unwrap_or_default() {
            into.relationship_types.extend(self.relationship_type(table));
        }
        for table in self.tables(root, "order", "[[order]]").unwrap_or_default() {
            into.orders.extend(self.order(table));
        }
        for table in self.tables(root, "junk", "[[junk]]").unwrap_or_default() {
            into.junk.extend(self.junk(table));
        }
        self.health(root, &mut into.health);
    }

    fn class(&mut self, table: Table<'_, '_>) -> Option<ClassDeclaration> {
        self.keys(
            table,
            &[
                "name",
                "parent",
                "title",
                "description",
                "abstract",
                "running",
                "external_without_host",
                "attributes",
                "identified_by",
                "identified_like",
                "told_apart_by",
                "default_require",
                "stopped_for",
                "retire_after",
                "availability",
            ],
        );
        let name = self.required(table, "name");
        let declaration = ClassDeclaration {
            parent: self.text(table, "parent"),
            title: self.text(table, "title").map(|title| title.value),
            description: self.text(table, "description").map(|text| text.value).unwrap_or_default(),
            is_abstract: self.flag(table, "abstract").unwrap_or(false),
            running: self.flag(table, "running"),
            external_without_host: self.flag(table, "external_without_host"),
            attributes: self.attributes(table),
            rules: self.rules(table),
            identified_like: self.text(table, "identified_like"),
            told_apart_by: self.texts(table, "told_apart_by"),
            default_require: self.default_require(table),
            stopped_for_us: self.duration(table, "stopped_for"),
            retire_after_us: self.duration(table, "retire_after"),
            availability: self.share(table, "availability"),
            name: self.plain_name(name?, "a class")?,
        };
        Some(declaration)
    }

    fn extension(&mut self, table: Table<'_, '_>) -> Option<Extension> {
        self.keys(table, &["class", "attributes", "identified_by", "availability"]);
        let class = self.required(table, "class");
        let (attributes, rules) = (self.attributes(table), self.rules(table));
        let availability = self.share(table, "availability");
        Some(Extension { class: class?, attributes, rules, availability })
    }

    fn attributes(&mut self, table: Table<'_, '_>) -> Vec<AttributeDeclaration> {
        let entries = self.entries(table, "attributes");
        entries.into_iter().filter_map(|(name, value)| self.attribute(name, value)).collect()
    }

    fn attribute(
        &mut self,
        name: Located<String>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<AttributeDeclaration> {
        let at = name.at;
        let DeValue::Table(inner) = value.get_ref() else {
            self.wrong(at, format!("attribute \"{}\" is a table such as {{ type = \"text\" }}", name.value));
            return None;
        };
        let table = Table { table: inner, what: "an attribute", at };
        if looks_nested(inner) {
            let message = format!(
                "attribute \"{}\" has a dot in its name or lacks \"type\": write \"{}.…\" in quotes",
                name.value, name.value
            );
            self.wrong(at, message);
            return None;
        }
        self.keys(table, &["type", "of", "unit", "indexed", "normalise", "description"]);
        if !inner.keys().any(|key| key.get_ref() == "type") {
            self.wrong(at, format!("attribute \"{}\" lacks \"type\"", name.value));
        }
        let value_type = self.choice(table, "type", &VALUE_TYPES, ValueType::name);
        let of_at = self.text(table, "of").map(|of| of.at);
        let element = self.choice(table, "of", &VALUE_TYPES, ValueType::name);
        if let (Some(at), Some(value_type)) = (of_at, value_type)
            && value_type != ValueType::List
        {
            self.wrong(at, format!("\"of\" is for lists; \"{}\" is of type {value_type}", name.value));
        }
        let declaration = AttributeDeclaration {
            element,
            unit: self.text(table, "unit").map(|unit| unit.value),
            description: self.text(table, "description").map(|text| text.value).unwrap_or_default(),
            indexed: self.flag(table, "indexed").unwrap_or(false),
            normalise: self.choice(table, "normalise", &Normalise::ALL, Normalise::name),
            value_type: value_type?,
            name: self.attribute_name(name)?,
        };
        Some(declaration)
    }

    fn rules(&mut self, table: Table<'_, '_>) -> Vec<RuleDeclaration> {
        let tables = self.tables(table, "identified_by", "a rule of identified_by").unwrap_or_default();
        tables.into_iter().filter_map(|table| self.rule(table)).collect()
    }

    fn rule(&mut self, table: Table<'_, '_>) -> Option<RuleDeclaration> {
        self.keys(table, &["attributes", "within", "strength", "lookup"]);
        let within = self.flag(table, "within").unwrap_or(false);
        let strength = self.choice(table, "strength", &Strength::ALL, Strength::name);
        let attributes: Vec<_> =
            self.texts(table, "attributes").unwrap_or_default().into_iter().map(split_optional).collect();
        let has_lookup = table.has("lookup");
        let lookup = self.table(table, "lookup", "a lookup").and_then(|table| self.lookup(table));
        if attributes.iter().all(|(_, optional)| *optional) && !has_lookup {
            let message = "a rule names at least one attribute that is not optional: attributes = [\"…\"]";
            self.wrong(table.at, message);
            return None;
        }
        if has_lookup && lookup.is_none() {
            return None;
        }
        Some(RuleDeclaration { attributes, within, strength: strength.unwrap_or(Strength::Weak), lookup })
    }

    fn lookup(&mut self, table: Table<'_, '_>) -> Option<LookupDeclaration> {
        self.keys(table, &["class", "attribute", "by", "rows", "unique"]);
        let (class, attribute) = (self.required(table, "class"), self.required(table, "attribute"));
        let rows = self.choice(table, "rows", &Rows::ALL, Rows::name).unwrap_or_default();
        let unique = self.flag(table, "unique").unwrap_or(false);
        let mut by = self.texts(table, "by").unwrap_or_default();
        if by.is_empty() {
            by.push(Located { value: WITHIN.to_owned(), at: table.at });
        }
        Some(LookupDeclaration { class: class?, attribute: attribute?, by, rows, unique })
    }

    fn default_require(&mut self, table: Table<'_, '_>) -> Vec<(Located<String>, Require)> {
        let mut requires = Vec::new();
        for (kind, value) in self.entries(table, "default_require") {
            match value.get_ref().as_str().map(Require::from_str) {
                Some(Ok(require)) => requires.push((kind, require)),
                Some(Err(error)) => self.wrong(kind.at, error.to_string()),
                None => self.wrong(kind.at, "a requirement is text, such as \"at_least 2\""),
            }
        }
        requires
    }

    fn relationship_type(&mut self, table: Table<'_, '_>) -> Option<TypeDeclaration> {
        let known =
            ["name", "inverse", "failure", "weak", "confidence_half_life", "stale_after", "description"];
        self.keys(table, &known);
        let name = self.required(table, "name");
        let inverse = self.required(table, "inverse");
        self.required(table, "failure")?;
        let failure = self.choice(table, "failure", &Failure::ALL, Failure::name);
        let weak = self.flag(table, "weak").unwrap_or(false);
        let description = self.text(table, "description").map(|text| text.value).unwrap_or_default();
        let confidence_half_life_us = self.duration(table, "confidence_half_life");
        let stale_after_us = self.duration(table, "stale_after");
        let (name, inverse, failure) = (name?, inverse?, failure?);
        if weak && failure == Failure::None {
            let message = format!("\"{}\" cannot be weak: it carries no failure", name.value);
            self.wrong(name.at, message);
        }
        let name = self.plain_name(name, "a relationship type");
        let inverse = self.plain_name(inverse, "a relationship type");
        Some(TypeDeclaration {
            name: name?,
            inverse: inverse?,
            failure,
            weak,
            confidence_half_life_us,
            stale_after_us,
            description,
        })
    }

    fn order(&mut self, table: Table<'_, '_>) -> Option<OrderDeclaration> {
        self.keys(table, &["classes", "attributes", "sources", "null_overwrites"]);
        let classes = self.texts(table, "classes").unwrap_or_default();
        let attributes = self.texts(table, "attributes").unwrap_or_default();
        let listed = self.texts_or_tables(table, "sources", "a source of [[order]]");
        let null_overwrites = self.flag(table, "null_overwrites").unwrap_or(false);
        if classes.is_empty() || listed.is_empty() {
            let message = "[[order]] names at least one class and one source: classes = [\"item\"], sources = [\"person\"]";
            self.wrong(table.at, message);
            return None;
        }
        let sources = listed.into_iter().filter_map(|element| self.order_entry(element)).collect();
        Some(OrderDeclaration { at: table.at, classes, attributes, sources, null_overwrites })
    }

    /// `"agent"`, or `{ source = "agent", stale_after = "7d" }`.
    fn order_entry(&mut self, element: Element<'_, '_>) -> Option<Entry> {
        match element {
            Element::Text(text) => Some(Entry { who: self.order_who(text)?, stale_after_us: None }),
            Element::Table(table) => {
                self.keys(table, &["source", "stale_after"]);
                let stale_after_us = self.duration(table, "stale_after");
                let source = self.required(table, "source")?;
                Some(Entry { who: self.order_who(source)?, stale_after_us })
            }
        }
    }

    fn order_who(&mut self, entry: Located<String>) -> Option<Who> {
        if let Some(source) = entry.value.strip_prefix("source:").filter(|source| !source.is_empty()) {
            return Some(Who::Source(source.to_owned()));
        }
        let kind = SourceKind::from_str(&entry.value).ok();
        if kind.is_none() {
            let message = format!(
                "\"{}\" is neither a kind of source (person, agent, connector, import, rule) nor \"source:NAME\"",
                entry.value
            );
            self.wrong(entry.at, message);
        }
        kind.map(Who::Kind)
    }

    fn junk(&mut self, table: Table<'_, '_>) -> Option<JunkDeclaration> {
        let known = ["values", "attributes", "one_character", "locally_administered", "lookups_only"];
        self.keys(table, &known);
        let one_character = self.flag(table, "one_character").unwrap_or(false);
        let locally_administered = self.flag(table, "locally_administered").unwrap_or(false);
        let lookups_only = self.flag(table, "lookups_only").unwrap_or(false);
        if !one_character && !locally_administered && !table.has("values") {
            self.wrong(table.at, "[[junk]] lacks \"values\"");
        }
        let values = self.texts(table, "values").unwrap_or_default();
        let attributes = self.texts(table, "attributes").unwrap_or_default();
        for value in values.iter().filter(|value| value.value.trim() == "*") {
            self.wrong(value.at, "\"*\" alone would make every value junk");
        }
        Some(JunkDeclaration { values, attributes, one_character, locally_administered, lookups_only })
    }

    fn duration(&mut self, table: Table<'_, '_>, key: &str) -> Option<i64> {
        let text = self.text(table, key)?;
        let length = duration::parse_us(&text.value).filter(|length| *length >= 0);
        if length.is_none() {
            let message =
                format!("\"{key}\" of {} is {}, not \"{}\"", table.what, duration::EXPECTED, text.value);
            self.wrong(text.at, message);
        }
        length
    }

    pub(super) fn plain_name(&mut self, name: Located<String>, of: &str) -> Option<Located<String>> {
        let fits = is_name(&name.value) && !name.value.contains('.');
        if !fits {
            let message = format!(
                "the name of {of} is small letters, digits and _, a letter first, at most {NAME_BYTES_MAX}; not \"{}\"",
                name.value
            );
            self.wrong(name.at, message);
        }
        fits.then_some(name)
    }

    fn attribute_name(&mut self, name: Located<String>) -> Option<Located<String>> {
        let message = if RESERVED.contains(&name.value.as_str()) {
            format!("\"{}\" cannot be declared: every item has it already", name.value)
        } else if !is_name(&name.value) {
            format!(
                "the name of an attribute is small letters, digits, _ and dots, a letter first, at most \
                 {NAME_BYTES_MAX}; not \"{}\"",
                name.value
            )
        } else {
            return Some(name);
        };
        self.wrong(name.at, message);
        None
    }
}

/// `os.name = {…}` without quotes is a table in a table.
fn looks_nested(inner: &toml::de::DeTable<'_>) -> bool {
    !inner.is_empty() && inner.values().all(|value| value.get_ref().is_table())
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(|part| !part.is_empty())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte))
}

fn split_optional(mut name: Located<String>) -> (Located<String>, bool) {
    let optional = name.value.ends_with('?');
    if optional {
        name.value.pop();
    }
    (name, optional)
}
