//! A host whose files hold anything: the agent reports what it can and never falls over.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cmdb_agent::scan::SharedMemory;
use cmdb_agent::show;

use crate::fixtures::{place, scanner};

/// Copies a tree, links as links.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("writable");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().expect("readable");
        if kind.is_symlink() {
            symlink(fs::read_link(&source).expect("a link"), &target).expect("writable");
        } else if kind.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).expect("writable");
        }
    }
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let entry = entry.expect("readable");
        match entry.file_type().expect("readable") {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[test]
fn files_that_hold_anything() {
    for host in ["debian-web", "alpine-container", "rocky-server", "balancer"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        copy(&place(host), directory.path());
        let mut all = Vec::new();
        files(directory.path(), &mut all);
        all.sort();
        arbtest::arbtest(|random| {
            let mut changed = Vec::new();
            for _ in 0..random.int_in_range(1..=12)? {
                let path = &all[random.choose_index(all.len())?];
                let before = fs::read(path).expect("readable");
                let mut content = before.clone();
                match random.int_in_range(0..=3)? {
                    0 => content.truncate(random.int_in_range(0..=content.len())?),
                    1 => content = random.bytes(random.len().min(64))?.to_vec(),
                    2 if !content.is_empty() => {
                        let at = random.choose_index(content.len())?;
                        content[at] = random.arbitrary()?;
                    }
                    _ => content.extend_from_within(..),
                }
                fs::write(path, content).expect("writable");
                changed.push((path, before));
            }
            let scan = scanner(directory.path(), SharedMemory::default()).scan();
            assert_eq!(scan.sections.len(), 8);
            assert!(!show::text(&scan).is_empty() && show::json(&scan).is_object());
            for (path, before) in changed.into_iter().rev() {
                fs::write(path, before).expect("writable");
            }
            Ok(())
        })
        .budget_ms(4_000);
    }
}

#[test]
fn a_host_with_nothing_at_all() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let scan = scanner(directory.path(), SharedMemory::default()).scan();
    let incomplete: Vec<_> = scan
        .sections
        .iter()
        .filter(|section| section.incomplete_reason().is_some())
        .map(|section| section.scope().as_str())
        .collect();
    assert_eq!(
        incomplete,
        ["filesystems", "network", "software"],
        "what cannot be told from nothing is said"
    );
}

#[test]
fn a_very_long_table_of_sockets_is_read_to_its_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    copy(&place("debian-web"), directory.path());
    let mut table = fs::read_to_string(directory.path().join("proc/1/net/tcp")).expect("readable");
    for number in 0..20_000u32 {
        // Clients of the web server, from other hosts.
        let (host, port) = (number % 250, 32_768 + number % 20_000);
        table.push_str(&format!(
            "{number}: 0500000A:0050 {host:02X}01000A:{port:04X} 01 0:0 0:0 0 33 0 {} 1\n",
            100_000 + number
        ));
    }
    fs::write(directory.path().join("proc/1/net/tcp"), table).expect("writable");
    let mut scanner = scanner(directory.path(), SharedMemory::default());
    let software = scanner.scan().sections.pop().expect("software is the last section");
    let remotes = software.claims().filter(|claim| claim.key.starts_with("remote:")).count();
    // Three that programs use, and a name server.
    assert_eq!(remotes, 4, "the clients of a server are not its dependencies");
}
