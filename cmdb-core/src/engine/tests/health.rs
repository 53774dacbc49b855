//! The figures of health, each against an estate in which it is known.

use super::harness::*;
use crate::engine::When;
use crate::health::{Ask, Health, Origin};
use crate::model::schema::Schema;
use crate::model::{SourceKind, Timestamp, Value};

const HOUR_US: i64 = DAY_US / 24;

fn health(bench: &Bench, list: &str) -> Health {
    let ask = Ask { list: list.to_owned(), ..Ask::default() };
    bench.cmdb.reader().expect("readable").health(&ask).expect("an answer")
}

/// `count of of, items` of a figure.
fn figure(health: &Health, name: &str) -> (u64, u64, u64) {
    let figure = health.figures.iter().find(|figure| figure.name == name).expect("a figure");
    (figure.count, figure.of, figure.items)
}

/// Name and details of what is listed.
fn listed(bench: &Bench, figure: &str) -> Vec<String> {
    let reader = bench.cmdb.reader().expect("readable");
    let listed = health(bench, figure).listed;
    let name = |id| reader.item(id).expect("readable").expect("there").name;
    listed.iter().map(|found| format!("{}: {}", name(found.item), found.details.join(", "))).collect()
}

fn host(version: &str) -> Vec<crate::claim::Claim> {
    let os = item(
        "os",
        "operating_system",
        &[
            ("host_name", text("h1")),
            ("machine_id", text("0123456789abcdef0123456789abcdef")),
            ("os.name", text("Debian")),
        ],
    );
    let db = item("db", "database_instance", &[("product", text("postgresql")), ("version", text(version))]);
    vec![os, related(within(db, "os"), "runs_on", key("os"), false)]
}

fn files(bench: &Bench, lines: &[&str]) {
    let (outcome, problems) = bench.import(&lines.join("\n"), false, 0);
    assert!(outcome.is_ok(), "{outcome:?} {problems:?}");
}

#[test]
fn facts_are_confirmed_within_the_interval_and_not_after_it() {
    let bench = bench();
    bench.report("agent-1", vec![section("all", &host("15"))]);
    let now = health(&bench, "");
    assert_eq!((now.facts.confirmed, now.facts.unconfirmed, now.facts.contradicted), (6, 0, 0));
    assert_eq!(figure(&now, "confirmed"), (6, 6, 2));
    assert_eq!(figure(&now, "stale"), (0, 2, 0));
    bench.pass(25 * HOUR_US);
    let later = health(&bench, "");
    assert_eq!((later.facts.confirmed, later.facts.unconfirmed), (0, 6));
    assert_eq!(figure(&later, "stale"), (2, 2, 2));
    let longer = Ask { interval_us: 48 * HOUR_US, ..Ask::default() };
    let longer = bench.cmdb.reader().expect("readable").health(&longer).expect("an answer");
    assert_eq!(longer.facts.confirmed, 6);
    // Hearing again from the agent confirms everything that it stands by.
    bench.report("agent-1", vec![section("all", &host("15"))]);
    assert_eq!(health(&bench, "").facts.confirmed, 6);
}

#[test]
fn what_a_machine_says_otherwise_contradicts_and_what_none_can_see_is_beside() {
    let bench = bench();
    bench.report("agent-1", vec![section("all", &host("15"))]);
    let claim = |attribute: &str, value: Value| {
        let id = bench.find("db").id.to_string();
        let mut claim = item(&id, "", &[(attribute, value)]);
        claim.item.as_mut().expect("an item").name = String::new();
        claim
    };
    bench.apply(person("ada"), vec![claim("version", text("16"))], true).expect("a correction");
    bench.apply(person("ada"), vec![claim("owner", text("team db"))], true).expect("a correction");
    assert_eq!(listed(&bench, "contradicted"), ["db: version: 16, but agent-1 says 15"]);
    assert_eq!(listed(&bench, "undiscoverable"), ["db: owner: team db"]);
    let health = health(&bench, "");
    assert_eq!((health.facts.confirmed, health.facts.contradicted, health.facts.undiscoverable), (5, 1, 1));
    assert_eq!(health.by_source["agent-1"].confirmed, 5);
    assert_eq!(health.by_source["person-ada"].contradicted, 1);
    assert_eq!(health.by_class["database_instance"].discoverable(), 3);
    // Somebody denies what the agent sees.
    let mut denial = relationship(key("agent-1:db"), "runs_on", key("agent-1:os"), false);
    denial.from = crate::claim::Reference::Id(bench.find("db").id);
    denial.to = crate::claim::Reference::Id(bench.find("os").id);
    denial.denied = true;
    let mut claim = item("denial", "", &[]);
    claim.kind = crate::claim::UnitKind::Relationship;
    claim.item = None;
    claim.relationships = vec![denial];
    let applied = bench.apply(person("ada"), vec![claim], true).expect("a denial");
    assert_eq!(outcomes(&applied), ["updated"]);
    let contradicted = listed(&bench, "contradicted");
    assert!(contradicted[0].contains("denied, but agent-1 sees it"), "{contradicted:?}");
}

#[test]
fn only_what_is_imported_is_discoverable_and_unconfirmed() {
    let bench = bench();
    files(
        &bench,
        &[
            r#"{"item":{"key":"s1","class":"server","name":"s1","attributes":{"serial_number":"A1","owner":"x"}}}"#,
        ],
    );
    assert_eq!(listed(&bench, "unconfirmed"), ["s1: serial_number: A1"]);
    assert_eq!(listed(&bench, "undiscoverable"), ["s1: owner: x"]);
    assert_eq!(figure(&health(&bench, ""), "stale"), (0, 0, 0));
}

#[test]
fn completeness_and_orphans_name_what_is_lacking() {
    let bench = bench();
    files(
        &bench,
        &[
            r#"{"item":{"key":"os1","class":"operating_system","name":"os1"}}"#,
            r#"{"item":{"key":"web","class":"web_server","name":"web","attributes":{"product":"nginx","host_name":"os1"}}}"#,
            r#"{"relationship":{"from":"web","type":"runs_on","to":"os1"}}"#,
            r#"{"item":{"key":"lone","class":"web_server","name":"lone","attributes":{"product":"nginx"}}}"#,
        ],
    );
    assert_eq!(listed(&bench, "required"), ["os1: lacks host_name"]);
    assert_eq!(listed(&bench, "orphans"), ["lone: is related to nothing"]);
    let health = health(&bench, "");
    assert_eq!(figure(&health, "required"), (1, 3, 1));
    assert_eq!(figure(&health, "orphans"), (1, 3, 1));
    let reader = bench.cmdb.reader().expect("readable");
    let only = |class: &str| Ask { class: class.to_owned(), ..Ask::default() };
    assert_eq!(reader.health(&only("software")).expect("an answer").items, 2);
    let wrong = reader.health(&only("softwar")).expect_err("no such class");
    assert!(wrong.to_string().contains("there is no class \"softwar\""));
    let ask = Ask { list: "orphan".to_owned(), ..Ask::default() };
    assert!(reader.health(&ask).expect_err("no such figure").to_string().contains("no figure \"orphan\""));
}

#[test]
fn a_list_says_what_it_leaves_out() {
    let bench = bench();
    let lines: Vec<String> =
        (0..5).map(|n| format!(r#"{{"item":{{"key":"c{n}","class":"cluster","name":"c{n}"}}}}"#)).collect();
    files(&bench, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    let ask = Ask { list: "orphans".to_owned(), limit: 2, ..Ask::default() };
    let health = bench.cmdb.reader().expect("readable").health(&ask).expect("an answer");
    assert_eq!((health.listed.len(), health.omitted, figure(&health, "orphans")), (2, 3, (5, 5, 5)));
}

#[test]
fn audits_follow_relationships_both_ways_and_take_what_is_inherited() {
    let bench = bench();
    files(
        &bench,
        &[
            r#"{"item":{"key":"shop","class":"business_service","name":"shop","attributes":{"owner":"team shop","environment":"production"}}}"#,
            r#"{"item":{"key":"d1","class":"database_instance","name":"d1","attributes":{"product":"p","host_name":"a"}}}"#,
            r#"{"item":{"key":"d2","class":"database_instance","name":"d2","attributes":{"product":"p","host_name":"b","environment":"production"}}}"#,
            r#"{"item":{"key":"b","class":"storage_array","name":"b"}}"#,
            r#"{"relationship":{"from":"shop","type":"depends_on","to":"d1"}}"#,
            r#"{"relationship":{"from":"d2","type":"protected_by","to":"b"}}"#,
        ],
    );
    // d1 is in production and owned because the shop is; d2 is backed up and nobody's.
    assert_eq!(
        listed(&bench, "audit:database_protected"),
        ["d1: not related protected_by any", "d2: not so: has owner"]
    );
    assert_eq!(figure(&health(&bench, ""), "audit:database_protected"), (2, 2, 2));
    let own = "[[audit]]\nname = \"used\"\nclass = \"database_instance\"\nmessage = \"every database is used\"\n\
               requires = [\"related depended_on_by service\"]";
    let schema = Schema::load(&[("own.toml".to_owned(), own.to_owned())]).expect("valid");
    let bench = bench.reopen_under(schema);
    assert_eq!(listed(&bench, "audit:used"), ["d2: not related depended_on_by service"]);
}

fn given(bench: &Bench, name: &str) -> Vec<String> {
    let reader = bench.cmdb.reader().expect("readable");
    let given = reader.given(&bench.find(name)).expect("readable");
    let from = |origin: &Origin| match origin {
        Origin::Rule(at) => at.clone(),
        Origin::Item(id) => reader.item(*id).expect("readable").expect("there").name,
    };
    given.iter().map(|(name, given)| format!("{name}={} of {}", given.value, from(&given.from))).collect()
}

#[test]
fn owners_come_from_the_item_then_rules_then_the_nearest_service() {
    let bench = bench();
    files(
        &bench,
        &[
            r#"{"item":{"key":"far","class":"business_service","name":"far","attributes":{"owner":"far team","support_group":"far desk"}}}"#,
            r#"{"item":{"key":"near","class":"service_instance","name":"near","attributes":{"owner":"near team"}}}"#,
            r#"{"item":{"key":"app","class":"application","name":"app","attributes":{"product":"a","host_name":"a"}}}"#,
            r#"{"item":{"key":"os","class":"operating_system","name":"os","attributes":{"host_name":"a","owner":"unix"}}}"#,
            r#"{"item":{"key":"srv","class":"server","name":"srv"}}"#,
            r#"{"item":{"key":"fra","class":"site","name":"Frankfurt"}}"#,
            r#"{"item":{"key":"lone","class":"server","name":"lone"}}"#,
            r#"{"item":{"key":"owned","class":"server","name":"owned"}}"#,
            r#"{"item":{"key":"iron","class":"team","name":"Iron"}}"#,
            r#"{"relationship":{"from":"near","type":"depends_on","to":"owned"}}"#,
            r#"{"relationship":{"from":"owned","type":"owned_by","to":"iron"}}"#,
            r#"{"relationship":{"from":"far","type":"depends_on","to":"near"}}"#,
            r#"{"relationship":{"from":"near","type":"depends_on","to":"app"}}"#,
            r#"{"relationship":{"from":"app","type":"runs_on","to":"os"}}"#,
            r#"{"relationship":{"from":"os","type":"runs_on","to":"srv"}}"#,
            r#"{"relationship":{"from":"srv","type":"located_in","to":"fra"}}"#,
        ],
    );
    assert_eq!(given(&bench, "app"), ["owner=near team of near", "support_group=far desk of far"]);
    assert_eq!(given(&bench, "os"), ["support_group=far desk of far"]);
    assert_eq!(given(&bench, "srv"), ["owner=near team of near", "support_group=far desk of far"]);
    assert_eq!(given(&bench, "far"), Vec::<String>::new());
    assert_eq!(given(&bench, "owned"), ["owner=Iron of Iron", "support_group=far desk of far"]);
    let nobodys = "no owner, no rule gives one, and no service passes one on";
    assert_eq!(listed(&bench, "unowned"), [format!("lone: {nobodys}")]);
    let own = "[[assign]]\nsite = \"frank*\"\nclass = \"configuration_item\"\nenvironment = \"production\"\n\
               [[assign]]\nname = \"LON*\"\nowner = \"team lone\"\n\
               [[assign]]\nwhere = 'has product'\nowner = \"apps\"\n";
    let schema = Schema::load(&[("own.toml".to_owned(), own.to_owned())]).expect("valid");
    let bench = bench.reopen_under(schema);
    assert_eq!(given(&bench, "lone"), ["owner=team lone of own.toml:5"]);
    assert_eq!(
        given(&bench, "app"),
        ["environment=production of own.toml:1", "owner=apps of own.toml:8", "support_group=far desk of far"]
    );
    assert_eq!(listed(&bench, "unowned"), Vec::<String>::new());
    // Services stand in no site.
    let open = listed(&bench, "no_environment");
    let names: Vec<&str> = open.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names, ["far", "near", "lone", "owned"]);
}

#[test]
fn missing_items_and_twins_are_counted() {
    let bench = bench();
    let server = |key: &str, serial: &str| item(key, "server", &[("serial_number", text(serial))]);
    let source = named("cloud", SourceKind::Connector);
    bench.apply(source.clone(), vec![server("a", "S1"), server("b", "S2")], false).expect("stated");
    bench.apply(source, vec![server("b", "S2")], false).expect("stated");
    bench.report("agent-2", vec![section("all", &[server("c", "S3")])]);
    bench.report("agent-2", vec![section("all", &[])]);
    assert_eq!(listed(&bench, "missing"), ["c: nobody claims it"]);
    let past = bench.cmdb.reader_at(crate::engine::When::Revision(crate::model::Revision(1))).expect("kept");
    let then = past.health(&Ask::default()).expect("an answer");
    assert_eq!(then.items, 2);
    assert_eq!(figure(&then, "missing"), (0, 2, 0));
}

#[test]
fn a_past_moment_has_the_health_that_it_had() {
    let bench = bench();
    bench.report("agent-1", vec![section("all", &host("15"))]);
    let (first, heard) = (bench.head(), bench.clock.load(std::sync::atomic::Ordering::SeqCst));
    let before = health(&bench, "confirmed");
    let at = |when: When| {
        let ask = Ask { list: "confirmed".to_owned(), ..Ask::default() };
        bench.cmdb.reader_at(when).expect("kept").health(&ask).expect("an answer")
    };
    // Nothing is recorded, and yet the word of the agent is too old a day later, and was not two hours before that.
    bench.pass(25 * HOUR_US);
    assert_eq!(health(&bench, "").facts.confirmed, 0);
    assert_eq!(at(When::Time(Timestamp(heard + 23 * HOUR_US))), before);
    assert_eq!(at(When::Time(Timestamp(heard + 25 * HOUR_US))).facts.confirmed, 0);
    // A service more, and one item less.
    files(&bench, &[r#"{"item":{"key":"s","class":"business_service","name":"s"}}"#]);
    let db = bench.find("db").id;
    bench.retire(db).expect("retired");
    bench.report("agent-1", vec![section("all", &host("16"))]);
    assert_ne!(health(&bench, "confirmed"), before);
    assert_eq!(at(When::Revision(first)), before);
}

#[test]
fn a_past_moment_is_measured_by_the_rules_of_then() {
    let bench = bench();
    bench.report("agent-1", vec![section("all", &host("15"))]);
    let (first, before) = (bench.head(), health(&bench, ""));
    let rules = r#"
[[class]]
name = "vault"
parent = "software"
title = "Vault"

[[audit]]
name = "database_owned"
class = "database_instance"
requires = ["has owner"]
message = "a database has an owner"
"#;
    let schema = Schema::load(&[("mine.toml".to_owned(), rules.to_owned())]).expect("good rules");
    let bench = bench.reopen_under(schema);
    files(&bench, &[r#"{"item":{"key":"v","class":"vault","name":"v"}}"#]);
    let names = |health: &Health| health.figures.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    assert!(names(&health(&bench, "")).contains(&"audit:database_owned".to_owned()));
    let then = bench.cmdb.reader_at(When::Revision(first)).expect("kept");
    assert_eq!(names(&then.health(&Ask::default()).expect("an answer")), names(&before));
    assert!(then.schema_then().expect("readable").class("vault").is_none());
    assert!(then.schema().class("vault").is_some());
    let refused = then.health(&Ask { class: "vault".to_owned(), ..Ask::default() }).unwrap_err();
    assert!(refused.to_string().contains("there is no class \"vault\""), "{refused}");
}
