//! Another schema than the one the store was written under: what follows from it is worked out anew.
//!
//! Claims do not change with the schema; which of them win, what is indexed and what identifies do. So every item is
//! resolved again and every index written anew, in one commit in the name of the schema, before anything else is done.

use super::EngineError;
use crate::change::{Actor, Draft, Start};
use crate::model::schema::Schema;
use crate::model::{Item, ItemId};
use crate::store::record::{SchemaFileRecord, SchemaRecord};
use crate::store::{Store, StoreError, Table};

/// What a draft holds before it is written into the transaction.
const PENDING_MAX: usize = 10_000;

/// What indexes hold of an item under one schema. To be raised when the program indexes differently: a store whose
/// indexes are of another version is brought up to date when it is opened.
const INDEX_VERSION: u32 = 4;

/// Of the schema, and of how the program indexes by it: two stores with the same one have the same indexes.
pub(super) fn digest(schema: &Schema) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&schema.digest());
    hasher.update(&INDEX_VERSION.to_le_bytes());
    *hasher.finalize().as_bytes()
}

/// Puts the schema on record and brings what follows from it up to date; what the next draft begins with.
pub(super) fn adopt(store: &dyn Store, epoch: u64, start: Start) -> Result<Start, EngineError> {
    let transaction = store.begin(start.head, epoch)?;
    let mut draft = Draft::begin(transaction, start.clone());
    let files =
        start.schema.texts().into_iter().map(|(name, text)| SchemaFileRecord { name, text }).collect();
    let what = SchemaRecord { digest: digest(&start.schema).to_vec(), files };
    draft.put_record(Table::Schemas, start.schema_number.to_be_bytes().to_vec(), &what);
    for table in [Table::Attributes, Table::Identifiers, Table::Classes, Table::Probes] {
        forget(&mut draft, table)?;
    }
    for number in 1..start.next_item {
        let id = ItemId(number);
        if let Some(item) = draft.item(id)? {
            draft.index_anew(&item);
            draft.resolve_and_put(Item::clone(&item))?;
        }
        if draft.pending() > PENDING_MAX {
            draft.flush()?;
        }
    }
    draft.flush()?;
    super::ingest::matches::ask_anew(&mut draft)?;
    super::ingest::settle(&mut draft)?;
    let actor = Actor { name: "schema".to_owned(), reason: "the schema has changed".to_owned() };
    Ok(draft.seal(&actor)?.next)
}

/// Removes every row of an index.
fn forget(draft: &mut Draft<'_>, table: Table) -> Result<(), StoreError> {
    loop {
        let rows = draft.rows_from(table, PENDING_MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            draft.delete_row(table, row);
        }
        draft.flush()?;
    }
}
