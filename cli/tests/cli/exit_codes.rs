//! Every kind of failure with its exit code and its words.

use expect_test::expect;

use crate::fake::Fake;
use crate::shell::{command, ended, run};

#[test]
fn each_failure_has_its_exit_code_and_says_what_to_do() {
    let fake = Fake::start();
    let cases: &[(&[&str], i32, &[&str])] = &[
        (&["status"], 0, &[]),
        (&["show", "orders-db"], 0, &[]),
        (&["impact"], 2, &["ITEM"]),
        (&["status", "--as-of", "7"], 2, &["status says how the server is now"]),
        (&["watch", "--as-of", "7"], 2, &["--after REVISION"]),
        (&["set", "orders-db", "port=1", "--as-of", "7"], 2, &["the past stays as it was"]),
        (&["health", "--as-of", "7"], 0, &[]),
        (&["classes", "--relationships", "--as-of", "7"], 0, &[]),
        (&["statsu"], 2, &["status"]),
        (&["items", "--limit", "0"], 2, &["--limit"]),
        (&["items", "--limit", "3", "--all"], 2, &["--all"]),
        (&["trace", "a", "b", "--max", "1001"], 2, &["1001"]),
        (&["neighbours", "web-1", "--depth", "11"], 2, &["11"]),
        (&["neighbours", "web-1", "--direction", "up"], 2, &["out", "in", "both"]),
        (&["import", "--full", "--skip-bad", "x.jsonl"], 2, &["--full", "--skip-bad"]),
        (&["import", "--refused", "y", "x.jsonl"], 2, &["--skip-bad"]),
        (&["import", "--allow-withdraw", "3", "x.jsonl"], 2, &["--full"]),
        (&["import", "/nonexistent/x.jsonl"], 1, &["/nonexistent/x.jsonl"]),
        (&["set", "orders-db", "port"], 2, &["ATTRIBUTE=VALUE"]),
        (&["set", "orders-db", "port=many"], 2, &["a whole number", "many", "orders-db"]),
        (&["relate", "web-1", "depends_on", "orders-db", "--weight", "0"], 2, &["above 0"]),
        (&["relate", "web-1", "dependson", "orders-db"], 3, &["dependson", "depends_on"]),
        (&["relate", "web-1", "depends_on", "nobody"], 3, &["nobody"]),
        (&["revert", "0"], 2, &["0"]),
        (&["watch", "--once"], 2, &["--after"]),
        (&["show", "orders-bd"], 3, &["orders-bd", "did you mean \"orders-db\"?"]),
        (&["history", "orders-bd"], 3, &["orders-bd"]),
        (&["impact", "orders-db", "nobody"], 3, &["nobody"]),
        (&["retire", "nobody"], 3, &["nobody"]),
        (&["items", "--class", "servr"], 3, &["servr", "did you mean \"server\"?"]),
        (&["show", "twin"], 1, &["several items", "a:t1", "a:t2"]),
        (&["items", "--where", "port ="], 1, &["port ="]),
        (&["status", "--server", "ftp://example.org"], 2, &["ftp://example.org", "http://HOST:PORT"]),
        (&["status", "--server", "http://"], 2, &["http://HOST:PORT"]),
        (&["status", "--ca", "ca.pem"], 2, &["--ca is for https"]),
        (
            &["status", "--server", "https://127.0.0.1:1", "--ca", "/nonexistent.pem"],
            1,
            &["/nonexistent.pem"],
        ),
    ];
    for (arguments, code, parts) in cases {
        run(&fake.url, arguments).must_end_with(*code).says(parts);
    }
}

#[test]
fn errors_read_as_what_happened_which_thing_and_what_to_do() {
    let fake = Fake::start();
    expect![[r#"
        error: several items are called "twin"
          thing: twin
          candidates: a:t1
            a:t2
        hint: name one by its id or source:key
    "#]]
    .assert_eq(&run(&fake.url, &["show", "twin"]).err);
    expect![[r#"
        error: port cannot have this value
          thing: port of orders-db (@2, database_instance)
          expected: a whole number, such as 42
          given: many
        hint: `cmdb classes database_instance` lists the attributes and their types
    "#]]
    .assert_eq(&run(&fake.url, &["set", "orders-db", "port=many"]).err);
}

#[test]
fn a_server_that_is_not_there_says_how_to_start_one() {
    // Port 1 of this machine: nobody listens there.
    let ran = run("http://127.0.0.1:1", &["status"]).must_end_with(1);
    assert!(ran.err.starts_with("error: the server cannot be reached\n  server: http://127.0.0.1:1\n"));
    ran.says(&[
        "cause: Connection refused",
        "hint: ",
        "`cmdb-server --data DIR`",
        "--server URL",
        "CMDB_SERVER",
    ]);
}

#[test]
fn a_server_with_tls_is_known_by_its_authority() {
    let (fake, certificate) = Fake::with_tls();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("ca.pem");
    std::fs::write(&path, certificate).expect("a temporary file is writable");
    let ca = path.to_str().expect("UTF-8");
    run(&fake.url, &["status", "--ca", ca]).must_end_with(0).says_nothing();
    run(&fake.url, &["status"]).must_end_with(1).says(&["UnknownIssuer", "--ca FILE"]);
    let by_address = fake.url.replace("localhost", "127.0.0.1");
    run(&by_address, &["status", "--ca", ca]).must_end_with(1).says(&["as its certificate does"]);
    let plain = fake.url.replace("https", "http");
    run(&plain, &["status"]).must_end_with(1).says(&["https://"]);
    let no_tls = Fake::start();
    run(&no_tls.url.replace("http", "https"), &["status", "--ca", ca])
        .must_end_with(1)
        .says(&["use http://"]);
    std::fs::write(&path, "no certificate").expect("a temporary file is writable");
    run(&fake.url, &["status", "--ca", ca]).must_end_with(2).says(&["no certificate", ca]);
}

#[test]
fn an_address_without_a_scheme_is_plain_http() {
    let fake = Fake::start();
    let address = fake.url.strip_prefix("http://").expect("a plain address");
    run(address, &["status"]).must_end_with(0).says_nothing();
}

#[test]
fn help_and_version_are_no_errors() {
    for arguments in [&["--help"][..], &["--version"], &["impact", "--help"], &["help", "import"]] {
        assert!(!run("", arguments).must_end_with(0).says_nothing().out.is_empty());
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    use std::io::BufRead;
    let fake = Fake::start();
    let arguments = ["items", "--class", "endless", "--all", "--output", "jsonl"];
    let mut child = command(&fake.url, &arguments)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("cmdb is executable");
    let mut reader = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("a first line");
    assert!(line.starts_with('{'));
    drop(reader);
    // The list has no end: the command ends because nobody reads it.
    ended(&arguments, child.wait_with_output().expect("it ends")).must_end_with(0).says_nothing();
}
