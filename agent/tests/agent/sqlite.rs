//! The database reader on files that SQLite itself wrote.

use cmdb_agent::packages::sqlite::{Column, Database};
use cmdb_agent::root::Root;

use crate::fixtures::place;

fn rows(root: &Root, path: &str) -> Vec<(usize, Vec<u8>)> {
    let mut found = Vec::new();
    Database::open(root, path)
        .expect("it is a database")
        .rows("Packages", |columns| {
            if let Some(Column::Blob(blob)) = columns.last() {
                found.push((blob.len(), blob.iter().copied().take_while(u8::is_ascii_graphic).collect()));
            }
        })
        .expect("the table can be read");
    found
}

#[test]
fn what_stands_in_the_log_is_read() {
    // Forty rows of up to four thousand bytes in pages of one thousand, all but the first only in the log; row 7 was
    // deleted again.
    let found = rows(&Root::new(place("sqlite")), "/log.sqlite");
    assert_eq!(found.len(), 39);
    for (index, (length, _)) in found.iter().enumerate().skip(1) {
        let number = if index + 1 < 7 { index + 1 } else { index + 2 };
        assert_eq!(*length, format!("row {number} ").len() + number * 100, "row {number}");
    }
}

#[test]
fn a_log_that_is_cut_off_ends_at_its_last_whole_transaction() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let log = std::fs::read(place("sqlite/log.sqlite-wal")).expect("the fixture");
    std::fs::copy(place("sqlite/log.sqlite"), directory.path().join("log.sqlite")).expect("a copy");
    let root = Root::new(directory.path());
    let mut before = 0;
    for length in (0..log.len()).step_by(5000) {
        std::fs::write(directory.path().join("log.sqlite-wal"), &log[..length]).expect("a shorter log");
        let count = rows(&root, "/log.sqlite").len();
        assert!(count >= before && count >= 1, "a longer log holds no less: {count} after {before}");
        before = count;
    }
    assert!(before > 30, "{before}");
}

#[test]
fn damage_is_an_error_or_fewer_rows_and_never_a_panic() {
    let whole = std::fs::read(place("rocky-server/var/lib/rpm/rpmdb.sqlite")).expect("the fixture");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = Root::new(directory.path());
    let path = directory.path().join("damaged.sqlite");
    arbtest::arbtest(|random| {
        let mut damaged = whole.clone();
        for _ in 0..random.int_in_range(1..=20)? {
            // Most of the meaning is at the start of pages.
            let page = random.int_in_range(0..=damaged.len() / 4096 - 1)?;
            let at = page * 4096 + random.int_in_range(0..=120)?;
            damaged[at] = random.arbitrary()?;
        }
        if random.ratio(1, 4)? {
            damaged.truncate(random.int_in_range(0..=damaged.len())?);
        }
        std::fs::write(&path, &damaged).expect("writable");
        if let Ok(mut database) = Database::open(&root, "/damaged.sqlite") {
            let mut seen = 0u32;
            let _ = database.rows("Packages", |_| seen += 1);
            assert!(seen < 100_000, "no more rows than fit into the file");
        }
        Ok(())
    })
    .budget_ms(3_000);
}
