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
fn the_table_writes_each_chain_on_a_line() {
    check(
        |out| table(out, &canned::trace()),
        expect![[r#"
            Shop (@5, business_service) needs orders-db (@2, database_instance)
              1. Shop ─depends_on (web)→ web-1 ←supports─ orders-db
              2. Shop ─depends_on (web)→ web-2 ←supports─ orders-db

            2 chains, shortest first
            not listed: there are more chains: 10 chains were asked for
            went over depends_on and runs_on; connects_to only degrades
        "#]],
    );
}

#[test]
fn no_chain_is_said() {
    check(
        |out| table(out, &TraceResponse { chains: Vec::new(), truncated: false, ..canned::trace() }),
        expect![[r#"
            no dependency chain is known between Shop and orders-db, in either direction
            went over depends_on and runs_on; connects_to only degrades
        "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::trace()),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "from": {"id":"@5","key":"shop","class":"business_service","name":"Shop"},
              "to": {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db"},
              "chains": [
                {"direction":"from_needs_to","steps":[{"id":"@5","key":"shop","class":"business_service","name":"Shop","type":"depends_on","group":"web","forward":true,"stale":false},{"id":"@3","key":"web-1","class":"web_server","name":"web-1","type":"supports","group":null,"forward":false,"stale":false},{"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","type":null,"group":null,"forward":false,"stale":false}]},
                {"direction":"from_needs_to","steps":[{"id":"@5","key":"shop","class":"business_service","name":"Shop","type":"depends_on","group":"web","forward":true,"stale":false},{"id":"@4","key":"web-2","class":"web_server","name":"web-2","type":"supports","group":null,"forward":false,"stale":false},{"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","type":null,"group":null,"forward":false,"stale":false}]}
              ],
              "truncated": true,
              "truncated_reason": "10 chains were asked for",
              "hidden": 0,
              "over": {"types":["depends_on","runs_on"],"weak_types":["connects_to"],"min_confidence":0.0,"left_out":0}
            }
        "#]],
    );
}

#[test]
fn the_graph_draws_every_relationship_once() {
    check(
        |out| graph(out, &canned::trace()),
        expect![[r#"
        // Arrows are relationships, from source to target.
        digraph cmdb {
          rankdir=LR;
          node [shape=box, style="rounded,filled", fillcolor=white];
          "@5" [label="Shop\nbusiness_service", fillcolor=lightblue];
          "@3" [label="web-1\nweb_server"];
          "@2" [label="orders-db\ndatabase_instance", fillcolor=lightblue];
          "@4" [label="web-2\nweb_server"];
          "@5" -> "@3" [label="depends_on (web)", style=dashed];
          "@2" -> "@3" [label="supports"];
          "@5" -> "@4" [label="depends_on (web)", style=dashed];
          "@2" -> "@4" [label="supports"];
        }
    "#]],
    );
}

#[test]
fn chains_that_are_left_out_are_counted() {
    let classes = vec!["web_server".into(), "cache".into()];
    let answer = TraceResponse { classes, other_chains: 3, truncated: false, ..canned::trace() };
    let expected = "3 chains through no item of classes web_server and cache, left out by --class";
    assert_eq!(omissions(&answer), [expected]);
    check(
        |out| table(out, &TraceResponse { chains: Vec::new(), ..answer }),
        expect![[r#"
        no chain between Shop and orders-db leads through an item of classes web_server and cache
        not listed: 3 chains through no item of classes web_server and cache, left out by --class
        went over depends_on and runs_on; connects_to only degrades
    "#]],
    );
}
