//! `cmdb import`: sends files to the server, which checks them whole and publishes them as one revision.
//!
//! ```text
//! file ─ decompress ─▶ thread `input` ─ chunks, bounded ─▶ gRPC ─▶ server
//!                                     events: progress, refused lines, result ◀─┘
//! ```
//!
//! Knows no format from the inside: what a line means and whether it is right is for the server to say.
//! Invariant: no file is ever whole in memory, and a file that cannot be read to its end publishes nothing.

mod input;
mod refused;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cmdb_proto::v1::import_event::Event;
use cmdb_proto::v1::import_file::Format as FileFormat;
use cmdb_proto::v1::{ImportBegin, ImportResult};
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;

use crate::error::CommandError;
use crate::message::Progress;
use crate::output::table::NAME;
use crate::output::{Format, escape, json, words};
use crate::session::Session;

use self::input::Input;
use self::refused::{Destination, Refused};

pub const FORMATS: &[Format] = &[Format::Table, Format::Json];

#[derive(Args, Debug)]
#[command(
    after_help = "A file is read by its name: .jsonl, .json, .ndjson or .csv, and .gz or .zst after it.\n\n\
    Examples:\n  cmdb import --source cmdb-old items.csv relationships.csv\n  \
    zcat dump.gz | cmdb import --source dump --full -"
)]
pub struct Arguments {
    /// Files to take in, all as one revision; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Who says so: the name under which these facts are kept
    #[arg(long, value_name = "NAME", default_value = "import")]
    source: String,
    /// Withdraw what this source's imports named before and do not name now
    #[arg(long)]
    full: bool,
    /// Entries that --full may withdraw, instead of 5 % of the source
    #[arg(long, value_name = "N", requires = "full", value_parser = clap::value_parser!(u64).range(1..))]
    allow_withdraw: Option<u64>,
    /// Import the good lines, and keep the refused ones in files
    #[arg(long, conflicts_with = "full")]
    skip_bad: bool,
    /// Where all refused lines go [default: those of each FILE into FILE.refused]
    #[arg(long, value_name = "FILE", requires = "skip_bad")]
    refused: Option<PathBuf>,
    /// Format of standard input and of files whose name does not tell
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "jsonl")]
    format: NamedFormat,
    /// Check everything and say what would be done, but change nothing
    #[arg(long)]
    dry_run: bool,
    /// Why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum NamedFormat {
    Jsonl,
    Csv,
}

impl NamedFormat {
    fn on_the_wire(self) -> FileFormat {
        match self {
            NamedFormat::Jsonl => FileFormat::JsonLines,
            NamedFormat::Csv => FileFormat::Csv,
        }
    }
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let inputs = input::plan(&arguments.files, arguments.format.on_the_wire())?;
    let mut refused = Refused::new(destination(&arguments, &inputs)?, session.format);
    let begin = ImportBegin {
        source: arguments.source.clone(),
        full: arguments.full,
        allow_withdraw: arguments.allow_withdraw.unwrap_or(0),
        skip_bad: arguments.skip_bad,
        dry_run: arguments.dry_run,
        reason: arguments.reason.clone(),
    };
    let mut client = session.connect().await?.transfer();
    let progress = Progress::new(&session.messages);
    let (sender, receiver) = tokio::sync::mpsc::channel(input::CHUNKS_WAITING_MAX);
    let mut reading = input::read(begin, inputs, sender);
    let headers = reading.headers();
    let transfer = async {
        let mut events = client.import(ReceiverStream::new(receiver)).await?.into_inner();
        let mut result = None;
        while let Some(event) = events.message().await? {
            match event.event {
                Some(Event::Progress(at)) => progress.at(&at.phase, at.done, at.total),
                Some(Event::Refused(line)) => {
                    let messages = &mut session.messages;
                    if refused.names_the_next() {
                        progress.aside(|| refused.take(line, &headers, messages))?;
                    } else {
                        refused.take(line, &headers, messages)?;
                    }
                }
                Some(Event::Result(last)) => result = Some(last),
                None => {}
            }
        }
        Ok(result)
    };
    let outcome = tokio::select! {
        outcome = transfer => outcome,
        error = reading.failed() => Err(error),
    };
    progress.end();
    refused.end(&mut session.messages)?;
    let result = outcome?.ok_or_else(|| {
        CommandError::failure("the server ended the import without a result")
            .hint("the server's log says more")
    })?;
    report(session, &arguments, &result, &refused)
}

/// Where refused lines go.
fn destination(arguments: &Arguments, inputs: &[Input]) -> Result<Destination, CommandError> {
    if !arguments.skip_bad || arguments.dry_run {
        return Ok(Destination::Nowhere);
    }
    let destination = match &arguments.refused {
        Some(path) => Destination::One(path.clone()),
        None => {
            Destination::Each(inputs.iter().map(|input| (input.name.clone(), input.refused_path())).collect())
        }
    };
    for path in destination.paths() {
        if arguments.files.iter().any(|file| path.as_os_str() == file.as_str()) {
            return Err(CommandError::usage("the refused lines would overwrite a file that is imported")
                .with("file", path.display())
                .hint("name another with --refused FILE"));
        }
    }
    Ok(destination)
}

fn report(
    session: &mut Session,
    arguments: &Arguments,
    result: &ImportResult,
    refused: &Refused,
) -> Result<(), CommandError> {
    let failed = result.refused > 0 && !arguments.skip_bad;
    if session.format == Format::Json {
        json::write(session.out.as_mut(), &object(arguments, result, refused))?;
    } else if !session.messages.is_quiet() && !failed {
        table(session.out.as_mut(), arguments, result)?;
    }
    session.flush()?;
    if session.format != Format::Json {
        for note in &result.notes {
            session.messages.note(note);
        }
    }
    if failed {
        let lines = words::count(result.refused, "line is", "lines are");
        return Err(CommandError::failure(format!("nothing was imported: {lines} refused"))
            .hint("correct them, or import the rest with --skip-bad"));
    }
    let written = refused.written();
    if !written.is_empty() {
        let lines = words::count(result.refused, "refused line is", "refused lines are");
        let files = words::and(written.iter().map(String::as_str));
        session.messages.warning(&format!("{lines} in {files}"));
    }
    Ok(())
}

fn table(out: &mut dyn std::io::Write, arguments: &Arguments, result: &ImportResult) -> std::io::Result<()> {
    let source = escape::line(&arguments.source);
    match (arguments.dry_run, result.revision) {
        (true, _) => {
            writeln!(out, "{NAME}checked{NAME:#} for source {source}; nothing was changed (dry run)")?
        }
        (false, 0) => {
            writeln!(out, "{NAME}nothing changed{NAME:#}: source {source} said all of this before")?
        }
        (false, revision) => writeln!(out, "{NAME}revision {revision}{NAME:#}, source {source}")?,
    }
    let verb = if arguments.dry_run { "would be " } else { "" };
    let number = words::number;
    writeln!(
        out,
        "  items          {} {verb}created, {} {verb}updated, {} unchanged",
        number(result.created),
        number(result.updated),
        number(result.unchanged)
    )?;
    writeln!(
        out,
        "  relationships  {} {verb}created, {} {verb}updated, {} unchanged",
        number(result.relationships_created),
        number(result.relationships_updated),
        number(result.relationships_unchanged)
    )?;
    writeln!(
        out,
        "  {} {verb}withdrawn, {} refused, {} for an item that is not there yet",
        words::count(result.withdrawn, "entry", "entries"),
        words::count(result.refused, "line", "lines"),
        words::count(result.waiting, "reference waits", "references wait")
    )
}

fn object(arguments: &Arguments, result: &ImportResult, refused: &Refused) -> serde_json::Value {
    json!({
        "source": arguments.source,
        "dry_run": arguments.dry_run,
        "revision": (result.revision > 0).then_some(result.revision),
        "items": {"created": result.created, "updated": result.updated, "unchanged": result.unchanged},
        "relationships": {
            "created": result.relationships_created,
            "updated": result.relationships_updated,
            "unchanged": result.relationships_unchanged,
        },
        "withdrawn": result.withdrawn,
        "refused": result.refused,
        "waiting": result.waiting,
        "notes": result.notes,
        "refused_lines": refused.listed(),
        "refused_files": refused.written(),
    })
}
