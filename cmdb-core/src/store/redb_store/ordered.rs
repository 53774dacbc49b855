//! Rows that come in order of their keys, into a table.
//!
//! Rows that fall into one gap between those that are there are handed over as a run: pages are then filled one after the
//! other and written once, and are full where an import appends to a table. Where runs are short, looking for the gap costs more than
//! it saves; so after a short run some rows are written one by one, more of them each time.
//!
//! Invariant: afterwards the table holds what it would hold had each row been written by itself.

use std::ops::Bound;

use super::{OpenTable, io};
use crate::store::StoreError;

/// Fewer rows than that are not worth a look at what is there.
const RUN_MIN: usize = if cfg!(test) { 2 } else { 16 };
/// A run ends with the row that makes it so long, in bytes: redb keeps what is handed over in one piece of memory, which
/// would come anew from the system for each long run.
const RUN_BYTES_MAX: usize = if cfg!(test) { 1_000 } else { 32 << 10 };
/// The most rows that are written one by one before runs are looked for again.
const ONE_BY_ONE_MAX: usize = if cfg!(test) { 4 } else { 4_096 };

/// A key, and its value; `None`: the row goes.
pub(super) type Write<'r> = (&'r [u8], Option<&'r [u8]>);

/// Writes rows, each key once, in order.
pub(super) fn write(table: &mut OpenTable<'_>, rows: &[Write<'_>]) -> Result<(), StoreError> {
    let mut rest = rows;
    let mut one_by_one = RUN_MIN;
    while !rest.is_empty() {
        let length = if rest.len() < RUN_MIN { 0 } else { write_run(table, rest)? };
        rest = &rest[length..];
        if length > 0 {
            one_by_one = RUN_MIN;
            continue;
        }
        let (some, further) = rest.split_at(one_by_one.min(rest.len()));
        some.iter().try_for_each(|row| write_one(table, row))?;
        rest = further;
        one_by_one = (2 * one_by_one).min(ONE_BY_ONE_MAX);
    }
    Ok(())
}

/// Writes the first rows, if many of them fall into one gap; how many were written.
fn write_run(table: &mut OpenTable<'_>, rows: &[Write<'_>]) -> Result<usize, StoreError> {
    let (first, _) = rows[0];
    let mut cursor = table.lower_bound_mut(Bound::Included(first)).map_err(|error| io("reading", error))?;
    let next = cursor.peek_next().map_err(|error| io("reading", error))?;
    let length = next.map_or(rows.len(), |(next, _)| rows.partition_point(|(key, _)| *key < next.value()));
    if length < RUN_MIN {
        return Ok(0);
    }
    let (mut written, mut bytes) = (0, 0);
    while written < length && bytes < RUN_BYTES_MAX {
        let (key, value) = rows[written];
        // What goes is not there: the gap is empty.
        if let Some(value) = value {
            cursor.insert_before(key, value).map_err(|error| io("writing", error))?;
            bytes += key.len() + value.len();
        }
        written += 1;
    }
    cursor.close().map_err(|error| io("writing", error))?;
    Ok(written)
}

fn write_one(table: &mut OpenTable<'_>, (key, value): &Write<'_>) -> Result<(), StoreError> {
    match value {
        Some(value) => table.insert(*key, *value).map(drop),
        None => table.remove(*key).map(drop),
    }
    .map_err(|error| io("writing", error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::model::Revision;
    use crate::store::disk::Disk;
    use crate::store::{Batch, Range, RedbStore, Store, Table, commit};

    /// Gaps of all lengths, rows that are replaced, and rows that go, against a plain map.
    #[test]
    fn a_table_holds_what_it_would_hold_row_by_row() {
        arbtest::arbtest(|u| {
            let store = RedbStore::on_disk(Disk::default()).expect("a new store");
            let epoch = store.claim_writer().expect("writable");
            let mut model: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
            for revision in 0..u.int_in_range(1..=5)? {
                let mut batch = Batch::default();
                let mut number: u32 = 0;
                for _ in 0..u.int_in_range(0..=120)? {
                    number += if u.ratio(1, 6)? { u.int_in_range(1..=400)? } else { 1 };
                    let key = number.to_be_bytes().to_vec();
                    if u.ratio(1, 8)? {
                        model.remove(&key);
                        batch.delete(Table::Classes, key);
                    } else {
                        let value = vec![u.arbitrary()?; u.int_in_range(0..=300)?];
                        model.insert(key.clone(), value.clone());
                        batch.put(Table::Classes, key, value);
                    }
                }
                commit(&store, Revision(revision), epoch, &batch, Revision(revision + 1)).expect("written");
                let rows = store.snapshot().expect("readable").scan(Table::Classes, &Range::all(), 10_000);
                let expected: Vec<_> =
                    model.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                assert_eq!(rows.expect("readable"), expected);
            }
            Ok(())
        });
    }
}
