mod waiting;

use std::collections::BTreeMap;

use arbtest::arbitrary::{Result, Unstructured};
use expect_test::expect;

use super::read;
use crate::import::Format::JsonLines;
use crate::import::{
    Exported, ExportedGroup, ExportedItem, ExportedItemClaim, ExportedRelationship,
    ExportedRelationshipClaim, ExportedSource, FORMAT, Header, LeftOut, Record, Waits, reader, write_line,
};
use crate::model::item::{Identification, Marks, Method, Pin, Purged, Stated};
use crate::model::source::SourceKind;
use crate::model::unit::UnitKind;
use crate::model::{ItemId, Require, Revision, Schema, Status, Timestamp, Value};

/// The lines are a promise to those who keep them.
#[test]
fn as_written() {
    let moment = Timestamp(1_795_341_600_000_001);
    let claim = ExportedItemClaim {
        source: "agent.web01".to_owned(),
        key: "os".to_owned(),
        scope: "os".to_owned(),
        class: "operating_system".to_owned(),
        name: "web01".to_owned(),
        attributes: BTreeMap::from([
            ("boot_at".to_owned(), Stated { value: Value::Timestamp(moment), effective: true }),
            ("os.name".to_owned(), Stated { value: Value::Text("Debian".to_owned()), effective: false }),
        ]),
        within: Some(ItemId(3)),
        first_seen: moment,
        observed_at: moment,
        withdrawn_at: Some(moment),
        identification: Identification {
            method: Method::Rule,
            rule: vec!["machine_id".to_owned()],
            values: vec!["0a1b".to_owned()],
            candidates: vec![ItemId(1)],
            skipped: vec!["fqdn: absent".to_owned()],
        },
        marks: Marks::default(),
    };
    let lines = [
        Exported::Header(Header { format: FORMAT, revision: Revision(7), left_out: None }),
        Exported::Header(Header {
            format: FORMAT,
            revision: Revision(7),
            left_out: Some(LeftOut { waiting: 2, matched: 1 }),
        }),
        Exported::Source(ExportedSource {
            name: "agent.web01".to_owned(),
            kind: SourceKind::Agent,
            title: "web01".to_owned(),
            version: String::new(),
        }),
        Exported::Item(Box::new(ExportedItem {
            id: ItemId(1),
            class: "operating_system".to_owned(),
            name: "web01".to_owned(),
            status: Status::Active,
            status_since: moment,
            first_seen: moment,
            claims: vec![claim],
            groups: vec![ExportedGroup {
                name: "power".to_owned(),
                require: Require::AtLeast(1),
                inferred: true,
                confidence: 0.5,
                source: "hand".to_owned(),
                key: "os power".to_owned(),
                evidence: "two feeds".to_owned(),
                rejected: true,
            }],
            duplicates: vec![ItemId(9)],
            merged_into: Some(ItemId(8)),
            distinct_from: vec![ItemId(7)],
            purged: BTreeMap::new(),
        })),
        Exported::Relationship(Box::new(ExportedRelationship {
            from: ItemId(1),
            kind: "runs_on".to_owned(),
            to: ItemId(2),
            status: Status::Stopped,
            status_since: moment,
            denied: false,
            first_seen: moment,
            claims: vec![ExportedRelationshipClaim {
                source: "agent.web01".to_owned(),
                unit: UnitKind::Item,
                key: "os".to_owned(),
                scope: "os".to_owned(),
                group: String::new(),
                weight: 1.0,
                inferred: false,
                confidence: 1.0,
                denied: false,
                attributes: BTreeMap::new(),
                first_seen: moment,
                observed_at: moment,
                withdrawn_at: None,
            }],
            effective: 0,
            grouped_by: 0,
        })),
    ];
    let written: Vec<_> = lines.iter().map(write_line).collect();
    expect![[r#"
        {"export":{"format":1,"revision":7}}
        {"export":{"format":1,"revision":7,"left_out":{"waiting":2,"matched":1}}}
        {"source":{"name":"agent.web01","kind":"agent","title":"web01"}}
        {"item":{"id":"@1","class":"operating_system","name":"web01","status":"active","status_since":"2026-11-22T10:00:00.000001Z","first_seen":"2026-11-22T10:00:00.000001Z","claims":[{"source":"agent.web01","key":"os","scope":"os","class":"operating_system","name":"web01","attributes":{"boot_at":{"$timestamp":"2026-11-22T10:00:00.000001Z"},"os.name":"Debian"},"effective":["boot_at"],"within":"@3","first_seen":"2026-11-22T10:00:00.000001Z","observed_at":"2026-11-22T10:00:00.000001Z","withdrawn_at":"2026-11-22T10:00:00.000001Z","identification":{"method":"rule","rule":["machine_id"],"values":["0a1b"],"candidates":["@1"],"skipped":["fqdn: absent"]}}],"groups":[{"name":"power","require":"at_least 1","inferred":true,"confidence":0.5,"source":"hand","key":"os power","evidence":"two feeds","rejected":true}],"duplicates":["@9"],"merged_into":"@8","distinct_from":["@7"]}}
        {"relationship":{"from":"@1","type":"runs_on","to":"@2","status":"stopped","status_since":"2026-11-22T10:00:00.000001Z","first_seen":"2026-11-22T10:00:00.000001Z","effective":0,"claims":[{"source":"agent.web01","key":"os","scope":"os","first_seen":"2026-11-22T10:00:00.000001Z","observed_at":"2026-11-22T10:00:00.000001Z"}]}}"#]].assert_eq(&written.join("\n"));
}

#[test]
fn bad_lines() {
    let moment = "\"2026-01-01T00:00:00Z\"";
    let lines = [
        r#"{"export":{"format":2,"revision":1}}"#.to_owned(),
        r#"{"export":{"format":1}}"#.to_owned(),
        r#"{"source":{"name":"a:b","kind":"agent"}}"#.to_owned(),
        r#"{"source":{"name":"a","kind":"robot"}}"#.to_owned(),
        r#"{"item":{"id":"1","class":"server","claims":[]}}"#.to_owned(),
        r#"{"item":{"id":"@1","class":"sever","claims":[]}}"#.to_owned(),
        r#"{"item":{"id":"@1","class":"server","status":"gone","claims":[]}}"#.to_owned(),
        format!(
            r#"{{"item":{{"id":"@1","class":"server","status":"active","status_since":{moment},"first_seen":5.5,"claims":[]}}}}"#
        ),
        format!(
            r#"{{"item":{{"id":"@1","class":"server","status":"active","status_since":{moment},"first_seen":{moment},"claims":[{{"source":"a","key":"b","atributes":{{}}}}]}}}}"#
        ),
        format!(
            r#"{{"relationship":{{"from":"@1","type":"runs_on","to":"@2","status":"active","status_since":{moment},"first_seen":{moment},"effective":0,"claims":[]}}}}"#
        ),
    ];
    expect![[r#"
        1:11: FORMAT_INVALID the export has format 2; this program reads up to 1 (import it with the release that wrote it, or a newer one)
        2:11: FORMAT_INVALID an export lacks "revision"
        3:19: SOURCE_INVALID "a:b" is not the name of a source: it is not empty and has no colon
        4:30: SOURCE_INVALID "kind" of a source is person, agent, connector, import or rule, not "robot"
        5:15: FORMAT_INVALID "id" of an exported item is an item id such as @42, not "1"
        6:28: CLASS_UNKNOWN there is no class "sever" (did you mean "server"?)
        7:46: FORMAT_INVALID "status" of an exported item is active, stopped, missing or retired, not "gone"
        8:106: FORMAT_INVALID "first_seen" is a moment in RFC 3339, not a number
        9:163: FORMAT_INVALID an exported claim has no field "atributes" (did you mean "attributes"?)
        10:17: FORMAT_INVALID "effective" is the place of one of the 0 claims, from 0"#]].assert_eq(&read(JsonLines, lines.join("\n").as_bytes()));
}

/// Whatever the store may hold comes back as it was.
#[test]
fn what_is_written_is_read_back() {
    let schema = Schema::built_in();
    let mut kinds = [0_u32; 6];
    arbtest::arbtest(|u| {
        let exported = exported(u)?;
        kinds[match exported {
            Exported::Header(_) => 0,
            Exported::Source(_) => 1,
            Exported::Item(_) => 2,
            Exported::Relationship(_) => 3,
            Exported::Waiting(ref waits) => 4 + usize::from(matches!(waits.what, Waits::Parked { .. })),
        }] += 1;
        let line = write_line(&exported);
        assert!(!line.contains('\n'));
        let mut records = reader(JsonLines, line.as_bytes(), &schema);
        let record = records.next().expect("a record").unwrap_or_else(|error| panic!("{error:?}\n{line}"));
        assert_eq!(record.value, Record::Exported(exported), "{line}");
        assert!(records.next().is_none());
        Ok(())
    });
    assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
}

fn exported(u: &mut Unstructured<'_>) -> Result<Exported> {
    Ok(match u.int_in_range(0..=7)? {
        0 => Exported::Header(Header {
            format: FORMAT,
            revision: Revision(u.arbitrary()?),
            left_out: match u.arbitrary()? {
                true => Some(LeftOut { waiting: u.arbitrary()?, matched: u.arbitrary()? }),
                false => None,
            },
        }),
        1 => Exported::Source(ExportedSource {
            name: format!("s{}", u.arbitrary::<String>()?.replace(':', "")),
            kind: *u.choose(&[SourceKind::Person, SourceKind::Agent, SourceKind::Rule])?,
            title: u.arbitrary()?,
            version: u.arbitrary()?,
        }),
        2 | 3 => Exported::Item(Box::new(item(u)?)),
        4 | 5 => Exported::Waiting(Box::new(waiting::waiting(u)?)),
        _ => Exported::Relationship(Box::new(relationship(u)?)),
    })
}

fn several<T>(u: &mut Unstructured<'_>, one: impl Fn(&mut Unstructured<'_>) -> Result<T>) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=3)?).map(|_| one(u)).collect()
}

fn status(u: &mut Unstructured<'_>) -> Result<Status> {
    Ok(*u.choose(&[Status::Active, Status::Stopped, Status::Missing, Status::Retired])?)
}

fn moment(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    Ok(Timestamp(match u.ratio(3, 4)? {
        true => u.int_in_range(0..=4_000_000_000_000_000)?,
        false => u.arbitrary()?,
    }))
}

fn id(u: &mut Unstructured<'_>) -> Result<ItemId> {
    u.arbitrary().map(ItemId)
}

fn strings(u: &mut Unstructured<'_>) -> Result<Vec<String>> {
    several(u, |u| u.arbitrary())
}

/// Between the bounds that ingest keeps.
fn share(u: &mut Unstructured<'_>) -> Result<f64> {
    Ok(f64::from(u.int_in_range(1..=u32::MAX)?) / f64::from(u32::MAX))
}

fn item(u: &mut Unstructured<'_>) -> Result<ExportedItem> {
    Ok(ExportedItem {
        id: id(u)?,
        class: (*u.choose(&["server", "database_instance"])?).to_owned(),
        name: u.arbitrary()?,
        status: status(u)?,
        status_since: moment(u)?,
        first_seen: moment(u)?,
        claims: several(u, item_claim)?,
        groups: several(u, group)?,
        duplicates: several(u, id)?,
        merged_into: if u.arbitrary()? { Some(id(u)?) } else { None },
        distinct_from: several(u, id)?,
        purged: several(u, purged)?.into_iter().collect(),
    })
}

fn purged(u: &mut Unstructured<'_>) -> Result<(String, Purged)> {
    let purged = Purged {
        revision: Revision(u.arbitrary()?),
        by: u.arbitrary()?,
        at: moment(u)?,
        reason: u.arbitrary()?,
        suppressed: u.arbitrary()?,
    };
    Ok((u.arbitrary()?, purged))
}

fn item_claim(u: &mut Unstructured<'_>) -> Result<ExportedItemClaim> {
    let attributes = several(u, |u| {
        let name = format!("a{}", u.arbitrary::<String>()?);
        Ok((name, Stated { value: value(u, 0)?, effective: u.arbitrary()? }))
    })?;
    Ok(ExportedItemClaim {
        source: u.arbitrary()?,
        key: u.arbitrary()?,
        scope: u.arbitrary()?,
        class: u.arbitrary()?,
        name: u.arbitrary()?,
        attributes: attributes.into_iter().collect(),
        within: match u.arbitrary()? {
            true => Some(id(u)?),
            false => None,
        },
        first_seen: moment(u)?,
        observed_at: moment(u)?,
        withdrawn_at: match u.arbitrary()? {
            true => Some(moment(u)?),
            false => None,
        },
        identification: Identification {
            method: *u.choose(&[Method::Key, Method::Rule, Method::New, Method::Named, Method::Duplicate])?,
            rule: strings(u)?,
            values: strings(u)?,
            candidates: several(u, id)?,
            skipped: strings(u)?,
        },
        marks: Marks {
            stale: strings(u)?.into_iter().collect(),
            nulls: strings(u)?.into_iter().collect(),
            pins: several(u, |u| {
                let until = if u.arbitrary()? { Some(moment(u)?) } else { None };
                Ok((u.arbitrary()?, Pin { since: moment(u)?, until, reason: u.arbitrary()? }))
            })?
            .into_iter()
            .collect(),
            otherwise_at: if u.arbitrary()? { Some(moment(u)?) } else { None },
        },
    })
}

fn group(u: &mut Unstructured<'_>) -> Result<ExportedGroup> {
    Ok(ExportedGroup {
        name: u.arbitrary()?,
        require: match u.int_in_range(0..=4)? {
            0 => Require::All,
            1 => Require::Any,
            2 => Require::AtLeast(u.int_in_range(1..=u32::MAX)?),
            3 => Require::Percent(share(u)? * 100.0),
            _ => Require::Capacity(share(u)? * 1e12),
        },
        inferred: u.arbitrary()?,
        confidence: share(u)?,
        source: u.arbitrary()?,
        key: u.arbitrary()?,
        evidence: u.arbitrary()?,
        rejected: u.arbitrary()?,
    })
}

fn relationship(u: &mut Unstructured<'_>) -> Result<ExportedRelationship> {
    let mut claims = several(u, relationship_claim)?;
    claims.push(relationship_claim(u)?);
    Ok(ExportedRelationship {
        from: id(u)?,
        kind: (*u.choose(&["runs_on", "contains"])?).to_owned(),
        to: id(u)?,
        status: status(u)?,
        status_since: moment(u)?,
        denied: u.arbitrary()?,
        first_seen: moment(u)?,
        effective: u.choose_index(claims.len())?,
        grouped_by: u.choose_index(claims.len())?,
        claims,
    })
}

fn relationship_claim(u: &mut Unstructured<'_>) -> Result<ExportedRelationshipClaim> {
    let attributes = several(u, |u| Ok((format!("a{}", u.arbitrary::<String>()?), value(u, 0)?)))?;
    Ok(ExportedRelationshipClaim {
        source: u.arbitrary()?,
        unit: *u.choose(&[UnitKind::Item, UnitKind::Relationship, UnitKind::Redundancy])?,
        key: u.arbitrary()?,
        scope: u.arbitrary()?,
        group: u.arbitrary()?,
        weight: share(u)? * 1e9,
        inferred: u.arbitrary()?,
        confidence: share(u)?,
        denied: u.arbitrary()?,
        attributes: attributes.into_iter().collect(),
        first_seen: moment(u)?,
        observed_at: moment(u)?,
        withdrawn_at: match u.arbitrary()? {
            true => Some(moment(u)?),
            false => None,
        },
    })
}

fn value(u: &mut Unstructured<'_>, depth: u32) -> Result<Value> {
    let deepest = if depth == 4 { 6 } else { 8 };
    Ok(match u.int_in_range(0..=deepest)? {
        0 => Value::Text(u.arbitrary()?),
        1 => Value::Integer(u.arbitrary()?),
        2 => {
            let number: f64 = u.arbitrary()?;
            // Not a number is not equal to itself, and is never let in.
            Value::Float(if number.is_nan() { f64::INFINITY } else { number })
        }
        3 => Value::Boolean(u.arbitrary()?),
        4 => Value::Timestamp(moment(u)?),
        5 => Value::DurationUs(u.arbitrary()?),
        6 => Value::Bytes(u.arbitrary()?),
        7 => Value::List(several(u, |u| value(u, depth + 1))?),
        _ => {
            let pairs = several(u, |u| {
                let tags = ["$bytes", "$map", "$timestamp", "$other", "plain", ""];
                Ok(((*u.choose(&tags)?).to_owned(), value(u, depth + 1)?))
            })?;
            Value::Map(pairs.into_iter().collect())
        }
    })
}
