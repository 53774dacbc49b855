use std::collections::BTreeMap;

use crate::model::value::Value::{self, Boolean, Bytes, DurationUs, Float, Integer, List, Map};
use crate::model::{Schema, Timestamp};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn schema() -> Schema {
    super::with(
        "[[class]]\nname = \"probe\"\nparent = \"hardware\"\n[class.attributes]\n\
         length = { type = \"duration\" }\nraw = { type = \"bytes\" }\ncalibrated = { type = \"boolean\" }\n\
         readings = { type = \"list\" }\n",
    )
    .expect("valid")
}

#[test]
fn fit() {
    let moment = Value::Timestamp(Timestamp(1_763_805_600_000_000));
    let cases = [
        ("server", "memory_bytes", Integer(5), Ok(Integer(5))),
        ("server", "memory_bytes", Float(5.0), Ok(Integer(5))),
        (
            "server",
            "memory_bytes",
            Float(5.5),
            Err("attribute \"memory_bytes\" is integer, not float \"5.5\""),
        ),
        ("server", "memory_bytes", text("5"), Err("attribute \"memory_bytes\" is integer, not text \"5\"")),
        ("sla", "availability_percent", Integer(99), Ok(Float(99.0))),
        (
            "sla",
            "availability_percent",
            Float(f64::NAN),
            Err("attribute \"availability_percent\" is float, not float \"NaN\""),
        ),
        (
            "server",
            "not_declared",
            Float(f64::INFINITY),
            Err("attribute \"not_declared\" is not a number: inf"),
        ),
        ("server", "not_declared", Boolean(true), Ok(Boolean(true))),
        ("server", "started_at", text("2025-11-22T10:00:00Z"), Ok(moment.clone())),
        ("server", "started_at", text("2025-11-22T11:00:00+01:00"), Ok(moment)),
        (
            "server",
            "started_at",
            text("yesterday"),
            Err("attribute \"started_at\" is timestamp, not text \"yesterday\""),
        ),
        ("server", "started_at", Integer(5), Err("attribute \"started_at\" is timestamp, not integer \"5\"")),
        ("probe", "length", text("2h"), Ok(DurationUs(7_200_000_000))),
        ("probe", "length", Integer(5), Err("attribute \"length\" is duration, not integer \"5\"")),
        ("probe", "raw", text("00ff"), Ok(Bytes(vec![0, 255]))),
        ("probe", "raw", text("0f0"), Err("attribute \"raw\" is bytes, not text \"0f0\"")),
        (
            "application",
            "ports",
            List(vec![Integer(80), Float(443.0)]),
            Ok(List(vec![Integer(80), Integer(443)])),
        ),
        (
            "application",
            "ports",
            List(vec![text("http")]),
            Err("attribute \"ports\" is list of integer, not text \"http\""),
        ),
        (
            "application",
            "ports",
            Integer(80),
            Err("attribute \"ports\" is list of integer, not integer \"80\""),
        ),
        ("application", "version", Float(15.4), Err("attribute \"version\" is text, not float \"15.4\"")),
        ("", "port", text("http"), Err("attribute \"port\" is integer, not text \"http\"")),
        ("probe", "readings", List(vec![text("a"), Integer(1)]), Ok(List(vec![text("a"), Integer(1)]))),
    ];
    let schema = schema();
    for (class, attribute, value, expected) in cases {
        let fitted = schema.fit(class, attribute, value.clone()).map_err(|problem| problem.message);
        assert_eq!(fitted, expected.map_err(str::to_owned), "{class}.{attribute} = {value:?}");
    }
    let problem = schema.fit("application", "version", Float(15.4)).expect_err("a number");
    assert_eq!(
        (problem.expected.as_str(), problem.given.as_str(), problem.hint.as_str()),
        ("text", "float \"15.4\"", "write it in quotes: \"15.4\"")
    );
}

#[test]
fn parse_text() {
    let pairs = |pairs: &[(&str, Value)]| {
        Map(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>())
    };
    let cases = [
        ("application", "port", " 80 ", Some(Integer(80))),
        ("application", "port", "http", None),
        ("application", "port", "80.5", None),
        ("application", "version", " 15 ", Some(text(" 15 "))),
        ("application", "not_declared", "007", Some(text("007"))),
        ("application", "ports", "80; 443;", Some(List(vec![Integer(80), Integer(443)]))),
        ("application", "ports", "[80, 443]", Some(List(vec![Integer(80), Integer(443)]))),
        ("application", "ports", "[80", None),
        ("application", "ports", "80;x", None),
        ("application", "ports", "", Some(List(vec![]))),
        ("application", "labels", "a=1; b = two", Some(pairs(&[("a", text("1")), ("b", text("two"))]))),
        ("application", "labels", "{\"a\": 1}", Some(pairs(&[("a", Integer(1))]))),
        ("application", "labels", "a", None),
        ("probe", "length", "1h 30m", Some(DurationUs(5_400_000_000))),
        ("probe", "calibrated", "Yes", Some(Boolean(true))),
        ("probe", "calibrated", "1", None),
        ("sla", "availability_percent", "99.9", Some(Float(99.9))),
        ("sla", "availability_percent", "inf", None),
        ("sla", "starts_at", "1970-01-01T00:00:01Z", Some(Value::Timestamp(Timestamp(1_000_000)))),
    ];
    let schema = schema();
    for (class, attribute, given, expected) in cases {
        assert_eq!(
            schema.parse_text(class, attribute, given).ok(),
            expected,
            "{class}.{attribute} = {given:?}"
        );
    }
}

#[test]
fn normalise() {
    let cases = [
        ("operating_system", "host_name", text(" Web01 "), Some("web01")),
        ("operating_system", "host_name", text("localhost"), None),
        (
            "computer",
            "uuid",
            text("{4C4C4544-0042-3510-8053-B7C04F4D3632}"),
            Some("44454c4c-4200-1035-8053-b7c04f4d3632"),
        ),
        (
            "computer",
            "uuid",
            text("4C4C454400423510 8053B7C04F4D3632"),
            Some("44454c4c-4200-1035-8053-b7c04f4d3632"),
        ),
        // The same machine, read in the other byte order.
        (
            "computer",
            "uuid",
            text("44454C4C-4200-1035-8053-B7C04F4D3632"),
            Some("44454c4c-4200-1035-8053-b7c04f4d3632"),
        ),
        ("virtual_machine", "uuid", text("not a uuid"), Some("not a uuid")),
        (
            "virtual_machine",
            "uuid",
            text("ünïcode-0042-3510-8053-b7c04f4d3632"),
            Some("ünïcode-0042-3510-8053-b7c04f4d3632"),
        ),
        // Listed as 03020100-0504-0706-…: junk in either order.
        ("computer", "uuid", text("00010203-0405-0607-0809-0a0b0c0d0e0f"), None),
        ("computer", "uuid", text("00000000-0000-0000-0000-000000000000"), None),
        ("computer", "uuid", text("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF"), None),
        ("computer", "uuid", text("03000200-0400-0500-0006-000700080009"), None),
        ("server", "serial_number", text("Default string"), None),
        ("server", "serial_number", text("To Be Filled By O.E.M."), None),
        ("server", "serial_number", text("System Serial Number"), None),
        ("server", "serial_number", text("........"), None),
        ("server", "serial_number", text("0"), None),
        ("server", "serial_number", text("  "), None),
        ("server", "serial_number", text("CN7016 "), Some("cn7016")),
        ("disk", "serial_number", text("QM00001"), None),
        ("network_interface", "mac_address", text("52-54-00-AB-CD-EF"), Some("52:54:00:ab:cd:ef")),
        ("network_interface", "mac_address", text("5254.00ab.cdef"), Some("52:54:00:ab:cd:ef")),
        ("network_interface", "mac_address", text("00:00:00:00:00:00"), None),
        ("network_interface", "mac_address", text("ff:ff:ff:ff:ff:ff"), None),
        ("ip_address", "address", text("2001:0DB8:0:0:0:0:0:1"), Some("2001:db8::1")),
        ("ip_address", "address", text("::ffff:10.0.0.5"), Some("10.0.0.5")),
        ("ip_address", "address", text("127.0.0.1"), None),
        ("endpoint", "port", Integer(5432), Some("5432")),
        ("endpoint", "sockets", text("tcp/127.0.0.1:5432"), None),
        ("endpoint", "sockets", text("TCP/10.0.0.5:5432"), Some("tcp/10.0.0.5:5432")),
        ("endpoint", "sockets", List(vec![text("tcp/10.0.0.5:5432")]), None),
        ("item", "labels", Map(BTreeMap::new()), None),
        ("sla", "availability_percent", Float(-0.0), Some("0")),
        ("server", "not_declared", text(" Kept As Is "), Some("Kept As Is")),
        ("server", "not_declared", text("N/A"), None),
        ("site", "host_name", text(" WEB01"), Some("web01")),
    ];
    let schema = schema();
    for (class, attribute, value, expected) in cases {
        let normalised = schema.normalise(class, attribute, &value);
        assert_eq!(normalised.as_deref(), expected, "{class}.{attribute} = {value:?}");
    }
}

#[test]
fn each_element_of_a_list_counts() {
    let sockets = List(
        ["tcp/10.0.0.6:80", "tcp/127.0.0.1:80", "tcp/10.0.0.5:80", "TCP/10.0.0.5:80"].map(text).to_vec(),
    );
    let schema = schema();
    assert_eq!(
        schema.normalise_each("endpoint", "sockets", &sockets),
        ["tcp/10.0.0.5:80", "tcp/10.0.0.6:80"]
    );
    assert_eq!(schema.normalise_each("endpoint", "port", &Integer(80)), ["80"]);
    assert!(schema.normalise_each("endpoint", "port", &text("n/a")).is_empty());
}
