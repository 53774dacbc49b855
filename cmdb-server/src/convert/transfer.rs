//! Imports, as they go in and out.

use cmdb_core::engine::{ImportEvent, ImportOutcome};
use cmdb_core::import::Format;
use cmdb_proto::v1;
use prost::Message;

use crate::app::import::Progress;
use crate::status::problem_of;

/// The format of a file; by its name where the client does not say.
pub fn format_from(file: &v1::ImportFile) -> Format {
    let csv = |name: &str| name.to_lowercase().contains(".csv");
    match file.format() {
        v1::import_file::Format::JsonLines => Format::JsonLines,
        v1::import_file::Format::Csv => Format::Csv,
        v1::import_file::Format::Unspecified if csv(&file.name) => Format::Csv,
        v1::import_file::Format::Unspecified => Format::JsonLines,
    }
}

/// How far an import is.
pub fn progress_to(progress: Progress) -> v1::ImportEvent {
    let Progress { phase, done, total } = progress;
    event(v1::import_event::Event::Progress(v1::ImportProgress { phase: phase.to_owned(), done, total }))
}

/// What is kept of a refused line until the import has ended: an encoded [`v1::RefusedLine`].
pub fn refused_record(happened: ImportEvent) -> Option<Vec<u8>> {
    match happened {
        ImportEvent::Refused { file, line } => {
            let refused = v1::RefusedLine {
                file,
                line: line.line,
                column: line.column,
                problem: Some(problem_of(&line.problem)),
                text: line.text,
                raw: line.raw,
            };
            Some(refused.encode_to_vec())
        }
        ImportEvent::Progress { .. } => None,
    }
}

/// A refused line, as kept.
///
/// # Errors
/// When the record is not whole.
pub fn refused_to(record: &[u8]) -> Result<v1::ImportEvent, prost::DecodeError> {
    Ok(event(v1::import_event::Event::Refused(v1::RefusedLine::decode(record)?)))
}

/// What an import did.
pub fn outcome_to(outcome: ImportOutcome) -> v1::ImportEvent {
    event(v1::import_event::Event::Result(v1::ImportResult {
        revision: outcome.revision.map_or(0, |revision| revision.0),
        created: outcome.created,
        updated: outcome.updated,
        unchanged: outcome.unchanged,
        relationships_created: outcome.relationships_created,
        relationships_updated: outcome.relationships_updated,
        relationships_unchanged: outcome.relationships_unchanged,
        withdrawn: outcome.withdrawn,
        refused: outcome.refused,
        waiting: outcome.waiting,
        notes: outcome.notes,
    }))
}

fn event(event: v1::import_event::Event) -> v1::ImportEvent {
    v1::ImportEvent { event: Some(event) }
}
