//! The figures that the store has to reach: what a change costs, how large it is, how fast it opens and answers.
//!
//! ```text
//! CSV → import → figures of the file → a process that is killed → open → reads → changes → as of → bare store
//! ```
//!
//! CPU time stands beside wall time, because machines that others work on are slow in wall time only. What is written
//! is what this process handed to the system to be written (`/proc/self/io`).

mod estate;
mod session;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use cmdb_core::claim::Claim;
use cmdb_core::claim::UnitKind;
use cmdb_core::engine::{
    Actor, Applied, Apply, Clock, Cmdb, EngineError, Import, ImportOutcome, List, Opened,
    Options as EngineOptions, Report, ReportOutcome, SourceName, StagedFile, TrialOptions, When,
};
use cmdb_core::import::Format;
use cmdb_core::model::{ItemId, Revision, Schema, SourceId, SourceKind, Timestamp};
use cmdb_core::store::key::{self, Place};
use cmdb_core::store::{self, Batch, Range, Read, RedbStore, Store, Table};

use crate::generator::Random;
use crate::machine;
use crate::measure::cpu;
use crate::table::{Figure, Figures};
pub use session::{Serve, serve};

/// Items that are changed in one commit.
const GROUP: u64 = 1_000;
const GROUPS: usize = 11;
/// Of those that are written straight into the store: enough that rows which are kept together are moved twice.
const BARE_GROUPS: usize = 70;
const VERSIONS: usize = 100;
const READS: usize = 10_000;
/// Reads after which the pages that hold current items are kept in memory.
const READS_BEFORE: usize = 300_000;
const RELATIONSHIPS_OF_AN_ITEM: u64 = 4;
/// Of the unchanged report, in bytes.
const REPORT_BYTES: usize = 20 << 10;
const SOURCE: &str = "estate";
/// The file of the live graph in the data directory.
const IMAGE: &str = "graph.image";
const SEED: u64 = 42;

/// How much there is in the store.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Size {
    /// 10,000 items, 40,000 relationships
    S,
    /// 1,000,000 items, 4,000,000 relationships
    M,
}

impl Size {
    fn items(self) -> u64 {
        match self {
            Size::S => 10_000,
            Size::M => 1_000_000,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Size::S => "S",
            Size::M => "M",
        }
    }
}

/// What is measured, and where the figures go.
#[derive(clap::Args)]
pub struct Options {
    /// How much there is in the store
    #[arg(long, value_enum, default_value = "s")]
    size: Size,
    /// Import that many items and print what it costs, nothing else: for a profile of the import alone
    #[arg(long)]
    import_only: Option<u64>,
    /// Where the store is made; it is removed afterwards
    #[arg(long, default_value = "target")]
    directory: PathBuf,
    /// The page that the table is written into
    #[arg(long, default_value = "docs/performance.md")]
    page: PathBuf,
}

/// A store that is opened, written, and left as a killed process leaves it.
#[derive(clap::Args)]
pub struct Killed {
    directory: PathBuf,
}

/// Wall and CPU time of one piece of work.
fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration, Duration)> {
    let (began, cpu_began) = (Instant::now(), cpu());
    let done = work()?;
    Ok((done, began.elapsed(), cpu() - cpu_began))
}

/// Opens the store, writes durably, and kills this very process.
pub fn die(killed: &Killed) -> Result<()> {
    let (engine, store) = open(&killed.directory)?;
    // What is committed after the image was written is followed from the log.
    let version = u64::from(std::process::id()) + 1_000_000;
    let claims = (0..GROUP).map(|number| estate::changed(number, version)).collect();
    apply(&engine, claims)?;
    ensure!(store.describe().read_only.is_none(), "the store is whole");
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    unreachable!("nobody survives that")
}

/// Measures everything, prints it, and writes the table.
pub fn run(options: &Options) -> Result<()> {
    let directory = machine::scratch(&options.directory)?;
    if let Some(items) = options.import_only {
        let mut figures = Figures::begin("", "alone", items, items * RELATIONSHIPS_OF_AN_ITEM)?;
        return import(&mut figures, &directory.path().join("data"), directory.path(), items).map(drop);
    }
    let (size, items) = (options.size, options.size.items());
    let mut figures = Figures::begin("", size.name(), items, items * RELATIONSHIPS_OF_AN_ITEM)?;
    let data = directory.path().join("data");
    let tables = import(&mut figures, &data, directory.path(), items)?;
    disk(&mut figures, &data, tables, items)?;
    reopen(&mut figures, &data)?;
    let (engine, store) = open(&data)?;
    current(&mut figures, &engine, items)?;
    history(&mut figures, &engine, items)?;
    session::unchanged(&mut figures, &engine)?;
    session::whole(&mut figures, directory.path())?;
    let before = engine.reader()?.revision();
    pipeline(&mut figures, &engine, &store, items)?;
    as_of(&mut figures, &engine, before)?;
    trial(&mut figures, &engine, &data)?;
    engine.close();
    drop((engine, store));
    bare(&mut figures, &data, items)?;
    figures.write(&options.page)
}

fn open(directory: &Path) -> Result<(Cmdb, Arc<RedbStore>)> {
    let store = Arc::new(RedbStore::open(directory)?);
    let clock: Clock = Arc::new(now);
    let shared: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let options = EngineOptions { image: Some(directory.join(IMAGE)), ..EngineOptions::default() };
    Ok((Cmdb::open(shared, Schema::built_in(), clock, Arc::new(|| [7; 32]), options)?, store))
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since.as_micros()).expect("before the year 292277"))
}

fn source(name: &str, kind: SourceKind) -> SourceName {
    SourceName { name: name.to_owned(), kind, title: String::new(), version: String::new() }
}

fn actor() -> Actor {
    Actor { name: "bench".to_owned(), reason: String::new() }
}

/// Returns the bytes of the rows, by table.
fn import(figures: &mut Figures, data: &Path, directory: &Path, items: u64) -> Result<Vec<(Table, u64)>> {
    let (item_rows, relationship_rows) = (directory.join("items.csv"), directory.join("relationships.csv"));
    estate::write(&item_rows, &relationship_rows, items, SEED)?;
    let (engine, store) = open(data)?;
    let staged = |path: &Path| StagedFile {
        name: path.display().to_string(),
        format: Format::Csv,
        path: path.to_owned(),
    };
    let import = Import {
        source: source(SOURCE, SourceKind::Import),
        actor: actor(),
        full: false,
        allow_withdraw: 0,
        skip_bad: false,
        dry_run: false,
        files: vec![staged(&item_rows), staged(&relationship_rows)],
    };
    machine::forget_peak()?;
    let resident = machine::resident_peak()?;
    let (outcome, wall, spent) = timed(|| {
        let (sender, receiver) = mpsc::channel();
        let reply = Box::new(move |outcome: Result<ImportOutcome, EngineError>| drop(sender.send(outcome)));
        engine.import(import, Box::new(|_| {}), reply);
        Ok(receiver.recv()??)
    })?;
    let peak = machine::resident_peak()?;
    ensure!(outcome.created == items && outcome.refused == 0, "the import is another one: {outcome:?}");
    let seconds = spent.as_secs_f64();
    figures.add(Figure {
        what: "import from CSV, with the live graph",
        reach: "60 s CPU at size M",
        value: format!("{seconds:.1} s CPU, {:.1} s wall", wall.as_secs_f64()),
        reached: figures.at_m(seconds <= 60.0),
        beside: format!("peak memory {} MiB, of which {} MiB before", peak >> 20, resident >> 20),
    });
    let mut tables = Vec::new();
    let snapshot = store.snapshot()?;
    for table in Table::ALL {
        let mut bytes = 0;
        store::for_each(&*snapshot, table, Range::all(), |key, value| {
            bytes += (key.len() + value.len()) as u64;
            Ok::<(), anyhow::Error>(())
        })?;
        tables.push((table, bytes));
    }
    engine.close();
    Ok(tables)
}

fn disk(figures: &mut Figures, data: &Path, mut tables: Vec<(Table, u64)>, items: u64) -> Result<()> {
    let file = std::fs::metadata(RedbStore::file(data))?.len();
    let stored: u64 = tables.iter().map(|(_, bytes)| bytes).sum();
    tables.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let share = |(table, bytes): &(Table, u64)| format!("{} {}", table.name(), bytes / items);
    let largest: Vec<String> = tables.iter().filter(|(_, bytes)| *bytes >= items).map(share).collect();
    let (stored, file) = (stored as f64 / items as f64, file as f64 / items as f64);
    figures.add(Figure {
        what: "disk, an item with its 4 relationships and first version",
        reach: "1.2 KB stored; file at most 2 times that",
        value: format!("{:.2} KB stored", stored / 1e3),
        reached: Some(stored <= 1_200.0 && file <= 2.0 * stored),
        beside: format!(
            "file {:.2} KB an item, {:.1} times; bytes an item: {}",
            file / 1e3,
            file / stored,
            largest.join(", ")
        ),
    });
    Ok(())
}

/// Opens what a killed process left, which had committed [`GROUP`] changes since the image of the graph was written.
fn reopen(figures: &mut Figures, data: &Path) -> Result<()> {
    let mut recoveries = Vec::new();
    let mut whole = Vec::new();
    for _ in 0..3 {
        let ended = Command::new(std::env::current_exe()?).arg("killed").arg(data).status()?;
        ensure!(!ended.success(), "the process was to be killed");
        let image = std::fs::read(data.join(IMAGE))?;
        let (store, recovery, _) = timed(|| Ok(RedbStore::open(data)?))?;
        drop(store);
        let ((engine, _), wall, spent) = timed(|| open(data))?;
        let Opened::Read { followed, .. } = engine.opened() else { bail!("{:?}", engine.opened()) };
        ensure!(*followed as u64 >= GROUP, "only {followed} facts were followed");
        recoveries.push(recovery);
        whole.push((recovery + wall, spent));
        engine.close();
        drop(engine);
        std::fs::write(data.join(IMAGE), image)?;
    }
    recoveries.sort();
    whole.sort();
    std::fs::remove_file(data.join(IMAGE))?;
    let ((engine, _), without, without_cpu) = timed(|| open(data))?;
    engine.close();
    let (recovery, (wall, spent)) = (recoveries[1], whole[1]);
    figures.add(Figure {
        what: "open after kill -9, 1,000 changes after the image of the graph",
        reach: "2 s, of which the store 0.1 s",
        value: format!("{:.2} s, of which the store {:.3} s", wall.as_secs_f64(), recovery.as_secs_f64()),
        reached: Some(wall.as_secs_f64() < 2.0 && recovery.as_secs_f64() < 0.1),
        beside: format!(
            "{:.2} s CPU for the live graph; without an image {:.2} s, {:.2} s CPU",
            spent.as_secs_f64(),
            without.as_secs_f64(),
            without_cpu.as_secs_f64()
        ),
    });
    Ok(())
}

/// Items by id: as a server answers that runs, and as it answers first. Then no page of the file is kept in memory yet, and
/// each item lies on pages of its own.
fn current(figures: &mut Figures, engine: &Cmdb, items: u64) -> Result<()> {
    let reader = engine.reader()?;
    let mut random = Random::new(SEED);
    let mut asked = |times: usize| -> Result<(f64, f64)> {
        let mut taken = Vec::with_capacity(times);
        for _ in 0..times {
            let id = ItemId(1 + random.below(items));
            let began = Instant::now();
            let item = reader.item(id)?;
            taken.push(began.elapsed());
            ensure!(item.is_some(), "item {id} is not there");
        }
        taken.sort();
        Ok((micros(taken[times / 2]), micros(taken[times * 99 / 100])))
    };
    let (first, first_slow) = asked(READS)?;
    asked(READS_BEFORE)?;
    let (median, slow) = asked(READS)?;
    figures.add(Figure {
        what: "current item by id, in process",
        reach: "p50 10 µs",
        value: format!("p50 {median:.1} µs"),
        reached: Some(median <= 10.0),
        beside: format!(
            "p99 {slow:.1} µs; the first {READS} after opening: p50 {first:.1} µs, p99 {first_slow:.1} µs"
        ),
    });
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn history(figures: &mut Figures, engine: &Cmdb, items: u64) -> Result<()> {
    let chosen = items / 2;
    for version in 1..VERSIONS {
        apply(engine, vec![estate::changed(chosen, version as u64)])?;
    }
    let reader = engine.reader()?;
    let id = reader.resolve(&estate::key(chosen))?;
    let mut times = Vec::new();
    for _ in 0..51 {
        let began = Instant::now();
        let history = reader.history(id, None, VERSIONS)?;
        times.push(began.elapsed());
        ensure!(history.commits.len() == VERSIONS, "{} versions", history.commits.len());
    }
    times.sort();
    let median = micros(times[times.len() / 2]);
    figures.add(Figure {
        what: "history of one item, 100 versions",
        reach: "1 ms",
        value: format!("{:.2} ms", median / 1e3),
        reached: Some(median <= 1e3),
        beside: String::new(),
    });
    Ok(())
}

fn apply(engine: &Cmdb, claims: Vec<Claim>) -> Result<Revision> {
    let (sender, receiver) = mpsc::channel();
    let apply = Apply {
        source: source(SOURCE, SourceKind::Import),
        actor: actor(),
        claims,
        merge: false,
        dry_run: false,
        observed_at: None,
    };
    engine.apply(apply, Box::new(move |outcome: Result<Applied, EngineError>| drop(sender.send(outcome))));
    receiver.recv()??.revision.context("the change makes a revision")
}

fn send(engine: &Cmdb, report: Report) -> Result<ReportOutcome> {
    let (sender, receiver) = mpsc::channel();
    engine.report(report, Box::new(move |outcome| drop(sender.send(outcome))));
    Ok(receiver.recv()??)
}

/// Changed items through identification, reconciliation, commit and live graph.
fn pipeline(figures: &mut Figures, engine: &Cmdb, store: &RedbStore, items: u64) -> Result<()> {
    let mut random = Random::new(SEED + 1);
    let (mut cpus, mut walls, mut written, mut logged) = (Vec::new(), Vec::new(), 0, 0);
    for group in 0..GROUPS {
        let chosen = distinct(&mut random, items);
        let claims = chosen.iter().map(|number| estate::changed(*number, 1_000 + group as u64)).collect();
        let before = machine::written()?;
        let (revision, wall, spent) = timed(|| apply(engine, claims))?;
        written += machine::written()? - before;
        logged += bytes_of(&*store.snapshot()?, revision)?;
        cpus.push(spent);
        walls.push(wall);
    }
    cpus.sort();
    walls.sort();
    let each = |times: &[Duration]| micros(times[GROUPS / 2]) / GROUP as f64;
    figures.add(Figure {
        what: "changed item, durable, groups of 1,000: whole pipeline",
        reach: "(beside the store alone)",
        value: format!("{:.0} µs CPU, {:.0} µs wall", each(&cpus), each(&walls)),
        reached: None,
        beside: format!(
            "{:.1} KB written an item, {:.1} times its record in the log",
            written as f64 / (GROUPS as f64 * GROUP as f64) / 1e3,
            written as f64 / logged as f64
        ),
    });
    Ok(())
}

fn bytes_of(read: &dyn Read, revision: Revision) -> Result<u64> {
    let mut bytes = 0;
    store::for_each(read, Table::Changes, Range::prefix(key::revision(revision)), |key, value| {
        bytes += (key.len() + value.len()) as u64;
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(bytes)
}

fn distinct(random: &mut Random, items: u64) -> Vec<u64> {
    let mut chosen = std::collections::BTreeSet::new();
    while (chosen.len() as u64) < GROUP.min(items) {
        chosen.insert(random.below(items));
    }
    chosen.into_iter().collect()
}

fn as_of(figures: &mut Figures, engine: &Cmdb, before: Revision) -> Result<()> {
    let (reader, wall, spent) = timed(|| Ok(engine.reader_at(When::Revision(before))?))?;
    let count = reader.graph().indexes().count();
    let (_, again, _) = timed(|| Ok(engine.reader_at(When::Revision(before))?))?;
    let (_, dawn, dawn_cpu) = timed(|| Ok(engine.reader_at(When::Revision(Revision(1)))?))?;
    figures.add(Figure {
        what: "as-of graph, before the last 11,000 changes",
        reach: "3 s cold, then cached",
        value: format!("{:.2} s cold, {:.1} µs cached", wall.as_secs_f64(), micros(again)),
        reached: Some(wall.as_secs_f64() <= 3.0),
        beside: format!(
            "{:.2} s CPU, {count} items; as of revision 1: {:.2} s, {:.2} s CPU",
            spent.as_secs_f64(),
            dawn.as_secs_f64(),
            dawn_cpu.as_secs_f64()
        ),
    });
    let (page, wall, _) =
        timed(|| Ok(engine.reader()?.list(&List { page_size: 1, count_only: true, ..List::default() })?))?;
    figures.add(Figure {
        what: "counting all items",
        reach: "(beside)",
        value: format!("{:.3} s", wall.as_secs_f64()),
        reached: None,
        beside: format!("{} items", page.total),
    });
    Ok(())
}

/// Rules that are not in force, on everything that is stored.
fn trial(figures: &mut Figures, engine: &Cmdb, data: &Path) -> Result<()> {
    const RULES: &str = "[[order]]\nclasses = [\"application\"]\nsources = [\"import\", \"agent\"]\n";
    let schema = Schema::load(&[("order.toml".to_owned(), RULES.to_owned())])
        .map_err(|findings| anyhow::anyhow!("the rules of the bench: {findings:?}"))?;
    let directory = data.parent().context("the store lies in a directory")?;
    machine::forget_peak()?;
    let resident = machine::resident_peak()?;
    let (found, wall, spent) =
        timed(|| Ok(engine.reader()?.try_schema(&schema, TrialOptions::new(100, directory))?))?;
    let peak = machine::resident_peak()?;
    figures.add(Figure {
        what: "trying rules on everything (`rules test`)",
        reach: "bounded memory",
        value: format!("{:.1} s CPU, {:.1} s wall", spent.as_secs_f64(), wall.as_secs_f64()),
        reached: None,
        beside: format!(
            "{} items, {} relationships; peak memory {} MiB, of which {} MiB before",
            found.items,
            found.relationships,
            peak >> 20,
            resident >> 20
        ),
    });
    Ok(())
}

/// The rows of changed items as the engine writes them, straight into the store: eight of an item; what its scope names
/// stays as it is.
fn bare(figures: &mut Figures, data: &Path, items: u64) -> Result<()> {
    let store = RedbStore::open(data)?;
    let epoch = store.claim_writer()?;
    let mut random = Random::new(SEED + 2);
    let (mut cpu, mut walls, mut written, mut given) = (Duration::ZERO, Vec::new(), 0, 0);
    for group in 0..BARE_GROUPS {
        let head = store.snapshot()?.head();
        let batch = rows(&*store.snapshot()?, head.next(), &distinct(&mut random, items), group)?;
        given += batch
            .writes()
            .map(|(_, key, value)| (key.len() + value.map_or(0, <[u8]>::len)) as u64)
            .sum::<u64>();
        let before = machine::written()?;
        let ((), wall, spent) = timed(|| Ok(store::commit(&store, head, epoch, &batch, head.next())?))?;
        written += machine::written()? - before;
        cpu += spent;
        walls.push(wall);
    }
    walls.sort();
    let count = BARE_GROUPS as f64 * GROUP as f64;
    let (spent, amplification) = (micros(cpu) / count, written as f64 / given as f64);
    figures.add(Figure {
        what: "changed item, durable, groups of 1,000: store alone",
        reach: "55 µs CPU, write amplification 11",
        value: format!("{spent:.1} µs CPU, write amplification {amplification:.1}"),
        reached: Some(spent <= 55.0 && amplification <= 11.0),
        beside: format!(
            "{:.0} µs wall (the slowest group {:.1} s), 8 rows and {:.2} KB an item; mean of {BARE_GROUPS} groups",
            micros(walls[BARE_GROUPS / 2]) / GROUP as f64,
            walls[BARE_GROUPS - 1].as_secs_f64(),
            given as f64 / count / 1e3
        ),
    });
    Ok(())
}

fn rows(read: &dyn Read, revision: Revision, chosen: &[u64], group: usize) -> Result<Batch> {
    let mut batch = Batch::default();
    for (sequence, number) in (0u32..).zip(chosen) {
        let id = ItemId(number + 1);
        let unit = estate::key(*number);
        let head = read.get(Table::Items, &key::item(id))?.context("the item is there")?;
        let unit_key = key::unit(SourceId(1), UnitKind::Item, &unit);
        let unit_row = read.get(Table::Units, &unit_key)?.unwrap_or_else(|| vec![0; 40]);
        batch.put(Table::Changes, Place { revision, sequence }.key(), vec![0x5a; 300]);
        batch.put(Table::Items, key::item(id), head);
        batch.put(Table::Units, unit_key, unit_row);
        for (attribute, value) in [("host_name", "h"), ("environment", "e")] {
            batch.delete(
                Table::Attributes,
                key::attribute(attribute, &format!("{value}{group}-{number}"), id),
            );
            let changed = format!("{value}{}-{number}", group + 1);
            batch.put(Table::Attributes, key::attribute(attribute, &changed, id), Vec::new());
        }
        // What one commit changes is due at one moment.
        let due = Timestamp(i64::try_from(revision.0).context("a revision is a small number")?);
        batch.put(Table::Timers, key::item_timer(due, id), Vec::new());
    }
    Ok(batch)
}
