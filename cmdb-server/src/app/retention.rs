//! How long the history is kept, and the moments that are kept for good.

use std::sync::Arc;

use cmdb_core::engine::{Actor, Baseline, EngineError, When};
use cmdb_core::model::time::DAY_US;
use cmdb_core::model::{Reason, Revision};

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

    /// Compacts what is older than so many days. Blocks; not for async threads.
    ///
    /// # Errors
    /// When the store cannot be read or written, or the writer is busy: the next run goes on.
    pub fn keep_days(self: &Arc<Self>, days: u64) -> Result<(), Error> {
        let days = i64::try_from(days).unwrap_or(i64::MAX);
        let oldest = (self.clock)().plus_us(days.saturating_mul(DAY_US).saturating_neg());
        let reader = self.engine.reader()?;
        let horizon = match reader.revision_at(When::Time(oldest)) {
            Ok(revision) => revision,
            // More is compacted already than is asked for.
            Err(EngineError::Refused(problem)) if problem.reason == Reason::HistoryCompacted => {
                reader.oldest_kept()?
            }
            Err(error) => return Err(error.into()),
        };
        drop(reader);
        let actor = Actor { name: ACTOR.to_owned(), reason: format!("{days} days are kept") };
        let compacted = self.engine.compact_history(horizon, &actor)?;
        if compacted.revision.is_some() {
            let (changes, commits) = (compacted.changes, compacted.commits);
            tracing::info!(oldest = compacted.horizon.0, changes, commits, "the history was compacted");
        }
        Ok(())
    }
}
