//! Files become one revision: checked, then items, then relationships, then redundancy, then what is withdrawn.
//!
//! Every phase reads the files anew and works in batches that are flushed into the transaction, so memory does not
//! grow with the files. Nothing is published unless every line is good, or bad ones were to be skipped.

mod restore;
mod tracked;
mod waiting;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;

use super::ingest::withdraw::withdraw_unit;
use super::ingest::{self, Stating, Unit, WITHDRAWN};
use super::request::{Decision, EngineError, Import, ImportEvent, ImportOutcome, Outcome};
use super::writer::Events;
use crate::change::Draft;
use crate::claim::UnitKind;
use crate::import::{Exported, LineProblem, Located, ReadError, Record, reader};
use crate::model::{Problem, Reason, Schema, SourceId};
use crate::store::record::{self, UnitRecord};
use crate::store::scratch::{Place, Scratch};
use crate::store::{StoreError, Table, key};
use tracked::{Line, Tracked};

/// The scope of what a source's imports name.
pub const SCOPE: &str = "import";
/// Items stated together: what belongs to one, and tells which it is, is looked for among them.
const ITEMS_AT_ONCE: usize = 1_000;
/// Relationships, and groups, stated together: what they take on their way stays in the caches of a processor.
const EDGES_AT_ONCE: usize = 100;
/// What a draft holds before it is written into the transaction, so that it stays in those caches, too.
const PENDING_MAX: usize = if cfg!(test) { 20 } else { 400 };
/// Items whose host comes later in the files, kept to be tried again.
const LATER_MAX: usize = 1_000_000;
/// The share of a source's entries that a full import may withdraw unasked.
const WITHDRAW_PERCENT: u64 = 5;

/// Runs an import in a draft; what it did, and whether to publish it.
pub(super) fn run(
    draft: &mut Draft<'_>,
    import: &Import,
    events: &mut Events,
) -> Result<(ImportOutcome, bool), EngineError> {
    if import.full && import.skip_bad {
        return Err(Problem::new(
            Reason::FormatInvalid,
            "a full import cannot skip bad lines: what they name would be withdrawn",
            "--full --skip-bad",
        )
        .hint("mend the lines, or import without --full")
        .into());
    }
    let directory =
        import.files.first().and_then(|file| file.path.parent()).unwrap_or(std::path::Path::new("."));
    let mut run = Run {
        import,
        stating: None,
        seen: Scratch::new(directory),
        lines: 0,
        kinds: vec![Vec::new(); import.files.len()],
        tracked: Tracked::new(import),
        outcome: ImportOutcome::default(),
        matches: Vec::new(),
    };
    let published = run.phases(draft, events)?;
    run.tracked.report(events)?;
    run.outcome.refused = run.tracked.refused();
    run.outcome.notes = run.tracked.notes();
    Ok((run.outcome, published && !import.dry_run))
}

struct Run<'a> {
    import: &'a Import,
    /// Who states the files' claims; an export states none of its own.
    stating: Option<Stating<'a>>,
    seen: Scratch,
    lines: u64,
    /// Which kinds of lines each file has: a phase does not read the others again.
    kinds: Vec<Vec<UnitKind>>,
    tracked: Tracked<'a>,
    outcome: ImportOutcome,
    /// Matches that this import made, bounded by [`tracked::LISTED_MAX`].
    matches: Vec<u64>,
}

impl Run<'_> {
    fn phases(&mut self, draft: &mut Draft<'_>, events: &mut Events) -> Result<bool, EngineError> {
        self.check(draft, events)?;
        if self.stop() {
            return Ok(false);
        }
        let phases = [
            ("items", UnitKind::Item),
            ("relationships", UnitKind::Relationship),
            ("redundancy", UnitKind::Redundancy),
        ];
        for (phase, kind) in phases {
            self.state(draft, events, phase, kind)?;
            if self.stop() {
                return Ok(false);
            }
        }
        if self.import.full {
            self.withdraw(draft, events)?;
        }
        ingest::matches::leave_asked_entry_points(draft)?;
        ingest::settle(draft)?;
        self.outcome.waiting = ingest::matches::count_waiting(draft, &self.matches)?;
        draft.flush()?;
        Ok(true)
    }

    fn stop(&self) -> bool {
        self.tracked.refused() > 0 && !self.import.skip_bad
    }

    /// Reads everything once: form, and keys that are given twice.
    fn check(&mut self, draft: &mut Draft<'_>, events: &mut Events) -> Result<(), EngineError> {
        let schema = draft.schema();
        let (mut exported, mut claims) = (false, self.import.full);
        for (number, file) in (0u32..).zip(&self.import.files) {
            for record in reader(file.format, open(file)?, &schema) {
                self.lines += 1;
                if self.lines.is_multiple_of(PROGRESS_LINES) {
                    progress(events, "checking", self.lines, 0);
                }
                match record {
                    Ok(record) => match &record.value {
                        Record::Claim(claim) => {
                            claims = true;
                            self.note_kind(number, claim.kind);
                            let name = key::unit(SourceId(0), claim.kind, &claim.key);
                            self.seen.add(&name, (number, record.line))?;
                        }
                        Record::Exported(Exported::Waiting(_)) => {
                            exported = true;
                            self.note_kind(number, UnitKind::Redundancy);
                        }
                        Record::Exported(_) => {
                            exported = true;
                            self.note_kind(number, UnitKind::Item);
                            self.note_kind(number, UnitKind::Relationship);
                        }
                    },
                    Err(ReadError::Line(problem)) => self.tracked.line(number, *problem, events),
                    Err(ReadError::File(error)) => return Err(unreadable(&file.name, &error).into()),
                }
            }
        }
        self.once(&schema)?;
        if exported && !draft.is_empty() {
            return Err(Problem::new(
                Reason::NotEmpty,
                "an export can be imported into an empty store only: it brings its own ids and sources",
                self.import.files.first().map_or("", |file| file.name.as_str()),
            )
            .hint("start a server with a new --data directory, or restore a backup")
            .into());
        }
        if claims {
            let name = &self.import.source;
            self.stating = Some(Stating {
                source: draft.source(&name.name, name.kind, &name.title, &name.version)?,
                kind: name.kind,
                scope: SCOPE,
                observed_at: draft.now(),
                merge: false,
            });
        }
        progress(events, "checking", self.lines, self.lines);
        Ok(())
    }

    fn note_kind(&mut self, file: u32, kind: UnitKind) {
        let kinds = &mut self.kinds[file as usize];
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }

    /// Refuses keys that were given before in these files.
    fn once(&mut self, schema: &Schema) -> Result<(), EngineError> {
        let mut again: BTreeMap<Place, Place> = BTreeMap::new();
        let mut more = 0;
        self.seen.finish(|place, first| {
            if again.len() < tracked::LISTED_MAX {
                again.insert(place, first);
            } else {
                more += 1;
            }
        })?;
        self.tracked.refuse_unlisted(more);
        if more > 0 && self.import.skip_bad {
            // Which they are is not kept, so they cannot be left out.
            let lines = tracked::LISTED_MAX as u64 + more;
            return Err(Problem::new(
                Reason::LimitExceeded,
                format!("{lines} lines give a key again: too many to skip"),
                "--skip-bad",
            )
            .expected(format!("at most {}", tracked::LISTED_MAX), lines.to_string())
            .hint("mend the files first; without --skip-bad the import lists the lines")
            .into());
        }
        if again.is_empty() {
            return Ok(());
        }
        // Only where they stand is known: what they are called is read again.
        for (number, file) in (0u32..).zip(&self.import.files) {
            for record in reader(file.format, open(file)?, schema) {
                let Ok(Located { line, column, value: Record::Claim(claim) }) = record else { continue };
                let Some((before, first)) = again.get(&(number, line)) else { continue };
                let before = &self.import.files[*before as usize].name;
                let problem = Problem::new(
                    Reason::KeyRepeated,
                    format!("\"{}\" is given twice: first in {before}, line {first}", claim.key),
                    claim.key,
                )
                .expected("each key once", "twice")
                .hint("give one of them another key, or join the two lines");
                self.tracked.refuse(Line { file: number, line, column }, problem);
            }
        }
        Ok(())
    }

    fn state(
        &mut self,
        draft: &mut Draft<'_>,
        events: &mut Events,
        phase: &'static str,
        kind: UnitKind,
    ) -> Result<(), EngineError> {
        let schema = draft.schema();
        let at_once = if kind == UnitKind::Item { ITEMS_AT_ONCE } else { EDGES_AT_ONCE };
        let mut batch: Vec<(Line, Unit)> = Vec::with_capacity(at_once);
        let mut later: Vec<(Line, Unit)> = Vec::new();
        let mut done = 0;
        for (number, file) in (0u32..).zip(&self.import.files) {
            if !self.kinds[number as usize].contains(&kind) {
                continue;
            }
            for record in reader(file.format, open(file)?, &schema) {
                done += 1;
                if u64::is_multiple_of(done, PROGRESS_LINES) {
                    progress(events, phase, done, self.lines);
                }
                let record = match record {
                    Ok(record) => record,
                    // A bad line was told of in the first phase.
                    Err(ReadError::Line(_)) => continue,
                    Err(ReadError::File(error)) => return Err(unreadable(&file.name, &error).into()),
                };
                let line = Line { file: number, line: record.line, column: record.column };
                match record.value {
                    Record::Claim(claim) if claim.kind == kind && !self.tracked.is_refused(line) => {
                        batch.push((line, Unit::of(*claim, SCOPE)));
                    }
                    Record::Exported(line) => restore::line(draft, kind, line, &mut self.outcome)?,
                    Record::Claim(_) => {}
                }
                if batch.len() == at_once {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(at_once));
                    self.batch(draft, full, Some(&mut later))?;
                }
                if draft.pending() > PENDING_MAX {
                    draft.spill()?;
                }
            }
        }
        self.batch(draft, batch, Some(&mut later))?;
        // Hosts that stood further down are known now.
        while !later.is_empty() {
            let before = later.len();
            let mut still = Vec::new();
            for some in chunks(later) {
                self.batch(draft, some, Some(&mut still))?;
            }
            later = still;
            if later.len() == before {
                for some in chunks(std::mem::take(&mut later)) {
                    self.batch(draft, some, None)?;
                }
            }
        }
        draft.spill()?;
        progress(events, phase, self.lines, self.lines);
        Ok(())
    }

    /// States some lines. Those whose host is not known yet go to `later`, where there is one.
    fn batch(
        &mut self,
        draft: &mut Draft<'_>,
        batch: Vec<(Line, Unit)>,
        mut later: Option<&mut Vec<(Line, Unit)>>,
    ) -> Result<(), EngineError> {
        let Some(stating) = self.stating.filter(|_| !batch.is_empty()) else { return Ok(()) };
        let (lines, units): (Vec<Line>, Vec<Unit>) = batch.into_iter().unzip();
        ingest::fetch(draft, stating.source, &units)?;
        let mut known = Vec::with_capacity(units.len());
        for unit in &units {
            known.push(draft.kept_unit(stating.source, unit.claim.kind, &unit.claim.key)?.is_some());
        }
        let decisions = ingest::state_fetched(draft, &stating, &units)?;
        for (((line, unit), known), decision) in lines.into_iter().zip(units).zip(known).zip(decisions) {
            let homeless = waits_for_host(&unit, &decision);
            match &mut later {
                Some(later) if homeless && later.len() < LATER_MAX => later.push((line, unit)),
                _ => self.count(draft, stating.source, (line, &unit), known, decision)?,
            }
        }
        if draft.pending() > PENDING_MAX {
            draft.spill()?;
        }
        Ok(())
    }

    fn count(
        &mut self,
        draft: &Draft<'_>,
        source: SourceId,
        (line, unit): (Line, &Unit),
        known: bool,
        decision: Decision,
    ) -> Result<(), EngineError> {
        for problem in decision.problems {
            self.tracked.refuse(line, problem);
        }
        for note in decision.notes {
            self.tracked.note(note);
        }
        let kind = unit.claim.kind;
        if kind == UnitKind::Relationship {
            let kept = draft.kept_unit(source, kind, &unit.claim.key)?;
            let room = tracked::LISTED_MAX.saturating_sub(self.matches.len());
            self.matches.extend(kept.iter().flat_map(|kept| &kept.matches).take(room));
        }
        let counter = match (kind, &decision.outcome, known) {
            (_, Outcome::Refused(_) | Outcome::Waits, _) | (UnitKind::Redundancy, _, _) => None,
            (UnitKind::Item, Outcome::Created, _) => Some(&mut self.outcome.created),
            (UnitKind::Item, Outcome::Updated, _) => Some(&mut self.outcome.updated),
            (UnitKind::Item, Outcome::Unchanged, _) => Some(&mut self.outcome.unchanged),
            (UnitKind::Relationship, Outcome::Unchanged, _) => {
                Some(&mut self.outcome.relationships_unchanged)
            }
            (UnitKind::Relationship, _, true) => Some(&mut self.outcome.relationships_updated),
            (UnitKind::Relationship, _, false) => Some(&mut self.outcome.relationships_created),
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        if let Outcome::Refused(problem) = decision.outcome {
            self.tracked.refuse(line, problem);
        }
        Ok(())
    }

    /// Takes back what this source's imports named before and do not name now.
    fn withdraw(&mut self, draft: &mut Draft<'_>, events: &mut Events) -> Result<(), EngineError> {
        let Some(stating) = self.stating else { return Ok(()) };
        let source = stating.source;
        let mut entries = 0u64;
        let mut gone = Vec::new();
        let prefix = key::scope(source, SCOPE);
        let mut entry = |kind, unit: String| {
            entries += 1;
            if !self.seen.has(&key::unit(SourceId(0), kind, &unit))? {
                gone.push((kind, unit));
            }
            Ok::<(), StoreError>(())
        };
        draft.for_each_stored(Table::ScopeUnits, &prefix, |row, digest| {
            match key::split_scope_unit(row).filter(|_| digest != WITHDRAWN) {
                Some((_, _, kind, unit)) => entry(kind, unit),
                None => Ok(()),
            }
        })?;
        draft.for_each_stored(Table::EdgeUnits, &source.0.to_be_bytes(), |row, bytes| {
            let Some((_, kind, unit)) = key::split_edge_unit(row) else { return Ok(()) };
            let kept: UnitRecord = record::decode(Table::EdgeUnits, bytes)?;
            if kept.scope == SCOPE { entry(kind, unit) } else { Ok(()) }
        })?;
        let asked = self.import.allow_withdraw;
        let allowed = if asked > 0 { asked } else { entries * WITHDRAW_PERCENT / 100 };
        let wanted = gone.len() as u64;
        if wanted > allowed {
            let name = &self.import.source.name;
            return Err(Problem::new(
                Reason::WithdrawLimit,
                format!("this would withdraw {wanted} of the {entries} entries of {name}"),
                name.clone(),
            )
            .expected(format!("at most {allowed}"), wanted.to_string())
            .hint(format!("if that is meant, say so: --allow-withdraw {wanted}"))
            .into());
        }
        // Relationships first: they end; what they hung on may then be missing.
        gone.sort_by_key(|(kind, _)| *kind == UnitKind::Item);
        for (done, (kind, unit)) in (0u64..).zip(gone) {
            withdraw_unit(draft, &stating, kind, &unit, None)?;
            self.outcome.withdrawn += 1;
            if u64::is_multiple_of(done, PROGRESS_LINES) {
                progress(events, "withdrawing", done, wanted);
            }
            if draft.pending() > PENDING_MAX {
                draft.spill()?;
            }
        }
        Ok(())
    }
}

/// Lines between two signs of life.
const PROGRESS_LINES: u64 = 5_000;

fn progress(events: &mut Events, phase: &'static str, done: u64, total: u64) {
    events(ImportEvent::Progress { phase, done, total });
}

fn open(file: &super::request::StagedFile) -> Result<BufReader<File>, Problem> {
    File::open(&file.path).map(BufReader::new).map_err(|error| unreadable(&file.name, &error))
}

fn unreadable(name: &str, error: &std::io::Error) -> Problem {
    Problem::new(Reason::FormatInvalid, format!("{name} cannot be read: {error}"), name)
}

fn chunks(all: Vec<(Line, Unit)>) -> impl Iterator<Item = Vec<(Line, Unit)>> {
    let mut all = all.into_iter().peekable();
    std::iter::from_fn(move || {
        all.peek()?;
        Some(all.by_ref().take(ITEMS_AT_ONCE).collect())
    })
}

fn waits_for_host(unit: &Unit, decision: &Decision) -> bool {
    let within = unit.claim.item.as_ref().is_some_and(|item| item.within.is_some());
    within
        && matches!(&decision.outcome, Outcome::Refused(problem) if problem.reason == Reason::ReferenceUnknown)
}
