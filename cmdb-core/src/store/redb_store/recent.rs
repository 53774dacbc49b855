//! Rows that change at random places, kept together until there are many.
//!
//! A commit that changes a thousand of a million items would write a page for each of them, to change thirty bytes on it. So
//! such rows go into one small table first, where they share pages; when that holds [`ROWS_MAX`], all of it is moved in
//! one go, and what is moved shares pages too.
//!
//! ```text
//! recent:  number of the table · key → 1 · value, or 0: the row is gone
//! ```
//!
//! Invariants: a row here goes before that of its table. Both are written in the transaction of a commit, so a crash
//! leaves neither or both. What is written in bulk goes into its table at once, and out of here.

use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::{StoredRow, definition, io, scan_from};
use crate::store::{Order, Range, Row, SCAN_ROWS_MAX, StoreError, Table};

/// The most rows that are kept together. With more, each commit would touch more pages here than moving saves there.
const ROWS_MAX: u64 = if cfg!(test) { 60 } else { 65_536 };
/// So many rows of one table in one go share its pages anyway.
pub(super) const IN_BULK: usize = if cfg!(test) { 40 } else { 1_500 };

const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("recent");
const GONE: u8 = 0;
const HERE: u8 = 1;

/// Whether the rows of a table come here first: those that every change of an item writes anew.
pub(super) fn keeps(table: Table) -> bool {
    matches!(table, Table::Items | Table::Units)
}

/// The table itself, for whoever opens it.
pub(super) fn definition_of_recent() -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TABLE
}

fn key_of(table: Table, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(key.len() + 1);
    row.push(table as u8);
    row.extend_from_slice(key);
    row
}

/// What a row here says: the value, or that there is none.
fn said(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes.split_first() {
        Some((&HERE, value)) => Some(value.to_vec()),
        _ => None,
    }
}

/// What is said here of a row; `None`: nothing, ask its table.
pub(super) fn get(
    recent: &impl ReadableTable<&'static [u8], &'static [u8]>,
    table: Table,
    key: &[u8],
) -> Result<Option<Option<Vec<u8>>>, StoreError> {
    let found = recent.get(key_of(table, key).as_slice()).map_err(|error| io("reading", error))?;
    Ok(found.map(|bytes| said(bytes.value())))
}

/// The rows of a range: those of the table with what is said here in their place.
pub(super) fn scan(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    recent: &impl ReadableTable<&'static [u8], &'static [u8]>,
    table: Table,
    range: &Range,
    limit: usize,
) -> Result<Vec<Row>, StoreError> {
    if range.to.as_ref().is_some_and(|to| *to <= range.from) {
        return Ok(Vec::new());
    }
    let to = range.to.as_ref().map_or_else(|| vec![table as u8 + 1], |to| key_of(table, to));
    let news = recent
        .range(key_of(table, &range.from).as_slice()..to.as_slice())
        .map_err(|error| io("reading", error))?;
    let mut news: Box<News<'_>> = match range.order {
        Order::Ascending => Box::new(news.map(read_new)),
        Order::Descending => Box::new(news.rev().map(read_new)),
    };
    let limit = limit.min(SCAN_ROWS_MAX);
    let mut new = news.next().transpose()?;
    if new.is_none() {
        return scan_from(rows, range, limit);
    }
    merged(rows, range, limit, &mut new, &mut *news)
}

/// A row here, as it is read.
fn read_new(row: StoredRow<'_>) -> Result<New, StoreError> {
    let (key, value) = row.map_err(|error| io("reading", error))?;
    Ok((key.value()[1..].to_vec(), said(value.value())))
}

/// A key, and its value where there is one.
type New = (Vec<u8>, Option<Vec<u8>>);
type News<'a> = dyn Iterator<Item = Result<New, StoreError>> + 'a;

fn merged(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    range: &Range,
    limit: usize,
    new: &mut Option<New>,
    news: &mut News<'_>,
) -> Result<Vec<Row>, StoreError> {
    let mut found = Vec::new();
    let mut range = range.clone();
    loop {
        // As many as are missing: what is gone here may call for more.
        let page = scan_from(rows, &range, limit - found.len())?;
        let last = page.last().map(|(key, _)| key.clone());
        for (key, value) in page {
            while new.as_ref().is_some_and(|(other, _)| before(other, &key, range.order)) {
                take(new, news, &mut found)?;
            }
            if new.as_ref().is_some_and(|(other, _)| *other == key) {
                take(new, news, &mut found)?;
            } else {
                found.push((key, value));
            }
        }
        let Some(last) = last.filter(|_| found.len() < limit) else { break };
        range = match range.order {
            Order::Ascending => range.after(&last),
            Order::Descending => Range { to: Some(last), ..range },
        };
    }
    while new.is_some() && found.len() < limit {
        take(new, news, &mut found)?;
    }
    found.truncate(limit);
    Ok(found)
}

fn before(one: &[u8], other: &[u8], order: Order) -> bool {
    match order {
        Order::Ascending => one < other,
        Order::Descending => one > other,
    }
}

fn take(new: &mut Option<New>, news: &mut News<'_>, found: &mut Vec<Row>) -> Result<(), StoreError> {
    if let Some((key, Some(value))) = std::mem::replace(new, news.next().transpose()?) {
        found.push((key, value));
    }
    Ok(())
}

/// Keeps rows of a table; how many are kept then.
pub(super) fn put<'r>(
    transaction: &WriteTransaction,
    table: Table,
    rows: impl Iterator<Item = (&'r [u8], Option<&'r [u8]>)>,
) -> Result<u64, StoreError> {
    let mut recent = transaction.open_table(TABLE).map_err(|error| io("opening a table", error))?;
    for (key, value) in rows {
        let mut bytes = vec![if value.is_some() { HERE } else { GONE }];
        bytes.extend_from_slice(value.unwrap_or_default());
        recent
            .insert(key_of(table, key).as_slice(), bytes.as_slice())
            .map(drop)
            .map_err(|error| io("writing", error))?;
    }
    recent.len().map_err(|error| io("reading", error))
}

/// Takes out what was written into its table; how many are kept then.
pub(super) fn forget<'r>(
    transaction: &WriteTransaction,
    table: Table,
    keys: impl Iterator<Item = &'r [u8]>,
) -> Result<u64, StoreError> {
    let mut recent = transaction.open_table(TABLE).map_err(|error| io("opening a table", error))?;
    for key in keys {
        recent.remove(key_of(table, key).as_slice()).map(drop).map_err(|error| io("writing", error))?;
    }
    recent.len().map_err(|error| io("reading", error))
}

/// How many rows are kept.
pub(super) fn count(transaction: &WriteTransaction) -> Result<u64, StoreError> {
    let recent = transaction.open_table(TABLE).map_err(|error| io("opening a table", error))?;
    recent.len().map_err(|error| io("reading", error))
}

/// Moves everything into its table when there is too much; how many are kept then.
pub(super) fn settle(transaction: &WriteTransaction, count: u64) -> Result<u64, StoreError> {
    if count <= ROWS_MAX {
        return Ok(count);
    }
    let recent = transaction.open_table(TABLE).map_err(|error| io("opening a table", error))?;
    for table in Table::ALL.into_iter().filter(|table| keeps(*table)) {
        let mut rows =
            transaction.open_table(definition(table)).map_err(|error| io("opening a table", error))?;
        let of_table = recent
            .range([table as u8].as_slice()..[table as u8 + 1].as_slice())
            .map_err(|error| io("reading", error))?;
        for row in of_table {
            let (key, value) = row.map_err(|error| io("reading", error))?;
            let key = &key.value()[1..];
            match said(value.value()) {
                Some(value) => rows.insert(key, value.as_slice()).map(drop),
                None => rows.remove(key).map(drop),
            }
            .map_err(|error| io("writing", error))?;
        }
    }
    drop(recent);
    transaction.delete_table(TABLE).map_err(|error| io("emptying a table", error))?;
    transaction.open_table(TABLE).map(drop).map_err(|error| io("opening a table", error))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::Revision;
    use crate::store::disk::Disk;
    use crate::store::{Batch, RedbStore, Store, commit};

    /// Rows that come, change and go, few and many at a time, against a plain map.
    #[test]
    fn what_is_kept_here_is_read_as_if_it_stood_in_its_table() {
        arbtest::arbtest(|u| {
            let store = RedbStore::on_disk(Disk::default()).expect("a new store");
            let epoch = store.claim_writer().expect("writable");
            let mut model: BTreeMap<(Table, Vec<u8>), Vec<u8>> = BTreeMap::new();
            for _ in 0..u.int_in_range(1..=6)? {
                let mut batch = Batch::default();
                let table = *u.choose(&[Table::Items, Table::Units])?;
                let keys: u16 = u.int_in_range(1..=200)?;
                let mut written = BTreeMap::new();
                for _ in 0..u.int_in_range(0..=2 * IN_BULK)? {
                    let key = u.int_in_range(0..=keys)?.to_be_bytes().to_vec();
                    let value = if u.ratio(1, 4)? { None } else { Some(vec![u.arbitrary()?]) };
                    written.insert(key, value);
                }
                for (key, value) in written {
                    match &value {
                        Some(value) => model.insert((table, key.clone()), value.clone()),
                        None => model.remove(&(table, key.clone())),
                    };
                    batch.writes.push((table, key, value));
                }
                let head = store.snapshot().expect("readable").head();
                commit(&store, head, epoch, &batch, Revision(head.0 + 1)).expect("written");
                let snapshot = store.snapshot().expect("readable");
                for table in [Table::Items, Table::Units] {
                    let rows = |from: &[u8]| -> Vec<Row> {
                        let rows =
                            model.iter().filter(|((of, key), _)| *of == table && key.as_slice() >= from);
                        rows.map(|((_, key), value)| (key.clone(), value.clone())).collect()
                    };
                    let from = u.int_in_range(0..=200u16)?.to_be_bytes().to_vec();
                    let limit = *u.choose(&[1, 3, 1_000])?;
                    let range = Range { from: from.clone(), ..Range::all() };
                    let mut expected = rows(&from);
                    let found = snapshot.scan(table, &range, limit).expect("readable");
                    assert_eq!(found, expected[..limit.min(expected.len())]);
                    expected.reverse();
                    let found = snapshot.scan(table, &range.descending(), limit).expect("readable");
                    assert_eq!(found, expected[..limit.min(expected.len())]);
                    let all: Vec<Vec<u8>> = (0..=200u16).map(|key| key.to_be_bytes().to_vec()).collect();
                    let found = snapshot.get_many(table, &all).expect("readable");
                    let each = all.iter().map(|key| model.get(&(table, key.clone())).cloned());
                    assert_eq!(found, each.collect::<Vec<_>>());
                }
            }
            Ok(())
        });
    }
}
