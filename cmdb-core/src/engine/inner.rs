//! What the writer and the readers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;

use super::image::{Image, Opened};
use super::live::{self, Judged, Step};
use super::presence::Presence;
use super::redundancy::Looked;
use super::request::{EngineError, Report, ReportOutcome};
use super::sources::SourceNames;
use super::tally::Tally;
use super::view::Views;
use super::{Clock, Options, Secrets};
use crate::change::{CommitHeader, Sealed};
use crate::graph::{Folder, Graph};
use crate::model::schema::Schema;
use crate::model::{Revision, Timestamp};
use crate::store::{Snapshot, Store, StoreError};

/// A moment that answers are given from: everything in it is of one revision.
pub(super) struct Moment {
    pub(super) snapshot: Box<dyn Snapshot>,
    pub(super) graph: Graph,
    pub(super) recorded_at: Timestamp,
    pub(super) sources: SourceNames,
    pub(super) tally: Tally,
}

/// The latest report of a source.
#[derive(Clone, Default)]
pub(super) struct Latest {
    /// Its digest; empty: it is not kept whole.
    pub(super) digest: Vec<u8>,
    /// When it was last observed.
    pub(super) at: Option<Timestamp>,
}

type Listener = Box<dyn Fn(Revision) + Send + Sync>;
type Complaint = Box<dyn Fn(&EngineError) + Send + Sync>;

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) schema: Arc<Schema>,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    pub(super) options: Options,
    pub(super) moment: ArcSwap<Moment>,
    /// Lays commits over the graph.
    pub(super) folder: Folder,
    pub(super) image: Image,
    pub(super) opened: Opened,
    pub(super) presence: Presence,
    pub(super) views: Views,
    /// The latest report of each source, by its name.
    pub(super) latest: RwLock<FxHashMap<String, Latest>>,
    /// Held by the compaction that is under way.
    pub(super) compacting: Mutex<()>,
    /// How far commits were looked through for redundancy.
    pub(super) looked: Mutex<Looked>,
    /// The moments that are kept for good, by name.
    pub(super) baselines: RwLock<BTreeMap<String, Revision>>,
    pub(super) listeners: Mutex<Vec<Listener>>,
    pub(super) complaints: Mutex<Vec<Complaint>>,
}

impl Inner {
    /// Brings graph and sources up to a commit, and tells who listens.
    pub(super) fn follow(&self, sealed: &Sealed) -> Result<(), EngineError> {
        let sources = SourceNames(Arc::clone(&sealed.next.sources));
        let before = self.moment.load();
        let Some(CommitHeader { revision, recorded_at, changes, .. }) = sealed.header else {
            let moment = Moment {
                snapshot: self.store.snapshot()?,
                graph: before.graph.clone(),
                recorded_at: before.recorded_at,
                tally: before.tally.clone(),
                sources,
            };
            self.moment.store(Arc::new(moment));
            return Ok(());
        };
        let snapshot = self.store.snapshot()?;
        let (graph, tally) = if sealed.overflow {
            live::build(&*snapshot, revision, &self.schema, &sources)?
        } else {
            let steps: Vec<_> = sealed.changes.iter().map(Step::of).collect();
            let judged = Judged { read: &*snapshot, schema: &self.schema, sources: &sources };
            let (deltas, tally) = live::deltas_of(&before.graph, before.tally.clone(), &steps, judged)?;
            (self.folder.apply(&before.graph, revision, deltas), tally)
        };
        self.moment.store(Arc::new(Moment { snapshot, graph, recorded_at, sources, tally }));
        drop(before);
        self.folder.let_go();
        self.follow_image(changes);
        for listener in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            listener(revision);
        }
        Ok(())
    }

    /// Has a new image written when the last one is far behind, with so many changes more.
    pub(super) fn follow_image(&self, changes: u64) {
        if let Err(error) = self.image.follow(changes, &self.moment.load_full(), &self.schema) {
            // The next start takes longer; nothing is lost.
            self.complain(&image_error(&error));
        }
    }

    /// Writes the image of the graph as it is now.
    pub(super) fn keep_image(&self) {
        if let Err(error) = self.image.close(&self.moment.load(), &self.schema) {
            self.complain(&image_error(&error));
        }
    }

    /// Remembers that a source was heard, and what it said last.
    pub(super) fn reported(&self, report: &Report, outcome: &ReportOutcome) {
        let name = &report.source.name;
        if let Some(source) = self.moment.load().sources.named(name) {
            self.presence.note(source.id, report.observed_at);
        }
        let digest = if outcome.rescan.is_empty() { report.digest.clone() } else { Vec::new() };
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        let latest = latest.entry(name.clone()).or_default();
        if latest.at.is_none_or(|at| at <= report.observed_at) {
            *latest = Latest { digest, at: Some(report.observed_at) };
        }
    }

    /// Forgets what a source said last, so that it is listened to again.
    pub(super) fn forget_report(&self, source: &str) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = latest.get_mut(source) {
            latest.digest.clear();
        }
    }

    /// The latest report of a source was observed again.
    pub(super) fn reported_again(&self, report: &Report) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) =
            latest.get_mut(&report.source.name).filter(|latest| latest.digest == report.digest)
        {
            latest.at = latest.at.max(Some(report.observed_at));
        }
    }

    pub(super) fn latest_of(&self, source: &str) -> Latest {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        latest.get(source).cloned().unwrap_or_default()
    }

    /// Tells whoever keeps the log of the program what failed where nobody was waiting for an answer.
    pub(super) fn complain(&self, error: &EngineError) {
        for complaint in self.complaints.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            complaint(error);
        }
    }
}

fn image_error(error: &std::io::Error) -> EngineError {
    StoreError::Io { doing: "writing the image of the graph", detail: error.to_string() }.into()
}
