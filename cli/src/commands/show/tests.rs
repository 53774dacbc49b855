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
fn the_table_shows_everything() {
    check(
        |out| table(out, &canned::item(), now()),
        expect![[r#"
            orders-db (@2, database_instance)
              status              active
              key                 orders-db of webshop
              first seen          2026-11-03 12:05:11Z (2 h ago)
              last seen           2026-11-03 14:04:11Z (60 s ago)
              last change         revision 40
              may be the same as  @77

            ATTRIBUTE  VALUE  SOURCE          OBSERVED
            port       5432   webshop         60 s ago
            version    15.4   agent-0b6f3c1e  60 s ago

            labels: purged by anna, 2026-11-03 13:05:11Z: a password (only people may state it)

            INHERITED  VALUE      FROM
            owner      Shop team  Shop (@5)

            RELATIONSHIP     ITEM            CLASS          SOURCES
            stored_on     →  storage-1 (@1)  storage_array  webshop
            depends_on    ←  web-1 (@3)      web_server     webshop
            depends_on    ←  web-2 (@4)      web_server     agent-0b6f3c1e  group db, inferred, 90 % sure, stopped

            GROUP  REQUIRES    OF  SOURCE
            disks  at_least 1   2  agent-0b6f3c1e  inferred, 80 % sure

            agent-0b6f3c1e says of postgresql:5432:
              class           database_instance
              name            PostgreSQL
              first seen      2026-11-03 12:05:11Z (2 h ago)
              observed        2026-11-03 14:04:11Z (60 s ago)
              last confirmed  2026-11-03 14:04:11Z (60 s ago)
              identified      by host_name = db-1, port = 5432
              passed over     serial_number: not given
              version         15.4 (counts) (pinned: agreed)
        "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| json::write(out, &super::object(&canned::item(), true)),
        expect![[r#"
            {
              "id": "@2",
              "key": "orders-db",
              "source": "webshop",
              "class": "database_instance",
              "name": "orders-db",
              "status": "active",
              "attributes": {
                "port": {
                  "value": 5432,
                  "source": "webshop",
                  "observed_at": "2026-11-03T14:04:11Z",
                  "pin": null,
                  "stale": false
                },
                "version": {
                  "value": "15.4",
                  "source": "agent-0b6f3c1e",
                  "observed_at": "2026-11-03T14:04:11Z",
                  "pin": null,
                  "stale": false
                }
              },
              "revision": 40,
              "first_seen": "2026-11-03T12:05:11Z",
              "last_seen": "2026-11-03T14:04:11Z",
              "duplicates": [
                "@77"
              ],
              "purged": [
                {
                  "attribute": "labels",
                  "by": "anna",
                  "at": "2026-11-03T13:05:11Z",
                  "reason": "a password",
                  "revision": 41,
                  "suppressed": true
                }
              ],
              "as_of_revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "relationships": [
                {
                  "from": {
                    "id": "@2",
                    "key": "orders-db",
                    "class": "database_instance",
                    "name": "orders-db"
                  },
                  "type": "stored_on",
                  "to": {
                    "id": "@1",
                    "key": "storage-1",
                    "class": "storage_array",
                    "name": "storage-1"
                  },
                  "group": null,
                  "weight": 1.0,
                  "inferred": false,
                  "confidence": 1.0,
                  "denied": false,
                  "status": "active",
                  "attributes": {},
                  "sources": [
                    "webshop"
                  ],
                  "first_seen": "2026-11-03T12:05:11Z",
                  "last_seen": "2026-11-03T14:04:11Z",
                  "stale": false
                },
                {
                  "from": {
                    "id": "@3",
                    "key": "web-1",
                    "class": "web_server",
                    "name": "web-1"
                  },
                  "type": "depends_on",
                  "to": {
                    "id": "@2",
                    "key": "orders-db",
                    "class": "database_instance",
                    "name": "orders-db"
                  },
                  "group": null,
                  "weight": 1.0,
                  "inferred": false,
                  "confidence": 1.0,
                  "denied": false,
                  "status": "active",
                  "attributes": {},
                  "sources": [
                    "webshop"
                  ],
                  "first_seen": "2026-11-03T12:05:11Z",
                  "last_seen": "2026-11-03T14:04:11Z",
                  "stale": false
                },
                {
                  "from": {
                    "id": "@4",
                    "key": "web-2",
                    "class": "web_server",
                    "name": "web-2"
                  },
                  "type": "depends_on",
                  "to": {
                    "id": "@2",
                    "key": "orders-db",
                    "class": "database_instance",
                    "name": "orders-db"
                  },
                  "group": "db",
                  "weight": 1.0,
                  "inferred": true,
                  "confidence": 0.9,
                  "denied": false,
                  "status": "stopped",
                  "attributes": {},
                  "sources": [
                    "agent-0b6f3c1e"
                  ],
                  "first_seen": "2026-11-03T12:05:11Z",
                  "last_seen": "2026-11-03T14:04:11Z",
                  "stale": false
                }
              ],
              "relationships_omitted": 0,
              "inherited": [
                {
                  "attribute": "owner",
                  "value": "Shop team",
                  "rule": "",
                  "service": "@5",
                  "service_name": "Shop"
                }
              ],
              "groups": [
                {
                  "group": "disks",
                  "require": "at_least 1",
                  "members": 2,
                  "inferred": true,
                  "confidence": 0.8,
                  "source": "agent-0b6f3c1e",
                  "evidence": "one client uses both",
                  "rejected": false
                }
              ],
              "claims": [
                {
                  "source": "agent-0b6f3c1e",
                  "key": "postgresql:5432",
                  "class": "database_instance",
                  "name": "PostgreSQL",
                  "attributes": {
                    "version": "15.4"
                  },
                  "first_seen": "2026-11-03T12:05:11Z",
                  "observed_at": "2026-11-03T14:04:11Z",
                  "withdrawn_at": null,
                  "confirmed_at": "2026-11-03T14:04:11Z",
                  "effective": [
                    "version"
                  ],
                  "stale": [],
                  "nulls": [],
                  "pins": {
                    "version": {
                      "since": "2026-11-03T13:05:11Z",
                      "until": null,
                      "reason": "agreed"
                    }
                  },
                  "identification": {
                    "method": "rule",
                    "rule": [
                      "host_name",
                      "port"
                    ],
                    "values": {
                      "host_name": "db-1",
                      "port": "5432"
                    },
                    "candidates": [],
                    "skipped": [
                      "serial_number: not given"
                    ]
                  }
                }
              ]
            }
        "#]],
    );
}
