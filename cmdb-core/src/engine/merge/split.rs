//! Undoing a merge: what the log of the merge says was the old item's goes back to it, as it stands now.
//!
//! What came since goes to the item to which its key belonged. A source that calls only one of the two items by a
//! key means that one. What is left is not guessed: it stays, and is listed for a choice.

use std::collections::{BTreeMap, BTreeSet};

use super::moving;
use crate::change::{self, Draft, edge_record};
use crate::engine::correct;
use crate::engine::ingest::{self, WITHDRAWN, items, matches};
use crate::engine::request::ClaimChoice;
use crate::model::item::{Group, ItemClaimState};
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, Reason, Relationship, Revision, SourceId, Status};
use crate::reconcile::Sources;
use crate::store::record::{self, ChangeRecord, HeadRecord};
use crate::store::{self, Range, Read, StoreError, Table, key};

/// What could not be decided, and what was left.
#[derive(Default)]
pub(in crate::engine) struct SplitResult {
    /// Source and key of claims that stayed and may belong to either.
    pub(in crate::engine) undecided: Vec<(String, String)>,
    /// In words.
    pub(in crate::engine) notes: Vec<String>,
}

/// The most notes that a split writes.
const NOTES_MAX: usize = 100;

type Name = (SourceId, String);

/// Splits a merged item off again.
pub(in crate::engine) fn split(
    draft: &mut Draft<'_>,
    read: &dyn Read,
    item: ItemId,
    choices: &[ClaimChoice],
) -> Result<Result<SplitResult, Problem>, StoreError> {
    let Some(merged) = draft.item(item)? else {
        let message = format!("there is no item {item}");
        return Ok(Err(Problem::new(Reason::ItemNotFound, message, item.to_string())));
    };
    let Some(into) = merged.merged_into else {
        let message = format!("{item} is not merged into another item");
        return Ok(Err(Problem::new(Reason::MergeInvalid, message, item.to_string())
            .hint("`cmdb show ITEM` says which items are")));
    };
    let holder = draft.followed(item)?;
    let log = Log::read(read, item, into)?;
    let mut work = Work {
        item,
        into,
        holder,
        log,
        moved: BTreeSet::new(),
        owned: BTreeSet::new(),
        result: SplitResult::default(),
    };
    let choices = match work.check(draft, choices)? {
        Ok(choices) => choices,
        Err(problem) => return Ok(Err(problem)),
    };
    let questions = moving::matches_of(draft, holder)?;
    for id in &questions {
        matches::let_go(draft, *id)?;
    }
    work.items(draft, &choices)?;
    work.relationships(draft)?;
    work.guests(draft)?;
    for id in &questions {
        if let Some((source, kind, key)) = matches::asker(draft, *id)?
            && work.belongs(source, kind, &key)
        {
            matches::repoint(draft, *id, holder, item)?;
        }
    }
    work.doubt(draft)?;
    ingest::settle(draft)?;
    for id in questions {
        matches::answer(draft, id)?;
    }
    Ok(Ok(work.result))
}

/// What the log says of the merge.
#[derive(Default)]
struct Log {
    /// The merged item before.
    before: Option<Item>,
    /// The other item before.
    other: Option<Item>,
    /// Items within the merged one: which of their claims said so.
    guests: BTreeMap<ItemId, BTreeSet<Name>>,
    /// Relationships of the two before, by end.
    edges: Vec<Relationship>,
}

impl Log {
    fn read(read: &dyn Read, item: ItemId, into: ItemId) -> Result<Log, StoreError> {
        let mut log = Log::default();
        let Some(revision) = merged_at(read, item)? else { return Ok(log) };
        let range = Range::prefix(key::revision(revision));
        store::for_each(read, Table::Changes, range, |_, bytes| {
            let change: ChangeRecord = record::decode(Table::Changes, bytes)?;
            if let Some(after) = &change.item {
                let before = match change.previous_version {
                    Some(place) => change::read_change(read, change::place_of(place))?.item,
                    None => None,
                };
                let Some(before) = before.map(record::item_from).transpose()? else { return Ok(()) };
                if after.id == item.0 {
                    log.before = Some(before);
                } else {
                    let guest = |claim: &&ItemClaimState| claim.within == Some(item);
                    let names: BTreeSet<Name> = before.claims.iter().filter(guest).map(name).collect();
                    if !names.is_empty() {
                        log.guests.insert(before.id, names);
                    }
                    if before.id == into {
                        log.other = Some(before);
                    }
                }
            } else if let Some(before) = change.relationship_before {
                log.edges.push(record::relationship_from(before)?);
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(log)
    }

    /// Whether an item had a relationship of which a claim said so.
    fn had(&self, item: ItemId, edge: &Relationship, holder: ItemId, claim: &RelationshipClaimState) -> bool {
        let end = |id: ItemId| if id == holder { item } else { id };
        let (from, to) = (end(edge.from), end(edge.to));
        self.edges.iter().any(|before| {
            before.from == from
                && before.to == to
                && before.kind == edge.kind
                && before.claims.iter().any(|other| moving::is_same(other, claim))
        })
    }
}

/// The commit in which an item was merged; `None`: it came merged.
fn merged_at(read: &dyn Read, item: ItemId) -> Result<Option<Revision>, StoreError> {
    let Some(head) = read.get(Table::Items, &key::item(item))? else { return Ok(None) };
    let head: HeadRecord = record::decode(Table::Items, &head)?;
    let mut merged = None;
    let mut next = change::linked(read, head.last)?;
    while let Some((place, change)) = next {
        match change.item {
            Some(version) if version.merged_into.is_none() => return Ok(merged),
            Some(_) => merged = Some(place.revision),
            None => {}
        }
        next = change::linked(read, change.previous)?;
    }
    Ok(None)
}

fn name(claim: &ItemClaimState) -> Name {
    (claim.source, claim.key.clone())
}

struct Work {
    item: ItemId,
    /// What it was merged into.
    into: ItemId,
    /// Who has its claims now.
    holder: ItemId,
    log: Log,
    /// Keys that go back.
    moved: BTreeSet<Name>,
    /// Sources that call only the old item by a key.
    owned: BTreeSet<SourceId>,
    result: SplitResult,
}

impl Work {
    fn check(
        &self,
        draft: &Draft<'_>,
        choices: &[ClaimChoice],
    ) -> Result<Result<BTreeMap<Name, ItemId>, Problem>, StoreError> {
        let holder = items::required(draft, self.holder)?;
        let mut checked = BTreeMap::new();
        for choice in choices {
            let thing = format!("{}:{}", choice.source, choice.key);
            if choice.item != self.item && choice.item != self.holder {
                let message = format!("the claim {thing} cannot go to {}", choice.item);
                return Ok(Err(Problem::new(Reason::MergeInvalid, message, thing)
                    .expected(format!("{} or {}", self.item, self.holder), choice.item.to_string())));
            }
            let source = draft.source_named(&choice.source).map(|source| source.id);
            let there = |source: SourceId| {
                holder.claims.iter().any(|claim| claim.source == source && claim.key == choice.key)
            };
            let Some(source) = source.filter(|source| there(*source)) else {
                let message = format!("{} has no claim {thing}", self.holder);
                return Ok(Err(Problem::new(Reason::MergeInvalid, message, thing)
                    .hint(format!("`cmdb explain {}` lists its claims", self.holder))));
            };
            checked.insert((source, choice.key.clone()), choice.item);
        }
        Ok(Ok(checked))
    }

    /// Whether a claim goes back; `None`: nobody can tell.
    fn goes_back(&self, claim: &ItemClaimState, choices: &BTreeMap<Name, ItemId>) -> Option<bool> {
        let name = name(claim);
        if let Some(choice) = choices.get(&name) {
            return Some(*choice == self.item);
        }
        if let Ok(id) = claim.key.parse::<ItemId>() {
            return Some(id == self.item);
        }
        let in_it = |item: &Option<Item>| {
            item.as_ref().is_some_and(|item| item.claims.iter().any(|other| self::name(other) == name))
        };
        match (in_it(&self.log.before), in_it(&self.log.other)) {
            (true, false) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    }

    fn items(&mut self, draft: &mut Draft<'_>, choices: &BTreeMap<Name, ItemId>) -> Result<(), StoreError> {
        let mut holder = Item::clone(&*items::required(draft, self.holder)?);
        let mut item = Item::clone(&*items::required(draft, self.item)?);
        let mut kept = Vec::new();
        for claim in std::mem::take(&mut holder.claims) {
            match self.goes_back(&claim, choices) {
                Some(true) => {
                    moving::bind(draft, claim.source, &claim.key, self.holder, self.item)?;
                    self.moved.insert(name(&claim));
                    item.claims.push(claim);
                }
                Some(false) => kept.push(claim),
                None => {
                    let (source, _) = draft.name_and_kind(claim.source);
                    self.result.undecided.push((source.to_owned(), claim.key.clone()));
                    kept.push(claim);
                }
            }
        }
        holder.claims = kept;
        let staying: BTreeSet<SourceId> = holder.claims.iter().map(|claim| claim.source).collect();
        self.owned =
            self.moved.iter().map(|(source, _)| *source).filter(|source| !staying.contains(source)).collect();
        self.lost(&mut item);
        for group in std::mem::take(&mut holder.groups) {
            if self.group_goes_back(&group) {
                super::move_group(draft, group, self.holder, &mut item)?;
            } else {
                holder.groups.push(group);
            }
        }
        self.apart(draft, &mut holder, &mut item)?;
        item.merged_into = None;
        if let Some(before) = &self.log.before
            && item.standing().next().is_none()
            && before.status != Status::Active
        {
            item.status = before.status;
            item.status_since = draft.now();
        }
        draft.resolve_and_put(item)?;
        draft.resolve_and_put(holder)
    }

    /// A claim that the other item had under the same key is put back as it was: withdrawn.
    fn lost(&self, item: &mut Item) {
        let (Some(before), Some(other)) = (&self.log.before, &self.log.other) else { return };
        for claim in &before.claims {
            let in_other = other.claims.iter().any(|other| name(other) == name(claim));
            if in_other && claim.withdrawn_at.is_some() && !self.moved.contains(&name(claim)) {
                item.claims.push(claim.clone());
            }
        }
    }

    fn group_goes_back(&self, group: &Group) -> bool {
        let same = |other: &Group| {
            other.name == group.name && other.source == group.source && other.key == group.key
        };
        let in_it = |item: &Option<Item>| item.as_ref().is_some_and(|item| item.groups.iter().any(same));
        match (in_it(&self.log.before), in_it(&self.log.other)) {
            (true, false) => true,
            (_, true) => false,
            (false, false) => self.belongs(group.source, UnitKind::Item, &group.key),
        }
    }

    /// The two are told apart for good; what else was like the old item is so again.
    fn apart(&self, draft: &mut Draft<'_>, holder: &mut Item, item: &mut Item) -> Result<(), StoreError> {
        items::insert_sorted(&mut holder.distinct_from, item.id);
        items::insert_sorted(&mut item.distinct_from, holder.id);
        let none = Vec::new();
        let before = self.log.before.as_ref().map_or(&none, |before| &before.duplicates);
        let others = self.log.other.as_ref().map_or(&none, |other| &other.duplicates);
        for id in before.iter().filter(|id| **id != holder.id && **id != self.into) {
            let Some(found) = draft.item(*id)?.filter(|found| found.merged_into.is_none()) else { continue };
            let mut found = Item::clone(&found);
            if !item.distinct_from.contains(id) {
                items::insert_sorted(&mut found.duplicates, item.id);
                items::insert_sorted(&mut item.duplicates, *id);
            }
            if !others.contains(id) {
                found.duplicates.retain(|other| *other != holder.id);
                holder.duplicates.retain(|other| other != id);
            }
            draft.put_item(found)?;
        }
        Ok(())
    }

    /// Whether what a unit says of the item is meant of the old one.
    fn belongs(&self, source: SourceId, kind: UnitKind, key: &str) -> bool {
        let moved = kind == UnitKind::Item && self.moved.contains(&(source, key.to_owned()));
        moved || self.owned.contains(&source)
    }

    fn relationships(&mut self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        for edge in moving::edges(draft, self.holder)? {
            let mut gone = Vec::new();
            let mut put = Vec::new();
            for claim in &edge.claims {
                let was_ours = self.log.had(self.item, &edge, self.holder, claim);
                let was_theirs = self.log.had(self.into, &edge, self.holder, claim);
                if was_ours && was_theirs {
                    put.push(claim.clone());
                } else if was_ours || (!was_theirs && self.belongs(claim.source, claim.unit, &claim.key)) {
                    put.push(claim.clone());
                    gone.push(claim.clone());
                }
            }
            if !put.is_empty() {
                self.give_back(draft, &edge, put, &gone)?;
            }
        }
        self.between(draft)
    }

    fn give_back(
        &self,
        draft: &mut Draft<'_>,
        edge: &Relationship,
        put: Vec<RelationshipClaimState>,
        gone: &[RelationshipClaimState],
    ) -> Result<(), StoreError> {
        let end = |id: ItemId| if id == self.holder { self.item } else { id };
        let (from, to) = (end(edge.from), end(edge.to));
        let new = edge_record(from, &edge.kind, to);
        for claim in &put {
            if gone.iter().any(|other| moving::is_same(claim, other)) {
                moving::rename_edge(draft, claim, &moving::name(edge), Some(new.clone()))?;
            } else {
                add_edge(draft, claim, &new)?;
            }
        }
        moving::put_claims(draft, edge, from, to, put)?;
        moving::take_claims(draft, edge.clone(), gone)
    }

    /// Relationships between the two, which the merge dropped: those whose source still says anything.
    fn between(&mut self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        let (item, into, holder) = (self.item, self.into, self.holder);
        let dropped: Vec<Relationship> = self
            .log
            .edges
            .iter()
            .filter(|edge| (edge.from == item && edge.to == into) || (edge.from == into && edge.to == item))
            .cloned()
            .collect();
        for edge in dropped {
            let end = |id: ItemId| if id == into { holder } else { id };
            let (from, to) = (end(edge.from), end(edge.to));
            let mut put = Vec::new();
            for claim in &edge.claims {
                let unit = draft.unit(claim.source, claim.unit, &claim.key)?;
                let says = unit.is_some_and(|unit| unit.digest != WITHDRAWN);
                // What a match held is held again when it is asked.
                let held = matches_hold(draft, claim)?;
                if says && !held {
                    add_edge(draft, claim, &edge_record(from, &edge.kind, to))?;
                    put.push(claim.clone());
                }
            }
            if put.is_empty() {
                self.note(format!(
                    "{from} {} {to} was dropped by the merge, and nobody says it now",
                    edge.kind
                ));
            } else {
                moving::put_claims(draft, &edge, from, to, put)?;
            }
        }
        Ok(())
    }

    fn guests(&mut self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        let (item, holder) = (self.item, self.holder);
        let mut back = BTreeSet::new();
        for id in draft.hosted(holder)? {
            let mut guest = Item::clone(&*items::required(draft, id)?);
            let known = self.log.guests.get(&id);
            for claim in guest.claims.iter_mut().filter(|claim| claim.within == Some(holder)) {
                let was = known.is_some_and(|names| names.contains(&name(claim)));
                if was || self.owned.contains(&claim.source) {
                    claim.within = Some(item).filter(|host| *host != id);
                    back.insert(id);
                }
            }
            draft.resolve_and_put(guest)?;
        }
        // What looked alike within one host does not, within two.
        let stayed: BTreeSet<ItemId> = draft.hosted(holder)?.into_iter().collect();
        for id in back {
            let guest = items::required(draft, id)?;
            for other in guest.duplicates.iter().filter(|other| stayed.contains(other)) {
                part(draft, id, *other)?;
                part(draft, *other, id)?;
            }
        }
        Ok(())
    }

    /// The units that went back are to be stated again, so that what they name is found anew.
    fn doubt(&self, draft: &mut Draft<'_>) -> Result<(), StoreError> {
        for (source, key) in &self.moved {
            let unit = draft.unit(*source, UnitKind::Item, key)?;
            if unit.is_some_and(|unit| unit.digest != WITHDRAWN) {
                correct::doubt(draft, *source, key)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, note: String) {
        if self.result.notes.len() < NOTES_MAX {
            self.result.notes.push(note);
        }
    }
}

/// The first item is no longer said to be like the second.
fn part(draft: &mut Draft<'_>, one: ItemId, other: ItemId) -> Result<(), StoreError> {
    let mut item = Item::clone(&*items::required(draft, one)?);
    item.duplicates.retain(|id| *id != other);
    draft.put_item(item)
}

/// The unit behind a claim names one more relationship.
fn add_edge(
    draft: &mut Draft<'_>,
    claim: &RelationshipClaimState,
    edge: &record::EdgeRecord,
) -> Result<(), StoreError> {
    let Some(mut unit) = draft.unit(claim.source, claim.unit, &claim.key)? else { return Ok(()) };
    if let Err(place) = unit.relationships.binary_search(edge) {
        unit.relationships.insert(place, edge.clone());
        draft.put_unit(claim.source, claim.unit, &claim.key, unit)?;
    }
    Ok(())
}

/// Whether the unit behind a claim asks by matches.
fn matches_hold(draft: &Draft<'_>, claim: &RelationshipClaimState) -> Result<bool, StoreError> {
    let unit = draft.unit(claim.source, claim.unit, &claim.key)?;
    Ok(unit.is_some_and(|unit| !unit.matches.is_empty()))
}
