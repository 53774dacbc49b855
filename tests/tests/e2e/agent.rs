//! The agent against a real server: the machine is in the graph, and a second look changes nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::server::Server;
use crate::harness::shell::Shell;
use crate::harness::{agent, binary, clean_environment, tell};

/// The files of a small machine that does not change while it is read.
const FIXTURE: [(&str, &str); 6] = [
    ("etc/os-release", "ID=debian\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n"),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("proc/sys/kernel/hostname", "fixture-1\n"),
    ("proc/sys/kernel/ostype", "Linux\n"),
    ("proc/sys/kernel/osrelease", "6.1.0-13-amd64\n"),
    ("var/lib/dpkg/status", PACKAGES),
];

const PACKAGES: &str = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2+b2\n\n\
    Package: openssl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.0.11-1\n";

#[test]
fn this_machine_reports_itself() {
    let server = Server::start();
    let shell = server.shell();
    let state = TempDir::new().expect("a temporary directory");
    agent::once(&server.url(), state.path(), &[]);

    let systems = items(&shell, "operating_system");
    assert_eq!(systems.len(), 1, "one operating system runs here: {systems:?}");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("this is Linux");
    assert_eq!(attribute(&systems[0], "kernel.release"), release.trim());
    assert!(!items(&shell, "software").is_empty(), "the server itself runs here");
    assert!(!items(&shell, "endpoint").is_empty(), "the server itself listens here");
    if Path::new("/var/lib/dpkg/status").exists() {
        let status = std::fs::read_to_string("/var/lib/dpkg/status").expect("readable");
        let installed =
            status.lines().filter(|line| line.starts_with("Status: ") && line.ends_with(" installed"));
        assert_eq!(items(&shell, "package").len(), installed.count(), "every installed package is an item");
    }

    // The machine lives: programs and connections come and go between two looks. What is installed does not.
    let before = revisions(&shell, &["operating_system", "package"]);
    agent::once(&server.url(), state.path(), &[]);
    assert_eq!(revisions(&shell, &["operating_system", "package"]), before);
    shell.verify_is_clean();
}

#[test]
fn a_second_look_at_a_machine_that_did_not_change_makes_no_revision() {
    let (server, state, root) = (Server::start(), directory(), fixture());
    let look = || agent::once(&server.url(), state.path(), &["--root".as_ref(), root.path().as_os_str()]);
    look();
    let shell = server.shell();
    let revision = shell.revision();
    assert!(revision > 0);
    assert_eq!(items(&shell, "package").len(), 2);
    look();
    assert_eq!(shell.revision(), revision);
    // Nor does one that has forgotten what it sent before, and sends everything again.
    std::fs::remove_file(state.path().join("acknowledged")).expect("the agent keeps what was acknowledged");
    look();
    assert_eq!(shell.revision(), revision);
}

#[test]
fn what_is_no_longer_there_is_withdrawn_and_stays_in_the_history() {
    let (server, state, root) = (Server::start(), directory(), fixture());
    let look = || agent::once(&server.url(), state.path(), &["--root".as_ref(), root.path().as_os_str()]);
    look();
    let shell = server.shell();
    let system = items(&shell, "operating_system")[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(installed(&shell, &system), ["bash", "openssl"]);
    let without_openssl = PACKAGES.split("\n\n").next().expect("the first package");
    std::fs::write(root.path().join("var/lib/dpkg/status"), without_openssl)
        .expect("the fixture is writable");
    look();
    assert_eq!(installed(&shell, &system), ["bash"]);
    let openssl = items(&shell, "package").into_iter().find(|item| attribute(item, "package") == "openssl");
    let openssl = openssl.expect("an item is never deleted");
    assert_eq!(openssl["status"], "missing");
    let history = shell.json(&["history", openssl["id"].as_str().expect("an id")]);
    assert_eq!(history["commits"].as_array().map(Vec::len), Some(2), "{history:#}");
    shell.verify_is_clean();
}

#[test]
fn a_scan_starts_no_program() {
    let probe = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !probe.is_ok_and(|ran| ran.status.success()) {
        tell(
            "SKIPPED: that a scan starts no program, seen from outside: strace is not installed, or may not trace",
        );
        return;
    }
    let directory = directory();
    let calls = directory.path().join("calls");
    let mut command = Command::new("strace");
    clean_environment(&mut command);
    command.args(["-f", "-qq", "-e", "trace=execve,execveat,fork,vfork,clone,clone3", "-o"]).arg(&calls);
    let ran =
        command.arg(binary("cmdb-agent")).args(["--once", "--print"]).output().expect("strace is executable");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let calls = std::fs::read_to_string(calls).expect("strace writes what it saw");
    let programs: Vec<&str> = calls.lines().filter(|line| line.contains(" exec")).collect();
    assert_eq!(programs.len(), 1, "its own start, and nothing more: {programs:#?}");
    let processes: Vec<&str> =
        calls.lines().filter(|line| line.contains("fork(") || is_process(line)).collect();
    assert_eq!(processes, [""; 0], "threads are not processes");
}

/// Whether a call makes a process, and not a thread.
fn is_process(call: &str) -> bool {
    call.contains(" clone") && !call.contains("CLONE_THREAD")
}

/// The packages that an operating system has, by name.
fn installed(shell: &Shell, system: &str) -> Vec<String> {
    let shown = shell.json(&["show", system]);
    let relationships = shown["relationships"].as_array().expect("an item shows its relationships");
    let mut names: Vec<String> = relationships
        .iter()
        .filter(|one| one["type"] == "installed_on" && one["status"] == "active")
        .map(|one| one["from"]["id"].as_str().expect("an id").to_owned())
        .map(|id| attribute(&shell.json(&["show", &id]), "package").to_owned())
        .collect();
    names.sort();
    names
}

fn fixture() -> TempDir {
    let root = directory();
    for (path, text) in FIXTURE {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    root
}

fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

fn items(shell: &Shell, class: &str) -> Vec<Value> {
    shell.json_lines(&["items", "--all", "--class", class])
}

/// The revision of each item's last change, by id.
fn revisions(shell: &Shell, classes: &[&str]) -> BTreeMap<String, Value> {
    let all = classes.iter().flat_map(|class| items(shell, class));
    all.map(|item| (item["id"].as_str().expect("an id").to_owned(), item["revision"].clone())).collect()
}

fn attribute<'a>(item: &'a Value, name: &str) -> &'a str {
    item["attributes"][name]["value"].as_str().unwrap_or_else(|| panic!("no {name}: {item}"))
}
