//! Erasing the reason of a commit: from its head, and from what its author wrote down with the same words.
//!
//! A reason is kept with the commit, and with what outlives the commit: pins, tombstones of purges, judgements of groups,
//! how long the history is kept. All of these stand in the versions that the commit made, so only the items that it
//! changed are looked at. Reasons of baselines and scenarios are theirs: they go with them.

use std::collections::BTreeSet;

use super::{Actor, too_many};
use crate::change::{self, Draft};
use crate::engine::request::PurgeOutcome;
use crate::engine::retain;
use crate::model::{Item, ItemId, Problem, Reason, Revision};
use crate::store::record::{self, BaselineRecord, ChangeRecord, ScenarioRecord};
use crate::store::{self, Range, Read, StoreError, Table, key};

/// Erases the reason of a commit.
pub(super) fn erase(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    revision: Revision,
    actor: &Actor,
) -> Result<Result<PurgeOutcome, Problem>, StoreError> {
    let thing = format!("the reason of revision {revision}");
    let no = |message: String| Problem::new(Reason::CommitUnknown, message, thing.clone());
    if actor.reason.trim().is_empty() {
        return Ok(Err(no(
            "a purge cannot be undone: it needs a reason, which stays in place of the other".to_owned()
        )
        .hint("say why, without what is to be erased: --reason TEXT")));
    }
    let Some(reason) = draft.erase_reason(revision)? else {
        let horizon = retain::horizon(read)?;
        if revision <= horizon && revision > Revision(0) {
            let message = format!(
                "there is no commit {revision} any more, or it has no reason: the history before revision {horizon} was \
                 compacted"
            );
            return Ok(Err(no(message).hint(
                "what people wrote down with the same words (pins, tombstones, judgements of groups) is erased with the \
                 reason of any other commit that gives them: say them once more, and purge that",
            )));
        }
        let message =
            format!("there is no commit {revision}, or it has no reason, or its reason was erased before");
        return Ok(Err(
            no(message).hint("`cmdb history ITEM` and `cmdb watch --after 0` show commits with reasons")
        ));
    };
    if actor.reason.contains(&reason) {
        let message = "the reason of the purge repeats what is to be erased".to_owned();
        return Ok(Err(no(message).hint("say why in other words")));
    }
    let mut outcome = PurgeOutcome { versions: 1, ..PurgeOutcome::default() };
    let instead = change::purged_in(draft.revision());
    for id in items(read, revision, &reason)? {
        let mut item = match draft.item(id)? {
            Some(item) => Item::clone(&item),
            None => continue,
        };
        if replace(&mut item, &reason, &instead) {
            draft.resolve_and_put(item)?;
        }
        let past = |version: &mut Item| replace(version, &reason, &instead);
        match draft.erase_versions(id, &past)? {
            Some(versions) => outcome.versions += versions as u64,
            None => return Ok(Err(too_many(id, "the reason"))),
        }
        outcome.items.push(id);
    }
    draft.settle_erased()?;
    retain::erase_reason(draft, read, revision)?;
    outcome.remains = remains(read, &reason)?;
    super::ingest::settle(draft)?;
    Ok(Ok(outcome))
}

/// The items that the commit changed and of which the words are said.
fn items(read: &dyn Read, revision: Revision, words: &str) -> Result<BTreeSet<ItemId>, StoreError> {
    let mut items = BTreeSet::new();
    store::for_each(read, Table::Changes, Range::prefix(key::revision(revision)), |_, bytes| {
        let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
        if let Some(version) = change.item {
            let mut item = record::item_from(version)?;
            if replace(&mut item, words, "") {
                items.insert(item.id);
            }
        }
        Ok::<(), StoreError>(())
    })?;
    Ok(items)
}

/// Puts other words in place of these; whether they were there.
fn replace(item: &mut Item, words: &str, instead: &str) -> bool {
    let pins =
        item.claims.iter_mut().flat_map(|claim| claim.marks.pins.values_mut().map(|pin| &mut pin.reason));
    let tombstones = item.purged.values_mut().map(|purged| &mut purged.reason);
    let judgements = item.groups.iter_mut().map(|group| &mut group.evidence);
    let mut found = false;
    for said in pins.chain(tombstones).chain(judgements).filter(|said| *said == words) {
        instead.clone_into(said);
        found = true;
    }
    found
}

/// What still says it, in words that do not.
fn remains(read: &dyn Read, reason: &str) -> Result<Vec<String>, StoreError> {
    let mut remains = Vec::new();
    let mut tell = |kind: &str, row: &[u8]| {
        let name = String::from_utf8_lossy(row);
        remains.push(format!("{kind} \"{name}\" gives the same reason: delete it and make it again"));
    };
    store::for_each(read, Table::Baselines, Range::all(), |row, bytes| {
        if record::decode::<BaselineRecord>(Table::Baselines, bytes)?.reason == reason {
            tell("baseline", row);
        }
        Ok::<(), StoreError>(())
    })?;
    store::for_each(read, Table::Scenarios, Range::all(), |row, bytes| {
        if record::decode::<ScenarioRecord>(Table::Scenarios, bytes)?.reason == reason {
            tell("scenario", row);
        }
        Ok::<(), StoreError>(())
    })?;
    Ok(remains)
}
