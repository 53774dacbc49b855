use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{FILTER_BYTES_MAX, Filter, IN_VALUES_MAX, Sort, natural};
use crate::model::value::Value::{self, Boolean, DurationUs, Float, Integer, List};
use crate::model::{Schema, Timestamp};

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn item() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("id", text("@42")),
        ("key", text("db-1")),
        ("source", text("cmdb.csv")),
        ("class", text("database_instance")),
        ("name", text("Orders DB")),
        ("status", text("active")),
        ("os.name", text("Debian")),
        ("version", text("9.6")),
        ("major", text("12")),
        ("port", Integer(5432)),
        ("load", Float(0.5)),
        ("primary", Boolean(true)),
        ("ports", List(vec![Integer(5432), Integer(9187)])),
        ("none", List(vec![])),
        ("started_at", Value::Timestamp(Timestamp::from_rfc3339("2026-11-22T10:00:00Z").expect("a moment"))),
        ("interval", DurationUs(5_000_000)),
        ("fingerprint", Value::Bytes(vec![0, 255])),
        (
            "labels",
            Value::Map(BTreeMap::from([
                ("team".to_owned(), text("blue")),
                ("app".to_owned(), Value::Map(BTreeMap::from([("tier".to_owned(), Integer(1))]))),
            ])),
        ),
    ])
}

fn matches(filter: &str) -> bool {
    let item = item();
    let schema = Schema::built_in();
    let filter = Filter::parse(filter).unwrap_or_else(|problem| panic!("{filter}: {problem}"));
    filter.matches(&|name| item.get(name).cloned(), &|class| schema.is_a("database_instance", class))
}

#[test]
fn what_matches() {
    let cases = [
        ("os.name = \"Debian\"", true),
        ("os.name = 'Debian'", true),
        ("os.name = Debian", true),
        ("os.name == Debian", true),
        ("os.name = \"debian\"", false),
        ("os.name ~ \"EBI\"", true),
        ("os.name ~ \"x\"", false),
        ("os.name != \"Debian\"", false),
        ("os.name != \"Alpine\"", true),
        // Versions go by number, not by character.
        ("version < \"15.4\"", true),
        ("version > \"15.4\"", false),
        ("version <= 9.6", true),
        ("version = 9.6", true),
        ("version >= 10", false),
        ("major >= 12", true),
        ("major = 12", true),
        ("major = 12.0", false),
        ("port = 5432", true),
        ("port = \"5432\"", true),
        ("port = 5432.0", true),
        ("port > 1024", true),
        ("port > 1e4", false),
        ("port > http", false),
        ("port != http", true),
        ("port < -1", false),
        ("port ~ 43", true),
        ("load < 1", true),
        ("load >= 0.5", true),
        ("primary = true", true),
        ("primary = false", false),
        ("primary = 1", false),
        ("ports = 9187", true),
        ("ports = 80", false),
        ("ports != 9187", false),
        ("ports != 80", true),
        ("ports > 9000", true),
        ("ports in (80, 9187)", true),
        ("none = 1", false),
        ("none != 1", true),
        ("has none", true),
        ("started_at > \"2026-11-22T09:00:00Z\"", true),
        ("started_at = \"2026-11-22T11:00:00+01:00\"", true),
        ("started_at > \"2026-11-22\"", true),
        ("started_at > \"2026-11-23\"", false),
        ("started_at > \"tomorrow\"", false),
        ("interval < \"1m\"", true),
        ("interval = \"5s\"", true),
        ("interval = 5", false),
        ("fingerprint = \"00FF\"", true),
        ("labels.team = blue", true),
        ("labels.app.tier < 2", true),
        ("labels = blue", true),
        ("labels.nothing = blue", false),
        ("has labels.team", true),
        ("has serial_number", false),
        ("not has serial_number", true),
        ("serial_number = 1", false),
        ("serial_number != 1", true),
        ("not serial_number = 1", true),
        ("class = database_instance", true),
        ("class = software", false),
        ("class is software", true),
        ("class is \"configuration_item\"", true),
        ("class is hardware", false),
        ("class in (cache, database_instance)", true),
        ("id = @42", true),
        ("id > @9", true),
        ("key = 'db-1' and source = cmdb.csv and status = active", true),
        ("name = 'Orders DB'", true),
        ("name in (\"a\", \"b\")", false),
        ("os.name = \"Debian\" and (port > 1024 or not has serial_number)", true),
        // `and` binds tighter than `or`, `not` tighter than both.
        ("primary = true or port = 1 and port = 2", true),
        ("(primary = true or port = 1) and port = 2", false),
        ("not port = 1 and port = 5432", true),
        ("NOT port = 1 AND port = 5432", true),
        ("not not primary = true", true),
        ("name = \"Orders \\\"DB\\\"\"", false),
    ];
    for (filter, expected) in cases {
        assert_eq!(matches(filter), expected, "{filter}");
    }
}

#[test]
fn problems_name_the_column_and_what_was_expected() {
    let deep = format!("{}a = 1{}", "(".repeat(65), ")".repeat(65));
    let cases = [
        ("", "column 1: expected the name of an attribute, \"not\", \"has\" or \"(\", found the end", ""),
        ("os.name", "column 8: expected a comparison (= != < <= > >= ~ or in), found the end", ""),
        ("os.name Debian", "column 9: expected a comparison (= != < <= > >= ~ or in), found \"Debian\"", ""),
        (
            "os.name =",
            "column 10: expected a value: text in quotes, a number, true or false, found the end",
            "",
        ),
        (
            "os.name = and",
            "column 11: expected a value: text in quotes, a number, true or false, found \"and\"",
            "",
        ),
        (
            "a = 1 adn b = 2",
            "column 7: expected \"and\", \"or\" or the end, found \"adn\"",
            "did you mean \"and\"?",
        ),
        ("a = 1 b", "column 7: expected \"and\", \"or\" or the end, found \"b\"", ""),
        ("(a = 1", "column 7: expected \"and\", \"or\" or \")\", found the end", ""),
        ("a = 1)", "column 6: expected \"and\", \"or\" or the end, found \")\"", ""),
        ("a = \"x", "column 5: the text that begins with \" does not end", "close it with \""),
        (
            "ä = 1 & b",
            "column 7: \"&\" means nothing here",
            "write a text in quotes, or one of = != < <= > >= ~ ( ) ,",
        ),
        ("a = 15.4.2", "column 5: \"15.4.2\" is not a number", "write a text in quotes"),
        ("a in 1", "column 6: expected \"(\", found \"1\"", ""),
        ("a in (1", "column 8: expected \",\" or \")\", found the end", ""),
        ("a in ()", "column 7: expected a value: text in quotes, a number, true or false, found \")\"", ""),
        (
            "class si x",
            "column 7: expected a comparison (= != < <= > >= ~ or in, is), found \"si\"",
            "did you mean \"is\"?",
        ),
        (
            "a is x",
            "column 3: expected a comparison (= != < <= > >= ~ or in), found \"is\"",
            "\"is\" asks for a kind of class: class is software",
        ),
        (
            "has = 1",
            "column 5: expected the name of an attribute, \"not\", \"has\" or \"(\", found \"=\"",
            "",
        ),
        (
            "\"a\" = 1",
            "column 1: expected the name of an attribute, \"not\", \"has\" or \"(\", found the text \"a\"",
            "",
        ),
        (&deep, "column 66: nested deeper than 64", ""),
    ];
    for (filter, message, hint) in cases {
        let problem = Filter::parse(filter).expect_err(filter);
        assert_eq!((problem.message.as_str(), problem.hint.as_str()), (message, hint), "{filter}");
    }
    let long = format!("a = \"{}\"", "x".repeat(FILTER_BYTES_MAX));
    assert_eq!(
        Filter::parse(&long).expect_err("long").message,
        "column 1: a filter has at most 16384 bytes, not 16390"
    );
    let many = format!("a in ({})", vec!["1"; IN_VALUES_MAX + 1].join(","));
    assert_eq!(
        Filter::parse(&many).expect_err("many").message,
        "column 2006: \"in\" takes at most 1000 values"
    );
    let deep_not = format!("{}a = 1", "not ".repeat(65));
    assert!(Filter::parse(&deep_not).is_err());
}

#[test]
fn classes_and_states_are_checked() {
    let schema = Schema::built_in();
    let cases = [
        ("class = sever", "column 9: there is no class \"sever\"", "did you mean \"server\"?"),
        (
            "a = 1 or not class is softwar",
            "column 23: there is no class \"softwar\"",
            "did you mean \"software\"?",
        ),
        ("status in (active, actve)", "column 20: there is no status \"actve\"", "did you mean \"active\"?"),
    ];
    for (filter, message, hint) in cases {
        let problem = Filter::parse(filter).expect(filter).check(&schema).expect_err(filter);
        assert_eq!((problem.message.as_str(), problem.hint.as_str()), (message, hint), "{filter}");
    }
    assert!(Filter::parse("class ~ sev and status = stopped").expect("valid").check(&schema).is_ok());
}

#[test]
fn attributes_that_nobody_declares() {
    let schema = Schema::built_in();
    let cases = [
        ("clas = x", Some(("clas", "did you mean \"class\"?"))),
        ("name = x and (port = 1 or not hostname = y)", Some(("hostname", "did you mean \"host_name\"?"))),
        ("has zebra", Some(("zebra", "`cmdb classes CLASS` lists the attributes of a class"))),
        ("labels.team = blue and os.name = Debian and class is software and status in (active)", None),
    ];
    for (filter, expected) in cases {
        let problem = Filter::parse(filter).expect(filter).misspelt(&schema);
        let found = problem.as_ref().map(|problem| (problem.thing.as_str(), problem.hint.as_str()));
        assert_eq!(found, expected, "{filter}");
    }
}

#[test]
fn equalities_at_the_top() {
    let cases = [
        ("a = 1 and b = x and c > 2", "a=1 b=x"),
        ("(a = 1 and b = x) and c = 3", "a=1 b=x c=3"),
        ("a = 1 or b = 2", ""),
        ("a = 1 and (b = 2 or c = 3)", "a=1"),
        ("not a = 1", ""),
        ("a in (7)", "a=7"),
        ("a in (7, 8)", ""),
    ];
    for (filter, expected) in cases {
        let filter = Filter::parse(filter).expect(filter);
        let found: Vec<_> =
            filter.equalities().iter().map(|(name, literal)| format!("{name}={}", literal.text)).collect();
        assert_eq!(found.join(" "), expected, "{filter}");
    }
    assert_eq!(Filter::parse("class is software and a = 1").expect("valid").class(), Some("software"));
    assert_eq!(Filter::parse("a = 1 and class = cache").expect("valid").class(), Some("cache"));
    assert_eq!(Filter::parse("a = 1 or class = cache").expect("valid").class(), None);
}

#[test]
fn natural_order() {
    use Ordering::{Equal, Greater, Less};
    let cases = [
        ("9.6", "15.4", Less),
        ("15.4", "15.4", Equal),
        ("15.4", "15.4.1", Less),
        ("15.10", "15.9", Greater),
        ("web9", "web10", Less),
        ("01", "1", Less),
        ("1", "1a", Less),
        ("a1", "1a", Greater),
        ("", "a", Less),
        ("99999999999999999999999", "100000000000000000000000", Less),
        ("é2", "é10", Less),
    ];
    for (one, other, expected) in cases {
        assert_eq!(natural(one, other), expected, "{one} {other}");
        assert_eq!(natural(other, one), expected.reverse(), "{other} {one}");
    }
}

#[test]
fn sorting() {
    let sorted = |sort: &str, values: &[Option<Value>]| {
        let sort = Sort::parse(sort).expect("valid");
        let mut values = values.to_vec();
        values.sort_by(|one, other| sort.compare(one.as_ref(), other.as_ref()));
        let shown: Vec<_> =
            values.iter().map(|value| value.as_ref().map_or("-".to_owned(), Value::to_string)).collect();
        shown.join(" ")
    };
    let values =
        [Some(text("v10")), None, Some(Integer(3)), Some(text("v9")), Some(Float(2.5)), Some(Boolean(true))];
    assert_eq!(sorted("version", &values), "true 2.5 3 v9 v10 -");
    assert_eq!(sorted("-version", &values), "v10 v9 3 2.5 true -");
    for bad in ["", "-", "a b", "name,class"] {
        assert!(Sort::parse(bad).is_err(), "{bad}");
    }
}

/// Whatever is typed, there is an answer; what parses can be asked.
#[test]
fn never_panics() {
    let words = [
        "a", "os.name", "class", "is", "and", "or", "not", "has", "in", "(", ")", ",", "=", "!=", "<", "~",
        "\"x\"", "'", "\"", "1", "-1.5", "true", "\\", "é", "@1", " ", "\u{0}",
    ];
    let conditions =
        ["a = 1", "os.name ~ 'deb'", "class is software", "has labels.team", "ports in (1, 9187)"];
    let mut parsed = 0_u32;
    arbtest::arbtest(|u| {
        let mut filter = String::new();
        for _ in 0..u.int_in_range(0..=12)? {
            match u.int_in_range(0..=9)? {
                0 => filter.push_str(u.choose(&words)?),
                1 => filter.push_str(u.arbitrary::<&str>()?),
                2 => filter.push_str(" not "),
                3 => filter.push('('),
                4 => filter.push(')'),
                5 | 6 => filter.push_str(u.choose(&[" and ", " or "])?),
                _ => filter.push_str(u.choose(&conditions)?),
            }
        }
        if let Ok(filter) = Filter::parse(&filter) {
            parsed += 1;
            let item = item();
            let _ = filter.matches(&|name| item.get(name).cloned(), &|_| true);
        }
        Ok(())
    });
    assert!(parsed > 0, "nothing parsed: the property says nothing");
}
