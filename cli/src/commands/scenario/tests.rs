use std::collections::BTreeMap;
use std::io::{self, Write};

use cmdb_proto::v1::scenario_edit::Edit;
use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::{
    DiffScenarioResponse, Scenario, ScenarioAdd, ScenarioConflict, ScenarioEdit, ScenarioRelate,
    ScenarioRemove, ScenarioRequire, ScenarioSet, ScenarioUnrelate, Value,
};
use expect_test::{Expect, expect};
use jiff::Timestamp;

use super::apply::{Take, conflicts_table, diff_table, take_field};
use super::list::{all_table, edited_table, one_table, scenario_json};
use crate::canned;

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

fn now() -> Timestamp {
    Timestamp::from_microsecond(canned::NOW_US).expect("in range")
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::Text(text.to_owned())) }
}

/// One edit of each kind.
fn scenario() -> Scenario {
    let relate = |to: &str, weight| {
        Edit::Relate(ScenarioRelate {
            from: "@3".into(),
            r#type: "depends_on".into(),
            to: to.into(),
            group: "db".into(),
            weight,
        })
    };
    let edits = vec![
        Edit::Add(ScenarioAdd {
            class: "database_instance".into(),
            name: "spare-db".into(),
            attributes: BTreeMap::from([("version".into(), text("16"))]),
        }),
        relate("@2", 1.0),
        relate("+spare-db", 2.5),
        Edit::Require(ScenarioRequire {
            item: "@3".into(),
            group: "db".into(),
            require: "at_least 1".into(),
        }),
        Edit::Set(ScenarioSet {
            item: "@2".into(),
            attributes: BTreeMap::from([
                ("port".into(), Value { kind: None }),
                ("version".into(), text("16")),
            ]),
        }),
        Edit::Unrelate(ScenarioUnrelate { from: "@2".into(), r#type: "stored_on".into(), to: "@1".into() }),
        Edit::Remove(ScenarioRemove { item: "@1".into() }),
    ];
    Scenario {
        name: "spare".into(),
        base_revision: 42,
        created_at_us: canned::NOW_US - 180_000_000,
        created_by: "anna".into(),
        reason: "a second\ndatabase".into(),
        edits_total: edits.len() as u64,
        edits: edits.into_iter().map(|edit| ScenarioEdit { edit: Some(edit) }).collect(),
        items: ["storage-1", "orders-db", "web-1"].map(canned::graph_item).into(),
    }
}

fn conflicts() -> Vec<ScenarioConflict> {
    vec![
        ScenarioConflict {
            field: "@2.version".into(),
            title: "orders-db.version".into(),
            base: "15".into(),
            theirs: "15.4".into(),
            mine: "16".into(),
        },
        ScenarioConflict {
            field: "@3 group it's".into(),
            title: "web-1 group it's".into(),
            base: "nothing".into(),
            theirs: "all".into(),
            mine: "at_least 1".into(),
        },
    ]
}

#[test]
fn a_scenario_is_shown_with_its_edits_in_order() {
    check(
        |out| one_table(out, &scenario(), now()),
        expect![[r#"
        scenario spare on revision 42: 7 edits
          made 3 min ago by anna: a second\ndatabase
          + spare-db (database_instance)
              version: 16
          + web-1 (@3) depends_on orders-db (@2), group db
          + web-1 (@3) depends_on +spare-db, group db, weight 2.5
          ~ web-1 (@3): group db needs at_least 1
          ~ orders-db (@2)
              port: nothing
              version: 16
          - orders-db (@2) stored_on storage-1 (@1)
          - storage-1 (@1)
    "#]],
    );
}

#[test]
fn an_edit_is_answered_with_itself() {
    check(
        |out| edited_table(out, &scenario(), 1),
        expect![[r#"
        scenario spare on revision 42: 7 edits
          - storage-1 (@1)
    "#]],
    );
    let empty = Scenario { edits: Vec::new(), edits_total: 0, ..scenario() };
    check(
        |out| edited_table(out, &empty, 0),
        expect![[r#"
        scenario spare on revision 42: no edits yet
    "#]],
    );
}

#[test]
fn scenarios_are_listed() {
    check(
        |out| all_table(out, &[scenario()], now()),
        expect![[r#"
        NAME   BASE  EDITS  MADE       BY    REASON
        spare    42      7  3 min ago  anna  a second\ndatabase
    "#]],
    );
    check(
        |out| all_table(out, &[], now()),
        expect![[r#"
        no scenarios
    "#]],
    );
}

#[test]
fn the_json_object_has_every_edit() {
    let json = serde_json::to_string_pretty(&scenario_json(&scenario())).expect("JSON");
    check(
        |out| writeln!(out, "{json}"),
        expect![[r#"
        {
          "name": "spare",
          "base_revision": 42,
          "created_at": "2026-11-03T14:02:11Z",
          "created_by": "anna",
          "reason": "a second\ndatabase",
          "edits_total": 7,
          "edits": [
            {
              "edit": "add",
              "class": "database_instance",
              "name": "spare-db",
              "attributes": {
                "version": "16"
              }
            },
            {
              "edit": "relate",
              "from": "@3",
              "type": "depends_on",
              "to": "@2",
              "group": "db",
              "weight": 1.0
            },
            {
              "edit": "relate",
              "from": "@3",
              "type": "depends_on",
              "to": "+spare-db",
              "group": "db",
              "weight": 2.5
            },
            {
              "edit": "require",
              "item": "@3",
              "group": "db",
              "require": "at_least 1"
            },
            {
              "edit": "set",
              "item": "@2",
              "attributes": {
                "port": null,
                "version": "16"
              }
            },
            {
              "edit": "unrelate",
              "from": "@2",
              "type": "stored_on",
              "to": "@1"
            },
            {
              "edit": "remove",
              "item": "@1"
            }
          ],
          "items": [
            {
              "id": "@1",
              "key": "storage-1",
              "class": "storage_array",
              "name": "storage-1"
            },
            {
              "id": "@2",
              "key": "orders-db",
              "class": "database_instance",
              "name": "orders-db"
            },
            {
              "id": "@3",
              "key": "web-1",
              "class": "web_server",
              "name": "web-1"
            }
          ]
        }
    "#]],
    );
}

#[test]
fn a_conflict_names_the_flag_that_decides_it() {
    check(
        |out| conflicts_table(out, &conflicts()),
        expect![[r#"
        FIELD              BASE     NOW (THEIRS)  SCENARIO (MINE)  DECIDE WITH
        orders-db.version  15       15.4          16               --take-field '@2.version=mine'
        web-1 group it's   nothing  all           at_least 1       --take-field '@3 group it'\''s=mine'
    "#]],
    );
}

#[test]
fn a_difference_is_followed_by_what_must_be_decided() {
    let diff = DiffScenarioResponse {
        base_revision: 42,
        head_revision: 43,
        changes: canned::commit(43).changes,
        conflicts: conflicts(),
    };
    check(
        |out| diff_table(out, "spare", &diff),
        expect![[r#"
        scenario spare on revision 42: 1 item updated, 1 item with a new status, 1 relationship removed
          ~ orders-db (@2, database_instance)
              version: 15.4 → 15.5 (person-anna)
          - orders-db (@2) stored_on storage-1 (@1)
          ~ orders-db (@2, database_instance): active → stopped
              not seen for 5 min

        2 fields have changed since, to be decided when it is applied
        FIELD              BASE     NOW (THEIRS)  SCENARIO (MINE)  DECIDE WITH
        orders-db.version  15       15.4          16               --take-field '@2.version=mine'
        web-1 group it's   nothing  all           at_least 1       --take-field '@3 group it'\''s=mine'
    "#]],
    );
    let nothing = DiffScenarioResponse { base_revision: 42, head_revision: 42, ..diff };
    let nothing = DiffScenarioResponse { changes: Vec::new(), conflicts: Vec::new(), ..nothing };
    check(
        |out| diff_table(out, "spare", &nothing),
        expect![[r#"
        scenario spare on revision 42: nothing changed
    "#]],
    );
}

#[test]
fn a_field_is_decided_by_the_word_behind_its_last_equals_sign() {
    assert_eq!(take_field("@2.version=mine"), Ok(("@2.version".to_owned(), Take::Mine)));
    assert_eq!(take_field("@3 group a=b=theirs"), Ok(("@3 group a=b".to_owned(), Take::Theirs)));
    for given in ["@2.version", "=mine", "@2.version=", "@2.version=ours"] {
        assert!(take_field(given).is_err(), "{given}");
    }
}
