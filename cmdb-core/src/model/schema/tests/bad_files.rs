use expect_test::{Expect, expect};

use super::with;
use crate::model::Schema;
use crate::model::schema::FILE_BYTES_MAX;

fn check(text: &str, expected: &Expect) {
    let error = with(text).expect_err("a bad file");
    expected.assert_eq(&error.to_string());
}

/// One class with a line of its own in place of the last.
fn class(line: &str) -> String {
    format!("[[class]]\nname = \"robot\"\nparent = \"hardware\"\n{line}\n")
}

#[test]
fn not_toml_or_unknown_keys() {
    check(
        "[[class]\nname = 1\n",
        &expect!["own.toml:1:9: not valid TOML: unclosed array table, expected `]`"],
    );
    check(
        "classes = []\n",
        &expect![[r#"own.toml:1:1: a schema file has no key "classes": did you mean "class"?"#]],
    );
    check(
        "name = \"x\"\n",
        &expect![[
            r#"own.toml:1:1: a schema file has no key "name": its keys are class, extend, relationship_type, order, junk, expect, discover, audit, assign"#
        ]],
    );
    check(
        "class = \"robot\"\n",
        &expect![[r#"own.toml:1:9: "class" of a schema file is a list of tables, not text"#]],
    );
    check(
        "[[class]]\nname = \"robot\"\nparnt = \"hardware\"\n",
        &expect![[r#"
        own.toml:2:8: class "robot" lacks "parent", such as parent = "configuration_item"
        own.toml:3:1: [[class]] has no key "parnt": did you mean "parent"?"#]],
    );
    check(
        &class("zzz = 1"),
        &expect![[
            r#"own.toml:4:1: [[class]] has no key "zzz": its keys are name, parent, title, description, abstract, running, external_without_host, attributes, identified_by, identified_like, told_apart_by, default_require, stopped_for, retire_after, availability"#
        ]],
    );
    check(
        &class("running = \"yes\""),
        &expect![[r#"own.toml:4:11: "running" of [[class]] is true or false, not text"#]],
    );
    for given in ["1.5", "-0.1", "nan"] {
        let error = with(&class(&format!("availability = {given}"))).expect_err("no share").to_string();
        let said = "own.toml:4:16: \"availability\" of [[class]] is a number from 0 to 1, such as 0.999, not";
        assert!(error.starts_with(said), "{error}");
    }
    check(&class("title = 5"), &expect![[r#"own.toml:4:9: "title" of [[class]] is text, not a number"#]]);
    check(
        &class("stopped_for = \"soon\""),
        &expect![[
            r#"own.toml:4:15: "stopped_for" of [[class]] is numbers with units w, d, h, m, s, ms or us, such as "1h 30m", not "soon""#
        ]],
    );
}

#[test]
fn classes() {
    check("[[class]]\nparent = \"hardware\"\n", &expect![[r#"own.toml:1:1: [[class]] lacks "name""#]]);
    check(
        "[[class]]\nname = \"Robot 2\"\nparent = \"hardware\"\n",
        &expect![[
            r#"own.toml:2:8: the name of a class is small letters, digits and _, a letter first, at most 64; not "Robot 2""#
        ]],
    );
    check(
        "[[class]]\nname = \"robot\"\n",
        &expect![[r#"own.toml:2:8: class "robot" lacks "parent", such as parent = "configuration_item""#]],
    );
    check(
        "[[class]]\nname = \"robot\"\nparent = \"hardwear\"\n",
        &expect![[r#"own.toml:3:10: there is no class "hardwear": did you mean "hardware"?"#]],
    );
    check(
        "[[class]]\nname = \"server\"\nparent = \"hardware\"\n",
        &expect![[
            r#"own.toml:2:8: class "server" is already declared in built-in classes_hardware.toml, line 29: add to it with [[extend]] class = "server""#
        ]],
    );
    check(
        &format!("{}{}", class(""), class("")),
        &expect![[
            r#"own.toml:6:8: class "robot" is already declared in own.toml, line 2: add to it with [[extend]] class = "robot""#
        ]],
    );
    check(
        "[[class]]\nname = \"a\"\nparent = \"b\"\n[[class]]\nname = \"b\"\nparent = \"a\"\n\
         [[class]]\nname = \"c\"\nparent = \"a\"\n",
        &expect![[r#"
            own.toml:3:10: class "a" is its own ancestor: a → b → a
            own.toml:6:10: class "b" is its own ancestor: b → a → b"#]],
    );
    check(
        "[[class]]\nname = \"a\"\nparent = \"a\"\n",
        &expect![[r#"own.toml:3:10: class "a" is its own ancestor: a → a"#]],
    );
    check(
        &class("default_require = { member_off = \"any\" }"),
        &expect![[r#"own.toml:4:21: there is no relationship type "member_off": did you mean "member_of"?"#]],
    );
    check(
        &class("default_require = { member_of = \"most\" }"),
        &expect![[
            r#"own.toml:4:21: "most" is not a requirement: write all, any, at_least N, percent P (0 to 100) or capacity C"#
        ]],
    );
    check(
        &class("default_require = { member_of = 2 }"),
        &expect![[r#"own.toml:4:21: a requirement is text, such as "at_least 2""#]],
    );
}

#[test]
fn attributes() {
    check(
        &class("attributes = { arms = { type = \"number\" } }"),
        &expect![[
            r#"own.toml:4:32: "type" of an attribute is one of text, integer, float, boolean, timestamp, duration, bytes, list, map, not "number""#
        ]],
    );
    check(
        &class("attributes = { arms = { unit = \"arms\" } }"),
        &expect![[r#"own.toml:4:16: attribute "arms" lacks "type""#]],
    );
    check(
        &class("attributes = { arms = \"integer\" }"),
        &expect![[r#"own.toml:4:16: attribute "arms" is a table such as { type = "text" }"#]],
    );
    check(
        &class("[class.attributes]\narm.length = { type = \"float\" }"),
        &expect![[
            r#"own.toml:5:1: attribute "arm" has a dot in its name or lacks "type": write "arm.…" in quotes"#
        ]],
    );
    check(
        &class("attributes = { Arms = { type = \"integer\" } }"),
        &expect![[
            r#"own.toml:4:16: the name of an attribute is small letters, digits, _ and dots, a letter first, at most 64; not "Arms""#
        ]],
    );
    check(
        &class("attributes = { status = { type = \"text\" } }"),
        &expect![[r#"own.toml:4:16: "status" cannot be declared: every item has it already"#]],
    );
    check(
        &class("attributes = { model = { type = \"text\" } }"),
        &expect![[
            r#"own.toml:4:16: class "robot" already has an attribute "model", declared in built-in classes_base.toml, line 37"#
        ]],
    );
    check(
        &class("attributes = { port = { type = \"text\" } }"),
        &expect![[
            r#"own.toml:4:16: attribute "port" is text here and integer at built-in classes_software.toml:46:1: one name means the same in every class"#
        ]],
    );
    check(
        &class("attributes = { ports = { type = \"list\", of = \"text\" } }"),
        &expect![[
            r#"own.toml:4:16: attribute "ports" is a list of text here and of integer at built-in classes_software.toml:47:1: one name means the same in every class"#
        ]],
    );
    check(
        &class("attributes = { fqdn = { type = \"text\", normalise = \"mac\" } }"),
        &expect![[
            r#"own.toml:4:16: attribute "fqdn" has normalise = "mac" here and "lower_case" at built-in classes_software.toml:20:1: one name means the same in every class"#
        ]],
    );
    check(
        &class("attributes = { fqdn = { type = \"text\", normalise = \"upper\" } }"),
        &expect![[
            r#"own.toml:4:52: "normalise" of an attribute is one of trim, lower_case, mac, uuid, address, exact, not "upper""#
        ]],
    );
    check(
        &class("attributes = { arms = { type = \"integer\", of = \"text\" } }"),
        &expect![[r#"own.toml:4:48: "of" is for lists; "arms" is of type integer"#]],
    );
    check(
        "[[extend]]\nclass = \"sever\"\n",
        &expect![[r#"own.toml:2:9: there is no class "sever": did you mean "server"?"#]],
    );
    check("[[extend]]\nattributes = {}\n", &expect![[r#"own.toml:1:1: [[extend]] lacks "class""#]]);
    // A child has it already: the later declaration is to blame.
    check(
        "[[extend]]\nclass = \"item\"\nattributes.model = { type = \"text\" }\n",
        &expect![[r#"
            own.toml:3:12: class "hardware" already has an attribute "model", declared in built-in classes_base.toml, line 37
            own.toml:3:12: class "virtual_machine" already has an attribute "model", declared in built-in classes_hardware.toml, line 50"#]],
    );
}

#[test]
fn rules() {
    check(
        &class("identified_by = [{ attributes = [\"serial_nummer\"] }]"),
        &expect![[
            r#"own.toml:4:34: class "robot" has no attribute "serial_nummer": did you mean "serial_number"?"#
        ]],
    );
    check(
        &class("identified_by = [{ attributes = [] }]"),
        &expect![[
            r#"own.toml:4:18: a rule names at least one attribute that is not optional: attributes = ["…"]"#
        ]],
    );
    check(
        &class("identified_by = [{ attributes = [\"model?\"] }]"),
        &expect![[
            r#"own.toml:4:18: a rule names at least one attribute that is not optional: attributes = ["…"]"#
        ]],
    );
    check(
        &class("identified_by = [{ attributes = [\"model\"], strenght = \"strong\" }]"),
        &expect![[
            r#"own.toml:4:44: a rule of identified_by has no key "strenght": did you mean "strength"?"#
        ]],
    );
    check(
        &class("identified_by = [{ attributes = [\"model\"], strength = \"medium\" }]"),
        &expect![[
            r#"own.toml:4:55: "strength" of a rule of identified_by is one of strong, weak, not "medium""#
        ]],
    );
    check(
        &class("identified_by = [{ attributes = [\"labels\"] }]"),
        &expect![[r#"own.toml:4:34: "labels" is a map: it cannot identify"#]],
    );
    check(
        &class(
            "identified_by = [{ attributes = [\"axes\", \"model\"] }]\nattributes.axes = { type = \"list\" }",
        ),
        &expect![[r#"own.toml:4:34: "axes" is a list: it identifies only in a rule of its own"#]],
    );
    check(
        &class("identified_by = \"model\""),
        &expect![[r#"own.toml:4:17: "identified_by" of [[class]] is a list of tables, not text"#]],
    );
    check(
        &class("identified_like = \"computer\""),
        &expect![[r#"
            own.toml:4:19: class "robot" is identified like "computer" and lacks its attribute "host_name"
            own.toml:4:19: class "robot" is identified like "computer" and lacks its attribute "uuid""#]],
    );
    check(
        &class("identified_like = \"compter\""),
        &expect![[r#"own.toml:4:19: identified_like names "compter", which declares no rules"#]],
    );
}

#[test]
fn lookups() {
    let rule = |lookup: &str| class(&format!("identified_by = [{{ lookup = {lookup} }}]"));
    check(&rule(r#"{ class = "disk" }"#), &expect![[r#"own.toml:4:29: a lookup lacks "attribute""#]]);
    check(
        &rule(r#"{ class = "dsk", attribute = "serial_number" }"#),
        &expect![[r#"own.toml:4:39: there is no class "dsk": did you mean "disk"?"#]],
    );
    check(
        &rule(r#"{ class = "disk", attribute = "serialnumber" }"#),
        &expect![[
            r#"own.toml:4:59: class "disk" has no attribute "serialnumber": did you mean "serial_number"?"#
        ]],
    );
    check(
        &rule(r#"{ class = "disk", attribute = "device" }"#),
        &expect![[r#"own.toml:4:59: "device" is not indexed, so nothing can be looked up by it"#]],
    );
    check(
        &rule(r#"{ class = "disk", attribute = "serial_number", by = ["withn"], rows = "most" }"#),
        &expect![[r#"
            own.toml:4:82: "withn" is neither "within" nor a relationship type
            own.toml:4:99: "rows" of a lookup is one of any, all, not "most""#]],
    );
    check(
        &class("told_apart_by = [\"run_on\"]"),
        &expect![[r#"own.toml:4:18: there is no relationship type "run_on": did you mean "runs_on"?"#]],
    );
}

#[test]
fn relationship_types() {
    let kind = |rest: &str| format!("[[relationship_type]]\n{rest}");
    check(
        &kind("name = \"heats\"\ninverse = \"heated_by\"\n"),
        &expect![[r#"own.toml:1:1: [[relationship_type]] lacks "failure""#]],
    );
    check(
        &kind("name = \"heats\"\nfailure = \"none\"\n"),
        &expect![[r#"own.toml:1:1: [[relationship_type]] lacks "inverse""#]],
    );
    check(
        &kind("name = \"heats\"\ninverse = \"heated_by\"\nfailure = \"both\"\n"),
        &expect![[
            r#"own.toml:4:11: "failure" of [[relationship_type]] is one of target_to_source, source_to_target, none, not "both""#
        ]],
    );
    check(
        &kind("name = \"runs\"\ninverse = \"run_by\"\nfailure = \"none\"\n"),
        &expect![[
            r#"own.toml:2:8: "runs" already names a relationship type or an inverse in built-in relationship_types.toml, line 5"#
        ]],
    );
    check(
        &kind("name = \"heats\"\ninverse = \"heats\"\nfailure = \"none\"\n"),
        &expect![[
            r#"own.toml:3:11: "heats" already names a relationship type or an inverse in own.toml, line 2"#
        ]],
    );
    check(
        &kind("name = \"heats\"\ninverse = \"heated_by\"\nfailure = \"none\"\nweak = true\n"),
        &expect![[r#"own.toml:2:8: "heats" cannot be weak: it carries no failure"#]],
    );
}

#[test]
fn orders_and_junk() {
    check(
        "[[order]]\nclasses = [\"server\"]\n",
        &expect![[
            r#"own.toml:1:1: [[order]] names at least one class and one source: classes = ["item"], sources = ["person"]"#
        ]],
    );
    check(
        "[[order]]\nclasses = [\"servers\"]\nsources = [\"person\"]\n",
        &expect![[r#"own.toml:2:12: there is no class "servers": did you mean "server"?"#]],
    );
    check(
        "[[order]]\nclasses = [\"server\"]\nsources = [\"person\", \"agnet\"]\n",
        &expect![[
            r#"own.toml:3:22: "agnet" is neither a kind of source (person, agent, connector, import, rule) nor "source:NAME""#
        ]],
    );
    check(
        "[[order]]\nclasses = [\"server\"]\nattributes = [\"memory\"]\nsources = [\"person\"]\n",
        &expect![[
            r#"own.toml:3:15: class "server" does not have an attribute "memory": did you mean "memory_bytes"?"#
        ]],
    );
    let order = "[[order]]\nclasses = [\"server\"]\nsources = [\"person\"]\n";
    check(
        &format!("{order}{order}"),
        &expect![[
            r#"own.toml:4:1: the order for all attributes of class "server" is already given in own.toml, line 1"#
        ]],
    );
    check(
        "[[junk]]\nattributes = [\"serialnumber\"]\nvalues = [\"x\"]\n",
        &expect![[
            r#"own.toml:2:15: no class has an attribute "serialnumber": did you mean "serial_number"?"#
        ]],
    );
    check(
        "[[junk]]\nattributes = [\"serial_number\"]\n",
        &expect![[r#"own.toml:1:1: [[junk]] lacks "values""#]],
    );
    check(
        "[[junk]]\nvalues = [\"*\"]\n",
        &expect![[r#"own.toml:2:11: "*" alone would make every value junk"#]],
    );
    check(
        "[[junk]]\nvalues = \"x\"\n",
        &expect![[r#"own.toml:2:10: "values" of [[junk]] is a list of texts, not text"#]],
    );
    check(
        "[[junk]]\nvalues = [\"x\", 5]\n",
        &expect![[r#"own.toml:2:16: "values" of [[junk]] is a list of texts, not a number"#]],
    );
}

/// All that is wrong is said at once, in the order of the file.
#[test]
fn several_at_once() {
    check(
        "[[class]]\nname = \"robot\"\nparent = \"hardware\"\nruning = true\n\n[class.attributes]\narms = { type = \"int\" }\n\
         legs = { type = \"integer\", index = true }\n",
        &expect![[r#"
            own.toml:4:1: [[class]] has no key "runing": did you mean "running"?
            own.toml:7:17: "type" of an attribute is one of text, integer, float, boolean, timestamp, duration, bytes, list, map, not "int"
            own.toml:8:28: an attribute has no key "index": did you mean "indexed"?"#]],
    );
}

#[test]
fn too_large() {
    let file = ("big.toml".to_owned(), "#".repeat(FILE_BYTES_MAX + 1));
    let error = Schema::load(&[file]).expect_err("too large");
    expect!["big.toml:0:0: the file has 4194305 bytes; a schema file has at most 4194304"]
        .assert_eq(&error.to_string());
}
