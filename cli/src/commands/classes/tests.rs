use expect_test::{Expect, expect};

use super::*;
use crate::canned;

fn check(print: impl FnOnce(&mut dyn Write) -> io::Result<()>, expected: Expect) {
    let mut out = Vec::new();
    print(&mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("text");
    expected.assert_eq(&anstream::adapter::strip_str(&text).to_string());
}

#[test]
fn the_table_lists_the_tree() {
    check(
        |out| all(out, &canned::classes().classes),
        expect![[r#"
        CLASS                  ITEMS  TITLE
        item                       -  Item
          application              -  Application
            database_instance      1  Database instance
          party                    -  Party
            team               1,200  Team

        5 classes, 1,201 items
    "#]],
    );
}

#[test]
fn one_class_is_shown_whole() {
    check(
        |out| {
            let classes = canned::classes().classes;
            one(out, &classes[4], &classes)
        },
        expect![[r#"
            database_instance: Database instance
            One running server of databases.
              parent         application
              items          1
              not seen       stopped: it keeps its relationships for a time
              up of itself   1 of the time
              identified by  serial_number
              or else        port and version, within its host
              declared in    built-in

            ATTRIBUTE  TYPE     UNIT   FROM         DESCRIPTION
            port       integer  -      -            TCP port it listens on
            memory     integer  bytes  application  memory it may use
        "#]],
    );
}

#[test]
fn the_tree_counts_items() {
    check(
        |out| tree(&canned::classes().classes).write(out),
        expect![[r#"
        item
        ├─ application
        │  └─ database_instance 1
        └─ party
           └─ team 1,200
    "#]],
    );
}

#[test]
fn the_types_say_how_a_failure_travels() {
    check(
        |out| types(out, &canned::relationship_types().types),
        expect![[r#"
        TYPE         INVERSE         A FAILURE TRAVELS                      DESCRIPTION
        depends_on   depended_on_by  from target to source
        connects_to  connected_from  from target to source, degrading only
        contains     contained_by    not at all
    "#]],
    );
}

#[test]
fn the_json_object_has_the_promised_fields() {
    check(
        |out| {
            object(
                out,
                &ClassesResponse { classes: canned::classes().classes.split_off(4), ..canned::classes() },
            )
        },
        expect![[r#"
            {
              "revision": 42,
              "as_of": "2026-11-03T14:05:11Z",
              "classes": [
                {"name":"database_instance","parent":"application","title":"Database instance","description":"One running server of databases.","abstract":false,"running":true,"availability":1.0,"items":1,"attributes":[{"name":"port","type":"integer","unit":null,"description":"TCP port it listens on","indexed":true,"inherited_from":null},{"name":"memory","type":"integer","unit":"bytes","description":"memory it may use","indexed":false,"inherited_from":"application"}],"identification":[{"attributes":["serial_number"],"within":false},{"attributes":["port","version"],"within":true}],"declared_in":"built-in"}
              ],
              "schema_digest": "00ff"
            }
        "#]],
    );
}
