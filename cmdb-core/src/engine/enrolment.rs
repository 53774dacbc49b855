//! What the server keeps of its own beside the graph: tokens and agents. Durable, in backups, without a past.
//!
//! The engine does not know what the rows mean. Invariant: they change through the one writer, as everything does.

use super::Cmdb;
use super::read::Reader;
use super::request::EngineError;
use super::writer::{Reply, Work};
use crate::change::Draft;
use crate::store::{Row, Table};

/// A row as it shall be: its key and its value; `None`: it goes.
pub type Kept = (Vec<u8>, Option<Vec<u8>>);

impl Cmdb {
    /// Writes rows as one change; the answer comes when they are durable.
    pub fn keep_enrolment(&self, rows: Vec<Kept>, reply: Reply<()>) {
        self.send(Work::KeepEnrolment(rows, reply));
    }
}

impl Reader {
    /// All rows, by key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn enrolment(&self) -> Result<Vec<Row>, EngineError> {
        let mut rows = Vec::new();
        self.store_rows(Table::Enrolment, |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(rows)
    }
}

pub(super) fn keep(draft: &mut Draft<'_>, rows: Vec<Kept>) {
    for (key, value) in rows {
        match value {
            Some(value) => draft.put_row(Table::Enrolment, key, value),
            None => draft.delete_row(Table::Enrolment, key),
        }
    }
}
