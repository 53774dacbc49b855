use std::collections::BTreeSet;

use crate::model::Require;
use crate::model::schema::{Failure, Schema, Strength};
use crate::model::source::SourceKind;
use crate::model::value::ValueType::{self, Boolean, Integer, List, Text, Timestamp};

#[test]
fn loads_and_lists_parents_first() {
    let schema = Schema::built_in();
    let mut seen = BTreeSet::new();
    for class in schema.classes() {
        assert!(class.parent.as_ref().is_none_or(|parent| seen.contains(parent)), "{}", class.name);
        assert!(!class.title.is_empty() && !class.description.is_empty(), "{}", class.name);
        assert_eq!(class.declared_in, "built-in");
        for attribute in class.attributes.values() {
            assert!(!attribute.description.is_empty(), "{}.{}", class.name, attribute.name);
        }
        seen.insert(class.name.clone());
    }
    assert!(seen.len() > 70);
    assert_eq!(schema.digest(), Schema::built_in().digest());
    assert_eq!(schema.texts().len(), 8);
}

/// What agents state must be declared, or it would be neither typed nor identified by.
#[test]
fn declares_what_agents_state() {
    let texts = |names: &[&'static str]| names.iter().map(|name| (*name, Text)).collect::<Vec<_>>();
    let machine = || {
        let mut all = texts(&[
            "serial_number",
            "uuid",
            "manufacturer",
            "model",
            "chassis",
            "bios.version",
            "board.serial_number",
            "cpu.model",
            "hypervisor",
        ]);
        all.extend(["cpu.sockets", "cpu.cores", "cpu.threads", "memory_bytes"].map(|name| (name, Integer)));
        all
    };
    let software = || {
        let mut all = texts(&[
            "product",
            "version",
            "instance",
            "host_name",
            "user",
            "executable",
            "configuration_path",
            "data_path",
            "arguments_digest",
        ]);
        all.extend([("port", Integer), ("ports", List)]);
        all
    };
    let mut operating_system = texts(&[
        "host_name",
        "domain",
        "fqdn",
        "machine_id",
        "os.id",
        "os.name",
        "os.version",
        "os.title",
        "kernel.name",
        "kernel.release",
        "architecture",
        "init",
    ]);
    operating_system.push(("boot_at", Timestamp));
    let cases: Vec<(&str, Vec<(&str, ValueType)>)> = vec![
        ("operating_system", operating_system),
        ("server", machine()),
        ("virtual_machine", machine()),
        ("computer", machine()),
        ("container", texts(&["container_id", "runtime"])),
        (
            "disk",
            vec![
                ("device", Text),
                ("serial_number", Text),
                ("model", Text),
                ("size_bytes", Integer),
                ("rotational", Boolean),
            ],
        ),
        (
            "file_system",
            vec![("mount_point", Text), ("device", Text), ("type", Text), ("size_bytes", Integer)],
        ),
        (
            "network_interface",
            vec![
                ("interface", Text),
                ("mac_address", Text),
                ("mtu", Integer),
                ("speed_bits_per_s", Integer),
                ("kind", Text),
                ("up", Boolean),
            ],
        ),
        (
            "ip_address",
            vec![("address", Text), ("prefix_length", Integer), ("scope", Text), ("family", Text)],
        ),
        ("package", texts(&["purl", "type", "package", "version", "architecture"])),
        ("system_unit", texts(&["unit", "kind", "description", "enabled", "executable"])),
        ("database_instance", software()),
        ("web_server", software()),
        ("message_broker", software()),
        ("cache", software()),
        ("application_server", software()),
        ("load_balancer", software()),
        ("application", software()),
        (
            "endpoint",
            vec![
                ("protocol", Text),
                ("port", Integer),
                ("addresses", List),
                ("host_name", Text),
                ("binding", Text),
                ("sockets", List),
                ("address", Text),
            ],
        ),
    ];
    let schema = Schema::built_in();
    for (class, attributes) in cases {
        let declared = schema.class(class).unwrap_or_else(|| panic!("class {class}"));
        assert!(!declared.is_abstract, "{class}");
        for (name, value_type) in attributes {
            let attribute = declared.attributes.get(name).unwrap_or_else(|| panic!("{class}.{name}"));
            assert_eq!(attribute.value_type, value_type, "{class}.{name}");
        }
    }
    for name in [
        "host_name",
        "port",
        "address",
        "sockets",
        "machine_id",
        "serial_number",
        "uuid",
        "mac_address",
        "fqdn",
        "purl",
        "product",
        "unit",
        "container_id",
        "url",
    ] {
        assert!(schema.is_indexed(name), "{name}");
    }
}

const COMPUTER: &str = "uuid! by computer | serial_number! by computer | \
     operating_system.machine_id by computer | network_interface.mac_address by computer | \
     host_name + disk.serial_number by computer";

#[test]
fn identification_rules() {
    let cases = [
        ("server", COMPUTER),
        ("virtual_machine", COMPUTER),
        ("hypervisor", COMPUTER),
        (
            "operating_system",
            "machine_id! by operating_system | fqdn by operating_system | \
             network_interface.mac_address by operating_system | host_name by operating_system",
        ),
        ("database_instance", "product + instance? within by software"),
        ("endpoint", "sockets[]! by endpoint | binding within by endpoint"),
        ("package", "purl! by package"),
        ("disk", "serial_number! by disk | device within by disk"),
        ("business_service", ""),
    ];
    let schema = Schema::built_in();
    for (class, expected) in cases {
        let rules: Vec<String> = schema.class(class).expect(class).identification.iter().map(show).collect();
        assert_eq!(rules.join(" | "), expected, "{class}");
    }
}

fn show(rule: &crate::model::schema::Rule) -> String {
    let own = rule
        .attributes
        .iter()
        .map(|attribute| format!("{}{}", attribute.name, if attribute.optional { "?" } else { "" }));
    let names: Vec<_> = own.chain(rule.lookup.as_ref().map(crate::model::schema::Lookup::name)).collect();
    let list = if rule.any_of_list { "[]" } else { "" };
    let strong = if rule.strength == Strength::Strong { "!" } else { "" };
    let within = if rule.within { " within" } else { "" };
    format!("{}{list}{strong}{within} by {}", names.join(" + "), rule.declared_by)
}

#[test]
fn lifecycle_and_redundancy() {
    let schema = Schema::built_in();
    let running = |name: &str| schema.class(name).expect(name).running;
    assert!(running("database_instance") && running("endpoint") && running("container"));
    assert!(!running("server") && !running("system_unit") && !running("package"));
    let cluster = schema.class("cluster").expect("cluster");
    assert_eq!(cluster.default_require.get("member_of"), Some(&Require::Any));
    let days = 24 * 3_600 * 1_000_000;
    assert_eq!((cluster.stopped_for_us, cluster.retire_after_us), (30 * days, 90 * days));
    assert!(schema.class("endpoint").expect("endpoint").external_without_host);
    assert!(schema.is_a("database_instance", "software") && schema.is_a("server", "hardware"));
    assert!(!schema.is_a("software", "database_instance") && !schema.is_a("nothing", "item"));
    assert!(schema.is_a("nothing", "nothing"));
}

#[test]
fn relationship_types_and_where_failure_travels() {
    use Failure::{None, SourceToTarget, TargetToSource};
    let cases = [
        ("runs_on", "runs", TargetToSource, false),
        ("depends_on", "depended_on_by", TargetToSource, false),
        ("hosted_on", "hosts", TargetToSource, false),
        ("powered_by", "powers", TargetToSource, false),
        ("stored_on", "stores", TargetToSource, false),
        ("virtualized_by", "virtualizes", TargetToSource, false),
        ("provided_by", "provides", TargetToSource, false),
        ("located_in", "locates", TargetToSource, false),
        ("consumes", "consumed_by", TargetToSource, false),
        ("member_of", "members", SourceToTarget, false),
        ("connects_to", "connected_from", TargetToSource, true),
        ("contains", "contained_by", None, false),
        ("installed_on", "has_installed", None, false),
        ("replicates_to", "replicated_from", None, false),
        ("protected_by", "protects", None, false),
        ("owned_by", "owns", None, false),
        ("managed_by", "manages", None, false),
        ("supported_by", "supports", None, false),
        ("affects", "affected_by", None, false),
        ("caused_by", "causes", None, false),
        ("governed_by", "governs", None, false),
    ];
    let schema = Schema::built_in();
    assert_eq!(schema.relationship_types().count(), cases.len());
    for (name, inverse, failure, weak) in cases {
        let kind = schema.relationship_type(name).expect(name);
        assert_eq!((kind.inverse.as_str(), kind.failure, kind.weak), (inverse, failure, weak), "{name}");
        let by_inverse = schema.relationship_type_by_inverse(inverse).expect(inverse);
        assert_eq!(by_inverse.name, name);
    }
    assert_eq!(schema.nearest_relationship_type("depend_on"), Some("depends_on"));
}

#[test]
fn order_of_sources() {
    use SourceKind::{Agent, Connector, Import, Person, Rule};
    let discovered = [Person, Agent, Connector, Rule, Import];
    let agreed = [Person, Import, Connector, Rule, Agent];
    let cases = [
        ("server", "memory_bytes", discovered),
        ("database_instance", "version", discovered),
        ("database_instance", "business_criticality", agreed),
        ("server", "owner", agreed),
        ("server", "environment", agreed),
        ("business_service", "entry_points", agreed),
        ("site", "country", agreed),
        ("team", "class", agreed),
        ("not_declared", "anything", discovered),
        ("", "", discovered),
    ];
    let schema = Schema::built_in();
    for (class, attribute, expected) in cases {
        let ranks = expected.map(|kind| schema.rank(class, attribute, "x", kind));
        assert_eq!(ranks, [0, 1, 2, 3, 4], "{class}.{attribute}");
    }
}

/// The page that people read names all there is.
#[test]
fn the_page_names_every_class_and_type() {
    let page = include_str!("../../../../../docs/schema.md");
    let schema = Schema::built_in();
    for class in schema.classes() {
        assert!(page.contains(&format!("`{}`", class.name)), "docs/schema.md does not name {}", class.name);
        assert!(page.contains(&class.description), "docs/schema.md describes {} otherwise", class.name);
    }
    for kind in schema.relationship_types() {
        let row = format!("| `{}` | `{}` |", kind.name, kind.inverse);
        assert!(page.contains(&row), "docs/schema.md lacks {row}");
    }
}

/// The file that the page shows can be used.
#[test]
fn the_pages_example_is_valid() {
    let page = include_str!("../../../../../docs/schema.md");
    let example =
        page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let schema = super::with(example).unwrap_or_else(|error| panic!("{error}"));
    assert!(schema.class("mainframe_partition").is_some());
}

/// The report that the agent's own tests hold it to: every class, attribute and relationship of it is declared, every
/// value fits, and every item can be identified, by a rule that is usable with what the agent states.
#[test]
fn the_agents_report_fits() {
    let report = include_str!("../../../../../agent/tests/golden/debian-web.json");
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    let schema = Schema::built_in();
    let mut entries = 0;
    for section in report["sections"].as_array().expect("sections") {
        for entry in section["entries"].as_array().expect("entries") {
            entries += 1;
            let (key, class) = (&entry["key"], entry["class"].as_str().expect("a class"));
            let declared = schema.class(class).unwrap_or_else(|| panic!("{key}: no class {class}"));
            let attributes = entry["attributes"].as_object().expect("attributes");
            for (name, value) in attributes {
                assert!(declared.attributes.contains_key(name), "{key}: {class} lacks {name}");
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                schema.parse_text(class, name, &text).unwrap_or_else(|problem| panic!("{key}: {problem}"));
            }
            let usable = declared.identification.iter().any(|rule| {
                let has = |name: &str| attributes.contains_key(name);
                (!rule.within || !entry["within"].is_null())
                    && rule.attributes.iter().all(|attribute| attribute.optional || has(&attribute.name))
            });
            assert!(usable, "{key}: no rule of {class} is usable: {entry}");
            for relationship in entry["relationships"].as_array().into_iter().flatten() {
                let kind = relationship["type"].as_str().expect("a type");
                assert!(schema.relationship_type(kind).is_some(), "{key}: no relationship type {kind}");
            }
        }
    }
    assert!(entries > 20, "{entries}");
}
