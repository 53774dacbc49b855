//! Refused lines: named on standard error, and with `--skip-bad` kept in a file to be corrected.
//!
//! Invariant: every refused line reaches the file, however few are named.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use cmdb_proto::v1::RefusedLine;
use serde_json::{Value as Json, json};

use super::input::Headers;
use crate::error::CommandError;
use crate::message::Messages;
use crate::output::{Format, words};

/// Lines that are named to a person; the others are counted.
const NAMED_MAX: u64 = 50;
/// Lines that are listed in the JSON answer.
const LISTED_MAX: usize = 1_000;

pub struct Refused {
    path: Option<PathBuf>,
    format: Format,
    file: Option<BufWriter<File>>,
    /// The CSV file whose header was written last.
    headed: Option<String>,
    count: u64,
    listed: Vec<Json>,
}

impl Refused {
    /// Refused lines are kept in `path`, if any; the file is made with the first of them.
    pub fn new(path: Option<PathBuf>, format: Format) -> Self {
        Refused { path, format, file: None, headed: None, count: 0, listed: Vec::new() }
    }

    pub fn take(
        &mut self,
        line: RefusedLine,
        headers: &Headers,
        messages: &mut Messages,
    ) -> Result<(), CommandError> {
        self.count += 1;
        if self.format != Format::Json {
            if self.count <= NAMED_MAX {
                let problem = line.problem.clone().unwrap_or_default();
                messages.refused(&place(&line), &CommandError::problem(&problem));
            }
        } else if self.listed.len() < LISTED_MAX {
            self.listed.push(line_json(&line));
        }
        self.keep(&line, headers)
    }

    fn keep(&mut self, line: &RefusedLine, headers: &Headers) -> Result<(), CommandError> {
        let Some(path) = &self.path else { return Ok(()) };
        let failed = |error| CommandError::file("writing", path, &error);
        if self.file.is_none() {
            self.file = Some(BufWriter::new(File::create(path).map_err(failed)?));
        }
        let file = self.file.as_mut().expect("it was made above");
        if self.headed.as_ref() != Some(&line.file) {
            self.headed = Some(line.file.clone());
            if let Some(header) = headers.of(&line.file) {
                file.write_all(&header).map_err(failed)?;
            }
        }
        let raw = if line.raw.is_empty() { line.text.as_bytes() } else { &line.raw };
        file.write_all(raw).map_err(failed)?;
        if raw.ends_with(b"\n") { Ok(()) } else { file.write_all(b"\n").map_err(failed) }
    }

    /// Says how many more there are, and closes the file.
    pub fn end(&mut self, messages: &mut Messages) -> Result<(), CommandError> {
        let more = self.count.saturating_sub(NAMED_MAX);
        if more > 0 && self.format != Format::Json {
            messages
                .plain(&format!("… and {}", words::count(more, "more refused line", "more refused lines")));
        }
        match (&mut self.file, &self.path) {
            (Some(file), Some(path)) => {
                file.flush().map_err(|error| CommandError::file("writing", path, &error))
            }
            _ => Ok(()),
        }
    }

    /// The file, where there is one.
    pub fn written_to(&self) -> Option<&Path> {
        self.file.as_ref().and(self.path.as_deref())
    }

    pub fn listed(&self) -> &[Json] {
        &self.listed
    }
}

/// `file:line:column`, as compilers write it.
fn place(line: &RefusedLine) -> String {
    match line.column {
        0 => format!("{}:{}", line.file, line.line),
        column => format!("{}:{}:{column}", line.file, line.line),
    }
}

fn line_json(line: &RefusedLine) -> Json {
    let problem = line.problem.clone().unwrap_or_default();
    json!({
        "file": line.file,
        "line": line.line,
        "column": (line.column > 0).then_some(line.column),
        "reason": problem.reason,
        "message": problem.message,
        "thing": problem.thing,
        "expected": problem.expected,
        "given": problem.given,
        "hint": problem.hint,
        "text": line.text,
    })
}
