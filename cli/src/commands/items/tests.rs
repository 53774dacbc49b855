use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn now() -> Timestamp {
    Timestamp::from_microsecond(canned::NOW_US).expect("in range")
}

fn listed(format: Format) -> String {
    let mut out = Vec::new();
    let mut listing = Listing::new(format, now(), By::Attribute);
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
        let mut listing = Listing::new(format, now(), By::Attribute);
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

#[test]
fn a_listing_by_blast_radius_says_what_the_figures_are_exact_for() {
    let page = |token: &str| {
        let mut page = canned::page(token);
        page.items[0].blast_radius = Some(17);
        ListItemsResponse { figures_revision: page.revision - 1, without_figure: 1, ..page }
    };
    let print = |format| {
        let mut out = Vec::new();
        let mut listing = Listing::new(format, now(), By::Figure);
        listing.write(&mut out, &page("")).expect("memory takes it");
        let last = ListItemsResponse { figures_revision: 42, ..page("second") };
        listing.write(&mut out, &last).expect("memory takes it");
        listing.end(&mut out, 3, &last).expect("memory takes it");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
    };
    expect![[r#"
        NAME       ID  CLASS              STATUS   LAST SEEN  KEY        BLAST RADIUS
        orders-db  @2  database_instance  active   60 s ago   orders-db            17
        web-1      @3  web_server         stopped  60 s ago   web-1
        Shop       @5  business_service   active   60 s ago   shop                 17

        3 items
        blast radius: exact for revision 42
        the figures were made anew while this was listed: the order of the pages may differ
        1 item has no figure yet, being newer: listed last
    "#]]
    .assert_eq(&print(Format::Table));
    expect![[r#"
        {
          "items": [
            {"id":"@2","key":"orders-db","source":"webshop","class":"database_instance","name":"orders-db","status":"active","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[],"blast_radius":17},
            {"id":"@3","key":"web-1","source":"webshop","class":"web_server","name":"web-1","status":"stopped","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[],"blast_radius":null},
            {"id":"@5","key":"shop","source":"webshop","class":"business_service","name":"Shop","status":"active","attributes":{},"revision":0,"first_seen":null,"last_seen":"2026-11-03T14:04:11Z","duplicates":[],"purged":[],"blast_radius":17}
          ],
          "revision": 42,
          "as_of": "2026-11-03T14:05:11Z",
          "total": 3,
          "truncated": false,
          "figures_revision": 42,
          "without_figure": 1
        }
    "#]].assert_eq(&print(Format::Json));
    let orders = ["blast_radius", "-blast_radius", " - blast_radius", "name"].map(is_by_figure);
    assert_eq!(orders, [true, true, true, false]);
}
