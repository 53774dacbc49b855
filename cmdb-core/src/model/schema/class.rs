//! What is declared of a class: its place in the tree, its attributes, how its items are told apart.

use std::collections::BTreeMap;

use crate::model::relationship::Require;
use crate::model::value::ValueType;

/// The type of an item.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name, unique.
    pub name: String,
    /// The class it is a kind of; only the root has none.
    pub parent: Option<String>,
    /// As shown to people.
    pub title: String,
    /// What it is.
    pub description: String,
    /// It has children and no items of its own.
    pub is_abstract: bool,
    /// Not seen means stopped, not gone.
    pub running: bool,
    /// An item that is not within a host belongs to somebody else.
    pub external_without_host: bool,
    /// By name; inherited ones included.
    pub attributes: BTreeMap<String, Attribute>,
    /// In the order in which they are tried: strong before weak, own before inherited.
    pub identification: Vec<Rule>,
    /// Relationship types: what an item is related to by them tells it apart from one that is related to another.
    pub told_apart_by: Vec<String>,
    /// What the members of a group are needed for where nothing is said: by relationship type.
    pub default_require: BTreeMap<String, Require>,
    /// How long a stopped item keeps its part in impact, in microseconds.
    pub stopped_for_us: i64,
    /// How long an item is missing before it is retired, in microseconds.
    pub retire_after_us: i64,
    /// How much of the time such an item is up of itself, while everything that it needs is: 0 to 1.
    pub availability: f64,
    /// [`super::BUILT_IN`], or the file.
    pub declared_in: String,
    /// Parent, its parent, and so on to the root.
    pub ancestors: Vec<String>,
}

impl Class {
    /// Whether it is `name` or a kind of it.
    #[must_use]
    pub fn is_a(&self, name: &str) -> bool {
        self.name == name || self.ancestors.iter().any(|ancestor| ancestor == name)
    }
}

/// A declared attribute.
#[derive(Clone, PartialEq, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub value_type: ValueType,
    /// Of a list: the type of its elements, when it is declared.
    pub element: Option<ValueType>,
    /// The unit of its number.
    pub unit: Option<String>,
    /// What it says.
    pub description: String,
    /// Items are found by it without looking at all of them.
    pub indexed: bool,
    /// How its text is made comparable.
    pub normalise: Normalise,
    /// The ancestor that declares it; `None`: the class itself.
    pub inherited_from: Option<String>,
}

/// How the text of a value is made comparable, for identification and indexes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Normalise {
    /// Space around it is dropped.
    #[default]
    Trim,
    /// Trimmed and in lower case.
    LowerCase,
    /// A hardware address: lower case, colons.
    Mac,
    /// A UUID: lower case, hyphens, no braces; the smaller of its two byte orders.
    Uuid,
    /// An IP address in its shortest form; other text in lower case.
    Address,
    /// As it is.
    Exact,
}

impl Normalise {
    pub(super) const ALL: [Normalise; 6] = [
        Normalise::Trim,
        Normalise::LowerCase,
        Normalise::Mac,
        Normalise::Uuid,
        Normalise::Address,
        Normalise::Exact,
    ];

    /// As written in schema files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Normalise::Trim => "trim",
            Normalise::LowerCase => "lower_case",
            Normalise::Mac => "mac",
            Normalise::Uuid => "uuid",
            Normalise::Address => "address",
            Normalise::Exact => "exact",
        }
    }
}

/// Attributes that together tell an item of a class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// All of them count.
    pub attributes: Vec<RuleAttribute>,
    /// They tell it within its host only.
    pub within: bool,
    /// What a match, or a contradiction, is worth.
    pub strength: Strength,
    /// The single attribute is a list: any element identifies.
    pub any_of_list: bool,
    /// The class that declares it. Identifiers of one declaring class share a namespace, so that a machine that is
    /// seen under two classes is one item.
    pub declared_by: String,
    /// What other items must say as well: those that belong to the item.
    pub lookup: Option<Lookup>,
}

/// Items that belong to another one and tell it by what they say: its *rows*, such as the interfaces of a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lookup {
    /// The class of the rows; its children as well.
    pub class: String,
    /// The attribute of a row that counts; it is indexed.
    pub attribute: String,
    /// The way from a row to the item.
    pub by: Vec<Step>,
    /// How many of the claim's rows an item must have.
    pub rows: Rows,
    /// No two items have such a value at one time: to have none in common tells two of them apart.
    pub unique: bool,
}

/// One step from a row to the item that it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// To the item that it is identified within.
    Within,
    /// To the target of a relationship of this type.
    To(String),
    /// To the source of a relationship of this type.
    From(String),
}

/// How many of a claim's rows an item must have to be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rows {
    /// One is enough.
    #[default]
    Any,
    /// Every one.
    All,
}

impl Rows {
    pub(super) const ALL: [Rows; 2] = [Rows::Any, Rows::All];

    /// As written in schema files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Rows::Any => "any",
            Rows::All => "all",
        }
    }
}

impl Lookup {
    /// What it looks up, in words: class and attribute.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.class, self.attribute)
    }
}

/// One attribute of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleAttribute {
    /// Its name.
    pub name: String,
    /// Absent counts as empty. Of an attribute that is not optional, absence makes the rule unusable.
    pub optional: bool,
}

/// What a match by a rule is worth.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Strength {
    /// Two items with different values are different items.
    Strong,
    /// It finds, and proves nothing.
    Weak,
}

impl Rule {
    /// The names of its attributes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.attributes.iter().map(|attribute| attribute.name.as_str())
    }

    /// All that it goes by: its attributes, and what is looked up.
    #[must_use]
    pub fn criteria(&self) -> Vec<String> {
        let own = self.names().map(str::to_owned);
        own.chain(self.lookup.as_ref().map(Lookup::name)).collect()
    }
}

impl Strength {
    pub(super) const ALL: [Strength; 2] = [Strength::Strong, Strength::Weak];

    /// As written in schema files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Strength::Strong => "strong",
            Strength::Weak => "weak",
        }
    }
}
