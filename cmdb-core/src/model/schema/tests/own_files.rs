use super::with;
use crate::model::schema::Step;
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
availability = 0.99
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
    assert_eq!(rules, ["mainframe_partition", "computer", "computer", "computer", "computer", "computer"]);
    // What is added to a class its children have too.
    let hypervisor = schema.class("hypervisor").expect("built in");
    let added = &hypervisor.attributes["warranty.number"];
    assert_eq!((added.value_type, added.indexed), (ValueType::Text, true));
    assert_eq!(added.inherited_from.as_deref(), Some("server"));
    assert_eq!(hypervisor.identification[2].declared_by, "server");
    let up = |class: &str| schema.class(class).expect("there").availability;
    assert_eq!((up("server"), up("hypervisor"), up("computer")), (0.99, 0.99, 0.9995));
    assert_eq!((up("mainframe_partition"), up("business_service")), (0.9999, 1.0));
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
fn rules_by_looked_up_rows_are_inherited_and_refined() {
    let schema = super::with(
        r#"
[[class]]
name = "blade"
parent = "server"
identified_by = [
  { attributes = ["model"], strength = "strong", lookup = { class = "disk", attribute = "serial_number", rows = "all" } },
  { lookup = { class = "rack", attribute = "asset_tag", by = ["contains"], unique = true } },
  { lookup = { class = "operating_system", attribute = "fqdn", by = ["runs"] } },
]
told_apart_by = ["located_in"]
[[class]]
name = "thin_blade"
parent = "blade"
"#,
    )
    .expect("valid");
    for name in ["blade", "thin_blade"] {
        let class = schema.class(name).expect("declared");
        let rules: Vec<_> = class.identification.iter().map(|rule| rule.criteria().join(" + ")).collect();
        let expected = [
            "model + disk.serial_number",
            "uuid",
            "serial_number",
            "rack.asset_tag",
            "operating_system.fqdn",
            "operating_system.machine_id",
            "network_interface.mac_address",
            "host_name + disk.serial_number",
        ];
        assert_eq!(rules, expected, "{name}");
        assert_eq!(class.told_apart_by, ["located_in"], "{name}");
        let steps: Vec<_> = class.identification.iter().filter_map(|rule| rule.lookup.clone()).collect();
        assert_eq!(steps[0].by, [Step::Within]);
        assert_eq!((&steps[1].by, steps[1].unique), (&vec![Step::To("contains".to_owned())], true));
        assert_eq!(steps[2].by, [Step::From("runs_on".to_owned())]);
    }
}

#[test]
fn what_tells_no_machine_does_not_count_in_lookups() {
    let schema = Schema::built_in();
    let rows = |mac: &str| {
        schema.normalise_row("network_interface", "mac_address", &crate::model::Value::Text(mac.to_owned()))
    };
    assert_eq!(rows("3C-EC-EF-00-00-01"), ["3c:ec:ef:00:00:01"]);
    for shared in [
        "02:42:ac:11:00:02",
        "52:54:00:12:34:56",
        "00:00:5e:00:01:0a",
        "00:50:56:C0:00:08",
        "ff:ff:ff:ff:ff:ff",
    ] {
        assert_eq!(rows(shared), Vec::<String>::new(), "{shared}");
    }
    // The item itself is found by it all the same.
    let bridge = crate::model::Value::Text("02:42:ac:11:00:02".to_owned());
    assert!(schema.normalise("network_interface", "mac_address", &bridge).is_some());
}

#[test]
fn a_known_attribute_keeps_its_meaning() {
    let schema =
        with("[[class]]\nname = \"phone\"\nparent = \"hardware\"\nattributes.fqdn = { type = \"text\" }\n")
            .expect("valid");
    let fqdn = &schema.class("phone").expect("declared").attributes["fqdn"];
    assert!(fqdn.indexed);
    assert_eq!(fqdn.normalise.name(), "lower_case");
}
