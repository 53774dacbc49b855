//! Items with their claims, attributes and values.

use super::super::convert::{method_number, status_number};
use super::super::value_record_kind::Kind;
use super::super::{
    AttributeRecord, IdentificationRecord, ItemClaimRecord, ItemRecord, ListRecord, MapRecord, ValueRecord,
};
use super::bytes::{Flags, Reader, Writer};
use super::{Compact, Write};
use crate::model::item::{Identification, ItemClaimState, Marks, Stated};
use crate::model::value::Attributes;
use crate::model::{Item, Value};

// Of an item.
const HAS_STATUS: u32 = 0;
const SEEN_BEFORE: u32 = 1;
const NOT_ONE_CLAIM: u32 = 2;
const FLAGS: u32 = 3;

// Of a claim.
const WITHIN: u32 = 0;
const WITHDRAWN: u32 = 1;
const OTHER_TIMES: u32 = 2;
const NEVER_OTHERWISE: u32 = 3;
const OTHERWISE: u32 = 4;
const CLAIM_FLAGS: u32 = 5;

// Of an identification; the method takes the first three bits.
const METHOD_MAX: u32 = 7;
const HAS_RULE: u32 = 3;
const HAS_CANDIDATES: u32 = 4;
const HAS_SKIPPED: u32 = 5;
const IDENTIFICATION_FLAGS: u32 = 6;

/// Lists within lists that are read; none that is written comes near.
const DEPTH_MAX: u32 = 64;

impl Write for Item {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let Item { groups, duplicates, merged_into, distinct_from, purged, .. } = self;
        let usual = groups.is_empty()
            && duplicates.is_empty()
            && merged_into.is_none()
            && distinct_from.is_empty()
            && purged.is_empty();
        if !usual {
            return None;
        }
        let status = status_number(self.status);
        let flags = Flags::default()
            .with(HAS_STATUS, status != 0)
            .with(SEEN_BEFORE, self.first_seen != self.status_since)
            .with(NOT_ONE_CLAIM, self.claims.len() != 1);
        to.number(flags.0);
        to.number(self.id.0);
        to.text(&self.class);
        to.text(&self.name);
        if flags.has(HAS_STATUS) {
            to.number(status.into());
        }
        to.moment(self.status_since.0);
        if flags.has(SEEN_BEFORE) {
            to.moment(self.first_seen.0);
        }
        if flags.has(NOT_ONE_CLAIM) {
            to.count(self.claims.len());
        }
        self.claims.iter().try_for_each(|claim| claim.write(to))
    }
}

impl Compact for ItemRecord {
    fn read(from: &mut Reader<'_>) -> Option<ItemRecord> {
        let flags = Flags(from.number()?).within(FLAGS)?;
        let mut item = ItemRecord {
            id: from.number()?,
            class: from.text()?,
            name: from.text()?,
            ..ItemRecord::default()
        };
        if flags.has(HAS_STATUS) {
            item.status = from.small()?;
        }
        item.status_since_us = from.moment()?;
        item.first_seen_us = if flags.has(SEEN_BEFORE) { from.moment()? } else { item.status_since_us };
        let claims = if flags.has(NOT_ONE_CLAIM) { from.count()? } else { 1 };
        item.claims = (0..claims).map(|_| ItemClaimRecord::read(from)).collect::<Option<_>>()?;
        Some(item)
    }
}

impl Write for ItemClaimState {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let Marks { stale, nulls, pins, otherwise_at } = &self.marks;
        if !(stale.is_empty() && nulls.is_empty() && pins.is_empty()) {
            return None;
        }
        let (last, otherwise) = (to.last_moment(), otherwise_at.map(|at| at.0));
        let flags = Flags::default()
            .with(WITHIN, self.within.is_some())
            .with(WITHDRAWN, self.withdrawn_at.is_some())
            .with(OTHER_TIMES, self.first_seen.0 != last || self.observed_at.0 != last)
            .with(NEVER_OTHERWISE, otherwise == Some(0))
            .with(OTHERWISE, otherwise.is_some_and(|at| at != 0));
        to.number(flags.0);
        to.number(self.source.0.into());
        to.text(&self.key);
        to.text(&self.scope);
        to.text(&self.class);
        to.text(&self.name);
        to.count(self.attributes.len());
        for (name, Stated { value, effective }) in &self.attributes {
            to.text(name);
            write_value(value, u64::from(*effective), to);
        }
        if let Some(host) = self.within {
            to.number(host.0);
        }
        if flags.has(OTHER_TIMES) {
            to.moment(self.first_seen.0);
            to.moment(self.observed_at.0);
        }
        if let Some(at) = self.withdrawn_at {
            to.moment(at.0);
        }
        if let Some(at) = otherwise.filter(|_| flags.has(OTHERWISE)) {
            to.moment(at);
        }
        write_identification(&self.identification, to);
        Some(())
    }
}

impl Compact for ItemClaimRecord {
    fn read(from: &mut Reader<'_>) -> Option<ItemClaimRecord> {
        let flags = Flags(from.number()?).within(CLAIM_FLAGS)?;
        let last = from.last_moment();
        let mut claim = ItemClaimRecord {
            source: from.small()?,
            key: from.text()?,
            scope: from.text()?,
            class: from.text()?,
            name: from.text()?,
            attributes: read_attributes(from)?,
            otherwise_us: flags.has(NEVER_OTHERWISE).then_some(0),
            ..ItemClaimRecord::default()
        };
        if flags.has(WITHIN) {
            claim.within = Some(from.number()?);
        }
        claim.first_seen_us = last;
        claim.observed_at_us = last;
        if flags.has(OTHER_TIMES) {
            claim.first_seen_us = from.moment()?;
            claim.observed_at_us = from.moment()?;
        }
        if flags.has(WITHDRAWN) {
            claim.withdrawn_at_us = Some(from.moment()?);
        }
        if flags.has(OTHERWISE) {
            claim.otherwise_us = Some(from.moment()?);
        }
        claim.identification = Some(IdentificationRecord::read(from)?);
        Some(claim)
    }
}

fn write_identification<'a>(identification: &'a Identification, to: &mut Writer<'a>) {
    let Identification { method, rule, values, candidates, skipped } = identification;
    let flags = Flags(method_number(*method).into())
        .with(HAS_RULE, !(rule.is_empty() && values.is_empty()))
        .with(HAS_CANDIDATES, !candidates.is_empty())
        .with(HAS_SKIPPED, !skipped.is_empty());
    to.number(flags.0);
    if flags.has(HAS_RULE) {
        write_texts(rule, to);
        write_texts(values, to);
    }
    if flags.has(HAS_CANDIDATES) {
        to.count(candidates.len());
        candidates.iter().for_each(|id| to.number(id.0));
    }
    if flags.has(HAS_SKIPPED) {
        write_texts(skipped, to);
    }
}

impl Compact for IdentificationRecord {
    fn read(from: &mut Reader<'_>) -> Option<IdentificationRecord> {
        let flags = Flags(from.number()?).within(IDENTIFICATION_FLAGS)?;
        let mut identification = IdentificationRecord {
            method: u32::try_from(flags.0).ok()? & METHOD_MAX,
            ..IdentificationRecord::default()
        };
        if flags.has(HAS_RULE) {
            identification.rule = read_texts(from)?;
            identification.values = read_texts(from)?;
        }
        if flags.has(HAS_CANDIDATES) {
            let count = from.count()?;
            identification.candidates = (0..count).map(|_| from.number()).collect::<Option<_>>()?;
        }
        if flags.has(HAS_SKIPPED) {
            identification.skipped = read_texts(from)?;
        }
        Some(identification)
    }
}

fn write_texts<'a>(texts: &'a [String], to: &mut Writer<'a>) {
    to.count(texts.len());
    texts.iter().for_each(|text| to.text(text));
}

fn read_texts(from: &mut Reader<'_>) -> Option<Vec<String>> {
    let count = from.count()?;
    (0..count).map(|_| from.text()).collect()
}

/// Name, kind of the value with whether it is effective, value; here none is.
pub(super) fn write_plain<'a>(attributes: &'a Attributes, to: &mut Writer<'a>) {
    to.count(attributes.len());
    for (name, value) in attributes {
        to.text(name);
        write_value(value, 0, to);
    }
}

pub(super) fn read_attributes(from: &mut Reader<'_>) -> Option<Vec<AttributeRecord>> {
    attributes_at(from, DEPTH_MAX)
}

fn attributes_at(from: &mut Reader<'_>, depth: u32) -> Option<Vec<AttributeRecord>> {
    let count = from.count()?;
    (0..count)
        .map(|_| {
            let name = from.text()?;
            let (value, mark) = read_value(from, depth)?;
            Some(AttributeRecord { name, value: Some(value), effective: mark })
        })
        .collect()
}

/// The kinds of values, by their number in the mark: its first bit is the caller's.
const TEXT: u64 = 0;
const INTEGER: u64 = 1;
const FLOAT: u64 = 2;
const FALSE: u64 = 3;
const TRUE: u64 = 4;
const MOMENT: u64 = 5;
const LENGTH: u64 = 6;
const BYTES: u64 = 7;
const LIST: u64 = 8;
const MAP: u64 = 9;

fn write_value<'a>(value: &'a Value, bit: u64, to: &mut Writer<'a>) {
    let number = match value {
        Value::Text(_) => TEXT,
        Value::Integer(_) => INTEGER,
        Value::Float(_) => FLOAT,
        Value::Boolean(false) => FALSE,
        Value::Boolean(true) => TRUE,
        Value::Timestamp(_) => MOMENT,
        Value::DurationUs(_) => LENGTH,
        Value::Bytes(_) => BYTES,
        Value::List(_) => LIST,
        Value::Map(_) => MAP,
    };
    to.number(number << 1 | bit);
    match value {
        Value::Text(text) => to.text(text),
        Value::Integer(number) | Value::DurationUs(number) => to.signed(*number),
        Value::Float(number) => to.float(*number),
        Value::Boolean(_) => {}
        Value::Timestamp(moment) => to.moment(moment.0),
        Value::Bytes(bytes) => to.all(bytes),
        Value::List(values) => {
            to.count(values.len());
            values.iter().for_each(|value| write_value(value, 0, to));
        }
        Value::Map(values) => write_plain(values, to),
    }
}

fn read_value(from: &mut Reader<'_>, depth: u32) -> Option<(ValueRecord, bool)> {
    let mark = from.number()?;
    let depth = depth.checked_sub(1)?;
    let kind = match mark >> 1 {
        TEXT => Kind::Text(from.text()?),
        INTEGER => Kind::Integer(from.signed()?),
        FLOAT => Kind::Float(from.float()?),
        FALSE => Kind::Boolean(false),
        TRUE => Kind::Boolean(true),
        MOMENT => Kind::TimestampUs(from.moment()?),
        LENGTH => Kind::DurationUs(from.signed()?),
        BYTES => Kind::Bytes(from.all()?.to_vec()),
        LIST => {
            let count = from.count()?;
            let values = (0..count).map(|_| Some(read_value(from, depth)?.0)).collect::<Option<_>>()?;
            Kind::List(ListRecord { values })
        }
        MAP => Kind::Map(MapRecord { entries: attributes_at(from, depth)? }),
        _ => return None,
    };
    Some((ValueRecord { kind: Some(kind) }, mark & 1 == 1))
}
