//! What people do by hand: retire, and undo a commit.

use std::collections::BTreeSet;

use super::ingest::{self, UNKNOWN, relationships};
use super::merge;
use super::purge;
use super::retain;
use crate::change::{self, Draft};
use crate::model::item::{Group, ItemClaimState};
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, Reason, Relationship, Revision, SourceId, Status};
use crate::store::key::Place;
use crate::store::record::{self, ChangeRecord, ScopeRecord};
use crate::store::{Range, Read, StoreError, Table, key};

/// The most changes that one revert undoes.
pub const REVERT_CHANGES_MAX: usize = 100_000;

/// Takes an item out of use: all its claims are withdrawn. A source that says something new of it brings it back.
pub(super) fn retire(draft: &mut Draft<'_>, id: ItemId) -> Result<Result<(), Problem>, StoreError> {
    let Some(item) = draft.item(id)? else {
        return Ok(Err(Problem::new(Reason::ItemNotFound, format!("there is no item {id}"), id.to_string())));
    };
    if let Some(into) = item.merged_into {
        return Ok(Err(merged(id, into)));
    }
    let now = draft.now();
    let mut item = Item::clone(&item);
    for claim in &mut item.claims {
        claim.withdrawn_at.get_or_insert(now);
    }
    if item.status != Status::Retired {
        item.status = Status::Retired;
        item.status_since = now;
    }
    draft.resolve_and_put(item)?;
    ingest::settle(draft)?;
    Ok(Ok(()))
}

/// Whoever writes the old id may not know that another item would go with it.
#[must_use]
pub fn merged(id: ItemId, into: ItemId) -> Problem {
    Problem::new(
        Reason::MergeInvalid,
        format!("{id} was merged into {into}, and is retired already"),
        id.to_string(),
    )
    .expected("an item of its own", format!("{id}, which leads to {into}"))
    .hint(format!(
        "`cmdb retire {into}` retires what both have become; `cmdb split {id}` makes two of them again"
    ))
}

/// Undoes a commit where what it set still stands; what was left alone, with the reason.
pub(super) fn revert(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    revision: Revision,
) -> Result<Result<Vec<String>, Problem>, StoreError> {
    let unknown = |message: String| Problem::new(Reason::CommitUnknown, message, revision.to_string());
    let horizon = retain::horizon(read)?;
    if revision <= horizon && revision > Revision(0) {
        let message = format!(
            "the history before revision {horizon} was compacted: commit {revision} cannot be undone any more"
        );
        return Ok(Err(Problem::new(Reason::HistoryCompacted, message, revision.to_string())));
    }
    if read.get(Table::Commits, &key::revision(revision))?.is_none() {
        let message = format!("there is no commit {revision}");
        return Ok(Err(unknown(message).hint("`cmdb watch --after 0` and `cmdb history ITEM` show commits")));
    }
    if purge::is_purge(read, revision)? {
        let message =
            format!("commit {revision} purged a value, which is nowhere any more: it cannot be undone");
        return Ok(Err(
            unknown(message).hint("`cmdb purge ITEM.ATTRIBUTE --lift` lets sources state it again")
        ));
    }
    if retain::says_how_long(read, revision)? {
        let message = format!("commit {revision} says for how long the history is kept, and changes no item");
        return Ok(Err(unknown(message)
            .hint("`cmdb retention set --history` says otherwise; what was dropped stays dropped")));
    }
    let range = Range::prefix(revision.0.to_be_bytes().to_vec());
    let rows = read.scan(Table::Changes, &range, REVERT_CHANGES_MAX.min(crate::store::SCAN_ROWS_MAX))?;
    if rows.len() >= crate::store::SCAN_ROWS_MAX {
        return Ok(Err(Problem::new(
            Reason::LimitExceeded,
            format!("commit {revision} made more changes than can be reverted at once"),
            revision.to_string(),
        )
        .expected(format!("fewer than {}", crate::store::SCAN_ROWS_MAX), "more")));
    }
    if let Some(undone) = revert_merges(draft, read, &rows)? {
        return Ok(undone);
    }
    let mut skipped = Vec::new();
    // Backwards, so that an item that changed twice in the commit is undone twice.
    for (row, bytes) in rows.iter().rev() {
        let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
        debug_assert!(Place::from_key(row).is_some());
        if let Some(after) = &change.item {
            let after = record::item_from(after.clone())?;
            let before = match change.previous_version {
                Some(place) => change::read_change(read, change::place_of(place))?.item,
                None => None,
            };
            let before = before.map(record::item_from).transpose()?;
            revert_item(draft, before.as_ref(), &after, &mut skipped)?;
        } else {
            let before = change.relationship_before.map(record::relationship_from).transpose()?;
            let after = change.relationship_after.map(record::relationship_from).transpose()?;
            revert_relationship(draft, before.as_ref(), after.as_ref(), &mut skipped)?;
        }
    }
    ingest::settle(draft)?;
    Ok(Ok(skipped))
}

/// Of a commit that merged items, or split them, undoing is splitting, or merging.
fn revert_merges(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    rows: &[crate::store::Row],
) -> Result<Option<Result<Vec<String>, Problem>>, StoreError> {
    let mut skipped = None;
    for (_, bytes) in rows {
        let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
        let Some(after) = &change.item else { continue };
        let before = match change.previous_version {
            Some(place) => change::read_change(read, change::place_of(place))?.item,
            None => None,
        };
        let item = ItemId(after.id);
        let left = match (before.and_then(|before| before.merged_into), after.merged_into) {
            (None, Some(_)) => merge::split(draft, read, item, &[])?.map(|done| done.notes),
            (Some(into), None) => merge::merge(draft, ItemId(into), item)?,
            _ => continue,
        };
        let skipped: &mut Vec<String> = skipped.get_or_insert_default();
        match left {
            Ok(notes) => skipped.extend(notes),
            Err(problem) => skipped.push(problem.message),
        }
    }
    Ok(skipped.map(Ok))
}

fn revert_item(
    draft: &mut Draft<'_>,
    before: Option<&Item>,
    after: &Item,
    skipped: &mut Vec<String>,
) -> Result<(), StoreError> {
    let Some(now) = draft.item(after.id)? else { return Ok(()) };
    let mut item = Item::clone(&now);
    let name = |claim: &ItemClaimState| (claim.source, claim.key.clone());
    let empty = Vec::new();
    let old = before.map_or(&empty, |before| &before.claims);
    let names: BTreeSet<_> = old.iter().chain(&after.claims).map(name).collect();
    for one in names {
        let find = |claims: &[ItemClaimState]| claims.iter().find(|claim| name(claim) == one).cloned();
        let (was, became, is) = (find(old), find(&after.claims), find(&item.claims));
        if was.as_ref().map(content) == became.as_ref().map(content) {
            continue;
        }
        if is.as_ref().map(content) != became.as_ref().map(content) {
            match (was, became, is) {
                (Some(was), Some(became), Some(is)) => {
                    let claim = revert_attributes(&was, &became, is, item.id, skipped);
                    item.claims.retain(|claim| name(claim) != one);
                    item.claims.push(claim);
                    doubt(draft, one.0, &one.1)?;
                }
                _ => skipped.push(format!(
                    "{} \"{}\": what {} says of it has changed since",
                    item.id, item.name, one.1
                )),
            }
            continue;
        }
        item.claims.retain(|claim| name(claim) != one);
        // What was said for the first time is kept as withdrawn, so that its key still leads here.
        let withdrawn = became.map(|claim| ItemClaimState { withdrawn_at: Some(draft.now()), ..claim });
        item.claims.extend(was.or(withdrawn));
        doubt(draft, one.0, &one.1)?;
    }
    revert_groups(&mut item, before.map_or(&[], |before| &before.groups), &after.groups);
    if before.is_none() && item.standing().next().is_none() && item.status != Status::Retired {
        item.status = Status::Retired;
        item.status_since = draft.now();
    }
    if let Some(before) = before {
        if item.duplicates == after.duplicates {
            item.duplicates.clone_from(&before.duplicates);
        }
        if item.status == after.status && before.status != after.status {
            item.status = before.status;
            item.status_since = draft.now();
        }
    }
    draft.resolve_and_put(item)
}

/// A claim that has changed since is undone attribute by attribute, where what the commit set still stands.
fn revert_attributes(
    was: &ItemClaimState,
    became: &ItemClaimState,
    mut is: ItemClaimState,
    item: ItemId,
    skipped: &mut Vec<String>,
) -> ItemClaimState {
    let value =
        |claim: &ItemClaimState, name: &str| claim.attributes.get(name).map(|stated| stated.value.clone());
    let names: BTreeSet<String> = was.attributes.keys().chain(became.attributes.keys()).cloned().collect();
    for name in names {
        let (before, after, now) = (value(was, &name), value(became, &name), value(&is, &name));
        if before == after {
            continue;
        }
        if now != after {
            skipped.push(format!("{item}.{name}: what {} says of it has changed since", is.key));
        } else if let Some(stated) = was.attributes.get(&name) {
            is.attributes.insert(name, stated.clone());
        } else {
            is.attributes.remove(&name);
        }
    }
    if was.name != became.name && is.name == became.name {
        is.name.clone_from(&was.name);
    }
    is
}

/// What a claim says, without the flags that follow from other claims.
fn content(claim: &ItemClaimState) -> ItemClaimState {
    let mut content = claim.clone();
    content.marks.stale.clear();
    for stated in content.attributes.values_mut() {
        stated.effective = false;
    }
    content
}

fn revert_groups(item: &mut Item, before: &[Group], after: &[Group]) {
    let same = |one: &Group, other: &Group| {
        one.name == other.name && one.source == other.source && one.key == other.key
    };
    for group in after.iter().filter(|group| !before.contains(group)) {
        if item.groups.contains(group) {
            item.groups.retain(|other| !same(other, group));
        }
    }
    for group in before.iter().filter(|group| !after.contains(group)) {
        if !item.groups.iter().any(|other| same(other, group)) {
            item.groups.push(group.clone());
        }
    }
}

fn revert_relationship(
    draft: &mut Draft<'_>,
    before: Option<&Relationship>,
    after: Option<&Relationship>,
    skipped: &mut Vec<String>,
) -> Result<(), StoreError> {
    let subject = after.or(before).expect("a change has a side");
    let (from, kind, to) = (subject.from, subject.kind.clone(), subject.to);
    let now = draft.relationship(from, &kind, to)?;
    let name = |claim: &RelationshipClaimState| (claim.source, claim.unit as u8, claim.key.clone());
    let empty = Vec::new();
    let old = before.map_or(&empty, |before| &before.claims);
    let new = after.map_or(&empty, |after| &after.claims);
    let mut relationship = now.unwrap_or_else(|| Relationship {
        claims: Vec::new(),
        effective: 0,
        status: Status::Active,
        ..subject.clone()
    });
    let names: BTreeSet<_> = old.iter().chain(new).map(name).collect();
    for one in names {
        let find =
            |claims: &[RelationshipClaimState]| claims.iter().find(|claim| name(claim) == one).cloned();
        let (was, became, is) = (find(old), find(new), find(&relationship.claims));
        if was == became {
            continue;
        }
        if is != became {
            skipped.push(format!("{from} {kind} {to}: what {} says of it has changed since", one.2));
            continue;
        }
        relationship.claims.retain(|claim| name(claim) != one);
        relationship.claims.extend(was);
        doubt(draft, one.0, &one.2)?;
    }
    if !relationship.is_stated() {
        return draft.remove_relationship(from, &kind, to);
    }
    (relationship.effective, relationship.grouped_by) = (0, 0);
    relationships::resolve_and_put(draft, relationship).map(drop)
}

/// The source's digest of the unit no longer speaks of what is there: it must state it again.
pub(super) fn doubt(draft: &mut Draft<'_>, source: SourceId, key: &str) -> Result<(), StoreError> {
    for kind in [UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy] {
        if let Some(mut unit) = draft.unit(source, kind, key)? {
            unit.digest = UNKNOWN.to_vec();
            let scope = unit.scope.clone();
            draft.put_unit(source, kind, key, unit)?;
            let row = key::scope(source, &scope);
            if let Some(bytes) = draft.row(Table::Scopes, &row)? {
                let mut scope: ScopeRecord = record::decode(Table::Scopes, &bytes)?;
                // What it was last heard of stays.
                scope.heard_us.get_or_insert(scope.changed_at_us);
                scope.digest.clear();
                draft.put_record(Table::Scopes, row, &scope);
            }
        }
    }
    Ok(())
}
