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
    check("[[class]\nname = 1\n", &expect![""]);
    check("classes = []\n", &expect![""]);
    check("name = \"x\"\n", &expect![""]);
    check("class = \"robot\"\n", &expect![""]);
    check("[[class]]\nname = \"robot\"\nparnt = \"hardware\"\n", &expect![""]);
    check(&class("zzz = 1"), &expect![""]);
    check(&class("running = \"yes\""), &expect![""]);
    check(&class("title = 5"), &expect![""]);
    check(&class("stopped_for = \"soon\""), &expect![""]);
}

#[test]
fn classes() {
    check("[[class]]\nparent = \"hardware\"\n", &expect![""]);
    check("[[class]]\nname = \"Robot 2\"\nparent = \"hardware\"\n", &expect![""]);
    check("[[class]]\nname = \"robot\"\n", &expect![""]);
    check("[[class]]\nname = \"robot\"\nparent = \"hardwear\"\n", &expect![""]);
    check("[[class]]\nname = \"server\"\nparent = \"hardware\"\n", &expect![""]);
    check(&format!("{}{}", class(""), class("")), &expect![""]);
    check(
        "[[class]]\nname = \"a\"\nparent = \"b\"\n[[class]]\nname = \"b\"\nparent = \"a\"\n\
         [[class]]\nname = \"c\"\nparent = \"a\"\n",
        &expect![""],
    );
    check("[[class]]\nname = \"a\"\nparent = \"a\"\n", &expect![""]);
    check(&class("default_require = { member_off = \"any\" }"), &expect![""]);
    check(&class("default_require = { member_of = \"most\" }"), &expect![""]);
    check(&class("default_require = { member_of = 2 }"), &expect![""]);
}

#[test]
fn attributes() {
    check(&class("attributes = { arms = { type = \"number\" } }"), &expect![""]);
    check(&class("attributes = { arms = { unit = \"arms\" } }"), &expect![""]);
    check(&class("attributes = { arms = \"integer\" }"), &expect![""]);
    check(&class("[class.attributes]\narm.length = { type = \"float\" }"), &expect![""]);
    check(&class("attributes = { Arms = { type = \"integer\" } }"), &expect![""]);
    check(&class("attributes = { status = { type = \"text\" } }"), &expect![""]);
    check(&class("attributes = { model = { type = \"text\" } }"), &expect![""]);
    check(&class("attributes = { port = { type = \"text\" } }"), &expect![""]);
    check(&class("attributes = { ports = { type = \"list\", of = \"text\" } }"), &expect![""]);
    check(&class("attributes = { fqdn = { type = \"text\", normalise = \"mac\" } }"), &expect![""]);
    check(&class("attributes = { fqdn = { type = \"text\", normalise = \"upper\" } }"), &expect![""]);
    check(&class("attributes = { arms = { type = \"integer\", of = \"text\" } }"), &expect![""]);
    check("[[extend]]\nclass = \"sever\"\n", &expect![""]);
    check("[[extend]]\nattributes = {}\n", &expect![""]);
    // A child has it already: the later declaration is to blame.
    check("[[extend]]\nclass = \"item\"\nattributes.model = { type = \"text\" }\n", &expect![""]);
}

#[test]
fn rules() {
    check(&class("identified_by = [{ attributes = [\"serial_nummer\"] }]"), &expect![""]);
    check(&class("identified_by = [{ attributes = [] }]"), &expect![""]);
    check(&class("identified_by = [{ attributes = [\"model?\"] }]"), &expect![""]);
    check(&class("identified_by = [{ attributes = [\"model\"], strenght = \"strong\" }]"), &expect![""]);
    check(&class("identified_by = [{ attributes = [\"model\"], strength = \"medium\" }]"), &expect![""]);
    check(&class("identified_by = [{ attributes = [\"labels\"] }]"), &expect![""]);
    check(
        &class("identified_by = [{ attributes = [\"axes\", \"model\"] }]\nattributes.axes = { type = \"list\" }"),
        &expect![""],
    );
    check(&class("identified_by = \"model\""), &expect![""]);
    check(&class("identified_like = \"computer\""), &expect![""]);
    check(&class("identified_like = \"compter\""), &expect![""]);
}

#[test]
fn relationship_types() {
    let kind = |rest: &str| format!("[[relationship_type]]\n{rest}");
    check(&kind("name = \"heats\"\ninverse = \"heated_by\"\n"), &expect![""]);
    check(&kind("name = \"heats\"\nfailure = \"none\"\n"), &expect![""]);
    check(&kind("name = \"heats\"\ninverse = \"heated_by\"\nfailure = \"both\"\n"), &expect![""]);
    check(&kind("name = \"runs\"\ninverse = \"run_by\"\nfailure = \"none\"\n"), &expect![""]);
    check(&kind("name = \"heats\"\ninverse = \"heats\"\nfailure = \"none\"\n"), &expect![""]);
    check(&kind("name = \"heats\"\ninverse = \"heated_by\"\nfailure = \"none\"\nweak = true\n"), &expect![""]);
}

#[test]
fn orders_and_junk() {
    check("[[order]]\nclasses = [\"server\"]\n", &expect![""]);
    check("[[order]]\nclasses = [\"servers\"]\nsources = [\"person\"]\n", &expect![""]);
    check("[[order]]\nclasses = [\"server\"]\nsources = [\"person\", \"agnet\"]\n", &expect![""]);
    check(
        "[[order]]\nclasses = [\"server\"]\nattributes = [\"memory\"]\nsources = [\"person\"]\n",
        &expect![""],
    );
    let order = "[[order]]\nclasses = [\"server\"]\nsources = [\"person\"]\n";
    check(&format!("{order}{order}"), &expect![""]);
    check("[[junk]]\nattributes = [\"serialnumber\"]\nvalues = [\"x\"]\n", &expect![""]);
    check("[[junk]]\nattributes = [\"serial_number\"]\n", &expect![""]);
    check("[[junk]]\nvalues = [\"*\"]\n", &expect![""]);
    check("[[junk]]\nvalues = \"x\"\n", &expect![""]);
    check("[[junk]]\nvalues = [\"x\", 5]\n", &expect![""]);
}

/// All that is wrong is said at once, in the order of the file.
#[test]
fn several_at_once() {
    check(
        "[[class]]\nname = \"robot\"\nparent = \"hardware\"\nruning = true\n\n[class.attributes]\narms = { type = \"int\" }\n\
         legs = { type = \"integer\", index = true }\n",
        &expect![""],
    );
}

#[test]
fn too_large() {
    let file = ("big.toml".to_owned(), "#".repeat(FILE_BYTES_MAX + 1));
    let error = Schema::load(&[file]).expect_err("too large");
    expect!["big.toml:0:0: the file has 4194305 bytes; a schema file has at most 4194304"]
        .assert_eq(&error.to_string());
}
