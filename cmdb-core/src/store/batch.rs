//! What a transaction writes, gathered in one piece of memory.
//!
//! ```text
//! bytes  key · value · key · value · key · key · value …
//! rows   table, where its key begins, length of the key, length of the value; none: the row goes
//! ```
//!
//! An import writes millions of rows of some dozens of bytes each; so a row is not a piece of memory of its own, and whoever
//! makes one may write it straight to where it stays.

use super::Table;

/// Puts and deletes, in any order, each key once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug)]
struct Row {
    table: Table,
    from: usize,
    key: usize,
    /// `None` deletes.
    value: Option<usize>,
}

/// A row: its table, its key, and its value; `None`: it goes.
pub type Write<'b> = (Table, &'b [u8], Option<&'b [u8]>);

impl Batch {
    /// Writes a row.
    pub fn put(&mut self, table: Table, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.set(table, key, Some(value));
    }

    /// Removes a row.
    pub fn delete(&mut self, table: Table, key: impl AsRef<[u8]>) {
        self.set(table, key, None::<[u8; 0]>);
    }

    /// Writes a row, or removes it.
    pub fn set(&mut self, table: Table, key: impl AsRef<[u8]>, value: Option<impl AsRef<[u8]>>) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(key.as_ref());
        let key = self.bytes.len() - from;
        let value = value.map(|value| {
            self.bytes.extend_from_slice(value.as_ref());
            value.as_ref().len()
        });
        self.rows.push(Row { table, from, key, value });
    }

    /// Writes a row whose value is appended where it stays; the value.
    pub fn put_with(
        &mut self,
        table: Table,
        key: impl AsRef<[u8]>,
        value: impl FnOnce(&mut Vec<u8>),
    ) -> &[u8] {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(key.as_ref());
        let begins = self.bytes.len();
        value(&mut self.bytes);
        let length = self.bytes.len().checked_sub(begins).expect("a value is appended");
        self.rows.push(Row { table, from, key: begins - from, value: Some(length) });
        &self.bytes[begins..]
    }

    /// How many rows it writes or removes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it does nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets everything, but keeps the room for as much.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    /// What it does, in the order in which it was said.
    pub fn writes(&self) -> impl Iterator<Item = Write<'_>> {
        self.rows.iter().map(|row| {
            let (key, rest) = self.bytes[row.from..].split_at(row.key);
            (row.table, key, row.value.map(|length| &rest[..length]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_as_they_were_given() {
        let mut batch = Batch::default();
        batch.put(Table::Items, b"a", b"");
        batch.delete(Table::Units, b"bc");
        assert_eq!(batch.put_with(Table::Changes, b"d", |value| value.extend_from_slice(b"ef")), b"ef");
        batch.set(Table::Items, b"", Some(b"g"));
        let expected: [Write<'_>; 4] = [
            (Table::Items, b"a", Some(b"")),
            (Table::Units, b"bc", None),
            (Table::Changes, b"d", Some(b"ef")),
            (Table::Items, b"", Some(b"g")),
        ];
        assert_eq!(batch.writes().collect::<Vec<_>>(), expected);
        assert_eq!(batch.len(), 4);
        batch.clear();
        assert!(batch.is_empty() && batch.writes().next().is_none());
    }
}
