//! Between the model and its records.

use std::collections::BTreeMap;

use super::value_record_kind::Kind;
use super::{
    AttributeRecord, GroupRecord, IdentificationRecord, ItemClaimRecord, ItemRecord, ListRecord, MapRecord,
    PinRecord, PurgedRecord, RelationshipClaimRecord, RelationshipRecord, ValueRecord,
};
use crate::claim::UnitKind;
use crate::model::item::{Group, Identification, ItemClaimState, Marks, Method, Pin, Purged, Stated};
use crate::model::relationship::RelationshipClaimState;
use crate::model::value::Attributes;
use crate::model::{Item, ItemId, Relationship, Revision, SourceId, Status, Timestamp, Value};
use crate::store::{StoreError, Table};

const STATUSES: [Status; 4] = [Status::Active, Status::Stopped, Status::Missing, Status::Retired];
const METHODS: [Method; 6] =
    [Method::Key, Method::Rule, Method::New, Method::Named, Method::Duplicate, Method::Clone];
const KINDS: [UnitKind; 3] = [UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy];

fn number_of<T: PartialEq>(all: &[T], one: &T) -> u32 {
    let place = all.iter().position(|other| other == one).expect("the table names every case");
    u32::try_from(place).expect("a handful of cases")
}

fn damaged(detail: impl Into<String>) -> StoreError {
    StoreError::Damaged { table: Table::Changes.name(), detail: detail.into() }
}

fn of_number<T: Copy>(all: &[T], number: u32, what: &str) -> Result<T, StoreError> {
    all.get(number as usize).copied().ok_or_else(|| damaged(format!("{what} number {number}")))
}

pub(super) fn status_number(status: Status) -> u32 {
    number_of(&STATUSES, &status)
}

pub(super) fn method_number(method: Method) -> u32 {
    number_of(&METHODS, &method)
}

/// A value as a record.
#[must_use]
pub fn value_record(value: &Value) -> ValueRecord {
    let kind = match value {
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Integer(number) => Kind::Integer(*number),
        Value::Float(number) => Kind::Float(*number),
        Value::Boolean(truth) => Kind::Boolean(*truth),
        Value::Timestamp(moment) => Kind::TimestampUs(moment.0),
        Value::DurationUs(length) => Kind::DurationUs(*length),
        Value::Bytes(bytes) => Kind::Bytes(bytes.clone()),
        Value::List(values) => Kind::List(ListRecord { values: values.iter().map(value_record).collect() }),
        Value::Map(values) => Kind::Map(MapRecord { entries: plain_records(values) }),
    };
    ValueRecord { kind: Some(kind) }
}

/// A value from its record.
///
/// # Errors
/// When the record is of a kind that this program does not know.
pub fn value_from(record: ValueRecord) -> Result<Value, StoreError> {
    let value = match record.kind.ok_or_else(|| damaged("a value without a kind"))? {
        Kind::Text(text) => Value::Text(text),
        Kind::Integer(number) => Value::Integer(number),
        Kind::Float(number) => Value::Float(number),
        Kind::Boolean(truth) => Value::Boolean(truth),
        Kind::TimestampUs(moment) => Value::Timestamp(Timestamp(moment)),
        Kind::DurationUs(length) => Value::DurationUs(length),
        Kind::Bytes(bytes) => Value::Bytes(bytes),
        Kind::List(list) => Value::List(list.values.into_iter().map(value_from).collect::<Result<_, _>>()?),
        Kind::Map(map) => Value::Map(plain_from(map.entries)?),
    };
    Ok(value)
}

/// Attributes as records.
#[must_use]
pub(crate) fn plain_records(attributes: &Attributes) -> Vec<AttributeRecord> {
    attributes
        .iter()
        .map(|(name, value)| AttributeRecord {
            name: name.clone(),
            value: Some(value_record(value)),
            effective: false,
        })
        .collect()
}

/// Attributes from their records.
pub(crate) fn plain_from(records: Vec<AttributeRecord>) -> Result<Attributes, StoreError> {
    records
        .into_iter()
        .map(|record| Ok((record.name, value_from(record.value.unwrap_or_default())?)))
        .collect()
}

/// An item as a record.
#[must_use]
pub fn item_record(item: &Item) -> ItemRecord {
    ItemRecord {
        id: item.id.0,
        class: item.class.clone(),
        name: item.name.clone(),
        status: status_number(item.status),
        status_since_us: item.status_since.0,
        first_seen_us: item.first_seen.0,
        claims: item.claims.iter().map(claim_record).collect(),
        groups: item.groups.iter().map(group_record).collect(),
        duplicates: item.duplicates.iter().map(|id| id.0).collect(),
        merged_into: item.merged_into.map(|id| id.0),
        distinct_from: item.distinct_from.iter().map(|id| id.0).collect(),
        purged: item.purged.iter().map(|(attribute, purged)| purged_record(attribute, purged)).collect(),
    }
}

/// An item from its record.
///
/// # Errors
/// When the record is of a kind that this program does not know.
pub fn item_from(record: ItemRecord) -> Result<Item, StoreError> {
    Ok(Item {
        id: ItemId(record.id),
        class: record.class,
        name: record.name,
        status: of_number(&STATUSES, record.status, "a status of")?,
        status_since: Timestamp(record.status_since_us),
        first_seen: Timestamp(record.first_seen_us),
        claims: record.claims.into_iter().map(claim_from).collect::<Result<_, _>>()?,
        groups: record.groups.into_iter().map(group_from).collect::<Result<_, _>>()?,
        duplicates: record.duplicates.into_iter().map(ItemId).collect(),
        merged_into: record.merged_into.map(ItemId),
        distinct_from: record.distinct_from.into_iter().map(ItemId).collect(),
        purged: record.purged.into_iter().map(purged_from).collect(),
    })
}

fn purged_record(attribute: &str, purged: &Purged) -> PurgedRecord {
    PurgedRecord {
        attribute: attribute.to_owned(),
        revision: purged.revision.0,
        by: purged.by.clone(),
        at_us: purged.at.0,
        reason: purged.reason.clone(),
        suppressed: purged.suppressed,
    }
}

fn purged_from(record: PurgedRecord) -> (String, Purged) {
    let purged = Purged {
        revision: Revision(record.revision),
        by: record.by,
        at: Timestamp(record.at_us),
        reason: record.reason,
        suppressed: record.suppressed,
    };
    (record.attribute, purged)
}

fn claim_record(claim: &ItemClaimState) -> ItemClaimRecord {
    let attributes = claim
        .attributes
        .iter()
        .map(|(name, stated)| AttributeRecord {
            name: name.clone(),
            value: Some(value_record(&stated.value)),
            effective: stated.effective,
        })
        .collect();
    ItemClaimRecord {
        source: claim.source.0,
        key: claim.key.clone(),
        scope: claim.scope.clone(),
        class: claim.class.clone(),
        name: claim.name.clone(),
        attributes,
        within: claim.within.map(|id| id.0),
        first_seen_us: claim.first_seen.0,
        observed_at_us: claim.observed_at.0,
        withdrawn_at_us: claim.withdrawn_at.map(|at| at.0),
        identification: Some(identification_record(&claim.identification)),
        stale: claim.marks.stale.iter().cloned().collect(),
        nulls: claim.marks.nulls.iter().cloned().collect(),
        pins: claim.marks.pins.iter().map(|(attribute, pin)| pin_record(attribute, pin)).collect(),
        otherwise_us: claim.marks.otherwise_at.map(|at| at.0),
    }
}

fn claim_from(record: ItemClaimRecord) -> Result<ItemClaimState, StoreError> {
    let attributes = record
        .attributes
        .into_iter()
        .map(|attribute| {
            let value = value_from(attribute.value.unwrap_or_default())?;
            Ok((attribute.name, Stated { value, effective: attribute.effective }))
        })
        .collect::<Result<BTreeMap<_, _>, StoreError>>()?;
    Ok(ItemClaimState {
        source: SourceId(record.source),
        key: record.key,
        scope: record.scope,
        class: record.class,
        name: record.name,
        attributes,
        within: record.within.map(ItemId),
        first_seen: Timestamp(record.first_seen_us),
        observed_at: Timestamp(record.observed_at_us),
        withdrawn_at: record.withdrawn_at_us.map(Timestamp),
        identification: identification_from(record.identification.unwrap_or_default())?,
        marks: Marks {
            stale: record.stale.into_iter().collect(),
            nulls: record.nulls.into_iter().collect(),
            pins: record.pins.into_iter().map(pin_from).collect(),
            otherwise_at: record.otherwise_us.map(Timestamp),
        },
    })
}

fn pin_record(attribute: &str, pin: &Pin) -> PinRecord {
    PinRecord {
        attribute: attribute.to_owned(),
        since_us: pin.since.0,
        until_us: pin.until.map(|until| until.0),
        reason: pin.reason.clone(),
    }
}

fn pin_from(record: PinRecord) -> (String, Pin) {
    let until = record.until_us.map(Timestamp);
    (record.attribute, Pin { since: Timestamp(record.since_us), until, reason: record.reason })
}

fn identification_record(identification: &Identification) -> IdentificationRecord {
    IdentificationRecord {
        method: method_number(identification.method),
        rule: identification.rule.clone(),
        values: identification.values.clone(),
        candidates: identification.candidates.iter().map(|id| id.0).collect(),
        skipped: identification.skipped.clone(),
    }
}

fn identification_from(record: IdentificationRecord) -> Result<Identification, StoreError> {
    Ok(Identification {
        method: of_number(&METHODS, record.method, "a way of identification of")?,
        rule: record.rule,
        values: record.values,
        candidates: record.candidates.into_iter().map(ItemId).collect(),
        skipped: record.skipped,
    })
}

fn group_record(group: &Group) -> GroupRecord {
    GroupRecord {
        name: group.name.clone(),
        require: group.require.to_string(),
        inferred: group.inferred,
        confidence: group.confidence,
        source: group.source.0,
        key: group.key.clone(),
        evidence: group.evidence.clone(),
        rejected: group.rejected,
    }
}

fn group_from(record: GroupRecord) -> Result<Group, StoreError> {
    Ok(Group {
        name: record.name,
        require: record.require.parse().map_err(|error| damaged(format!("{error}")))?,
        inferred: record.inferred,
        confidence: record.confidence,
        source: SourceId(record.source),
        key: record.key,
        evidence: record.evidence,
        rejected: record.rejected,
    })
}

/// A relationship as a record.
#[must_use]
pub fn relationship_record(relationship: &Relationship) -> RelationshipRecord {
    RelationshipRecord {
        from: relationship.from.0,
        kind: relationship.kind.clone(),
        to: relationship.to.0,
        status: status_number(relationship.status),
        status_since_us: relationship.status_since.0,
        denied: relationship.denied,
        first_seen_us: relationship.first_seen.0,
        claims: relationship.claims.iter().map(relationship_claim_record).collect(),
        effective: u32::try_from(relationship.effective).expect("few claims"),
        grouped_by: (relationship.grouped_by != relationship.effective)
            .then(|| u32::try_from(relationship.grouped_by).expect("few claims")),
    }
}

/// A relationship from its record.
///
/// # Errors
/// When the record is of a kind that this program does not know.
pub fn relationship_from(record: RelationshipRecord) -> Result<Relationship, StoreError> {
    let claims: Vec<_> = record.claims.into_iter().map(relationship_claim_from).collect::<Result<_, _>>()?;
    let effective = record.effective as usize;
    let grouped_by = record.grouped_by.map_or(effective, |place| place as usize);
    if effective >= claims.len() || grouped_by >= claims.len() {
        return Err(damaged("a relationship without its effective claim"));
    }
    Ok(Relationship {
        from: ItemId(record.from),
        kind: record.kind,
        to: ItemId(record.to),
        status: of_number(&STATUSES, record.status, "a status of")?,
        status_since: Timestamp(record.status_since_us),
        denied: record.denied,
        first_seen: Timestamp(record.first_seen_us),
        claims,
        effective,
        grouped_by,
    })
}

pub(crate) fn relationship_claim_record(claim: &RelationshipClaimState) -> RelationshipClaimRecord {
    RelationshipClaimRecord {
        source: claim.source.0,
        key: claim.key.clone(),
        scope: claim.scope.clone(),
        group: claim.group.clone(),
        weight: claim.weight,
        inferred: claim.inferred,
        confidence: claim.confidence,
        denied: claim.denied,
        attributes: plain_records(&claim.attributes),
        first_seen_us: claim.first_seen.0,
        observed_at_us: claim.observed_at.0,
        withdrawn_at_us: claim.withdrawn_at.map(|at| at.0),
        unit_kind: unit_kind_number(claim.unit),
    }
}

pub(crate) fn relationship_claim_from(
    record: RelationshipClaimRecord,
) -> Result<RelationshipClaimState, StoreError> {
    Ok(RelationshipClaimState {
        source: SourceId(record.source),
        unit: unit_kind_from(record.unit_kind)?,
        key: record.key,
        scope: record.scope,
        group: record.group,
        weight: record.weight,
        inferred: record.inferred,
        confidence: record.confidence,
        denied: record.denied,
        attributes: plain_from(record.attributes)?,
        first_seen: Timestamp(record.first_seen_us),
        observed_at: Timestamp(record.observed_at_us),
        withdrawn_at: record.withdrawn_at_us.map(Timestamp),
    })
}

pub(crate) fn unit_kind_number(kind: UnitKind) -> u32 {
    number_of(&KINDS, &kind)
}

pub(crate) fn unit_kind_from(number: u32) -> Result<UnitKind, StoreError> {
    of_number(&KINDS, number, "a unit of kind")
}
