//! Redundancy that an agent reads on its host: proposed with its evidence, asked, confirmed, and gone with a disk.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::agent;
use crate::harness::repository;
use crate::harness::server::Server;
use crate::harness::shell::Shell;

/// A host with a mirror of two disks, a bond of two links and two name servers.
const HOST: [(&str, &str); 24] = [
    ("etc/os-release", "ID=debian\n"),
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    ("etc/resolv.conf", "nameserver 10.0.0.2\nnameserver 10.0.0.3\n"),
    ("proc/sys/kernel/hostname", "db01\n"),
    ("proc/1/mountinfo", "29 1 9:0 / / rw - ext4 /dev/md0 rw\n"),
    ("proc/mdstat", WHOLE),
    ("proc/1/net/bonding/bond0", BOND),
    ("sys/block/md0/dev", "9:0\n"),
    ("sys/block/md0/size", "2000\n"),
    ("sys/block/md0/slaves/sda1", ""),
    ("sys/block/md0/slaves/sdb1", ""),
    ("sys/block/sda/dev", "8:0\n"),
    ("sys/block/sda/size", "2048\n"),
    ("sys/block/sda/device/serial", "A1\n"),
    ("sys/block/sda/sda1/dev", "8:1\n"),
    ("sys/block/sdb/dev", "8:16\n"),
    ("sys/block/sdb/size", "2048\n"),
    ("sys/block/sdb/device/serial", "B2\n"),
    ("sys/block/sdb/sdb1/dev", "8:17\n"),
    ("sys/class/net/bond0/type", "1\n"),
    ("sys/class/net/eno1/type", "1\n"),
    ("sys/class/net/eno1/operstate", "up\n"),
    ("sys/class/net/eno2/type", "1\n"),
    ("sys/class/net/eno2/operstate", "up\n"),
];
const WHOLE: &str = "md0 : active raid1 sdb1[1] sda1[0]\n      1000 blocks super 1.2 [2/2] [UU]\n";
const BROKEN: &str = "md0 : active raid1 sdb1[1] sda1[0](F)\n      1000 blocks super 1.2 [2/1] [_U]\n";
const BOND: &str = "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Polling Interval (ms): 100\n\
    Slave Interface: eno1\nMII Status: up\nSpeed: 10000 Mbps\n\
    Slave Interface: eno2\nMII Status: up\nSpeed: 10000 Mbps\n";

#[test]
fn what_a_host_tells_of_its_redundancy_is_proposed_asked_and_confirmed() {
    let (server, state, root) = (Server::start(), directory(), directory());
    for (path, text) in HOST {
        put(root.path(), path, text);
    }
    let look = || agent::once(&server.url(), state.path(), &["--root".as_ref(), root.path().as_os_str()]);
    look();
    let shell = server.shell();
    let listed = shell.ok(["groups", "--state", "proposed"]);
    for part in [
        "legs of md0",
        "needs any of 2, 95 % sure",
        "because raid1 array md0 keeps a copy on each of 2 disks",
        "links of bond0",
        "needs capacity 10000 of 2, 90 % sure",
        "name servers of db01",
        "because /etc/resolv.conf lists 2 name servers, asked in turn",
    ] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    assert_eq!(
        affected(&shell, "disk:sda"),
        states(&[("filesystem:/", "at_risk"), ("volume:md0", "at_risk")])
    );
    assert_eq!(affected(&shell, "interface:eno1"), states(&[("interface:bond0", "at_risk")]));
    assert_eq!(affected(&shell, "remote:udp/10.0.0.2:53"), states(&[("os", "at_risk")]));
    let asked = shell.ok(["impact", "disk:sda"]);
    let assumed = "assumed: group legs of md0 is inferred with confidence 0.95 (any)";
    assert!(asked.contains(assumed) && asked.contains("keeps a copy on each of 2 disks"), "{asked}");

    shell.ok(["groups", "confirm", "volume:md0", "legs", "--reason", "we pulled one out"]);
    assert_eq!(affected(&shell, "disk:sda"), states(&[("volume:md0", "degraded")]));
    let confirmed = shell.revision();
    look();
    assert_eq!(shell.revision(), confirmed, "the same evidence says nothing new");

    // A disk fails: nothing stands in for the other one, whoever confirmed it.
    put(root.path(), "proc/mdstat", BROKEN);
    look();
    assert_eq!(affected(&shell, "disk:sda"), BTreeMap::new());
    assert_eq!(affected(&shell, "disk:sdb"), states(&[("filesystem:/", "failed"), ("volume:md0", "failed")]));
    shell.verify_is_clean();
}

#[test]
fn what_a_balancer_is_told_of_its_servers_is_proposed_and_joined_with_what_they_report() {
    let (server, state) = (Server::start(), directory());
    let root = repository("agent/tests/fixtures/balancer");
    agent::once(&server.url(), state.path(), &["--root".as_ref(), root.as_os_str()]);
    let shell = server.shell();
    let listed = shell.ok(["groups", "--item", "software:haproxy"]);
    let evidence = "because haproxy backend pg in /etc/haproxy/haproxy.cfg has 2 servers; 1 asked only when";
    for part in ["proposed backend pg", "needs any of 2, 90 % sure", evidence] {
        assert!(listed.contains(part), "{part}\n{listed}");
    }
    let of_pg1 = |state: &str| states(&[("endpoint:tcp/5000", state), ("software:haproxy", state)]);
    assert_eq!(affected(&shell, "remote:tcp/10.2.0.31:5432"), of_pg1("at_risk"));
    // The database's own host reports: its endpoint is the one that the balancer was told of.
    let database = directory();
    for (path, text) in DATABASE {
        put(database.path(), path, text);
    }
    let (own, at) = (directory(), database.path());
    agent::once(&server.url(), own.path(), &["--root".as_ref(), at.as_os_str()]);
    let endpoint = shell.json(&["show", "remote:tcp/10.2.0.31:5432"]);
    assert_eq!(endpoint["attributes"]["host_name"]["value"], "pg1");
    shell.ok(["groups", "confirm", "software:haproxy", "backend pg", "--reason", "tried"]);
    assert_eq!(affected(&shell, "remote:tcp/10.2.0.31:5432"), states(&[("software:haproxy", "degraded")]));
    shell.verify_is_clean();
}

/// The host of one of the balancer's servers: something listens on 10.2.0.31:5432.
const DATABASE: [(&str, &str); 5] = [
    ("etc/machine-id", "ffeeddccbbaa99887766554433221100\n"),
    ("proc/sys/kernel/hostname", "pg1\n"),
    ("proc/1/net/fib_trie", "Main:\n     |-- 10.2.0.31\n        /32 host LOCAL\n"),
    ("proc/1/net/route", "Iface\tDestination\n"),
    (
        "proc/1/net/tcp",
        "head\n 0: 1F00020A:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 113 0 31 1\n",
    ),
];

fn states(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, state)| ((*key).to_owned(), (*state).to_owned())).collect()
}

/// What becomes of the others when an item fails, by their keys.
fn affected(shell: &Shell, key: &str) -> BTreeMap<String, String> {
    let answer = shell.json(&["impact", key]);
    let affected = answer["affected"].as_array().expect("an impact answer lists the affected");
    let text = |name: &str, item: &serde_json::Value| item[name].as_str().expect("a text").to_owned();
    affected.iter().map(|item| (text("key", item), text("state", item))).collect()
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn directory() -> TempDir {
    TempDir::new().expect("a temporary directory")
}
