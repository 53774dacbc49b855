//! The one door: every fact enters here and leaves as a snapshot.
//!
//! One writer thread takes work from a bounded queue, groups the reports that are waiting, and makes them one
//! durable commit; only then is anybody told. Readers take a snapshot and never wait for the writer.
//!
//! ```text
//!  report ─┐                      ┌→ store (commit) ─→ live graph ─→ reply, on_commit
//!  apply  ─┼→ queue → writer ─────┤
//!  import ─┘          (one)       └→ nothing, when a dry run or nothing changed
//! ```
//!
//! Invariant: nothing else writes the store.

pub mod request;

mod arrivals;
mod correct;
mod edge_units;
mod enrolment;
mod image;
mod import;
mod ingest;
mod inner;
mod live;
mod merge;
mod presence;
mod purge;
mod read;
mod redundancy;
mod report;
mod reschema;
mod retain;
mod scenarios;
mod sources;
mod tally;
mod time;
mod verify;
mod view;
mod writer;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;

pub use correct::merged;
pub use enrolment::Kept;
pub use image::Opened;
pub use read::{
    Bid, Contest, Coverage, Diff, Difference, Direction, DuplicateKind, DuplicateSet, Evidence, Explanation,
    GROUP_MEMBERS_MAX, GroupShown, GroupStanding, Groups, GroupsAsked, IdentifierEvidence, Listed,
    Neighbours, Reader, Resolved, SharedIdentifier, Stands, StatedIdentifier, Totals, Touched, Trial,
    TrialChange, TrialOptions, TrialRefusal, TrialSplit, Wanted,
};
pub use request::*;
pub use retain::{BASELINE_NAME_BYTES_MAX, BASELINES_MAX, HISTORY_DAYS_MAX};
pub use scenarios::{Added, ApplyScenario, Conflict, Evaluated, ScenarioApplied, Take, check_scenario_name};
pub use view::When;
use view::recorded_at;
pub use writer::{Events, Reply};

use crate::change::Start;
use crate::graph::{Folder, Graph};
use crate::model::schema::Schema;
use crate::model::{ItemId, Revision, Timestamp};
use crate::store::record::{self, CommitRecord, SchemaRecord, SourceRecord};
use crate::store::{self, Order, Range, Read, Store, StoreError, Table, key};
use image::Image;
use inner::{Inner, Latest, Moment};
use presence::Presence;
use sources::SourceNames;
use writer::{Work, Writer};

/// Tells the present moment.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Draws a secret that nobody can guess, anew for each commit: what rows of the log are salted from.
pub type Secrets = Arc<dyn Fn() -> [u8; 32] + Send + Sync>;

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long a report waits for others to share its commit, in microseconds.
    pub group_wait_us: u64,
    /// How many entries of reports share a commit at most.
    pub group_entries_max: usize,
    /// How much work may wait.
    pub queue_max: usize,
    /// The file that the live graph is kept in, so that a start need not read the whole store; `None`: in none.
    pub image: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Options {
        Options { group_wait_us: 5_000, group_entries_max: 1_000, queue_max: 1_024, image: None }
    }
}

/// The engine. A clone is the same engine.
#[derive(Clone)]
pub struct Cmdb {
    inner: Arc<Inner>,
    queue: SyncSender<Work>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Cmdb {
    /// Opens a store: takes the writer's place, reads the graph, starts the writer.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn open(
        store: Arc<dyn Store>,
        schema: Schema,
        clock: Clock,
        secrets: Secrets,
        options: Options,
    ) -> Result<Cmdb, EngineError> {
        let epoch = store.claim_writer()?;
        arrivals::fill(&*store, epoch)?;
        edge_units::move_over(&*store, epoch)?;
        let schema = Arc::new(schema);
        let (mut start, renewed) = start(&*store.snapshot()?, &schema)?;
        if renewed {
            start = reschema::adopt(
                &*store,
                epoch,
                Start { now: clock().max(start.now), secret: secrets(), ..start },
            )?;
        }
        let snapshot = store.snapshot()?;
        let (head, recorded_at) = (start.head, recorded_at(&*snapshot, start.head)?);
        let sources = SourceNames(Arc::clone(&start.sources));
        let (graph, tally, opened) = image::open(options.image.as_deref(), &*snapshot, &schema, &sources)?;
        debug_assert_eq!(graph.revision(), head);
        let latest = load_latest(&*snapshot)?;
        let presence = Presence::load(&*snapshot)?;
        let baselines = retain::names(&*snapshot)?;
        let (queue, work) = mpsc::sync_channel(options.queue_max);
        let inner = Arc::new(Inner {
            store,
            schema,
            clock,
            secrets,
            folder: Folder::default(),
            image: Image::at(options.image.clone(), &opened),
            opened,
            options,
            moment: ArcSwap::from_pointee(Moment { snapshot, graph, recorded_at, sources, tally }),
            presence,
            views: view::Views::default(),
            latest: std::sync::RwLock::new(latest),
            looked: Mutex::default(),
            compacting: Mutex::default(),
            baselines: std::sync::RwLock::new(baselines),
            listeners: Mutex::default(),
            complaints: Mutex::default(),
        });
        if matches!(inner.opened, Opened::Built { .. }) {
            inner.follow_image(0);
        }
        let writer = Writer { inner: Arc::clone(&inner), epoch, start };
        let thread =
            std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run(&work)).map_err(
                |error| StoreError::Io { doing: "starting the writer", detail: error.to_string() },
            )?;
        Ok(Cmdb { inner, queue, writer: Arc::new(Mutex::new(Some(thread))) })
    }

    /// States a scan of an agent. An equal report costs no write.
    ///
    /// Nothing was observed later than it arrived: of a clock that runs ahead, arrival counts, else its source
    /// would not be believed again until then.
    pub fn report(&self, mut report: Report, reply: Reply<ReportOutcome>) {
        report.observed_at = report.observed_at.min((self.inner.clock)());
        let latest = self.inner.latest_of(&report.source.name);
        let known = !report.digest.is_empty() && latest.digest == report.digest;
        let moment = self.inner.moment.load();
        if known && let Some(source) = moment.sources.named(&report.source.name) {
            self.inner.presence.note(source.id, report.observed_at);
            self.inner.reported_again(&report);
            let entries = report.sections.iter().map(|section| section.entries.len()).sum::<usize>();
            let unchanged = u32::try_from(entries).unwrap_or(u32::MAX);
            let revision = moment.graph.revision();
            drop(moment);
            return reply(Ok(ReportOutcome { revision, unchanged, ..ReportOutcome::default() }));
        }
        drop(moment);
        self.send(Work::Report(report, reply));
    }

    /// States a batch of claims.
    pub fn apply(&self, apply: Apply, reply: Reply<Applied>) {
        self.send(Work::Apply(apply, reply));
    }

    /// What would become of the claims of a report; writes nothing.
    pub fn identify(&self, ask: Identify, reply: Reply<Identified>) {
        self.send(Work::Identify(ask, reply));
    }

    /// Takes an item out of use.
    pub fn retire(&self, item: ItemId, actor: Actor, dry_run: bool, reply: Reply<Applied>) {
        self.send(Work::Retire { item, actor, dry_run, reply });
    }

    /// Makes one item of two: everything that hangs on `item` moves to `into`, and its id leads there.
    pub fn merge(&self, into: ItemId, item: ItemId, actor: Actor, dry_run: bool, reply: Reply<Applied>) {
        self.send(Work::Merge { into, item, actor, dry_run, reply });
    }

    /// Undoes a merge, claim by claim.
    pub fn split(&self, split: Split, reply: Reply<Applied>) {
        self.send(Work::Split(split, reply));
    }

    /// Undoes a commit by a new one, where what it set still stands.
    pub fn revert(&self, revision: Revision, actor: Actor, dry_run: bool, reply: Reply<Applied>) {
        self.send(Work::Revert { revision, actor, dry_run, reply });
    }

    /// Erases every value of an attribute of an item, or lets it be stated again.
    pub fn purge(&self, ask: Purge, reply: Reply<PurgeOutcome>) {
        self.send(Work::Purge(ask, reply));
    }

    /// Publishes files as one revision.
    pub fn import(&self, import: Import, events: Events, reply: Reply<ImportOutcome>) {
        self.send(Work::Import(import, events, reply));
    }

    /// Lets time pass: what is due happens, and presence is written.
    pub fn tick(&self) {
        // A full queue means that the writer is awake; the next tick comes soon.
        let _full = self.queue.try_send(Work::Tick);
    }

    /// A source was heard without news.
    pub fn heartbeat(&self, source: &str, seen: Timestamp) {
        if let Some(source) = self.inner.moment.load().sources.named(source) {
            self.inner.presence.note(source.id, seen);
        }
    }

    /// The digest of the last report that is kept whole; empty: none.
    #[must_use]
    pub fn report_digest(&self, source: &str) -> Vec<u8> {
        self.inner.latest_of(source).digest
    }

    /// Calls `listener` after each commit, from the writer's thread: it must be quick.
    pub fn on_commit(&self, listener: Box<dyn Fn(Revision) + Send + Sync>) {
        self.inner.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Calls `complaint` with what failed where nobody was waiting for an answer.
    pub fn on_complaint(&self, complaint: Box<dyn Fn(&EngineError) + Send + Sync>) {
        self.inner.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(complaint);
    }

    /// The live graph of this moment.
    #[must_use]
    pub fn graph(&self) -> Graph {
        self.inner.moment.load().graph.clone()
    }

    /// How the live graph came to be when the store was opened.
    #[must_use]
    pub fn opened(&self) -> &Opened {
        &self.inner.opened
    }

    /// The schema in force.
    #[must_use]
    pub fn schema(&self) -> Arc<Schema> {
        Arc::clone(&self.inner.schema)
    }

    /// Where the facts are kept.
    #[must_use]
    pub fn store(&self) -> store::Description {
        self.inner.store.describe()
    }

    /// One consistent moment to read from.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn reader(&self) -> Result<Reader, EngineError> {
        self.reader_at(When::Now)
    }

    /// The graph as it stood at a moment, to read from.
    ///
    /// # Errors
    /// When the moment is not to be had, or the store cannot be read.
    pub fn reader_at(&self, when: When) -> Result<Reader, EngineError> {
        Reader::new(Arc::clone(&self.inner), when)
    }

    /// Compares the log with the tables.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify(&self, events: &mut dyn FnMut(VerifyEvent)) -> Result<Verified, EngineError> {
        let snapshot = self.inner.store.snapshot()?;
        let sources = SourceNames::load(&*snapshot)?;
        verify::verify(&*snapshot, &self.inner.schema, &sources, events)
    }

    /// Does what is queued, refuses what comes after, and ends the writer.
    pub fn close(&self) {
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _gone = self.queue.send(Work::Close);
            let _panicked = thread.join();
            self.inner.keep_image();
        }
    }

    fn send(&self, work: Work) {
        match self.queue.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(work)) => {
                let waiting = self.inner.options.queue_max;
                writer::refuse(work, || EngineError::Busy { waiting });
            }
            Err(TrySendError::Disconnected(work)) => writer::refuse(work, || EngineError::Closed),
        }
    }
}

/// The number under which the schema stands in the store, and whether it is another one than before.
fn schema_number(read: &dyn Read, schema: &Schema) -> Result<(u32, bool), EngineError> {
    let last = read.scan(Table::Schemas, &Range { order: Order::Descending, ..Range::all() }, 1)?;
    let Some((row, bytes)) = last.first() else { return Ok((1, true)) };
    let kept: SchemaRecord = record::decode(Table::Schemas, bytes)?;
    let number = row.as_slice().try_into().map_or(0, u32::from_be_bytes);
    Ok(if kept.digest == reschema::digest(schema) { (number, false) } else { (number + 1, true) })
}

/// What the first draft begins with, and whether the schema is another one than before.
fn start(snapshot: &dyn store::Snapshot, schema: &Arc<Schema>) -> Result<(Start, bool), EngineError> {
    let head = snapshot.head();
    let (schema_number, renewed) = schema_number(snapshot, schema)?;
    let (previous_hash, now) = match snapshot.get(Table::Commits, &key::revision(head))? {
        Some(row) => {
            let row: CommitRecord = record::decode(Table::Commits, &row)?;
            let header = crate::change::commit_header(head, row)?;
            (header.hash, header.recorded_at)
        }
        None => ([0; 32], Timestamp(0)),
    };
    let start = Start {
        schema: Arc::clone(schema),
        schema_number,
        now,
        head,
        previous_hash,
        secret: [0; 32],
        next_item: last_number(snapshot, Table::Items)? + 1,
        next_match: last_number(snapshot, Table::Matches)? + 1,
        waiting: [waiting(snapshot, key::waiting())?, waiting(snapshot, key::waiting_declared())?],
        sources: SourceNames::load(snapshot)?.0,
    };
    Ok((start, renewed))
}

fn last_number(read: &dyn Read, table: Table) -> Result<u64, StoreError> {
    let last = read.scan(table, &Range { order: Order::Descending, ..Range::all() }, 1)?;
    Ok(last.first().and_then(|(row, _)| key::item_at_end(row)).map_or(0, |id| id.0))
}

fn waiting(read: &dyn Read, queue: Vec<u8>) -> Result<u64, StoreError> {
    let mut waiting = 0;
    store::for_each(read, Table::Probes, Range::prefix(queue), |_, _| {
        waiting += 1;
        Ok::<(), StoreError>(())
    })?;
    Ok(waiting)
}

fn load_latest(read: &dyn Read) -> Result<rustc_hash::FxHashMap<String, Latest>, StoreError> {
    let mut latest = rustc_hash::FxHashMap::default();
    store::for_each(read, Table::Sources, Range::all(), |_, row| {
        let row: SourceRecord = record::decode(Table::Sources, row)?;
        let at = row.reported_us.map(Timestamp);
        latest.insert(row.name, Latest { digest: row.report_digest, at });
        Ok::<(), StoreError>(())
    })?;
    Ok(latest)
}

/// How many findings a store has.
#[cfg(test)]
fn check_store(snapshot: &dyn store::Snapshot) -> Result<u64, EngineError> {
    let sources = SourceNames::load(snapshot)?;
    let verified = verify::verify(snapshot, &Schema::built_in(), &sources, &mut |_| {})?;
    Ok(verified.findings)
}

#[cfg(test)]
impl Cmdb {
    /// What waits stands in its queue since it began to, and nothing else does.
    fn check_queues(&self) {
        use crate::model::{SourceId, SourceKind};
        use crate::store::record::MatchRecord;
        let snapshot = self.inner.store.snapshot().expect("readable");
        let mut standing = std::collections::BTreeSet::new();
        for queue in [key::waiting(), key::waiting_declared()] {
            store::for_each(&*snapshot, Table::Probes, Range::prefix(queue), |row, _| {
                standing.insert(row.to_vec());
                Ok::<(), StoreError>(())
            })
            .expect("readable");
        }
        let mut waiting = std::collections::BTreeSet::new();
        store::for_each(&*snapshot, Table::Matches, Range::all(), |row, bytes| {
            let found: MatchRecord = record::decode(Table::Matches, bytes)?;
            let (id, source) = (key::item_at_end(row).expect("a number"), SourceId(found.source));
            let kind = SourceNames::load(&*snapshot)?.get(source).map(|source| source.kind);
            let queue = match kind {
                Some(SourceKind::Rule) | None => None,
                Some(SourceKind::Import | SourceKind::Person) => Some(key::waiting_declared()),
                Some(SourceKind::Agent | SourceKind::Connector) => Some(key::waiting()),
            };
            assert_eq!(found.since_us != 0, found.held.is_none() && queue.is_some(), "{found:?}");
            let since = Timestamp(found.since_us);
            waiting
                .extend(queue.filter(|_| since.0 != 0).map(|queue| key::waiting_since(queue, since, id.0)));
            Ok::<(), StoreError>(())
        })
        .expect("readable");
        assert!(standing == waiting, "{} stand there and {} wait", standing.len(), waiting.len());
    }

    /// The live graph, edge by edge, is what a rebuild from the store gives.
    fn check_live_graph(&self) {
        let moment = self.inner.moment.load();
        let snapshot = self.inner.store.snapshot().expect("readable");
        let (rebuilt, tally) =
            live::build(&*snapshot, snapshot.head(), &self.inner.schema, &moment.sources).expect("readable");
        assert_eq!(tally, moment.tally);
        assert_eq!(describe_graph(&moment.graph), describe_graph(&rebuilt));
    }
}

#[cfg(test)]
fn describe_graph(graph: &Graph) -> Vec<String> {
    let mut lines = Vec::new();
    for index in graph.indexes() {
        lines.push(format!("{} {} {}", graph.id(index), graph.class(index), graph.status(index)));
        for edge in graph.dependencies(index) {
            let gate = edge.gate.map(|gate| graph.gate(gate));
            let gate =
                gate.map(|gate| format!("{} {} of {}", gate.name(), gate.require(), gate.member_count()));
            lines.push(format!(
                "{} needs {} {} {:?} {gate:?}",
                graph.id(index),
                graph.id(edge.other),
                graph.type_name(edge.kind),
                edge.carries
            ));
        }
    }
    lines.sort();
    lines
}
