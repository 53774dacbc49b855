//! Recorded hosts and the reports of them. `UPDATE_EXPECT=1 cargo test -p cmdb-agent` writes the reports anew.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cmdb_agent::collectors::software::Software;
use cmdb_agent::collectors::software::catalogue::Catalogue;
use cmdb_agent::connections::Ladder;
use cmdb_agent::root::Root;
use cmdb_agent::scan::{Scan, Scanner, SharedMemory};
use cmdb_agent::show;
use expect_test::expect_file;

/// The moment of observation of every golden report.
const OBSERVED_AT_US: i64 = 1_700_000_000_000_000;

/// Where the recorded hosts are.
pub fn place(host: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(host)
}

/// A scanner of a tree.
pub fn scanner(root: &Path, memory: SharedMemory) -> Scanner {
    let catalogue = Catalogue::load(&[]).expect("the built-in table is right");
    Scanner::new(Root::new(root), Software::new(catalogue, BTreeSet::new(), memory, Ladder::polling("")))
}

fn scan(host: &str) -> Scan {
    let mut scan = scanner(&place(host), SharedMemory::default()).scan();
    scan.observed_at_us = OBSERVED_AT_US;
    scan
}

#[test]
fn a_debian_host_with_servers_clients_and_a_container() {
    let scan = scan("debian-web");
    expect_file!["../golden/debian-web.txt"].assert_eq(&show::text(&scan));
    expect_file!["../golden/debian-web.json"].assert_eq(&format!("{:#}\n", show::json(&scan)));
}

#[test]
fn an_alpine_container() {
    expect_file!["../golden/alpine-container.txt"].assert_eq(&show::text(&scan("alpine-container")));
}

#[test]
fn a_rocky_server_with_an_rpm_database() {
    expect_file!["../golden/rocky-server.txt"].assert_eq(&show::text(&scan("rocky-server")));
}

#[test]
fn a_host_whose_files_say_what_stands_in_for_what() {
    expect_file!["../golden/balancer.txt"].assert_eq(&show::text(&scan("balancer")));
}

#[test]
fn what_is_not_read_is_said() {
    expect_file!["../golden/suse-ndb.txt"].assert_eq(&show::text(&scan("suse-ndb")));
}

#[test]
fn no_secret_of_a_command_line_or_file_is_reported() {
    // The node of the Debian host is started with --db-password=hunter2, the payment daemon with --key s3cr3t.
    // The replica of the balancer is fed over a connection with a password.
    for (host, secrets) in
        [("debian-web", &["hunter2", "s3cr3t", "db-password"][..]), ("balancer", &["hunter3"])]
    {
        let report = scan(host).seal();
        for secret in secrets {
            let bytes = secret.as_bytes();
            for entry in report.sections.iter().flat_map(|section| &section.entries) {
                let leaks = entry.body.windows(bytes.len()).any(|window| window == bytes);
                assert!(!leaks, "{} holds {secret}", entry.key);
            }
        }
    }
}

#[test]
fn arguments_are_reported_where_they_are_allowed() {
    let catalogue = Catalogue::load(&[]).expect("the built-in table is right");
    let allowed = BTreeSet::from(["node".to_owned()]);
    let software = Software::new(catalogue, allowed, SharedMemory::default(), Ladder::polling(""));
    let text = show::text(&Scanner::new(Root::new(place("debian-web")), software).scan());
    assert!(text.contains("--db-password=hunter2"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn an_unchanged_host_gives_an_equal_report_once_confidence_has_settled() {
    let mut scanner = scanner(&place("debian-web"), SharedMemory::default());
    let digests: Vec<_> = (0..8).map(|_| scanner.scan().seal().digest).collect();
    let different: BTreeSet<_> = digests.iter().collect();
    assert_eq!(different.len(), 5, "one report per step of confidence");
    assert!(digests[4..].iter().all(|digest| *digest == digests[7]));
}
