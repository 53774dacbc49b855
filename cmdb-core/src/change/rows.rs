//! Rows written but not yet flushed, over those of the transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use rustc_hash::FxHashMap;

use crate::store::{Batch, Range, Read, Row, SCAN_ROWS_MAX, StoreError, Table};

/// The most rows that are kept from reading ahead; with more, reading ahead begins anew.
const FETCHED_MAX: usize = 50_000;

/// Writes that later reads must see.
#[derive(Default)]
pub(super) struct Rows {
    /// By table. `None`: the row is gone.
    written: [BTreeMap<Vec<u8>, Option<Vec<u8>>>; Table::ALL.len()],
    /// Rows as they are in the transaction, read ahead by table; forgotten whenever the transaction is written.
    fetched: [FxHashMap<Vec<u8>, Option<Vec<u8>>>; Table::ALL.len()],
}

impl Rows {
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.written[table as usize].insert(key, Some(value));
    }

    pub(super) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.written[table as usize].insert(key, None);
    }

    /// Reads rows ahead in one go: opening a table costs as much as some rows do.
    pub(super) fn fetch(
        &mut self,
        read: &dyn Read,
        table: Table,
        mut keys: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let fetched = &mut self.fetched[table as usize];
        if fetched.len() > FETCHED_MAX {
            fetched.clear();
        }
        keys.retain(|key| !fetched.contains_key(key));
        keys.sort_unstable();
        keys.dedup();
        let rows = read.get_many(table, &keys)?;
        fetched.extend(keys.into_iter().zip(rows));
        Ok(())
    }

    pub(super) fn get(
        &self,
        read: &dyn Read,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.written[table as usize].get(key).or_else(|| self.fetched[table as usize].get(key));
        match kept {
            Some(kept) => Ok(kept.clone()),
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
            // What was deleted since does not count towards the limit.
            let deleted = |key: &[u8]| matches!(self.written[table as usize].get(key), Some(None));
            found.extend(rows.into_iter().filter(|(key, _)| !deleted(key)));
            if whole {
                break;
            }
        }
        let from = Bound::Included(prefix);
        let written = self.written[table as usize].range::<[u8], _>((from, Bound::Unbounded));
        for (key, value) in written.take_while(|(key, _)| key.starts_with(prefix)) {
            match value {
                Some(value) => found.insert(key.clone(), value.clone()),
                None => found.remove(key),
            };
        }
        Ok(found.into_iter().collect())
    }

    pub(super) fn drain_into(&mut self, batch: &mut Batch) {
        for table in Table::ALL {
            self.fetched[table as usize].clear();
            for (key, value) in std::mem::take(&mut self.written[table as usize]) {
                batch.writes.push((table, key, value));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.iter().all(BTreeMap::is_empty)
    }
}
