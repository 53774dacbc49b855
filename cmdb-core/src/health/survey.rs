//! Counting, item by item.

use std::collections::BTreeMap;

use super::confirm::{Judge, State, Witness};
use super::given::Given;
use super::rules::{Audit, Related, Requirement, Rules, ValueOf};
use super::{Area, Ask, DETAILS_MAX, Figure, Health, LIST_MAX, Listed, unknown_figure};
use crate::graph::Graph;
use crate::model::schema::{Expectation, Schema};
use crate::model::{Item, ItemId, Problem, Relationship, SourceId, Status, Value};

/// Whether a relationship of a type, to or from an item of a class, is meant.
pub type Takes<'t> = &'t dyn Fn(&str, &str) -> bool;

/// One item, with what is known of it.
pub struct Look<'a> {
    /// The item; not retired.
    pub item: &'a Item,
    /// The relationships written from it.
    pub outgoing: &'a [Relationship],
    /// Whether a relationship that stands, of a type that the question takes, is written to it from an item of a
    /// class that it takes.
    pub incoming: &'a dyn Fn(Takes<'_>) -> bool,
    /// The value of an attribute, or of what every item has, for conditions.
    pub value: ValueOf<'a>,
    /// What it does not have itself and is given, by attribute.
    pub given: &'a BTreeMap<String, Given>,
}

/// Counts what it is shown.
pub struct Survey<'a> {
    schema: &'a Schema,
    rules: &'a Rules,
    graph: &'a Graph,
    sources: &'a BTreeMap<SourceId, Witness>,
    list: String,
    limit: usize,
    health: Health,
    places: BTreeMap<String, usize>,
}

const REQUIRED: &str = "required";
const RECOMMENDED: &str = "recommended";
const ORPHANS: &str = "orphans";
const DUPLICATES: &str = "duplicates";
const STALE: &str = "stale";
const MISSING: &str = "missing";
const CONFIRMED: &str = "confirmed";
const UNCONFIRMED: &str = "unconfirmed";
const CONTRADICTED: &str = "contradicted";
const UNDISCOVERABLE: &str = "undiscoverable";
/// Figure, attribute that is looked for, relationship type that is as good.
const OWNERSHIP: [(&str, &str, &str); 3] = [
    ("unowned", "owner", "owned_by"),
    ("unsupported", "support_group", "supported_by"),
    ("no_environment", "environment", ""),
];

const FIGURES: [(Area, &str, &str); 13] = [
    (Area::Completeness, REQUIRED, "required attributes that are not known"),
    (Area::Completeness, RECOMMENDED, "recommended attributes that are not known"),
    (Area::Correctness, ORPHANS, "items that should be related to something and are not"),
    (Area::Correctness, DUPLICATES, "items that may be the same as another"),
    (Area::Correctness, STALE, "items whose machines were not heard within the interval"),
    (Area::Correctness, MISSING, "items that nobody claims any more"),
    (Area::Confirmation, CONFIRMED, "discoverable facts that machines confirmed within the interval"),
    (Area::Confirmation, UNCONFIRMED, "discoverable facts that no machine confirmed within the interval"),
    (Area::Confirmation, CONTRADICTED, "facts that a machine contradicts"),
    (Area::Confirmation, UNDISCOVERABLE, "facts that no machine can see"),
    (Area::Ownership, "unowned", "items that nobody owns"),
    (Area::Ownership, "unsupported", "items that no group supports"),
    (Area::Ownership, "no_environment", "items of no known environment"),
];

impl<'a> Survey<'a> {
    /// Begins.
    ///
    /// # Errors
    /// When there is no figure of the name that is to be listed.
    pub fn new(
        schema: &'a Schema,
        rules: &'a Rules,
        graph: &'a Graph,
        sources: &'a BTreeMap<SourceId, Witness>,
        ask: &Ask,
    ) -> Result<Survey<'a>, Problem> {
        let figure = |area, name: String, title: &str| Figure {
            name,
            area,
            title: title.to_owned(),
            count: 0,
            of: 0,
            items: 0,
        };
        let mut figures: Vec<Figure> =
            FIGURES.map(|(area, name, title)| figure(area, name.to_owned(), title)).into();
        let audits = rules.audits.iter().map(|audit| {
            figure(Area::Compliance, audit_figure(audit), &format!("not as it should be: {}", audit.message))
        });
        figures.extend(audits);
        figures.sort_by_key(|figure| figure.area);
        let places: BTreeMap<String, usize> =
            figures.iter().enumerate().map(|(place, figure)| (figure.name.clone(), place)).collect();
        if !ask.list.is_empty() && !places.contains_key(&ask.list) {
            return Err(unknown_figure(&ask.list, figures.iter().map(|figure| figure.name.as_str())));
        }
        let health = Health { figures, ..Health::default() };
        let (list, limit) = (ask.list.clone(), ask.limit.min(LIST_MAX));
        Ok(Survey { schema, rules, graph, sources, list, limit, health, places })
    }

    /// Counts one item.
    pub fn item(&mut self, look: &Look<'_>) {
        self.health.items += 1;
        let nothing = Expectation::default();
        let expected = self.schema.health().expectation(&look.item.class).unwrap_or(&nothing);
        self.completeness(look, expected);
        self.correctness(look, expected);
        self.compliance(look);
        self.confirmation(look);
        if expected.owner {
            self.ownership(look);
        }
    }

    /// Ends.
    #[must_use]
    pub fn end(mut self) -> Health {
        self.figure(CONFIRMED).of = self.health.facts.discoverable();
        self.figure(UNCONFIRMED).of = self.health.facts.discoverable();
        self.figure(CONTRADICTED).of = self.health.facts.discoverable();
        self.figure(UNDISCOVERABLE).of = self.health.facts.all();
        self.health
    }

    fn figure(&mut self, name: &str) -> &mut Figure {
        &mut self.health.figures[self.places[name]]
    }

    /// Counts what was looked at and what was found; an item with findings stands behind the figure.
    fn count(&mut self, figure: &str, item: ItemId, of: u64, found: Vec<String>) {
        let many = found.len() as u64;
        let listed = self.list == figure && many > 0;
        let counted = self.figure(figure);
        counted.of += of;
        counted.count += many;
        counted.items += u64::from(many > 0);
        if !listed {
            return;
        }
        if self.health.listed.len() == self.limit {
            self.health.omitted += 1;
            return;
        }
        let more = many.saturating_sub(DETAILS_MAX as u64);
        let details = found.into_iter().take(DETAILS_MAX).collect();
        self.health.listed.push(Listed { item, details, more });
    }

    /// One finding or none, of one thing that was looked at.
    fn check(&mut self, figure: &str, item: ItemId, found: Option<String>) {
        self.count(figure, item, 1, found.into_iter().collect());
    }

    fn completeness(&mut self, look: &Look<'_>, expected: &Expectation) {
        for (figure, names) in [(REQUIRED, &expected.required), (RECOMMENDED, &expected.recommended)] {
            let lacking = names
                .iter()
                .filter(|name| look.item.attribute(name).is_none_or(|found| is_empty(found.value)))
                .filter(|name| !look.given.contains_key(*name))
                .filter(|name| {
                    !OWNERSHIP.iter().any(|(_, attribute, kind)| attribute == name && has(look, kind))
                });
            let lacking = lacking.map(|name| format!("lacks {name}")).collect();
            self.count(figure, look.item.id, names.len() as u64, lacking);
        }
    }

    fn correctness(&mut self, look: &Look<'_>, expected: &Expectation) {
        let item = look.item;
        if expected.relationship {
            let related = look.outgoing.iter().any(Relationship::stands) || (look.incoming)(&|_, _| true);
            self.check(ORPHANS, item.id, (!related).then(|| "is related to nothing".to_owned()));
        }
        let twins = item.duplicates.iter().map(|twin| format!("may be the same as {twin}"));
        let twins = twins.collect::<Vec<_>>().join(", ");
        self.check(DUPLICATES, item.id, Some(twins).filter(|twins| !twins.is_empty()));
        let missing = (item.status == Status::Missing).then(|| "nobody claims it".to_owned());
        self.check(MISSING, item.id, missing);
        let machines: Vec<&Witness> = item
            .standing()
            .filter_map(|claim| self.sources.get(&claim.source))
            .filter(|witness| witness.is_machine())
            .collect();
        if !machines.is_empty() {
            let silent = machines.iter().all(|machine| !machine.fresh);
            let names: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
            let found = silent.then(|| format!("not heard: {}", names.join(", ")));
            self.check(STALE, item.id, found);
        }
    }

    fn compliance(&mut self, look: &Look<'_>) {
        let rules = self.rules;
        for audit in &rules.audits {
            let is_of_class = |class: &str| self.schema.is_a(&look.item.class, class);
            // What is given counts as if the item had it.
            let value = |name: &str| {
                (look.value)(name)
                    .or_else(|| look.given.get(name).map(|given| Value::Text(given.value.clone())))
            };
            let applies = is_of_class(&audit.class)
                && audit.condition.as_ref().is_none_or(|filter| filter.matches(&value, &is_of_class));
            if !applies {
                continue;
            }
            let failing = audit.requires.iter().filter_map(|requirement| match requirement {
                Requirement::Holds(filter) => {
                    let holds = filter.matches(&value, &is_of_class);
                    (!holds).then(|| format!("not so: {filter}"))
                }
                Requirement::Related { text, any_of } => {
                    let is_related = any_of.iter().any(|related| self.is_related(look, related));
                    (!is_related).then(|| format!("not {text}"))
                }
            });
            let failing: Vec<String> = failing.collect();
            self.check(
                &audit_figure(audit),
                look.item.id,
                Some(failing.join("; ")).filter(|text| !text.is_empty()),
            );
        }
    }

    fn is_related(&self, look: &Look<'_>, related: &Related) -> bool {
        let takes = |kind: &str, class: &str| {
            kind == related.kind
                && related.class.as_ref().is_none_or(|wanted| self.schema.is_a(class, wanted))
        };
        if related.incoming {
            return (look.incoming)(&takes);
        }
        let standing = look.outgoing.iter().filter(|relationship| relationship.stands());
        standing.into_iter().any(|found| takes(&found.kind, self.class_of(found.to)))
    }

    fn class_of(&self, item: ItemId) -> &'a str {
        self.graph.index(item).map_or("", |index| self.graph.class(index))
    }

    fn confirmation(&mut self, look: &Look<'_>) {
        let judge = Judge { schema: self.schema, sources: self.sources };
        let mut facts = judge.attributes(look.item);
        facts.extend(look.outgoing.iter().filter_map(|relationship| {
            judge.relationship(look.item, relationship, self.class_of(relationship.to))
        }));
        let mut found: [Vec<String>; 4] = Default::default();
        for fact in facts {
            self.health.facts.count(fact.state);
            self.health.by_class.entry(look.item.class.clone()).or_default().count(fact.state);
            let source = self.sources.get(&fact.source).map_or("", |witness| witness.name.as_str());
            self.health.by_source.entry(source.to_owned()).or_default().count(fact.state);
            let place = match fact.state {
                State::Confirmed => 0,
                State::Unconfirmed => 1,
                State::Contradicted => 2,
                State::Undiscoverable => 3,
            };
            found[place].push(fact.fact);
        }
        for (figure, found) in [CONFIRMED, UNCONFIRMED, CONTRADICTED, UNDISCOVERABLE].into_iter().zip(found) {
            self.count(figure, look.item.id, 0, found);
        }
    }

    fn ownership(&mut self, look: &Look<'_>) {
        for (figure, attribute, kind) in OWNERSHIP {
            let known = look.item.attribute(attribute).is_some_and(|found| !is_empty(found.value))
                || look.given.contains_key(attribute)
                || has(look, kind);
            let found =
                (!known).then(|| format!("no {attribute}, no rule gives one, and no service passes one on"));
            self.check(figure, look.item.id, found);
        }
    }
}

fn audit_figure(audit: &Audit) -> String {
    format!("audit:{}", audit.name)
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.trim().is_empty())
}

/// Whether a relationship of a type is written from the item and stands.
fn has(look: &Look<'_>, kind: &str) -> bool {
    look.outgoing.iter().any(|relationship| relationship.kind == kind && relationship.stands())
}
