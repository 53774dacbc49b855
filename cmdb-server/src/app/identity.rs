//! Which items are the same: merge, split, and why the machine thinks so.

use cmdb_core::claim::Claim;
use cmdb_core::engine::{
    Applied, ClaimChoice, Decision, DuplicateSet, Explanation, Identified, Identify, Outcome, Split, When,
};
use cmdb_core::model::{ItemId, Problem};

use super::changes::{ChangeAnswer, Run};
use super::graph::AsOf;
use super::items::{ItemAnswer, dressed, last_change};
use super::names::Mentioned;
use super::{App, Error, Names, Person};

/// Duplicate sets in one answer when nobody says how many.
pub const SETS_DEFAULT: usize = 100;
/// Duplicate sets in one answer at most.
pub const SETS_MAX: usize = 10_000;
/// Claims of one report at most, where it is asked what would become of them.
pub const IDENTIFIED_MAX: usize = 50_000;
/// Choices in one split at most.
pub const CHOICES_MAX: usize = 10_000;

/// What became of a merge or a split.
pub struct IdentityAnswer {
    /// What changed.
    pub change: ChangeAnswer,
    /// The item that was merged, or split off.
    pub item: ItemId,
    /// The other one.
    pub other: ItemId,
}

/// Duplicate sets.
pub struct DuplicatesAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// Those that are shown.
    pub sets: Vec<DuplicateSet>,
    /// All of them.
    pub total: u64,
    /// What is mentioned.
    pub names: Names,
}

/// Why an item is what it is.
pub struct ExplainAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// The item as `show` has it.
    pub item: ItemAnswer,
    /// Why.
    pub why: Explanation,
    /// What is mentioned.
    pub names: Names,
}

/// A claim of a report that is only looked at; one that came in wrong is told of beside the others.
pub struct LookedAt {
    /// Its key, as it came in.
    pub key: String,
    /// The claim.
    pub claim: Result<Claim, Problem>,
}

/// What would become of the claims of a report.
pub struct IdentifyAnswer {
    /// One for each claim, in order.
    pub identified: Identified,
    /// What is mentioned.
    pub names: Names,
}

impl App {
    /// What would become of the claims of a report, by scope; writes nothing.
    ///
    /// # Errors
    /// When the engine cannot be asked now.
    pub async fn identify(
        &self,
        source: String,
        sections: Vec<(String, Vec<LookedAt>)>,
    ) -> Result<IdentifyAnswer, Error> {
        let mut wrong: Vec<Option<Decision>> = Vec::new();
        let mut good = Vec::new();
        for (scope, claims) in sections {
            let mut kept = Vec::new();
            for looked_at in claims {
                match looked_at.claim {
                    Ok(claim) => {
                        wrong.push(None);
                        kept.push(claim);
                    }
                    Err(problem) => wrong.push(Some(refused(looked_at.key, problem))),
                }
            }
            good.push((scope, kept));
        }
        let ask = Identify { source, sections: good };
        let identified = self.ask(|engine, reply| engine.identify(ask, reply)).await?;
        let mut decided = identified.decisions.into_iter();
        let decisions = wrong.into_iter().filter_map(|wrong| wrong.or_else(|| decided.next())).collect();
        let identified = Identified { decisions, revision: identified.revision };
        self.read(move |reader| {
            let mut mentioned = Mentioned::default();
            for decision in &identified.decisions {
                mentioned.items(decision.item);
                mentioned.items(decision.identification.iter().flat_map(|found| found.candidates.clone()));
            }
            Ok(IdentifyAnswer { names: mentioned.names(reader)?, identified })
        })
        .await
    }

    /// Merges an item into another one.
    ///
    /// # Errors
    /// When one of them is not there, or they are one already.
    pub async fn merge(
        &self,
        into: String,
        item: String,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<IdentityAnswer, Error> {
        let actor = person.actor(reason)?;
        let (into, item) =
            self.read(move |reader| Ok((reader.resolve(&into)?, reader.resolve(&item)?))).await?;
        let applied =
            self.ask(|engine, reply| engine.merge(into, item, actor, run == Run::Dry, reply)).await?;
        self.answered(applied, item, into).await
    }

    /// Splits a merged item off again.
    ///
    /// # Errors
    /// When it is not merged, or a choice is wrong.
    pub async fn split(
        &self,
        item: String,
        choices: Vec<ClaimChoice>,
        person: &Person,
        reason: &str,
        run: Run,
    ) -> Result<IdentityAnswer, Error> {
        let actor = person.actor(reason)?;
        let (item, from) = self
            .read(move |reader| {
                let item = reader.resolve_merged(&item)?;
                Ok((item, reader.resolve(&item.to_string())?))
            })
            .await?;
        let split = Split { item, choices, actor, dry_run: run == Run::Dry };
        let applied = self.ask(|engine, reply| engine.split(split, reply)).await?;
        self.answered(applied, item, from).await
    }

    async fn answered(&self, applied: Applied, item: ItemId, other: ItemId) -> Result<IdentityAnswer, Error> {
        Ok(IdentityAnswer { change: self.dressed(applied, None).await?, item, other })
    }

    /// Items that may be the same: all sets, or that of one item.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn duplicates(
        &self,
        item: String,
        when: When,
        limit: usize,
    ) -> Result<DuplicatesAnswer, Error> {
        self.read_at(when, move |reader| {
            let (sets, total) = if item.is_empty() {
                reader.duplicate_sets(limit)?
            } else {
                let set = reader.duplicate_set_of(reader.resolve(&item)?)?;
                let total = u64::from(set.is_some());
                (set.into_iter().collect(), total)
            };
            let mut mentioned = Mentioned::default();
            for set in &sets {
                mentioned.ids(&set.items);
                set.evidence.iter().for_each(|row| mentioned.evidence(row));
            }
            Ok(DuplicatesAnswer { as_of: AsOf::of(reader), names: mentioned.names(reader)?, sets, total })
        })
        .await
    }

    /// Why an item is what it is.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn explain(&self, text: String, when: When) -> Result<ExplainAnswer, Error> {
        self.read_at(when, move |reader| {
            let found = reader.resolve_followed(&text)?;
            let why = reader.explain(found.item)?.ok_or(Error::Internal)?;
            let mut mentioned = Mentioned::default();
            mentioned.item(&why.item);
            mentioned.ids(&why.merged);
            mentioned.ids(&why.item.distinct_from);
            mentioned.ids(&why.item.duplicates);
            why.identifiers.iter().for_each(|row| mentioned.evidence(row));
            let mut shown = dressed(reader, why.item.clone())?;
            shown.claims = true;
            shown.revision = last_change(reader, found.item)?;
            shown.redirected_from = found.redirected_from;
            let names = mentioned.names(reader)?;
            shown.names = names.clone();
            Ok(ExplainAnswer { as_of: AsOf::of(reader), item: shown, why, names })
        })
        .await
    }
}

fn refused(key: String, problem: Problem) -> Decision {
    Decision {
        key,
        outcome: Outcome::Refused(problem),
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    }
}
