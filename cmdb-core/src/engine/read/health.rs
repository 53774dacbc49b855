//! How the facts stand, and who answers for an item: what the room `health` counts, read from one moment.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Reader;
use crate::engine::request::EngineError;
use crate::graph::Index;
use crate::health::{
    self, Ask, Given, Health, Inherited, Look, Origin, Rules, Service, Sites, Survey, Takes, Way, Witness,
};
use crate::model::schema::{ASSIGNED, Schema, SchemaError};
use crate::model::{Item, ItemId, Problem, Reason, SourceId, Status, Timestamp, Value};

/// Items looked at together.
const AT_ONCE: usize = 1_024;

/// The schema of the moment that is read, with its rules ready to be applied.
struct InForce<'a> {
    schema: &'a Schema,
    rules: Rules,
}

impl<'a> InForce<'a> {
    fn of(schema: &'a Schema) -> Result<InForce<'a>, EngineError> {
        let wrong = |error: SchemaError| {
            Problem::new(Reason::FormatInvalid, "a rule of the schema cannot be read", error.to_string())
                .hint(error.to_string())
        };
        Ok(InForce { schema, rules: Rules::read(schema).map_err(wrong)? })
    }
}

impl Reader {
    /// How the facts stand: complete, correct, compliant, confirmed, answered for.
    ///
    /// # Errors
    /// When the class or the figure is not known, a rule cannot be read, or the store cannot be read.
    pub fn health(&self, ask: &Ask) -> Result<Health, EngineError> {
        let schema = self.schema_then()?;
        if !ask.class.is_empty() && schema.class(&ask.class).is_none() {
            return Err(super::list::unknown_class(&schema, &ask.class).into());
        }
        let (rules, graph) = (InForce::of(&schema)?, self.graph());
        let sources = self.witnesses(ask.interval_us)?;
        let mut survey = Survey::new(&schema, &rules.rules, graph, &sources, ask)?;
        let sites = self.sites(&rules)?;
        let inherited = Inherited::of(graph, self.services(&rules, sites.as_ref())?);
        let mut ids: Vec<ItemId> = graph
            .indexes()
            .filter(|index| graph.status(*index) != Status::Retired)
            .filter(|index| ask.class.is_empty() || schema.is_a(graph.class(*index), &ask.class))
            .map(|index| graph.id(index))
            .collect();
        ids.sort_unstable();
        for some in ids.chunks(AT_ONCE) {
            for item in self.items(some)?.into_iter().flatten() {
                let site = sites.as_ref().and_then(|sites| sites.get(graph, item.id));
                let mut given = self.stated(&rules, &item, site)?;
                for attribute in ASSIGNED {
                    if !given.contains_key(attribute) {
                        let found = inherited.get(graph, item.id, attribute);
                        given.extend(found.map(|found| (attribute.to_owned(), found)));
                    }
                }
                self.look(&mut survey, &item, &given)?;
            }
        }
        Ok(survey.end())
    }

    fn look(
        &self,
        survey: &mut Survey<'_>,
        item: &Item,
        given: &BTreeMap<String, Given>,
    ) -> Result<(), EngineError> {
        let outgoing = self.outgoing(item.id)?;
        let failed = RefCell::new(None);
        let incoming = |takes: Takes<'_>| {
            self.has_incoming(item.id, takes).unwrap_or_else(|error| {
                *failed.borrow_mut() = Some(error);
                false
            })
        };
        let value = |name: &str| self.value(item, name);
        survey.item(&Look { item, outgoing: &outgoing, incoming: &incoming, value: &value, given });
        failed.into_inner().map_or(Ok(()), Err)
    }

    /// Whether a relationship that stands is written to the item: of a type, from a class.
    fn has_incoming(&self, id: ItemId, takes: Takes<'_>) -> Result<bool, EngineError> {
        for (kind, from) in self.incoming(id)? {
            let class = self.graph().index(from).map_or("", |index| self.graph().class(index));
            if takes(&kind, class)
                && self.relationship(from, &kind, id)?.is_some_and(|relationship| relationship.stands())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every source, and whether it was heard of late.
    fn witnesses(&self, interval_us: i64) -> Result<BTreeMap<SourceId, Witness>, EngineError> {
        let since = Timestamp(self.moment().0.saturating_sub(interval_us));
        let mut witnesses = BTreeMap::new();
        for source in self.moment.sources.0.iter() {
            let fresh = self.source_last_seen(source.id)?.is_some_and(|seen| seen >= since);
            let witness = Witness { name: source.name.clone(), kind: source.kind, fresh };
            witnesses.insert(source.id, witness);
        }
        Ok(witnesses)
    }

    /// The live items of the graph whose class fits.
    fn of_class(&self, fits: impl Fn(&str) -> bool) -> Result<Vec<Item>, EngineError> {
        let graph = self.graph();
        let wanted = |index: &Index| graph.status(*index) != Status::Retired && fits(graph.class(*index));
        let ids: Vec<ItemId> = graph.indexes().filter(wanted).map(|index| graph.id(index)).collect();
        Ok(self.items(&ids)?.into_iter().flatten().collect())
    }

    fn sites(&self, rules: &InForce<'_>) -> Result<Option<Sites>, EngineError> {
        if !health::wants_sites(&rules.rules) {
            return Ok(None);
        }
        let sites = self.of_class(|class| rules.schema.is_a(class, "site"))?;
        Ok(Some(Sites::of(self.graph(), sites.into_iter().map(|site| (site.id, site.name)).collect())))
    }

    /// The services, and who answers for them.
    fn services(&self, rules: &InForce<'_>, sites: Option<&Sites>) -> Result<Vec<Service>, EngineError> {
        let found = self.of_class(|class| health::is_service(rules.schema, class))?;
        let mut services = Vec::with_capacity(found.len());
        for item in found {
            let site = sites.and_then(|sites| sites.get(self.graph(), item.id));
            services.push(Service { id: item.id, has: self.answered_for(rules, &item, site)? });
        }
        Ok(services)
    }

    /// What an item has itself, by its relationships to people, or by a rule.
    fn answered_for(
        &self,
        rules: &InForce<'_>,
        item: &Item,
        site: Option<&str>,
    ) -> Result<BTreeMap<String, String>, EngineError> {
        let stated = self.stated(rules, item, site)?;
        let mut has: BTreeMap<String, String> =
            stated.into_iter().map(|(attribute, given)| (attribute, given.value)).collect();
        for attribute in ASSIGNED {
            if let Some(value) = own(item, attribute) {
                has.insert(attribute.to_owned(), value);
            }
        }
        Ok(has)
    }

    /// What an item does not have itself, by its relationships to people, else by a rule.
    fn stated(
        &self,
        rules: &InForce<'_>,
        item: &Item,
        site: Option<&str>,
    ) -> Result<BTreeMap<String, Given>, EngineError> {
        let value = |name: &str| self.value(item, name);
        let mut given = health::by_rules(&rules.rules, rules.schema, &item.class, &item.name, site, &value);
        let outgoing = self.outgoing(item.id)?;
        for (attribute, kind) in [("owner", "owned_by"), ("support_group", "supported_by")] {
            let party = outgoing.iter().find(|found| found.kind == kind && found.stands());
            if let Some(party) = party.map(|found| self.item(found.to)).transpose()?.flatten() {
                given.insert(attribute.to_owned(), Given { value: party.name, from: Origin::Item(party.id) });
            }
        }
        given.retain(|attribute, _| own(item, attribute).is_none());
        Ok(given)
    }

    /// Owner, support group and environment that an item does not have itself: from the party that it is related to,
    /// by a rule, else from the nearest service that depends on it.
    ///
    /// # Errors
    /// When a rule cannot be read, or the store cannot be read.
    pub fn given(&self, item: &Item) -> Result<BTreeMap<String, Given>, EngineError> {
        let schema = self.schema_then()?;
        let rules = InForce::of(&schema)?;
        let site = self.site_of(&rules, item.id)?;
        let mut given = self.stated(&rules, item, site.as_deref())?;
        let mut open: Vec<&str> = ASSIGNED
            .into_iter()
            .filter(|attribute| own(item, attribute).is_none() && !given.contains_key(*attribute))
            .collect();
        if open.is_empty() || !schema.is_a(&item.class, "configuration_item") {
            return Ok(given);
        }
        let graph = self.graph();
        health::rings(graph, item.id, Way::Dependents, |ring| {
            let services = ring.iter().filter(|index| health::is_service(&schema, graph.class(**index)));
            let mut ids: Vec<ItemId> =
                services.map(|index| graph.id(*index)).filter(|id| *id != item.id).collect();
            ids.sort_unstable();
            for service in self.items(&ids)?.into_iter().flatten() {
                let site = self.site_of(&rules, service.id)?;
                let has = self.answered_for(&rules, &service, site.as_deref())?;
                open.retain(|attribute| match has.get(*attribute) {
                    Some(value) => {
                        let from = Origin::Item(service.id);
                        given.insert((*attribute).to_owned(), Given { value: value.clone(), from });
                        false
                    }
                    None => true,
                });
            }
            Ok::<bool, EngineError>(!open.is_empty())
        })?;
        Ok(given)
    }

    /// The name of the site that an item stands in, where rules ask for it.
    fn site_of(&self, rules: &InForce<'_>, item: ItemId) -> Result<Option<String>, EngineError> {
        if !health::wants_sites(&rules.rules) {
            return Ok(None);
        }
        let graph = self.graph();
        let mut site = None;
        health::rings(graph, item, Way::Places, |ring| {
            let sites = ring.iter().filter(|index| rules.schema.is_a(graph.class(**index), "site"));
            let mut ids: Vec<ItemId> = sites.map(|index| graph.id(*index)).collect();
            ids.sort_unstable();
            site = self.items(&ids)?.into_iter().flatten().next().map(|found| found.name);
            Ok::<bool, EngineError>(site.is_none())
        })?;
        Ok(site)
    }
}

/// What an item itself says of who answers for it.
fn own(item: &Item, attribute: &str) -> Option<String> {
    match item.attribute(attribute)?.value {
        Value::Text(text) if text.trim().is_empty() => None,
        value => Some(value.to_string()),
    }
}
