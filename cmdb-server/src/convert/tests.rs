use std::collections::BTreeMap;

use cmdb_core::claim::{Reference, UnitKind};
use cmdb_core::engine::Change;
use cmdb_core::model::item::{Identification, Item, ItemClaimState, Marks, Stated};
use cmdb_core::model::{ItemId, Reason, Require, SourceId, Status, Timestamp, Value};
use cmdb_proto::v1;
use cmdb_proto::v1::reference::To;
use prost::Message;

use super::change::changes_to;
use super::claim::{claim_from, decode};
use super::report::report_from;
use super::value::{VALUE_DEPTH_MAX, value_from, value_to};
use crate::app::{Names, Person};

fn reference(to: To) -> Option<v1::Reference> {
    Some(v1::Reference { to: Some(to) })
}

fn key(key: &str) -> Option<v1::Reference> {
    reference(To::Key(key.to_owned()))
}

#[test]
fn a_value_comes_back_as_it_went_out() {
    let values = [
        Value::Text("ä\n".to_owned()),
        Value::Integer(i64::MIN),
        Value::Float(0.1),
        Value::Boolean(false),
        Value::Timestamp(Timestamp(-1)),
        Value::DurationUs(7),
        Value::Bytes(vec![0, 255]),
        Value::List(vec![Value::Integer(1), Value::List(vec![])]),
        Value::Map(BTreeMap::from([("a".to_owned(), Value::Map(BTreeMap::new()))])),
    ];
    for value in values {
        assert_eq!(value_from(value_to(&value), "x").unwrap(), Some(value));
    }
    assert_eq!(value_from(v1::Value { kind: None }, "x").unwrap(), None);
}

#[test]
fn values_too_deep_and_numbers_that_are_none_are_refused() {
    let nested = |levels: usize| (0..levels).fold(Value::Integer(1), |inner, _| Value::List(vec![inner]));
    assert!(value_from(value_to(&nested(VALUE_DEPTH_MAX)), "x").is_ok());
    let refused = |value: Value| value_from(value_to(&value), "web-1: load").unwrap_err();
    assert_eq!(refused(nested(VALUE_DEPTH_MAX + 1)).reason, Reason::LimitExceeded);
    let nan = refused(Value::Float(f64::NAN));
    assert_eq!((nan.reason, nan.thing.as_str()), (Reason::ValueType, "web-1: load"));
}

#[test]
fn a_claim_is_about_its_item_or_its_relationships_or_its_groups() {
    let relationship =
        |from, to| v1::RelationshipClaim { from, r#type: "depends_on".to_owned(), to, ..Default::default() };
    let redundancy = |item| v1::RedundancyClaim {
        item,
        group: "db".to_owned(),
        require: "at_least 2".to_owned(),
        ..Default::default()
    };
    let claim = |item, relationships, redundancies| v1::Claim {
        key: "k".to_owned(),
        item,
        relationships,
        redundancies,
    };
    let item = || Some(v1::ItemClaim::default());
    let table = [
        (claim(item(), vec![], vec![]), UnitKind::Item),
        (claim(item(), vec![relationship(key("a"), key("b"))], vec![]), UnitKind::Item),
        (claim(None, vec![relationship(None, key("b"))], vec![]), UnitKind::Item),
        (claim(None, vec![relationship(key("a"), key("b"))], vec![]), UnitKind::Relationship),
        (claim(None, vec![], vec![redundancy(key("a"))]), UnitKind::Redundancy),
        (claim(None, vec![], vec![redundancy(None)]), UnitKind::Item),
    ];
    for (given, kind) in table {
        let given_again = given.clone();
        assert_eq!(claim_from(given).unwrap().kind, kind, "{given_again:?}");
    }
}

#[test]
fn what_is_not_said_has_its_meaning() {
    let claim = v1::Claim {
        key: "app-1".to_owned(),
        item: Some(v1::ItemClaim {
            class: "application".to_owned(),
            attributes: [("port".to_owned(), v1::Value { kind: None })].into(),
            ..Default::default()
        }),
        relationships: vec![v1::RelationshipClaim {
            r#type: "depends_on".to_owned(),
            to: reference(To::Id("@42".to_owned())),
            ..Default::default()
        }],
        redundancies: vec![v1::RedundancyClaim {
            group: "db".to_owned(),
            require: "percent 50".to_owned(),
            ..Default::default()
        }],
    };
    let claim = decode(&claim.encode_to_vec()).unwrap();
    assert_eq!(claim.item.unwrap().cleared, ["port"]);
    let relationship = &claim.relationships[0];
    assert_eq!((&relationship.from, &relationship.to), (&Reference::This, &Reference::Id(ItemId(42))));
    assert_eq!((relationship.weight, relationship.confidence), (1.0, 1.0));
    assert_eq!(
        (&claim.redundancies[0].item, claim.redundancies[0].require),
        (&Reference::This, Require::Percent(50.0))
    );
}

#[test]
fn what_is_wrong_with_a_claim_is_said() {
    let named = |key: &str| v1::Claim { key: key.to_owned(), ..Default::default() };
    let related = |change: fn(&mut v1::RelationshipClaim)| {
        let mut relationship =
            v1::RelationshipClaim { r#type: "depends_on".to_owned(), to: key("b"), ..Default::default() };
        change(&mut relationship);
        v1::Claim { key: "a".to_owned(), relationships: vec![relationship], ..Default::default() }
    };
    let grouped = |require: &str| v1::Claim {
        key: "a".to_owned(),
        redundancies: vec![v1::RedundancyClaim {
            group: "db".to_owned(),
            require: require.to_owned(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let matched = |attributes: &[&str]| {
        let attributes =
            attributes.iter().map(|name| ((*name).to_owned(), value_to(&Value::Integer(1)))).collect();
        let to = reference(To::Match(v1::Match { class: String::new(), attributes }));
        v1::Claim {
            key: "a".to_owned(),
            relationships: vec![v1::RelationshipClaim { to, ..Default::default() }],
            ..Default::default()
        }
    };
    let table = [
        (named(""), Reason::KeyInvalid),
        (named("a\u{0}b"), Reason::KeyInvalid),
        (named(&"x".repeat(513)), Reason::KeyInvalid),
        (related(|claim| claim.to = None), Reason::RelationshipInvalid),
        (related(|claim| claim.weight = -1.0), Reason::RelationshipInvalid),
        (related(|claim| claim.weight = f64::INFINITY), Reason::RelationshipInvalid),
        (related(|claim| claim.confidence = 1.5), Reason::RelationshipInvalid),
        (related(|claim| claim.confidence = f64::NAN), Reason::RelationshipInvalid),
        (related(|claim| claim.to = Some(v1::Reference { to: None })), Reason::ReferenceUnknown),
        (related(|claim| claim.to = reference(To::Id("42".to_owned()))), Reason::ReferenceUnknown),
        (
            related(|claim| claim.to = reference(To::SourceKey(v1::SourceKey::default()))),
            Reason::ReferenceUnknown,
        ),
        (grouped("at_least two"), Reason::RequireInvalid),
        (matched(&[]), Reason::MatchInvalid),
    ];
    for (claim, reason) in table {
        assert_eq!(claim_from(claim.clone()).unwrap_err().reason, reason, "{claim:?}");
    }
    assert!(claim_from(matched(&["port"])).is_ok());
    assert_eq!(decode(b"\xff\xff").unwrap_err().reason, Reason::FormatInvalid);
}

#[test]
fn a_report_that_breaks_a_limit_or_contradicts_itself_is_refused() {
    let entry = || v1::Entry { key: "k".to_owned(), digest: vec![1; 16], body: vec![] };
    let section = |change: fn(&mut v1::Section)| {
        let mut section = v1::Section { scope: "os".to_owned(), complete: true, ..Default::default() };
        change(&mut section);
        section
    };
    let report = |sections: Vec<v1::Section>| {
        let report = v1::Report { sequence: 1, digest: vec![0; 32], observed_at_us: 1, sections };
        report_from(report, Person::named(None).unwrap().source())
    };
    let good =
        report(vec![section(|_| {}), section(|section| section.scope = "packages".to_owned())]).unwrap();
    assert_eq!(good.sections.len(), 2);
    let incomplete = report(vec![section(|section| section.complete = false)]).unwrap();
    assert_eq!(incomplete.sections[0].complete, Err("no reason given".to_owned()));
    let with = |entry| {
        let mut section = section(|_| {});
        section.entries = vec![entry];
        report(vec![section])
    };
    assert_eq!(with(entry()).unwrap().sections[0].entries[0].body, None, "no body: as last acknowledged");
    assert!(with(v1::Entry { key: String::new(), ..entry() }).is_err());
    assert!(with(v1::Entry { digest: vec![], ..entry() }).is_err());
    assert!(with(v1::Entry { digest: vec![0; 65], ..entry() }).is_err());
    assert!(report(vec![section(|_| {}), section(|_| {})]).is_err(), "a scope twice");
    assert!(report(vec![section(|section| section.scope.clear())]).is_err());
    assert!(
        report((0..257).map(|n| v1::Section { scope: n.to_string(), ..Default::default() }).collect())
            .is_err()
    );
    let mut contradiction = section(|section| section.unchanged = true);
    contradiction.entries.push(entry());
    assert!(report(vec![contradiction]).is_err());
}

fn item(version: &str, status: Status) -> Item {
    let stated = Stated { value: Value::Text(version.to_owned()), effective: true };
    Item {
        id: ItemId(7),
        class: "database_instance".to_owned(),
        name: "orders-db".to_owned(),
        status,
        status_since: Timestamp(0),
        first_seen: Timestamp(0),
        claims: vec![ItemClaimState {
            source: SourceId(1),
            key: "db-1".to_owned(),
            scope: String::new(),
            class: "database_instance".to_owned(),
            name: "orders-db".to_owned(),
            attributes: [("version".to_owned(), stated)].into(),
            within: None,
            first_seen: Timestamp(0),
            observed_at: Timestamp(0),
            withdrawn_at: None,
            identification: Identification::default(),
            marks: Marks::default(),
        }],
        groups: vec![],
        duplicates: vec![],
        merged_into: None,
        distinct_from: vec![],
        purged: Default::default(),
    }
}

#[test]
fn a_change_says_what_it_changed() {
    use v1::change::Kind;
    let change = |before: Option<Item>, after: Item| {
        let change = Change::Item { before: before.map(Box::new), after: Box::new(after) };
        changes_to(&[change], &Names::default()).remove(0)
    };
    let created = change(None, item("15.4", Status::Active));
    assert_eq!(created.kind(), Kind::ItemCreated);
    assert_eq!(created.attributes[0].before, None);

    let updated = change(Some(item("15.4", Status::Active)), item("16.1", Status::Active));
    assert_eq!(updated.kind(), Kind::ItemUpdated);
    let [version] = updated.attributes.as_slice() else { panic!("{updated:?}") };
    assert_eq!(version.before, Some(value_to(&Value::Text("15.4".to_owned()))));
    assert_eq!(version.after, Some(value_to(&Value::Text("16.1".to_owned()))));

    let missing = change(Some(item("15.4", Status::Active)), item("15.4", Status::Missing));
    assert_eq!(missing.kind(), Kind::ItemStatus);
    assert_eq!((missing.status_before(), missing.status_after()), (v1::Status::Active, v1::Status::Missing));

    let mut renamed = item("15.4", Status::Active);
    renamed.name = "orders".to_owned();
    let renamed = change(Some(item("15.4", Status::Active)), renamed);
    assert_eq!(renamed.attributes[0].name, "name");
}
