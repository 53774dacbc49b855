use super::with;
use crate::model::source::SourceKind;
use crate::model::value::ValueType;
use crate::model::{Require, Schema};

#[test]
fn adds_classes_attributes_types_orders_and_junk() {
    let schema = with(
        r#"
[[class]]
name = "mainframe_partition"
parent = "virtual_machine"
running = true
stopped_for = "2d"
retire_after = "1w"
default_require = { member_of = "at_least 2" }
identified_by = [{ attributes = ["partition", "host_name"], strength = "strong" }]
[class.attributes]
partition = { type = "integer" }
host_name_2 = { type = "text", normalise = "lower_case" }

[[extend]]
class = "server"
identified_by = [{ attributes = ["warranty.number"] }]
[extend.attributes]
"warranty.number" = { type = "text", indexed = true }

[[relationship_type]]
name = "cooled_by"
inverse = "cools"
failure = "target_to_source"
weak = true

[[order]]
classes = ["server"]
attributes = ["memory_bytes"]
sources = ["source:netbox", "person"]

[[junk]]
attributes = ["warranty.number"]
values = ["tba"]
"#,
    )
    .expect("valid");
    let class = schema.class("mainframe_partition").expect("declared");
    assert_eq!(class.title, "Mainframe partition");
    assert_eq!(class.declared_in, "own.toml");
    assert!(class.running && class.attributes.contains_key("uuid"));
    assert_eq!(class.stopped_for_us, 2 * 86_400_000_000);
    assert_eq!(class.default_require["member_of"], Require::AtLeast(2));
    let rules: Vec<_> = class.identification.iter().map(|rule| rule.declared_by.as_str()).collect();
    assert_eq!(rules, ["mainframe_partition", "computer", "computer"]);
    // What is added to a class its children have too.
    let hypervisor = schema.class("hypervisor").expect("built in");
    let added = &hypervisor.attributes["warranty.number"];
    assert_eq!((added.value_type, added.indexed), (ValueType::Text, true));
    assert_eq!(added.inherited_from.as_deref(), Some("server"));
    assert_eq!(hypervisor.identification.last().expect("three").declared_by, "server");
    assert!(schema.relationship_type("cooled_by").expect("declared").weak);
    assert_eq!(schema.rank("hypervisor", "memory_bytes", "netbox", SourceKind::Connector), 0);
    assert_eq!(schema.rank("hypervisor", "memory_bytes", "me", SourceKind::Person), 1);
    assert_eq!(schema.rank("hypervisor", "memory_bytes", "other", SourceKind::Agent), 2);
    assert!(schema.is_junk("warranty.number", " TBA "));
    assert!(!schema.is_junk("serial_number", "tba"));
    assert_ne!(schema.digest(), Schema::built_in().digest());
}

/// A built-in order may be replaced.
#[test]
fn a_users_order_replaces_the_built_in_one() {
    let schema = with("[[order]]\nclasses = [\"item\"]\nsources = [\"import\", \"agent\"]\n").expect("valid");
    assert_eq!(schema.rank("server", "memory_bytes", "x", SourceKind::Import), 0);
    assert_eq!(schema.rank("server", "memory_bytes", "x", SourceKind::Person), 2);
}

/// An attribute that another class already has needs only its type: the rest is the same everywhere.
#[test]
fn a_known_attribute_keeps_its_meaning() {
    let schema =
        with("[[class]]\nname = \"phone\"\nparent = \"hardware\"\nattributes.fqdn = { type = \"text\" }\n")
            .expect("valid");
    let fqdn = &schema.class("phone").expect("declared").attributes["fqdn"];
    assert!(fqdn.indexed);
    assert_eq!(fqdn.normalise.name(), "lower_case");
}
