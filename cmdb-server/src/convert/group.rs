//! Redundancy groups as they come in and go out.

use cmdb_core::engine::{GroupShown, GroupStanding, Verdict};
use cmdb_core::model::relationship::NotARequirement;
use cmdb_core::model::{ItemId, Problem, Reason};
use cmdb_proto::v1;

use super::graph::labelled;
use crate::app::Names;
use crate::app::groups::GroupsAnswer;

/// What is thought of a group, by its name.
///
/// # Errors
/// When there is no such thing.
pub fn standing_from(name: &str) -> Result<GroupStanding, Problem> {
    let found = GroupStanding::ALL.into_iter().find(|standing| standing.name() == name);
    found.ok_or_else(|| {
        let given: String = name.chars().take(80).collect();
        Problem::new(Reason::FilterInvalid, format!("no group is \"{given}\""), "standing")
            .expected("declared, proposed, confirmed or rejected", given)
    })
}

/// A person says that a group holds.
///
/// # Errors
/// When the requirement is none.
pub fn confirm_from(require: &str, group: &str) -> Result<Verdict, Problem> {
    if require.is_empty() {
        return Ok(Verdict::Confirm(None));
    }
    let require = require.parse().map_err(|error: NotARequirement| {
        Problem::new(Reason::RequireInvalid, error.to_string(), format!("group {group}"))
            .expected("all, any, at_least N, percent P or capacity C", require)
    })?;
    Ok(Verdict::Confirm(Some(require)))
}

/// Groups.
pub fn groups_to(answer: &GroupsAnswer) -> v1::ListGroupsResponse {
    v1::ListGroupsResponse {
        groups: answer.groups.groups.iter().map(|group| group_to(group, &answer.names)).collect(),
        total: answer.groups.total,
        as_of_revision: answer.as_of.revision.0,
        as_of_us: answer.as_of.recorded_at.0,
    }
}

fn group_to(group: &GroupShown, names: &Names) -> v1::Group {
    let item = |id: &ItemId| match names.label(*id) {
        Some(label) => labelled(label),
        None => v1::GraphItem { id: id.to_string(), ..v1::GraphItem::default() },
    };
    v1::Group {
        item: Some(item(&group.item)),
        group: group.name.clone(),
        standing: group.standing.name().to_owned(),
        require: group.require.to_string(),
        confidence: group.confidence,
        evidence: group.evidence.clone(),
        reason: group.reason.clone(),
        members: group.members.iter().map(item).collect(),
        members_total: group.members_total as u64,
        sources: group.said_by.iter().map(|source| names.source(*source).to_owned()).collect(),
    }
}
