//! How long the history is kept, and the moments that are kept for good.
//!
//! For how long is a setting of the store, made by a commit; the server has no option for it.

use std::sync::Arc;

use cmdb_core::engine::{
    Actor, Baseline, Compacted, EngineError, HISTORY_DAYS_MAX, HistoryKept, KeepHistory, KeepHistoryOutcome,
    Reader, Retained, ToDrop, When,
};
use cmdb_core::model::time::DAY_US;
use cmdb_core::model::{Reason, Revision, Timestamp};

use super::changes::Run;
use super::{App, Error, Person};

/// Who compacts the history.
const ACTOR: &str = "retention";

/// The baselines there are.
pub struct BaselinesAnswer {
    /// By name.
    pub baselines: Vec<Baseline>,
    /// From there on every change is kept; 0: the history is whole.
    pub oldest: Revision,
}

/// How long the history is kept.
pub struct RetentionAnswer {
    /// For how long, and who said so.
    pub kept: HistoryKept,
    /// How far it is kept now.
    pub retained: Retained,
    /// The newest revision.
    pub head: Revision,
    /// How many baselines there are.
    pub baselines: u64,
    /// What the next daily run drops; `None`: nothing.
    pub due: Option<ToDrop>,
}

impl App {
    /// Keeps a moment for good.
    ///
    /// # Errors
    /// When the moment is not to be had, or the name cannot be one or is taken.
    pub async fn create_baseline(
        &self,
        name: String,
        when: When,
        person: &Person,
        reason: &str,
    ) -> Result<Baseline, Error> {
        let actor = person.actor(reason)?;
        let revision = self.read(move |reader| Ok(reader.revision_at(when)?)).await?;
        let kept = name.clone();
        self.ask(|engine, reply| engine.create_baseline(kept, revision, actor, reply)).await?;
        let answer = self.baselines().await?;
        answer.baselines.into_iter().find(|baseline| baseline.name == name).ok_or(Error::Internal)
    }

    /// All baselines.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn baselines(&self) -> Result<BaselinesAnswer, Error> {
        self.read(|reader| {
            Ok(BaselinesAnswer { baselines: reader.baselines()?, oldest: reader.oldest_kept()? })
        })
        .await
    }

    /// Forgets a baseline.
    ///
    /// # Errors
    /// When there is none of that name.
    pub async fn delete_baseline(&self, name: String) -> Result<(), Error> {
        self.ask(|engine, reply| engine.delete_baseline(name, reply)).await
    }

    /// Compacts what is older than the store is to keep. Blocks; not for async threads.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the writer is busy: the next run goes on.
    pub fn keep_history(&self) -> Result<(), Error> {
        let reader = self.engine.reader()?;
        let days = reader.history_kept()?.days;
        if days == 0 {
            return Ok(());
        }
        let horizon = horizon_of(&reader, (self.clock)(), days)?;
        drop(reader);
        let actor = Actor { name: ACTOR.to_owned(), reason: format!("{days} days are kept") };
        let compacted = self.engine.compact_history(horizon, &actor)?;
        if compacted.revision.is_some() {
            let (changes, commits) = (compacted.changes, compacted.commits);
            tracing::info!(oldest = compacted.horizon.0, changes, commits, "the history was compacted");
        }
        Ok(())
    }

    /// How long the history is kept, and what the next daily run drops.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn retention(&self) -> Result<RetentionAnswer, Error> {
        let now = (self.clock)();
        self.read(move |reader| answer(reader, reader.history_kept()?, now)).await
    }

    /// Says for how long every change is kept, as a person asks; what follows from it, or would.
    ///
    /// # Errors
    /// When it is too long, or the store cannot be read or written.
    pub async fn set_retention(
        &self,
        days: u64,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<(KeepHistoryOutcome, RetentionAnswer), Error> {
        let actor = person.actor(reason)?;
        if run == Run::Real {
            let ask = KeepHistory { days, actor };
            let outcome = self.ask(|engine, reply| engine.keep_history(ask, reply)).await?;
            return Ok((outcome, self.retention().await?));
        }
        if days > HISTORY_DAYS_MAX {
            return Err(Error::OutOfRange {
                what: "how long the history is kept",
                expected: format!("1 to {HISTORY_DAYS_MAX} days, or for good"),
                given: format!("{days} days"),
            });
        }
        let now = (self.clock)();
        self.read(move |reader| {
            let days_before = reader.history_kept()?.days;
            let kept = HistoryKept { days, ..HistoryKept::default() };
            Ok((KeepHistoryOutcome { revision: None, days_before }, answer(reader, kept, now)?))
        })
        .await
    }

    /// Compacts the history before a moment, as a person asks; answers when it is done.
    ///
    /// # Errors
    /// When the moment is not to be had, or the store cannot be read or written. What was begun is gone on with by the
    /// next run.
    pub async fn compact(
        self: &Arc<Self>,
        before: When,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<(Option<Revision>, ToDrop), Error> {
        let actor = person.actor(reason)?;
        let by = actor.name.clone();
        let horizon = self.read(move |reader| Ok(reader.revision_at(before)?)).await?;
        if run == Run::Dry {
            return Ok((None, self.read(move |reader| Ok(reader.to_drop(horizon)?)).await?));
        }
        self.room.check()?;
        let app = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || app.engine.compact_history(horizon, &actor));
        let compacted = done.await.map_err(|_| Error::Internal)??;
        let Compacted { horizon, revision, changes, commits } = compacted;
        tracing::info!(oldest = horizon.0, changes, commits, by, "the history was compacted");
        Ok((revision, ToDrop { horizon, changes, commits, at_least: false }))
    }
}

/// What follows where the history is kept for so long.
fn answer(reader: &Reader, kept: HistoryKept, now: Timestamp) -> Result<RetentionAnswer, Error> {
    let due = match kept.days {
        0 => None,
        days => Some(reader.to_drop(horizon_of(reader, now, days)?)?),
    };
    Ok(RetentionAnswer {
        kept,
        retained: reader.retained()?,
        head: reader.revision(),
        baselines: reader.baselines()?.len() as u64,
        due: due.filter(|due| due.changes + due.commits > 0),
    })
}

/// The revision from which everything is kept where so many days are.
fn horizon_of(reader: &Reader, now: Timestamp, days: u64) -> Result<Revision, Error> {
    let days = i64::try_from(days).unwrap_or(i64::MAX);
    let oldest = now.plus_us(days.saturating_mul(DAY_US).saturating_neg());
    match reader.revision_at(When::Time(oldest)) {
        Ok(revision) => Ok(revision),
        // More is compacted already than is asked for.
        Err(EngineError::Refused(problem)) if problem.reason == Reason::HistoryCompacted => {
            Ok(reader.oldest_kept()?)
        }
        Err(error) => Err(error.into()),
    }
}
