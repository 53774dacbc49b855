//! `cmdb export`: every item with its id, sources and claims, as JSON Lines.

use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use cmdb_proto::v1::ExportRequest;
use flate2::write::GzEncoder;
use serde_json::Value as Json;

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
        let mut header = Header::default();
        while let Some(chunk) = chunks.message().await? {
            header.see(&chunk.data);
            session.out.write_all(&chunk.data)?;
        }
        header.note().iter().for_each(|note| session.messages.note(note));
        return Ok(());
    };
    let mut sink = Sink::new(&path, PartFile::create(&path, Existing::Replace)?)?;
    let progress = Progress::bytes(&session.messages);
    let mut bytes = 0;
    let mut header = Header::default();
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        let chunk = tokio::select! {
            biased;
            _ = &mut interrupt => return Err(CommandError::failure("interrupted: no export was written")),
            chunk = chunks.message() => chunk?,
        };
        let Some(chunk) = chunk else { break };
        header.see(&chunk.data);
        sink.write(&chunk.data)?;
        bytes += chunk.data.len() as u64;
        progress.at("export", bytes, 0);
    }
    progress.end();
    sink.finish()?;
    session.messages.note(&format!("{}: {} of JSON Lines", path.display(), words::bytes(bytes)));
    header.note().iter().for_each(|note| session.messages.note(note));
    Ok(())
}

/// The first line of the export, which says what is not in it.
#[derive(Default)]
struct Header {
    line: Vec<u8>,
    is_whole: bool,
}

impl Header {
    /// Longer than this it is none.
    const BYTES_MAX: usize = 4_096;

    fn see(&mut self, data: &[u8]) {
        if !self.is_whole {
            let end = data.iter().position(|byte| *byte == b'\n');
            self.line.extend_from_slice(&data[..end.unwrap_or(data.len())]);
            self.is_whole = end.is_some() || self.line.len() > Self::BYTES_MAX;
        }
    }

    /// What an export of a past moment does not hold.
    fn note(&self) -> Option<String> {
        let header: Json = serde_json::from_slice(&self.line).ok()?;
        let left_out = header.get("export")?.get("left_out")?;
        let count = |name: &str| left_out.get(name).and_then(Json::as_u64).unwrap_or(0);
        if count("waiting") + count("matched") == 0 {
            return Some(
                "what waits has no past: nothing that waits now did so at that moment; what came to an end since is not \
                 on record"
                    .to_owned(),
            );
        }
        let references = words::count(count("waiting"), "reference or claim", "references and claims");
        let relationships = words::count(count("matched"), "relationship", "relationships");
        Some(format!(
            "what waits has no past: {references} that waited at that moment, and still do, are left out; {relationships} \
             that a match holds on to will be plain ones where this is imported"
        ))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(chunks: &[&str], expected: Option<&str>) {
        let mut header = Header::default();
        chunks.iter().for_each(|chunk| header.see(chunk.as_bytes()));
        assert_eq!(header.note().as_deref(), expected, "{chunks:?}");
    }

    #[test]
    fn an_export_of_the_past_says_what_is_not_in_it() {
        check(&["{\"export\":{\"format\":1,\"revision\":7}}\n{\"item\":{}}\n"], None);
        check(&["not JSON"], None);
        check(
            &["{\"export\":{\"left_out\":{\"waiting\":0,\"matched\":0}}}\n"],
            Some(
                "what waits has no past: nothing that waits now did so at that moment; what came to an end since is not \
                 on record",
            ),
        );
        check(
            &[
                "{\"export\":{\"format\":1,\"left_out\":{\"wai",
                "ting\":2,\"matched\":1}}}\n{\"item",
                "\":{}}\n",
            ],
            Some(
                "what waits has no past: 2 references and claims that waited at that moment, and still do, are left out; \
                 1 relationship that a match holds on to will be plain ones where this is imported",
            ),
        );
    }
}
