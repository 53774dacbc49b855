use expect_test::{Expect, expect};

use super::{one, read};
use crate::claim::KEY_BYTES_MAX;
use crate::import::Format::{Csv, JsonLines};
use crate::import::VALUE_DEPTH_MAX;

fn check(line: &str, expected: &Expect) {
    expected.assert_eq(&read(JsonLines, line.as_bytes()));
}

#[test]
fn items() {
    check(
        r#"{"item":{"key":"db-1","class":"database_instance","name":"orders-db","attributes":{"version":"15.4","port":5432,"ports":[5432],"owner":null,"labels":{"team":"blue","deep":{"a":[1,2.5,true]}},"started_at":"2026-11-22T10:00:00Z"}}}"#,
        &expect![[
            r#"1: Item db-1 | database_instance "orders-db" | labels=Map({"deep": Map({"a": List([Integer(1), Float(2.5), Boolean(true)])}), "team": Text("blue")}) | port=Integer(5432) | ports=List([Integer(5432)]) | started_at=Timestamp(Timestamp(1795341600000000)) | version=Text("15.4")"#
        ]],
    );
    check(
        r#"{"item":{"key":"unit:nginx","class":"system_unit","within":"host-1","attributes":{"unit":"nginx.service"}}}"#,
        &expect![[r#"1: Item unit:nginx | system_unit "" | unit=Text("nginx.service") | within host-1"#]],
    );
    check(
        r#"{"item":{"key":"e","class":"endpoint","name":null,"within":{"match":{"class":"operating_system","host_name":"web01"}}}}"#,
        &expect![[r#"1: Item e | endpoint "" | within operating_system{"host_name": Text("web01")}"#]],
    );
    // What JSON has no type for is tagged; what no class declares is kept as given.
    check(
        r#"{"item":{"key":"x","class":"server","attributes":{"a":{"$duration_us":5},"b":{"$bytes":"00ff"},"c":{"$timestamp":"1970-01-01T00:00:01Z"},"d":{"$map":{"$bytes":"zz"}},"e":{"$other":1},"f":5.0,"g":1e3,"h":9223372036854775808}}}"#,
        &expect![[
            r#"1: Item x | server "" | a=DurationUs(5) | b=Bytes([0, 255]) | c=Timestamp(Timestamp(1000000)) | d=Map({"$bytes": Text("zz")}) | e=Map({"$other": Integer(1)}) | f=Float(5.0) | g=Float(1000.0) | h=Float(9.223372036854776e18)"#
        ]],
    );
}

#[test]
fn relationships_and_redundancies() {
    check(
        r#"{"relationship":{"from":"app-1","type":"depends_on","to":"db-1","group":"db","attributes":{"purpose":"orders"}}}"#,
        &expect![[
            r#"1: Relationship app-1 depends_on db-1 | app-1 depends_on db-1 | group="db" weight=1 inferred=false confidence=1 denied=false | purpose=Text("orders")"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"connects_to","to":"agent.web01:os","weight":2.5,"inferred":true,"confidence":0.6,"denied":true}}"#,
        &expect![[
            r#"1: Relationship a connects_to agent.web01:os | a connects_to agent.web01:os | group="" weight=2.5 inferred=true confidence=0.6 denied=true"#
        ]],
    );
    check(
        r#"{"relationship":{"from":{"source":"netbox","key":"sw 1"},"type":"runs_on","to":{"match":{"class":"endpoint","host_name":"DB01","port":5432}}}}"#,
        &expect![[
            r#"1: Relationship "netbox:sw 1" runs_on endpoint{"host_name":"DB01","port":5432} | <netbox>:sw 1 runs_on endpoint{"host_name": Text("DB01"), "port": Integer(5432)} | group="" weight=1 inferred=false confidence=1 denied=false"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"@7","type":"runs_on","to":{"key":"b c"}}}"#,
        &expect![[
            r#"1: Relationship @7 runs_on "b c" | @7 runs_on b c | group="" weight=1 inferred=false confidence=1 denied=false"#
        ]],
    );
    check(
        r#"{"redundancy":{"item":"app-1","group":"db","require":"at_least 1"}}"#,
        &expect!["1: Redundancy app-1 db | app-1 db at_least 1 inferred=false confidence=1"],
    );
    check(
        r#"{"redundancy":{"item":"app 1","group":"the db","require":"percent 50","inferred":true,"confidence":0.5}}"#,
        &expect![[
            r#"1: Redundancy "app 1" "the db" | app 1 the db percent 50 inferred=true confidence=0.5"#
        ]],
    );
}

#[test]
fn lines_that_say_nothing_are_passed_over() {
    let file = b"\xef\xbb\xbf{\"item\":{\"key\":\"a\",\"class\":\"team\"}}\r\n\r\n   \t\n{\"item\":{\"key\":\"b\",\"class\":\"team\"}}";
    expect![[r#"
        1: Item a | team ""
        4: Item b | team """#]]
    .assert_eq(&read(JsonLines, file));
}

#[test]
fn not_json_or_not_a_line() {
    check(
        "{",
        &expect![
            "1:2: FORMAT_INVALID not valid JSON: the line ends in the middle (write one JSON object on each line)"
        ],
    );
    check(
        r#"{"item":{"key":"a" "class":"server"}}"#,
        &expect![
            "1:20: FORMAT_INVALID not valid JSON: expected `,` or `}` (write one JSON object on each line)"
        ],
    );
    check(
        r#"{"item":{"key":"a","class":"server"}} x"#,
        &expect![
            "1:39: FORMAT_INVALID not valid JSON: trailing characters (write one JSON object on each line)"
        ],
    );
    check(
        r#"{"item":{"key":"a\q","class":"server"}}"#,
        &expect!["1:19: FORMAT_INVALID not valid JSON: invalid escape (write one JSON object on each line)"],
    );
    check(
        r#"{"item":{"key":"\ud800","class":"server"}}"#,
        &expect![
            "1:23: FORMAT_INVALID not valid JSON: unexpected end of hex escape (write one JSON object on each line)"
        ],
    );
    check(
        "[1]",
        &expect![[
            r#"1:1: FORMAT_INVALID a line is an object (write {"item": {…}}, {"relationship": {…}} or {"redundancy": {…}})"#
        ]],
    );
    check(
        "\"item\"",
        &expect![[
            r#"1:1: FORMAT_INVALID a line is an object (write {"item": {…}}, {"relationship": {…}} or {"redundancy": {…}})"#
        ]],
    );
    check(
        "{}",
        &expect![[
            r#"1:1: FORMAT_INVALID the line says nothing (write one of {"item": {…}}, {"relationship": {…}} and {"redundancy": {…}} on a line)"#
        ]],
    );
    check(
        r#"{"itme":{"key":"a","class":"server"}}"#,
        &expect![[r#"1:2: FORMAT_INVALID a line has no field "itme" (did you mean "item"?)"#]],
    );
    check(
        r#"{"zebra":1}"#,
        &expect![[
            r#"1:2: FORMAT_INVALID a line has no field "zebra" (its fields are item, relationship, redundancy, export, source, waiting)"#
        ]],
    );
    check(
        r#"{"item":{"key":"a","class":"server"},"redundancy":{}}"#,
        &expect![[
            r#"1:38: FORMAT_INVALID a second field "redundancy" on one line (write one of {"item": {…}}, {"relationship": {…}} and {"redundancy": {…}} on a line)"#
        ]],
    );
    check(r#"{"item":5}"#, &expect!["1:9: FORMAT_INVALID an item is an object, not a number"]);
    expect![[r#"
        1:17: FORMAT_INVALID not UTF-8 (save the file as UTF-8)
        2: Item b | team """#]]
    .assert_eq(&read(
        JsonLines,
        b"{\"item\":{\"key\":\"\xff\"}}\n{\"item\":{\"key\":\"b\",\"class\":\"team\"}}\n",
    ));
}

#[test]
fn bad_items() {
    check(r#"{"item":{"class":"server"}}"#, &expect![[r#"1:9: FORMAT_INVALID an item lacks "key""#]]);
    check(
        r#"{"item":{"key":"","class":"server"}}"#,
        &expect![[
            r#"1:16: KEY_INVALID "key" is empty (give the item a name that is unique in this source)"#
        ]],
    );
    check(
        r#"{"item":{"key":7,"class":"server"}}"#,
        &expect![[r#"1:16: FORMAT_INVALID "key" of an item is text, not a number"#]],
    );
    check(
        r#"{"item":{"key":"@7","class":"server"}}"#,
        &expect![[
            r#"1:16: KEY_INVALID "key" looks like an item id: @7 (use the source's own name for the item; relationships may refer to an id)"#
        ]],
    );
    check(r#"{"item":{"key":"a"}}"#, &expect![[r#"1:9: FORMAT_INVALID an item lacks "class""#]]);
    check(
        r#"{"item":{"key":"a","class":"sever"}}"#,
        &expect![[r#"1:28: CLASS_UNKNOWN there is no class "sever" (did you mean "server"?)"#]],
    );
    check(
        r#"{"item":{"key":"ä","class":"zebra"}}"#,
        &expect![[
            r#"1:28: CLASS_UNKNOWN there is no class "zebra" (`cmdb classes` lists them; declare your own in a schema file)"#
        ]],
    );
    check(
        r#"{"item":{"key":"a","class":"hardware"}}"#,
        &expect![[
            r#"1:28: CLASS_ABSTRACT class "hardware" is abstract: no item is of exactly this class (name a kind of it, such as computer, server, hypervisor, network_device, switch, router)"#
        ]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","nmae":"x"}}"#,
        &expect![[r#"1:37: FORMAT_INVALID an item has no field "nmae" (did you mean "name"?)"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","name":5}}"#,
        &expect![[r#"1:44: FORMAT_INVALID "name" of an item is text, not a number"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","key":"b"}}"#,
        &expect![[r#"1:37: FORMAT_INVALID "key" of an item is given twice"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":[]}}"#,
        &expect![[r#"1:50: FORMAT_INVALID "attributes" of an item is an object, not a list"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"memory_bytes":"16 GB"}}}"#,
        &expect![[
            r#"1:66: VALUE_TYPE attribute "memory_bytes" is integer, not text "16 GB" (write a whole number, without a unit)"#
        ]],
    );
    check(
        r#"{"item":{"key":"a","class":"application","attributes":{"version":15.4}}}"#,
        &expect![[
            r#"1:66: VALUE_TYPE attribute "version" is text, not float "15.4" (write it in quotes: "15.4")"#
        ]],
    );
    check(
        r#"{"item":{"key":"a","class":"application","attributes":{"ports":[80,"x"]}}}"#,
        &expect![[r#"1:64: VALUE_TYPE attribute "ports" is list of integer, not text "x""#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"model":"x","model":"y"}}}"#,
        &expect![[r#"1:63: FORMAT_INVALID attribute "model" is given twice"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"":"y"}}}"#,
        &expect!["1:51: FORMAT_INVALID an attribute has no name"],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"x":1e999}}}"#,
        &expect!["1:55: VALUE_TYPE the number 1e999 is too large"],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"x":{"$bytes":"0"}}}}"#,
        &expect![[r#"1:65: FORMAT_INVALID "$bytes" is pairs of hexadecimal digits, not text"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"x":{"$duration_us":"5s"}}}}"#,
        &expect![[r#"1:71: FORMAT_INVALID "$duration_us" is a whole number of microseconds, not text"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","attributes":{"x":{"a":1,"a":2}}}}"#,
        &expect![[r#"1:62: FORMAT_INVALID "a" is given twice"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","within":""}}"#,
        &expect![[r#"1:46: KEY_INVALID "within" of an item is empty"#]],
    );
    check(
        r#"{"item":{"key":"a","class":"server","within":["b"]}}"#,
        &expect![[
            r#"1:46: FORMAT_INVALID "within" of an item is a key, source:key, an id, or {"match": {…}}, not a list"#
        ]],
    );
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    check(
        &format!(r#"{{"item":{{"key":"{long}","class":"server"}}}}"#),
        &expect![[r#"1:16: KEY_INVALID "key" has 513 bytes; a key has at most 512 (shorten it)"#]],
    );
    let deep = format!("{}1{}", "[".repeat(VALUE_DEPTH_MAX), "]".repeat(VALUE_DEPTH_MAX));
    check(
        &format!(r#"{{"item":{{"key":"a","class":"server","attributes":{{"x":{deep}}}}}}}"#),
        &expect!["1:87: LIMIT_EXCEEDED a value is nested deeper than 32"],
    );
}

#[test]
fn bad_relationships() {
    check(
        r#"{"relationship":{"type":"runs_on","to":"b"}}"#,
        &expect![[r#"1:17: FORMAT_INVALID a relationship lacks "from""#]],
    );
    check(
        r#"{"relationship":{"from":"a","to":"b"}}"#,
        &expect![[r#"1:17: FORMAT_INVALID a relationship lacks "type""#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on"}}"#,
        &expect![[r#"1:17: FORMAT_INVALID a relationship lacks "to""#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"run_on","to":"b"}}"#,
        &expect![[
            r#"1:36: RELATIONSHIP_TYPE_UNKNOWN there is no relationship type "run_on" (did you mean "runs_on"?)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs","to":"b"}}"#,
        &expect![[
            r#"1:36: RELATIONSHIP_TYPE_UNKNOWN there is no relationship type "runs" ("runs" is "runs_on" read the other way round: exchange "from" and "to", and write "runs_on")"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"zebra","to":"b"}}"#,
        &expect![[
            r#"1:36: RELATIONSHIP_TYPE_UNKNOWN there is no relationship type "zebra" (`cmdb classes --relationships` lists them; declare your own in a schema file)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":5}}"#,
        &expect![[
            r#"1:51: FORMAT_INVALID "to" of a relationship is a key, source:key, an id, or {"match": {…}}, not a number"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":"b","weight":0}}"#,
        &expect![[r#"1:64: FORMAT_INVALID "weight" of a relationship is a number above 0, not 0"#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":"b","weight":"2"}}"#,
        &expect![[r#"1:64: FORMAT_INVALID "weight" of a relationship is a number above 0, not text"#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":"b","confidence":1.1}}"#,
        &expect![[
            r#"1:68: FORMAT_INVALID "confidence" of a relationship is a number above 0 and at most 1, not 1.1"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":"b","inferred":1}}"#,
        &expect![[r#"1:66: FORMAT_INVALID "inferred" of a relationship is true or false, not a number"#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"contains","to":"b","group":"g"}}"#,
        &expect![[
            r#"1:64: RELATIONSHIP_INVALID "contains" carries no failure, so it cannot be in the group "g" (leave "group" out)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"mach":{}}}}"#,
        &expect![[r#"1:52: FORMAT_INVALID a reference has no field "mach" (did you mean "match"?)"#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"source":"x"}}}"#,
        &expect![[r#"1:51: FORMAT_INVALID a reference lacks "key""#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{},"key":"b"}}}"#,
        &expect!["1:69: FORMAT_INVALID a reference is either a match or a source and a key"],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"class":"server"}}}}"#,
        &expect!["1:60: MATCH_INVALID a match names no attribute"],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"class":"sever","host_name":"x"}}}}"#,
        &expect![[r#"1:69: CLASS_UNKNOWN there is no class "sever" (did you mean "server"?)"#]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"class":"server","hostname":"x"}}}}"#,
        &expect![[
            r#"1:78: MATCH_INVALID class "server" has no attribute "hostname" (did you mean "host_name"?)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"class":"server","memory_bytes":5}}}}"#,
        &expect![[
            r#"1:78: MATCH_INVALID "memory_bytes" is not indexed, so nothing can be matched by it (`cmdb classes` shows which attributes are indexed)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"port":"http"}}}}"#,
        &expect![[
            r#"1:68: VALUE_TYPE attribute "port" is integer, not text "http" (write a whole number, without a unit)"#
        ]],
    );
    check(
        r#"{"relationship":{"from":"a","type":"runs_on","to":{"match":{"port":null}}}}"#,
        &expect![[r#"1:68: MATCH_INVALID "port" of a match is null (name only what the item has)"#]],
    );
}

#[test]
fn bad_redundancies() {
    check(
        r#"{"redundancy":{"group":"g","require":"any"}}"#,
        &expect![[r#"1:15: FORMAT_INVALID a redundancy lacks "item""#]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"","require":"any"}}"#,
        &expect![[r#"1:35: FORMAT_INVALID "group" of a redundancy is empty"#]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"g"}}"#,
        &expect![[r#"1:15: FORMAT_INVALID a redundancy lacks "require""#]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"g","require":"most"}}"#,
        &expect![[
            r#"1:49: REQUIRE_INVALID "require" of a redundancy is all, any, at_least N, percent P (0 to 100) or capacity C, not "most""#
        ]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"g","require":2}}"#,
        &expect![[r#"1:49: FORMAT_INVALID "require" of a redundancy is text, not a number"#]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"g","require":"any","confidence":-1}}"#,
        &expect![[
            r#"1:68: FORMAT_INVALID "confidence" of a redundancy is a number above 0 and at most 1, not -1"#
        ]],
    );
    check(
        r#"{"redundancy":{"item":"a","group":"g","requires":"any"}}"#,
        &expect![[r#"1:39: FORMAT_INVALID a redundancy has no field "requires" (did you mean "require"?)"#]],
    );
}

/// Two lines must not share a key unless they speak of the same thing.
#[test]
fn keys_of_relationships_tell_them_apart() {
    let key = |from: &str, to: &str| {
        one(JsonLines, &format!(r#"{{"relationship":{{"from":{from},"type":"runs_on","to":{to}}}}}"#)).key
    };
    assert_eq!(key("\"a\"", "\"b\""), "a runs_on b");
    assert_eq!(key("\"a runs_on b\"", "\"c\""), "\"a runs_on b\" runs_on c");
    assert_ne!(key("\"a runs_on b\"", "\"c\""), key("\"a\"", "\"b runs_on c\""));
    let by_match = key("\"a\"", r#"{"match":{"class":"endpoint","port":80,"host_name":"x"}}"#);
    assert_eq!(by_match, r#"a runs_on endpoint{"host_name":"x","port":80}"#);
    // The order of fields in the file says nothing.
    assert_eq!(by_match, key("\"a\"", r#"{"match":{"host_name":"x","port":80,"class":"endpoint"}}"#));
    let long = format!("\"{}\"", "k".repeat(KEY_BYTES_MAX));
    let (one, other) = (key(&long, &long), key(&long, "\"b\""));
    assert!(one.len() <= KEY_BYTES_MAX && one != other, "{one}");
}

/// The sample estate is what people try first.
#[test]
fn the_sample_reads_without_a_problem() {
    let sample = include_str!("../../../../examples/webshop.jsonl");
    let read = read(JsonLines, sample.as_bytes());
    let bad: Vec<_> = read
        .lines()
        .filter(|line| {
            !line.contains(": Item ") && !line.contains(": Relationship ") && !line.contains(": Redundancy ")
        })
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(read.lines().count(), sample.lines().filter(|line| !line.is_empty()).count());
}

/// What the page shows can be imported.
#[test]
fn the_pages_examples_are_read() {
    let page = include_str!("../../../../docs/formats.md");
    let part = page.split("## CSV").next().expect("the first part");
    let examples: Vec<&str> = part.lines().filter(|line| line.starts_with("{\"")).collect();
    assert!(examples.len() >= 5, "{examples:?}");
    for line in examples {
        let read = read(JsonLines, line.as_bytes());
        assert!(read.starts_with("1: "), "{line}\n{read}");
    }
    let tables = page.split("```csv\n").skip(1).filter_map(|rest| rest.split("```").next());
    for table in tables {
        let read = read(Csv, table.as_bytes());
        assert!(read.starts_with("2: ") && read.lines().count() == 1, "{table}\n{read}");
    }
}
