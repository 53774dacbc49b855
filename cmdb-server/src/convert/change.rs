//! Commits, what they changed, and what became of claims, as they go out.

use std::collections::BTreeSet;

use cmdb_core::engine::{Applied, Baseline, Change, CommitHeader, Decision, Outcome};
use cmdb_core::model::item::{Effective, Group, ItemClaimState};
use cmdb_core::model::{Item, Relationship, Status, Value};
use cmdb_proto::v1;
use cmdb_proto::v1::change::Kind;

use super::graph::labelled;
use super::item::{identification_to, purged_to, relationship_to, status_to};
use super::value::value_to;
use crate::app::Names;
use crate::app::diff::DiffAnswer;
use crate::app::retention::RetentionAnswer;
use crate::status::problem_of;

/// A commit with those of its changes that are shown.
pub fn commit_to(header: &CommitHeader, changes: &[Change], names: &Names) -> v1::Commit {
    v1::Commit {
        revision: header.revision.0,
        recorded_at_us: header.recorded_at.0,
        actor: header.actor.name.clone(),
        reason: header.actor.reason.clone(),
        changes: changes_to(changes, names),
        changes_total: header.changes,
        hash: header.hash.to_vec(),
    }
}

/// How long the history is kept.
pub fn retention_to(answer: &RetentionAnswer) -> v1::RetentionResponse {
    let due = answer.due.unwrap_or_default();
    v1::RetentionResponse {
        history_days: answer.kept.days,
        oldest_revision: answer.retained.oldest.0,
        oldest_us: answer.retained.recorded_at.map_or(0, |at| at.0),
        head: answer.head.0,
        baselines: answer.baselines,
        unfinished: answer.retained.unfinished,
        due_revision: due.horizon.0,
        due_changes: due.changes,
        due_commits: due.commits,
        at_least: due.at_least,
        set_revision: answer.kept.revision.0,
        set_us: answer.kept.set_at.0,
        set_by: answer.kept.set_by.clone(),
        reason: answer.kept.reason.clone(),
    }
}

/// A moment that is kept for good.
pub fn baseline_to(baseline: &Baseline) -> v1::Baseline {
    v1::Baseline {
        name: baseline.name.clone(),
        revision: baseline.revision.0,
        recorded_at_us: baseline.recorded_at.0,
        created_at_us: baseline.created_at.0,
        created_by: baseline.created_by.clone(),
        reason: baseline.reason.clone(),
    }
}

/// Changes.
pub fn changes_to(changes: &[Change], names: &Names) -> Vec<v1::Change> {
    changes.iter().map(|change| change_to(change, names)).collect()
}

/// What differs between two moments.
pub fn diff_to(answer: &DiffAnswer) -> v1::DiffResponse {
    let (names, totals) = (&answer.names, &answer.totals);
    let differences = answer.differences.iter().map(|difference| v1::Difference {
        change: Some(change_to(&difference.change, names)),
        revisions: difference.revisions.iter().map(|revision| revision.0).collect(),
    });
    v1::DiffResponse {
        from_revision: answer.from.revision.0,
        from_us: answer.from.recorded_at.0,
        to_revision: answer.to.revision.0,
        to_us: answer.to.recorded_at.0,
        around: answer.around.as_ref().map(|(label, _)| labelled(label)),
        around_items: answer.around.as_ref().map_or(0, |(_, items)| *items as u64),
        differences: differences.collect(),
        commits: answer.commits.iter().map(|header| commit_to(header, &[], names)).collect(),
        totals: Some(v1::DiffTotals {
            items_added: totals.items_added,
            items_changed: totals.items_changed,
            items_removed: totals.items_removed,
            relationships_added: totals.relationships_added,
            relationships_changed: totals.relationships_changed,
            relationships_removed: totals.relationships_removed,
        }),
        truncated: answer.truncated,
        hidden: 0,
    }
}

/// What became of each claim of a batch.
pub fn decisions_to(applied: &Applied) -> Vec<v1::Decision> {
    applied.decisions.iter().map(decision_to).collect()
}

/// What became of a claim.
pub fn decision_to(decision: &Decision) -> v1::Decision {
    let (outcome, refused) = match &decision.outcome {
        Outcome::Created => (v1::decision::Outcome::Created, None),
        Outcome::Updated => (v1::decision::Outcome::Updated, None),
        Outcome::Unchanged => (v1::decision::Outcome::Unchanged, None),
        Outcome::Waits => (v1::decision::Outcome::Waits, None),
        Outcome::Refused(problem) => (v1::decision::Outcome::Refused, Some(problem)),
    };
    // Where only parts were refused, the first stands for them, and the notes tell of all.
    let problem = refused.or(decision.problems.first());
    let parts = decision.problems.iter().map(|problem| match problem.hint.as_str() {
        "" => format!("refused: {problem}"),
        hint => format!("refused: {problem}; {hint}"),
    });
    v1::Decision {
        key: decision.key.clone(),
        outcome: outcome.into(),
        item: decision.item.map(|id| id.to_string()).unwrap_or_default(),
        identification: decision.identification.as_ref().map(identification_to),
        problem: problem.map(problem_of),
        notes: decision.notes.iter().cloned().chain(parts).collect(),
    }
}

fn change_to(change: &Change, names: &Names) -> v1::Change {
    match change {
        Change::Item { before, after } => item_change_to(before.as_deref(), after, names),
        Change::Relationship { before, after } => {
            relationship_change_to(before.as_deref(), after.as_deref(), names)
        }
    }
}

fn item_change_to(before: Option<&Item>, after: &Item, names: &Names) -> v1::Change {
    let attributes = attribute_changes(before, after, names);
    let notes = before.map(|before| notes(before, after, names)).unwrap_or_default();
    let kind = match before {
        None => Kind::ItemCreated,
        Some(before) if before.status != after.status && attributes.is_empty() => Kind::ItemStatus,
        Some(_) => Kind::ItemUpdated,
    };
    v1::Change {
        kind: kind.into(),
        item: after.id.to_string(),
        item_name: after.name.clone(),
        item_class: after.class.clone(),
        attributes,
        relationship: None,
        status_before: before.map_or(v1::Status::Unspecified, |before| status_to(before.status)).into(),
        status_after: status_to(after.status).into(),
        notes,
        purged: purged(before, after),
    }
}

/// Attributes that changed here and whose value is nowhere any more.
fn purged(before: Option<&Item>, after: &Item) -> Vec<v1::Purged> {
    let was = |attribute: &String| before.and_then(|before| before.purged.get(attribute));
    let changed = after.purged.iter().filter(|(attribute, purged)| was(attribute) != Some(*purged));
    changed.map(|(attribute, purged)| purged_to(attribute, purged)).collect()
}

fn relationship_change_to(
    before: Option<&Relationship>,
    after: Option<&Relationship>,
    names: &Names,
) -> v1::Change {
    let stood = before.is_some_and(Relationship::stands);
    let stands = after.is_some_and(Relationship::stands);
    let kind = match (stood, stands) {
        (false, true) => Kind::RelationshipAdded,
        (true, false) => Kind::RelationshipRemoved,
        _ => Kind::RelationshipUpdated,
    };
    let shown = after.or(before).expect("a change has at least one side");
    let status =
        |side: Option<&Relationship>| side.map_or(v1::Status::Unspecified, |side| status_to(side.status));
    let from = names.label(shown.from);
    v1::Change {
        kind: kind.into(),
        item: shown.from.to_string(),
        item_name: from.map(|label| label.name.clone()).unwrap_or_default(),
        item_class: from.map(|label| label.class.clone()).unwrap_or_default(),
        attributes: Vec::new(),
        relationship: Some(relationship_to(shown, None, names)),
        status_before: status(before).into(),
        status_after: status(after).into(),
        notes: relationship_notes(before, after, names),
        purged: Vec::new(),
    }
}

/// What differs between the effective values; class and name are shown in the same manner.
fn attribute_changes(before: Option<&Item>, after: &Item, names: &Names) -> Vec<v1::AttributeChange> {
    let mut changes = Vec::new();
    let said = [
        ("class", before.map(|before| &before.class), &after.class),
        ("name", before.map(|before| &before.name), &after.name),
    ];
    for (name, before, after) in said {
        if let Some(before) = before.filter(|before| *before != after) {
            changes.push(v1::AttributeChange {
                name: name.to_owned(),
                before: Some(value_to(&Value::Text(before.clone()))),
                after: Some(value_to(&Value::Text(after.clone()))),
                source: String::new(),
            });
        }
    }
    let old = before.map(Item::effective).unwrap_or_default();
    let new = after.effective();
    let attributes: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    for name in attributes {
        let (old, new) = (old.get(name), new.get(name));
        if old.map(|old| old.value) == new.map(|new| new.value) {
            continue;
        }
        let shown = |side: Option<&Effective<'_>>| side.map(|side| value_to(side.value));
        changes.push(v1::AttributeChange {
            name: name.to_owned(),
            before: shown(old),
            after: shown(new),
            source: new.or(old).map(|side| names.source(side.source).to_owned()).unwrap_or_default(),
        });
    }
    changes
}

/// In words: what changed beside effective values and status.
fn notes(before: &Item, after: &Item, names: &Names) -> Vec<String> {
    let mut notes = Vec::new();
    for claim in &after.claims {
        notes.extend(claim_note(earlier(before, claim), claim, names));
    }
    for claim in before.claims.iter().filter(|claim| earlier(after, claim).is_none()) {
        notes.push(format!("{} no longer speaks of it under \"{}\"", names.source(claim.source), claim.key));
    }
    let same = |left: &Group, right: &Group| {
        (left.source, &left.name, &left.key) == (right.source, &right.name, &right.key)
    };
    for group in &after.groups {
        match before.groups.iter().find(|old| same(old, group)) {
            None => notes.push(format!(
                "group {}: {} ({})",
                group.name,
                group.require,
                names.source(group.source)
            )),
            Some(old) if old.require != group.require => {
                let source = names.source(group.source);
                notes.push(format!("group {}: {} → {} ({source})", group.name, old.require, group.require));
            }
            Some(_) => {}
        }
    }
    for group in before.groups.iter().filter(|group| !after.groups.iter().any(|new| same(group, new))) {
        notes.push(format!("group {}: no longer declared ({})", group.name, names.source(group.source)));
    }
    if before.duplicates != after.duplicates {
        let ids: Vec<String> = after.duplicates.iter().map(ToString::to_string).collect();
        notes.push(match ids.as_slice() {
            [] => "is no longer taken for a duplicate".to_owned(),
            ids => format!("may be the same as {}", ids.join(", ")),
        });
    }
    if before.merged_into != after.merged_into {
        let split = before.merged_into.map(|from| format!("split from {from}"));
        notes.extend(after.merged_into.map(|into| format!("merged into {into}")).or(split));
    }
    for attribute in before.purged.keys().filter(|attribute| !after.purged.contains_key(*attribute)) {
        notes.push(format!("{attribute} may be stated again"));
    }
    for other in after.distinct_from.iter().filter(|other| !before.distinct_from.contains(other)) {
        notes.push(format!("told apart from {other}"));
    }
    notes
}

fn earlier<'a>(item: &'a Item, claim: &ItemClaimState) -> Option<&'a ItemClaimState> {
    item.claims.iter().find(|old| old.source == claim.source && old.key == claim.key)
}

fn claim_note(before: Option<&ItemClaimState>, after: &ItemClaimState, names: &Names) -> Option<String> {
    let source = names.source(after.source);
    let stood = before.is_some_and(|before| before.withdrawn_at.is_none());
    let stands = after.withdrawn_at.is_none();
    match (stood, stands) {
        (false, true) => Some(format!("{source} claims it as \"{}\"", after.key)),
        (true, false) => Some(format!("the claim of {source} (\"{}\") is withdrawn", after.key)),
        (true, true) => {
            let values = |claim: &ItemClaimState| -> Vec<(String, Value)> {
                claim.attributes.iter().map(|(name, stated)| (name.clone(), stated.value.clone())).collect()
            };
            let changed = before.is_some_and(|before| values(before) != values(after));
            let marked = before.and_then(|before| mark_note(before, after, source));
            marked.or_else(|| changed.then(|| format!("{source} says something else of it")))
        }
        (false, false) => None,
    }
}

/// What became of pins and of what was not confirmed in time.
fn mark_note(before: &ItemClaimState, after: &ItemClaimState, source: &str) -> Option<String> {
    let (old, new) = (&before.marks, &after.marks);
    let mut notes = Vec::new();
    for (name, pin) in new.pins.iter().filter(|(name, _)| !old.pins.contains_key(*name)) {
        let until = pin.until.map_or_else(String::new, |until| format!(" until {until}"));
        notes.push(format!("{source} pins {name}{until}: {}", pin.reason));
    }
    for name in old.pins.keys().filter(|name| !new.pins.contains_key(*name)) {
        notes.push(format!("{name} of {source} is pinned no more"));
    }
    let names = |names: Vec<&str>| names.join(", ");
    let stale: Vec<&str> = new.stale.difference(&old.stale).map(String::as_str).collect();
    if !stale.is_empty() {
        notes.push(format!("{source} has not confirmed {} in time", names(stale)));
    }
    let fresh: Vec<&str> = old.stale.difference(&new.stale).map(String::as_str).collect();
    if !fresh.is_empty() {
        notes.push(format!("{source} confirms {} again", names(fresh)));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn relationship_notes(
    before: Option<&Relationship>,
    after: Option<&Relationship>,
    names: &Names,
) -> Vec<String> {
    let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
    let mut notes = Vec::new();
    let (old, new) = (before.effective(), after.effective());
    let shown = |group: &str| if group.is_empty() { "none".to_owned() } else { group.to_owned() };
    if before.group() != after.group() {
        notes.push(format!("group: {} → {}", shown(before.group()), shown(after.group())));
    }
    if old.weight.to_bits() != new.weight.to_bits() {
        notes.push(format!("weight: {} → {}", old.weight, new.weight));
    }
    if before.denied != after.denied {
        notes.push(if after.denied { "said not to exist" } else { "no longer said not to exist" }.to_owned());
    }
    let standing = |side: &Relationship| -> BTreeSet<String> {
        let claims = side.claims.iter().filter(|claim| claim.withdrawn_at.is_none());
        claims
            .filter(|claim| !claim.only_groups())
            .map(|claim| names.source(claim.source).to_owned())
            .collect()
    };
    let (old, new) = (standing(before), standing(after));
    notes.extend(new.difference(&old).map(|source| format!("{source} states it")));
    notes.extend(old.difference(&new).map(|source| format!("{source} no longer states it")));
    if before.status != after.status && after.status != Status::Retired {
        notes.push(format!("{} → {}", before.status, after.status));
    }
    notes
}
