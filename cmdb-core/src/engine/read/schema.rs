//! The schema of a moment: the one in force, or the one that the log names for a past revision.

use std::sync::Arc;

use super::Reader;
use crate::engine::request::EngineError;
use crate::model::schema::Schema;
use crate::model::{Problem, Reason, Revision};
use crate::store::record::{self, CommitRecord, SchemaRecord};
use crate::store::{Table, key};

impl Reader {
    /// The schema that was in force at the moment that is read.
    ///
    /// # Errors
    /// When this program cannot read it any more, or the store cannot be read.
    pub fn schema_then(&self) -> Result<Arc<Schema>, EngineError> {
        let now = Arc::clone(&self.inner.schema);
        let Some(past) = self.past.as_ref().filter(|past| past.revision > Revision(0)) else {
            return Ok(now);
        };
        let Some(number) = self.schema_number(past.revision)? else { return Ok(now) };
        if self.schema_number(self.snapshot().head())? == Some(number) {
            return Ok(now);
        }
        let Some(row) = self.snapshot().get(Table::Schemas, &number.to_be_bytes())? else { return Ok(now) };
        let kept: SchemaRecord = record::decode(Table::Schemas, &row)?;
        let texts: Vec<_> = kept.files.into_iter().map(|file| (file.name, file.text)).collect();
        let schema = Schema::recorded(&texts).map_err(|error| {
            let message = format!("the rules of revision {} cannot be read by this release", past.revision);
            Problem::new(Reason::RulesInvalid, message, past.revision.to_string()).hint(error.to_string())
        })?;
        Ok(Arc::new(schema))
    }

    fn schema_number(&self, revision: Revision) -> Result<Option<u32>, EngineError> {
        let row = self.snapshot().get(Table::Commits, &key::revision(revision))?;
        let number = row.map(|row| record::decode::<CommitRecord>(Table::Commits, &row)).transpose()?;
        Ok(number.map(|commit| commit.schema))
    }
}
