use expect_test::{Expect, expect};

use super::read;
use crate::import::Format::Csv;

fn check(file: &str, expected: &Expect) {
    expected.assert_eq(&read(Csv, file.as_bytes()));
}

#[test]
fn items() {
    check(
        "key,class,name,port,ports,labels,within,colour\n\
         db-1,database_instance,\"Orders, \"\"main\"\"\",5432,5432;9187,team=blue,host-1,red\n\
         db-2,database_instance,,,,,,\r\n\
         \n\
         \"db-3\",database_instance,\"two\nlines\",\"1\",,,,\n\
         db-4, database_instance , x , 80 ,,,,\n",
        &expect![[r#"
            2: Item db-1 | database_instance "Orders, \"main\"" | colour=Text("red") | labels=Map({"team": Text("blue")}) | port=Integer(5432) | ports=List([Integer(5432), Integer(9187)]) | within host-1
            3: Item db-2 | database_instance ""
            5: Item db-3 | database_instance "two\nlines" | port=Integer(1)
            7: Item db-4 | database_instance "x" | port=Integer(80)"#]],
    );
    check(
        "\u{feff}class,key\nteam,a\nteam,b",
        &expect![[r#"
        2: Item a | team ""
        3: Item b | team """#]],
    );
}

#[test]
fn relationships() {
    check(
        "from,type,to,group,weight,inferred,confidence,purpose\n\
         app-1,depends_on,db-1,db,2.5,true,0.9,orders\n\
         app-1,depends_on,other:db-2,,,,,\n",
        &expect![[r#"
            2: Relationship app-1 depends_on db-1 | app-1 depends_on db-1 | group="db" weight=2.5 inferred=true confidence=0.9 denied=false | purpose=Text("orders")
            3: Relationship app-1 depends_on other:db-2 | app-1 depends_on other:db-2 | group="" weight=1 inferred=false confidence=1 denied=false"#]],
    );
}

#[test]
fn bad_headers() {
    check(
        "",
        &expect![
            "1:0: FORMAT_INVALID the file has no header (write key,class,name,… for items, from,type,to,group,… for relationships)"
        ],
    );
    check(
        "keys,class,name\na,team,x\n",
        &expect![[r#"1:1: FORMAT_INVALID the header lacks "key" (did you mean "key" by "keys"?)"#]],
    );
    check(
        "name,colour\nx,red\n",
        &expect![[
            r#"1:1: FORMAT_INVALID the header lacks "key" and "class" (write key,class,name,… for items, from,type,to,group,… for relationships)"#
        ]],
    );
    check(
        "from,to\na,b\n",
        &expect![[
            r#"1:1: FORMAT_INVALID the header lacks "type" (write key,class,name,… for items, from,type,to,group,… for relationships)"#
        ]],
    );
    check(
        "key;class;name\na;team;x\n",
        &expect![[
            r#"1:1: FORMAT_INVALID the header lacks "key" and "class" (separate the columns with commas)"#
        ]],
    );
    check("key,class,name,name\na,team,x,y\n", &expect![[r#"1:16: FORMAT_INVALID a second column "name""#]]);
    check(
        "key,class,,name\na,team,x,y\n",
        &expect!["1:11: FORMAT_INVALID a column has no name (name the attribute that it holds)"],
    );
    check(
        "key,class,\"name\na,team,x\n",
        &expect![[
            r#"1:11: FORMAT_INVALID the quote that opens here is never closed (close it with "; a quote inside a quoted cell is written twice)"#
        ]],
    );
}

/// The line is that of the file even after cells with line ends in them.
#[test]
fn bad_rows() {
    check(
        "key,class,name,port\n\
         a,sever,\"x\ny\",1\n\
         ,server,x,1\n\
         @5,server,x,1\n\
         b,application,\"x\ny\",http\n\
         c,application,x\n\
         d,application,x,1,2\n\
         e,application,\"x\"y,1\n\
         f,hardware,x,1\n\
         g,application,5\" disk,1\n\
         h,application,\"open,1\n\
         i,application,x,1\n",
        &expect![[r#"
            2:3: CLASS_UNKNOWN there is no class "sever" (did you mean "server"?)
            4:1: FORMAT_INVALID "key" is empty
            5:1: KEY_INVALID "key" looks like an item id: @5 (use the source's own name for the item; relationships may refer to an id)
            7:4: VALUE_TYPE attribute "port" is integer, not text "http" (write a whole number, without a unit)
            8:15: FORMAT_INVALID the row has 3 cells, the header 4 (put a cell that has a comma in it in double quotes; an empty cell is an absent attribute)
            9:19: FORMAT_INVALID the row has 5 cells, the header 4 (put a cell that has a comma in it in double quotes; an empty cell is an absent attribute)
            10:18: FORMAT_INVALID something follows the closing quote (write "" for a quote inside a quoted cell)
            11:3: CLASS_ABSTRACT class "hardware" is abstract: no item is of exactly this class (name a kind of it, such as computer, server, hypervisor, network_device, switch, router)
            12: Item g | application "5\" disk" | port=Integer(1)
            13:15: FORMAT_INVALID the quote that opens here is never closed (close it with "; a quote inside a quoted cell is written twice)"#]],
    );
    check(
        "from,type,to,weight,confidence,inferred,group\n\
         a,runs,b,,,,\n\
         a,runs_on,,,,,\n\
         a,runs_on,b,-1,,,\n\
         a,runs_on,b,,2,,\n\
         a,runs_on,b,,,maybe,\n\
         a,contains,b,,,,g\n",
        &expect![[r#"
            2:3: RELATIONSHIP_TYPE_UNKNOWN there is no relationship type "runs" ("runs" is "runs_on" read the other way round: exchange "from" and "to", and write "runs_on")
            3:11: FORMAT_INVALID "to" is empty
            4:13: FORMAT_INVALID "weight" is a number above 0, not "-1"
            5:14: FORMAT_INVALID "confidence" is a number above 0 and at most 1, not "2"
            6:15: FORMAT_INVALID "inferred" is true or false, not "maybe"
            7:17: RELATIONSHIP_INVALID "contains" carries no failure, so it cannot be in the group "g" (leave "group" out)"#]],
    );
    expect![[r#"
        2:1: FORMAT_INVALID not UTF-8 (save the file as UTF-8)
        3: Item b | team """#]]
    .assert_eq(&read(Csv, b"key,class\n\xff,team\nb,team\n"));
}
