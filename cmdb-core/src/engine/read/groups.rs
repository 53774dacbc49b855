//! Redundancy groups, with who says what of them.

use std::collections::BTreeMap;

use super::Reader;
use crate::engine::redundancy::is_verdict;
use crate::engine::request::EngineError;
use crate::graph::{Gate, Index};
use crate::model::item::Group;
use crate::model::relationship::Require;
use crate::model::{Item, ItemId, SourceId};
use crate::reconcile;

/// The most members of a group that are listed.
pub const GROUP_MEMBERS_MAX: usize = 100;

/// What is thought of a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupStanding {
    /// Somebody declares it.
    Declared,
    /// It was concluded, and nobody has judged it.
    Proposed,
    /// It was concluded, and a person says that it holds.
    Confirmed,
    /// It was concluded, and a person says that it does not hold.
    Rejected,
}

impl GroupStanding {
    /// All of them.
    pub const ALL: [GroupStanding; 4] =
        [GroupStanding::Declared, GroupStanding::Proposed, GroupStanding::Confirmed, GroupStanding::Rejected];

    /// As shown to people and programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            GroupStanding::Declared => "declared",
            GroupStanding::Proposed => "proposed",
            GroupStanding::Confirmed => "confirmed",
            GroupStanding::Rejected => "rejected",
        }
    }
}

/// Which groups are listed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GroupsAsked {
    /// Of this item only.
    pub item: Option<ItemId>,
    /// Of these standings only; none: of all.
    pub standings: Vec<GroupStanding>,
    /// At least this sure, 0 to 1.
    pub confidence_min: f64,
    /// Listed at most.
    pub limit: usize,
}

/// A redundancy group of an item.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupShown {
    /// The item.
    pub item: ItemId,
    /// The group's name on it.
    pub name: String,
    /// What is thought of it.
    pub standing: GroupStanding,
    /// How many members are needed.
    pub require: Require,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// What it was concluded from, in words; empty: not known.
    pub evidence: String,
    /// Why a person confirmed or rejected it; empty: no word.
    pub reason: String,
    /// Its members, at most [`GROUP_MEMBERS_MAX`], in order of their ids.
    pub members: Vec<ItemId>,
    /// How many there are.
    pub members_total: usize,
    /// Who says it: those that concluded or declared it, and the persons who judged it.
    pub said_by: Vec<SourceId>,
}

/// Groups.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Groups {
    /// In order of item and name.
    pub groups: Vec<GroupShown>,
    /// How many there are, whatever the limit.
    pub total: u64,
}

impl Reader {
    /// The groups of the moment that is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn groups(&self, asked: &GroupsAsked) -> Result<Groups, EngineError> {
        /// Items read at a time, so that a large estate is never held whole.
        const AT_ONCE: usize = 1_024;
        let graph = self.graph();
        let mut items: Vec<(ItemId, Index)> = match asked.item {
            Some(id) => graph.index(id).map(|index| (id, index)).into_iter().collect(),
            None => graph.indexes().map(|index| (graph.id(index), index)).collect(),
        };
        items.retain(|(_, index)| graph.gates(*index).any(|(_, gate)| gate.declared()));
        items.sort_unstable();
        let mut found = Groups::default();
        for some in items.chunks(AT_ONCE) {
            let ids: Vec<ItemId> = some.iter().map(|(id, _)| *id).collect();
            for (item, (_, index)) in self.items(&ids)?.into_iter().zip(some) {
                let Some(item) = item else { continue };
                for group in self.groups_of(&item, *index) {
                    let standing = asked.standings.is_empty() || asked.standings.contains(&group.standing);
                    if standing && group.confidence >= asked.confidence_min {
                        found.total += 1;
                        if found.groups.len() < asked.limit {
                            found.groups.push(group);
                        }
                    }
                }
            }
        }
        Ok(found)
    }

    /// What was concluded of a group, and from what, for answers that rest on it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn group(&self, item: ItemId, name: &str) -> Result<Option<GroupShown>, EngineError> {
        let Some(index) = self.graph().index(item) else { return Ok(None) };
        let Some(item) = self.item(item)? else { return Ok(None) };
        Ok(self.groups_of(&item, index).into_iter().find(|group| group.name == name))
    }

    fn groups_of(&self, item: &Item, index: Index) -> Vec<GroupShown> {
        let mut by_name: BTreeMap<&str, Vec<&Group>> = BTreeMap::new();
        for group in &item.groups {
            by_name.entry(&group.name).or_default().push(group);
        }
        let graph = self.graph();
        let gate = |name: &str| graph.gates(index).map(|(_, gate)| gate).find(|gate| gate.name() == name);
        by_name.into_iter().filter_map(|(name, said)| self.shown(item.id, name, &said, gate(name))).collect()
    }

    fn shown(&self, item: ItemId, name: &str, said: &[&Group], gate: Option<Gate<'_>>) -> Option<GroupShown> {
        let effective = self.effective_group(said)?;
        let guesses: Vec<&Group> = said.iter().copied().filter(|group| group.inferred).collect();
        let concluded = self.effective_group(&guesses);
        let verdict = Some(effective).filter(|group| is_verdict(group));
        let standing = match (verdict, effective.inferred) {
            (Some(verdict), _) if verdict.rejected => GroupStanding::Rejected,
            (Some(_), _) => GroupStanding::Confirmed,
            (None, true) => GroupStanding::Proposed,
            (None, false) => GroupStanding::Declared,
        };
        let graph = self.graph();
        let mut members: Vec<ItemId> =
            gate.into_iter().flat_map(Gate::members).map(|member| graph.id(member.provider)).collect();
        members.sort_unstable();
        let members_total = members.len();
        members.truncate(GROUP_MEMBERS_MAX);
        let mut said_by: Vec<SourceId> = said.iter().map(|group| group.source).collect();
        said_by.sort_unstable();
        said_by.dedup();
        Some(GroupShown {
            item,
            name: name.to_owned(),
            standing,
            require: effective.require,
            confidence: effective.confidence,
            evidence: concluded.map_or_else(String::new, |group| group.evidence.clone()),
            reason: verdict.map_or_else(String::new, |group| group.evidence.clone()),
            members,
            members_total,
            said_by,
        })
    }

    /// The word that counts, of all that is said of one group.
    fn effective_group<'g>(&self, said: &[&'g Group]) -> Option<&'g Group> {
        let sources = &self.moment.sources;
        said.iter().copied().min_by_key(|group| reconcile::group_order(group, self.schema(), sources))
    }
}
