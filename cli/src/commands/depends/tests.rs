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
fn the_table_says_who_needs_what() {
    check(
        |out| table(out, &canned::dependencies(), false, now()),
        expect![[r#"
            NAME       ID  CLASS              DISTANCE             NEEDED BY
            web-1      @3  web_server                1  redundant  Shop (depends_on, group web)
            web-2      @4  web_server                1  redundant  Shop (depends_on, group web)
            orders-db  @2  database_instance         2  always     web-1 (depends_on), web-2 (depends_on, group db)
            storage-1  @1  storage_array             3  always     orders-db (stored_on)

            Shop needs 4 items, 2 of them redundant
            coverage: observed for 2 h, 3 hosts without an agent, 1 external endpoint
        "#]],
    );
}

#[test]
fn a_count_lists_classes() {
    check(
        |out| table(out, &canned::dependencies(), true, now()),
        expect![[r#"
        CLASS              ITEMS
        database_instance      1
        storage_array          1
        web_server             2

        Shop needs 4 items, 2 of them redundant
        coverage: observed for 2 h, 3 hosts without an agent, 1 external endpoint
    "#]],
    );
}

#[test]
fn an_empty_answer_says_how_long_it_was_observed() {
    check(
        |out| {
            table(
                out,
                &DependenciesResponse { dependencies: Vec::new(), total: 0, ..canned::dependencies() },
                false,
                now(),
            )
        },
        expect![[r#"
            Shop is not known to need anything, observed for 2 h
            coverage: 3 hosts without an agent, 1 external endpoint
        "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::dependencies(), false),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "seeds": [
                {"id":"@5","key":"shop","class":"business_service","name":"Shop"}
              ],
              "dependencies": [
                {"id":"@3","key":"web-1","class":"web_server","name":"web-1","redundant":true,"distance":1,"via":[{"id":"@5","key":"shop","name":"Shop","type":"depends_on","group":"web","stale":false}]},
                {"id":"@4","key":"web-2","class":"web_server","name":"web-2","redundant":true,"distance":1,"via":[{"id":"@5","key":"shop","name":"Shop","type":"depends_on","group":"web","stale":false}]},
                {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","redundant":false,"distance":2,"via":[{"id":"@3","key":"web-1","name":"web-1","type":"depends_on","group":null,"stale":false},{"id":"@4","key":"web-2","name":"web-2","type":"depends_on","group":"db","stale":false}]},
                {"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1","redundant":false,"distance":3,"via":[{"id":"@2","key":"orders-db","name":"orders-db","type":"stored_on","group":null,"stale":false}]}
              ],
              "counts": {"total":4,"by_class":{"database_instance":1,"storage_array":1,"web_server":2}},
              "truncated": false,
              "hidden": 0,
              "over": {"types":[],"weak_types":[],"min_confidence":0.0,"left_out":0},
              "coverage": {"observed_since":"2026-11-03T12:05:11Z","hosts_without_agent":3,"external_endpoints":1,"stale_relationships":0}
            }
        "#]],
    );
}

#[test]
fn the_tree_hangs_items_below_what_needs_them() {
    check(
        |out| tree(out, &canned::dependencies()),
        expect![[r#"
        Shop (@5, business_service)
        ├─ web-1 (@3, web_server) depends_on redundant
        │  └─ orders-db (@2, database_instance) depends_on also through web-2
        │     └─ storage-1 (@1, storage_array) stored_on
        └─ web-2 (@4, web_server) depends_on redundant
    "#]],
    );
}

#[test]
fn the_graph_points_at_what_is_needed() {
    check(
        |out| graph(out, &canned::dependencies()),
        expect![[r#"
        // An arrow points at what is needed; dashed: in a redundancy group.
        digraph cmdb {
          rankdir=LR;
          node [shape=box, style="rounded,filled", fillcolor=white];
          "@5" [label="Shop\nbusiness_service", fillcolor=lightblue];
          "@3" [label="web-1\nweb_server"];
          "@5" -> "@3" [label="depends_on (web)", style=dashed];
          "@4" [label="web-2\nweb_server"];
          "@5" -> "@4" [label="depends_on (web)", style=dashed];
          "@2" [label="orders-db\ndatabase_instance"];
          "@3" -> "@2" [label="depends_on"];
          "@4" -> "@2" [label="depends_on (db)", style=dashed];
          "@1" [label="storage-1\nstorage_array"];
          "@2" -> "@1" [label="stored_on"];
        }
    "#]],
    );
}

#[test]
fn what_is_left_out_for_its_class_is_counted() {
    let mut answer = DependenciesResponse {
        classes: vec!["web_server".into()],
        other_classes: 2,
        total: 2,
        ..canned::dependencies()
    };
    answer.dependencies.truncate(2);
    assert_eq!(sentence(&answer, now()), "Shop needs 2 items of class web_server, 2 of them redundant");
    assert_eq!(omissions(&answer), ["2 needed items of other classes, left out by --class"]);
    let none = DependenciesResponse { dependencies: Vec::new(), total: 0, ..answer };
    assert_eq!(sentence(&none, now()), "Shop needs no item of class web_server");
}
