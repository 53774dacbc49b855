//! The files of an import: which format and compression each has, and a thread that reads them into chunks.
//!
//! Invariant: at most [`CHUNKS_WAITING_MAX`] chunks of [`CHUNK_BYTES`] wait, whatever the size of a file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cmdb_proto::v1::import_file::Format;
use cmdb_proto::v1::import_request::Part;
use cmdb_proto::v1::{ImportBegin, ImportEnd, ImportFile, ImportRequest};
use flate2::read::MultiGzDecoder;
use tokio::sync::{mpsc, oneshot};

use crate::error::CommandError;

/// Data per message.
const CHUNK_BYTES: usize = 256 * 1024;
/// Messages that wait for the network at most.
pub const CHUNKS_WAITING_MAX: usize = 4;
/// The longest first line of a CSV file that is kept for the file of refused lines.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The name of standard input on the command line.
const STANDARD_INPUT: &str = "-";
/// The end of the name of a file of refused lines; what stands before it tells the format.
const REFUSED: &str = ".refused";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// One file of the import.
#[derive(PartialEq, Eq, Debug)]
pub struct Input {
    /// As the user gave it.
    pub name: String,
    format: Format,
    compression: Compression,
}

impl Input {
    fn new(name: &str, default: Format) -> Self {
        let (stem, compression) = if let Some(original) = name.strip_suffix(REFUSED) {
            (original, Compression::None)
        } else if let Some(stem) = name.strip_suffix(".gz") {
            (stem, Compression::Gzip)
        } else if let Some(stem) = name.strip_suffix(".zst") {
            (stem, Compression::Zstd)
        } else {
            (name, Compression::None)
        };
        let suffix = Path::new(stem).extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
        let format = match suffix.as_deref() {
            Some("jsonl" | "json" | "ndjson") => Format::JsonLines,
            Some("csv") => Format::Csv,
            _ => default,
        };
        Input { name: name.to_owned(), format, compression }
    }

    fn is_standard_input(&self) -> bool {
        self.name == STANDARD_INPUT
    }

    /// Where this file's refused lines go when nothing else is said: uncompressed, so without that suffix.
    pub fn refused_path(&self) -> PathBuf {
        let stem = match self.compression {
            _ if self.is_standard_input() => "stdin",
            Compression::None => &self.name,
            Compression::Gzip => self.name.trim_end_matches(".gz"),
            Compression::Zstd => self.name.trim_end_matches(".zst"),
        };
        PathBuf::from(format!("{stem}{REFUSED}"))
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        if self.is_standard_input() {
            return Ok(Box::new(io::stdin()));
        }
        let file = BufReader::with_capacity(CHUNK_BYTES, File::open(&self.name)?);
        Ok(match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(file)?),
        })
    }
}

/// The files in their order, each known to exist, so that a misspelt last one does not cost a long upload.
pub fn plan(names: &[String], default: Format) -> Result<Vec<Input>, CommandError> {
    let inputs: Vec<Input> = names.iter().map(|name| Input::new(name, default)).collect();
    if inputs.iter().filter(|input| input.is_standard_input()).count() > 1 {
        return Err(CommandError::usage("standard input can be read only once").hint("give - only once"));
    }
    for input in inputs.iter().filter(|input| !input.is_standard_input()) {
        let path = Path::new(&input.name);
        let about = std::fs::metadata(path).map_err(|error| CommandError::file("reading", path, &error))?;
        if about.is_dir() {
            return Err(CommandError::failure("this is a directory, not a file").with("file", &input.name));
        }
    }
    Ok(inputs)
}

/// The first lines of the CSV files, by name: what makes a refused line readable again.
#[derive(Clone, Default)]
pub struct Headers(Arc<Mutex<HashMap<String, Vec<u8>>>>);

impl Headers {
    pub fn of(&self, file: &str) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned()
    }

    fn keep(&self, file: &str, header: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(file.to_owned(), header);
    }
}

/// The reading thread, seen from outside.
pub struct Reading {
    failure: oneshot::Receiver<Failure>,
    headers: Headers,
    /// Keeps the stream open after a failure: one that ended early could be taken for a complete one.
    open: Option<mpsc::Sender<ImportRequest>>,
}

/// Why a file could not be read to its end, and the stream that therefore must not end.
type Failure = (CommandError, mpsc::Sender<ImportRequest>);

impl Reading {
    pub fn headers(&self) -> Headers {
        self.headers.clone()
    }

    /// Resolves when a file could not be read to its end; stays pending otherwise. The stream stays open as long
    /// as `self`, so the call must be dropped first.
    pub async fn failed(&mut self) -> CommandError {
        match (&mut self.failure).await {
            Ok((error, open)) => {
                self.open = Some(open);
                error
            }
            // Everything was read: the answer decides.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Starts to read the files into `sender`: begin, each file with its data, end.
pub fn read(begin: ImportBegin, inputs: Vec<Input>, sender: mpsc::Sender<ImportRequest>) -> Reading {
    let (report, failure) = oneshot::channel();
    let headers = Headers::default();
    let kept = headers.clone();
    tokio::task::spawn_blocking(move || {
        let stream = Stream { sender, headers: kept };
        if let Err(Stop::Failed(error)) = stream.send_all(begin, &inputs) {
            // Where nobody waits for it any more, the call is over already.
            let _ = report.send((error, stream.sender));
        }
    });
    Reading { failure, headers, open: None }
}

/// Why reading ended early.
enum Stop {
    /// Nobody takes the chunks: the call has ended, and its answer says why.
    Unwanted,
    Failed(CommandError),
}

struct Stream {
    sender: mpsc::Sender<ImportRequest>,
    headers: Headers,
}

impl Stream {
    fn send_all(&self, begin: ImportBegin, inputs: &[Input]) -> Result<(), Stop> {
        self.send(Part::Begin(begin))?;
        for input in inputs {
            self.send(Part::File(ImportFile { name: input.name.clone(), format: input.format.into() }))?;
            self.send_data(input)?;
        }
        self.send(Part::End(ImportEnd {}))
    }

    fn send_data(&self, input: &Input) -> Result<(), Stop> {
        let failed =
            |error: io::Error| Stop::Failed(CommandError::file("reading", Path::new(&input.name), &error));
        let mut reader = input.open().map_err(failed)?;
        let mut is_first = true;
        loop {
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let limit = CHUNK_BYTES as u64;
            (&mut reader).take(limit).read_to_end(&mut chunk).map_err(failed)?;
            if chunk.is_empty() {
                return Ok(());
            }
            if is_first && input.format == Format::Csv {
                self.headers.keep(&input.name, header(&chunk));
            }
            is_first = false;
            self.send(Part::Data(chunk))?;
        }
    }

    fn send(&self, part: Part) -> Result<(), Stop> {
        self.sender.blocking_send(ImportRequest { part: Some(part) }).map_err(|_| Stop::Unwanted)
    }
}

/// The first line with its line break, or nothing where it is too long to be one.
fn header(chunk: &[u8]) -> Vec<u8> {
    let end = chunk.iter().take(HEADER_BYTES_MAX).position(|byte| *byte == b'\n');
    end.map_or_else(Vec::new, |end| chunk[..=end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_format_and_compression() {
        let check = |name: &str, format: Format, compression: Compression, refused: &str| {
            let input = Input::new(name, Format::JsonLines);
            assert_eq!((input.format, input.compression), (format, compression), "{name}");
            assert_eq!(input.refused_path(), PathBuf::from(refused), "{name}");
        };
        check("a.jsonl", Format::JsonLines, Compression::None, "a.jsonl.refused");
        check("a.ndjson", Format::JsonLines, Compression::None, "a.ndjson.refused");
        check("dir/a.CSV", Format::Csv, Compression::None, "dir/a.CSV.refused");
        check("a.csv.gz", Format::Csv, Compression::Gzip, "a.csv.refused");
        check("a.json.zst", Format::JsonLines, Compression::Zstd, "a.json.refused");
        check("a.csv.refused", Format::Csv, Compression::None, "a.csv.refused.refused");
        check("-", Format::JsonLines, Compression::None, "stdin.refused");
        check("dump", Format::JsonLines, Compression::None, "dump.refused");
        assert_eq!(Input::new("-", Format::Csv).format, Format::Csv);
        assert_eq!(Input::new("a.jsonl", Format::Csv).format, Format::JsonLines);
    }

    #[test]
    fn a_header_is_the_first_line_if_it_is_one() {
        assert_eq!(header(b"key,class\na,b\n"), b"key,class\n");
        assert_eq!(header(b"key"), b"");
        assert_eq!(header(&vec![b'x'; CHUNK_BYTES]), b"");
    }

    #[test]
    fn files_that_are_not_there_are_said_before_anything_is_sent() {
        assert!(plan(&["/nonexistent/a.csv".to_owned()], Format::JsonLines).is_err());
        assert!(plan(&["/".to_owned()], Format::JsonLines).is_err());
        assert!(plan(&["-".to_owned(), "-".to_owned()], Format::JsonLines).is_err());
    }
}
