//! Import, export and backup: what is read, sent and written.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use cmdb_proto::v1::import_file::Format;
use tempfile::TempDir;

use crate::fake::{BAD, Behaviour, Fake, Import};
use crate::shell::{command, ended, run};

const LINES: &str = "{\"item\":{\"key\":\"a\"}}\n{\"item\":{\"key\":\"b\"}}\n";
const TABLE: &str = "key,class,name\na,server,A\n";
/// The most data in one message.
const CHUNK_BYTES: usize = 256 * 1024;

fn write(directory: &TempDir, name: &str, data: &[u8]) -> String {
    let path = directory.path().join(name);
    std::fs::write(&path, data).expect("a temporary file is writable");
    path.to_str().expect("UTF-8").to_owned()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

fn only_import(fake: &Fake) -> Import {
    let recorded = fake.recorded();
    assert_eq!(recorded.imports.len(), 1);
    recorded.imports[0].clone()
}

#[test]
fn files_arrive_decompressed_and_in_order() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    // Two members in one gzip file, as `cat a.gz b.gz` makes it.
    let two_members = [gzip(b"key,class,name\n"), gzip(b"a,server,A\n")].concat();
    let files = [
        write(&directory, "plain.jsonl", LINES.as_bytes()),
        write(&directory, "items.csv.gz", &two_members),
        write(
            &directory,
            "more.ndjson.zst",
            &zstd::encode_all(LINES.as_bytes(), 0).expect("memory takes it"),
        ),
    ];
    let mut arguments =
        vec!["import", "--source", "old", "--full", "--allow-withdraw", "7", "--reason", "move"];
    arguments.extend(files.iter().map(String::as_str));
    let ran = run(&fake.url, &arguments).must_end_with(0).says(&["note: colour is not declared"]);
    assert!(ran.out.contains("6 created, 0 updated, 0 unchanged"), "{}", ran.out);
    assert!(ran.out.contains("1 reference waits"), "{}", ran.out);
    let import = only_import(&fake);
    assert_eq!(
        (import.begin.source.as_str(), import.begin.full, import.begin.allow_withdraw),
        ("old", true, 7)
    );
    assert_eq!(import.begin.reason, "move");
    assert!(import.is_complete);
    let arrived: Vec<(&str, Format, &[u8])> = import
        .files
        .iter()
        .map(|(file, data)| (file.name.as_str(), file.format(), data.as_slice()))
        .collect();
    assert_eq!(
        arrived,
        [
            (files[0].as_str(), Format::JsonLines, LINES.as_bytes()),
            (&files[1], Format::Csv, TABLE.as_bytes()),
            (&files[2], Format::JsonLines, LINES.as_bytes()),
        ]
    );
}

#[test]
fn a_large_file_travels_in_chunks() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let data = LINES.repeat(50_000);
    let file = write(&directory, "large.jsonl.gz", &gzip(data.as_bytes()));
    run(&fake.url, &["import", &file]).must_end_with(0);
    let import = only_import(&fake);
    assert_eq!(import.begin.source, "import");
    assert_eq!(import.largest_chunk, CHUNK_BYTES);
    assert!(import.files[0].1 == data.as_bytes(), "all of it, unchanged");
}

#[test]
fn standard_input_has_the_format_that_is_said() {
    for (options, data, format) in [
        (&["import", "-"][..], LINES, Format::JsonLines),
        (&["import", "--format", "csv", "-"], TABLE, Format::Csv),
    ] {
        let fake = Fake::start();
        let mut child = command(&fake.url, options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("cmdb is executable");
        child.stdin.take().expect("it is piped").write_all(data.as_bytes()).expect("cmdb reads it");
        ended(options, child.wait_with_output().expect("it ends")).must_end_with(0);
        let (file, arrived) = only_import(&fake).files.remove(0);
        assert_eq!((file.name.as_str(), file.format()), ("-", format));
        assert_eq!(arrived, data.as_bytes());
    }
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_publishes_nothing() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let mut cut = gzip(LINES.repeat(1_000).as_bytes());
    cut.truncate(cut.len() / 2);
    let cut = write(&directory, "cut.jsonl.gz", &cut);
    let not_gzip = write(&directory, "plain.jsonl.gz", LINES.as_bytes());
    for file in [&cut, &not_gzip] {
        run(&fake.url, &["import", file]).must_end_with(1).says(&["reading", file]);
    }
    assert!(fake.recorded().imports.iter().all(|import| !import.is_complete));
}

#[test]
fn refused_lines_are_named_and_nothing_is_imported() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let file = write(&directory, "x.jsonl", format!("{LINES}{BAD}\n").as_bytes());
    let ran = run(&fake.url, &["import", &file]).must_end_with(1);
    let named =
        format!("{file}:3:5: port is no integer\n  expected: integer\n  given: bad\n  hint: write 5432\n");
    assert!(ran.err.starts_with(&named), "{}", ran.err);
    assert_eq!(ran.out, "");
    ran.says(&["nothing was imported: 1 line is refused", "--skip-bad"]);
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 1, "no other file");

    let ran = run(&fake.url, &["import", &file, "--output", "json"]).must_end_with(1);
    let answer: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(answer["refused_lines"][0]["line"], 3);
    assert_eq!(answer["revision"], serde_json::Value::Null);
}

#[test]
fn only_fifty_refused_lines_are_named() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let file = write(&directory, "x.jsonl", "bad\n".repeat(60).as_bytes());
    let ran = run(&fake.url, &["import", "--skip-bad", &file]).must_end_with(0);
    assert_eq!(ran.err.matches("port is no integer").count(), 50);
    ran.says(&["… and 10 more refused lines", "60 refused lines are in", "x.jsonl.refused"]);
    let kept = std::fs::read_to_string(format!("{file}.refused")).expect("the refused lines");
    assert_eq!(kept, "bad\n".repeat(60));
}

#[test]
fn refused_lines_of_a_table_keep_their_header_so_that_they_can_be_imported() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let file = write(&directory, "items.csv.gz", &gzip(format!("{TABLE}{BAD},server,B\n").as_bytes()));
    run(&fake.url, &["import", "--skip-bad", &file]).must_end_with(0);
    let refused = directory.path().join("items.csv.refused");
    let kept = std::fs::read_to_string(&refused).expect("the refused lines");
    assert_eq!(kept, "key,class,name\nbad,server,B\n");
    run(&fake.url, &["import", refused.to_str().expect("UTF-8")]).must_end_with(1);
    assert_eq!(fake.recorded().imports[1].files[0].0.format(), Format::Csv);
}

#[test]
fn each_file_keeps_its_refused_lines_apart() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let lines = write(&directory, "x.jsonl", b"bad line\n");
    let table = write(&directory, "y.csv", b"key,class\nbad,server\n");
    let good = write(&directory, "z.jsonl", LINES.as_bytes());
    run(&fake.url, &["import", "--skip-bad", &lines, &table, &good]).must_end_with(0).says(&[
        "2 refused lines are in",
        "x.jsonl.refused and",
        "y.csv.refused",
    ]);
    let kept = |name: &str| std::fs::read_to_string(directory.path().join(name)).expect("the refused lines");
    assert_eq!(kept("x.jsonl.refused"), "bad line\n");
    assert_eq!(kept("y.csv.refused"), "key,class\nbad,server\n");
    assert!(!directory.path().join("z.jsonl.refused").exists());
}

#[test]
fn refused_lines_go_where_they_are_told_but_never_over_an_input() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let file = write(&directory, "x.jsonl", b"bad\n");
    let other = write(&directory, "other", b"");
    run(&fake.url, &["import", "--skip-bad", "--refused", &other, &file]).must_end_with(0);
    assert_eq!(std::fs::read_to_string(&other).expect("the refused lines"), "bad\n");
    run(&fake.url, &["import", "--skip-bad", "--refused", &file, &file]).must_end_with(2);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), "bad\n");
    std::fs::remove_file(&other).expect("it is there");
    run(&fake.url, &["import", "--skip-bad", "--dry-run", "--refused", &other, &file]).must_end_with(0);
    assert!(!Path::new(&other).exists(), "a dry run writes nothing");
}

#[test]
fn a_backup_is_written_whole_or_not_at_all() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("b.redb");
    let file = path.to_str().expect("UTF-8");
    let broken = Fake::behaving(Behaviour::Badly);
    run(&broken.url, &["backup", file]).must_end_with(1).says(&["the disk failed", "the server's log"]);
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 0);

    let fake = Fake::start();
    run(&fake.url, &["backup", file]).must_end_with(0).says_nothing();
    assert_eq!(std::fs::read(&path).expect("the backup"), b"first second");
    run(&fake.url, &["backup", file]).must_end_with(1).says(&["exists already", "--force"]);
    std::fs::write(&path, "old").expect("writable");
    run(&broken.url, &["backup", "--force", file]).must_end_with(1);
    assert_eq!(std::fs::read(&path).expect("the old backup"), b"old");
    run(&fake.url, &["backup", "--force", file]).must_end_with(0);
    assert_eq!(std::fs::read(&path).expect("the backup"), b"first second");
    assert_eq!(std::fs::read_dir(directory.path()).expect("a directory").count(), 1);
}

#[test]
fn an_export_goes_to_a_file_compressed_by_its_name() {
    let (fake, directory) = (Fake::start(), TempDir::new().expect("a directory"));
    let expected = "{\"item\":1}\n{\"item\":2}\n";
    assert_eq!(run(&fake.url, &["export"]).must_end_with(0).out, expected);
    let at = |name: &str| directory.path().join(name);
    for name in ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst"] {
        run(&fake.url, &["export", "-o", at(name).to_str().expect("UTF-8")]).must_end_with(0);
    }
    assert_eq!(std::fs::read_to_string(at("x.jsonl")).expect("the export"), expected);
    let file = std::fs::File::open(at("x.jsonl.gz")).expect("the export");
    assert_eq!(std::io::read_to_string(flate2::read::GzDecoder::new(file)).expect("gzip"), expected);
    let data = zstd::decode_all(std::fs::File::open(at("x.jsonl.zst")).expect("the export")).expect("zstd");
    assert_eq!(data, expected.as_bytes());

    let broken = Fake::behaving(Behaviour::Badly);
    let arguments = ["export", "-o", at("y.jsonl").to_str().expect("UTF-8")].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = command(&broken.url, &arguments).output().expect("cmdb is executable");
    ended(&arguments, output).must_end_with(1);
    assert!(!at("y.jsonl").exists() && !at("y.jsonl.part").exists());
}
