//! Rules that are not in force, tried on what is stored: what would change if they were.
//!
//! One moment is read, item by item, and nothing is written; identifiers are compared by sorting them on disk, so that
//! memory does not grow with the store. What is listed is bounded, what is counted is not.
//!
//! A schema that is adopted decides anew which claims win. It joins no items and separates none: that is left to
//! people, and to what sources say from then on. So what is shown of identifiers is what sources will be met with.

mod identities;
mod rows;
mod splits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub use identities::SharedIdentifier;
pub use splits::TrialSplit;

use super::Reader;
use crate::engine::request::EngineError;
use crate::model::schema::Schema;
use crate::model::{Item, ItemId, Problem, Revision, SourceId, Status, Value};
use crate::reconcile::{self, Sources};
use crate::store::record::{self, OutgoingRecord};
use crate::store::{self, Range, Table, key};
use identities::Identities;

/// Items decoded at a time.
const AT_ONCE: usize = 1_024;

/// How much of a trial is listed, and where it sorts.
#[derive(Clone, Copy, Debug)]
pub struct TrialOptions<'a> {
    /// The most entries of each list.
    pub limit: usize,
    /// For what does not fit into memory.
    pub directory: &'a Path,
    /// Bytes that are sorted in memory.
    pub memory_bytes: usize,
}

impl<'a> TrialOptions<'a> {
    /// As a server asks.
    #[must_use]
    pub fn new(limit: usize, directory: &'a Path) -> TrialOptions<'a> {
        TrialOptions { limit, directory, memory_bytes: store::runs::RUN_BYTES }
    }
}

/// What would change under other rules.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Trial {
    /// The moment that was read.
    pub revision: Revision,
    /// Items that were looked at; retired and merged ones are not.
    pub items: u64,
    /// Relationships that were looked at.
    pub relationships: u64,
    /// Items of which something would change.
    pub items_changed: u64,
    /// Attributes that would have another value, or another source; class, name and status among them.
    pub changes: Listed<TrialChange>,
    /// Items, values and relationships that would not be taken if they were stated again.
    pub refused: Listed<TrialRefusal>,
    /// Identifiers that items would have in common, and do not now.
    pub shared: Listed<SharedIdentifier>,
    /// Identifiers that items have in common now, and would not.
    pub parted: Listed<SharedIdentifier>,
    /// Items that are held together by what would identify nothing any more.
    pub split: Listed<TrialSplit>,
    /// Relationships that another source's claim would decide.
    pub relationships_changed: u64,
}

/// The first of them, and how many there are.
#[derive(Clone, PartialEq, Debug)]
pub struct Listed<T> {
    /// The first ones.
    pub first: Vec<T>,
    /// All of them.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Listed<T> {
        Listed { first: Vec::new(), total: 0 }
    }
}

impl<T> Listed<T> {
    fn add(&mut self, limit: usize, one: impl FnOnce() -> T) {
        self.total += 1;
        if self.first.len() < limit {
            self.first.push(one());
        }
    }
}

/// One attribute of an item that would change.
#[derive(Clone, PartialEq, Debug)]
pub struct TrialChange {
    /// Of which item.
    pub item: ItemId,
    /// Its name now.
    pub name: String,
    /// Which attribute; also class, name and status.
    pub attribute: String,
    /// What counts now, and who says it; `None`: nothing.
    pub before: Option<Stands>,
    /// What would count.
    pub after: Option<Stands>,
}

/// A value and who says it.
#[derive(Clone, PartialEq, Debug)]
pub struct Stands {
    /// The value.
    pub value: Value,
    /// Who says it; `None`: it follows from the claims.
    pub source: Option<SourceId>,
}

/// Something that is stored and would be refused.
#[derive(Clone, PartialEq, Debug)]
pub struct TrialRefusal {
    /// Of which item.
    pub item: ItemId,
    /// Its name now.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
}

impl Reader {
    /// Tries a schema that is not in force on what is stored.
    ///
    /// # Errors
    /// When the store cannot be read, or the directory not be written.
    pub fn try_schema(&self, schema: &Schema, options: TrialOptions<'_>) -> Result<Trial, EngineError> {
        let mut trial = Trial { revision: self.revision(), ..Trial::default() };
        let mut identities = Identities::new(options);
        let mut ids: Vec<ItemId> = Vec::with_capacity(AT_ONCE);
        store::for_each(self.snapshot(), Table::Items, Range::all(), |row, _| {
            ids.extend(key::item_at_end(row));
            if ids.len() >= AT_ONCE {
                self.try_items(&std::mem::take(&mut ids), schema, options, &mut trial, &mut identities)?;
            }
            Ok::<(), EngineError>(())
        })?;
        self.try_items(&ids, schema, options, &mut trial, &mut identities)?;
        self.try_relationships(schema, options, &mut trial)?;
        identities.compare(self, schema, &mut trial)?;
        Ok(trial)
    }

    fn try_items(
        &self,
        ids: &[ItemId],
        schema: &Schema,
        options: TrialOptions<'_>,
        trial: &mut Trial,
        identities: &mut Identities<'_>,
    ) -> Result<(), EngineError> {
        for item in self.items(ids)?.into_iter().flatten() {
            if item.status == Status::Retired || item.merged_into.is_some() {
                continue;
            }
            trial.items += 1;
            self.try_item(&item, schema, options, trial);
            if let Some(split) = splits::split(&item, self.schema(), schema) {
                trial.split.add(options.limit, || split);
            }
            identities.add(self, &item, schema)?;
        }
        Ok(())
    }

    fn try_item(&self, item: &Item, schema: &Schema, options: TrialOptions<'_>, trial: &mut Trial) {
        let mut after = item.clone();
        let now = (self.inner.clock)();
        reconcile::resolve_item(&mut after, schema, &self.moment.sources, now);
        let confirmed = |claim: &_| self.inner.presence.confirmed(claim);
        reconcile::judge_stale(&mut after, schema, &self.moment.sources, &confirmed, now);
        reconcile::resolve_item(&mut after, schema, &self.moment.sources, now);
        let (old, new) = (stands(item), stands(&after));
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let mut changed = false;
        for name in names {
            let sides = (old.get(name), new.get(name));
            if sides.0 == sides.1 {
                continue;
            }
            changed = true;
            trial.changes.add(options.limit, || TrialChange {
                item: item.id,
                name: item.name.clone(),
                attribute: name.to_owned(),
                before: sides.0.cloned(),
                after: sides.1.cloned(),
            });
        }
        trial.items_changed += u64::from(changed);
        for problem in self.refused(item, schema) {
            trial.refused.add(options.limit, || TrialRefusal {
                item: item.id,
                name: item.name.clone(),
                problem,
            });
        }
    }

    /// What the standing claims on an item say and could not say again.
    fn refused(&self, item: &Item, schema: &Schema) -> Vec<Problem> {
        let mut problems = Vec::new();
        for claim in item.standing() {
            let class = if claim.class.is_empty() { &item.class } else { &claim.class };
            let by = self.moment.sources.name_and_kind(claim.source).0;
            let known = schema.class(class).filter(|class| !class.is_abstract);
            if known.is_none() && self.schema().class(class).is_some_and(|class| !class.is_abstract) {
                let message = format!("{by} says that it is a {class}, of which there are no items any more");
                problems.push(Problem::new(crate::model::Reason::ClassUnknown, message, class.clone()));
                continue;
            }
            for (name, stated) in &claim.attributes {
                if let Err(mut problem) = schema.fit(class, name, stated.value.clone()) {
                    problem.message = format!("what {by} says does not fit: {}", problem.message);
                    problems.push(problem);
                }
            }
        }
        problems
    }

    fn try_relationships(
        &self,
        schema: &Schema,
        options: TrialOptions<'_>,
        trial: &mut Trial,
    ) -> Result<(), EngineError> {
        let now = (self.inner.clock)();
        store::for_each(self.snapshot(), Table::Outgoing, Range::all(), |_, bytes| {
            let chunk: OutgoingRecord = record::decode(Table::Outgoing, bytes)?;
            for packed in chunk.relationships {
                let relationship = record::relationship_from(packed)?;
                trial.relationships += 1;
                if schema.relationship_type(&relationship.kind).is_none() {
                    let (kind, to) = (&relationship.kind, relationship.to);
                    let message = format!("it {kind} {to}, and there is no such type any more");
                    let name = self.item(relationship.from)?.map_or_else(String::new, |item| item.name);
                    let problem = Problem::new(
                        crate::model::Reason::RelationshipTypeUnknown,
                        message,
                        relationship.kind.clone(),
                    );
                    trial.refused.add(options.limit, || TrialRefusal {
                        item: relationship.from,
                        name,
                        problem,
                    });
                }
                let mut after = relationship.clone();
                let gone = reconcile::Gone::Stopped;
                reconcile::resolve_relationship(&mut after, schema, &self.moment.sources, gone, now);
                trial.relationships_changed += u64::from(
                    (after.effective, after.denied) != (relationship.effective, relationship.denied),
                );
            }
            Ok::<(), EngineError>(())
        })
    }
}

/// What counts of an item, by attribute.
fn stands(item: &Item) -> BTreeMap<&str, Stands> {
    let follows = |text: &str| Stands { value: Value::Text(text.to_owned()), source: None };
    let mut all: BTreeMap<&str, Stands> = item
        .effective()
        .into_iter()
        .map(|(name, effective)| {
            (name, Stands { value: effective.value.clone(), source: Some(effective.source) })
        })
        .collect();
    all.insert("class", follows(&item.class));
    all.insert("name", follows(&item.name));
    all.insert("status", follows(item.status.name()));
    all
}
