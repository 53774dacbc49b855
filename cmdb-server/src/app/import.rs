//! Publishing staged files. What the engine says on the way never makes its writer wait: progress is the latest
//! only, and refused lines go to disk until they are asked for.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use cmdb_core::engine::{Import, ImportEvent, ImportOutcome, SourceName};
use tokio::sync::watch;

use super::changes::Run;
use super::staging::{Upload, failed};
use super::{App, Error, Person};

/// What an import is asked to do.
pub struct ImportAsk {
    /// Who states the facts.
    pub source: SourceName,
    /// Who asks.
    pub person: Person,
    /// Why.
    pub reason: String,
    /// What this source's imports named before and do not name now is withdrawn.
    pub full: bool,
    /// Entries that a full import may withdraw.
    pub allow_withdraw: u64,
    /// Import what is good.
    pub skip_bad: bool,
    /// Whether it is done.
    pub run: Run,
}

/// How far an import is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// What is being done.
    pub phase: &'static str,
    /// Lines.
    pub done: u64,
    /// Lines; 0: not known.
    pub total: u64,
}

/// Records that wait on disk, in order, each behind its length.
#[derive(Clone)]
pub struct Spill(Arc<Mutex<SpillFile>>);

struct SpillFile {
    path: PathBuf,
    file: BufWriter<File>,
    failed: Option<std::io::Error>,
}

impl Spill {
    fn create(directory: &Path) -> Result<Spill, Error> {
        let path = directory.join("refused");
        let file = File::options().create_new(true).read(true).write(true).open(&path);
        let file = BufWriter::new(file.map_err(|error| failed(&path, error))?);
        Ok(Spill(Arc::new(Mutex::new(SpillFile { path, file, failed: None }))))
    }

    fn put(&self, record: &[u8]) {
        let mut spill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = (record.len() as u64).to_le_bytes();
        if spill.failed.is_none() {
            let written = spill.file.write_all(&length).and_then(|()| spill.file.write_all(record));
            spill.failed = written.err();
        }
    }

    /// Calls `take` with every record.
    ///
    /// # Errors
    /// When the disk failed, or `take` does.
    pub fn drain(&self, mut take: impl FnMut(Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        let mut spill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let SpillFile { path, file, failed: failure } = &mut *spill;
        let fail = |error| failed(path, error);
        if let Some(error) = failure.take() {
            return Err(fail(error));
        }
        file.flush().map_err(fail)?;
        file.seek(SeekFrom::Start(0)).map_err(fail)?;
        let mut reader = BufReader::new(file.get_ref());
        let mut length = [0; 8];
        loop {
            match reader.read_exact(&mut length) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(fail(error)),
            }
            let mut record = Vec::new();
            reader.by_ref().take(u64::from_le_bytes(length)).read_to_end(&mut record).map_err(fail)?;
            take(record)?;
        }
    }
}

/// What an import left behind.
pub struct ImportAnswer {
    /// What it did.
    pub outcome: Result<ImportOutcome, Error>,
    /// The lines that were refused.
    pub refused: Spill,
}

impl App {
    /// Publishes the files of an upload as one revision. `record` turns a refused line into what is kept of it.
    ///
    /// # Errors
    /// When it cannot begin. How it ended is in the answer, beside the lines that were refused.
    pub async fn import(
        &self,
        ask: ImportAsk,
        upload: &mut Upload,
        progress: watch::Sender<Progress>,
        record: impl Fn(ImportEvent) -> Option<Vec<u8>> + Send + 'static,
    ) -> Result<ImportAnswer, Error> {
        let import = Import {
            actor: ask.person.actor(&ask.reason)?,
            source: ask.source,
            full: ask.full,
            allow_withdraw: ask.allow_withdraw,
            skip_bad: ask.skip_bad,
            dry_run: ask.run == Run::Dry,
            files: upload.finish().await?,
        };
        let refused = Spill::create(upload.directory())?;
        let spill = refused.clone();
        let events = Box::new(move |event| match event {
            ImportEvent::Progress { phase, done, total } => {
                progress.send_replace(Progress { phase, done, total });
            }
            refused @ ImportEvent::Refused { .. } => {
                if let Some(record) = record(refused) {
                    spill.put(&record);
                }
            }
        });
        let outcome = self.ask(|engine, reply| engine.import(import, events, reply)).await;
        if outcome.as_ref().is_ok_and(|outcome| outcome.revision.is_some()) {
            self.look_for_groups().await;
        }
        Ok(ImportAnswer { outcome, refused })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_lines_come_back_in_order_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let spill = Spill::create(directory.path()).unwrap();
        let records: Vec<Vec<u8>> = (0..1_000_usize).map(|n| vec![n.to_le_bytes()[0]; n % 300]).collect();
        records.iter().for_each(|record| spill.put(record));
        let mut back = Vec::new();
        spill
            .drain(|record| {
                back.push(record);
                Ok(())
            })
            .unwrap();
        assert_eq!(back, records);
    }
}
