//! Moves what became of units about relationships and groups to a table of their own, in a store that was written before
//! there was one.
//!
//! They were kept twice, by key and by scope, as those about items are. Nobody asks for them by key alone, and the
//! scope stands in the row.
//!
//! Invariant: all of them or none, so a store that was left in the middle is put in order when it is opened again.

use super::request::EngineError;
use crate::store::record::{self, UnitRecord};
use crate::store::{self, Batch, Range, Store, Table, key};

/// Rows written to the transaction at a time.
const AT_ONCE: usize = 16_384;
/// Units of items come first in the old table.
const NOT_OF_ITEMS: u8 = 1;

/// Moves what there is to move.
pub(super) fn move_over(store: &dyn Store, epoch: u64) -> Result<(), EngineError> {
    let snapshot = store.snapshot()?;
    let old = Range { from: vec![NOT_OF_ITEMS], ..Range::all() };
    if snapshot.scan(Table::Units, &old, 1)?.is_empty() {
        return Ok(());
    }
    let head = snapshot.head();
    let mut transaction = store.begin(head, epoch)?;
    let mut batch = Batch::default();
    store::for_each(&*snapshot, Table::Units, old, |row, bytes| {
        let Some((source, kind, unit)) = key::split_unit(row) else { return Ok(()) };
        let kept: UnitRecord = record::decode(Table::Units, bytes)?;
        batch.delete(Table::Units, row);
        batch.delete(Table::ScopeUnits, key::scope_unit(source, &kept.scope, kind, &unit));
        batch.put(Table::EdgeUnits, key::edge_unit(source, kind, &unit), bytes);
        if batch.len() >= AT_ONCE {
            transaction.write(&std::mem::take(&mut batch))?;
        }
        Ok::<(), EngineError>(())
    })?;
    transaction.write(&batch)?;
    Ok(transaction.commit(head)?)
}
