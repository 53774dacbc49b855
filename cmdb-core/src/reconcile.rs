//! Which claim wins: from what all sources say to what is held true.
//!
//! Pure. Knows nothing of identification or the store. A claim that stands beats one that was withdrawn; then the
//! schema's order of sources for the class and attribute decides; then the later observation. What only withdrawn
//! claims say stays effective: the last known value is better than none.
//!
//! Invariant: the result depends on the claims, the schema and (for `status_since`) the time given, and on nothing
//! else; resolving twice changes nothing.

mod decay;
mod stale;

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub use decay::{
    INFERRED_HALF_LIFE_US, RELATIONSHIP_STALE_AFTER_US, confidence, confirming, relationship_stale_after,
};
pub use stale::{Confirmed, judge_stale, may_be_stale_at, stale_after};

use crate::model::item::{Group, ItemClaimState};
use crate::model::schema::Schema;
use crate::model::{Item, Relationship, SourceId, SourceKind, Status, Timestamp};

/// Names and kinds of sources.
pub trait Sources {
    /// The name and kind of a source.
    fn name_and_kind(&self, source: SourceId) -> (&str, SourceKind);
}

/// Who goes first; the smallest wins: a pinned value, one that stands, one that is confirmed, one of an earlier
/// source, a later one. What is equal in all of these is told apart by source and key, whoever came first.
type Standing<'a> =
    (Reverse<Option<Timestamp>>, bool, bool, u32, Reverse<(Timestamp, &'a str)>, &'a str, &'a str);

/// Sets class, name, effective attributes and status of an item from its claims.
pub fn resolve_item(item: &mut Item, schema: &Schema, sources: &dyn Sources, now: Timestamp) {
    resolve_class(item, schema, sources);
    if let Some(place) = best(item, "name", schema, sources, &|claim| !claim.name.is_empty()) {
        item.name.clone_from(&item.claims[place].name);
    }
    let mut winners: BTreeMap<String, usize> = BTreeMap::new();
    for claim in &item.claims {
        for name in claim.attributes.keys() {
            if !winners.contains_key(name) {
                let winner = winner(item, name, schema, sources).expect("this claim says it");
                winners.insert(name.clone(), winner);
            }
        }
    }
    for (place, claim) in item.claims.iter_mut().enumerate() {
        for (name, stated) in &mut claim.attributes {
            stated.effective = winners.get(name) == Some(&place);
        }
    }
    resolve_status(item, schema, now);
}

/// The place of the claim that decides an attribute; it may say that there is no value.
fn winner(item: &Item, attribute: &str, schema: &Schema, sources: &dyn Sources) -> Option<usize> {
    let nulls = schema.null_overwrites(&item.class, attribute);
    best(item, attribute, schema, sources, &|claim| {
        let null = nulls && claim.withdrawn_at.is_none() && claim.marks.nulls.contains(attribute);
        null || claim.attributes.contains_key(attribute)
    })
}

fn best(
    item: &Item,
    attribute: &str,
    schema: &Schema,
    sources: &dyn Sources,
    says: &dyn Fn(&ItemClaimState) -> bool,
) -> Option<usize> {
    let places = || (0..item.claims.len()).filter(|place| says(&item.claims[*place]));
    let first = places().next()?;
    // Mostly one claim says it, and there is nothing to compare.
    if places().nth(1).is_none() {
        return Some(first);
    }
    places().min_by_key(|place| standing(item, attribute, &item.claims[*place], schema, sources))
}

fn standing<'a>(
    item: &Item,
    attribute: &str,
    claim: &'a ItemClaimState,
    schema: &Schema,
    sources: &'a dyn Sources,
) -> Standing<'a> {
    let (name, kind) = sources.name_and_kind(claim.source);
    let rank = schema.rank(&item.class, attribute, name, kind);
    let stands = claim.withdrawn_at.is_none();
    let pinned = claim.marks.pins.get(attribute).filter(|_| stands).map(|pin| pin.since);
    let stale = claim.marks.stale.contains(attribute);
    // When a section was first heard depends on the way that reports took; when it last said otherwise does not.
    let since = match claim.marks.otherwise_at {
        Some(otherwise) if stands => otherwise,
        Some(_) => Timestamp::default(),
        None => claim.observed_at,
    };
    let reported = claim.marks.otherwise_at.map_or("", |_| name);
    (Reverse(pinned), !stands, stale, rank, Reverse((since, reported)), name, &claim.key)
}

/// The class of the first source in order, or a more special one that another source gives.
fn resolve_class(item: &mut Item, schema: &Schema, sources: &dyn Sources) {
    let claiming = |item: &Item| {
        let mut places: Vec<usize> =
            (0..item.claims.len()).filter(|place| !item.claims[*place].class.is_empty()).collect();
        places.sort_by(|one, other| {
            let standing = |place: usize| standing(item, "class", &item.claims[place], schema, sources);
            standing(*one).cmp(&standing(*other))
        });
        places
    };
    let places = claiming(item);
    let Some(first) = places.first() else { return };
    let mut class = item.claims[*first].class.clone();
    for place in &places[1..] {
        let claim = &item.claims[*place];
        if claim.withdrawn_at.is_none() && schema.is_a(&claim.class, &class) {
            class.clone_from(&claim.class);
        }
    }
    item.class = class;
}

fn resolve_status(item: &mut Item, schema: &Schema, now: Timestamp) {
    let stands = item.standing().next().is_some();
    let running = schema.class(&item.class).is_some_and(|class| class.running);
    let status = match item.status {
        _ if stands => Status::Active,
        _ if item.claims.is_empty() => Status::Retired,
        Status::Active if running => Status::Stopped,
        Status::Active => Status::Missing,
        // Time goes on from here, not the absence of claims.
        later => later,
    };
    if status != item.status {
        item.status = status;
        item.status_since = now;
    }
}

/// Whose word on a group counts: the smallest. What is declared, or was judged, goes before what was concluded; then
/// the order of sources decides.
#[must_use]
pub fn group_order(group: &Group, schema: &Schema, sources: &dyn Sources) -> (bool, u32) {
    let (name, kind) = sources.name_and_kind(group.source);
    (group.inferred, schema.rank("item", "", name, kind))
}

/// Sets the effective claim, group, denial and status of a relationship from its claims. It has at least one.
///
/// A claim that is about the group alone says nothing of the rest. Of such claims and the effective one, those that
/// name a group, the one whose source goes first gives the group.
pub fn resolve_relationship(
    relationship: &mut Relationship,
    schema: &Schema,
    sources: &dyn Sources,
    gone: Gone,
    now: Timestamp,
) {
    let stated = is_claimed(relationship);
    if stated {
        // What was seen long ago says nothing beside what is seen now.
        let old = |at: Timestamp| at.plus_us(STOPPED_FOR_US) <= now;
        relationship.claims.retain(|claim| !claim.withdrawn_at.is_some_and(old));
    }
    let (effective, grouped_by) = match relationship.claims.as_slice() {
        // Mostly there is nothing to compare.
        [_] => (0, 0),
        _ => effective_claims(relationship, schema, sources),
    };
    relationship.effective = effective;
    relationship.grouped_by = grouped_by;
    relationship.denied = relationship.effective().denied;
    let status = match (stated, relationship.status, gone) {
        (true, _, _) => Status::Active,
        (false, Status::Retired, _) => Status::Retired,
        // What went with its item, and is not named when the item is back, is not seen like any other.
        (false, _, Gone::Stopped) => Status::Stopped,
        (false, _, Gone::Missing) => Status::Missing,
    };
    if status != relationship.status {
        relationship.status = status;
        relationship.status_since = now;
    }
}

/// The places of the effective claim, and of the one that gives the group.
fn effective_claims(relationship: &Relationship, schema: &Schema, sources: &dyn Sources) -> (usize, usize) {
    let order = |place: &usize| {
        let claim = &relationship.claims[*place];
        let (name, kind) = sources.name_and_kind(claim.source);
        let rank = schema.rank("item", "", name, kind);
        // What machines say of a relationship is told apart by who says it, so that it does not depend on the way
        // that their reports took.
        let machine = matches!(kind, SourceKind::Agent | SourceKind::Connector);
        let since = if machine { Timestamp::default() } else { claim.observed_at };
        (
            claim.only_groups(),
            claim.withdrawn_at.is_some(),
            rank,
            Reverse(since),
            name,
            claim.unit,
            &claim.key,
        )
    };
    let places = 0..relationship.claims.len();
    let effective = places.clone().min_by_key(order).expect("a relationship has a claim");
    let groups = |place: &usize| {
        let claim = &relationship.claims[*place];
        let stands = claim.only_groups() && claim.withdrawn_at.is_none();
        (stands || *place == effective) && !claim.group.is_empty()
    };
    let grouped_by = places.filter(groups).min_by_key(|place| {
        let (_, _, rank, since, name, unit, key) = order(place);
        (rank, *place != effective, since, name, unit, key)
    });
    (effective, grouped_by.unwrap_or(effective))
}

/// Whether anybody claims that there is, or is not, such a relationship.
#[must_use]
pub fn is_claimed(relationship: &Relationship) -> bool {
    relationship.claims.iter().any(|claim| claim.withdrawn_at.is_none() && !claim.only_groups())
}

/// What a relationship is that nobody claims any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// Not seen, and kept for a time.
    Stopped,
    /// It is written from an item that is missing, and goes with that.
    Missing,
}

impl Gone {
    /// By the status of the item that the relationship is written from.
    #[must_use]
    pub fn with(item: Option<Status>) -> Gone {
        if item == Some(Status::Missing) { Gone::Missing } else { Gone::Stopped }
    }
}

/// When time will change the status of an item, or end a pin on it, next.
#[must_use]
pub fn item_due(item: &Item, schema: &Schema) -> Option<Timestamp> {
    let pins = item.claims.iter().flat_map(|claim| claim.marks.pins.values());
    let ends = pins.filter_map(|pin| pin.until);
    ends.chain(status_due(item, schema)).min()
}

/// When time will change the status of an item next.
#[must_use]
pub fn status_due(item: &Item, schema: &Schema) -> Option<Timestamp> {
    let class = schema.class(&item.class);
    match item.status {
        Status::Stopped => {
            Some(item.status_since.plus_us(class.map_or(STOPPED_FOR_US, |class| class.stopped_for_us)))
        }
        Status::Missing => {
            Some(item.status_since.plus_us(class.map_or(RETIRE_AFTER_US, |class| class.retire_after_us)))
        }
        Status::Active | Status::Retired => None,
    }
}

/// When time will end a relationship that nobody claims. One that hangs on a missing item ends with the item.
#[must_use]
pub fn relationship_due(relationship: &Relationship) -> Option<Timestamp> {
    match relationship.status {
        Status::Stopped => Some(relationship.status_since.plus_us(STOPPED_FOR_US)),
        Status::Active | Status::Missing | Status::Retired => None,
    }
}

/// How long a stopped thing of no known class keeps its part in impact, in microseconds.
pub const STOPPED_FOR_US: i64 = 30 * crate::model::time::DAY_US;
/// How long an item of no known class is missing before it is retired, in microseconds.
pub const RETIRE_AFTER_US: i64 = 90 * crate::model::time::DAY_US;
