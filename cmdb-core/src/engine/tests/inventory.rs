//! The cases that inventories get wrong, each with the graph that is expected.
//!
//! Reports are shaped as the agent sends them: `os` runs on `machine` or `container`, interfaces stand within `os`,
//! disks within `machine`. After every case all reports are sent again, twice, in turn and as if they were new: the
//! graph must not move.

use arbtest::arbitrary::{Result, Unstructured};

use super::harness::*;
use crate::claim::{Claim, Reference};
use crate::engine::{DuplicateKind, Section};
use crate::model::{ItemId, SourceKind, Status, Value};

const ID_1: &str = "0123456789abcdef0123456789abcde1";
const ID_2: &str = "0123456789abcdef0123456789abcde2";
const UUID_1: &str = "4c4c4544-0042-3510-8056-b2c04f4e3331";
const UUID_1_SWAPPED: &str = "44454C4C-4200-1035-8056-B2C04F4E3331";
const UUID_2: &str = "00112233-4455-6677-8899-aabbccddee02";
const MAC_1: &str = "3c:ec:ef:00:00:01";
const MAC_2: &str = "3c:ec:ef:00:00:02";
const DOCKER_MAC: &str = "02:42:ac:11:00:02";

/// What an agent sees of its host; what is empty it cannot see.
#[derive(Clone, Copy)]
pub(super) struct Host {
    pub(super) agent: &'static str,
    name: &'static str,
    machine_id: &'static str,
    class: &'static str,
    uuid: &'static str,
    serial: &'static str,
    mac: &'static str,
    disk: &'static str,
    /// It runs in a container of this id instead of on a machine.
    container: &'static str,
}

const WEB: Host = Host {
    agent: "agent-1",
    name: "web01",
    machine_id: ID_1,
    class: "server",
    uuid: UUID_1,
    serial: "SN1",
    mac: MAC_1,
    disk: "",
    container: "",
};
const MAIL: Host =
    Host { agent: "agent-2", name: "mail", machine_id: ID_2, uuid: UUID_2, serial: "SN2", mac: MAC_2, ..WEB };

fn known<'a>(all: &[(&'a str, &str)]) -> Vec<(&'a str, Value)> {
    all.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (*name, text(value))).collect()
}

fn called(mut claim: Claim, name: &str) -> Claim {
    if let Some(said) = &mut claim.item {
        name.clone_into(&mut said.name);
    }
    claim
}

impl Host {
    pub(super) fn sections(&self) -> Vec<Section> {
        self.claims().iter().map(|(scope, claims)| section(scope, claims)).collect()
    }

    fn claims(&self) -> Vec<(String, Vec<Claim>)> {
        let runs_on = if self.container.is_empty() { "machine" } else { "container" };
        let os = item(
            "os",
            "operating_system",
            &known(&[("host_name", self.name), ("machine_id", self.machine_id)]),
        );
        let os = called(related(os, "runs_on", key(runs_on), false), self.name);
        let below = if self.container.is_empty() {
            let firmware = [("host_name", self.name), ("uuid", self.uuid), ("serial_number", self.serial)];
            called(item("machine", self.class, &known(&firmware)), &format!("{} (machine)", self.name))
        } else {
            called(
                item("container", "container", &known(&[("container_id", self.container)])),
                self.container,
            )
        };
        let mut sections = vec![("os".to_owned(), vec![os]), ("machine".to_owned(), vec![below])];
        if !self.disk.is_empty() {
            let disk =
                item("disk:sda", "disk", &known(&[("device", "/dev/sda"), ("serial_number", self.disk)]));
            let disk = part_of(within(disk, "machine"), "machine");
            sections.push(("disks".to_owned(), vec![disk]));
        }
        let nic = item(
            "interface:eth0",
            "network_interface",
            &known(&[("interface", "eth0"), ("mac_address", self.mac)]),
        );
        sections.push(("network".to_owned(), vec![part_of(within(nic, "os"), "os")]));
        sections
    }

    fn report(&self, bench: &Bench) {
        let outcome = bench.report(self.agent, self.sections());
        assert_eq!(outcome.refused, []);
        if !outcome.rescan.is_empty() {
            let again = bench.report(self.agent, self.sections());
            assert_eq!((again.refused, again.rescan), (vec![], vec![]));
        }
    }

    /// The same, as if every entry had changed.
    fn restate(&self, bench: &Bench, round: u8) {
        let outcome = self.changed(bench, round);
        assert_eq!((outcome.refused, outcome.rescan), (vec![], vec![]));
    }

    fn changed(&self, bench: &Bench, round: u8) -> crate::engine::ReportOutcome {
        let mut sections = self.sections();
        for section in &mut sections {
            section.digest.push(round);
            section.entries.iter_mut().for_each(|entry| entry.digest.push(round));
        }
        bench.report(self.agent, sections)
    }
}

/// `contains` is written from the whole.
fn part_of(mut claim: Claim, whole: &str) -> Claim {
    claim.relationships.push(relationship(key(whole), "contains", Reference::This, false));
    claim
}

/// What is there, in lines: items with who speaks of them, relationships, sets that may be one.
fn graph(bench: &Bench) -> Vec<String> {
    let reader = bench.cmdb.reader().expect("readable");
    let list = crate::engine::List { page_size: 1_000, ..Default::default() };
    let mut lines = Vec::new();
    for item in reader.list(&list).expect("readable").items {
        let said_by: Vec<String> = item
            .standing()
            .map(|claim| format!("{}:{}", reader.source(claim.source).expect("known").name, claim.key))
            .collect();
        let status = if item.status == Status::Active { String::new() } else { format!(" {}", item.status) };
        lines.push(format!("{} {} {}{status} <- {}", item.id, item.class, item.name, said_by.join(" ")));
        let (related, _) = reader.relationships(item.id, 1_000).expect("readable");
        for edge in related.iter().filter(|edge| edge.from == item.id && edge.stands()) {
            lines.push(format!("{} {} {}", edge.from, edge.kind, edge.to));
        }
    }
    for set in reader.duplicate_sets(100).expect("readable").0 {
        let kind = match set.kind {
            DuplicateKind::Duplicate => "duplicate",
            DuplicateKind::Clone => "clone",
        };
        let ids: Vec<String> = set.items.iter().map(ItemId::to_string).collect();
        let agree: Vec<String> =
            set.evidence.iter().filter(|row| row.agrees).map(|row| row.attributes.join("+")).collect();
        let differ: Vec<String> =
            set.evidence.iter().filter(|row| !row.agrees).map(|row| row.attributes.join("+")).collect();
        lines.push(format!("{kind} {}: same {}; not {}", ids.join(" "), agree.join(" "), differ.join(" ")));
    }
    lines.sort();
    lines
}

/// What happens in a case.
#[derive(Clone)]
enum Step {
    Report(Host),
    /// A source that is no agent states items.
    State(&'static str, SourceKind, Vec<Claim>),
    /// Days pass.
    Pass(i64),
}

fn check(case: &str, steps: &[Step], expected: &[&str]) {
    let bench = bench();
    for step in steps {
        match step {
            Step::Report(host) => host.report(&bench),
            Step::State(source, kind, claims) => {
                let applied = bench.apply(named(source, *kind), claims.clone(), false).expect("taken");
                assert!(outcomes(&applied).iter().all(|outcome| !outcome.starts_with("refused")), "{case}");
            }
            Step::Pass(days) => bench.pass(days * DAY_US),
        }
    }
    let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
    expected.sort();
    assert_eq!(graph(&bench), expected, "{case}");
    bench.check();
    let head = bench.head();
    for round in 1..=2 {
        // The last word of each agent.
        let mut hosts: Vec<Host> = Vec::new();
        for step in steps {
            if let Step::Report(host) = step {
                hosts.retain(|other| other.agent != host.agent);
                hosts.push(*host);
            }
        }
        hosts.iter().for_each(|host| host.restate(&bench, round));
    }
    assert_eq!(graph(&bench), expected, "{case}, sent again");
    assert_eq!(bench.head(), head, "{case}: nothing changes when the same is said again");
    bench.check();
    bench.reopen().check();
}

/// The lines of one host on its own, with its ids.
fn host(ids: [u64; 3], host: Host, said_by: &[&str]) -> Vec<String> {
    let [machine, os, nic] = ids;
    let by = |key: &str| {
        // A list of virtual machines knows nothing of what is in them.
        let all = said_by.iter().filter_map(|source| match (*source, key) {
            ("vcenter", "machine") => Some("vcenter:vm/web01".to_owned()),
            ("vcenter", _) => None,
            (agent, key) => Some(format!("{agent}:{key}")),
        });
        all.collect::<Vec<_>>().join(" ")
    };
    vec![
        format!("@{machine} {} {} (machine) <- {}", host.class, host.name, by("machine")),
        format!("@{os} operating_system {} <- {}", host.name, by("os")),
        format!("@{nic} network_interface interface:eth0 <- {}", by("interface:eth0")),
        format!("@{os} runs_on @{machine}"),
        format!("@{os} contains @{nic}"),
    ]
}

fn with(hosts: &[Vec<String>], more: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = hosts.iter().flatten().cloned().collect();
    all.extend(more.iter().map(|line| (*line).to_owned()));
    all
}

fn check_hosts(case: &str, steps: &[Step], expected: &[String]) {
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check(case, steps, &expected);
}

/// A host that shares some of what identifies it with others.
pub(super) fn any_host(u: &mut Unstructured<'_>) -> Result<Host> {
    let one = |u: &mut Unstructured<'_>, of: &[&'static str]| u.choose(of).copied();
    Ok(Host {
        agent: one(u, &["host-1", "host-2", "host-3"])?,
        name: one(u, &["web01", "web02"])?,
        machine_id: one(u, &["", ID_1, ID_2])?,
        class: one(u, &["server", "virtual_machine"])?,
        uuid: one(u, &["", UUID_1, UUID_1_SWAPPED, UUID_2])?,
        serial: one(u, &["Default string", "SN1", "SN2"])?,
        mac: one(u, &[DOCKER_MAC, MAC_1, MAC_2])?,
        disk: one(u, &["", "D1", "D2"])?,
        container: one(u, &["", "", "3f2a9c"])?,
    })
}

#[test]
fn hosts_and_what_happens_to_them() {
    let junk = |host: Host| Host { uuid: "", serial: "Default string", mac: DOCKER_MAC, ..host };
    let two = [host([1, 2, 3], WEB, &["agent-1"]), host([4, 5, 6], MAIL, &["agent-2"])];
    check_hosts("two hosts", &[Step::Report(WEB), Step::Report(MAIL)], &with(&two, &[]));
    check_hosts(
        "same serial \"Default string\" on two machines",
        &[Step::Report(junk(WEB)), Step::Report(junk(MAIL))],
        &with(&two, &[]),
    );
    let renamed = Host { name: "web-old", ..WEB };
    let one = [host([1, 2, 3], WEB, &["agent-1"])];
    check_hosts("host renamed", &[Step::Report(renamed), Step::Report(WEB)], &with(&one, &[]));
    let old_nic = Host { mac: MAC_2, ..WEB };
    check_hosts("network card replaced", &[Step::Report(old_nic), Step::Report(WEB)], &with(&one, &[]));
    let old_board = Host { serial: "SN9", uuid: "", ..WEB };
    check_hosts(
        "serial number replaced: the same source, key and system",
        &[Step::Report(old_board), Step::Report(Host { uuid: "", ..WEB })],
        &with(&one, &[]),
    );
    let nameless = Host { uuid: "", serial: "", ..WEB };
    check_hosts("report without serial", &[Step::Report(nameless), Step::Report(nameless)], &with(&one, &[]));
    let both = [host([1, 2, 3], WEB, &["agent-1", "agent-2"])];
    let second = Host { agent: "agent-2", ..WEB };
    check_hosts("two agents on one host", &[Step::Report(WEB), Step::Report(second)], &with(&both, &[]));
    let blind = Host { agent: "agent-2", ..nameless };
    check_hosts(
        "two agents on one host, one of which may not read the firmware",
        &[Step::Report(WEB), Step::Report(blind)],
        &with(&both, &[]),
    );
    let swapped = Host { agent: "agent-2", uuid: UUID_1_SWAPPED, serial: "", machine_id: "", ..WEB };
    check_hosts(
        "UUID with its bytes swapped",
        &[Step::Report(WEB), Step::Report(swapped)],
        &with(&both, &[]),
    );
    let as_computer = [host([1, 2, 3], Host { class: "virtual_machine", ..WEB }, &["agent-1", "agent-2"])];
    check_hosts(
        "one machine under two classes",
        &[Step::Report(WEB), Step::Report(Host { agent: "agent-2", class: "virtual_machine", ..WEB })],
        &with(&as_computer, &[]),
    );
}

#[test]
fn copies_are_told_apart_and_never_overwrite_each_other() {
    // The copy was started elsewhere: other firmware, the same system.
    let copy = Host { machine_id: ID_1, name: "web02", ..MAIL };
    let two = [host([1, 2, 3], WEB, &["agent-1"]), host([4, 5, 6], copy, &["agent-2"])];
    check_hosts(
        "disk image cloned",
        &[Step::Report(WEB), Step::Report(copy)],
        &with(&two, &["clone @2 @5: same machine_id; not host_name"]),
    );
    let copy = Host { name: "web01", mac: DOCKER_MAC, ..copy };
    let two = [host([1, 2, 3], WEB, &["agent-1"]), host([4, 5, 6], copy, &["agent-2"])];
    check_hosts(
        "disk image cloned, under the same name and with an address that says nothing",
        &[Step::Report(WEB), Step::Report(copy), Step::Report(WEB), Step::Report(copy)],
        &with(&two, &["clone @2 @5: same machine_id host_name; not "]),
    );
    let copy = Host { agent: "agent-2", mac: MAC_2, ..WEB };
    let two = [host([1, 2, 3], WEB, &["agent-1"]), host([4, 5, 6], copy, &["agent-2"])];
    check_hosts(
        "virtual machine cloned with everything but its network card",
        &[Step::Report(WEB), Step::Report(copy)],
        &with(
            &two,
            &["clone @1 @4: same uuid serial_number; not ", "clone @2 @5: same machine_id host_name; not "],
        ),
    );
    let copy = Host { uuid: UUID_1, name: "mail", mac: "", ..MAIL };
    let two = [host([1, 2, 3], Host { mac: "", ..WEB }, &["agent-1"]), host([4, 5, 6], copy, &["agent-2"])];
    check_hosts(
        "two machines with one UUID",
        &[Step::Report(Host { mac: "", ..WEB }), Step::Report(copy)],
        &with(&two, &["clone @1 @4: same uuid; not serial_number"]),
    );
    let mended = Host { machine_id: ID_1, name: "mail", ..MAIL };
    let two = [host([1, 2, 3], WEB, &["agent-1"]), host([4, 5, 6], MAIL, &["agent-2"])];
    check_hosts(
        "a copy that was given an id of its own",
        &[Step::Report(WEB), Step::Report(mended), Step::Report(MAIL)],
        &with(&two, &[]),
    );
}

#[test]
fn a_machine_that_comes_back_after_its_copy_took_its_place() {
    let copy = Host { machine_id: ID_1, name: "web01", ..MAIL };
    let bench = bench();
    WEB.report(&bench);
    // Nobody hears the first one any more: the disk was put into another machine, for all that is known.
    bench.pass(3 * DAY_US);
    copy.report(&bench);
    let joined = ["@2 operating_system web01 <- agent-1:os agent-2:os", "@2 runs_on @1", "@2 runs_on @4"];
    let lines = graph(&bench);
    assert!(joined.iter().all(|line| lines.contains(&(*line).to_owned())), "{lines:#?}");
    // It speaks again, so two are alive: all that it says is asked for anew.
    let outcome = WEB.changed(&bench, 1);
    assert_eq!(outcome.rescan, ["machine", "network", "os"]);
    WEB.report(&bench);
    let lines = graph(&bench);
    let system = bench.find("agent-1:os").id;
    assert_ne!(system, bench.find("agent-2:os").id, "{lines:#?}");
    assert_eq!(bench.find("agent-1:interface:eth0").claims.len(), 1);
    assert_eq!(bench.find("agent-1:interface:eth0").claims[0].within, Some(system));
    assert!(lines.contains(&format!("{system} runs_on @1")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("clone ")), "{lines:#?}");
    let head = bench.head();
    for round in 2..5 {
        WEB.restate(&bench, round);
        copy.restate(&bench, round);
    }
    assert_eq!((graph(&bench), bench.head()), (lines, head));
    bench.check();
}

#[test]
fn what_nobody_claims_any_more_is_found_again_by_another_source() {
    let bench = bench();
    let serial = || [("serial_number", text("SN-1"))];
    bench.report("agent-1", vec![section("machine", &[item("host", "server", &serial())])]);
    let id = bench.find("host").id;
    bench.report("agent-1", vec![section("machine", &[])]);
    assert_eq!(bench.find("host").status, Status::Missing);
    bench.report("agent-2", vec![section("machine", &[item("other", "server", &serial())])]);
    let found = bench.find("other");
    assert_eq!((found.id, found.status), (id, Status::Active));
    // But not by what it was before somebody who stands said otherwise.
    bench.report("agent-2", vec![section("machine", &[item("other", "server", &[("model", text("m"))])])]);
    bench.report("agent-3", vec![section("machine", &[item("third", "server", &serial())])]);
    assert_ne!(bench.find("third").id, id);
    bench.check();
}

#[test]
fn what_a_person_joined_stays_joined() {
    let copy = Host { machine_id: ID_1, name: "web02", ..MAIL };
    let bench = bench();
    WEB.report(&bench);
    copy.report(&bench);
    bench.merge(ItemId(2), ItemId(5)).expect("taken");
    let lines = graph(&bench);
    copy.restate(&bench, 1);
    WEB.restate(&bench, 1);
    assert_eq!(graph(&bench), lines);
    bench.split(ItemId(5), Vec::new()).expect("taken");
    copy.restate(&bench, 2);
    WEB.restate(&bench, 2);
    assert_eq!(bench.find("agent-2:os").id, ItemId(5));
    bench.check();
}

#[test]
fn containers_virtual_machines_and_lists() {
    let inside = Host { agent: "agent-2", name: "3f2a", container: "3f2a9c", mac: DOCKER_MAC, ..WEB };
    let container = [
        "@4 container 3f2a9c <- agent-2:container",
        "@5 operating_system 3f2a <- agent-2:os",
        "@6 network_interface interface:eth0 <- agent-2:interface:eth0",
        "@5 runs_on @4",
        "@5 contains @6",
        "clone @2 @5: same machine_id; not host_name",
    ];
    check_hosts(
        "container with its host's machine id",
        &[Step::Report(WEB), Step::Report(inside)],
        &with(&[host([1, 2, 3], WEB, &["agent-1"])], &container),
    );
    let vm = |uuid: &str| vec![item("vm/web01", "virtual_machine", &known(&[("uuid", uuid)]))];
    check(
        "virtual machine made anew under the same name",
        &[
            Step::State("vcenter", SourceKind::Connector, vm(UUID_1)),
            Step::State("vcenter", SourceKind::Connector, vm(UUID_2)),
        ],
        &["@1 virtual_machine vm/web01 missing <- ", "@2 virtual_machine vm/web01 <- vcenter:vm/web01"],
    );
    let anew = Host { name: "web01", class: "virtual_machine", ..MAIL };
    let old = Host { class: "virtual_machine", ..WEB };
    check_hosts(
        "virtual machine made anew under the same name, and its agents speak first",
        &[
            Step::State("vcenter", SourceKind::Connector, vm(UUID_1)),
            Step::Report(old),
            Step::Report(anew),
            Step::State("vcenter", SourceKind::Connector, vm(UUID_2)),
        ],
        &with(&[host([1, 2, 3], old, &["agent-1"]), host([4, 5, 6], anew, &["agent-2", "vcenter"])], &[]),
    );
    let by_serial = vec![item("a-17", "server", &known(&[("serial_number", "SN1")]))];
    let by_uuid = vec![item("srv-3", "computer", &known(&[("uuid", UUID_1_SWAPPED)]))];
    check(
        "two lists that know different identifiers",
        &[
            Step::State("assets", SourceKind::Import, by_serial.clone()),
            Step::State("cloud", SourceKind::Connector, by_uuid.clone()),
            Step::State(
                "scan",
                SourceKind::Import,
                vec![item("x", "server", &known(&[("uuid", UUID_1), ("serial_number", "SN1")]))],
            ),
        ],
        &[
            "@1 server a-17 <- assets:a-17",
            "@2 computer srv-3 <- cloud:srv-3",
            "@3 server x <- scan:x",
            "duplicate @1 @2 @3: same serial_number uuid; not ",
        ],
    );
    check(
        "a list that knows both, before one that knows one",
        &[
            Step::State("assets", SourceKind::Import, by_serial),
            Step::State(
                "scan",
                SourceKind::Import,
                vec![item("x", "server", &known(&[("uuid", UUID_1), ("serial_number", "SN1")]))],
            ),
            Step::State("cloud", SourceKind::Connector, by_uuid),
        ],
        &["@1 server srv-3 <- assets:a-17 scan:x cloud:srv-3"],
    );
    let two_names = vec![
        item("vm-1", "virtual_machine", &known(&[("uuid", UUID_1), ("serial_number", "SN1")])),
        item("vm-2", "virtual_machine", &known(&[("uuid", UUID_1), ("serial_number", "SN2")])),
    ];
    check(
        "one source tells two machines with one UUID apart",
        &[
            Step::State("vcenter", SourceKind::Connector, two_names.clone()),
            Step::State("vcenter", SourceKind::Connector, two_names),
            Step::Pass(1),
        ],
        &[
            "@1 virtual_machine vm-1 <- vcenter:vm-1",
            "@2 virtual_machine vm-2 <- vcenter:vm-2",
            "clone @1 @2: same uuid; not serial_number",
        ],
    );
}

#[test]
fn a_dry_run_says_what_a_report_would_do_and_writes_nothing() {
    use crate::engine::Outcome;
    let bench = bench();
    WEB.report(&bench);
    let (before, head) = (graph(&bench), bench.head());
    let asked = |source: &str, host: Host| -> Vec<String> {
        let answer = bench.identify(source, host.claims());
        assert_eq!(answer.revision, head);
        let line = |decision: &crate::engine::Decision| {
            let found = decision.identification.clone().unwrap_or_default();
            let item = decision.item.map_or("-".to_owned(), |id| id.to_string());
            let outcome = format!("{:?}", decision.outcome).to_lowercase();
            let by = found.rule.join("+");
            format!("{} {outcome} {item} {:?} {by} {:?}", decision.key, found.method, found.candidates)
        };
        answer.decisions.iter().map(line).collect()
    };
    assert_eq!(
        asked("agent-1", WEB),
        ["os unchanged @2 Key  []", "machine unchanged @1 Key  []", "interface:eth0 unchanged @3 Key  []"]
    );
    assert_eq!(
        asked("", Host { disk: "D1", ..WEB }),
        [
            "os updated @2 Rule machine_id [ItemId(2)]",
            "machine updated @1 Rule uuid [ItemId(1)]",
            "disk:sda created - New  []",
            "interface:eth0 updated @3 Rule interface [ItemId(3)]"
        ]
    );
    assert_eq!(
        asked("agent-9", Host { machine_id: ID_1, ..MAIL }),
        [
            "os created - Clone machine_id [ItemId(2)]",
            "machine created - New  []",
            "interface:eth0 created - New  []"
        ]
    );
    let lost = within(item("db", "database_instance", &[("product", text("postgresql"))]), "nowhere");
    let answer =
        bench.identify("", vec![("software".to_owned(), vec![lost, item("x", "no_such_class", &[])])]);
    assert_eq!(answer.decisions[0].outcome, Outcome::Waits);
    assert!(matches!(answer.decisions[1].outcome, Outcome::Refused(_)));
    assert_eq!((graph(&bench), bench.head()), (before, head));
    assert!(
        bench
            .cmdb
            .reader()
            .expect("readable")
            .sources()
            .expect("readable")
            .iter()
            .all(|known| known.source.name == "agent-1")
    );
    bench.check();
}
