//! How the server does, a copy of everything, and whether the store is sound.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use cmdb_core::engine::{Figures, SourceState, Verified, VerifyEvent, When};
use cmdb_core::store::Description;

use super::feed::{Feed, interrupted};
use super::sessions::Cost;
use super::{App, Beginning, Error, Stream, reader_at};

/// Bytes of a backup or an export that are sent at a time.
pub const PIECE_BYTES: usize = 64 << 10;
/// How hard a backup is compressed: zstd's own default.
const COMPRESSION: i32 = 3;

/// How the server does.
pub struct StatusAnswer {
    /// What the store holds.
    pub figures: Figures,
    /// Who states facts.
    pub sources: Vec<SourceState>,
    /// Sources that are connected now, with what they cost their hosts.
    pub connected: BTreeMap<String, Option<Cost>>,
    /// What the store is.
    pub store: Description,
    /// Seconds since the server was started.
    pub uptime_s: u64,
}

/// What happens during a verification.
pub enum VerifyStep {
    /// On the way.
    Event(VerifyEvent),
    /// At the end.
    Done(Verified),
}

impl App {
    /// How the server does.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self) -> Result<StatusAnswer, Error> {
        let (store, connected) = (self.engine.store(), self.sessions.connected());
        let uptime_s = self.started.elapsed().as_secs();
        self.read(move |reader| {
            let (figures, sources) = (reader.figures()?, reader.sources()?);
            Ok(StatusAnswer { figures, sources, connected, store, uptime_s })
        })
        .await
    }

    /// A consistent copy of everything, compressed with zstd.
    pub fn backup(self: &Arc<Self>) -> Stream<Vec<u8>> {
        self.stream(|app, feed| {
            let reader = app.engine.reader()?;
            let mut sender = Sender { feed, piece: Vec::with_capacity(PIECE_BYTES), failed: None };
            let written = copy(&mut sender, |out| reader.backup(out).map(drop).map_err(Error::from));
            match sender.failed.take() {
                Some(error) => Err(error),
                None => written,
            }
        })
    }

    /// Compares the log with the tables.
    pub fn verify(self: &Arc<Self>) -> Stream<VerifyStep> {
        self.stream(|app, feed| {
            let mut failed = None;
            let verified = app.engine.verify(&mut |event| {
                // What nobody hears is not sent again; the comparison itself cannot be stopped half-way.
                if failed.is_none() {
                    failed = feed.send(VerifyStep::Event(event)).err();
                }
            })?;
            failed.map_or_else(|| feed.send(VerifyStep::Done(verified)), Err)
        })
    }

    /// Every item of a moment with its id, sources and claims, as JSON Lines.
    pub fn export(self: &Arc<Self>, when: When, retired: bool) -> Stream<Vec<u8>> {
        self.stream(move |app, feed| {
            let reader = reader_at(&app.engine, when, Beginning::Refused)?;
            let mut sender = Sender { feed, piece: Vec::with_capacity(PIECE_BYTES), failed: None };
            let exported = reader.export(retired, &mut |line| {
                let written = sender.write_all(line.as_bytes()).and_then(|()| sender.write_all(b"\n"));
                written.map_err(|_| interrupted())
            });
            // The sender's own failure is why the export was interrupted.
            let flushed = sender.flush();
            match sender.failed.take() {
                Some(error) => Err(error),
                None => exported.map(drop).map_err(Error::from).and(flushed.map_err(|_| Error::Gone)),
            }
        })
    }
}

fn copy(out: &mut Sender<'_>, write: impl FnOnce(&mut dyn Write) -> Result<(), Error>) -> Result<(), Error> {
    let mut encoder = zstd::Encoder::new(out, COMPRESSION).map_err(|_| Error::Internal)?;
    write(&mut encoder)?;
    let rest = encoder.finish().map_err(|_| Error::Gone)?;
    rest.flush().map_err(|_| Error::Gone)
}

/// Cuts what is written into pieces and feeds them.
struct Sender<'a> {
    feed: &'a Feed<Vec<u8>>,
    piece: Vec<u8>,
    /// Why the feed took no more.
    failed: Option<Error>,
}

impl Sender<'_> {
    fn send(&mut self) -> std::io::Result<()> {
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.feed.send(piece).map_err(|error| {
            let message = error.to_string();
            self.failed = Some(error);
            std::io::Error::other(message)
        })
    }
}

impl Write for Sender<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE_BYTES {
            self.send()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() { Ok(()) } else { self.send() }
    }
}
