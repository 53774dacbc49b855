//! What a claim says of an item.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::around::Around;
use super::batch::{self, Batch};
use super::pins;
use super::references::{self, Resolved};
use super::relationships;
use super::waiting;
use super::{Stating, Unit, is_late, stated};
use crate::change::{Draft, item_identifiers};
use crate::claim::{
    ATTRIBUTES_MAX, Claim, ENTRY_POINTS_MAX, EntryPoint, ItemClaim, KEY_BYTES_MAX, RELATIONSHIPS_MAX,
    Reference, UnitKind,
};
use crate::engine::purge;
use crate::engine::request::{Decision, Outcome};
use crate::engine::writer::SCOPE_BY_HAND;
use crate::identify::{self, Verdict};
use crate::model::item::{Identification, ItemClaimState, Marks, Method, Stated};
use crate::model::schema::Schema;
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Problem, Reason, SourceId, SourceKind, Status, Timestamp, Value};
use crate::reconcile::Sources;
use crate::store::StoreError;
use crate::store::record::UnitRecord;

/// Decides every unit; those that speak of an item change it.
pub(super) fn state_items(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    units: &[Unit],
) -> Result<Vec<Decision>, StoreError> {
    let mut decisions: Vec<Option<Decision>> = units.iter().map(|_| None).collect();
    let batch = Batch::new(units);
    // A host may be named after what stands within it; go round until nothing more can be placed.
    let mut waiting: Vec<usize> = (0..units.len()).collect();
    // What an item stands on tells it from others, and may itself turn out to be another one than before: it comes
    // first, unless they stand on each other.
    let mut in_order = true;
    while !waiting.is_empty() {
        let mut later = Vec::new();
        for place in &waiting {
            let unit = &units[*place];
            let first = stands_on(draft, unit, &batch);
            if in_order && first.iter().any(|before| before != place && decisions[*before].is_none()) {
                later.push(*place);
                continue;
            }
            match state_item(draft, &stating.of(unit), unit, &batch)? {
                Some(decision) => decisions[*place] = Some(decision),
                None => later.push(*place),
            }
        }
        if later.len() == waiting.len() && !std::mem::take(&mut in_order) {
            for place in later {
                let (stating, unit) = (stating.of(&units[place]), &units[place]);
                let problem = host_unknown(&unit.claim);
                let decision = if waiting::may_wait(stating.kind, &unit.claim) {
                    waiting::park(draft, &stating, unit, &problem)?
                } else {
                    refuse_host(&unit.claim, problem)
                };
                decisions[place] = Some(decision);
            }
            break;
        }
        waiting = later;
    }
    Ok(decisions.into_iter().map(|decision| decision.expect("every unit was decided")).collect())
}

/// The units of the batch that this one's item stands within, or is told apart by.
fn stands_on(draft: &Draft<'_>, unit: &Unit, batch: &Batch<'_>) -> Vec<usize> {
    let schema = draft.schema();
    let Some(said) = &unit.claim.item else { return Vec::new() };
    let mut places = Vec::new();
    if let Some(Reference::Key(host)) = &said.within {
        places.extend(batch.place(host));
    }
    let Some(class) = schema.class(&said.class).filter(|class| !class.told_apart_by.is_empty()) else {
        return places;
    };
    let edges = unit.claim.relationships.iter().filter(|said| class.told_apart_by.contains(&said.kind));
    places.extend(edges.filter_map(|said| batch.place(batch::ends(&unit.claim.key, said)?.1)));
    places
}

/// Decides one unit; `None`: its host is not known yet.
fn state_item(
    draft: &mut Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    batch: &Batch<'_>,
) -> Result<Option<Decision>, StoreError> {
    let claim = &unit.claim;
    let mut decision = Decision {
        key: claim.key.clone(),
        outcome: Outcome::Unchanged,
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    if let Err(problem) = check_claim(claim) {
        decision.outcome = Outcome::Refused(problem);
        return Ok(Some(decision));
    }
    if is_late(draft, stating, unit)? {
        let bound = draft.unit(stating.source, claim.kind, &claim.key)?.and_then(|unit| unit.item);
        decision.item = bound.map(ItemId);
        decision.notes.push(format!("{} was observed before what is known of it: left as it is", claim.key));
        return Ok(Some(decision));
    }
    let named = named(stating, claim).map(|id| draft.followed(id)).transpose()?;
    let known = match named {
        Some(id) => match draft.item(id)? {
            Some(item) => Some(item),
            None => {
                decision.outcome = Outcome::Refused(Problem::new(
                    Reason::ItemNotFound,
                    format!("there is no item {id}"),
                    claim.key.clone(),
                ));
                return Ok(Some(decision));
            }
        },
        None => {
            let bound = draft.kept_unit(stating.source, claim.kind, &claim.key)?.and_then(|unit| unit.item);
            bound.map(|id| draft.item(ItemId(id))).transpose()?.flatten()
        }
    };
    let Some(said) = &claim.item else {
        decision.item = named;
        return Ok(Some(decision));
    };
    let within = match &said.within {
        None => None,
        Some(reference) => match references::resolve(draft, stating, None, reference)? {
            Ok(Resolved::Item(id)) => Some(id),
            Ok(Resolved::Match(_) | Resolved::Later(_)) => {
                decision.outcome = Outcome::Refused(Problem::new(
                    Reason::MatchInvalid,
                    "a host is named by a key or an id, not by a match",
                    claim.key.clone(),
                ));
                return Ok(Some(decision));
            }
            Err(_) => return Ok(None),
        },
    };
    let schema = draft.schema();
    let mut fitted = match fit(&schema, claim, said, known.as_deref().filter(|_| named.is_some())) {
        Ok(fitted) => fitted,
        Err(problem) => {
            decision.outcome = Outcome::Refused(problem);
            return Ok(Some(decision));
        }
    };
    decision.notes = fitted.notes;
    if let Some(known) = &known {
        decision.notes.extend(purge::withhold(known, stating.kind, &mut fitted.attributes));
    }
    match pins::check(draft, stating, said, known.as_deref()) {
        Ok(notes) => decision.notes.extend(notes),
        Err(problem) => {
            decision.outcome = Outcome::Refused(problem);
            return Ok(Some(decision));
        }
    }
    let verdict = match named {
        Some(id) => Verdict {
            item: Some(id),
            duplicates: Vec::new(),
            identification: Identification { method: Method::Named, ..Identification::default() },
        },
        None => {
            let evidence =
                identify::evidence(&schema, &said.class, |name| fitted.attributes.get(name), within);
            let known = known.as_ref().map(|item| item.id);
            identify::decide(&evidence, known, &Around { draft, stating, claim, batch, known, within })?
        }
    };
    // Another item than the key was bound to; that one has been asked already.
    if let Some(id) = verdict.item.filter(|id| known.as_ref().is_none_or(|known| known.id != *id))
        && let Some(item) = draft.item(id)?
    {
        decision.notes.extend(purge::withhold(&item, stating.kind, &mut fitted.attributes));
    }
    let attributes = fitted.attributes;
    let statement = Statement { stating, claim, said, attributes, within, otherwise_at: unit.otherwise_at };
    place(draft, &statement, unit, known.as_deref(), verdict, &mut decision)?;
    Ok(Some(decision))
}

/// What is put on the item.
struct Statement<'a> {
    stating: &'a Stating<'a>,
    claim: &'a Claim,
    said: &'a ItemClaim,
    attributes: Attributes,
    within: Option<ItemId>,
    otherwise_at: Option<Timestamp>,
}

fn place(
    draft: &mut Draft<'_>,
    statement: &Statement<'_>,
    unit: &Unit,
    known: Option<&Item>,
    verdict: Verdict,
    decision: &mut Decision,
) -> Result<(), StoreError> {
    let (stating, claim) = (statement.stating, statement.claim);
    let taken_over = known.filter(|known| Some(known.id) != verdict.item);
    if let Some(old) = taken_over {
        leave(draft, statement, old)?;
        unsettle(draft, statement, old)?;
    }
    let before = match verdict.item {
        Some(id) => draft.item(id)?,
        None => None,
    };
    let mut item = match &before {
        Some(item) => Item::clone(item),
        None => new_item(draft, statement),
    };
    let renews = may_go_stale(draft, &item, statement);
    // How the key was bound stays of interest; that it was known again is not, nor what is on record already.
    let bound = known.is_some_and(|known| known.id == item.id)
        && verdict.duplicates.iter().all(|other| item.duplicates.contains(other));
    let found = if bound { Found::AsBefore } else { Found::Now };
    set_claim(&mut item, statement, (&verdict.identification, found), renews, draft.now());
    pins::unpin(&mut item, &statement.said.unpinned);
    if let Some(before) = &before {
        forget_duplicates(draft, before, &mut item, &verdict.duplicates)?;
    }
    add_duplicates(draft, &mut item, &verdict.duplicates)?;
    let id = item.id;
    draft.resolve_and_put(item)?;
    if let Some(before) = &before {
        relationships::follow(draft, id, before.status)?;
    }
    let after = draft.item(id)?;
    decision.outcome = match &before {
        None => Outcome::Created,
        Some(_) if before == after => Outcome::Unchanged,
        Some(_) => Outcome::Updated,
    };
    decision.item = Some(id);
    decision.identification = Some(verdict.identification);
    let mut kept = draft.unit(stating.source, claim.kind, &claim.key)?.unwrap_or_default();
    waiting::forget(draft, &mut kept)?;
    kept.item = Some(id.0);
    stated(&mut kept, stating, unit);
    draft.put_unit(stating.source, claim.kind, &claim.key, &kept)
}

fn new_item(draft: &mut Draft<'_>, statement: &Statement<'_>) -> Item {
    Item {
        id: draft.new_item(),
        class: statement.said.class.clone(),
        name: statement.claim.key.clone(),
        status: Status::Active,
        status_since: draft.now(),
        first_seen: statement.stating.observed_at,
        claims: Vec::new(),
        groups: Vec::new(),
        duplicates: Vec::new(),
        merged_into: None,
        distinct_from: Vec::new(),
        purged: BTreeMap::new(),
    }
}

/// Another item takes the key over: the claim leaves this one.
fn leave(draft: &mut Draft<'_>, statement: &Statement<'_>, old: &Item) -> Result<(), StoreError> {
    let now = draft.now();
    let (id, before) = (old.id, old.status);
    let mut old = old.clone();
    for claim in &mut old.claims {
        if claim.source == statement.stating.source && claim.key == statement.claim.key {
            claim.withdrawn_at.get_or_insert(now);
        }
    }
    draft.resolve_and_put(old)?;
    relationships::follow(draft, id, before)
}

/// What the verdict says of how the claim's item was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Now,
    AsBefore,
}

/// What a source said to stand on, within or beside an item that its key leaves must be stated again: it is read as
/// said of the other item.
fn unsettle(draft: &mut Draft<'_>, statement: &Statement<'_>, old: &Item) -> Result<(), StoreError> {
    let (source, key) = (statement.stating.source, &statement.claim.key);
    let said_elsewhere = |edge: &crate::model::Relationship| {
        edge.claims.iter().any(|claim| claim.source == source && claim.key != *key)
    };
    let mut others = !draft.hosted(old.id)?.is_empty() || draft.outgoing(old.id)?.iter().any(said_elsewhere);
    for (kind, from) in draft.incoming(old.id)? {
        others = others || draft.relationship(from, &kind, old.id)?.as_ref().is_some_and(said_elsewhere);
    }
    if others {
        draft.unsettle(source)?;
    }
    Ok(())
}

/// What a source claims of an item by a statement, and the attributes apart from it.
fn claimed(
    statement: &Statement<'_>,
    identification: &Identification,
    now: Timestamp,
) -> (ItemClaimState, BTreeMap<String, Stated>) {
    let (stating, claim, said) = (statement.stating, statement.claim, statement.said);
    let attributes: BTreeMap<String, Stated> = statement
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), Stated { value: value.clone(), effective: false }))
        .collect();
    let state = ItemClaimState {
        source: stating.source,
        key: claim.key.clone(),
        scope: stating.scope.to_owned(),
        class: said.class.clone(),
        name: if said.name.is_empty() && !said.class.is_empty() {
            claim.key.clone()
        } else {
            said.name.clone()
        },
        attributes: BTreeMap::new(),
        within: statement.within,
        first_seen: stating.observed_at,
        observed_at: stating.observed_at,
        withdrawn_at: None,
        identification: identification.clone(),
        marks: Marks { otherwise_at: statement.otherwise_at, ..pins::marks(stating, said, now) },
    };
    (state, attributes)
}

fn set_claim(
    item: &mut Item,
    statement: &Statement<'_>,
    (identification, found): (&Identification, Found),
    renews: Renews,
    now: Timestamp,
) {
    let (stating, claim, said) = (statement.stating, statement.claim, statement.said);
    let position =
        item.claims.iter().position(|other| other.source == stating.source && other.key == claim.key);
    let before = position.map(|place| item.claims[place].clone());
    let (mut after, mut attributes) = claimed(statement, identification, now);
    if let Some(before) = &before {
        after.first_seen = before.first_seen;
        if found == Found::AsBefore && matches!(identification.method, Method::Key | Method::Clone) {
            after.identification = before.identification.clone();
        }
        if stating.merge {
            merge(before, &mut after, &mut attributes, said);
        }
    }
    after.attributes = attributes;
    match (position, before) {
        (Some(place), Some(before)) => {
            if says_the_same(&before, &after) && renews == Renews::No {
                return;
            }
            // A claim from before the last one that arrives late does not undo it.
            if stating.observed_at < before.observed_at && before.withdrawn_at.is_none() {
                return;
            }
            if stating.merge && after.attributes.is_empty() && after.name.is_empty() && after.class.is_empty()
            {
                after.withdrawn_at = Some(now);
            }
            item.claims[place] = after;
        }
        _ => item.claims.push(after),
    }
}

fn merge(
    before: &ItemClaimState,
    after: &mut ItemClaimState,
    attributes: &mut BTreeMap<String, Stated>,
    said: &ItemClaim,
) {
    let cleared = &said.cleared;
    for (name, stated) in &before.attributes {
        if !cleared.contains(name) {
            attributes.entry(name.clone()).or_insert_with(|| stated.clone());
        }
    }
    for (new, old) in [(&mut after.class, &before.class), (&mut after.name, &before.name)] {
        if new.is_empty() {
            new.clone_from(old);
        }
    }
    if cleared.iter().any(|name| name == "name") {
        after.name.clear();
    }
    after.within = after.within.or(before.within);
    for (name, pin) in &before.marks.pins {
        after.marks.pins.entry(name.clone()).or_insert_with(|| pin.clone());
    }
    for name in before.marks.stale.iter().filter(|name| !said.attributes.contains_key(*name)) {
        after.marks.stale.insert(name.clone());
    }
}

fn says_the_same(before: &ItemClaimState, after: &ItemClaimState) -> bool {
    let values = |claim: &ItemClaimState| -> Vec<(String, Value)> {
        claim.attributes.iter().map(|(name, stated)| (name.clone(), stated.value.clone())).collect()
    };
    before.withdrawn_at.is_none()
        && before.class == after.class
        && before.name == after.name
        && before.scope == after.scope
        && before.within == after.within
        && values(before) == values(after)
        && before.identification == after.identification
        && same_marks(&before.marks, &after.marks)
}

/// When something else was said is no part of what is said.
fn same_marks(one: &Marks, other: &Marks) -> bool {
    one.stale == other.stale && one.nulls == other.nulls && one.pins == other.pins
}

/// Whether a unit says something else of its item than is known.
pub(in crate::engine) fn differs(
    draft: &Draft<'_>,
    stating: &Stating<'_>,
    unit: &Unit,
    kept: &UnitRecord,
) -> Result<bool, StoreError> {
    let claim = &unit.claim;
    let (Some(said), Some(id)) = (&claim.item, kept.item) else { return Ok(false) };
    let Some(item) = draft.item(ItemId(id))? else { return Ok(false) };
    let mine = |known: &&ItemClaimState| known.source == stating.source && known.key == claim.key;
    let Some(known) = item.claims.iter().find(mine) else { return Ok(false) };
    let within = match &said.within {
        None => None,
        Some(reference) => match references::resolve(draft, stating, None, reference)? {
            Ok(Resolved::Item(id)) => Some(id),
            Ok(Resolved::Match(_) | Resolved::Later(_)) | Err(_) => return Ok(false),
        },
    };
    let Ok(mut fitted) = fit(&draft.schema(), claim, said, None) else { return Ok(false) };
    purge::withhold(&item, stating.kind, &mut fitted.attributes);
    let attributes = fitted.attributes;
    let statement = Statement { stating, claim, said, attributes, within, otherwise_at: None };
    let (mut then, attributes) = claimed(&statement, &known.identification, draft.now());
    then.attributes = attributes;
    then.marks.stale.clone_from(&known.marks.stale);
    // Whether it stands by now is another question.
    let known = ItemClaimState { withdrawn_at: None, ..known.clone() };
    Ok(!says_the_same(&known, &then))
}

/// Keeps that a source said something else of an item at a moment, if it did so not later anyway.
pub(in crate::engine) fn said_otherwise(
    draft: &mut Draft<'_>,
    source: SourceId,
    key: &str,
    kept: &UnitRecord,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(item) = kept.item.map(|id| draft.item(ItemId(id))).transpose()?.flatten() else { return Ok(()) };
    let mut item = Item::clone(&item);
    let mine = |claim: &&mut ItemClaimState| claim.source == source && claim.key == key;
    for claim in item.claims.iter_mut().filter(mine).filter(|claim| claim.withdrawn_at.is_none()) {
        claim.marks.otherwise_at = claim.marks.otherwise_at.max(Some(at));
    }
    draft.resolve_and_put(item)
}

/// Whether a claim that says nothing new is put on record all the same, because it confirms what was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renews {
    Yes,
    No,
}

/// What a person states by hand is confirmed by being stated again; any other claim by its source being heard.
fn may_go_stale(draft: &Draft<'_>, item: &Item, statement: &Statement<'_>) -> Renews {
    if statement.stating.scope != SCOPE_BY_HAND {
        return Renews::No;
    }
    let schema = draft.schema();
    let (name, kind) = draft.name_and_kind(statement.stating.source);
    let said = statement.said;
    let named = (!said.name.is_empty()).then_some("name");
    let ends = said
        .attributes
        .keys()
        .map(String::as_str)
        .chain(named)
        .any(|attribute| schema.precedence(&item.class, attribute, name, kind).stale_after_us.is_some());
    if ends { Renews::Yes } else { Renews::No }
}

/// Records that items may be the same, on all of them; a pair that a person told apart is left alone.
pub(in crate::engine) fn add_duplicates(
    draft: &mut Draft<'_>,
    item: &mut Item,
    duplicates: &[ItemId],
) -> Result<(), StoreError> {
    let known = item.distinct_from.clone();
    for other in duplicates.iter().filter(|other| **other != item.id && !known.contains(other)) {
        insert_sorted(&mut item.duplicates, *other);
        if let Some(found) = draft.item(*other)? {
            let mut found = Item::clone(&found);
            insert_sorted(&mut found.duplicates, item.id);
            draft.put_item(found)?;
        }
    }
    Ok(())
}

/// Items that shared an identifier with this one and do not any more are not the same, nor clones, for all that is
/// known now.
fn forget_duplicates(
    draft: &mut Draft<'_>,
    before: &Item,
    item: &mut Item,
    still: &[ItemId],
) -> Result<(), StoreError> {
    if before.duplicates.is_empty() {
        return Ok(());
    }
    let schema = draft.schema();
    let digests = |item: &Item| -> BTreeSet<[u8; 16]> {
        item_identifiers(item, &schema).into_iter().map(|identifier| identifier.digest).collect()
    };
    let (had, has) = (digests(before), digests(item));
    for id in before.duplicates.iter().filter(|id| !still.contains(id)) {
        let Some(other) = draft.item(*id)? else { continue };
        let theirs = digests(&other);
        if had.is_disjoint(&theirs) || !has.is_disjoint(&theirs) {
            continue;
        }
        item.duplicates.retain(|other| other != id);
        let mut other = Item::clone(&other);
        other.duplicates.retain(|id| *id != item.id);
        draft.put_item(other)?;
    }
    Ok(())
}

pub(in crate::engine) fn insert_sorted(ids: &mut Vec<ItemId>, id: ItemId) {
    if let Err(place) = ids.binary_search(&id) {
        ids.insert(place, id);
    }
}

/// The item that the key names by its id, where a person may do so.
fn named(stating: &Stating<'_>, claim: &Claim) -> Option<ItemId> {
    match stating.kind {
        SourceKind::Agent | SourceKind::Connector => None,
        SourceKind::Person | SourceKind::Import | SourceKind::Rule => {
            if claim.kind == UnitKind::Item {
                claim.key.parse().ok()
            } else {
                None
            }
        }
    }
}

fn check_claim(claim: &Claim) -> Result<(), Problem> {
    let invalid = |what: &str| {
        Problem::new(
            Reason::KeyInvalid,
            format!("the key {what}"),
            claim.key.chars().take(80).collect::<String>(),
        )
        .expected(format!("1 to {KEY_BYTES_MAX} bytes without control characters"), "")
        .hint("give each thing a short name of its own")
    };
    if claim.key.is_empty() {
        return Err(invalid("is empty"));
    }
    if claim.key.len() > KEY_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    if claim.key.chars().any(char::is_control) {
        return Err(invalid("has a control character in it"));
    }
    let attributes = claim.item.as_ref().map_or(0, |item| item.attributes.len());
    let limits = [
        ("attributes", attributes, ATTRIBUTES_MAX),
        ("relationships", claim.relationships.len(), RELATIONSHIPS_MAX),
        ("redundancy groups", claim.redundancies.len(), ATTRIBUTES_MAX),
    ];
    for (what, given, most) in limits {
        if given > most {
            return Err(Problem::new(
                Reason::LimitExceeded,
                format!("{} states more {what} than one claim may", claim.key),
                claim.key.clone(),
            )
            .expected(format!("at most {most}"), given.to_string()));
        }
    }
    Ok(())
}

struct Fitted {
    attributes: Attributes,
    notes: Vec<String>,
}

/// Values of the declared types. `named` is the item when the claim may leave the class open.
fn fit(schema: &Schema, claim: &Claim, said: &ItemClaim, named: Option<&Item>) -> Result<Fitted, Problem> {
    let class = match (said.class.as_str(), named) {
        ("", Some(item)) => item.class.as_str(),
        (class, _) => check_class(schema, claim, class)?,
    };
    let mut attributes = Attributes::new();
    let mut notes = Vec::new();
    for (name, value) in &said.attributes {
        let fitted = schema.fit(class, name, value.clone()).map_err(|mut problem| {
            problem.thing = format!("{} of {}", name, claim.key);
            problem
        })?;
        if schema.attribute(class, name).is_none() {
            let nearest = schema.nearest_attribute(class, name);
            let nearest = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
            notes.push(format!("{class} declares no attribute {name}: kept as given{nearest}"));
        }
        if name == "entry_points" {
            check_entry_points(claim, &fitted)?;
        }
        attributes.insert(name.clone(), fitted);
    }
    Ok(Fitted { attributes, notes })
}

fn check_class<'a>(schema: &Schema, claim: &Claim, class: &'a str) -> Result<&'a str, Problem> {
    let Some(declared) = schema.class(class) else {
        let hint = schema.nearest_class(class).map_or_else(
            || "`cmdb classes` lists them".to_owned(),
            |nearest| format!("did you mean {nearest}? `cmdb classes` lists them all"),
        );
        return Err(Problem::new(
            Reason::ClassUnknown,
            format!("there is no class \"{class}\""),
            claim.key.clone(),
        )
        .expected("a declared class", class)
        .hint(hint));
    };
    if declared.is_abstract {
        let children: Vec<_> = schema
            .classes()
            .filter(|child| child.parent.as_deref() == Some(class))
            .map(|child| child.name.as_str())
            .collect();
        return Err(Problem::new(
            Reason::ClassAbstract,
            format!("{class} has no items of its own"),
            claim.key.clone(),
        )
        .expected(format!("one of its kinds: {}", children.join(", ")), class));
    }
    Ok(class)
}

fn check_entry_points(claim: &Claim, value: &Value) -> Result<(), Problem> {
    let Value::List(points) = value else { return Ok(()) };
    if points.len() > ENTRY_POINTS_MAX {
        return Err(Problem::new(
            Reason::LimitExceeded,
            format!("{} names too many entry points", claim.key),
            claim.key.clone(),
        )
        .expected(format!("at most {ENTRY_POINTS_MAX}"), points.len().to_string()));
    }
    for point in points {
        if let Err(error) = point.to_string().parse::<EntryPoint>() {
            return Err(Problem::new(Reason::AttributeUnusable, error.to_string(), claim.key.clone()));
        }
    }
    Ok(())
}

fn host_unknown(claim: &Claim) -> Problem {
    let host = match claim.item.as_ref().and_then(|item| item.within.as_ref()) {
        Some(Reference::Key(key)) => key.clone(),
        Some(Reference::SourceKey { source, key }) => format!("{source}:{key}"),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    };
    Problem::new(
        Reason::ReferenceUnknown,
        format!("{} is said to be within \"{host}\", which nobody names", claim.key),
        claim.key.clone(),
    )
    .expected("the key of an item of the same source, source:key, or an id", host)
    .hint("name the host in the same batch or before")
}

fn refuse_host(claim: &Claim, problem: Problem) -> Decision {
    Decision {
        key: claim.key.clone(),
        outcome: Outcome::Refused(problem),
        item: None,
        identification: None,
        problems: Vec::new(),
        notes: Vec::new(),
    }
}

/// An item by number, as it must be there.
pub(in crate::engine) fn required(draft: &Draft<'_>, id: ItemId) -> Result<Arc<Item>, StoreError> {
    draft.item(id)?.ok_or_else(|| StoreError::Damaged {
        table: crate::store::Table::Items.name(),
        detail: format!("{id} is referred to and not there"),
    })
}
