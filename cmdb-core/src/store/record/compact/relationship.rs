//! Relationships: a byte of flags, type and ends; a claim that is as usual adds its key and little more.

use super::super::convert::{status_number, unit_kind_number};
use super::super::{RelationshipClaimRecord, RelationshipRecord};
use super::bytes::{Flags, Reader, Writer};
use super::item::{read_attributes, write_plain};
use super::{Compact, Write};
use crate::model::Relationship;
use crate::model::relationship::RelationshipClaimState;

// Of a relationship.
const HAS_STATUS: u32 = 0;
const DENIED: u32 = 1;
const SEEN_BEFORE: u32 = 2;
const HAS_EFFECTIVE: u32 = 3;
const HAS_GROUPED_BY: u32 = 4;
const NOT_ONE_CLAIM: u32 = 5;
const FLAGS: u32 = 6;

// Of a claim; the kind of its unit takes the first two bits.
const UNIT_KIND_MAX: u32 = 3;
const INFERRED: u32 = 2;
const HAS_CONFIDENCE: u32 = 3;
const HAS_GROUP: u32 = 4;
const WITHDRAWN: u32 = 5;
const OTHER_TIMES: u32 = 6;
const HAS_WEIGHT: u32 = 7;
const CLAIM_DENIED: u32 = 8;
const HAS_ATTRIBUTES: u32 = 9;
const CLAIM_FLAGS: u32 = 10;

/// Weight and confidence where nobody says otherwise.
const USUAL: f64 = 1.0;

fn is_usual(number: f64) -> bool {
    number.to_bits() == USUAL.to_bits()
}

impl Write for Relationship {
    fn write<'a>(&'a self, to: &mut Writer<'a>) -> Option<()> {
        let status = status_number(self.status);
        let flags = Flags::default()
            .with(HAS_STATUS, status != 0)
            .with(DENIED, self.denied)
            .with(SEEN_BEFORE, self.first_seen != self.status_since)
            .with(HAS_EFFECTIVE, self.effective != 0)
            .with(HAS_GROUPED_BY, self.grouped_by != self.effective)
            .with(NOT_ONE_CLAIM, self.claims.len() != 1);
        to.number(flags.0);
        to.number(self.from.0);
        to.text(&self.kind);
        to.number(self.to.0);
        if flags.has(HAS_STATUS) {
            to.number(status.into());
        }
        to.moment(self.status_since.0);
        if flags.has(SEEN_BEFORE) {
            to.moment(self.first_seen.0);
        }
        if flags.has(HAS_EFFECTIVE) {
            to.count(self.effective);
        }
        if flags.has(HAS_GROUPED_BY) {
            to.count(self.grouped_by);
        }
        if flags.has(NOT_ONE_CLAIM) {
            to.count(self.claims.len());
        }
        self.claims.iter().for_each(|claim| write_claim(claim, &self.kind, to));
        Some(())
    }
}

impl Compact for RelationshipRecord {
    fn read(from: &mut Reader<'_>) -> Option<RelationshipRecord> {
        let flags = Flags(from.number()?).within(FLAGS)?;
        let mut record = RelationshipRecord {
            from: from.number()?,
            kind: from.text()?,
            to: from.number()?,
            denied: flags.has(DENIED),
            ..RelationshipRecord::default()
        };
        if flags.has(HAS_STATUS) {
            record.status = from.small()?;
        }
        record.status_since_us = from.moment()?;
        record.first_seen_us = if flags.has(SEEN_BEFORE) { from.moment()? } else { record.status_since_us };
        if flags.has(HAS_EFFECTIVE) {
            record.effective = from.small()?;
        }
        if flags.has(HAS_GROUPED_BY) {
            record.grouped_by = Some(from.small()?);
        }
        let claims = if flags.has(NOT_ONE_CLAIM) { from.count()? } else { 1 };
        record.claims = (0..claims).map(|_| read_claim(from)).collect::<Option<_>>()?;
        Some(record)
    }
}

fn write_claim<'a>(claim: &'a RelationshipClaimState, kind: &str, to: &mut Writer<'a>) {
    let last = to.last_moment();
    let flags = Flags(unit_kind_number(claim.unit).into())
        .with(INFERRED, claim.inferred)
        .with(HAS_CONFIDENCE, !is_usual(claim.confidence))
        .with(HAS_GROUP, !claim.group.is_empty())
        .with(WITHDRAWN, claim.withdrawn_at.is_some())
        .with(OTHER_TIMES, claim.first_seen.0 != last || claim.observed_at.0 != last)
        .with(HAS_WEIGHT, !is_usual(claim.weight))
        .with(CLAIM_DENIED, claim.denied)
        .with(HAS_ATTRIBUTES, !claim.attributes.is_empty());
    to.number(flags.0);
    to.number(claim.source.0.into());
    to.key(&claim.key, kind);
    to.text(&claim.scope);
    if flags.has(HAS_CONFIDENCE) {
        to.float(claim.confidence);
    }
    if flags.has(HAS_GROUP) {
        to.text(&claim.group);
    }
    if flags.has(HAS_WEIGHT) {
        to.float(claim.weight);
    }
    if flags.has(HAS_ATTRIBUTES) {
        write_plain(&claim.attributes, to);
    }
    if flags.has(OTHER_TIMES) {
        to.moment(claim.first_seen.0);
        to.moment(claim.observed_at.0);
    }
    if let Some(at) = claim.withdrawn_at {
        to.moment(at.0);
    }
}

fn read_claim(from: &mut Reader<'_>) -> Option<RelationshipClaimRecord> {
    let flags = Flags(from.number()?).within(CLAIM_FLAGS)?;
    let last = from.last_moment();
    let mut claim = RelationshipClaimRecord {
        unit_kind: u32::try_from(flags.0).ok()? & UNIT_KIND_MAX,
        source: from.small()?,
        key: from.text()?,
        scope: from.text()?,
        inferred: flags.has(INFERRED),
        denied: flags.has(CLAIM_DENIED),
        confidence: USUAL,
        weight: USUAL,
        ..RelationshipClaimRecord::default()
    };
    if flags.has(HAS_CONFIDENCE) {
        claim.confidence = from.float()?;
    }
    if flags.has(HAS_GROUP) {
        claim.group = from.text()?;
    }
    if flags.has(HAS_WEIGHT) {
        claim.weight = from.float()?;
    }
    if flags.has(HAS_ATTRIBUTES) {
        claim.attributes = read_attributes(from)?;
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
    Some(claim)
}
