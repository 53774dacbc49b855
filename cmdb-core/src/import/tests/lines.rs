use std::io::{self, BufRead, BufReader, Cursor, Read};

use crate::import::Format::{Csv, JsonLines};
use crate::import::{LINE_BYTES_MAX, ReadError, TEXT_BYTES_MAX, reader};
use crate::model::{Reason, Schema};

const GOOD: &[u8] = b"{\"item\":{\"key\":\"a\",\"class\":\"team\"}}\n";

fn xs(number: u64) -> impl BufRead {
    BufReader::new(io::repeat(b'x').take(number))
}

/// A line that is too long is named and skipped; those around it are read.
#[test]
fn too_long() {
    let schema = Schema::built_in();
    let file = Cursor::new(GOOD)
        .chain(xs(LINE_BYTES_MAX as u64 * 2))
        .chain(Cursor::new(b"\n"))
        .chain(Cursor::new(GOOD));
    let records: Vec<_> = reader(JsonLines, file, &schema).collect();
    assert_eq!(records.len(), 3);
    assert!(records[0].is_ok());
    let Err(ReadError::Line(problem)) = &records[1] else { panic!("{:?}", records[1]) };
    assert_eq!((problem.line, problem.column, problem.problem.reason), (2, 0, Reason::LimitExceeded));
    assert_eq!(problem.problem.message, "the line is longer than 16777216 bytes");
    assert_eq!((problem.text.len(), problem.raw.len()), (TEXT_BYTES_MAX, 0));
    assert_eq!(records[2].as_ref().expect("good").line, 3);
}

/// The longest line that is allowed is read, whether or not the file ends in a line end.
#[test]
fn as_long_as_allowed() {
    let schema = Schema::built_in();
    let filled = |length: usize| {
        let (head, tail) = ("{\"item\":{\"key\":\"a\",\"class\":\"team\",\"name\":\"", "\"}}");
        format!("{head}{}{tail}", "n".repeat(length - head.len() - tail.len()))
    };
    for (length, end, good) in [
        (LINE_BYTES_MAX, "", true),
        (LINE_BYTES_MAX, "\n", true),
        (LINE_BYTES_MAX, "\r\n", true),
        (LINE_BYTES_MAX + 1, "", false),
        (LINE_BYTES_MAX + 1, "\n", false),
        (LINE_BYTES_MAX + 1, "\r\n", false),
    ] {
        let file = format!("{}{end}", filled(length));
        let results: Vec<bool> =
            reader(JsonLines, file.as_bytes(), &schema).map(|record| record.is_ok()).collect();
        assert_eq!(results, [good], "{length} {end:?}");
    }
}

#[test]
fn a_row_with_an_open_quote_is_bounded() {
    let schema = Schema::built_in();
    let file = Cursor::new(b"key,class\na,\"team\nb,team\n")
        .chain(xs(LINE_BYTES_MAX as u64))
        .chain(Cursor::new(b"\nc,team\n"));
    let records: Vec<_> = reader(Csv, file, &schema).collect();
    let Err(ReadError::Line(problem)) = &records[0] else { panic!("{:?}", records[0]) };
    assert_eq!((problem.line, problem.problem.reason), (2, Reason::LimitExceeded));
    assert!(records[1].is_ok() && records.len() == 2, "{:?}", &records[1..]);
}

/// What cannot be read is not the same as a bad line: with bad lines skipped it would import half a file.
#[test]
fn a_file_that_breaks_off() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    impl BufRead for Broken {
        fn fill_buf(&mut self) -> io::Result<&[u8]> {
            Err(io::Error::other("the disk is gone"))
        }
        fn consume(&mut self, _: usize) {}
    }
    let schema = Schema::built_in();
    for (format, head) in [(JsonLines, GOOD), (Csv, b"key,class\na,team\n")] {
        let records: Vec<_> = reader(format, Cursor::new(head).chain(Broken), &schema).collect();
        assert_eq!(records.len(), 2);
        assert!(records[0].is_ok());
        assert!(matches!(records[1], Err(ReadError::File(_))), "{:?}", records[1]);
    }
}

/// Whatever the bytes, every line is a record or a named problem, and columns lie within the line.
#[test]
fn never_panics() {
    let schema = Schema::built_in();
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\n",
        "\r",
        "\"item\"",
        "\"key\"",
        "\"class\"",
        "\"team\"",
        "\"match\"",
        "\"relationship\"",
        "\"claims\"",
        "\"$map\"",
        "null",
        "1e9",
        "key,class,name\n",
        "a,team,\"x\"\n",
        "é",
        "\u{feff}",
        " ",
    ];
    arbtest::arbtest(|u| {
        let mut file = Vec::new();
        for _ in 0..u.int_in_range(0..=40)? {
            if u.ratio(9, 10)? {
                file.extend_from_slice(u.choose(&words)?.as_bytes());
            } else {
                file.push(u.arbitrary()?);
            }
        }
        for format in [JsonLines, Csv] {
            for record in reader(format, file.as_slice(), &schema) {
                if let Err(ReadError::Line(problem)) = record {
                    assert!(
                        problem.line >= 1 && problem.column <= problem.raw.len() as u64 + 1,
                        "{problem:?}"
                    );
                }
            }
        }
        Ok(())
    });
}
