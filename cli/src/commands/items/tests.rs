use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn now() -> Timestamp {
    Timestamp::from_microsecond(canned::NOW_US).expect("in range")
}

fn listed(format: Format) -> String {
    let mut out = Vec::new();
    let mut listing = Listing::new(format, now());
    for token in ["", "second"] {
        listing.write(&mut out, &canned::page(token)).expect("memory takes it");
    }
    listing.end(&mut out, 3, &canned::page("second")).expect("memory takes it");
    anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
}

#[test]
fn pages_become_one_table() {
    expect![[r#"
        NAME       ID  CLASS              STATUS   LAST SEEN  KEY
        orders-db  @2  database_instance  active   60 s ago   orders-db
        web-1      @3  web_server         stopped  60 s ago   web-1
        Shop       @5  business_service   active   60 s ago   shop

        3 items
    "#]]
    .assert_eq(&listed(Format::Table));
}

#[test]
fn pages_become_one_object() {
    expect![[r#"
        {
          "items": [
            {"id":"@2","key":"orders-db","source":"webshop","class":"database_instance","name":"orders-db","status":"active","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[]},
            {"id":"@3","key":"web-1","source":"webshop","class":"web_server","name":"web-1","status":"stopped","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[]},
            {"id":"@5","key":"shop","source":"webshop","class":"business_service","name":"Shop","status":"active","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[]}
          ],
          "revision": 42,
          "as_of": "2026-11-03T14:05:11Z",
          "total": 3,
          "truncated": false
        }
    "#]].assert_eq(&listed(Format::Json));
}

#[test]
fn an_empty_page_is_still_an_object_and_a_sentence() {
    let check = |format, listed, total, expected: Expect| {
        let mut out = Vec::new();
        let mut listing = Listing::new(format, now());
        let page = ListItemsResponse { total, ..ListItemsResponse::default() };
        listing.write(&mut out, &page).expect("memory takes it");
        listing.end(&mut out, listed, &page).expect("memory takes it");
        expected.assert_eq(&anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string());
    };
    check(
        Format::Json,
        0,
        0,
        expect![[r#"
            {
              "items": [],
              "revision": 0,
              "as_of": null,
              "total": 0,
              "truncated": false
            }
        "#]],
    );
    check(
        Format::Table,
        0,
        0,
        expect![[r#"
        no item is known that fits
    "#]],
    );
    check(
        Format::Table,
        100,
        2_000,
        expect![[r#"

        100 of 2,000 items are listed: --all lists every one
    "#]],
    );
}
