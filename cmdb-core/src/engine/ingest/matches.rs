//! References that wait until exactly one item matches, and let go when that is no longer so.
//!
//! A match is a standing question. It is asked again whenever an indexed value that it names appears or goes, so the
//! relationship is there as long as the answer is one item.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message as _;

use super::references::{self, Resolved};
use super::{Stating, UNKNOWN, Unit, queue, relationships, waiting, withdraw};
use crate::change::{Draft, edge_record};
use crate::claim::{Claim, EntryPoint, Reference, RelationshipClaim};
use crate::engine::request::{Decision, Outcome};
use crate::model::relationship::RelationshipClaimState;
use crate::model::unit::UnitKind;
use crate::model::{Item, ItemId, Problem, SourceId, SourceKind, Status, Value};
use crate::reconcile::Sources;
use crate::store::record::{self, EdgeRecord, EndpointRecord, MatchRecord, RelationshipClaimRecord};
use crate::store::{StoreError, Table, key};

/// The source under which entry points are related.
pub(in crate::engine) const ENTRY_POINTS_SOURCE: &str = "rule-entry-points";
/// The most items that one value of a match is looked up among.
const CANDIDATES_MAX: usize = 10_000;

/// What a unit asks: questions that differ in nothing but when they were asked are one.
#[derive(Default)]
pub(super) struct Asked(BTreeMap<[u8; 32], u64>);

impl Asked {
    /// What is asked already.
    pub(super) fn of(draft: &Draft<'_>, ids: &[u64]) -> Result<Asked, StoreError> {
        let mut asked = Asked::default();
        for id in ids {
            if let Some(found) = load(draft, *id)? {
                asked.0.insert(question(&found), *id);
            }
        }
        Ok(asked)
    }
}

fn question(asked: &MatchRecord) -> [u8; 32] {
    let timeless = |claim: RelationshipClaimRecord| RelationshipClaimRecord {
        first_seen_us: 0,
        observed_at_us: 0,
        ..claim
    };
    let question = MatchRecord {
        source: asked.source,
        from: asked.from.clone(),
        kind: asked.kind.clone(),
        to: asked.to.clone(),
        claim: asked.claim.clone().map(timeless),
        ..MatchRecord::default()
    };
    *blake3::hash(&question.encode_to_vec()).as_bytes()
}

/// Keeps a relationship of which one end, or both, is a match or not known yet: its number, and whether it is none of
/// those that its unit asks already.
pub(super) fn add(
    draft: &mut Draft<'_>,
    (claim, asked): (&Claim, &mut Asked),
    kind: &str,
    from: Resolved,
    to: Resolved,
    state: &RelationshipClaimState,
) -> Result<Result<(u64, bool), Problem>, StoreError> {
    let record = MatchRecord {
        source: state.source.0,
        key: claim.key.clone(),
        unit_kind: record::unit_kind_number(claim.kind),
        scope: state.scope.clone(),
        from: Some(endpoint(from)),
        kind: kind.to_owned(),
        to: Some(endpoint(to)),
        claim: Some(record::relationship_claim_record(state)),
        ..MatchRecord::default()
    };
    let question = question(&record);
    if let Some(id) = asked.0.get(&question) {
        return Ok(Ok((*id, false)));
    }
    let source = draft.name_and_kind(state.source).1;
    queue::make_room(draft, source)?;
    let id = draft.new_match();
    ask(draft, id, &record);
    draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &record);
    answer(draft, id)?;
    if let Err(problem) = queue::check_room(draft, source, &claim.key) {
        remove(draft, id)?;
        return Ok(Err(problem));
    }
    asked.0.insert(question, id);
    Ok(Ok((id, true)))
}

/// Puts in place what wakes a match, or a claim that waits.
pub(in crate::engine) fn ask(draft: &mut Draft<'_>, id: u64, found: &MatchRecord) {
    for (attribute, value) in probes(draft, found) {
        draft.put_row(Table::Probes, key::probe(&attribute, &value, id), Vec::new());
    }
    queue::restate(draft, id, found);
}

fn endpoint(end: Resolved) -> EndpointRecord {
    match end {
        Resolved::Item(id) => EndpointRecord { item: Some(id.0), ..EndpointRecord::default() },
        Resolved::Match(wanted) => EndpointRecord {
            item: None,
            class: wanted.class,
            attributes: record::plain_records(&wanted.attributes),
            key: None,
        },
        Resolved::Later(reference) => {
            EndpointRecord { key: Some(record::reference_record(&reference)), ..EndpointRecord::default() }
        }
    }
}

/// Forgets a match and what it holds.
pub(super) fn remove(draft: &mut Draft<'_>, id: u64) -> Result<(), StoreError> {
    let Some(mut found) = load(draft, id)? else { return Ok(()) };
    for (attribute, value) in probes(draft, &found) {
        draft.delete_row(Table::Probes, key::probe(&attribute, &value, id));
    }
    queue::leave(draft, id, &mut found);
    draft.delete_row(Table::Matches, id.to_be_bytes().to_vec());
    release(draft, &found)
}

/// Asks every match again that the changes of this draft may concern.
pub(super) fn settle(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    /// The most matches that one value wakes.
    const WOKEN_MAX: usize = 100_000;
    // What is placed may be what other claims wait for; each round places some that waited, so there is an end.
    loop {
        let mut woken = BTreeSet::new();
        let touched = draft.take_touched_values();
        for (attribute, value) in touched.into_iter().filter(|_| draft.has_matches()) {
            for (row, _) in draft.rows(Table::Probes, &key::attribute_value(&attribute, &value), WOKEN_MAX)? {
                woken.extend(key::item_at_end(&row).map(|id| id.0));
            }
        }
        let mut ready = Vec::new();
        for id in woken {
            match waiting::take_ready(draft, id)? {
                Some(claim) => ready.push(claim),
                None => answer(draft, id)?,
            }
        }
        if ready.is_empty() {
            return Ok(());
        }
        for claim in ready {
            waiting::state_ready(draft, &claim)?;
        }
    }
}

/// Asks every match again whose values are compared in another way now.
pub(in crate::engine) fn ask_anew(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    /// How many are asked before the draft is written into the transaction.
    const PAGE: usize = 1_000;
    let mut all = Vec::new();
    draft.for_each_stored(Table::Matches, &[], |row, _| {
        all.extend(key::item_at_end(row).map(|id| id.0));
        Ok(())
    })?;
    for page in all.chunks(PAGE) {
        for id in page {
            let Some(found) = load(draft, *id)? else { continue };
            ask(draft, *id, &found);
            answer(draft, *id)?;
        }
        draft.flush()?;
    }
    Ok(())
}

/// How many of these matches wait.
pub(in crate::engine) fn count_waiting(draft: &Draft<'_>, ids: &[u64]) -> Result<u64, StoreError> {
    let mut waiting = 0;
    for id in ids {
        waiting += u64::from(load(draft, *id)?.is_some_and(|found| found.held.is_none()));
    }
    Ok(waiting)
}

pub(in crate::engine) fn load(draft: &Draft<'_>, id: u64) -> Result<Option<MatchRecord>, StoreError> {
    let found = draft.row(Table::Matches, &id.to_be_bytes())?;
    found.map(|bytes| record::decode(Table::Matches, &bytes)).transpose()
}

/// Whether a match names an item, or holds a relationship of it.
pub(in crate::engine) fn names(asked: &MatchRecord, item: ItemId) -> bool {
    let ends = [&asked.from, &asked.to];
    let held = asked.held.as_ref().is_some_and(|edge| edge.from == item.0 || edge.to == item.0);
    held || ends.into_iter().flatten().any(|end| end.item == Some(item.0))
}

/// A match that lets go of what it holds, until it is asked again.
pub(in crate::engine) fn let_go(draft: &mut Draft<'_>, id: u64) -> Result<(), StoreError> {
    let Some(mut found) = load(draft, id)? else { return Ok(()) };
    let Some(held) = found.held.take() else { return Ok(()) };
    let kind = record::unit_kind_from(found.unit_kind)?;
    let (from, to) = (ItemId(held.from), ItemId(held.to));
    if let Some(mut relationship) = draft.relationship(from, &held.kind, to)? {
        let mine = |claim: &RelationshipClaimState| {
            claim.source == SourceId(found.source) && claim.unit == kind && claim.key == found.key
        };
        relationship.claims.retain(|claim| !mine(claim));
        if !relationship.is_stated() {
            draft.remove_relationship(from, &held.kind, to)?;
        } else {
            relationships::resolve_and_put(draft, relationship)?;
        }
    }
    draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &found);
    Ok(())
}

/// Who asks by a match: source, kind and key of the unit.
pub(in crate::engine) fn asker(
    draft: &Draft<'_>,
    id: u64,
) -> Result<Option<(SourceId, crate::claim::UnitKind, String)>, StoreError> {
    let Some(found) = load(draft, id)? else { return Ok(None) };
    Ok(Some((SourceId(found.source), record::unit_kind_from(found.unit_kind)?, found.key)))
}

/// A match that names one item names another one from now on.
pub(in crate::engine) fn repoint(
    draft: &mut Draft<'_>,
    id: u64,
    from: ItemId,
    to: ItemId,
) -> Result<(), StoreError> {
    let Some(mut found) = load(draft, id)? else { return Ok(()) };
    for end in [&mut found.from, &mut found.to].into_iter().flatten() {
        if end.item == Some(from.0) {
            end.item = Some(to.0);
        }
    }
    draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &found);
    Ok(())
}

/// Brings a match up to date.
pub(in crate::engine) fn answer(draft: &mut Draft<'_>, id: u64) -> Result<(), StoreError> {
    let Some(before) = load(draft, id)?.filter(|found| found.parked.is_none()) else { return Ok(()) };
    let mut after = before.clone();
    if arrived(draft, id, &mut after)? && [&after.from, &after.to].into_iter().flatten().all(is_named) {
        return relate_named(draft, id, &after);
    }
    let from = candidates(draft, after.from.as_ref())?;
    let to = candidates(draft, after.to.as_ref())?;
    let edge = match (from.as_slice(), to.as_slice()) {
        ([from], [to]) if from != to => {
            after.waits = String::new();
            Some(EdgeRecord { from: from.0, kind: before.kind.clone(), to: to.0 })
        }
        (from, to) => {
            let known = |end: &Option<EndpointRecord>| end.as_ref().is_none_or(|end| end.key.is_none());
            after.waits = if known(&after.from) && known(&after.to) {
                format!("{} items match the source end, {} the target end", from.len(), to.len())
            } else {
                "what it names is not known yet".to_owned()
            };
            None
        }
    };
    if edge != before.held {
        release(draft, &before)?;
        if let Some(edge) = &edge {
            let state = record::relationship_claim_from(before.claim.clone().unwrap_or_default())?;
            relationships::put_claim(draft, ItemId(edge.from), &edge.kind, ItemId(edge.to), state)?;
        }
        after.held = edge;
    }
    if after.held.is_some() {
        queue::leave(draft, id, &mut after);
    } else {
        queue::enter(draft, id, &mut after);
    }
    if after != before {
        draft.put_record(Table::Matches, id.to_be_bytes().to_vec(), &after);
    }
    Ok(())
}

/// Whether an end is an item, whatever it matches.
fn is_named(end: &EndpointRecord) -> bool {
    end.item.is_some()
}

/// Names the items whose keys are known now; whether there is any.
fn arrived(draft: &mut Draft<'_>, id: u64, asked: &mut MatchRecord) -> Result<bool, StoreError> {
    let source = SourceId(asked.source);
    let kind = draft.name_and_kind(source).1;
    let (scope, observed_at) = (asked.scope.clone(), draft.now());
    let stating = Stating { source, kind, scope: &scope, observed_at, merge: false };
    let mut any = false;
    for end in [&mut asked.from, &mut asked.to].into_iter().flatten() {
        let Some(awaited) = end.key.clone() else { continue };
        let reference = record::reference_from(awaited)?;
        if let Ok(Resolved::Item(item)) = references::resolve(draft, &stating, None, &reference)? {
            if let Some((attribute, value)) = waiting::awaited_key(draft, source, &reference) {
                draft.delete_row(Table::Probes, key::probe(&attribute, &value, id));
            }
            *end = EndpointRecord { item: Some(item.0), ..EndpointRecord::default() };
            any = true;
        }
    }
    Ok(any)
}

/// A relationship both ends of which are known now is like one that never waited.
fn relate_named(draft: &mut Draft<'_>, id: u64, asked: &MatchRecord) -> Result<(), StoreError> {
    remove(draft, id)?;
    let source = SourceId(asked.source);
    let kind = record::unit_kind_from(asked.unit_kind)?;
    let item = |end: &Option<EndpointRecord>| end.as_ref().and_then(|end| end.item).map(ItemId);
    let (Some(mut kept), Some(from), Some(to)) =
        (draft.unit(source, kind, &asked.key)?, item(&asked.from), item(&asked.to))
    else {
        return Ok(());
    };
    kept.matches.retain(|other| *other != id);
    let state = record::relationship_claim_from(asked.claim.clone().unwrap_or_default())?;
    let related = draft.relationship(from, &asked.kind, to)?.is_some() || !state.only_groups();
    if from != to && related {
        let mut edges: BTreeSet<EdgeRecord> = std::mem::take(&mut kept.relationships).into_iter().collect();
        edges.insert(edge_record(from, &asked.kind, to));
        kept.relationships = edges.into_iter().collect();
        relationships::put_claim(draft, from, &asked.kind, to, state)?;
    }
    draft.put_unit(source, kind, &asked.key, kept)
}

fn release(draft: &mut Draft<'_>, found: &MatchRecord) -> Result<(), StoreError> {
    let Some(held) = &found.held else { return Ok(()) };
    let kind = record::unit_kind_from(found.unit_kind)?;
    let named = (kind, found.key.as_str());
    withdraw::withdraw_edge(draft, SourceId(found.source), named, held, withdraw::Ceased::Unnamed, None)
}

/// The items that one end may be.
fn candidates(draft: &Draft<'_>, end: Option<&EndpointRecord>) -> Result<Vec<ItemId>, StoreError> {
    let Some(end) = end else { return Ok(Vec::new()) };
    if end.key.is_some() {
        return Ok(Vec::new());
    }
    if let Some(id) = end.item {
        // Also when it is retired: what it is related to is part of what it was, whenever the match is asked.
        return Ok(if draft.item(ItemId(id))?.is_some() { vec![ItemId(id)] } else { Vec::new() });
    }
    let wanted = record::plain_from(end.attributes.clone())?;
    // The rarest value first: ports and the like are shared by many.
    let mut rarest: Option<Vec<ItemId>> = None;
    for (name, value) in &wanted {
        let mut found = BTreeSet::new();
        for value in wanted_values(draft, &end.class, name, value) {
            let rows = draft.rows(Table::Attributes, &key::attribute_value(name, &value), CANDIDATES_MAX)?;
            found.extend(rows.iter().filter_map(|(row, _)| key::item_at_end(row)));
        }
        if rarest.as_ref().is_none_or(|rarest| found.len() < rarest.len()) {
            rarest = Some(found.into_iter().collect());
        }
    }
    let mut fitting = Vec::new();
    for id in rarest.unwrap_or_default() {
        if let Some(item) = draft.item(id)?
            && fits(draft, &item, end, &wanted)
        {
            fitting.push(id);
        }
    }
    Ok(fitting)
}

fn fits(
    draft: &Draft<'_>,
    item: &Item,
    end: &EndpointRecord,
    wanted: &crate::model::value::Attributes,
) -> bool {
    let schema = draft.schema();
    if item.status == Status::Retired || !(end.class.is_empty() || schema.is_a(&item.class, &end.class)) {
        return false;
    }
    wanted.iter().all(|(name, value)| {
        let wanted = wanted_values(draft, &end.class, name, value);
        if name == "name" {
            return wanted.contains(&item.name.to_lowercase());
        }
        let has =
            item.attribute(name).map(|effective| schema.normalise_each(&item.class, name, effective.value));
        has.is_some_and(|has| has.iter().any(|value| wanted.contains(value)))
    })
}

fn wanted_values(draft: &Draft<'_>, class: &str, name: &str, value: &Value) -> Vec<String> {
    if name == "name" {
        vec![value.to_string().to_lowercase()]
    } else {
        draft.schema().normalise_each(class, name, value)
    }
}

/// The indexed values that wake a match.
fn probes(draft: &Draft<'_>, found: &MatchRecord) -> BTreeSet<(String, String)> {
    let mut probes: BTreeSet<(String, String)> = waiting::awaited(draft, found).into_iter().collect();
    for end in [&found.from, &found.to].into_iter().flatten() {
        if let Some(Ok(reference)) = end.key.clone().map(record::reference_from) {
            probes.extend(waiting::awaited_key(draft, SourceId(found.source), &reference));
        }
        let Ok(wanted) = record::plain_from(end.attributes.clone()) else { continue };
        for (name, value) in &wanted {
            probes.extend(
                wanted_values(draft, &end.class, name, value).into_iter().map(|value| (name.clone(), value)),
            );
        }
    }
    probes
}

/// Relates services to what agents find at their entry points.
pub(super) fn state_entry_points(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    for id in draft.take_entry_points() {
        let Some(item) = draft.item(id)? else { continue };
        let source = draft.source(ENTRY_POINTS_SOURCE, SourceKind::Rule, "entry points of services", "")?;
        let stating = Stating {
            source,
            kind: SourceKind::Rule,
            scope: "entry_points",
            observed_at: draft.now(),
            merge: false,
        };
        let claim = Claim {
            kind: UnitKind::Relationship,
            key: entry_points_key(id),
            item: None,
            relationships: entry_points(&item).iter().map(|point| related(id, point)).collect(),
            redundancies: Vec::new(),
        };
        if claim.relationships.is_empty() {
            withdraw::withdraw_unit(draft, &stating, claim.kind, &claim.key, None)?;
            continue;
        }
        let scope = stating.scope.to_owned();
        let unit = Unit { digest: UNKNOWN.to_vec(), claim, scope, otherwise_at: None };
        let mut decision = Decision {
            key: unit.claim.key.clone(),
            outcome: Outcome::Unchanged,
            item: Some(id),
            identification: None,
            problems: Vec::new(),
            notes: Vec::new(),
        };
        relationships::state_relationships(draft, &stating, &unit, &mut decision)?;
    }
    Ok(())
}

/// The unit under which the entry points of a service are asked.
fn entry_points_key(service: ItemId) -> String {
    format!("entry points of {service}")
}

/// Leaves the entry points alone that an export brought along with what they hold on to.
pub(in crate::engine) fn leave_asked_entry_points(draft: &mut Draft<'_>) -> Result<(), StoreError> {
    let Some(source) = draft.source_named(ENTRY_POINTS_SOURCE).map(|source| source.id) else { return Ok(()) };
    for id in draft.take_entry_points() {
        let asked = draft.unit(source, UnitKind::Relationship, &entry_points_key(id))?;
        if asked.is_none_or(|asked| asked.matches.is_empty()) {
            draft.ask_entry_points(id);
        }
    }
    Ok(())
}

fn entry_points(item: &Item) -> Vec<EntryPoint> {
    if item.status == Status::Retired {
        return Vec::new();
    }
    match item.attribute("entry_points").map(|effective| effective.value) {
        Some(Value::List(points)) => {
            points.iter().filter_map(|point| point.to_string().parse().ok()).collect()
        }
        _ => Vec::new(),
    }
}

fn related(service: ItemId, point: &EntryPoint) -> RelationshipClaim {
    RelationshipClaim {
        from: Reference::Id(service),
        kind: "depends_on".to_owned(),
        to: Reference::Match(point.to_match()),
        group: String::new(),
        weight: 1.0,
        inferred: false,
        confidence: 1.0,
        denied: false,
        attributes: Default::default(),
    }
}
