//! The one writer: takes work, groups what is waiting, commits, tells.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::enrolment::{self, Kept};
use super::inner::Inner;
use super::redundancy::{self, Wanted};
use super::request::{
    Actor, Applied, Apply, Compacted, EngineError, Identified, Identify, Import, ImportEvent, ImportOutcome,
    JudgeGroup, KeepHistory, KeepHistoryOutcome, Outcome, Purge, PurgeOutcome, Report, ReportOutcome, Split,
};
use super::retain::{KeepBaseline, Seal, Step, Swept};
use super::scenarios::{ApplyScenario, Keep, ScenarioApplied};
use super::{correct, import, ingest, merge, presence, purge, report, retain, scenarios, time};
use crate::change::{Draft, Sealed, Start};
use crate::model::{ItemId, Revision, SourceKind, Timestamp};
use crate::store::StoreError;

/// Told once, from the writer's thread, when the work is durable or refused.
pub type Reply<T> = Box<dyn FnOnce(Result<T, EngineError>) + Send>;
/// Told of each event of an import.
pub type Events = Box<dyn FnMut(ImportEvent) + Send>;

/// What the writer is asked to do.
pub(super) enum Work {
    Report(Report, Reply<ReportOutcome>),
    Apply(Apply, Reply<Applied>),
    Identify(Identify, Reply<Identified>),
    Merge {
        into: ItemId,
        item: ItemId,
        actor: Actor,
        dry_run: bool,
        reply: Reply<Applied>,
    },
    Split(Split, Reply<Applied>),
    Retire {
        item: ItemId,
        actor: Actor,
        dry_run: bool,
        reply: Reply<Applied>,
    },
    Revert {
        revision: Revision,
        actor: Actor,
        dry_run: bool,
        reply: Reply<Applied>,
    },
    Purge(Purge, Reply<PurgeOutcome>),
    Propose(Vec<Wanted>, Reply<()>),
    JudgeGroup(JudgeGroup, Reply<Applied>),
    KeepBaseline(KeepBaseline, Reply<()>),
    KeepHistory(KeepHistory, Reply<KeepHistoryOutcome>),
    /// One step of a compaction of the history; the step comes back.
    Sweep(Step, Reply<(Swept, Step)>),
    /// The end of a compaction; `None`: what it is of has changed since.
    Seal(Seal, Reply<Option<Compacted>>),
    Import(Import, Events, Reply<ImportOutcome>),
    KeepScenario(Keep, Reply<()>),
    KeepEnrolment(Vec<Kept>, Reply<()>),
    ApplyScenario {
        ask: ApplyScenario,
        reply: Reply<ScenarioApplied>,
    },
    Tick,
    Close,
}

pub(super) struct Writer {
    pub(super) inner: Arc<Inner>,
    pub(super) epoch: u64,
    pub(super) start: Start,
}

impl Writer {
    /// Works until it is told to close, or nobody is left to ask.
    pub(super) fn run(mut self, queue: &Receiver<Work>) {
        let mut held: Option<Work> = None;
        loop {
            let work = match held.take() {
                Some(work) => work,
                None => match queue.recv() {
                    Ok(work) => work,
                    Err(_) => break,
                },
            };
            match work {
                Work::Report(report, reply) => {
                    let (group, next) = self.gather(queue, report, reply);
                    held = next;
                    self.reports(group);
                }
                Work::Apply(apply, reply) => reply(self.apply(&apply)),
                Work::Identify(ask, reply) => reply(self.identify(&ask)),
                Work::Merge { into, item, actor, dry_run, reply } => {
                    reply(self.merge(into, item, &actor, dry_run));
                }
                Work::Split(split, reply) => reply(self.split(&split)),
                Work::Retire { item, actor, dry_run, reply } => reply(self.retire(item, &actor, dry_run)),
                Work::Revert { revision, actor, dry_run, reply } => {
                    reply(self.revert(revision, &actor, dry_run));
                }
                Work::Purge(ask, reply) => reply(self.purge(&ask)),
                Work::Propose(wanted, reply) => reply(self.propose(&wanted)),
                Work::JudgeGroup(ask, reply) => reply(self.judge_group(&ask)),
                Work::KeepBaseline(keep, reply) => reply(self.keep_baseline(&keep)),
                Work::KeepHistory(ask, reply) => reply(self.keep_history(&ask)),
                Work::Sweep(step, reply) => reply(self.sweep(step)),
                Work::Seal(seal, reply) => reply(self.seal_history(&seal)),
                Work::Import(import, events, reply) => reply(self.import(&import, events)),
                Work::KeepScenario(keep, reply) => reply(self.keep_scenario(&keep)),
                Work::KeepEnrolment(rows, reply) => reply(self.keep_enrolment(rows)),
                Work::ApplyScenario { ask, reply } => reply(self.apply_scenario(&ask)),
                Work::Tick => self.tick(),
                Work::Close => break,
            }
        }
        // What is still queued is told that nobody will do it.
        for work in queue.try_iter() {
            refuse(work, || EngineError::Closed);
        }
        if let Err(error) = self.flush_presence() {
            self.inner.complain(&error);
        }
    }

    /// Waits a moment for more reports, so that one flush serves them all.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long to wait is measured, and nothing of it is recorded"
    )]
    fn gather(
        &self,
        queue: &Receiver<Work>,
        report: Report,
        reply: Reply<ReportOutcome>,
    ) -> (Vec<(Report, Reply<ReportOutcome>)>, Option<Work>) {
        let options = &self.inner.options;
        let until = Instant::now() + Duration::from_micros(options.group_wait_us);
        let mut entries = entries(&report);
        let mut group = vec![(report, reply)];
        while entries < options.group_entries_max {
            let wait = until.saturating_duration_since(Instant::now());
            match queue.recv_timeout(wait) {
                Ok(Work::Report(report, reply)) => {
                    entries += self::entries(&report);
                    group.push((report, reply));
                }
                Ok(other) => return (group, Some(other)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        (group, None)
    }

    fn reports(&mut self, group: Vec<(Report, Reply<ReportOutcome>)>) {
        let done = self.commit_reports(group.iter().map(|(report, _)| report));
        match done {
            Ok((outcomes, head)) => {
                for ((report, reply), mut outcome) in group.into_iter().zip(outcomes) {
                    outcome.revision = head;
                    self.inner.reported(&report, &outcome);
                    reply(Ok(outcome));
                }
            }
            Err(error) => {
                for (_, reply) in group {
                    reply(Err(EngineError::Store(for_each_of_a_group(&error))));
                }
            }
        }
    }

    fn commit_reports<'r>(
        &mut self,
        reports: impl Iterator<Item = &'r Report>,
    ) -> Result<(Vec<ReportOutcome>, Revision), EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let mut outcomes = Vec::new();
        let mut names = Vec::new();
        for one in reports {
            let confirmed = inner.latest_of(&one.source.name).at;
            outcomes.push(report::ingest(&mut draft, one, confirmed)?);
            names.push(one.source.name.as_str());
        }
        let name = match names.as_slice() {
            [one] => (*one).to_owned(),
            several => format!("{} agents", several.len()),
        };
        let sealed = draft.seal(&Actor { name, reason: String::new() })?;
        self.publish(sealed)?;
        Ok((outcomes, self.start.head))
    }

    fn apply(&mut self, apply: &Apply) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let name = &apply.source;
        let source = draft.source(&name.name, name.kind, &name.title, &name.version)?;
        let stating = ingest::Stating {
            source,
            kind: name.kind,
            scope: SCOPE_BY_HAND,
            // Nothing was observed later than it arrived.
            observed_at: apply.observed_at.unwrap_or(Timestamp(i64::MAX)).min(draft.now()),
            merge: apply.merge,
        };
        let units: Vec<_> =
            apply.claims.iter().map(|claim| ingest::Unit::of(claim.clone(), SCOPE_BY_HAND)).collect();
        let decisions = ingest::state(&mut draft, &stating, &units)?;
        let mut applied = self.finish(draft, &apply.actor, apply.dry_run)?;
        applied.decisions = if apply.dry_run {
            // Numbers given out in a dry run mean nothing afterwards.
            decisions.into_iter().map(without_new_number).collect()
        } else {
            inner.presence.note(source, stating.observed_at);
            decisions
        };
        Ok(applied)
    }

    /// Decides on the claims of a report and forgets it.
    fn identify(&mut self, ask: &Identify) -> Result<Identified, EngineError> {
        /// What nobody is called: no name of a source is empty.
        const NOBODY: &str = "";
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let known = draft.source_named(&ask.source).map(|source| (source.id, source.kind));
        let (source, kind) = match known {
            Some(known) => known,
            None => (draft.source(NOBODY, SourceKind::Agent, "", "")?, SourceKind::Agent),
        };
        let stating = ingest::Stating { source, kind, scope: "", observed_at: draft.now(), merge: false };
        let sections = ask.sections.iter();
        let units: Vec<_> = sections
            .flat_map(|(scope, claims)| claims.iter().map(|claim| ingest::Unit::of(claim.clone(), scope)))
            .collect();
        let decisions = ingest::state(&mut draft, &stating, &units)?;
        // Numbers given out here mean nothing afterwards.
        let is_there = |id: &ItemId| id.0 < self.start.next_item;
        let decisions = decisions.into_iter().map(|mut decision| {
            decision.item = decision.item.filter(is_there);
            if let Some(identification) = &mut decision.identification {
                identification.candidates.retain(is_there);
            }
            decision
        });
        Ok(Identified { decisions: decisions.collect(), revision: self.start.head })
    }

    fn merge(
        &mut self,
        into: ItemId,
        item: ItemId,
        actor: &Actor,
        dry_run: bool,
    ) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let dropped = merge::merge(&mut draft, into, item)??;
        let mut applied = self.finish(draft, actor, dry_run)?;
        applied.skipped = dropped;
        Ok(applied)
    }

    fn split(&mut self, ask: &Split) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let done = merge::split(&mut draft, &*snapshot, ask.item, &ask.choices)??;
        let mut applied = self.finish(draft, &ask.actor, ask.dry_run)?;
        applied.skipped = done.notes;
        applied.undecided = done.undecided;
        Ok(applied)
    }

    fn retire(&mut self, item: ItemId, actor: &Actor, dry_run: bool) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        correct::retire(&mut draft, item)??;
        self.finish(draft, actor, dry_run)
    }

    fn revert(&mut self, revision: Revision, actor: &Actor, dry_run: bool) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let skipped = correct::revert(&mut draft, &*snapshot, revision)??;
        let mut applied = self.finish(draft, actor, dry_run)?;
        applied.skipped = skipped;
        Ok(applied)
    }

    fn purge(&mut self, ask: &Purge) -> Result<PurgeOutcome, EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let (outcome, asked) = purge::purge(&mut draft, &*snapshot, ask)??;
        // The value is to be found there.
        drop(snapshot);
        let applied = self.finish(draft, &ask.actor, ask.dry_run)?;
        if !ask.dry_run {
            let moment = inner.moment.load();
            for source in asked.iter().filter_map(|source| moment.sources.get(*source)) {
                inner.forget_report(&source.name);
            }
        }
        Ok(outcome.applied(applied))
    }

    fn propose(&mut self, wanted: &[Wanted]) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let actor = redundancy::propose(&mut draft, wanted)?;
        let sealed = draft.seal(&actor)?;
        self.publish(sealed)
    }

    fn judge_group(&mut self, ask: &JudgeGroup) -> Result<Applied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let name = &ask.source;
        let source = draft.source(&name.name, name.kind, &name.title, &name.version)?;
        redundancy::judge(&mut draft, ask, source)??;
        self.finish(draft, &ask.actor, ask.dry_run)
    }

    fn keep_baseline(&mut self, keep: &KeepBaseline) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        retain::keep_baseline(&mut draft, &*snapshot, keep)?;
        let sealed = draft.seal(&Actor::default())?;
        self.publish(sealed)?;
        let names = retain::names(&*inner.store.snapshot()?)?;
        *inner.baselines.write().unwrap_or_else(std::sync::PoisonError::into_inner) = names;
        Ok(())
    }

    fn keep_history(&mut self, ask: &KeepHistory) -> Result<KeepHistoryOutcome, EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let (days_before, actor) = retain::keep_for(&mut draft, &*snapshot, ask)?;
        let sealed = draft.seal(&actor)?;
        let revision = sealed.header.as_ref().map(|header| header.revision);
        self.publish(sealed)?;
        Ok(KeepHistoryOutcome { revision, days_before })
    }

    fn sweep(&mut self, mut step: Step) -> Result<(Swept, Step), EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let swept = retain::sweep(&mut draft, &*snapshot, &mut step)?;
        let sealed = draft.seal(&Actor::default())?;
        self.publish(sealed)?;
        Ok((swept, step))
    }

    fn seal_history(&mut self, seal: &Seal) -> Result<Option<Compacted>, EngineError> {
        let inner = Arc::clone(&self.inner);
        let snapshot = inner.store.snapshot()?;
        let mut draft = self.begin(&inner)?;
        let Some(compacted) = retain::seal(&mut draft, &*snapshot, seal)? else { return Ok(None) };
        let what = format!(
            "history before revision {} compacted: {} changes and {} commits dropped",
            compacted.horizon, compacted.changes, compacted.commits
        );
        let reason =
            if seal.actor.reason.is_empty() { what } else { format!("{}; {what}", seal.actor.reason) };
        let sealed = draft.seal(&Actor { name: seal.actor.name.clone(), reason })?;
        self.publish(sealed)?;
        Ok(Some(compacted))
    }

    fn import(&mut self, import: &Import, mut events: Events) -> Result<ImportOutcome, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let (mut outcome, publish) = import::run(&mut draft, import, &mut events)?;
        if !publish {
            return Ok(outcome);
        }
        events(ImportEvent::Progress { phase: "publishing", done: 0, total: 0 });
        let sealed = draft.seal(&import.actor)?;
        outcome.revision = sealed.header.as_ref().map(|header| header.revision);
        self.publish(sealed)?;
        if let Some(source) = inner.moment.load().sources.named(&import.source.name) {
            inner.presence.note(source.id, self.start.now);
        }
        Ok(outcome)
    }

    fn keep_scenario(&mut self, keep: &Keep) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        if let Keep::Put(scenario) = keep {
            retain::check_kept(&*inner.store.snapshot()?, scenario.base)?;
        }
        scenarios::keep(&mut draft, keep)??;
        let sealed = draft.seal(&Actor::default())?;
        self.publish(sealed)
    }

    fn keep_enrolment(&mut self, rows: Vec<Kept>) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        enrolment::keep(&mut draft, rows);
        let sealed = draft.seal(&Actor::default())?;
        self.publish(sealed)
    }

    fn apply_scenario(&mut self, ask: &ApplyScenario) -> Result<ScenarioApplied, EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        let name = &ask.source;
        let source = draft.source(&name.name, name.kind, &name.title, &name.version)?;
        let decisions = scenarios::apply(&mut draft, &ask.scenario, source, &ask.skip)??;
        let applied = self.finish(draft, &ask.actor, ask.dry_run)?;
        Ok(ScenarioApplied {
            conflicts: Vec::new(),
            decisions,
            revision: applied.revision,
            changes: applied.changes,
        })
    }

    fn tick(&mut self) {
        let inner = Arc::clone(&self.inner);
        let passed = (|| {
            let mut draft = self.begin(&inner)?;
            let reason = time::pass(&mut draft, &inner.presence)?;
            presence::flush(&mut draft, &inner.presence)?;
            let actor = Actor { name: "time".to_owned(), reason };
            let sealed = draft.seal(&actor)?;
            self.publish(sealed)
        })();
        if let Err(error) = passed {
            self.inner.complain(&error);
        }
    }

    fn flush_presence(&mut self) -> Result<(), EngineError> {
        let inner = Arc::clone(&self.inner);
        let mut draft = self.begin(&inner)?;
        presence::flush(&mut draft, &inner.presence)?;
        draft.seal(&Actor::default())?;
        Ok(())
    }

    fn begin<'s>(&self, inner: &'s Inner) -> Result<Draft<'s>, EngineError> {
        let transaction = inner.store.begin(self.start.head, self.epoch)?;
        // Recorded time never runs backwards, whatever the clock does.
        let now = (inner.clock)().max(self.start.now);
        let secret = (inner.secrets)();
        let draft = Draft::begin(transaction, Start { now, secret, ..self.start.clone() });
        Ok(draft.hearing(Box::new(|source| inner.presence.last_seen(source))))
    }

    /// Commits a draft, or shows what it would change.
    fn finish(&mut self, mut draft: Draft<'_>, actor: &Actor, dry_run: bool) -> Result<Applied, EngineError> {
        if dry_run {
            draft.flush()?;
            return Ok(Applied { changes: draft.into_changes(), ..Applied::default() });
        }
        let sealed = draft.seal(actor)?;
        let revision = sealed.header.as_ref().map(|header| header.revision);
        let changes = sealed.changes.clone();
        self.publish(sealed)?;
        Ok(Applied { revision, changes, ..Applied::default() })
    }

    fn publish(&mut self, sealed: Sealed) -> Result<(), EngineError> {
        self.start = sealed.next.clone();
        self.inner.follow(&sealed)
    }
}

/// The scope of what people and programs state one by one.
pub(super) const SCOPE_BY_HAND: &str = "by hand";

fn entries(report: &Report) -> usize {
    report.sections.iter().map(|section| section.entries.len()).sum()
}

/// The error again, for one of several who wait for the same commit.
fn for_each_of_a_group(error: &EngineError) -> StoreError {
    match error {
        EngineError::Store(StoreError::ReadOnly { cause }) => StoreError::ReadOnly { cause: cause.clone() },
        EngineError::Store(error) => StoreError::Io { doing: "committing", detail: error.to_string() },
        error => StoreError::Io { doing: "committing", detail: error.to_string() },
    }
}

fn without_new_number(mut decision: super::request::Decision) -> super::request::Decision {
    if decision.outcome == Outcome::Created {
        decision.item = None;
    }
    decision
}

/// Tells whoever waits that the work will not be done.
pub(super) fn refuse(work: Work, why: impl FnOnce() -> EngineError) {
    match work {
        Work::Report(_, reply) => reply(Err(why())),
        Work::Apply(_, reply)
        | Work::Merge { reply, .. }
        | Work::Split(_, reply)
        | Work::Retire { reply, .. }
        | Work::JudgeGroup(_, reply)
        | Work::Revert { reply, .. } => reply(Err(why())),
        Work::Purge(_, reply) => reply(Err(why())),
        Work::Identify(_, reply) => reply(Err(why())),
        Work::Propose(_, reply) => reply(Err(why())),
        Work::KeepBaseline(_, reply) => reply(Err(why())),
        Work::KeepHistory(_, reply) => reply(Err(why())),
        Work::Sweep(_, reply) => reply(Err(why())),
        Work::Seal(_, reply) => reply(Err(why())),
        Work::Import(_, _, reply) => reply(Err(why())),
        Work::KeepScenario(_, reply) => reply(Err(why())),
        Work::KeepEnrolment(_, reply) => reply(Err(why())),
        Work::ApplyScenario { reply, .. } => reply(Err(why())),
        Work::Tick | Work::Close => {}
    }
}
