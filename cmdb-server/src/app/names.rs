//! What the ids of an answer are called: sources and items, gathered in one go.
//!
//! Conversion is pure because of it: an answer carries the names of everything that it mentions.

use std::collections::{BTreeMap, BTreeSet};

use cmdb_core::engine::{Change, IdentifierEvidence, Label, Reader};
use cmdb_core::model::{Item, ItemId, Relationship, SourceId};

use super::Error;

/// Labels read from the store at a time.
const LABELS_BATCH: usize = 4_096;

/// The names of what an answer mentions.
#[derive(Clone, Debug, Default)]
pub struct Names {
    sources: BTreeMap<SourceId, String>,
    labels: BTreeMap<ItemId, Label>,
}

impl Names {
    /// The name of a source; empty when it is not known.
    pub fn source(&self, id: SourceId) -> &str {
        self.sources.get(&id).map_or("", String::as_str)
    }

    /// What an item is called.
    pub fn label(&self, id: ItemId) -> Option<&Label> {
        self.labels.get(&id)
    }
}

/// Collects what an answer mentions.
#[derive(Default)]
pub struct Mentioned {
    sources: BTreeSet<SourceId>,
    items: BTreeSet<ItemId>,
    /// Items that the answer carries itself; in a dry run, nobody else knows them.
    known: BTreeMap<ItemId, Label>,
    asking: Option<String>,
}

impl Mentioned {
    /// An item, shown with its claims and groups.
    pub fn item(&mut self, item: &Item) {
        self.sources.extend(item.claims.iter().map(|claim| claim.source));
        self.sources.extend(item.groups.iter().map(|group| group.source));
    }

    /// A source, shown by its name.
    pub fn source(&mut self, source: SourceId) {
        self.sources.insert(source);
    }

    /// Items, shown by what they are called.
    pub fn ids(&mut self, ids: &[ItemId]) {
        self.items.extend(ids);
    }

    /// Sources, shown by their names.
    pub fn sources(&mut self, ids: &[SourceId]) {
        self.sources.extend(ids);
    }

    /// Identifiers with who says them.
    pub fn evidence(&mut self, row: &IdentifierEvidence) {
        let said_by = row.stated.iter().flat_map(|stated| &stated.said_by);
        self.sources.extend(said_by.map(|(source, _)| *source));
    }

    /// A relationship, shown with both of its ends.
    pub fn relationship(&mut self, relationship: &Relationship) {
        self.items.extend([relationship.from, relationship.to]);
        self.sources.extend(relationship.claims.iter().map(|claim| claim.source));
    }

    /// Changes, shown with everything in them.
    pub fn changes(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Item { before, after } => {
                    before.iter().for_each(|before| self.item(before));
                    self.item(after);
                    self.known.insert(after.id, label_of(after));
                }
                Change::Relationship { before, after } => {
                    before
                        .iter()
                        .chain(after.iter())
                        .for_each(|relationship| self.relationship(relationship));
                }
            }
        }
    }

    /// Items that only their names are shown of.
    pub fn items(&mut self, ids: impl IntoIterator<Item = ItemId>) {
        self.items.extend(ids);
    }

    /// The source that asks: in a dry run of its first words, the store does not know it yet.
    pub fn asking(&mut self, source: &str) {
        self.asking = Some(source.to_owned());
    }

    /// Looks up the names.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn names(self, reader: &Reader) -> Result<Names, Error> {
        let name = |id| reader.source(id).map(|source| source.name.clone()).or_else(|| self.asking.clone());
        let sources = self.sources.iter().filter_map(|id| Some((*id, name(*id)?))).collect();
        let mut labels = self.known;
        let unknown: Vec<ItemId> = self.items.into_iter().filter(|id| !labels.contains_key(id)).collect();
        labels.extend(labels_of(reader, &unknown)?);
        Ok(Names { sources, labels })
    }
}

/// What items are called.
///
/// # Errors
/// When the store cannot be read.
pub fn labels_of(reader: &Reader, ids: &[ItemId]) -> Result<BTreeMap<ItemId, Label>, Error> {
    let mut labels = BTreeMap::new();
    for batch in ids.chunks(LABELS_BATCH) {
        labels.extend(reader.labels(batch)?.into_iter().flatten().map(|label| (label.id, label)));
    }
    Ok(labels)
}

/// What an item at hand is called.
pub fn label_of(item: &Item) -> Label {
    Label {
        id: item.id,
        key: item.key().map(|(_, key)| key.to_owned()).unwrap_or_default(),
        class: item.class.clone(),
        name: item.name.clone(),
        status: item.status,
    }
}
