//! Rows written but not yet flushed, over those of the transaction.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::store::{Batch, Range, Read, Row, SCAN_ROWS_MAX, StoreError, Table};

/// Writes that later reads must see.
#[derive(Default)]
pub(super) struct Rows {
    /// By table. `None`: the row is gone.
    written: [BTreeMap<Vec<u8>, Option<Vec<u8>>>; Table::ALL.len()],
}

impl Rows {
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, value: Vec<u8>) {
        self.written[table as usize].insert(key, Some(value));
    }

    pub(super) fn delete(&mut self, table: Table, key: Vec<u8>) {
        self.written[table as usize].insert(key, None);
    }

    /// Takes writes over that somebody else has gathered.
    pub(super) fn take(&mut self, batch: &Batch) {
        for (table, key, value) in batch.writes() {
            self.written[table as usize].insert(key.to_vec(), value.map(<[u8]>::to_vec));
        }
    }

    pub(super) fn get(
        &self,
        read: &dyn Read,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        match self.written[table as usize].get(key) {
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
            for (key, value) in std::mem::take(&mut self.written[table as usize]) {
                batch.set(table, key, value);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.written.iter().all(BTreeMap::is_empty)
    }
}
