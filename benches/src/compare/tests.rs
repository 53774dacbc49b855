//! What can fail in a comparison: a wrong answer, an answer that is none, an engine that ends or hangs.

use std::process::Command;
use std::time::Duration;

use super::duel::{Bout, Duel};
use super::engine::{Answer, Loaded, Memory, Player, Question, summed};
use super::report::Report;
use super::{chart, fail_if_different, reason};

const LOADED: &str =
    r#"{"version":"1.0","wall_ns":2000000,"cpu_ns":1000000,"resident_kb":2048,"peak_kb":4096}"#;
const SOON: Duration = Duration::from_secs(20);

fn answer(count: u64, sum: u64) -> Answer {
    Answer { wall_ns: 2_000, cpu_ns: 1_000, count, sum }
}

fn duel(ours: Vec<Answer>, theirs: Vec<Answer>) -> Duel {
    let loaded = Loaded { version: "1.0".to_owned(), wall_ns: 2, cpu_ns: 1, resident_kb: 1, peak_kb: 1 };
    let seeds = (7..).take(ours.len()).collect();
    let bout = Bout { question: Question::Reach, seeds, ours, theirs, cut: None };
    Duel { shown: "Other", key: "other", kind: "library", loaded, memory: None, bouts: vec![bout] }
}

/// A process that speaks, or fails to speak, the protocol.
fn player(script: &str) -> anyhow::Result<Player> {
    let directory = tempfile::tempdir()?;
    Player::run(Command::new("sh").args(["-c", script]), &directory.path().join("log"), SOON)
}

#[test]
fn equal_answers_pass() {
    let answers = vec![answer(3, 30), answer(0, 0)];
    assert!(fail_if_different(&[duel(answers.clone(), answers)]).is_ok());
}

#[test]
fn a_wrong_answer_is_named_and_fails() {
    let ours = vec![answer(3, 30), answer(2, 20), answer(2, 20)];
    // As many items, and not the same.
    let theirs = vec![answer(3, 30), answer(2, 21), answer(1, 20)];
    let error = fail_if_different(&[duel(ours, theirs)]).expect_err("two answers differ");
    assert_eq!(
        error.to_string(),
        "answers differ from ours:\nOther: 2 of 3 answers; the first about item 8: 2 items (sum 21), ours 2 (sum 20)"
    );
}

#[test]
fn sets_of_one_size_and_one_sum_of_ids_are_told_apart() {
    let (count, sum) = summed([1, 4].into_iter());
    let (other_count, other_sum) = summed([2, 3].into_iter());
    assert_eq!((count, other_count), (2, 2));
    assert_ne!(sum, other_sum);
    assert_eq!(summed([3, 2].into_iter()), (other_count, other_sum), "the order does not count");
}

#[test]
fn an_engine_answers_line_by_line() {
    let script = format!(
        "echo '{LOADED}'; read asked; echo '{{\"wall_ns\":5,\"cpu_ns\":4,\"count\":3,\"sum\":2}}'; \
         read asked; echo '{{\"resident_kb\":9,\"peak_kb\":10}}'"
    );
    let mut player = player(&script).expect("it speaks");
    assert_eq!((player.loaded.version.as_str(), player.loaded.peak_kb), ("1.0", 4096));
    let answers = player.ask(Question::Reach, &[1], SOON).expect("it answers");
    assert_eq!(answers, [Answer { wall_ns: 5, cpu_ns: 4, count: 3, sum: 2 }]);
    assert_eq!(player.memory(SOON).expect("it tells"), Memory { resident_kb: 9, peak_kb: 10 });
}

#[test]
fn what_is_no_answer_is_quoted() {
    let error = player("echo 'Traceback'").err().expect("that is no answer");
    assert_eq!(format!("{error:#}").split(':').next(), Some("it said \"Traceback\", which is no answer"));
}

#[test]
fn an_engine_that_ends_says_why() {
    let error = player("echo 'no module named kuzu' >&2; exit 1").err().expect("it ended");
    assert_eq!(format!("{error:#}"), "loading the estate: it ended\nno module named kuzu");
}

#[test]
fn an_engine_that_hangs_is_cut_off_and_keeps_what_it_answered() {
    let script = format!(
        "echo '{LOADED}'; read asked; echo '{{\"wall_ns\":5,\"cpu_ns\":4,\"count\":3,\"sum\":2}}'; read more"
    );
    let mut player = player(&script).expect("it speaks");
    let answers =
        player.ask(Question::Reach, &[1, 2], Duration::from_millis(500)).expect("it answers in part");
    assert_eq!(answers.len(), 1);
}

#[test]
fn the_report_says_what_differs_and_what_was_left_out() {
    let mut fought = duel(vec![answer(3, 30); 4], vec![answer(3, 30), answer(3, 30), answer(3, 31)]);
    fought.bouts[0].cut = Some("1 s were over".to_owned());
    let report = Report {
        size: "S",
        machine: "a machine".to_owned(),
        items: 10,
        relationships: 40,
        limit: Duration::from_secs(1),
        ours: (fought.loaded.clone(), Memory { resident_kb: 1, peak_kb: 1 }),
        duels: vec![fought],
        skipped: vec!["skipped: Kùzu: it is not there".to_owned()],
    };
    let table = report.table(std::path::Path::new("docs/compare-s.svg")).expect("a table");
    assert!(table.contains("| Other | 3: 1 s were over |"), "{table}");
    assert!(table.contains("**1 differ** |"), "{table}");
    assert!(table.contains("(compare-s.svg)"), "{table}");
    assert!(table.ends_with("skipped: Kùzu: it is not there"), "{table}");
    let json = report.json();
    assert_eq!(json["other_reach_questions"], 3);
    assert_eq!(json["other_reach_different"], 1);
    assert_eq!(json["other_reach_vs_ours_cpu"], 0.75);
    assert!(
        json.as_object().expect("an object").values().all(|value| !value.is_object() && !value.is_array())
    );
}

#[test]
fn the_chart_names_everybody() {
    let bars = || vec![chart::Bar { name: "one", times: 3.2 }, chart::Bar { name: "other", times: 1_400.0 }];
    let svg = chart::draw("heading", &[("first", bars()), ("second", Vec::new())]).expect("it can be drawn");
    for text in ["heading", "first", "second", "ours", "one", "other", "3.2", "1400"] {
        assert!(svg.lines().any(|line| line.trim() == text), "{text} is not in\n{svg}");
    }
}

#[test]
fn why_an_engine_is_left_out_is_read() {
    let (name, why) = reason("kuzu=pip failed: a = b").expect("a name and a reason");
    assert_eq!((format!("{name:?}"), why.as_str()), ("Kuzu".to_owned(), "pip failed: a = b"));
    assert!(reason("nobody=gone").is_err());
    assert!(reason("kuzu").is_err());
}
