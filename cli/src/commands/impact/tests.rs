use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn now() -> Timestamp {
    Timestamp::from_microsecond(canned::NOW_US).expect("in range")
}

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn the_table_groups_by_state_and_says_why() {
    check(
        |out| table(out, &canned::impact(), false, now()),
        expect![[r#"
            fails
              NAME       ID  CLASS              DISTANCE  WHY
              orders-db  @2  database_instance         1  stored_on storage-1
              web-1      @3  web_server                2  depends_on orders-db, which fails

            degraded
              NAME  ID  CLASS             DISTANCE  WHY
              Shop  @5  business_service         3  group web keeps 1 of 2, needs 1

            at risk
              NAME   ID  CLASS       DISTANCE  WHY
              web-2  @4  web_server         2  depends_on orders-db (group db)

            when storage-1 fails, 2 items fail, 1 is degraded and 1 is at risk
            assumed: group db of web-2 is inferred
            `cmdb groups confirm ITEM GROUP`, or reject, settles what is assumed
            went over depends_on and runs_on; connects_to only degrades
            coverage: observed for 2 h, 3 hosts without an agent, 1 external endpoint
        "#]],
    );
}

#[test]
fn an_empty_answer_says_how_long_it_was_observed() {
    check(
        |out| table(out, &canned::impact_of_nothing(), false, now()),
        expect![[r#"
            nothing known depends on Shop, observed for 2 h
            coverage: 3 hosts without an agent, 1 external endpoint
        "#]],
    );
}

#[test]
fn a_count_lists_classes() {
    check(
        |out| table(out, &ImpactResponse { affected: Vec::new(), ..canned::impact() }, true, now()),
        expect![[r#"
            CLASS              ITEMS
            business_service       1
            database_instance      1
            web_server             2

            when storage-1 fails, 2 items fail, 1 is degraded and 1 is at risk
            assumed: group db of web-2 is inferred
            `cmdb groups confirm ITEM GROUP`, or reject, settles what is assumed
            went over depends_on and runs_on; connects_to only degrades
            coverage: observed for 2 h, 3 hosts without an agent, 1 external endpoint
        "#]],
    );
}

#[test]
fn what_is_left_out_is_said() {
    check(
        |out| {
            table(
                out,
                &ImpactResponse {
                    truncated: true,
                    hidden: 2,
                    affected: Vec::new(),
                    counts: Some(Counts { failed: 1, beyond_depth: 1, ..Counts::default() }),
                    coverage: None,
                    ..canned::impact()
                },
                false,
                now(),
            )
        },
        expect![[r#"
            when storage-1 fails, 1 item fails
            not listed: the list is cut: --limit N lists more, --count only counts
            not listed: 1 item lies beyond --depth
            not listed: 2 items that you may not see
            assumed: group db of web-2 is inferred
            `cmdb groups confirm ITEM GROUP`, or reject, settles what is assumed
            went over depends_on and runs_on; connects_to only degrades
            coverage: not observed yet
        "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::impact(), false),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "seeds": [
                {"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1"}
              ],
              "affected": [
                {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","state":"failed","distance":1,"via":[{"id":"@1","key":"storage-1","name":"storage-1","type":"stored_on","group":null,"stale":false}]},
                {"id":"@3","key":"web-1","class":"web_server","name":"web-1","state":"failed","distance":2,"via":[{"id":"@2","key":"orders-db","name":"orders-db","type":"depends_on","group":null,"stale":false}]},
                {"id":"@4","key":"web-2","class":"web_server","name":"web-2","state":"at_risk","distance":2,"via":[{"id":"@2","key":"orders-db","name":"orders-db","type":"depends_on","group":"db","stale":false}]},
                {"id":"@5","key":"shop","class":"business_service","name":"Shop","state":"degraded","distance":3,"via":[{"id":"@3","key":"web-1","name":"web-1","type":"depends_on","group":"web","stale":false},{"id":"@4","key":"web-2","name":"web-2","type":"depends_on","group":"web","stale":false}]}
              ],
              "down": [],
              "counts": {"failed":2,"degraded":1,"at_risk":1,"by_class":{"business_service":1,"database_instance":1,"web_server":2}},
              "truncated": false,
              "hidden": 0,
              "over": {"types":["depends_on","runs_on"],"weak_types":["connects_to"],"min_confidence":0.0,"left_out":0},
              "coverage": {"observed_since":"2026-11-03T12:05:11Z","hosts_without_agent":3,"external_endpoints":1,"stale_relationships":0},
              "assumptions": ["group db of web-2 is inferred"],
              "assumed_groups": [
                {"item":{"id":"@4","key":"web-2","class":"web_server","name":"web-2"},"group":"db","require":"any","confidence":0.6,"evidence":"one client uses both"}
              ]
            }
        "#]],
    );
}

#[test]
fn the_json_object_of_a_count_has_no_list() {
    check(
        |out| object(out, &canned::impact_of_nothing(), true),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "seeds": [
                {"id":"@5","key":"shop","class":"business_service","name":"Shop"}
              ],
              "down": [],
              "counts": {"failed":0,"degraded":0,"at_risk":0,"by_class":{}},
              "truncated": false,
              "hidden": 0,
              "over": {"types":[],"weak_types":[],"min_confidence":0.0,"left_out":0},
              "coverage": {"observed_since":"2026-11-03T12:05:11Z","hosts_without_agent":3,"external_endpoints":1,"stale_relationships":0},
              "assumptions": [],
              "assumed_groups": []
            }
        "#]],
    );
}

#[test]
fn each_line_is_one_affected_item() {
    check(
        |out| lines(out, &canned::impact()),
        expect![[r#"
            {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","state":"failed","distance":1,"via":[{"id":"@1","key":"storage-1","name":"storage-1","type":"stored_on","group":null,"stale":false}]}
            {"id":"@3","key":"web-1","class":"web_server","name":"web-1","state":"failed","distance":2,"via":[{"id":"@2","key":"orders-db","name":"orders-db","type":"depends_on","group":null,"stale":false}]}
            {"id":"@4","key":"web-2","class":"web_server","name":"web-2","state":"at_risk","distance":2,"via":[{"id":"@2","key":"orders-db","name":"orders-db","type":"depends_on","group":"db","stale":false}]}
            {"id":"@5","key":"shop","class":"business_service","name":"Shop","state":"degraded","distance":3,"via":[{"id":"@3","key":"web-1","name":"web-1","type":"depends_on","group":"web","stale":false},{"id":"@4","key":"web-2","name":"web-2","type":"depends_on","group":"web","stale":false}]}
        "#]],
    );
}

#[test]
fn the_tree_hangs_items_below_what_carried_the_failure() {
    check(
        |out| tree(out, &canned::impact()),
        expect![[r#"
        storage-1 (@1, storage_array)
        └─ orders-db (@2, database_instance) stored_on fails
           ├─ web-1 (@3, web_server) depends_on fails
           │  └─ Shop (@5, business_service) depends_on degraded also through web-2
           └─ web-2 (@4, web_server) depends_on at risk
    "#]],
    );
}

#[test]
fn the_graph_draws_the_way_of_the_failure() {
    check(
        |out| graph(out, &canned::impact()),
        expect![[r#"
        // An arrow points the way the failure travels; dashed: through a redundancy group.
        digraph cmdb {
          rankdir=LR;
          node [shape=box, style="rounded,filled", fillcolor=white];
          "@1" [label="storage-1\nstorage_array", fillcolor=lightblue];
          "@2" [label="orders-db\ndatabase_instance", fillcolor=lightcoral];
          "@1" -> "@2" [label="stored_on"];
          "@3" [label="web-1\nweb_server", fillcolor=lightcoral];
          "@2" -> "@3" [label="depends_on"];
          "@4" [label="web-2\nweb_server", fillcolor=lightyellow];
          "@2" -> "@4" [label="depends_on (db)", style=dashed];
          "@5" [label="Shop\nbusiness_service", fillcolor=khaki];
          "@3" -> "@5" [label="depends_on (web)", style=dashed];
          "@4" -> "@5" [label="depends_on (web)", style=dashed];
        }
    "#]],
    );
}

/// The canned answer of which only one class is listed.
fn of_services() -> ImpactResponse {
    let mut answer = ImpactResponse {
        classes: vec!["business_service".into()],
        other_classes: 3,
        counts: Some(Counts {
            degraded: 1,
            by_class: [("business_service".into(), 1)].into(),
            ..Counts::default()
        }),
        ..canned::impact()
    };
    answer
        .affected
        .retain(|affected| affected.item.as_ref().is_some_and(|item| item.class == "business_service"));
    answer
}

#[test]
fn what_is_left_out_for_its_class_is_counted() {
    check(
        |out| table(out, &of_services(), false, now()),
        expect![[r#"
        degraded
          NAME  ID  CLASS             DISTANCE  WHY
          Shop  @5  business_service         3  group web keeps 1 of 2, needs 1

        when storage-1 fails, no other item of class business_service fails and 1 is degraded
        not listed: 3 affected items of other classes, left out by --class
        assumed: group db of web-2 is inferred
        `cmdb groups confirm ITEM GROUP`, or reject, settles what is assumed
        went over depends_on and runs_on; connects_to only degrades
        coverage: observed for 2 h, 3 hosts without an agent, 1 external endpoint
    "#]],
    );
    check(
        |out| tree(out, &of_services()),
        expect![[r#"
        storage-1 (@1, storage_array)
        reached through items that are not listed
        └─ Shop (@5, business_service) depends_on degraded also through web-2
    "#]],
    );
    let none = ImpactResponse { affected: Vec::new(), counts: Some(Counts::default()), ..of_services() };
    assert_eq!(sentence(&none, now()), "when storage-1 fails, no other item of class business_service fails");
    let mut out = Vec::new();
    object(&mut out, &of_services(), true).expect("memory takes it");
    let told: serde_json::Value = serde_json::from_slice(&out).expect("one object");
    assert_eq!((&told["classes"], &told["other_classes"]), (&json!(["business_service"]), &json!(3)));
}
