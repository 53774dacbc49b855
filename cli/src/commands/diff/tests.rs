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
fn the_table_groups_by_item_and_says_who_and_why() {
    check(
        |out| table(out, &canned::diff(), now()),
        expect![[r#"
            ~ orders-db (@2, database_instance)
                version: 15.4 → 15.5 (person-anna)
                revision 42, 3 min ago, anna: upgraded last night; before that 40
              - orders-db (@2) stored_on storage-1 (@1)
                  revision 42, 3 min ago, anna: upgraded last night

            1 item changed, 1 retired; 1 relationship removed, around Shop (@5, business_service): 5 items compared
            not listed: 1 more fact differs: --limit N lists more
            from revision 39, 2026-11-03 12:05:11Z (2 h ago)
            to   revision 42, 2026-11-03 14:02:11Z (3 min ago)
        "#]],
    );
}

#[test]
fn what_differs_in_nothing_is_said() {
    let answer =
        DiffResponse { from_revision: 0, to_revision: 42, to_us: canned::NOW_US, ..DiffResponse::default() };
    check(
        |out| table(out, &answer, now()),
        expect![[r#"
            nothing differs
            from before the first commit
            to   revision 42, 2026-11-03 14:05:11Z (just now)
        "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::diff()),
        expect![[r#"
            {
              "from": {"revision":39,"as_of":"2026-11-03T12:05:11Z"},
              "to": {"revision":42,"as_of":"2026-11-03T14:02:11Z"},
              "around": {"id":"@5","key":"shop","class":"business_service","name":"Shop"},
              "around_items": 5,
              "differences": [
                {"kind":"item_updated","item":{"id":"@2","class":"database_instance","name":"orders-db"},"attributes":[{"name":"version","before":"15.4","after":"15.5","source":"person-anna"}],"relationship":null,"status_before":null,"status_after":null,"notes":[],"purged":[],"commits":[{"revision":42,"recorded_at":"2026-11-03T14:02:11Z","actor":"anna","reason":"upgraded last night"},{"revision":40,"recorded_at":"2026-11-03T14:02:11Z","actor":"anna","reason":"upgraded last night"}]},
                {"kind":"relationship_removed","item":{"id":"@2","class":"database_instance","name":"orders-db"},"attributes":[],"relationship":{"from":{"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db"},"type":"stored_on","to":{"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1"},"group":null,"weight":1.0,"inferred":false,"confidence":1.0,"denied":false,"status":"active","attributes":{},"sources":["webshop"],"first_seen":"2026-11-03T12:05:11Z","last_seen":"2026-11-03T14:04:11Z","stale":false},"status_before":null,"status_after":null,"notes":[],"purged":[],"commits":[{"revision":42,"recorded_at":"2026-11-03T14:02:11Z","actor":"anna","reason":"upgraded last night"}]}
              ],
              "totals": {"items":{"added":0,"changed":1,"removed":1},"relationships":{"added":0,"changed":0,"removed":1}},
              "truncated": true,
              "hidden": 0
            }
        "#]],
    );
}
