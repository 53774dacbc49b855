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
fn a_commit_is_a_line_with_its_changes() {
    check(
        |out| table(out, &canned::commit(43), now()),
        expect![[r#"
            revision 43  2026-11-03 14:02:11Z (3 min ago)  anna: upgraded last night · 1 item updated, 1 item with a new status, 1 relationship removed
              ~ orders-db (@2, database_instance)
                  version: 15.4 → 15.5 (person-anna)
              - orders-db (@2) stored_on storage-1 (@1)
              ~ orders-db (@2, database_instance): active → stopped
                  not seen for 5 min
        "#]],
    );
}

#[test]
fn a_large_commit_is_cut() {
    check(
        |out| table(out, &Commit { changes_total: 1_000, ..canned::commit(43) }, now()),
        expect![[r#"
            revision 43  2026-11-03 14:02:11Z (3 min ago)  anna: upgraded last night · 1,000 changes
              ~ orders-db (@2, database_instance)
                  version: 15.4 → 15.5 (person-anna)
              - orders-db (@2) stored_on storage-1 (@1)
              ~ orders-db (@2, database_instance): active → stopped
                  not seen for 5 min
              … and 997 more changes
        "#]],
    );
}
