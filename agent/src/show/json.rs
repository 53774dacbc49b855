//! A report as a program reads it: one object, claims with natural JSON values.

use cmdb_proto::v1;
use serde_json::{Map, Value, json};

use super::key_of;
use super::time::rfc3339;
use crate::scan::Scan;

/// The report as one JSON object.
pub fn json(scan: &Scan) -> Value {
    let report = scan.seal();
    let sections: Vec<Value> = scan
        .sections
        .iter()
        .map(|section| {
            let reason = section.incomplete_reason();
            json!({
                "scope": section.scope().as_str(),
                "complete": reason.is_none(),
                "incomplete_reason": reason,
                "entries": section.claims().map(|one| claim(&one)).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "agent_version": env!("CARGO_PKG_VERSION"),
        "observed_at": rfc3339(scan.observed_at_us),
        "connections": scan.standing.as_ref().map(|standing| json!({
            "rung": standing.rung,
            "reason": standing.reason,
        })),
        "digest": hex(&report.digest),
        "sections": sections,
    })
}

fn claim(claim: &v1::Claim) -> Value {
    let mut object = Map::new();
    object.insert("key".into(), claim.key.clone().into());
    if let Some(item) = &claim.item {
        object.insert("class".into(), item.class.clone().into());
        object.insert("name".into(), item.name.clone().into());
        let attributes: Map<String, Value> =
            item.attributes.iter().map(|(name, one)| (name.clone(), value(one))).collect();
        object.insert("attributes".into(), attributes.into());
        if let Some(within) = key_of(item.within.as_ref()) {
            object.insert("within".into(), within.into());
        }
    }
    let relationships: Vec<Value> =
        claim.relationships.iter().map(|one| relationship(one, &claim.key)).collect();
    object.insert("relationships".into(), relationships.into());
    if !claim.redundancies.is_empty() {
        let redundancies: Vec<Value> = claim.redundancies.iter().map(redundancy).collect();
        object.insert("redundancies".into(), redundancies.into());
    }
    object.into()
}

fn relationship(relationship: &v1::RelationshipClaim, key: &str) -> Value {
    let mut object = Map::new();
    object.insert("from".into(), key_of(relationship.from.as_ref()).unwrap_or(key).into());
    object.insert("type".into(), relationship.r#type.clone().into());
    object.insert("to".into(), key_of(relationship.to.as_ref()).unwrap_or(key).into());
    if relationship.inferred {
        object.insert("inferred".into(), true.into());
        object.insert("confidence".into(), relationship.confidence.into());
    }
    if !relationship.group.is_empty() {
        object.insert("group".into(), relationship.group.clone().into());
        // 0 stands for 1 on the wire.
        let weight = if relationship.weight == 0.0 { 1.0 } else { relationship.weight };
        object.insert("weight".into(), weight.into());
    }
    object.into()
}

fn redundancy(group: &v1::RedundancyClaim) -> Value {
    json!({
        "group": group.group,
        "require": group.require,
        "inferred": group.inferred,
        "confidence": group.confidence,
        "evidence": group.evidence,
    })
}

fn value(value: &v1::Value) -> Value {
    use v1::value::Kind;
    match &value.kind {
        None => Value::Null,
        Some(Kind::Text(text)) => text.clone().into(),
        Some(Kind::Integer(number) | Kind::DurationUs(number)) => (*number).into(),
        Some(Kind::Float(number)) => (*number).into(),
        Some(Kind::Boolean(flag)) => (*flag).into(),
        Some(Kind::TimestampUs(moment)) => rfc3339(*moment).into(),
        Some(Kind::Bytes(bytes)) => hex(bytes).into(),
        Some(Kind::List(list)) => list.values.iter().map(self::value).collect(),
        Some(Kind::Map(map)) => map
            .values
            .iter()
            .map(|(name, one)| (name.clone(), self::value(one)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
