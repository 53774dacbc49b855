//! Refused lines: named on standard error, and with `--skip-bad` kept in files to be corrected.
//!
//! Invariant: every refused line reaches a file, however few are named; the file of a CSV table begins with the
//! table's own header, so that it can be imported when it is corrected.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
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

/// Where refused lines are kept.
#[derive(PartialEq, Eq, Debug)]
pub enum Destination {
    /// Nowhere: they are only named.
    Nowhere,
    /// All in one file.
    One(PathBuf),
    /// Those of each imported file in a file of its own, by the imported file's name.
    Each(BTreeMap<String, PathBuf>),
}

impl Destination {
    /// Every file that may be written.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Destination::Nowhere => Vec::new(),
            Destination::One(path) => vec![path],
            Destination::Each(paths) => paths.values().map(PathBuf::as_path).collect(),
        }
    }

    fn of(&self, file: &str) -> Option<PathBuf> {
        match self {
            Destination::Nowhere => None,
            Destination::One(path) => Some(path.clone()),
            Destination::Each(paths) => paths.get(file).cloned(),
        }
    }
}

/// A file of refused lines.
struct Kept {
    file: BufWriter<File>,
    /// The imported file whose header was written last.
    headed: String,
}

pub struct Refused {
    destination: Destination,
    format: Format,
    /// Made with the first line that goes there.
    files: BTreeMap<PathBuf, Kept>,
    count: u64,
    listed: Vec<Json>,
}

impl Refused {
    pub fn new(destination: Destination, format: Format) -> Self {
        Refused { destination, format, files: BTreeMap::new(), count: 0, listed: Vec::new() }
    }

    /// Whether the next line will be named to a person.
    pub fn names_the_next(&self) -> bool {
        self.format != Format::Json && self.count < NAMED_MAX
    }

    /// Takes a line that the server refused: names, lists or only counts it, and keeps it.
    pub fn take(
        &mut self,
        line: RefusedLine,
        headers: &Headers,
        messages: &mut Messages,
    ) -> Result<(), CommandError> {
        if self.names_the_next() {
            let problem = line.problem.clone().unwrap_or_default();
            messages.refused(&place(&line), &CommandError::problem(&problem));
        }
        if self.format == Format::Json && self.listed.len() < LISTED_MAX {
            self.listed.push(line_json(&line));
        }
        self.count += 1;
        match self.destination.of(&line.file) {
            Some(path) => {
                self.keep(&line, headers, &path).map_err(|error| CommandError::file("writing", &path, &error))
            }
            None => Ok(()),
        }
    }

    fn keep(&mut self, line: &RefusedLine, headers: &Headers, path: &Path) -> io::Result<()> {
        if !self.files.contains_key(path) {
            let file = BufWriter::new(File::create(path)?);
            self.files.insert(path.to_owned(), Kept { file, headed: String::new() });
        }
        let kept = self.files.get_mut(path).expect("it was made above");
        if kept.headed != line.file {
            kept.headed.clone_from(&line.file);
            kept.file.write_all(&headers.of(&line.file).unwrap_or_default())?;
        }
        let raw = if line.raw.is_empty() { line.text.as_bytes() } else { &line.raw };
        kept.file.write_all(raw)?;
        if raw.ends_with(b"\n") { Ok(()) } else { kept.file.write_all(b"\n") }
    }

    /// Says how many more there are, and closes the files.
    pub fn end(&mut self, messages: &mut Messages) -> Result<(), CommandError> {
        let more = self.count.saturating_sub(NAMED_MAX);
        if more > 0 && self.format != Format::Json {
            messages
                .plain(&format!("… and {}", words::count(more, "more refused line", "more refused lines")));
        }
        for (path, kept) in &mut self.files {
            kept.file.flush().map_err(|error| CommandError::file("writing", path, &error))?;
        }
        Ok(())
    }

    /// The files that were written.
    pub fn written(&self) -> Vec<String> {
        self.files.keys().map(|path| path.display().to_string()).collect()
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
