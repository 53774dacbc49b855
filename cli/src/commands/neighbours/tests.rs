use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn the_table_lists_relationships() {
    check(
        |out| table(out, &canned::neighbours()),
        expect![[r#"
        FROM            TYPE        TO              GROUP  STATUS
        web-1 (@3)      depends_on  orders-db (@2)  -      active
        Shop (@5)       depends_on  web-1 (@3)      web    active
        orders-db (@2)  stored_on   storage-1 (@1)  -      active

        3 relationships to 3 items around web-1 (@3, web_server)
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::neighbours()),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "item": {"id":"@3","key":"web-1","class":"web_server","name":"web-1"},
              "items": [
                {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db"},
                {"id":"@5","key":"shop","class":"business_service","name":"Shop"},
                {"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1"}
              ],
              "relationships": [
                {"from":"@3","type":"depends_on","to":"@2","group":null,"status":"active","stale":false,"confidence":1.0},
                {"from":"@5","type":"depends_on","to":"@3","group":"web","status":"active","stale":false,"confidence":1.0},
                {"from":"@2","type":"stored_on","to":"@1","group":null,"status":"active","stale":false,"confidence":1.0}
              ],
              "truncated": false,
              "hidden": 0,
              "left_out": 0
            }
        "#]],
    );
}

#[test]
fn the_tree_shows_both_directions() {
    check(
        |out| tree(out, &canned::neighbours()),
        expect![[r#"
        web-1 (@3, web_server)
        ├─ depends_on → orders-db (@2, database_instance)
        │  └─ stored_on → storage-1 (@1, storage_array)
        └─ depends_on ← Shop (@5, business_service)
    "#]],
    );
}

#[test]
fn the_graph_draws_relationships() {
    check(
        |out| graph(out, &canned::neighbours()),
        expect![[r#"
        // Arrows are relationships, from source to target.
        digraph cmdb {
          rankdir=LR;
          node [shape=box, style="rounded,filled", fillcolor=white];
          "@1" [label="storage-1\nstorage_array"];
          "@2" [label="orders-db\ndatabase_instance"];
          "@3" [label="web-1\nweb_server", fillcolor=lightblue];
          "@5" [label="Shop\nbusiness_service"];
          "@3" -> "@2" [label="depends_on"];
          "@5" -> "@3" [label="depends_on (web)", style=dashed];
          "@2" -> "@1" [label="stored_on"];
        }
    "#]],
    );
}

#[test]
fn what_hangs_on_relationships_that_are_not_listed_stands_apart() {
    let mut answer = canned::neighbours();
    answer.edges.remove(0);
    answer.classes = vec!["storage_array".into()];
    answer.other_relationships = 1;
    check(
        |out| tree(out, &answer),
        expect![[r#"
        web-1 (@3, web_server)
        └─ depends_on ← Shop (@5, business_service)
        reached over relationships that are not listed
        └─ orders-db (@2, database_instance)
           └─ stored_on → storage-1 (@1, storage_array)
    "#]],
    );
    assert_eq!(omissions(&answer), ["1 relationship with no item of these classes, left out by --class"]);
    answer.edges.clear();
    answer.items.clear();
    check(
        |out| table(out, &answer),
        expect![[r#"
        no relationship with an item of class storage_array is known around web-1 (@3, web_server)
        not listed: 1 relationship with no item of these classes, left out by --class
    "#]],
    );
}
