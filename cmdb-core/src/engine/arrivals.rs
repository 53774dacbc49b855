//! Fills the histories of items with the relationships written to them, in a store that was written before they were
//! kept.
//!
//! Invariant: all of them or none, so a store that was left in the middle is filled when it is opened again.

use super::request::EngineError;
use crate::model::ItemId;
use crate::store::record::{self, ChangeRecord};
use crate::store::{self, Batch, Range, Store, Table, key};

/// Rows written to the transaction at a time.
const AT_ONCE: usize = 16_384;

/// Reads the log once, when nothing was ever filled in.
pub(super) fn fill(store: &dyn Store, epoch: u64) -> Result<(), EngineError> {
    let snapshot = store.snapshot()?;
    let something = |table| Ok::<_, EngineError>(!snapshot.scan(table, &Range::all(), 1)?.is_empty());
    if something(Table::Arrivals)? || !something(Table::Changes)? {
        return Ok(());
    }
    let head = snapshot.head();
    let mut transaction = store.begin(head, epoch)?;
    let mut batch = Batch::default();
    store::for_each(&*snapshot, Table::Changes, Range::all(), |row, bytes| {
        let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
        let edge = change.relationship_after.or(change.relationship_before);
        if let Some(edge) = edge.filter(|edge| edge.from != edge.to) {
            let place = super::view::place_of_row(row)?;
            batch.put(Table::Arrivals, key::arrival(ItemId(edge.to), place), Vec::new());
        }
        if batch.len() >= AT_ONCE {
            transaction.write(&std::mem::take(&mut batch))?;
        }
        Ok::<(), EngineError>(())
    })?;
    transaction.write(&batch)?;
    Ok(transaction.commit(head)?)
}
