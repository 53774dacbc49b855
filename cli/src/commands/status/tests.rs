use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn now() -> Timestamp {
    Timestamp::from_microsecond(canned::NOW_US).expect("in range")
}

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn the_table_says_how_the_server_is() {
    check(
        |out| table(out, "http://127.0.0.1:7400", &canned::status(), now()),
        expect![[r#"
            cmdb-server 0.1.0 at http://127.0.0.1:7400, up 2 h

              store               redb, 12.3 MiB, /var/lib/cmdb
              revision            42, 3 min ago
              items               1,234
              relationships       5,678
              agents connected    1
              duplicate sets      1
              references waiting  2
              claims waiting      3 for their host
              claims given up     1 waited too long, 0 made room

            SOURCE          KIND    TITLE              ENTRIES  LAST SEEN  STATE      COST
            agent-0b6f3c1e  agent   web-1.example.org    1,310  4 s ago    connected  7.6 MiB, 24 ms a scan
            agent-77aa0010  agent   -                       20  4 s ago    away
            webshop         import  -                       81  4 s ago
              incomplete: web-1.example.org: packages: permission denied

            CLASS       ITEMS
            package     1,200
            web_server      2
        "#]],
    );
}

#[test]
fn an_empty_server_says_what_to_do() {
    check(
        |out| table(out, "http://127.0.0.1:7400", &StatusResponse::default(), now()),
        expect![[r#"
        cmdb-server  at http://127.0.0.1:7400, up 0 s

          store             , 0 bytes, 
          revision          0
          items             0
          relationships     0
          agents connected  0

        nobody has reported anything yet: start `cmdb-agent`, or `cmdb import FILE`
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| json::write(out, &super::object("http://127.0.0.1:7400", &canned::status())),
        expect![[r#"
            {
              "server": "http://127.0.0.1:7400",
              "version": "0.1.0",
              "store": "redb",
              "data_path": "/var/lib/cmdb",
              "file_bytes": 12897485,
              "read_only": "",
              "revision": 42,
              "recorded_at": "2026-11-03T14:02:11Z",
              "uptime_s": 7300,
              "items": 1234,
              "relationships": 5678,
              "items_by_class": {
                "package": 1200,
                "web_server": 2
              },
              "duplicate_sets": 1,
              "waiting_references": 2,
              "waiting_references_expired": 0,
              "waiting_references_evicted": 0,
              "waiting_claims": 3,
              "waiting_claims_expired": 1,
              "waiting_claims_evicted": 0,
              "sessions": 1,
              "sources": [
                {
                  "source": "agent-0b6f3c1e",
                  "kind": "agent",
                  "title": "web-1.example.org",
                  "version": "0.1.0",
                  "entries": 1310,
                  "last_seen": "2026-11-03T14:05:07Z",
                  "connected": true,
                  "incomplete": [
                    "packages: permission denied"
                  ],
                  "cost": {
                    "cpu_us": 431000,
                    "resident_bytes": 7969178,
                    "scan_cpu_us": 23400,
                    "sent_bytes": 61000
                  }
                },
                {
                  "source": "agent-77aa0010",
                  "kind": "agent",
                  "title": "",
                  "version": "",
                  "entries": 20,
                  "last_seen": "2026-11-03T14:05:07Z",
                  "connected": false,
                  "incomplete": [],
                  "cost": null
                },
                {
                  "source": "webshop",
                  "kind": "import",
                  "title": "",
                  "version": "",
                  "entries": 81,
                  "last_seen": "2026-11-03T14:05:07Z",
                  "connected": false,
                  "incomplete": [],
                  "cost": null
                }
              ]
            }
        "#]],
    );
}
