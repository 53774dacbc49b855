//! Rows that change at random places, kept together until there are many.
//!
//! A commit that changes a thousand of a million items would write a page for each of them, to change thirty bytes on it. So
//! such rows go into one small table first, where they share pages. Of what is more than [`KEPT_MAX`] there, each commit moves the rows
//! that follow those moved last, in order of the keys and round again: neighbours, which share pages there too. So every part has
//! gathered rows for a whole round when its turn comes, and no commit moves many.
//!
//! ```text
//! recent:  number of the table · key → 1 · value, or 0: the row is gone
//! ```
//!
//! Invariants: a row here goes before that of its table. Both are written in the transaction of a commit, so a crash
//! leaves neither or both. What is written in bulk goes into its table at once, and out of here.

use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::{StoredRow, definition, io, ordered, scan_from};
use crate::store::{Order, Range, Row, SCAN_ROWS_MAX, StoreError, Table};

/// The most rows that are kept together. With more, each commit would touch more pages here than moving saves there; with
/// fewer, what is moved would share fewer pages.
pub(super) const KEPT_MAX: u64 = if cfg!(test) { 30 } else { 32_768 };
/// The most rows that one commit moves; more than one puts here, so that there is an end.
const MOVED_MAX: usize = if cfg!(test) { 90 } else { 8_192 };
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

/// Moves what is too much into its table, beginning with the rows from `next` on, where the following ones go on.
pub(super) fn settle(
    transaction: &WriteTransaction,
    count: u64,
    next: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let much = usize::try_from(count.saturating_sub(KEPT_MAX)).unwrap_or(MOVED_MAX).min(MOVED_MAX);
    if much == 0 {
        return Ok(());
    }
    let mut moved = take_out(transaction, next, much)?;
    if moved.len() < much {
        // Round again. What was moved is not there any more, so nothing is met twice.
        next.clear();
        moved.extend(take_out(transaction, next, much - moved.len())?);
    }
    for table in Table::ALL.into_iter().filter(|table| keeps(*table)) {
        let of_table = moved.iter().filter(|(key, _)| key[0] == table as u8);
        let mut rows: Vec<_> = of_table.map(|(key, value)| (&key[1..], value.as_deref())).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut open =
            transaction.open_table(definition(table)).map_err(|error| io("opening a table", error))?;
        ordered::write(&mut open, &rows)?;
    }
    Ok(())
}

/// Takes rows out, at most so many, from a key on; the key becomes the one after them.
fn take_out(
    transaction: &WriteTransaction,
    next: &mut Vec<u8>,
    at_most: usize,
) -> Result<Vec<New>, StoreError> {
    let mut recent = transaction.open_table(TABLE).map_err(|error| io("opening a table", error))?;
    let from = next.clone();
    let taken = recent
        .extract_from_if(from.as_slice().., |_, _| true)
        .map_err(|error| io("reading", error))?
        .take(at_most)
        .map(|row| {
            let (key, value) = row.map_err(|error| io("moving rows", error))?;
            Ok((key.value().to_vec(), said(value.value())))
        })
        .collect::<Result<Vec<New>, StoreError>>()?;
    if let Some((last, _)) = taken.last() {
        next.clone_from(last);
        next.push(0);
    }
    Ok(taken)
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
                    batch.set(table, key, value);
                }
                let head = store.snapshot().expect("readable").head();
                commit(&store, head, epoch, &batch, Revision(head.0 + 1)).expect("written");
                let transaction = store.begin_durable().expect("writable");
                let kept = count(&transaction).expect("readable");
                assert!(kept <= KEPT_MAX, "{kept} rows are kept");
                drop(transaction);
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
