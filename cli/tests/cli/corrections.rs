//! What a correction by hand sends.

use cmdb_proto::v1::reference::To;
use cmdb_proto::v1::value::Kind;
use cmdb_proto::v1::{ApplyRequest, Reference, RelationshipClaim};

use crate::fake::Fake;
use crate::shell::{command, run};

fn only_request(fake: &Fake) -> ApplyRequest {
    let recorded = fake.recorded();
    assert_eq!(recorded.applied.len(), 1);
    let request = recorded.applied[0].clone();
    assert!(request.source.is_empty(), "the server fills in the person");
    assert!(request.merge, "what was said before stays");
    assert_eq!(request.claims.len(), 1);
    request
}

#[test]
fn set_speaks_of_the_id_with_values_of_the_declared_types() {
    let fake = Fake::start();
    let arguments =
        ["set", "orders-db", "port=5433", "colour=42", "version=", "name=Orders", "--reason", "moved"];
    let ran = run(&fake.url, &arguments).must_end_with(0).says(&["note: colour is not declared"]);
    assert!(ran.out.starts_with("revision 43: 1 item updated"), "{}", ran.out);
    let request = only_request(&fake);
    assert_eq!((request.dry_run, request.reason.as_str()), (false, "moved"));
    let claim = &request.claims[0];
    assert_eq!(claim.key, "@2");
    let said = claim.item.as_ref().expect("about an item");
    assert_eq!((said.class.as_str(), said.name.as_str()), ("", "Orders"));
    let kind = |name: &str| said.attributes[name].kind.clone();
    assert_eq!(kind("port"), Some(Kind::Integer(5433)));
    assert_eq!(kind("colour"), Some(Kind::Text("42".into())), "undeclared is text");
    assert_eq!(kind("version"), None, "taken back");
}

#[test]
fn relate_and_unrelate_speak_of_ids() {
    let to = Some(Reference { to: Some(To::Id("@2".into())) });
    let fake = Fake::start();
    run(
        &fake.url,
        &["relate", "web-1", "depends_on", "orders-db", "--group", "db", "--weight", "2.5", "--dry-run"],
    )
    .must_end_with(0);
    let request = only_request(&fake);
    assert!(request.dry_run);
    assert_eq!(request.claims[0].key, "@3");
    assert!(request.claims[0].item.is_none());
    let expected = RelationshipClaim {
        r#type: "depends_on".into(),
        to: to.clone(),
        group: "db".into(),
        weight: 2.5,
        ..RelationshipClaim::default()
    };
    assert_eq!(request.claims[0].relationships, [expected]);

    let fake = Fake::start();
    run(&fake.url, &["unrelate", "web-1", "depends_on", "orders-db"]).must_end_with(0);
    let expected =
        RelationshipClaim { r#type: "depends_on".into(), to, denied: true, ..RelationshipClaim::default() };
    assert_eq!(only_request(&fake).claims[0].relationships, [expected]);
}

#[test]
fn a_misspelt_or_ambiguous_item_is_refused_before_anything_is_written() {
    let fake = Fake::start();
    run(&fake.url, &["set", "twin", "port=1"]).must_end_with(1);
    run(&fake.url, &["relate", "web-1", "depends_on", "nobody"]).must_end_with(3);
    run(&fake.url, &["set", "orders-db", "port=many"]).must_end_with(2);
    assert!(fake.recorded().applied.is_empty());
}

#[test]
fn a_dry_run_says_what_would_change() {
    let fake = Fake::start();
    for arguments in [
        &["set", "orders-db", "version=15.5", "--dry-run"][..],
        &["retire", "orders-db", "--dry-run"],
        &["revert", "42", "--dry-run"],
        &["merge", "web-1", "orders-db", "--dry-run"],
        &["split", "orders-db", "--dry-run"],
    ] {
        let ran = run(&fake.url, arguments).must_end_with(0);
        assert!(ran.out.starts_with("would change: 1 item updated"), "{arguments:?}\n{}", ran.out);
        assert!(ran.out.contains("version: 15.4 → 15.5"), "{arguments:?}\n{}", ran.out);
        let quiet: Vec<&str> = arguments.iter().copied().chain(["--quiet"]).collect();
        assert_eq!(run(&fake.url, &quiet).out, ran.out, "what was asked for is printed");
    }
    let ran = run(&fake.url, &["revert", "42"]).must_end_with(0);
    assert!(ran.out.contains("left as it is: version of orders-db"), "{}", ran.out);
}

#[test]
fn a_purge_names_an_attribute_and_a_reason_and_says_what_it_erased() {
    let fake = Fake::start();
    let ran =
        run(&fake.url, &["purge", "orders-db.labels", "--reason", "a password"]).must_end_with(0).says(&[
            "labels was erased from 3 versions in the history of @2",
            "labels was erased from scenario what-if",
        ]);
    assert!(ran.out.contains("labels: purged by anna, 2026-11-03 13:05:11Z: a password"), "{}", ran.out);
    assert!(ran.out.contains("left as it is: 1 references ask"), "{}", ran.out);
    let dry = ["purge", "orders-db.labels", "--reason", "a password", "--dry-run"];
    run(&fake.url, &dry).must_end_with(0).says(&["labels would be erased from 3 versions"]);
    let lifted = run(&fake.url, &["purge", "orders-db.labels", "--lift"]).must_end_with(0);
    assert!(lifted.out.contains("labels may be stated again"), "{}", lifted.out);
    run(&fake.url, &["purge", "orders-db", "--reason", "a"]).must_end_with(2).says(&["write ITEM.ATTRIBUTE"]);
    run(&fake.url, &["purge", "orders-db.labels"]).must_end_with(2).says(&["needs a --reason"]);
    run(&fake.url, &["purge", "nobody.labels", "--reason", "a"]).must_end_with(3);
}

#[test]
fn quiet_says_nothing_of_success() {
    let fake = Fake::start();
    let ran =
        run(&fake.url, &["set", "orders-db", "version=15.5", "--quiet"]).must_end_with(0).says_nothing();
    assert_eq!(ran.out, "");
}

#[test]
fn the_server_is_told_who_asks() {
    let fake = Fake::start();
    run(&fake.url, &["show", "web-1"]).must_end_with(0);
    run(&fake.url, &["show", "web-1", "--actor", "ben@example.org"]).must_end_with(0);
    command(&fake.url, &["show", "web-1"]).env("CMDB_ACTOR", "carl").output().expect("cmdb is executable");
    command(&fake.url, &["show", "web-1"])
        .env("USER", "DOMAIN\\dora")
        .env_remove("LOGNAME")
        .env_remove("USERNAME")
        .output()
        .expect("cmdb is executable");
    let actors: Vec<Option<String>> = fake.recorded().actors.clone();
    let actors: Vec<Option<&str>> = actors.iter().map(Option::as_deref).collect();
    assert_eq!(actors, [Some("anna"), Some("ben@example.org"), Some("carl"), None]);
}

#[test]
fn a_merge_says_what_was_dropped_and_a_split_what_is_left_to_decide() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["merge", "web-1", "orders-db"]).must_end_with(0).says(&["@2 leads to @3"]);
    assert!(ran.out.contains("left as it is: @3 depends_on @2 would relate"), "{}", ran.out);
    let ran = run(&fake.url, &["split", "orders-db"]).must_end_with(0);
    assert!(ran.out.contains("scan:s-1 came after the merge: --claim scan:s-1=@2"), "{}", ran.out);
    let ran = run(&fake.url, &["split", "orders-db", "--claim", "scan:s-1=@2"]).must_end_with(0);
    assert!(!ran.out.contains("scan:s-1"), "{}", ran.out);
    run(&fake.url, &["split", "orders-db", "--claim", "scan"]).must_end_with(2);
}

#[test]
fn rules_are_tried_and_wrong_ones_are_named_by_file_and_line() {
    let fake = Fake::start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("order.toml");
    let path = file.to_str().expect("text");
    std::fs::write(&file, "[[order]]").expect("written");
    let ran = run(&fake.url, &["rules", "test", path]).must_end_with(0);
    assert!(ran.out.contains("15.4 (agent.db1) → 15.5 (webshop)"), "{}", ran.out);
    std::fs::write(&file, "bad").expect("written");
    run(&fake.url, &["rules", "test", path]).must_end_with(1).says(&["order.toml:1:1"]);
    run(&fake.url, &["rules", "test", "/nowhere.toml"]).must_end_with(1).says(&["/nowhere.toml"]);
    run(&fake.url, &["rules", "test"]).must_end_with(2);
}

#[test]
fn duplicates_and_explain_show_who_says_what() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["duplicates"]).must_end_with(0);
    for expected in ["orders-db (@2,", "serial_number agree", "agent.db1:host", "2 more sets"] {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    let ran = run(&fake.url, &["explain", "orders-db"]).must_end_with(0);
    for expected in
        ["merged into it: web-1 (@3)", "rule by host_name db-1 + port 5432", "= 15.4 ", "goes before"]
    {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
}

#[test]
fn groups_are_listed_confirmed_and_rejected() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["groups", "--state", "proposed", "--min-confidence", "0.5"]).must_end_with(0);
    for expected in ["proposed nginx:443 of Shop (@5", "needs any of 2, 70 % sure", "because one client"] {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    let ran = run(&fake.url, &["groups", "--item", "Shop", "--state", "rejected"]).must_end_with(0);
    assert_eq!(ran.out, "there are no such groups\n");
    run(&fake.url, &["groups", "--state", "sure"]).must_end_with(2);
    let word = ["groups", "confirm", "Shop", "nginx:443", "--requires", "2", "--reason", "a pair"];
    let ran = run(&fake.url, &word).must_end_with(0);
    assert!(ran.out.contains("revision 43"), "{}", ran.out);
    run(&fake.url, &["groups", "confirm", "Shop", "nginx:443"]).must_end_with(0);
    run(&fake.url, &["groups", "reject", "Shop", "nginx:443", "--reason", "no"]).must_end_with(0);
    assert_eq!(fake.recorded().judged, ["at_least 2", "", "all"]);
    run(&fake.url, &["groups", "reject", "Shop", "redis"]).must_end_with(3).says(&["it has nginx:443"]);
}
