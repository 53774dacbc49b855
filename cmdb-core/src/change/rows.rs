//! Rows written but not yet flushed, over those of the transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::{Batch, Range, Read, Row, SCAN_ROWS_MAX, StoreError, Table};

/// Writes that later reads must see.
#[derive(Default)]
pub(super) struct Rows {
    written: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
}

impl Rows {
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.written.insert((table, key), Some(value));
    }

    pub(super) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.written.insert((table, key), None);
    }

    pub(super) fn get(
        &self,
        read: &dyn Read,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.written.get(&(table, key.to_vec())) {
            Some(written) => Ok(written.clone()),
            None => read.get(table, key),
        }
    }

    /// The rows that begin with a prefix, in order, at most `limit` (and what was written besides).
    pub(super) fn scan(
        &self,
        read: &dyn Read,
        table: Table,
        prefix: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        let mut found = BTreeMap::new();
        let mut range = Range::prefix(prefix.to_vec());
        let page = limit.min(SCAN_ROWS_MAX);
        while found.len() < limit {
            let rows = read.scan(table, &range, page)?;
            let Some((last, _)) = rows.last() else { break };
            range = range.after(last);
            let whole = rows.len() < page;
            found.extend(rows);
            if whole {
                break;
            }
        }
        let from = Bound::Included((table, prefix.to_vec()));
        for ((in_table, key), value) in self.written.range((from, Bound::Unbounded)) {
            if *in_table != table || !key.starts_with(prefix) {
                break;
            }
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }

    pub(super) fn drain_into(&mut self, batch: &mut Batch) {
        for ((table, key), value) in std::mem::take(&mut self.written) {
            batch.writes.push((table, key, value));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty()
    }
}
