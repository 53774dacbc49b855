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
fn the_table_lists_commits() {
    check(
        |out| table(out, &canned::history(), now()),
        expect![[r#"
        orders-db (@2), newest first

        revision 42  2026-11-03 14:02:11Z (3 min ago)  anna: upgraded last night
          ~ orders-db (@2, database_instance)
              version: 15.4 → 15.5 (person-anna)
          - orders-db (@2) stored_on storage-1 (@1)
          ~ orders-db (@2, database_instance): active → stopped
              not seen for 5 min

        there are older changes: --before 40
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::history()),
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "item": "@2",
              "name": "orders-db",
              "commits": [
                {"revision":42,"recorded_at":"2026-11-03T14:02:11Z","actor":"anna","reason":"upgraded last night","changes":[{"kind":"item_updated","item":{"id":"@2","class":"database_instance","name":"orders-db"},"attributes":[{"name":"version","before":"15.4","after":"15.5","source":"person-anna"}],"relationship":null,"status_before":null,"status_after":null,"notes":[],"purged":[]},{"kind":"relationship_removed","item":{"id":"@2","class":"database_instance","name":"orders-db"},"attributes":[],"relationship":{"from":{"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db"},"type":"stored_on","to":{"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1"},"group":null,"weight":1.0,"inferred":false,"confidence":1.0,"denied":false,"status":"active","attributes":{},"sources":["webshop"],"first_seen":"2026-11-03T12:05:11Z","last_seen":"2026-11-03T14:04:11Z","stale":false},"status_before":null,"status_after":null,"notes":[],"purged":[]},{"kind":"item_status","item":{"id":"@2","class":"database_instance","name":"orders-db"},"attributes":[],"relationship":null,"status_before":"active","status_after":"stopped","notes":["not seen for 5 min"],"purged":[]}],"changes_total":3,"hash":"abababababababababababababababababababababababababababababababab"}
              ],
              "next_before_revision": 40
            }
        "#]],
    );
}
