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
fn the_table_lists_the_largest_and_says_what_it_is_exact_for() {
    check(
        |out| table(out, &canned::blast_radius()),
        expect![[r#"
        NAME       ID  CLASS              ITEMS
        storage-1  @1  storage_array          4
        orders-db  @2  database_instance      3

        the 2 with the largest blast radius of 4 items that others depend on
        redundancy set aside; `cmdb impact ITEM --count` counts with it
        exact for revision 42; 43 is the newest, and the figures are being made anew
    "#]],
    );
}

#[test]
fn nothing_depends_on_anything() {
    check(
        |out| table(out, &BlastRadiusResponse::default()),
        expect![[r#"
        nothing known depends on anything
        redundancy set aside; `cmdb impact ITEM --count` counts with it
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| object(out, &canned::blast_radius()),
        expect![[r#"
        {
          "revision": 42,
          "as_of": "2026-11-03T14:05:11Z",
          "items": [
            {"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1","blast_radius":4},
            {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","blast_radius":3}
          ],
          "total": 4,
          "refreshing": true,
          "head_revision": 43,
          "hidden": 0
        }
    "#]],
    );
}

#[test]
fn weights_are_told_with_what_they_rest_on() {
    check(
        |out| table(out, &canned::weighted_blast_radius()),
        expect![[r#"
        NAME       ID  CLASS              WEIGHT  ITEMS  OF 1  OF 2  OF 3  OF 4
        orders-db  @2  database_instance      10      3     2     0     1     0
        storage-1  @1  storage_array           9      4     1     1     0     2

        the 2 with the largest weighted blast radius of 4 items that others depend on
        redundancy set aside; `cmdb impact ITEM --count` counts with it
        of criticality 1 an item counts 4, of 2 it counts 3, of 3 2, of 4 1; 2 items declare it, 1 inherits it from what needs them
        assumed: criticality 1 for 3 items of which nothing is known
        1 service among them, whose needs inherit it: Shop
        1 item has another value than 1 to 4, which counts for nothing
    "#]],
    );
    check(
        |out| object(out, &canned::weighted_blast_radius()),
        expect![[r#"
        {
          "revision": 42,
          "as_of": "2026-11-03T14:05:11Z",
          "items": [
            {"id":"@2","key":"orders-db","class":"database_instance","name":"orders-db","blast_radius":3,"weight":10,"by_criticality":[2,0,1,0]},
            {"id":"@1","key":"storage-1","class":"storage_array","name":"storage-1","blast_radius":4,"weight":9,"by_criticality":[1,1,0,2]}
          ],
          "total": 4,
          "refreshing": false,
          "head_revision": 43,
          "hidden": 0,
          "criticality": {"declared":2,"inherited":1,"assumed":3,"services":[{"id":"@5","key":"shop","class":"business_service","name":"Shop"}],"services_total":1,"unusable":1}
        }
    "#]],
    );
}
