//! The sources that the store knows, in memory: few, and asked for all the time.

use std::sync::Arc;

use crate::model::source::Source;
use crate::model::{SourceId, SourceKind};
use crate::reconcile::Sources;
use crate::store::record::{self, SourceRecord};
use crate::store::{self, Range, Read, StoreError, Table};

/// All sources, in order of their numbers, which count from 1.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceNames(pub(super) Arc<Vec<Source>>);

impl SourceNames {
    pub(super) fn load(read: &dyn Read) -> Result<SourceNames, StoreError> {
        let mut sources = Vec::new();
        store::for_each(read, Table::Sources, Range::all(), |key, row| {
            let row: SourceRecord = record::decode(Table::Sources, row)?;
            let number: [u8; 4] = key.try_into().map_err(|_| damaged("a source without a number"))?;
            sources.push(Source {
                id: SourceId(u32::from_be_bytes(number)),
                name: row.name,
                kind: row.kind.parse().map_err(|()| damaged("a source of a kind that is not known"))?,
                title: row.title,
                version: row.version,
            });
            Ok::<(), StoreError>(())
        })?;
        Ok(SourceNames(Arc::new(sources)))
    }

    pub(super) fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get((id.0 as usize).checked_sub(1)?)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Source> {
        self.0.iter().find(|source| source.name == name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|source| source.name.as_str())
    }
}

impl Sources for SourceNames {
    fn name_and_kind(&self, source: SourceId) -> (&str, SourceKind) {
        self.get(source).map_or(("", SourceKind::Rule), |source| (source.name.as_str(), source.kind))
    }
}

fn damaged(detail: &str) -> StoreError {
    StoreError::Damaged { table: Table::Sources.name(), detail: detail.to_owned() }
}
