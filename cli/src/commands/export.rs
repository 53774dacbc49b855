//! `cmdb export`: every item with its id, sources and claims, as JSON Lines.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use cmdb_proto::v1::ExportRequest;
use flate2::write::GzEncoder;

use super::as_of::AsOf;
use crate::error::CommandError;
use crate::file::{Existing, PartFile};
use crate::message::Progress;
use crate::output::{Format, words};
use crate::session::Session;

pub const FORMATS: &[Format] = &[Format::Jsonl];

#[derive(Args, Debug)]
#[command(after_help = "`cmdb import` of an export into an empty store gives the same graph.")]
pub struct Arguments {
    /// Where to write it instead of standard output; compressed where it ends in .gz or .zst
    #[arg(long, short = 'o', value_name = "FILE")]
    file: Option<PathBuf>,
    /// Retired items too
    #[arg(long)]
    retired: bool,
    #[command(flatten)]
    as_of: AsOf,
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let connection = session.connect().await?;
    let request = ExportRequest { retired: arguments.retired, as_of: arguments.as_of.text() };
    let mut chunks = connection.transfer().export(request).await?.into_inner();
    let Some(path) = arguments.file else {
        while let Some(chunk) = chunks.message().await? {
            session.out.write_all(&chunk.data)?;
        }
        return Ok(());
    };
    let mut sink = Sink::new(&path, PartFile::create(&path, Existing::Replace)?)?;
    let progress = Progress::bytes(&session.messages);
    let mut bytes = 0;
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let chunk = tokio::select! {
            biased;
            _ = &mut interrupt => return Err(CommandError::failure("interrupted: no export was written")),
            chunk = chunks.message() => chunk?,
        };
        let Some(chunk) = chunk else { break };
        sink.write(&chunk.data)?;
        bytes += chunk.data.len() as u64;
        progress.at("export", bytes, 0);
    }
    progress.end();
    sink.finish()?;
    session.messages.note(&format!("{}: {} of JSON Lines", path.display(), words::bytes(bytes)));
    Ok(())
}

/// The file, behind the compression that its name asks for.
enum Sink {
    Plain(PartFile),
    Gzip(GzEncoder<Vec<u8>>, PartFile),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>, PartFile),
}

impl Sink {
    fn new(path: &std::path::Path, file: PartFile) -> Result<Self, CommandError> {
        Ok(match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("gz") => Sink::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::default()), file),
            Some("zst") => {
                Sink::Zstd(zstd::stream::write::Encoder::new(Vec::new(), 0).map_err(compressing)?, file)
            }
            _ => Sink::Plain(file),
        })
    }

    fn write(&mut self, data: &[u8]) -> Result<(), CommandError> {
        match self {
            Sink::Plain(file) => file.write(data),
            Sink::Gzip(encoder, file) => {
                encoder.write_all(data).map_err(compressing)?;
                file.write(&std::mem::take(encoder.get_mut()))
            }
            Sink::Zstd(encoder, file) => {
                encoder.write_all(data).map_err(compressing)?;
                file.write(&std::mem::take(encoder.get_mut()))
            }
        }
    }

    fn finish(self) -> Result<(), CommandError> {
        let (rest, mut file) = match self {
            Sink::Plain(file) => (Vec::new(), file),
            Sink::Gzip(encoder, file) => (encoder.finish().map_err(compressing)?, file),
            Sink::Zstd(encoder, file) => (encoder.finish().map_err(compressing)?, file),
        };
        file.write(&rest)?;
        file.finish()
    }
}

fn compressing(error: io::Error) -> CommandError {
    CommandError::failure(format!("compressing: {error}"))
}
