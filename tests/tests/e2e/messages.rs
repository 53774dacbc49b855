//! What people are told when something is wrong, and the exit code that goes with it.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::{Ran, Shell};

/// A line that is right, and lines that are wrong in one way each, with what must be said of them.
const BAD_LINES: [(&str, &[&str]); 8] = [
    (r#"{"item":{"key":"good","class":"application","name":"good"}}"#, &[]),
    (r#"{"item":{"key":"cut","class":"application""#, &["bad.jsonl:2:"]),
    (
        r#"{"item":{"key":"a","class":"databse_instance","name":"a"}}"#,
        &["bad.jsonl:3:28:", "databse_instance", "database_instance"],
    ),
    (
        r#"{"item":{"key":"b","class":"application","name":"b","attributes":{"port":"many"}}}"#,
        &["bad.jsonl:4:74:", "port", "integer", "many"],
    ),
    (
        r#"{"relationship":{"from":"good","type":"depend_on","to":"good"}}"#,
        &["bad.jsonl:5:39:", "depend_on", "depends_on"],
    ),
    (
        r#"{"redundancy":{"item":"good","group":"none","require":"some"}}"#,
        &["bad.jsonl:6:55:", "some", "at_least"],
    ),
    (r#"{"thing":{}}"#, &["bad.jsonl:7:2:", "thing"]),
    (r#"{"item":{"key":"good","class":"web_server","name":"again"}}"#, &["bad.jsonl:8", "good", "line 1"]),
];

/// Lines that are right by themselves and name what is not there. They are looked at when all lines can be read,
/// and groups when all relationships stand: what is missing may be in a line that was refused.
const BAD_ENDS: [(&str, &[&str]); 3] = [
    (r#"{"item":{"key":"good","class":"application","name":"good"}}"#, &[]),
    (r#"{"relationship":{"from":"good","type":"depends_on","to":"nowhere"}}"#, &["bad.jsonl:2", "nowhere"]),
    (
        r#"{"relationship":{"from":"nobody:good","type":"depends_on","to":"good"}}"#,
        &["bad.jsonl:3", "nobody:good"],
    ),
];

const BAD_GROUPS: [(&str, &[&str]); 2] = [
    (r#"{"item":{"key":"good","class":"application","name":"good"}}"#, &[]),
    (r#"{"redundancy":{"item":"good","group":"none","require":"any"}}"#, &["bad.jsonl:2", "none"]),
];

#[test]
fn bad_lines_are_named_and_nothing_is_imported() {
    for lines in [BAD_LINES.as_slice(), &BAD_ENDS, &BAD_GROUPS] {
        let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
        let file = write(&directory, "bad.jsonl", &text_of(lines));
        let shell = server.shell();
        let ran = import(&shell, &file, &[]).must_end_with(1);
        for (_, parts) in lines {
            ran.says(parts);
        }
        ran.says(&["nothing was imported"]);
        assert_eq!(count(&shell, &[]), 0);
    }
}

#[test]
fn with_skip_bad_the_rest_is_imported_and_the_refused_lines_are_kept() {
    for lines in [BAD_LINES.as_slice(), &BAD_ENDS, &BAD_GROUPS] {
        let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
        let file = write(&directory, "bad.jsonl", &text_of(lines));
        let shell = server.shell();
        import(&shell, &file, &["--skip-bad"]).must_end_with(0);
        assert_eq!(count(&shell, &[]), 1);
        let refused = std::fs::read_to_string(directory.path().join("bad.jsonl.refused"));
        let refused = refused.expect("the refused lines");
        let bad = lines.iter().filter(|(_, parts)| !parts.is_empty());
        let expected: Vec<&str> = bad.map(|(line, _)| *line).collect();
        assert_eq!(refused.lines().collect::<Vec<_>>(), expected);
    }
}

fn text_of(lines: &[(&str, &[&str])]) -> String {
    lines.iter().map(|(line, _)| format!("{line}\n")).collect()
}

#[test]
fn a_group_that_needs_more_than_it_has_is_refused() {
    let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
    let text = r#"{"item":{"key":"app","class":"application","name":"app"}}
{"item":{"key":"db","class":"database_instance","name":"db"}}
{"relationship":{"from":"app","type":"depends_on","to":"db","group":"db"}}
{"redundancy":{"item":"app","group":"db","require":"at_least 2"}}
"#;
    let file = write(&directory, "more.jsonl", text);
    import(&server.shell(), &file, &[]).must_end_with(1).says(&["more.jsonl:4", "at_least 2", "1"]);
    assert_eq!(count(&server.shell(), &[]), 0);
}

#[test]
fn csv_is_refused_with_line_and_column() {
    let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
    let items = write(
        &directory,
        "items.csv",
        "key,class,name,port\ndb-1,database_instance,orders,5432\ndb-2,database_instance,spare,many\ndb-3,nothing,x,\n",
    );
    let shell = server.shell();
    let ran = import(&shell, &items, &[]).must_end_with(1);
    ran.says(&["items.csv:3:", "port", "integer", "many"]);
    ran.says(&["items.csv:4", "nothing"]);

    let items = write(
        &directory,
        "items.csv",
        "key,class,name,port\ndb-1,database_instance,orders,5432\napp,application,app,\n",
    );
    let relationships =
        write(&directory, "relationships.csv", "from,type,to,group\napp,depends_on,db-1,\napp,depends_on\n");
    let both = shell.run(["import".as_ref(), items.as_os_str(), relationships.as_os_str()]);
    both.must_end_with(1).says(&["relationships.csv:3"]);
    assert_eq!(count(&shell, &[]), 0);

    let relationships = write(&directory, "relationships.csv", "from,type,to,group\napp,depends_on,db-1,\n");
    shell.ok(["import".as_ref(), items.as_os_str(), relationships.as_os_str()]);
    assert_eq!(shell.json(&["impact", "db-1"])["counts"]["failed"], 1);
}

#[test]
fn compressed_files_and_standard_input_are_read() {
    let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
    let shell = server.shell();
    let line = "{\"item\":{\"key\":\"one\",\"class\":\"application\",\"name\":\"one\"}}\n";
    let file = write(&directory, "one.jsonl", line);
    let mut command = shell.command(["import", "--source", "piped", "-"]);
    let piped = command.stdin(std::fs::File::open(&file).expect("the file is there")).output();
    assert!(piped.expect("the shell is executable").status.success());
    assert_eq!(count(&shell, &[]), 1);
    // A file that says it is compressed and is not.
    let not_gzip = write(&directory, "one.jsonl.gz", line);
    import(&shell, &not_gzip, &[]).must_end_with(1).says(&["one.jsonl.gz"]);
}

#[test]
fn a_full_import_withdraws_no_more_than_it_may() {
    let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
    let shell = server.shell();
    let of = |items: u32| -> String {
        (0..items)
            .map(|n| {
                format!("{{\"item\":{{\"key\":\"i{n}\",\"class\":\"application\",\"name\":\"i{n}\"}}}}\n")
            })
            .collect()
    };
    import(&shell, &write(&directory, "all.jsonl", &of(40)), &["--full"]).must_end_with(0);
    let fewer = write(&directory, "fewer.jsonl", &of(30));
    import(&shell, &fewer, &["--full"]).must_end_with(1).says(&["10", "--allow-withdraw"]);
    import(&shell, &fewer, &["--full", "--allow-withdraw", "9"]).must_end_with(1);
    assert_eq!(count(&shell, &["--where", "status = \"active\""]), 40);
    import(&shell, &fewer, &["--full", "--allow-withdraw", "10"]).must_end_with(0);
    assert_eq!(count(&shell, &["--where", "status = \"active\""]), 30);
    // One of thirty lies below five parts of a hundred.
    import(&shell, &write(&directory, "one_fewer.jsonl", &of(29)), &["--full"]).must_end_with(0);
    import(&shell, &fewer, &["--full", "--skip-bad"]).must_end_with(2);
}

#[test]
fn an_item_that_is_not_meant_clearly_is_refused_with_what_could_be_meant() {
    let (server, directory) = (Server::start(), TempDir::new().expect("a directory"));
    let shell = server.shell();
    shell.import("webshop", &repository("examples/webshop.jsonl"));
    let twins = r#"{"item":{"key":"t1","class":"application","name":"twin"}}
{"item":{"key":"t2","class":"application","name":"twin"}}
{"item":{"key":"web-1","class":"application","name":"another"}}
"#;
    shell.import("other", &write(&directory, "twins.jsonl", twins));
    shell.run(["show", "twin"]).must_end_with(1).says(&["twin", "t1", "t2"]);
    // The same key in two sources: the source decides.
    shell.run(["show", "web-1"]).must_end_with(1).says(&["webshop:web-1", "other:web-1"]);
    shell.run(["show", "webshop:web-1"]).must_end_with(0);
    shell.run(["show", "Web server 1"]).must_end_with(0);
    shell.run(["impact", "orders-bd-1"]).must_end_with(3).says(&["orders-bd-1", "orders-db-1"]);
    shell.run(["depends", "@999999"]).must_end_with(3).says(&["@999999"]);
    shell.run(["trace", "webshop:order", "nobody-knows-this"]).must_end_with(3).says(&["nobody-knows-this"]);
}

#[test]
fn exit_codes_tell_what_kind_of_failure_it_was() {
    let server = Server::start();
    let shell = server.shell();
    shell.run(["status"]).must_end_with(0);
    shell.run(["no-such-command"]).must_end_with(2);
    shell.run(["items", "--limit", "0"]).must_end_with(2);
    shell.run(["import", "/nonexistent/file.jsonl"]).must_end_with(1).says(&["/nonexistent/file.jsonl"]);
    shell.run(["items", "--where", "port ="]).must_end_with(1).says(&["port ="]);
    shell.run(["items", "--class", "aplication"]).says(&["aplication", "application"]);
    shell.run(["show", "nothing"]).must_end_with(3);
    let nobody = Shell::new("http://127.0.0.1:1");
    nobody.run(["status"]).must_end_with(1).says(&["127.0.0.1:1", "cmdb-server"]);
}

fn import(shell: &Shell, file: &Path, options: &[&str]) -> Ran {
    let path = file.to_str().expect("a temporary directory has a name in UTF-8");
    shell.run(["import", "--source", "test"].iter().chain(options).chain(&[path]))
}

fn count(shell: &Shell, options: &[&str]) -> u64 {
    let out = shell.ok(["items", "--count"].iter().chain(options));
    out.trim().parse().unwrap_or_else(|_| panic!("not a number: {out}"))
}

fn write(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("a temporary file is writable");
    path
}
