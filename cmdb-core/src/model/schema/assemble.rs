//! Fitting declarations together: the class tree, what is inherited, and every name that must exist.

use std::collections::BTreeMap;

use super::attributes::{agree, completed};
use super::declaration::{AttributeDeclaration, ClassDeclaration, Declarations, TypeDeclaration};
use super::document::File;
use super::finding::{At, Finding};
use super::junk::Counts;
use super::order::Order;
use super::rules::{OwnRules, Types};
use super::{Attribute, Class, Health, Junk, Orders, RelationshipType, Schema};
use crate::model::nearest::nearest;
use crate::model::time::DAY_US;

/// How long a stopped item keeps its part in impact, unless its class says otherwise.
const STOPPED_FOR_US: i64 = 30 * DAY_US;
/// How long an item is missing before it is retired, unless its class says otherwise.
const RETIRE_AFTER_US: i64 = 90 * DAY_US;
/// How much of the time an item is up of itself, unless its class says otherwise: it fails only with what it needs.
const AVAILABILITY: f64 = 1.0;

/// Builds the schema, or notes why not. A schema comes back only with findings that leave it whole.
pub(super) fn assemble(
    files: &[File<'_>],
    declarations: Declarations,
    findings: &mut Vec<Finding>,
) -> Option<Schema> {
    let mut work = Assembly { files, findings };
    let by_name = work.unique_classes(&declarations.classes);
    let order = work.parents_first(&declarations.classes, &by_name)?;
    let anywhere = agree(files, &declarations, work.findings);
    let (relationship_types, inverses) = work.relationship_types(&declarations.relationship_types);
    let extra = work.extensions(&declarations, &by_name);
    let mut classes = work.classes(&declarations, &order, &extra, &anywhere);
    let types = Types { by_name: &relationship_types, inverses: &inverses };
    work.identification(&declarations, &mut classes, types);
    work.told_apart_by(&declarations, &relationship_types);
    work.requires(&declarations, &mut classes, &relationship_types);
    let mut schema = Schema {
        class_index: classes.iter().enumerate().map(|(place, class)| (class.name.clone(), place)).collect(),
        classes,
        relationship_types,
        inverses,
        anywhere,
        junk: Junk::default(),
        orders: Orders::default(),
        health: Health::default(),
        texts: files.iter().map(|file| (file.path.to_owned(), file.text.to_owned())).collect(),
    };
    schema.orders = work.orders(&declarations, &schema);
    schema.junk = work.junk(&declarations, &schema);
    schema.health = work.health(&declarations.health, &schema);
    Some(schema)
}

pub(super) struct Assembly<'w, 'f> {
    pub files: &'w [File<'f>],
    pub findings: &'w mut Vec<Finding>,
}

/// The places of classes by name.
pub(super) type ByName<'d> = BTreeMap<&'d str, usize>;

impl Assembly<'_, '_> {
    pub(super) fn wrong(&mut self, at: At, message: impl Into<String>) {
        self.findings.push(at.finding(self.files, message));
    }

    pub(super) fn unknown_class(&mut self, at: At, given: &str, by_name: &ByName<'_>) {
        let right = match nearest(given, by_name.keys().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "declare it, or name one that is there".to_owned(),
        };
        self.wrong(at, format!("there is no class \"{given}\": {right}"));
    }

    /// What extensions add, by class.
    fn extensions<'d>(
        &mut self,
        declarations: &'d Declarations,
        by_name: &ByName<'_>,
    ) -> BTreeMap<&'d str, Vec<&'d AttributeDeclaration>> {
        let mut extra: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for extension in &declarations.extensions {
            if by_name.contains_key(extension.class.value.as_str()) {
                extra.entry(extension.class.value.as_str()).or_default().extend(extension.attributes.iter());
            } else {
                self.unknown_class(extension.class.at, &extension.class.value, by_name);
            }
        }
        extra
    }

    fn classes(
        &mut self,
        declarations: &Declarations,
        order: &[usize],
        extra: &BTreeMap<&str, Vec<&AttributeDeclaration>>,
        anywhere: &BTreeMap<String, Attribute>,
    ) -> Vec<Class> {
        let mut classes: Vec<Class> = Vec::with_capacity(order.len());
        let mut built: BTreeMap<&str, usize> = BTreeMap::new();
        // Where each attribute of each class is declared, to blame the later of two.
        let mut places: Vec<BTreeMap<&str, At>> = Vec::with_capacity(order.len());
        for declaration in order.iter().map(|place| &declarations.classes[*place]) {
            let name = declaration.name.value.as_str();
            let parent = declaration.parent.as_ref().map(|parent| built[parent.value.as_str()]);
            let mut class = inherit(declaration, parent.map(|parent| &classes[parent]), self.files);
            let mut declared = parent.map(|parent| places[parent].clone()).unwrap_or_default();
            let said = declarations.extensions.iter().rev().filter(|said| said.class.value == name);
            if let Some(availability) = said.filter_map(|said| said.availability).next() {
                class.availability = availability;
            }
            let own = declaration.attributes.iter().chain(extra.get(name).into_iter().flatten().copied());
            for attribute in own {
                let named = attribute.name.value.as_str();
                if let Some(there) = declared.insert(named, attribute.name.at) {
                    self.twice(&class, named, there, attribute.name.at);
                }
                class.attributes.insert(named.to_owned(), completed(attribute, &anywhere[named]));
            }
            built.insert(name, classes.len());
            classes.push(class);
            places.push(declared);
        }
        classes
    }

    /// An attribute is declared by a class and again by it or by an ancestor: the later declaration is to blame.
    fn twice(&mut self, class: &Class, attribute: &str, one: At, other: At) {
        let (first, later) =
            if (one.file, one.offset) <= (other.file, other.offset) { (one, other) } else { (other, one) };
        let first = first.finding(self.files, "");
        let message = format!(
            "class \"{}\" already has an attribute \"{attribute}\", declared in {}, line {}",
            class.name, first.file, first.line
        );
        self.wrong(later, message);
    }

    fn identification(&mut self, declarations: &Declarations, classes: &mut [Class], types: Types<'_>) {
        let mut own = OwnRules { rules: BTreeMap::new(), like: BTreeMap::new(), types };
        for class in &declarations.classes {
            own.rules.entry(class.name.value.as_str()).or_default().extend(&class.rules);
            own.like.extend(class.identified_like.as_ref().map(|like| (class.name.value.as_str(), like)));
        }
        for extension in &declarations.extensions {
            if let Some(rules) = own.rules.get_mut(extension.class.value.as_str()) {
                rules.extend(&extension.rules);
            }
        }
        let lookups = own.rules.values().flatten().filter_map(|rule| rule.lookup.as_ref());
        for lookup in lookups {
            types.check(lookup, classes, self.files, self.findings);
        }
        for class in classes {
            class.identification = own.resolve(class, self.files, self.findings);
        }
    }

    /// What tells items of a class apart must be a relationship type.
    fn told_apart_by(&mut self, declarations: &Declarations, types: &BTreeMap<String, RelationshipType>) {
        for kind in declarations.classes.iter().filter_map(|class| class.told_apart_by.as_ref()).flatten() {
            if !types.contains_key(&kind.value) {
                let right = match nearest(&kind.value, types.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "declare it with [[relationship_type]]".to_owned(),
                };
                self.wrong(kind.at, format!("there is no relationship type \"{}\": {right}", kind.value));
            }
        }
    }

    fn requires(
        &mut self,
        declarations: &Declarations,
        classes: &mut [Class],
        types: &BTreeMap<String, RelationshipType>,
    ) {
        let mut own: BTreeMap<&str, Vec<_>> = BTreeMap::new();
        for declaration in &declarations.classes {
            for (kind, require) in &declaration.default_require {
                if types.contains_key(&kind.value) {
                    own.entry(&declaration.name.value).or_default().push((kind.value.clone(), *require));
                    continue;
                }
                let right = match nearest(&kind.value, types.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "declare it with [[relationship_type]]".to_owned(),
                };
                self.wrong(kind.at, format!("there is no relationship type \"{}\": {right}", kind.value));
            }
        }
        for class in classes {
            let mut chain: Vec<&str> = class.ancestors.iter().rev().map(String::as_str).collect();
            chain.push(&class.name);
            let requires = chain.iter().filter_map(|name| own.get(name)).flatten().cloned().collect();
            class.default_require = requires;
        }
    }

    fn relationship_types(
        &mut self,
        declared: &[TypeDeclaration],
    ) -> (BTreeMap<String, RelationshipType>, BTreeMap<String, String>) {
        let mut seen: BTreeMap<&str, At> = BTreeMap::new();
        let (mut types, mut inverses) = (BTreeMap::new(), BTreeMap::new());
        for declaration in declared {
            for name in [&declaration.name, &declaration.inverse] {
                if let Some(first) = seen.insert(&name.value, name.at) {
                    let first = first.finding(self.files, "");
                    let message = format!(
                        "\"{}\" already names a relationship type or an inverse in {}, line {}",
                        name.value, first.file, first.line
                    );
                    self.wrong(name.at, message);
                }
            }
            let kind = RelationshipType {
                name: declaration.name.value.clone(),
                inverse: declaration.inverse.value.clone(),
                failure: declaration.failure,
                weak: declaration.weak,
                confidence_half_life_us: declaration.confidence_half_life_us,
                stale_after_us: declaration.stale_after_us,
                description: declaration.description.clone(),
                declared_in: self.files[declaration.name.at.file].declared_in().to_owned(),
            };
            inverses.insert(kind.inverse.clone(), kind.name.clone());
            types.insert(kind.name.clone(), kind);
        }
        (types, inverses)
    }

    fn orders(&mut self, declarations: &Declarations, schema: &Schema) -> Orders {
        let by_name: ByName<'_> =
            schema.classes.iter().zip(0..).map(|(class, at)| (class.name.as_str(), at)).collect();
        let mut orders = Orders::default();
        let mut set: BTreeMap<(&str, &str), At> = BTreeMap::new();
        for order in &declarations.orders {
            for class in &order.classes {
                let Some(known) = schema.class(&class.value) else {
                    self.unknown_class(class.at, &class.value, &by_name);
                    continue;
                };
                for attribute in &order.attributes {
                    if !known.attributes.contains_key(&attribute.value) {
                        let near = schema.nearest_attribute(&class.value, &attribute.value);
                        self.unknown_attribute(attribute.at, &class.value, &attribute.value, near);
                    }
                }
                let all = [""];
                let named: Vec<&str> = order.attributes.iter().map(|name| name.value.as_str()).collect();
                for attribute in if named.is_empty() { &all[..] } else { &named } {
                    self.order_twice(&mut set, (&class.value, attribute), order.at);
                    let set =
                        Order { entries: order.sources.clone(), null_overwrites: order.null_overwrites };
                    orders.set(&class.value, attribute, set);
                }
            }
        }
        orders
    }

    /// A user's file may replace a built-in order; two files of one user may not contradict each other.
    fn order_twice<'d>(
        &mut self,
        set: &mut BTreeMap<(&'d str, &'d str), At>,
        what: (&'d str, &'d str),
        at: At,
    ) {
        let Some(first) = set.insert(what, at) else { return };
        if self.files[first.file].built_in != self.files[at.file].built_in {
            return;
        }
        let first = first.finding(self.files, "");
        let of = if what.1.is_empty() { "all attributes".to_owned() } else { format!("\"{}\"", what.1) };
        let message = format!(
            "the order for {of} of class \"{}\" is already given in {}, line {}",
            what.0, first.file, first.line
        );
        self.wrong(at, message);
    }

    pub(super) fn unknown_attribute(&mut self, at: At, class: &str, given: &str, near: Option<&str>) {
        let of = if class.is_empty() { "no class".to_owned() } else { format!("class \"{class}\" does not") };
        let has = if class.is_empty() { format!("{of} has") } else { format!("{of} have") };
        let right = near.map_or(String::new(), |near| format!(": did you mean \"{near}\"?"));
        self.wrong(at, format!("{has} an attribute \"{given}\"{right}"));
    }

    fn junk(&mut self, declarations: &Declarations, schema: &Schema) -> Junk {
        let mut junk = Junk::default();
        for declaration in &declarations.junk {
            for attribute in &declaration.attributes {
                if !schema.anywhere.contains_key(&attribute.value) {
                    let near = schema.nearest_attribute("", &attribute.value);
                    self.unknown_attribute(attribute.at, "", &attribute.value, near);
                }
            }
            let where_it_counts =
                if declaration.lookups_only { Counts::InLookups } else { Counts::Everywhere };
            let all = [""];
            let named: Vec<&str> = declaration.attributes.iter().map(|name| name.value.as_str()).collect();
            for attribute in if named.is_empty() { &all[..] } else { &named } {
                for value in &declaration.values {
                    junk.add(attribute, &value.value, where_it_counts);
                }
                if declaration.one_character {
                    junk.add_one_character(attribute, where_it_counts);
                }
                if declaration.locally_administered {
                    junk.add_locally_administered(attribute, where_it_counts);
                }
            }
        }
        junk
    }
}

/// A class with what it has from its parent, before its own attributes and rules.
fn inherit(declaration: &ClassDeclaration, parent: Option<&Class>, files: &[File<'_>]) -> Class {
    let name = declaration.name.value.clone();
    let attributes = parent.into_iter().flat_map(|parent| {
        parent.attributes.values().map(|attribute| {
            let from = attribute.inherited_from.clone().unwrap_or_else(|| parent.name.clone());
            (attribute.name.clone(), Attribute { inherited_from: Some(from), ..attribute.clone() })
        })
    });
    let ancestors =
        parent.into_iter().flat_map(|parent| std::iter::once(&parent.name).chain(&parent.ancestors));
    Class {
        parent: parent.map(|parent| parent.name.clone()),
        title: declaration.title.clone().unwrap_or_else(|| title(&name)),
        description: declaration.description.clone(),
        is_abstract: declaration.is_abstract,
        running: declaration.running.or(parent.map(|parent| parent.running)).unwrap_or(false),
        external_without_host: declaration
            .external_without_host
            .or(parent.map(|parent| parent.external_without_host))
            .unwrap_or(false),
        attributes: attributes.collect(),
        identification: Vec::new(),
        told_apart_by: match (&declaration.told_apart_by, parent) {
            (Some(kinds), _) => kinds.iter().map(|kind| kind.value.clone()).collect(),
            (None, parent) => parent.map(|parent| parent.told_apart_by.clone()).unwrap_or_default(),
        },
        default_require: BTreeMap::new(),
        stopped_for_us: declaration
            .stopped_for_us
            .or(parent.map(|parent| parent.stopped_for_us))
            .unwrap_or(STOPPED_FOR_US),
        retire_after_us: declaration
            .retire_after_us
            .or(parent.map(|parent| parent.retire_after_us))
            .unwrap_or(RETIRE_AFTER_US),
        availability: declaration
            .availability
            .or(parent.map(|parent| parent.availability))
            .unwrap_or(AVAILABILITY),
        declared_in: files[declaration.name.at.file].declared_in().to_owned(),
        ancestors: ancestors.cloned().collect(),
        name,
    }
}

/// `message_queue` → `Message queue`.
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut characters = words.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
