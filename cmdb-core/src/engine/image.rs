//! The live graph in a file beside the store, so that a start reads one file instead of everything.
//!
//! The log is the truth. An image is believed when it is whole (its checksum), of this very log (the hash of its
//! commit), and made by this program under this schema; what was committed since is followed from the log. Anything
//! else is left aside and the graph is built from the store, as if there were no file: it can be removed at any time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use prost::Message;

use super::inner::Moment;
use super::live::{self, Judged, Step};
use super::reschema;
use super::retain;
use super::sources::SourceNames;
use super::tally::{Tally, TallyRecord};
use super::view;
use crate::graph::Graph;
use crate::model::Revision;
use crate::model::schema::Schema;
use crate::store::record::{self, CommitRecord};
use crate::store::{Snapshot, StoreError, Table, key};

const MAGIC: &[u8; 12] = b"cmdb graph 1";
/// To be raised when a graph is made differently of the same facts, or lies differently in the image.
const MADE: u32 = 2;
const CHECKSUM_BYTES: usize = 32;
/// A new image is written when so many changes came since the last, and more than a share of the items.
const BEHIND_MIN: u64 = 10_000;
const BEHIND_SHARE: u64 = 20;

/// What an image is of.
#[derive(Clone, PartialEq, Message)]
struct HeadRecord {
    #[prost(uint32, tag = "1")]
    made: u32,
    #[prost(string, tag = "2")]
    program: String,
    #[prost(uint64, tag = "3")]
    revision: u64,
    #[prost(bytes = "vec", tag = "4")]
    commit: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    schema: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    tally: Option<TallyRecord>,
}

/// How the graph came to be when the store was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// It was built from the store, because there is no usable image.
    Built {
        /// Why not; `None`: none is kept.
        why: Option<String>,
    },
    /// It was read from an image.
    Read {
        /// The commit that the image holds.
        revision: Revision,
        /// Facts that changed since, followed from the log.
        followed: usize,
    },
}

/// Where the image is kept, and how far behind the graph it is.
#[derive(Default)]
pub(super) struct Image {
    path: Option<PathBuf>,
    behind: AtomicU64,
    writing: Mutex<Option<JoinHandle<io::Result<()>>>>,
}

impl Image {
    pub(super) fn at(path: Option<PathBuf>, opened: &Opened) -> Image {
        let behind = match opened {
            Opened::Built { .. } => u64::MAX / 2,
            Opened::Read { followed, .. } => *followed as u64,
        };
        Image { path, behind: AtomicU64::new(behind), writing: Mutex::default() }
    }

    /// After a commit: writes a new image on a thread of its own when the last one is far behind. The error is that of
    /// the one before.
    pub(super) fn follow(&self, changes: u64, moment: &Arc<Moment>, schema: &Schema) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let behind = self.behind.fetch_add(changes, Ordering::Relaxed).saturating_add(changes);
        // An empty store has no commit that an image could be of, and nothing that takes time to read.
        if moment.graph.revision() == Revision(0)
            || behind < BEHIND_MIN.max(moment.graph.item_count() as u64 / BEHIND_SHARE)
        {
            return Ok(());
        }
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if writing.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        let before = writing.take().map_or(Ok(()), joined);
        self.behind.store(0, Ordering::Relaxed);
        let (path, moment, schema) = (path.clone(), Arc::clone(moment), reschema::digest(schema));
        let write = move || write(&path, &moment, &schema);
        *writing = Some(std::thread::Builder::new().name("image".to_owned()).spawn(write)?);
        before
    }

    /// Until the image that is being written is there.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        let thread = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(()), joined).expect("an image is written");
    }

    /// At the end: the file holds what the graph holds.
    pub(super) fn close(&self, moment: &Moment, schema: &Schema) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let thread = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let before = thread.map_or(Ok(()), joined);
        if before.is_ok() && self.behind.swap(0, Ordering::Relaxed) == 0 {
            return Ok(());
        }
        write(path, moment, &reschema::digest(schema))
    }
}

fn joined(thread: JoinHandle<io::Result<()>>) -> io::Result<()> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that wrote the image gave up")))
}

fn commit_hash(snapshot: &dyn Snapshot, revision: Revision) -> Result<Option<Vec<u8>>, StoreError> {
    let row = snapshot.get(Table::Commits, &key::revision(revision))?;
    row.map(|row| Ok(record::decode::<CommitRecord>(Table::Commits, &row)?.hash)).transpose()
}

fn write(path: &Path, moment: &Moment, schema: &[u8]) -> io::Result<()> {
    let revision = moment.graph.revision();
    let commit = commit_hash(&*moment.snapshot, revision).map_err(io::Error::other)?;
    let Some(commit) = commit else { return Ok(()) };
    let head = HeadRecord {
        made: MADE,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        revision: revision.0,
        commit,
        schema: schema.to_vec(),
        tally: Some(moment.tally.record()),
    };
    let unfinished = path.with_extension("unfinished");
    let mut out = Hashed { out: BufWriter::new(File::create(&unfinished)?), hasher: blake3::Hasher::new() };
    out.write_all(MAGIC)?;
    out.write_all(&head.encode_length_delimited_to_vec())?;
    moment.graph.write_image(&mut out)?;
    let Hashed { mut out, hasher } = out;
    out.write_all(hasher.finalize().as_bytes())?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

struct Hashed<W> {
    out: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hasher.update(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The graph of the present: from the image and what came since, or from the whole store.
pub(super) fn open(
    path: Option<&Path>,
    snapshot: &dyn Snapshot,
    schema: &Schema,
    sources: &SourceNames,
) -> Result<(Graph, Tally, Opened), StoreError> {
    let why = match path {
        None => None,
        Some(path) => match read(path, snapshot, schema)? {
            Ok((graph, tally)) => {
                if let Some(opened) = follow(&graph, tally, snapshot, schema, sources)? {
                    return Ok(opened);
                }
                Some(format!("too much was committed since revision {}", graph.revision()))
            }
            Err(why) => Some(why),
        },
    };
    let (graph, tally) = live::build(snapshot, snapshot.head(), schema, sources)?;
    Ok((graph, tally, Opened::Built { why }))
}

/// The image as it is in the file, or why it is not to be believed.
fn read(
    path: &Path,
    snapshot: &dyn Snapshot,
    schema: &Schema,
) -> Result<Result<(Graph, Tally), String>, StoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(format!("{}: {error}", path.display()))),
    };
    let place = path.display();
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Ok(Err(format!("{place} is cut short")));
    };
    if blake3::hash(body).as_bytes() != checksum {
        return Ok(Err(format!("the checksum of {place} does not fit")));
    }
    let head = body.strip_prefix(MAGIC).and_then(|mut rest| {
        let head = HeadRecord::decode_length_delimited(&mut rest).ok()?;
        Some((head, rest))
    });
    let Some((head, graph)) = head else { return Ok(Err(format!("{place} is no image of a graph"))) };
    if head.made != MADE || head.program != env!("CARGO_PKG_VERSION") {
        return Ok(Err(format!("{place} was written by another version of this program")));
    }
    if head.schema != reschema::digest(schema) {
        return Ok(Err(format!("{place} was written under another schema")));
    }
    let revision = Revision(head.revision);
    if commit_hash(snapshot, revision)?.is_none_or(|hash| hash != head.commit) {
        return Ok(Err(format!("{place} is of another store, or of a later state of this one")));
    }
    // What the log holds of a history that was compacted leads on from kept moments alone.
    if revision < retain::horizon(snapshot)? && !retain::kept(snapshot)?.contains(&revision) {
        return Ok(Err(format!("{place} is of a moment before the history that is kept")));
    }
    let read = Graph::read_image(graph, revision).zip(head.tally.map(Tally::of_record));
    Ok(read.ok_or_else(|| format!("{place} cannot be read")))
}

/// Brings what an image holds up to the head; `None`: it is further than one wants to go.
fn follow(
    graph: &Graph,
    tally: Tally,
    snapshot: &dyn Snapshot,
    schema: &Schema,
    sources: &SourceNames,
) -> Result<Option<(Graph, Tally, Opened)>, StoreError> {
    let revision = graph.revision();
    let Some(changed) = view::changed_since(snapshot, revision, graph.item_count().max(MIN_FOLLOWED))? else {
        return Ok(None);
    };
    let sides = changed.sides(snapshot)?;
    let items = sides.items.iter().map(|(now, was)| Step::Item { before: was.as_ref(), after: now.as_ref() });
    let edges =
        sides.edges.iter().map(|(now, was)| Step::Relationship { before: was.as_ref(), after: now.as_ref() });
    let steps: Vec<_> = items
        .chain(edges)
        .filter(|step| !matches!(step, Step::Relationship { before: None, after: None }))
        .collect();
    let judged = Judged { read: snapshot, schema, sources };
    let (next, tally) = live::follow(graph, tally, snapshot.head(), &steps, judged)?;
    Ok(Some((next, tally, Opened::Read { revision, followed: steps.len() })))
}

/// So many facts are followed from the log however small the graph is.
const MIN_FOLLOWED: usize = 100_000;
