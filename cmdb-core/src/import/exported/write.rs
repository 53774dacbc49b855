//! Exported things as lines of JSON. Fields stand in the order in which a person reads them; what is empty is left out.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::waiting::WaitingLine;
use super::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, Header, LeftOut,
};
use crate::import::value::{Moment, Outgoing, OutgoingMap};
use crate::model::ItemId;
use crate::model::item::{Identification, Method, Pin, Purged};

/// The line, without its end.
///
/// # Panics
/// Never: everything that can be held can be written.
#[must_use]
pub fn write_line(exported: &Exported) -> String {
    serde_json::to_string(&Line(exported)).expect("everything that can be held can be written")
}

struct Line<'e>(&'e Exported);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(1))?;
        match self.0 {
            Exported::Header(header) => line.serialize_entry("export", &HeaderLine::of(header))?,
            Exported::Source(source) => line.serialize_entry("source", &SourceLine::of(source))?,
            Exported::Item(item) => line.serialize_entry("item", &ItemLine::of(item))?,
            Exported::Relationship(relationship) => {
                line.serialize_entry("relationship", &RelationshipLine::of(relationship))?;
            }
            Exported::Waiting(waiting) => line.serialize_entry("waiting", &WaitingLine::of(waiting))?,
        }
        line.end()
    }
}

/// For serde: leaves out what is false.
pub(super) fn is_false(truth: &bool) -> bool {
    !truth
}

pub(super) fn is_one(number: &Number) -> bool {
    number.0.to_bits() == 1.0_f64.to_bits()
}

#[derive(Serialize)]
struct HeaderLine {
    format: u64,
    revision: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOutLine>,
}

#[derive(Serialize)]
struct LeftOutLine {
    waiting: u64,
    matched: u64,
}

impl HeaderLine {
    fn of(header: &Header) -> HeaderLine {
        let left_out = |left: LeftOut| LeftOutLine { waiting: left.waiting, matched: left.matched };
        HeaderLine {
            format: header.format,
            revision: header.revision.0,
            left_out: header.left_out.map(left_out),
        }
    }
}

#[derive(Serialize)]
struct SourceLine<'e> {
    name: &'e str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'e str,
}

impl SourceLine<'_> {
    fn of(source: &ExportedSource) -> SourceLine<'_> {
        SourceLine {
            name: &source.name,
            kind: source.kind.name(),
            title: &source.title,
            version: &source.version,
        }
    }
}

/// A number that may be what JSON has no number for.
pub(super) struct Number(pub(super) f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Outgoing(&crate::model::Value::Float(self.0)).serialize(serializer)
    }
}

#[derive(Serialize)]
struct ItemLine<'e> {
    id: String,
    class: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'e str,
    status: &'static str,
    status_since: Moment,
    first_seen: Moment,
    claims: Vec<ItemClaimLine<'e>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupLine<'e>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    duplicates: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged_into: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    distinct_from: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purged: Vec<PurgedLine<'e>>,
}

#[derive(Serialize)]
struct PurgedLine<'e> {
    attribute: &'e str,
    revision: u64,
    by: &'e str,
    at: Moment,
    reason: &'e str,
    #[serde(skip_serializing_if = "is_false")]
    suppressed: bool,
}

impl PurgedLine<'_> {
    fn of<'e>((attribute, purged): (&'e String, &'e Purged)) -> PurgedLine<'e> {
        PurgedLine {
            attribute,
            revision: purged.revision.0,
            by: &purged.by,
            at: Moment(purged.at),
            reason: &purged.reason,
            suppressed: purged.suppressed,
        }
    }
}

impl ItemLine<'_> {
    fn of(item: &ExportedItem) -> ItemLine<'_> {
        ItemLine {
            id: item.id.to_string(),
            class: &item.class,
            name: &item.name,
            status: item.status.name(),
            status_since: Moment(item.status_since),
            first_seen: Moment(item.first_seen),
            claims: item.claims.iter().map(ItemClaimLine::of).collect(),
            groups: item.groups.iter().map(GroupLine::of).collect(),
            duplicates: ids(&item.duplicates),
            merged_into: item.merged_into.map(|id| id.to_string()),
            distinct_from: ids(&item.distinct_from),
            purged: item.purged.iter().map(PurgedLine::of).collect(),
        }
    }
}

fn ids(ids: &[ItemId]) -> Vec<String> {
    ids.iter().map(ItemId::to_string).collect()
}

#[derive(Serialize)]
struct ItemClaimLine<'e> {
    source: &'e str,
    key: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    class: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'e str,
    attributes: std::collections::BTreeMap<&'e str, Outgoing<'e>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effective: Vec<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<String>,
    first_seen: Moment,
    observed_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<Moment>,
    identification: IdentificationLine<'e>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stale: Vec<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nulls: Vec<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pins: Vec<PinLine<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    otherwise_at: Option<Moment>,
}

#[derive(Serialize)]
struct PinLine<'e> {
    attribute: &'e str,
    since: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Moment>,
    reason: &'e str,
}

impl PinLine<'_> {
    fn of<'e>((attribute, pin): (&'e String, &'e Pin)) -> PinLine<'e> {
        PinLine { attribute, since: Moment(pin.since), until: pin.until.map(Moment), reason: &pin.reason }
    }
}

impl ItemClaimLine<'_> {
    fn of(claim: &ExportedItemClaim) -> ItemClaimLine<'_> {
        let stated = claim.attributes.iter();
        ItemClaimLine {
            source: &claim.source,
            key: &claim.key,
            scope: &claim.scope,
            class: &claim.class,
            name: &claim.name,
            attributes: stated
                .clone()
                .map(|(name, stated)| (name.as_str(), Outgoing(&stated.value)))
                .collect(),
            effective: stated.filter(|(_, stated)| stated.effective).map(|(name, _)| name.as_str()).collect(),
            within: claim.within.map(|item| item.to_string()),
            first_seen: Moment(claim.first_seen),
            observed_at: Moment(claim.observed_at),
            withdrawn_at: claim.withdrawn_at.map(Moment),
            identification: IdentificationLine::of(&claim.identification),
            stale: claim.marks.stale.iter().map(String::as_str).collect(),
            nulls: claim.marks.nulls.iter().map(String::as_str).collect(),
            pins: claim.marks.pins.iter().map(PinLine::of).collect(),
            otherwise_at: claim.marks.otherwise_at.map(Moment),
        }
    }
}

#[derive(Serialize)]
struct IdentificationLine<'e> {
    method: &'static str,
    #[serde(skip_serializing_if = "slice_is_empty")]
    rule: &'e [String],
    #[serde(skip_serializing_if = "slice_is_empty")]
    values: &'e [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates: Vec<String>,
    #[serde(skip_serializing_if = "slice_is_empty")]
    skipped: &'e [String],
}

pub(super) fn slice_is_empty(slice: &[String]) -> bool {
    slice.is_empty()
}

impl IdentificationLine<'_> {
    fn of(identification: &Identification) -> IdentificationLine<'_> {
        IdentificationLine {
            method: method_name(identification.method),
            rule: &identification.rule,
            values: &identification.values,
            candidates: ids(&identification.candidates),
            skipped: &identification.skipped,
        }
    }
}

/// How a method of identification is written.
pub(super) fn method_name(method: Method) -> &'static str {
    match method {
        Method::Key => "key",
        Method::Rule => "rule",
        Method::New => "new",
        Method::Named => "named",
        Method::Duplicate => "duplicate",
        Method::Clone => "clone",
    }
}

#[derive(Serialize)]
struct GroupLine<'e> {
    name: &'e str,
    require: String,
    #[serde(skip_serializing_if = "is_false")]
    inferred: bool,
    #[serde(skip_serializing_if = "is_one")]
    confidence: Number,
    source: &'e str,
    key: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    evidence: &'e str,
    #[serde(skip_serializing_if = "is_false")]
    rejected: bool,
}

impl GroupLine<'_> {
    fn of(group: &ExportedGroup) -> GroupLine<'_> {
        GroupLine {
            name: &group.name,
            require: group.require.to_string(),
            inferred: group.inferred,
            confidence: Number(group.confidence),
            source: &group.source,
            key: &group.key,
            evidence: &group.evidence,
            rejected: group.rejected,
        }
    }
}

#[derive(Serialize)]
struct RelationshipLine<'e> {
    from: String,
    #[serde(rename = "type")]
    kind: &'e str,
    to: String,
    status: &'static str,
    status_since: Moment,
    #[serde(skip_serializing_if = "is_false")]
    denied: bool,
    first_seen: Moment,
    effective: usize,
    /// None: the effective claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    grouped_by: Option<usize>,
    claims: Vec<RelationshipClaimLine<'e>>,
}

impl RelationshipLine<'_> {
    fn of(relationship: &ExportedRelationship) -> RelationshipLine<'_> {
        RelationshipLine {
            from: relationship.from.to_string(),
            kind: &relationship.kind,
            to: relationship.to.to_string(),
            status: relationship.status.name(),
            status_since: Moment(relationship.status_since),
            denied: relationship.denied,
            first_seen: Moment(relationship.first_seen),
            effective: relationship.effective,
            grouped_by: Some(relationship.grouped_by).filter(|place| *place != relationship.effective),
            claims: relationship.claims.iter().map(RelationshipClaimLine::of).collect(),
        }
    }
}

/// What is said of a relationship, by whomever and of whichever ends.
#[derive(Serialize)]
pub(super) struct SaidLine<'e> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) group: &'e str,
    #[serde(skip_serializing_if = "is_one")]
    pub(super) weight: Number,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) inferred: bool,
    #[serde(skip_serializing_if = "is_one")]
    pub(super) confidence: Number,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) denied: bool,
    #[serde(skip_serializing_if = "OutgoingMap::is_empty")]
    pub(super) attributes: OutgoingMap<'e>,
}

#[derive(Serialize)]
pub(super) struct RelationshipClaimLine<'e> {
    source: &'e str,
    #[serde(skip_serializing_if = "is_item")]
    unit: &'static str,
    key: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
    #[serde(flatten)]
    said: SaidLine<'e>,
    first_seen: Moment,
    observed_at: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn_at: Option<Moment>,
}

impl RelationshipClaimLine<'_> {
    pub(super) fn of(claim: &ExportedRelationshipClaim) -> RelationshipClaimLine<'_> {
        RelationshipClaimLine {
            source: &claim.source,
            unit: claim.unit.name(),
            key: &claim.key,
            scope: &claim.scope,
            said: SaidLine {
                group: &claim.group,
                weight: Number(claim.weight),
                inferred: claim.inferred,
                confidence: Number(claim.confidence),
                denied: claim.denied,
                attributes: OutgoingMap(&claim.attributes),
            },
            first_seen: Moment(claim.first_seen),
            observed_at: Moment(claim.observed_at),
            withdrawn_at: claim.withdrawn_at.map(Moment),
        }
    }
}

pub(super) fn is_item(unit: &str) -> bool {
    unit == crate::model::UnitKind::Item.name()
}
