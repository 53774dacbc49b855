//! Who answers for an item that does not say so itself: the parties that it is related to, assignment rules, then the
//! nearest service that depends on it.
//!
//! Invariant: asking for one item and asking for all give the same answer. Of several services at the same distance
//! the one with the smallest id counts.

use std::collections::{BTreeMap, BTreeSet};

use super::rules::{Rules, ValueOf, fits};
use crate::graph::{Carries, Graph, Index};
use crate::model::schema::{ASSIGNED, Schema};
use crate::model::{ItemId, Status};

/// Items that a search for the nearest service of one item looks at, at most.
pub const LOOKED_AT_MAX: usize = 200_000;
/// The types along which an item stands where another stands.
const STANDS: [&str; 4] = ["located_in", "runs_on", "hosted_on", "virtualized_by"];

/// A value that an item does not have itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The value.
    pub value: String,
    /// Where it comes from.
    pub from: Origin,
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// An assignment rule: where it is declared.
    Rule(String),
    /// Another item: the party that owns or supports it, or the nearest service that depends on it.
    Item(ItemId),
}

/// A service, with what is known of who answers for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// The service.
    pub id: ItemId,
    /// By attribute, what it has itself or by a rule.
    pub has: BTreeMap<String, String>,
}

/// Whether what depends on a class passes its owner on.
#[must_use]
pub fn is_service(schema: &Schema, class: &str) -> bool {
    schema.is_a(class, "service") || schema.is_a(class, "business_application")
}

/// What the rules give to an item, by attribute; the first rule that fits counts.
#[must_use]
pub fn by_rules(
    rules: &Rules,
    schema: &Schema,
    class: &str,
    name: &str,
    site: Option<&str>,
    value: ValueOf<'_>,
) -> BTreeMap<String, Given> {
    let mut given = BTreeMap::new();
    for rule in &rules.assignments {
        let is_of_class = |class_wanted: &str| schema.is_a(class, class_wanted);
        let fitting = (rule.class.is_empty() || is_of_class(&rule.class))
            && (rule.name.is_empty() || fits(&rule.name, name))
            && (rule.site.is_empty() || site.is_some_and(|site| fits(&rule.site, site)))
            && rule.condition.as_ref().is_none_or(|filter| filter.matches(value, &is_of_class));
        if fitting {
            for (attribute, value) in &rule.gives {
                let from = Origin::Rule(rule.declared_in.clone());
                given.entry(attribute.clone()).or_insert_with(|| Given { value: value.clone(), from });
            }
        }
    }
    given
}

/// For every item the nearest service that has a value, by attribute.
pub struct Inherited {
    services: Vec<Service>,
    /// By attribute in the order of [`ASSIGNED`]: for each index of the graph the place of the service.
    nearest: Vec<Vec<u32>>,
}

const NONE: u32 = u32::MAX;

impl Inherited {
    /// Follows the dependencies of every service once.
    #[must_use]
    pub fn of(graph: &Graph, mut services: Vec<Service>) -> Inherited {
        services.sort_by_key(|service| service.id);
        let nearest = ASSIGNED
            .iter()
            .map(|attribute| {
                let anchors = services
                    .iter()
                    .enumerate()
                    .filter(|(_, service)| service.has.contains_key(*attribute))
                    .filter_map(|(place, service)| Some((graph.index(service.id)?, place)));
                spread(graph, anchors, |from| hard(graph, from).collect())
            })
            .collect();
        Inherited { services, nearest }
    }

    /// What an item has from the nearest service.
    #[must_use]
    pub fn get(&self, graph: &Graph, item: ItemId, attribute: &str) -> Option<Given> {
        let column = ASSIGNED.iter().position(|name| *name == attribute)?;
        let place = *self.nearest[column].get(graph.index(item)?.0 as usize)?;
        let service = self.services.get(place as usize).filter(|service| service.id != item)?;
        let value = service.has.get(attribute)?.clone();
        Some(Given { value, from: Origin::Item(service.id) })
    }
}

/// For every index the place of the nearest anchor, of several the smallest place.
fn spread(
    graph: &Graph,
    anchors: impl Iterator<Item = (Index, usize)>,
    next: impl Fn(Index) -> Vec<Index>,
) -> Vec<u32> {
    let mut nearest = vec![NONE; graph.index_bound()];
    let mut ring: Vec<Index> = Vec::new();
    for (index, place) in anchors {
        let place = u32::try_from(place).expect("fewer anchors than items");
        let known = &mut nearest[index.0 as usize];
        if *known == NONE {
            ring.push(index);
        }
        *known = place.min(*known);
    }
    while !ring.is_empty() {
        let mut reached: BTreeMap<u32, u32> = BTreeMap::new();
        for from in ring {
            let place = nearest[from.0 as usize];
            for to in next(from) {
                if nearest[to.0 as usize] == NONE {
                    let known = reached.entry(to.0).or_insert(place);
                    *known = place.min(*known);
                }
            }
        }
        ring = reached
            .into_iter()
            .map(|(to, place)| {
                nearest[to as usize] = place;
                Index(to)
            })
            .collect();
    }
    nearest
}

/// What an item needs. Seen traffic alone makes nobody responsible.
fn hard(graph: &Graph, from: Index) -> impl Iterator<Item = Index> + '_ {
    let edges = graph.dependencies(from).filter(|edge| edge.carries == Carries::Hard);
    edges.map(|edge| edge.other).filter(|other| graph.status(*other) != Status::Retired)
}

/// For each item the site it stands in; only sites of these names are looked for.
pub struct Sites {
    names: Vec<String>,
    nearest: Vec<u32>,
}

impl Sites {
    /// Follows what stands in each site.
    #[must_use]
    pub fn of(graph: &Graph, mut sites: Vec<(ItemId, String)>) -> Sites {
        sites.sort();
        let anchors =
            sites.iter().enumerate().filter_map(|(place, (id, _))| Some((graph.index(*id)?, place)));
        let nearest = spread(graph, anchors, |from| {
            let edges = graph.dependents(from).filter(|edge| stands(graph.type_name(edge.kind)));
            edges.map(|edge| edge.other).collect()
        });
        Sites { names: sites.iter().map(|(_, name)| name.clone()).collect(), nearest }
    }

    /// The site of an item.
    #[must_use]
    pub fn get(&self, graph: &Graph, item: ItemId) -> Option<&str> {
        let place = *self.nearest.get(graph.index(item)?.0 as usize)?;
        self.names.get(place as usize).map(String::as_str)
    }
}

/// Whether the rules ask for sites at all.
#[must_use]
pub fn wants_sites(rules: &Rules) -> bool {
    !rules.sites().is_empty()
}

fn stands(kind: &str) -> bool {
    STANDS.contains(&kind)
}

/// The items around one item, ring by ring: those that need it, or those that it stands on. `ring` says whether to go
/// on. At most [`LOOKED_AT_MAX`] are looked at.
///
/// # Errors
/// What `ring` fails with.
pub fn rings<E>(
    graph: &Graph,
    item: ItemId,
    way: Way,
    mut ring: impl FnMut(&[Index]) -> Result<bool, E>,
) -> Result<(), E> {
    let Some(first) = graph.index(item) else { return Ok(()) };
    let mut seen = BTreeSet::from([first.0]);
    let mut current = vec![first];
    while !current.is_empty() && seen.len() <= LOOKED_AT_MAX {
        if !ring(&current)? {
            return Ok(());
        }
        let mut next = Vec::new();
        for from in current {
            let edges = match way {
                Way::Dependents => graph.dependents(from),
                Way::Places => graph.dependencies(from),
            };
            let wanted = edges.filter(|edge| match way {
                Way::Dependents => edge.carries == Carries::Hard,
                Way::Places => stands(graph.type_name(edge.kind)),
            });
            next.extend(
                wanted
                    .map(|edge| edge.other)
                    .filter(|other| graph.status(*other) != Status::Retired && seen.insert(other.0)),
            );
        }
        current = next;
    }
    Ok(())
}

/// Which way [`rings`] goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// To what needs the item.
    Dependents,
    /// To what the item stands on and in.
    Places,
}
