//! A claim that waits, word for word as its source stated it.
//!
//! Only machines' claims wait, and these pin nothing, so pins are not kept.

use prost::Message;

use super::{AttributeRecord, plain_from, plain_records, unit_kind_from, unit_kind_number};
use crate::claim::{Claim, ItemClaim, Match, RedundancyClaim, Reference, RelationshipClaim};
use crate::model::ItemId;
use crate::store::{StoreError, Table};

/// A claim.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as claim::Claim")]
pub struct ClaimRecord {
    #[prost(uint32, tag = "1")]
    pub unit_kind: u32,
    #[prost(string, tag = "2")]
    pub key: String,
    #[prost(message, optional, tag = "3")]
    pub item: Option<ItemPartRecord>,
    #[prost(message, repeated, tag = "4")]
    pub relationships: Vec<RelationshipPartRecord>,
    #[prost(message, repeated, tag = "5")]
    pub redundancies: Vec<RedundancyPartRecord>,
}

/// What it says of the item.
#[derive(Clone, PartialEq, Message)]
pub struct ItemPartRecord {
    #[prost(string, tag = "1")]
    pub class: String,
    #[prost(string, tag = "2")]
    pub name: String,
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<AttributeRecord>,
    #[prost(string, repeated, tag = "4")]
    pub cleared: Vec<String>,
    #[prost(message, optional, tag = "5")]
    pub within: Option<ReferenceRecord>,
}

/// How it names an item; which way the first number says.
#[derive(Clone, PartialEq, Message)]
#[expect(missing_docs, reason = "as claim::Reference")]
pub struct ReferenceRecord {
    #[prost(uint32, tag = "1")]
    pub way: u32,
    #[prost(string, tag = "2")]
    pub source: String,
    #[prost(string, tag = "3")]
    pub key: String,
    #[prost(uint64, tag = "4")]
    pub id: u64,
    #[prost(string, tag = "5")]
    pub class: String,
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<AttributeRecord>,
}

/// What it says of a relationship.
#[derive(Clone, PartialEq, Message)]
pub struct RelationshipPartRecord {
    #[prost(message, optional, tag = "1")]
    pub from: Option<ReferenceRecord>,
    #[prost(string, tag = "2")]
    pub kind: String,
    #[prost(message, optional, tag = "3")]
    pub to: Option<ReferenceRecord>,
    #[prost(string, tag = "4")]
    pub group: String,
    #[prost(double, tag = "5")]
    pub weight: f64,
    #[prost(bool, tag = "6")]
    pub inferred: bool,
    #[prost(double, tag = "7")]
    pub confidence: f64,
    #[prost(bool, tag = "8")]
    pub denied: bool,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<AttributeRecord>,
}

/// What it says of a redundancy group.
#[derive(Clone, PartialEq, Message)]
pub struct RedundancyPartRecord {
    #[prost(message, optional, tag = "1")]
    pub item: Option<ReferenceRecord>,
    #[prost(string, tag = "2")]
    pub group: String,
    #[prost(string, tag = "3")]
    pub require: String,
    #[prost(bool, tag = "4")]
    pub inferred: bool,
    #[prost(double, tag = "5")]
    pub confidence: f64,
    #[prost(string, tag = "6")]
    pub evidence: String,
    #[prost(bool, tag = "7")]
    pub rejected: bool,
}

const THIS: u32 = 0;
const KEY: u32 = 1;
const SOURCE_KEY: u32 = 2;
const MATCH: u32 = 3;
const ID: u32 = 4;

fn damaged(detail: impl Into<String>) -> StoreError {
    StoreError::Damaged { table: Table::Matches.name(), detail: detail.into() }
}

/// A claim as a record.
#[must_use]
pub fn claim_record(claim: &Claim) -> ClaimRecord {
    ClaimRecord {
        unit_kind: unit_kind_number(claim.kind),
        key: claim.key.clone(),
        item: claim.item.as_ref().map(|item| ItemPartRecord {
            class: item.class.clone(),
            name: item.name.clone(),
            attributes: plain_records(&item.attributes),
            cleared: item.cleared.clone(),
            within: item.within.as_ref().map(reference_record),
        }),
        relationships: claim.relationships.iter().map(relationship_record).collect(),
        redundancies: claim.redundancies.iter().map(redundancy_record).collect(),
    }
}

/// A reference as a record.
#[must_use]
pub fn reference_record(reference: &Reference) -> ReferenceRecord {
    match reference {
        Reference::This => ReferenceRecord { way: THIS, ..ReferenceRecord::default() },
        Reference::Key(key) => ReferenceRecord { way: KEY, key: key.clone(), ..ReferenceRecord::default() },
        Reference::SourceKey { source, key } => ReferenceRecord {
            way: SOURCE_KEY,
            source: source.clone(),
            key: key.clone(),
            ..ReferenceRecord::default()
        },
        Reference::Match(wanted) => ReferenceRecord {
            way: MATCH,
            class: wanted.class.clone(),
            attributes: plain_records(&wanted.attributes),
            ..ReferenceRecord::default()
        },
        Reference::Id(id) => ReferenceRecord { way: ID, id: id.0, ..ReferenceRecord::default() },
    }
}

fn relationship_record(claim: &RelationshipClaim) -> RelationshipPartRecord {
    RelationshipPartRecord {
        from: Some(reference_record(&claim.from)),
        kind: claim.kind.clone(),
        to: Some(reference_record(&claim.to)),
        group: claim.group.clone(),
        weight: claim.weight,
        inferred: claim.inferred,
        confidence: claim.confidence,
        denied: claim.denied,
        attributes: plain_records(&claim.attributes),
    }
}

fn redundancy_record(claim: &RedundancyClaim) -> RedundancyPartRecord {
    RedundancyPartRecord {
        item: Some(reference_record(&claim.item)),
        group: claim.group.clone(),
        require: claim.require.to_string(),
        inferred: claim.inferred,
        confidence: claim.confidence,
        evidence: claim.evidence.clone(),
        rejected: claim.rejected,
    }
}

/// A claim from its record.
///
/// # Errors
/// When the record says what this program does not know.
pub fn claim_from(record: ClaimRecord) -> Result<Claim, StoreError> {
    let item = match record.item {
        Some(item) => Some(ItemClaim {
            class: item.class,
            name: item.name,
            attributes: plain_from(item.attributes)?,
            cleared: item.cleared,
            within: item.within.map(reference_from).transpose()?,
            ..ItemClaim::default()
        }),
        None => None,
    };
    Ok(Claim {
        kind: unit_kind_from(record.unit_kind)?,
        key: record.key,
        item,
        relationships: record.relationships.into_iter().map(relationship_from).collect::<Result<_, _>>()?,
        redundancies: record.redundancies.into_iter().map(redundancy_from).collect::<Result<_, _>>()?,
    })
}

/// A reference from its record.
///
/// # Errors
/// When the record says what this program does not know.
pub fn reference_from(record: ReferenceRecord) -> Result<Reference, StoreError> {
    Ok(match record.way {
        THIS => Reference::This,
        KEY => Reference::Key(record.key),
        SOURCE_KEY => Reference::SourceKey { source: record.source, key: record.key },
        MATCH => Reference::Match(Match { class: record.class, attributes: plain_from(record.attributes)? }),
        ID => Reference::Id(ItemId(record.id)),
        other => return Err(damaged(format!("a reference of way {other}"))),
    })
}

fn end_from(record: Option<ReferenceRecord>) -> Result<Reference, StoreError> {
    record.map_or(Ok(Reference::This), reference_from)
}

fn relationship_from(record: RelationshipPartRecord) -> Result<RelationshipClaim, StoreError> {
    Ok(RelationshipClaim {
        from: end_from(record.from)?,
        kind: record.kind,
        to: end_from(record.to)?,
        group: record.group,
        weight: record.weight,
        inferred: record.inferred,
        confidence: record.confidence,
        denied: record.denied,
        attributes: plain_from(record.attributes)?,
    })
}

fn redundancy_from(record: RedundancyPartRecord) -> Result<RedundancyClaim, StoreError> {
    Ok(RedundancyClaim {
        item: end_from(record.item)?,
        require: record.require.parse().map_err(|_| damaged(format!("require {}", record.require)))?,
        group: record.group,
        inferred: record.inferred,
        confidence: record.confidence,
        evidence: record.evidence,
        rejected: record.rejected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;
    use crate::model::unit::UnitKind;

    #[test]
    fn a_claim_comes_back_as_it_was() {
        let wanted = Match {
            class: "server".to_owned(),
            attributes: [("host_name".to_owned(), Value::Text("db01".to_owned()))].into(),
        };
        let ends = [
            Reference::This,
            Reference::Key("k".to_owned()),
            Reference::SourceKey { source: "s".to_owned(), key: "k".to_owned() },
            Reference::Match(wanted),
            Reference::Id(ItemId(7)),
        ];
        let related = |to: &Reference| RelationshipClaim {
            from: Reference::This,
            kind: "depends_on".to_owned(),
            to: to.clone(),
            group: "g".to_owned(),
            weight: 2.0,
            inferred: true,
            confidence: 0.6,
            denied: false,
            attributes: [("note".to_owned(), Value::Boolean(true))].into(),
        };
        let claim = Claim {
            kind: UnitKind::Item,
            key: "db".to_owned(),
            item: Some(ItemClaim {
                class: "database_instance".to_owned(),
                name: "db".to_owned(),
                attributes: [("port".to_owned(), Value::Integer(5432))].into(),
                cleared: vec!["version".to_owned()],
                within: Some(Reference::Key("os".to_owned())),
                ..ItemClaim::default()
            }),
            relationships: ends.iter().map(related).collect(),
            redundancies: vec![RedundancyClaim {
                item: Reference::This,
                group: "g".to_owned(),
                require: "at_least 2".parse().expect("a requirement"),
                inferred: false,
                confidence: 1.0,
                evidence: "seen twice".to_owned(),
                rejected: true,
            }],
        };
        let bytes = claim_record(&claim).encode_to_vec();
        let record = ClaimRecord::decode(bytes.as_slice()).expect("decodes");
        assert_eq!(claim_from(record).expect("known"), claim);
    }
}
