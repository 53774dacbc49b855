//! Changes by people and programs: batches of claims, retirements, reverts.

use cmdb_core::claim::Claim;
use cmdb_core::engine::{
    Actor, Applied, Apply, Decision, EngineError, Outcome, Purge, PurgeOutcome, Purgeable, Purging, Reader,
    SourceName,
};
use cmdb_core::model::{ItemId, Problem, Reason, Revision, Timestamp};

use super::names::Mentioned;
use super::{App, Error, Names, Person};

/// Claims in one batch, at most.
pub const CLAIMS_MAX: usize = 10_000;

/// Whether a change is made or only shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// Decide and show.
    Dry,
    /// Do it.
    Real,
}

impl Run {
    /// As asked on the wire.
    pub fn dry(dry: bool) -> Run {
        if dry { Run::Dry } else { Run::Real }
    }
}

/// A batch of claims.
pub struct Batch {
    /// Who asks.
    pub person: Person,
    /// Why.
    pub reason: String,
    /// Who states them; `None`: the person.
    pub source: Option<SourceName>,
    /// The claims; one that is wrong in itself is refused, and the others stand.
    pub claims: Vec<Result<Claim, Malformed>>,
    /// Keep what the source said under the same key and is not named here.
    pub merge: bool,
    /// Whether it is done.
    pub run: Run,
    /// When it was observed; `None`: now.
    pub observed_at: Option<Timestamp>,
}

/// A claim that is wrong in itself, whatever there is.
pub struct Malformed {
    /// Its key.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What became of a change.
pub struct ChangeAnswer {
    /// What the engine did.
    pub applied: Applied,
    /// What is mentioned.
    pub names: Names,
}

/// What is to be erased, as it was asked.
pub enum PurgeAsked {
    /// An attribute of ITEM.
    Attribute {
        /// ITEM, or `source:key` of a claim that waits.
        item: String,
        /// The attribute.
        attribute: String,
    },
    /// The reason of a commit.
    Reason(Revision),
}

/// What became of a purge.
pub struct PurgeAnswer {
    /// The item, where it is an attribute of one.
    pub item: Option<ItemId>,
    /// What the engine did.
    pub outcome: PurgeOutcome,
    /// What is mentioned.
    pub names: Names,
}

impl App {
    /// States a batch of claims.
    ///
    /// # Errors
    /// When the batch as a whole is wrong; a claim that is wrong is refused in its decision.
    pub async fn apply(&self, batch: Batch) -> Result<ChangeAnswer, Error> {
        let source = batch.source.unwrap_or_else(|| batch.person.source());
        let mut claims = Vec::new();
        let mut malformed = Vec::new();
        for (place, claim) in batch.claims.into_iter().enumerate() {
            match claim {
                Ok(claim) => claims.push(claim),
                Err(wrong) => malformed.push((place, refused(wrong))),
            }
        }
        let asking = source.name.clone();
        let apply = Apply {
            source,
            actor: batch.person.actor(&batch.reason)?,
            claims,
            merge: batch.merge,
            dry_run: batch.run == Run::Dry,
            observed_at: batch.observed_at,
        };
        let mut applied = self.ask(|engine, reply| engine.apply(apply, reply)).await?;
        for (place, decision) in malformed {
            // In the order of their places, so each one finds those before it there.
            applied.decisions.insert(place, decision);
        }
        self.dressed(applied, Some(asking)).await
    }

    /// Takes an item out of service.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn retire(
        &self,
        text: String,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<ChangeAnswer, Error> {
        let actor = person.actor(reason)?;
        let found = self.read(move |reader| Ok(reader.resolve_followed(&text)?)).await?;
        if let Some(merged) = found.redirected_from {
            return Err(cmdb_core::engine::merged(merged, found.item).into());
        }
        let id = found.item;
        let applied = self.ask(|engine, reply| engine.retire(id, actor, run == Run::Dry, reply)).await?;
        self.dressed(applied, None).await
    }

    /// Erases every value of an attribute, or lets it be stated again.
    ///
    /// # Errors
    /// When there is no such item, or nothing to erase.
    pub async fn purge(
        &self,
        asked: PurgeAsked,
        what: Purging,
        actor: Actor,
        run: Run,
    ) -> Result<PurgeAnswer, Error> {
        let subject = self.read(move |reader| subject(reader, asked)).await?;
        let item = match &subject {
            Purgeable::Attribute { item, .. } => Some(*item),
            Purgeable::Waiting { .. } | Purgeable::Reason(_) => None,
        };
        let ask = Purge { subject, what, actor, dry_run: run == Run::Dry };
        let outcome = self.ask(|engine, reply| engine.purge(ask, reply)).await?;
        self.read(move |reader| {
            let mut mentioned = Mentioned::default();
            mentioned.changes(&outcome.changes);
            Ok(PurgeAnswer { item, names: mentioned.names(reader)?, outcome })
        })
        .await
    }

    /// Undoes a commit by a new one.
    ///
    /// # Errors
    /// When there is no such commit.
    pub async fn revert(
        &self,
        revision: Revision,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<ChangeAnswer, Error> {
        let actor = person.actor(reason)?;
        let applied =
            self.ask(|engine, reply| engine.revert(revision, actor, run == Run::Dry, reply)).await?;
        self.dressed(applied, None).await
    }

    pub(super) async fn dressed(
        &self,
        applied: Applied,
        asking: Option<String>,
    ) -> Result<ChangeAnswer, Error> {
        self.read(move |reader| {
            let mut mentioned = Mentioned::default();
            mentioned.changes(&applied.changes);
            asking.iter().for_each(|source| mentioned.asking(source));
            Ok(ChangeAnswer { names: mentioned.names(reader)?, applied })
        })
        .await
    }
}

/// What it is. What no item is called may be a claim that waits for one.
fn subject(reader: &Reader, asked: PurgeAsked) -> Result<Purgeable, Error> {
    let (item, attribute) = match asked {
        PurgeAsked::Attribute { item, attribute } => (item, attribute),
        PurgeAsked::Reason(revision) => return Ok(Purgeable::Reason(revision)),
    };
    let waiting = item.split_once(':').map(|(source, key)| (source.to_owned(), key.to_owned()));
    match (reader.resolve(&item), waiting) {
        (Ok(item), _) => Ok(Purgeable::Attribute { item, attribute }),
        (Err(EngineError::Refused(problem)), Some((source, key)))
            if problem.reason == Reason::ItemNotFound && reader.source_named(&source).is_some() =>
        {
            Ok(Purgeable::Waiting { source, key, attribute })
        }
        (Err(error), _) => Err(error.into()),
    }
}

fn refused(wrong: Malformed) -> Decision {
    Decision {
        key: wrong.key,
        outcome: Outcome::Refused(wrong.problem),
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    }
}
