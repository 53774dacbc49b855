//! Verify and watch: answers that come one after another.

use crate::fake::{Behaviour, Fake};
use crate::shell::run;

#[test]
fn a_clean_store_says_so_and_a_broken_one_is_an_error() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["verify"]).must_end_with(0).says_nothing();
    assert_eq!(ran.out, "clean at revision 42: 42 commits, 1,000 changes, 5 items, 6 relationships\n");
    assert_eq!(run(&fake.url, &["verify", "--quiet"]).must_end_with(0).out, "");

    let broken = Fake::behaving(Behaviour::Badly);
    let ran = run(&broken.url, &["verify"]).must_end_with(1).says(&["in 1 place", "restore"]);
    assert_eq!(ran.out, "differs: item @2 has another name in the log\n");
    let ran = run(&broken.url, &["verify", "--output", "json"]).must_end_with(1);
    let answer: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(answer["findings"][0], "item @2 has another name in the log");
}

#[test]
fn a_long_answer_shows_no_progress_where_nobody_looks_and_says_when_it_is_cut_off() {
    let fake = Fake::start();
    for command in ["blast-radius", "critical", "availability"] {
        run(&fake.url, &[command]).must_end_with(0).says_nothing();
    }
    let cut_off = run(&fake.url, &["blast-radius", "--as-of", "41"]).must_end_with(1);
    assert_eq!(cut_off.out, "");
    cut_off.says(&["the server ended before the answer was complete"]);
}

#[test]
fn a_watch_up_to_now_ends_with_the_newest_commit() {
    let fake = Fake::start();
    let ran = run(&fake.url, &["watch", "--after", "40", "--once"]).must_end_with(0).says_nothing();
    let commits: Vec<&str> = ran.out.lines().filter(|line| line.starts_with("revision ")).collect();
    assert!(commits[0].starts_with("revision 41 ") && commits[1].starts_with("revision 42 "), "{commits:?}");
    assert_eq!(commits.len(), 2);
    run(&fake.url, &["watch", "--after", "43", "--once"])
        .must_end_with(3)
        .says(&["no commit after the newest"]);
    let ran = run(&fake.url, &["watch", "--after", "42", "--once"]).must_end_with(0).says_nothing();
    assert_eq!(ran.out, "");
}

#[test]
fn a_watch_that_is_lost_says_where_to_go_on() {
    let broken = Fake::behaving(Behaviour::Badly);
    let ran = run(&broken.url, &["watch", "--after", "40", "--output", "jsonl"]).must_end_with(1);
    assert_eq!(ran.out.lines().count(), 1);
    ran.says(&["the disk failed", "cmdb watch --after 41"]);
}

#[cfg(unix)]
#[test]
fn a_watch_that_is_interrupted_says_where_to_go_on() {
    use std::io::BufRead;
    use std::process::{Command, Stdio};

    let fake = Fake::start();
    let arguments = ["watch", "--after", "41", "--output", "jsonl"];
    let mut child = crate::shell::command(&fake.url, &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("cmdb is executable");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the commit comes while the watch goes on");
    assert!(line.contains("\"revision\":42"), "{line}");
    let interrupt = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status();
    assert!(interrupt.expect("a shell").success());
    let output = child.wait_with_output().expect("it ends");
    crate::shell::ended(&arguments, output).must_end_with(0).says(&["cmdb watch --after 42"]);
}
