//! What kinds of items and relationships there are, how items are told apart, and whose word counts.
//!
//! Everything is declared in TOML: the built-in files in `schema/`, then a user's own. Knows nothing of items,
//! sources or the store: it answers questions about names and values.
//!
//! ```text
//! text ──document──▶ spanned tables ──declaration──▶ declarations ──assemble──▶ Schema
//! ```
//!
//! Invariant: a `Schema` is whole. Every parent, attribute and relationship type it names exists, parents come
//! before their children, what is inherited is written out in every class, and an attribute of one name has one
//! type, normalisation and index wherever it is declared.

mod assemble;
mod attributes;
mod class;
mod declaration;
mod document;
mod finding;
mod fit;
mod health;
mod junk;
mod normalise;
mod order;
mod relationship_type;
mod rules;
mod tree;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

pub use class::{Attribute, Class, Lookup, Normalise, Rows, Rule, RuleAttribute, Step, Strength};
pub use finding::{Finding, Place, SchemaError};
pub use fit::bytes_from_hex;
pub use health::{ASSIGNED, Assignment, Audit, Condition, Expectation, Health};
pub use order::Precedence;
pub use relationship_type::{Failure, RelationshipType};

use self::junk::Junk;
use self::order::Orders;
use super::nearest::nearest;
use super::source::SourceKind;

/// How the built-in files are named where a declaration says where it stands.
pub const BUILT_IN: &str = "built-in";

/// The most files a user's schema may have.
pub const FILES_MAX: usize = 1_000;
/// The most bytes one schema file may have.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest chain of parents.
pub const ANCESTORS_MAX: usize = 32;

const BUILT_IN_FILES: [(&str, &str); 8] = [
    ("classes_base.toml", include_str!("../../schema/classes_base.toml")),
    ("classes_hardware.toml", include_str!("../../schema/classes_hardware.toml")),
    ("classes_software.toml", include_str!("../../schema/classes_software.toml")),
    ("classes_service.toml", include_str!("../../schema/classes_service.toml")),
    ("relationship_types.toml", include_str!("../../schema/relationship_types.toml")),
    ("reconciliation.toml", include_str!("../../schema/reconciliation.toml")),
    ("junk.toml", include_str!("../../schema/junk.toml")),
    ("health.toml", include_str!("../../schema/health.toml")),
];

/// The classes, relationship types and rules in force.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Parents first.
    classes: Vec<Class>,
    class_index: FxHashMap<String, usize>,
    relationship_types: BTreeMap<String, RelationshipType>,
    /// Inverse name → name.
    inverses: BTreeMap<String, String>,
    /// An attribute means the same in every class that declares it: type, element type, normalisation, index.
    anywhere: BTreeMap<String, Attribute>,
    junk: Junk,
    orders: Orders,
    health: Health,
    texts: Vec<(String, String)>,
}

impl Schema {
    /// The schema that comes with the program.
    ///
    /// # Panics
    /// Never in a released program: a test loads the built-in files.
    #[must_use]
    pub fn built_in() -> Schema {
        Schema::load(&[]).expect("the built-in schema is valid")
    }

    /// The built-in schema, then a user's own files: (path, text) each, in order.
    ///
    /// # Errors
    /// Every finding, each with file, line, column, what is wrong and what would be right.
    pub fn load(user_files: &[(String, String)]) -> Result<Schema, SchemaError> {
        let built_in =
            BUILT_IN_FILES.iter().map(|(path, text)| document::File { path, text, built_in: true });
        let own = user_files.iter().map(|(path, text)| document::File { path, text, built_in: false });
        Schema::read(&built_in.chain(own).collect::<Vec<_>>())
    }

    /// A schema that was in force earlier, from its [`texts`](Schema::texts).
    ///
    /// # Errors
    /// As [`load`](Schema::load): a release reads what earlier ones read, not what later ones do.
    pub fn recorded(texts: &[(String, String)]) -> Result<Schema, SchemaError> {
        let built_in = |path: &str| BUILT_IN_FILES.iter().any(|(known, _)| *known == path);
        let files = texts.iter().map(|(path, text)| document::File { path, text, built_in: built_in(path) });
        Schema::read(&files.collect::<Vec<_>>())
    }

    fn read(files: &[document::File<'_>]) -> Result<Schema, SchemaError> {
        finding::check_sizes(files)?;
        let mut findings = Vec::new();
        let declarations = declaration::read(files, &mut findings);
        let schema = assemble::assemble(files, declarations, &mut findings);
        match schema {
            Some(schema) if findings.is_empty() => Ok(schema),
            _ => Err(SchemaError::new(findings)),
        }
    }

    /// One class.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&Class> {
        self.class_index.get(name).map(|place| &self.classes[*place])
    }

    /// All classes, parents first.
    pub fn classes(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter()
    }

    /// Whether `class` is `ancestor` or a kind of it. Classes that are not declared are kinds of nothing but
    /// themselves.
    #[must_use]
    pub fn is_a(&self, class: &str, ancestor: &str) -> bool {
        class == ancestor || self.class(class).is_some_and(|class| class.is_a(ancestor))
    }

    /// One relationship type.
    #[must_use]
    pub fn relationship_type(&self, name: &str) -> Option<&RelationshipType> {
        self.relationship_types.get(name)
    }

    /// The relationship type that is called so when read target → source.
    #[must_use]
    pub fn relationship_type_by_inverse(&self, inverse: &str) -> Option<&RelationshipType> {
        self.inverses.get(inverse).and_then(|name| self.relationship_type(name))
    }

    /// All relationship types, by name.
    pub fn relationship_types(&self) -> impl Iterator<Item = &RelationshipType> {
        self.relationship_types.values()
    }

    /// What a class declares of an attribute. An empty or unknown class: what any class declares of it.
    #[must_use]
    pub fn attribute(&self, class: &str, attribute: &str) -> Option<&Attribute> {
        match self.class(class) {
            Some(class) => class.attributes.get(attribute),
            None => self.anywhere.get(attribute),
        }
    }

    /// Whether items are found by an attribute through an index. It is so for items of every class, those included
    /// that do not declare the attribute and hold it nevertheless: a filter asks for the name, not for the class.
    #[must_use]
    pub fn is_indexed(&self, attribute: &str) -> bool {
        self.anywhere.get(attribute).is_some_and(|attribute| attribute.indexed)
    }

    /// The class that a misspelt name may mean.
    #[must_use]
    pub fn nearest_class(&self, name: &str) -> Option<&str> {
        nearest(name, self.classes.iter().map(|class| class.name.as_str()))
    }

    /// The relationship type that a misspelt name may mean.
    #[must_use]
    pub fn nearest_relationship_type(&self, name: &str) -> Option<&str> {
        nearest(name, self.relationship_types.keys().map(String::as_str))
    }

    /// The attribute of a class that a misspelt name may mean. An empty class: of any.
    #[must_use]
    pub fn nearest_attribute(&self, class: &str, name: &str) -> Option<&str> {
        match self.class(class) {
            Some(class) => nearest(name, class.attributes.keys().map(String::as_str)),
            None => nearest(name, self.anywhere.keys().map(String::as_str)),
        }
    }

    /// Whether a value says nothing: it neither identifies nor is indexed.
    #[must_use]
    pub fn is_junk(&self, attribute: &str, value: &str) -> bool {
        self.junk.holds(attribute, value)
    }

    /// The place of a source in the order for an attribute of a class: the lower one's value counts.
    ///
    /// The order that names the attribute wins over one for all attributes; among those the class's own over its
    /// parent's, and so on to the root. A source that the order does not name comes after all that it does.
    #[must_use]
    pub fn rank(&self, class: &str, attribute: &str, source_name: &str, kind: SourceKind) -> u32 {
        self.precedence(class, attribute, source_name, kind).rank
    }

    /// The same, with how long the source's word counts unconfirmed.
    #[must_use]
    pub fn precedence(
        &self,
        class: &str,
        attribute: &str,
        source_name: &str,
        kind: SourceKind,
    ) -> Precedence {
        let ancestors = self.class(class).map_or(&[][..], |class| class.ancestors.as_slice());
        self.orders.precedence(class, ancestors, attribute, source_name, kind)
    }

    /// Whether a source that says "no value" goes before sources that come after it and have one.
    #[must_use]
    pub fn null_overwrites(&self, class: &str, attribute: &str) -> bool {
        let ancestors = self.class(class).map_or(&[][..], |class| class.ancestors.as_slice());
        self.orders.null_overwrites(class, ancestors, attribute)
    }

    /// What facts are measured by.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// A digest of all files: two schemas with the same digest are the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        for (path, text) in &self.texts {
            for part in [path, text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }

    /// All files in the order in which they were read, (path, text) each: the built-in ones first.
    #[must_use]
    pub fn texts(&self) -> Vec<(String, String)> {
        self.texts.clone()
    }
}
