use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: &Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn the_table_shows_figures_and_rates() {
    check(
        |out| table(out, &canned::health()),
        &expect![[r#"
        1,234 items, 90.0 % confirmed by machines within 24 hours

        correctness
          orphans  2  of 1,200  0.2 %  items that should be related to something and are not

        ownership
          unowned  0  of 0  -  items that nobody owns

        confirmation by class
          NAME        DISCOVERABLE  CONFIRMED  CONTRADICTED  UNCONFIRMED  UNDISCOVERABLE
          web_server         2,000     50.0 %           100          900              50
          package            8,000    100.0 %             0            0               0

        confirmation by source
          NAME            DISCOVERABLE  CONFIRMED  CONTRADICTED  UNCONFIRMED  UNDISCOVERABLE
          agent-0b6f3c1e        10,000     90.0 %           100          900               0

        `cmdb health --list FIGURE` names the items behind a figure
    "#]],
    );
}

#[test]
fn a_list_names_the_items_and_what_is_left_out() {
    check(
        |out| list(out, &canned::health(), "orphans"),
        &expect![[r#"
        items that should be related to something and are not: 2 of 1,200

        NAME   ID  CLASS       WHY
        web-1  @3  web_server  is related to nothing and 1 more

        not listed: 1 more item, --limit N lists more
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    let object = object(&canned::health(), "orphans");
    assert_eq!(object["facts"]["confirmed_percent"], 90.0);
    assert_eq!(object["by_class"]["web_server"]["discoverable"], 2_000);
    assert_eq!(object["figures"][0]["name"], "orphans");
    assert_eq!(object["listed"][0]["details_omitted"], 1);
    assert_eq!(object["omitted"], 1);
    assert!(super::object(&canned::health(), "").get("listed").is_none());
}

#[test]
fn of_nothing_there_is_no_share() {
    assert_eq!(percent(0, 0), None);
    assert_eq!(rate_json(&FactRate::default())["confirmed_percent"], Json::Null);
}
