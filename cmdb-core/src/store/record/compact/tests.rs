//! What is read is what was written, for records of every kind.

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;

use std::borrow::Cow;

use super::super::value_record_kind::Kind;
use super::super::{
    AttributeRecord, ChangeRecord, ChangeRow, EdgeRecord, EndRecord, GroupNameRecord, GroupRecord,
    HeadRecord, IdentificationRecord, IncomingRecord, ItemClaimRecord, ItemRecord, ListRecord, MapRecord,
    OutgoingRecord, OutgoingRow, PlaceRecord, RelationshipClaimRecord, RelationshipRecord, UnitRecord,
    ValueRecord, decode, encode, item_from, item_record, relationship_from, relationship_record,
};
use super::{Record, Row};
use crate::model::{Item, Relationship};
use crate::store::Table;

const COMPACT: u8 = 2;
const PLAIN: u8 = 1;

fn comes_back<R: Record + PartialEq + std::fmt::Debug>(record: &R) -> Vec<u8> {
    reads_as(record, record)
}

/// A row that is written, and the record as which it reads.
fn reads_as<R: Record + PartialEq + std::fmt::Debug>(row: &impl Row, record: &R) -> Vec<u8> {
    let bytes = encode(300, row);
    let read: R = decode(Table::Changes, &bytes).expect("what was written can be read");
    assert!(read == *record, "written {record:?}, read {read:?}");
    // Cut off anywhere it is damaged, or a shorter record of the plain form; it never panics.
    for length in 0..bytes.len() {
        let cut = decode::<R>(Table::Changes, &bytes[..length]);
        assert!(bytes[0] == PLAIN || cut.is_err(), "{record:?} cut at {length}");
    }
    bytes
}

/// The plain form of what a row is written from reads as the row does.
fn is_also_plain<R: Record + PartialEq + std::fmt::Debug>(row: &impl Row, record: &R) {
    let mut bytes = vec![PLAIN, 1];
    row.append_plain(&mut bytes);
    assert_eq!(decode::<R>(Table::Changes, &bytes).expect("plain"), *record);
}

fn outgoing_comes_back(relationships: &[Relationship]) -> Vec<u8> {
    let all: Vec<Cow<'_, Relationship>> = relationships.iter().map(Cow::Borrowed).collect();
    let record = OutgoingRecord { relationships: relationships.iter().map(relationship_record).collect() };
    is_also_plain(&OutgoingRow(&all), &record);
    reads_as(&OutgoingRow(&all), &record)
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let some = ["", "ab", "import", "depends_on", "item-1", "item-2", "item-1 runs_on item-2", "ünïcode \0"];
    if u.ratio(9, 10)? { Ok((*u.choose(&some)?).to_owned()) } else { u.arbitrary() }
}

fn key(u: &mut Unstructured<'_>, kind: &str) -> Result<String> {
    let between = *u.choose(&[" ", "  ", ""])?;
    Ok(format!("{}{between}{kind}{between}{}", text(u)?, text(u)?))
}

fn kind(u: &mut Unstructured<'_>) -> Result<String> {
    Ok((*u.choose(&["depends_on", "runs_on", "a type of somebody's own"])?).to_owned())
}

fn moment(u: &mut Unstructured<'_>) -> Result<i64> {
    let some = [0, -1, 1_800_000_000_000_000, 1_800_000_000_000_001, i64::MIN, i64::MAX];
    if u.ratio(4, 5)? { Ok(*u.choose(&some)?) } else { u.arbitrary() }
}

fn maybe<T>(
    u: &mut Unstructured<'_>,
    of: impl FnOnce(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    Ok(if u.ratio(1, 3)? { Some(of(u)?) } else { None })
}

fn some<T>(
    u: &mut Unstructured<'_>,
    mut of: impl FnMut(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=3)?).map(|_| of(u)).collect()
}

fn number(u: &mut Unstructured<'_>) -> Result<f64> {
    Ok(*u.choose(&[1.0, 1.0, 1.0, 0.0, 0.5, -3.25])?)
}

fn value(u: &mut Unstructured<'_>, depth: u32) -> Result<ValueRecord> {
    let kind = match u.int_in_range(0..=if depth == 0 { 6 } else { 8 })? {
        0 => Kind::Text(text(u)?),
        1 => Kind::Integer(u.arbitrary()?),
        2 => Kind::Float(number(u)?),
        3 => Kind::Boolean(u.arbitrary()?),
        4 => Kind::TimestampUs(moment(u)?),
        5 => Kind::DurationUs(u.arbitrary()?),
        6 => Kind::Bytes(u.arbitrary()?),
        7 => Kind::List(ListRecord { values: some(u, |u| value(u, depth - 1))? }),
        _ => Kind::Map(MapRecord { entries: some(u, |u| attribute(u, depth - 1))? }),
    };
    Ok(ValueRecord { kind: Some(kind) })
}

fn attribute(u: &mut Unstructured<'_>, depth: u32) -> Result<AttributeRecord> {
    Ok(AttributeRecord { name: text(u)?, value: Some(value(u, depth)?), effective: u.arbitrary()? })
}

fn relationship(u: &mut Unstructured<'_>) -> Result<Relationship> {
    let kind = kind(u)?;
    let claim = |u: &mut Unstructured<'_>| {
        Ok(RelationshipClaimRecord {
            source: u.arbitrary()?,
            key: key(u, &kind)?,
            scope: text(u)?,
            group: text(u)?,
            weight: number(u)?,
            inferred: u.arbitrary()?,
            confidence: number(u)?,
            denied: u.arbitrary()?,
            attributes: some(u, |u| attribute(u, 1))?,
            first_seen_us: moment(u)?,
            observed_at_us: moment(u)?,
            withdrawn_at_us: maybe(u, moment)?,
            unit_kind: u.int_in_range(0..=2)?,
        })
    };
    let claims = (0..u.int_in_range(1..=3)?).map(|_| claim(u)).collect::<Result<Vec<_>>>()?;
    let last = u32::try_from(claims.len() - 1).expect("a few");
    let record = RelationshipRecord {
        from: u.arbitrary()?,
        to: u.arbitrary()?,
        status: u.int_in_range(0..=3)?,
        status_since_us: moment(u)?,
        denied: u.arbitrary()?,
        first_seen_us: moment(u)?,
        effective: u.int_in_range(0..=last)?,
        grouped_by: maybe(u, |u| u.int_in_range(0..=last))?,
        kind,
        claims,
    };
    Ok(relationship_from(record).expect("a relationship"))
}

fn item(u: &mut Unstructured<'_>) -> Result<Item> {
    let claims = some(u, |u| {
        let identification = IdentificationRecord {
            method: u.int_in_range(0..=5)?,
            rule: some(u, text)?,
            values: some(u, text)?,
            candidates: u.arbitrary()?,
            skipped: some(u, text)?,
        };
        Ok(ItemClaimRecord {
            source: u.arbitrary()?,
            key: text(u)?,
            scope: text(u)?,
            class: text(u)?,
            name: text(u)?,
            attributes: some(u, |u| attribute(u, 2))?,
            within: maybe(u, |u| u.arbitrary())?,
            first_seen_us: moment(u)?,
            observed_at_us: moment(u)?,
            withdrawn_at_us: maybe(u, moment)?,
            identification: Some(identification),
            stale: if u.ratio(1, 10)? { vec![text(u)?] } else { Vec::new() },
            otherwise_us: maybe(u, moment)?,
            ..ItemClaimRecord::default()
        })
    })?;
    let group = || GroupRecord { require: "any".to_owned(), ..GroupRecord::default() };
    let record = ItemRecord {
        id: u.arbitrary()?,
        class: text(u)?,
        name: text(u)?,
        status: u.int_in_range(0..=3)?,
        status_since_us: moment(u)?,
        first_seen_us: moment(u)?,
        claims,
        groups: if u.ratio(1, 10)? { vec![group()] } else { Vec::new() },
        merged_into: if u.ratio(1, 10)? { Some(1) } else { None },
        ..ItemRecord::default()
    };
    Ok(item_from(record).expect("an item"))
}

fn place(u: &mut Unstructured<'_>) -> Result<PlaceRecord> {
    Ok(PlaceRecord { revision: u.int_in_range(0..=2)?, sequence: u.int_in_range(0..=300)? })
}

#[test]
fn changes_come_back() {
    arbtest(|u| {
        let (previous, previous_version) = (maybe(u, place)?, maybe(u, place)?);
        let (item, before, after) = (maybe(u, item)?, maybe(u, relationship)?, maybe(u, relationship)?);
        let salt = u.choose(&[vec![], vec![7; 16], vec![1]])?.clone();
        let record = ChangeRecord {
            previous,
            previous_version,
            item: item.as_ref().map(item_record),
            relationship_before: before.as_ref().map(relationship_record),
            relationship_after: after.as_ref().map(relationship_record),
            salt: salt.clone(),
        };
        let (item, before, after) = (item.as_ref(), before.as_ref(), after.as_ref());
        let row = ChangeRow { previous, previous_version, item, before, after, salt: &salt };
        is_also_plain(&row, &record);
        reads_as(&row, &record);
        Ok(())
    });
}

#[test]
fn the_other_rows_come_back() {
    arbtest(|u| {
        outgoing_comes_back(&some(u, relationship)?);
        let end = |u: &mut Unstructured<'_>| Ok(EndRecord { kind: kind(u)?, from: u.arbitrary()? });
        comes_back(&IncomingRecord { ends: some(u, end)? });
        comes_back(&HeadRecord { version: maybe(u, place)?, last: maybe(u, place)? });
        let edge = |u: &mut Unstructured<'_>| {
            Ok(EdgeRecord { from: u.arbitrary()?, kind: kind(u)?, to: u.arbitrary()? })
        };
        comes_back(&UnitRecord {
            scope: text(u)?,
            digest: u.arbitrary()?,
            item: maybe(u, |u| u.arbitrary())?,
            relationships: some(u, edge)?,
            groups: if u.ratio(1, 10)? { vec![GroupNameRecord::default()] } else { Vec::new() },
            matches: u.arbitrary()?,
            heard_us: maybe(u, moment)?,
        });
        Ok(())
    });
}

/// Bytes of anybody's making are refused, never a panic.
#[test]
fn damaged_bytes_are_refused() {
    arbtest(|u| {
        let mut bytes = vec![COMPACT, 1];
        bytes.extend(u.arbitrary::<Vec<u8>>()?);
        drop(decode::<ChangeRecord>(Table::Changes, &bytes));
        drop(decode::<OutgoingRecord>(Table::Outgoing, &bytes));
        drop(decode::<UnitRecord>(Table::Units, &bytes));
        Ok(())
    });
}

fn usual(to: u64) -> Relationship {
    let at = 1_800_000_000_000_000;
    let claim = RelationshipClaimRecord {
        source: 1,
        key: format!("item-1000000 depends_on item-{to}"),
        scope: "import".to_owned(),
        weight: 1.0,
        confidence: 1.0,
        first_seen_us: at,
        observed_at_us: at,
        unit_kind: 1,
        ..RelationshipClaimRecord::default()
    };
    let record = RelationshipRecord {
        from: 1_000_000,
        kind: "depends_on".to_owned(),
        to,
        status_since_us: at,
        first_seen_us: at,
        claims: vec![claim],
        ..RelationshipRecord::default()
    };
    relationship_from(record).expect("a relationship")
}

#[test]
fn what_is_usual_is_short_and_what_is_not_is_plain() {
    let one = outgoing_comes_back(&[usual(2_000_000)]);
    let two = outgoing_comes_back(&[usual(2_000_000), usual(2_000_001)]);
    assert_eq!(one[0], COMPACT);
    assert!(one.len() <= 48, "{} bytes", one.len());
    assert!(two.len() - one.len() <= 24, "{} bytes for one more", two.len() - one.len());
    let merged = ItemRecord { id: 1, merged_into: Some(2), ..ItemRecord::default() };
    let record = ChangeRecord { item: Some(merged.clone()), ..ChangeRecord::default() };
    let merged = item_from(merged).expect("an item");
    let row = ChangeRow { item: Some(&merged), ..ChangeRow::default() };
    assert_eq!(reads_as(&row, &record)[0], PLAIN);
}

#[test]
fn a_flag_that_came_later_is_refused() {
    let mut bytes = encode(1, &HeadRecord { version: Some(PlaceRecord::default()), last: None });
    bytes[2] |= 0x40;
    assert!(decode::<HeadRecord>(Table::Items, &bytes).is_err());
}
