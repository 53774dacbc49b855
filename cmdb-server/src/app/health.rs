//! Whether the facts can be trusted.

use std::collections::BTreeMap;

use cmdb_core::engine::{Label, Reader, When};
use cmdb_core::health::{Ask, Given, Health, LIST_MAX, Origin};
use cmdb_core::model::{Item, ItemId, Revision, Timestamp};

use super::{App, Error, labels_of};

/// Items listed when nobody says how many.
pub const LIST_DEFAULT: usize = 100;
/// Items listed at most.
pub const LISTED_MAX: usize = LIST_MAX;

/// How the facts stand.
#[derive(Clone, Debug)]
pub struct HealthAnswer {
    /// The revision that was looked at.
    pub revision: Revision,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The figures.
    pub health: Health,
    /// What the listed items are called.
    pub labels: BTreeMap<ItemId, Label>,
}

/// A value that an item does not have itself, with what it comes from in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GivenAnswer {
    /// The attribute.
    pub attribute: String,
    /// The value.
    pub value: String,
    /// The rule: where it is declared; empty: inherited.
    pub rule: String,
    /// The service that it is inherited from.
    pub service: Option<Label>,
}

impl App {
    /// How the facts stand.
    ///
    /// # Errors
    /// When the class or the figure is not known, or the moment is not to be had.
    pub async fn health(&self, ask: Ask, when: When) -> Result<HealthAnswer, Error> {
        self.read_at(when, move |reader| {
            let health = reader.health(&ask)?;
            let ids: Vec<ItemId> = health.listed.iter().map(|listed| listed.item).collect();
            let labels = labels_of(reader, &ids)?;
            Ok(HealthAnswer {
                revision: reader.revision(),
                recorded_at: reader.recorded_at(),
                health,
                labels,
            })
        })
        .await
    }
}

/// Who answers for an item that does not say so itself.
///
/// # Errors
/// When the store cannot be read.
pub fn given(reader: &Reader, item: &Item) -> Result<Vec<GivenAnswer>, Error> {
    let given = reader.given(item)?;
    let services: Vec<ItemId> = given.values().filter_map(service).collect();
    let labels = labels_of(reader, &services)?;
    let answers = given.into_iter().map(|(attribute, given)| GivenAnswer {
        attribute,
        service: service(&given).and_then(|id| labels.get(&id).cloned()),
        rule: match &given.from {
            Origin::Rule(declared_in) => declared_in.clone(),
            Origin::Item(_) => String::new(),
        },
        value: given.value,
    });
    Ok(answers.collect())
}

fn service(given: &Given) -> Option<ItemId> {
    match given.from {
        Origin::Item(id) => Some(id),
        Origin::Rule(_) => None,
    }
}
