//! An engine that answers at once, with a clock that stands still until it is moved.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use crate::claim::{Claim, ItemClaim, Reference, RelationshipClaim, UnitKind};
use crate::engine::{
    Actor, Applied, Apply, ClaimChoice, Cmdb, Compacted, EngineError, Entry, Identified, Identify, Import,
    ImportEvent, ImportOutcome, JudgeGroup, KeepHistory, KeepHistoryOutcome, Options, Outcome, Purge,
    PurgeOutcome, Purgeable, Purging, Reply, Report, ReportOutcome, Section, SourceName, Split, StagedFile,
    Verdict,
};
use crate::import::Format;
use crate::model::schema::Schema;
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Problem, Reason, Revision, SourceKind, Timestamp, Value};
use crate::store::{RedbStore, Store};

pub(super) const DAY_US: i64 = crate::model::time::DAY_US;

pub(super) struct Bench {
    pub(super) cmdb: Cmdb,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) directory: tempfile::TempDir,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.cmdb.close();
    }
}

pub(super) fn bench() -> Bench {
    bench_under(Schema::built_in())
}

pub(super) fn bench_under(schema: Schema) -> Bench {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let cmdb = open(&directory, &clock, schema);
    Bench { cmdb, clock, directory }
}

/// The same on a store of the test's own.
pub(super) fn bench_on(store: Arc<dyn Store>, schema: Schema) -> Bench {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clock = Arc::new(AtomicI64::new(1_800_000_000_000_000));
    let cmdb = open_on(store, &clock, schema).expect("the engine opens");
    cmdb.on_complaint(Box::new(|error| panic!("the engine complains: {error:?}")));
    Bench { cmdb, clock, directory }
}

/// Claims to an engine that has no bench.
pub(super) fn apply_to(cmdb: &Cmdb, source: SourceName, claims: Vec<Claim>) -> Result<Applied, EngineError> {
    let ask = Apply { source, actor: actor(), claims, merge: false, dry_run: false, observed_at: None };
    wait(|reply| cmdb.apply(ask, reply))
}

/// A report to an engine that has no bench.
pub(super) fn report_to(
    cmdb: &Cmdb,
    source: &str,
    sections: Vec<Section>,
) -> Result<ReportOutcome, EngineError> {
    let report = Report {
        source: named(source, SourceKind::Agent),
        digest: digest(&format!("{sections:?}")),
        observed_at: (cmdb.inner.clock)(),
        sections,
        decode,
    };
    wait(|reply| cmdb.report(report, reply))
}

/// Orders in which sources go stale.
const RULES: &str = r#"
[[order]]
classes = ["database_instance"]
sources = ["person", { source = "agent", stale_after = "7d" }, { source = "import", stale_after = "30d" }]

[[order]]
classes = ["database_instance"]
attributes = ["port"]
sources = ["agent", "import"]
null_overwrites = true
"#;

/// The built-in schema with orders in which sources go stale.
pub(super) fn rules() -> Schema {
    Schema::load(&[("rules.toml".to_owned(), RULES.to_owned())]).expect("valid")
}

pub(super) fn open(directory: &tempfile::TempDir, clock: &Arc<AtomicI64>, schema: Schema) -> Cmdb {
    let store = RedbStore::open(directory.path()).expect("a new store");
    let options = Options { image: Some(image(directory)), ..Options::default() };
    let cmdb = open_with(Arc::new(store), clock, schema, options).expect("the engine opens");
    cmdb.on_complaint(Box::new(|error| panic!("the engine complains: {error:?}")));
    cmdb
}

/// Where an engine of a directory keeps the image of its graph.
pub(super) fn image(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("graph.image")
}

/// An engine on a store that may fail.
pub(super) fn open_on(
    store: Arc<dyn Store>,
    clock: &Arc<AtomicI64>,
    schema: Schema,
) -> Result<Cmdb, EngineError> {
    open_with(store, clock, schema, Options::default())
}

fn open_with(
    store: Arc<dyn Store>,
    clock: &Arc<AtomicI64>,
    schema: Schema,
    options: Options,
) -> Result<Cmdb, EngineError> {
    let clock = Arc::clone(clock);
    let now = Arc::new(move || Timestamp(clock.load(Ordering::SeqCst)));
    // The same for each engine, so that the same story gives the same store.
    let drawn = std::sync::atomic::AtomicU64::new(0);
    let secrets =
        Arc::new(move || *blake3::hash(&drawn.fetch_add(1, Ordering::SeqCst).to_le_bytes()).as_bytes());
    Cmdb::open(store, schema, now, secrets, Options { group_wait_us: 0, ..options })
}

fn wait<T: Send + 'static>(ask: impl FnOnce(Reply<T>)) -> Result<T, EngineError> {
    let (tell, told) = mpsc::channel();
    ask(Box::new(move |answer| tell.send(answer).expect("somebody waits")));
    told.recv().expect("every ask is answered")
}

pub(super) fn person(name: &str) -> SourceName {
    named(&format!("person-{name}"), SourceKind::Person)
}

pub(super) fn named(name: &str, kind: SourceKind) -> SourceName {
    SourceName { name: name.to_owned(), kind, title: String::new(), version: String::new() }
}

pub(super) fn actor() -> Actor {
    Actor { name: "test".to_owned(), reason: "because".to_owned() }
}

impl Bench {
    /// The same store, opened anew.
    pub(super) fn reopen(self) -> Bench {
        self.reopen_under(Schema::built_in())
    }

    /// The same store, opened anew under another schema.
    pub(super) fn reopen_under(self, schema: Schema) -> Bench {
        self.cmdb.close();
        let Bench { directory, clock, .. } = &self;
        let kept = directory.path().to_owned();
        let clock = Arc::clone(clock);
        let moved = tempfile::tempdir().expect("a temporary directory");
        // The file is free only when the last holder of the old engine is gone, so a copy is opened.
        let file = crate::store::RedbStore::file(&kept);
        std::fs::copy(&file, crate::store::RedbStore::file(moved.path())).expect("a copy");
        if image(directory).exists() {
            std::fs::copy(image(directory), image(&moved)).expect("a copy");
        }
        let cmdb = open(&moved, &clock, schema);
        Bench { cmdb, clock, directory: moved }
    }

    pub(super) fn pass(&self, us: i64) {
        self.clock.fetch_add(us, Ordering::SeqCst);
        self.cmdb.tick();
        // The queue is in order: when this is answered, the tick is done. The clock stands still until then, or the tick
        // would be at one moment or the next.
        let nothing = apply_to(&self.cmdb, person("nobody"), Vec::new());
        assert!(nothing.is_ok());
    }

    pub(super) fn apply(
        &self,
        source: SourceName,
        claims: Vec<Claim>,
        merge: bool,
    ) -> Result<Applied, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let ask = Apply { source, actor: actor(), claims, merge, dry_run: false, observed_at: None };
        wait(|reply| self.cmdb.apply(ask, reply))
    }

    pub(super) fn apply_seen_at(
        &self,
        source: SourceName,
        claims: Vec<Claim>,
        observed_at: Timestamp,
    ) -> Applied {
        let observed_at = Some(observed_at);
        let ask = Apply { source, actor: actor(), claims, merge: false, dry_run: false, observed_at };
        wait(|reply| self.cmdb.apply(ask, reply)).expect("taken")
    }

    pub(super) fn revert(&self, revision: Revision) -> Result<Applied, EngineError> {
        wait(|reply| self.cmdb.revert(revision, actor(), false, reply))
    }

    pub(super) fn merge(&self, into: ItemId, item: ItemId) -> Result<Applied, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        wait(|reply| self.cmdb.merge(into, item, actor(), false, reply))
    }

    pub(super) fn split(&self, item: ItemId, choices: Vec<ClaimChoice>) -> Result<Applied, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let ask = Split { item, choices, actor: actor(), dry_run: false };
        wait(|reply| self.cmdb.split(ask, reply))
    }

    pub(super) fn identify(&self, source: &str, sections: Vec<(String, Vec<Claim>)>) -> Identified {
        let ask = Identify { source: source.to_owned(), sections };
        wait(|reply| self.cmdb.identify(ask, reply)).expect("answered")
    }

    pub(super) fn purge(
        &self,
        item: ItemId,
        attribute: &str,
        what: Purging,
        dry_run: bool,
    ) -> Result<PurgeOutcome, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let subject = Purgeable::Attribute { item, attribute: attribute.to_owned() };
        let ask = Purge { subject, what, actor: actor(), dry_run };
        wait(|reply| self.cmdb.purge(ask, reply))
    }

    pub(super) fn apply_by(&self, actor: Actor, source: SourceName, claims: Vec<Claim>) -> Applied {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let ask = Apply { source, actor, claims, merge: true, dry_run: false, observed_at: None };
        wait(|reply| self.cmdb.apply(ask, reply)).expect("taken")
    }

    pub(super) fn purge_by(&self, actor: Actor, subject: Purgeable) -> Result<PurgeOutcome, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let ask = Purge { subject, what: Purging::Erase, actor, dry_run: false };
        wait(|reply| self.cmdb.purge(ask, reply))
    }

    pub(super) fn judge_by(
        &self,
        actor: Actor,
        who: &str,
        item: ItemId,
        group: &str,
        verdict: Verdict,
    ) -> Applied {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let group = group.to_owned();
        let ask = JudgeGroup { item, group, verdict, source: person(who), actor, dry_run: false };
        wait(|reply| self.cmdb.judge_group(ask, reply)).expect("taken")
    }

    pub(super) fn keep_history_by(&self, actor: Actor, days: u64) -> KeepHistoryOutcome {
        self.clock.fetch_add(1, Ordering::SeqCst);
        wait(|reply| self.cmdb.keep_history(KeepHistory { days, actor }, reply)).expect("taken")
    }

    /// Erases something that is no attribute of an item.
    pub(super) fn purge_other(&self, subject: Purgeable) -> Result<PurgeOutcome, EngineError> {
        self.purge_by(Actor { reason: "a slip".to_owned(), ..actor() }, subject)
    }

    /// Compacts the history before a revision.
    pub(super) fn compact(&self, horizon: Revision) -> Result<Compacted, EngineError> {
        self.cmdb.compact_history(horizon, &actor())
    }

    /// Says for how many days the history is kept.
    pub(super) fn keep_history(&self, days: u64) -> Result<KeepHistoryOutcome, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        wait(|reply| self.cmdb.keep_history(KeepHistory { days, actor: actor() }, reply))
    }

    pub(super) fn baseline(&self, name: &str, revision: Revision) -> Result<(), EngineError> {
        wait(|reply| self.cmdb.create_baseline(name.to_owned(), revision, actor(), reply))
    }

    pub(super) fn forget_baseline(&self, name: &str) -> Result<(), EngineError> {
        wait(|reply| self.cmdb.delete_baseline(name.to_owned(), reply))
    }

    pub(super) fn keep_scenario(&self, scenario: crate::scenario::Scenario) {
        wait(|reply| self.cmdb.keep_scenario(scenario, reply)).expect("kept");
    }

    pub(super) fn retire(&self, item: ItemId) -> Result<Applied, EngineError> {
        wait(|reply| self.cmdb.retire(item, actor(), false, reply))
    }

    pub(super) fn judge(
        &self,
        who: &str,
        item: ItemId,
        group: &str,
        verdict: Verdict,
    ) -> Result<Applied, EngineError> {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let ask = JudgeGroup {
            item,
            group: group.to_owned(),
            verdict,
            source: person(who),
            actor: actor(),
            dry_run: false,
        };
        wait(|reply| self.cmdb.judge_group(ask, reply))
    }

    pub(super) fn report(&self, source: &str, sections: Vec<Section>) -> ReportOutcome {
        self.clock.fetch_add(1, Ordering::SeqCst);
        self.report_seen_at(source, sections, Timestamp(self.clock.load(Ordering::SeqCst)))
    }

    pub(super) fn report_seen_at(
        &self,
        source: &str,
        sections: Vec<Section>,
        observed_at: Timestamp,
    ) -> ReportOutcome {
        let digests: Vec<_> =
            sections.iter().map(|section| (&section.scope, &section.complete, &section.digest)).collect();
        let report = Report {
            source: named(source, SourceKind::Agent),
            digest: digest(&format!("{digests:?}")),
            observed_at,
            sections,
            decode,
        };
        wait(|reply| self.cmdb.report(report, reply)).expect("a report is taken")
    }

    pub(super) fn import(
        &self,
        text: &str,
        full: bool,
        allow: u64,
    ) -> (Result<ImportOutcome, EngineError>, Vec<String>) {
        self.import_as(text, full, allow, false)
    }

    pub(super) fn import_as(
        &self,
        text: &str,
        full: bool,
        allow: u64,
        skip_bad: bool,
    ) -> (Result<ImportOutcome, EngineError>, Vec<String>) {
        self.clock.fetch_add(1, Ordering::SeqCst);
        let path = self.directory.path().join("staged.jsonl");
        std::fs::write(&path, text).expect("the file is written");
        let import = Import {
            source: named("files", SourceKind::Import),
            actor: actor(),
            full,
            allow_withdraw: allow,
            skip_bad,
            dry_run: false,
            files: vec![StagedFile { name: "estate.jsonl".to_owned(), format: Format::JsonLines, path }],
        };
        let (tell, told) = mpsc::channel();
        let events = Box::new(move |event| {
            if let ImportEvent::Refused { file, line } = event {
                let said = format!("{file}:{}:{}: {} [{}]", line.line, line.column, line.problem, line.text);
                tell.send(said).expect("somebody listens");
            }
        });
        let outcome = wait(|reply| self.cmdb.import(import, events, reply));
        (outcome, told.try_iter().collect())
    }

    pub(super) fn find(&self, text: &str) -> Item {
        let reader = self.cmdb.reader().expect("readable");
        let id = reader.resolve(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        reader.item(id).expect("readable").expect("resolved")
    }

    pub(super) fn relationships(&self, text: &str) -> Vec<String> {
        let item = self.find(text);
        let reader = self.cmdb.reader().expect("readable");
        let (found, _) = reader.relationships(item.id, 1_000).expect("readable");
        let name = |id| reader.item(id).expect("readable").expect("there").name;
        let mut all: Vec<String> = found
            .iter()
            .map(|relationship| {
                let denied = if relationship.denied { " denied" } else { "" };
                let (from, to) = (name(relationship.from), name(relationship.to));
                format!("{from} {} {to} {}{denied}", relationship.kind, relationship.status)
            })
            .collect();
        all.sort();
        all
    }

    pub(super) fn head(&self) -> Revision {
        self.cmdb.reader().expect("readable").revision()
    }

    /// The tables say what the log says, and the live graph is what a rebuild gives.
    pub(super) fn check(&self) {
        let mut findings = Vec::new();
        let verified = self
            .cmdb
            .verify(&mut |event| {
                if let crate::engine::VerifyEvent::Finding(finding) = event {
                    findings.push(finding);
                }
            })
            .expect("readable");
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(verified.findings, 0);
        self.cmdb.check_live_graph();
        self.cmdb.check_queues();
    }
}

pub(super) fn digest(text: &str) -> Vec<u8> {
    blake3::hash(text.as_bytes()).as_bytes()[..16].to_vec()
}

pub(super) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

pub(super) fn item(key: &str, class: &str, attributes: &[(&str, Value)]) -> Claim {
    let attributes: Attributes =
        attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Claim {
        kind: UnitKind::Item,
        key: key.to_owned(),
        item: Some(ItemClaim {
            class: class.to_owned(),
            name: key.to_owned(),
            attributes,
            ..ItemClaim::default()
        }),
        relationships: Vec::new(),
        redundancies: Vec::new(),
    }
}

pub(super) fn within(mut claim: Claim, host: &str) -> Claim {
    if let Some(item) = &mut claim.item {
        item.within = Some(Reference::Key(host.to_owned()));
    }
    claim
}

pub(super) fn related(mut claim: Claim, kind: &str, to: Reference, inferred: bool) -> Claim {
    claim.relationships.push(relationship(Reference::This, kind, to, inferred));
    claim
}

pub(super) fn relationship(from: Reference, kind: &str, to: Reference, inferred: bool) -> RelationshipClaim {
    RelationshipClaim {
        from,
        kind: kind.to_owned(),
        to,
        group: String::new(),
        weight: 1.0,
        inferred,
        confidence: if inferred { 0.6 } else { 1.0 },
        denied: false,
        attributes: Attributes::new(),
    }
}

pub(super) fn key(key: &str) -> Reference {
    Reference::Key(key.to_owned())
}

/// The bodies of reports: tests send claims, not bytes, so a body is a number into this.
static CLAIMS: std::sync::Mutex<Vec<Claim>> = std::sync::Mutex::new(Vec::new());

pub(super) fn decode(body: &[u8]) -> Result<Claim, Problem> {
    let refuse = || Problem::new(Reason::FormatInvalid, "not a body", "body");
    let number = u64::from_be_bytes(body.try_into().map_err(|_| refuse())?);
    let claims = CLAIMS.lock().expect("no test panics while holding it");
    claims.get(usize::try_from(number).map_err(|_| refuse())?).cloned().ok_or_else(refuse)
}

/// A section that names these claims.
pub(super) fn section(scope: &str, claims: &[Claim]) -> Section {
    let mut kept = CLAIMS.lock().expect("no test panics while holding it");
    let entries = claims
        .iter()
        .map(|claim| {
            kept.push(claim.clone());
            Entry {
                key: claim.key.clone(),
                digest: digest(&format!("{claim:?}")),
                body: Some((kept.len() as u64 - 1).to_be_bytes().to_vec()),
            }
        })
        .collect::<Vec<_>>();
    let keys: Vec<_> = entries.iter().map(|entry| (&entry.key, &entry.digest)).collect();
    Section {
        scope: scope.to_owned(),
        complete: Ok(()),
        digest: digest(&format!("{keys:?}")),
        unchanged: false,
        entries,
    }
}

pub(super) fn outcomes(applied: &Applied) -> Vec<String> {
    let outcome = |decision: &crate::engine::Decision| match &decision.outcome {
        Outcome::Refused(problem) => format!("refused {}", problem.reason.code()),
        other => {
            let but: String =
                decision.problems.iter().map(|problem| format!(", but {}", problem.reason.code())).collect();
            format!("{}{but}", format!("{other:?}").to_lowercase())
        }
    };
    applied.decisions.iter().map(outcome).collect()
}
