use expect_test::expect;

use super::rules::fits;
use super::*;
use crate::model::Schema;

fn read(text: &str) -> String {
    let files = [("own.toml".to_owned(), text.to_owned())];
    let schema = Schema::load(&files).map_err(|error| error.to_string());
    match schema.and_then(|schema| Rules::read(&schema).map_err(|error| error.to_string())) {
        Ok(rules) => format!("{} audits, {} assignments", rules.audits.len(), rules.assignments.len()),
        Err(error) => error,
    }
}

#[test]
fn the_built_in_rules_are_readable() {
    let rules = Rules::read(&Schema::built_in()).expect("the built-in rules are valid");
    assert!(rules.audits.iter().any(|audit| audit.name == "database_protected"));
}

#[test]
fn a_wrong_condition_is_found_where_it_stands() {
    let audit =
        |rest: &str| format!("[[audit]]\nname = \"mine\"\nclass = \"server\"\nmessage = \"m\"\n{rest}");
    let cases = [
        audit("where = \"status = activ\"\nrequires = [\"has owner\"]"),
        audit("requires = [\"has ownr\"]"),
        audit("requires = [\"has owner\", \"related protectd_by any\"]"),
        audit("requires = [\"related protected_by sever\"]"),
        audit("requires = [\"related protected_by\"]"),
        audit("requires = []"),
        "[[assign]]\nname = \"web-*\"\n".to_owned(),
        "[[assign]]\nowner = \"me\"\n".to_owned(),
        "[[assign]]\nwhere = \"labels.team =\"\nowner = \"me\"\n".to_owned(),
        "[[expect]]\nclasses = [\"servr\"]\nrequired = [\"x\"]\n".to_owned(),
        "[[expect]]\nclasses = [\"server\"]\nrequired = [\"serial_numbr\"]\n".to_owned(),
        "[[discover]]\nrelationship_types = [\"runs_in\"]\n".to_owned(),
    ];
    let found: Vec<String> = cases.iter().map(|text| read(text)).collect();
    expect![[r#"
        own.toml:5:9: column 10: there is no status "activ": did you mean "active"?
        own.toml:5:13: no class declares an attribute "ownr": did you mean "owner"?
        own.toml:5:26: there is no relationship type "protectd_by": did you mean "protected_by"?
        own.toml:5:13: there is no class "sever": did you mean "server"?
        own.toml:5:13: "related protected_by" is not a requirement: write "related TYPE CLASS", "related TYPE any" or a condition
        own.toml:1:1: [[audit]] says what must hold: requires = ["has owner", "related protected_by any"]
        own.toml:1:1: [[assign]] gives at least one of owner, support_group, environment
        own.toml:1:1: [[assign]] says whom it speaks of: at least one of class, name, site, where
        own.toml:2:9: column 14: expected a value: text in quotes, a number, true or false, found the end
        own.toml:2:12: there is no class "servr": did you mean "server"?
        own.toml:3:13: class "server" does not have an attribute "serial_numbr": did you mean "serial_number"?
        own.toml:2:23: there is no relationship type "runs_in": did you mean "runs_on"?"#]].assert_eq(&found.join("\n"));
}

#[test]
fn an_own_audit_replaces_the_built_in_one_of_its_name() {
    let plain = read("");
    let own = "[[audit]]\nname = \"service_connected\"\nclass = \"service\"\nmessage = \"m\"\nrequires = [\"has url\"]";
    assert_eq!(read(own), plain);
    assert_ne!(read(&own.replace("service_connected", "another")), plain);
    let twice = format!("{own}\n{own}");
    assert_eq!(
        read(&twice),
        "own.toml:7:8: audit \"service_connected\" is already declared in own.toml, line 2"
    );
}

#[test]
fn names_fit_patterns() {
    let cases = [
        ("web-*", "web-1", true),
        ("web-*", "WEB-", true),
        ("web-*", "my-web-1", false),
        ("*db*", "orders-db-1", true),
        ("*.example.org", "a.example.org", true),
        ("*.example.org", "example.org", false),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("ab*ba", "aba", false),
        ("db", "db", true),
        ("db", "db1", false),
    ];
    for (pattern, name, expected) in cases {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}
