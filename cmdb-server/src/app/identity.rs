//! Which items are the same: merge, split, and why the machine thinks so.

use cmdb_core::engine::{Applied, ClaimChoice, DuplicateSet, Explanation, Split, When};
use cmdb_core::model::ItemId;

use super::changes::{ChangeAnswer, Run};
use super::graph::AsOf;
use super::items::{ItemAnswer, dressed, last_change};
use super::names::Mentioned;
use super::{App, Error, Names, Person};

/// Duplicate sets in one answer when nobody says how many.
pub const SETS_DEFAULT: usize = 100;
/// Duplicate sets in one answer at most.
pub const SETS_MAX: usize = 10_000;
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

impl App {
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
