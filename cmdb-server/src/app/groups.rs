//! Redundancy groups: what there is, and what people say of what was concluded.

use cmdb_core::engine::{Groups, GroupsAsked, JudgeGroup, Verdict, When};
use cmdb_core::model::ItemId;

use super::changes::{ChangeAnswer, Run};
use super::graph::AsOf;
use super::names::Mentioned;
use super::{App, Error, Names, Person};

/// Groups in one answer when nobody says how many.
pub const GROUPS_DEFAULT: usize = 100;
/// Groups in one answer at most.
pub const GROUPS_MAX: usize = 10_000;

/// Groups.
pub struct GroupsAnswer {
    /// The moment.
    pub as_of: AsOf,
    /// Those that are shown, and how many there are.
    pub groups: Groups,
    /// What is mentioned.
    pub names: Names,
}

/// A person's word on a group.
pub struct Judgement {
    /// The dependent, as people name it.
    pub item: String,
    /// The group's name on it.
    pub group: String,
    /// Whether it holds.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// Whether it is done.
    pub run: Run,
}

impl App {
    /// Looks for redundancy at once, so that what follows from an import is there when it is answered; of a large one
    /// the first part, and the rest follows. A failure is no failure of who asks: the look is made again.
    pub async fn look_for_groups(&self) {
        let engine = self.engine.clone();
        match tokio::task::spawn_blocking(move || engine.propose_groups()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "looking for redundancy failed"),
            Err(error) => tracing::error!(%error, "looking for redundancy failed"),
        }
    }

    /// Groups: of all items, or of one.
    ///
    /// # Errors
    /// When there is no such item.
    pub async fn groups(&self, item: String, asked: GroupsAsked, when: When) -> Result<GroupsAnswer, Error> {
        self.read_at(when, move |reader| {
            let item = if item.is_empty() { None } else { Some(reader.resolve(&item)?) };
            let groups = reader.groups(&GroupsAsked { item, ..asked })?;
            let mut mentioned = Mentioned::default();
            for group in &groups.groups {
                mentioned.items([group.item]);
                mentioned.ids(&group.members);
                mentioned.sources(&group.said_by);
            }
            Ok(GroupsAnswer { as_of: AsOf::of(reader), names: mentioned.names(reader)?, groups })
        })
        .await
    }

    /// Confirms a group, or rejects it. The item's id comes along.
    ///
    /// # Errors
    /// When there is no such group, or it was not concluded.
    pub async fn judge_group(
        &self,
        judgement: Judgement,
        person: &Person,
    ) -> Result<(ItemId, ChangeAnswer), Error> {
        let Judgement { item, group, verdict, reason, run } = judgement;
        let actor = person.actor(&reason)?;
        let item = self.read(move |reader| Ok(reader.resolve(&item)?)).await?;
        let source = person.source();
        let asking = source.name.clone();
        let ask = JudgeGroup { item, group, verdict, source, actor, dry_run: run == Run::Dry };
        let applied = self.ask(|engine, reply| engine.judge_group(ask, reply)).await?;
        Ok((item, self.dressed(applied, Some(asking)).await?))
    }
}
