//! What the kernel told of connections between two scans, beside what a recorded host shows at the moment of the scan.

use std::collections::BTreeSet;

use cmdb_agent::collector::{Collector, Section};
use cmdb_agent::collectors::software::Software;
use cmdb_agent::collectors::software::catalogue::Catalogue;
use cmdb_agent::connections::programs::{Programs, Step};
use cmdb_agent::connections::{Ended, Flow, Gathered, Ladder};
use cmdb_agent::host::Host;
use cmdb_agent::host::site::Site;
use cmdb_agent::root::Root;
use cmdb_agent::scan::SharedMemory;

use crate::fixtures::place;

/// Of the recorded host: a script that is not connected, a server, and a program that listens.
const IDLE: u32 = 760;
const POSTGRES: u32 = 500;
const NODE: u32 = 700;
/// PERF_RECORD_COMM of a new program, and PERF_RECORD_FORK.
const NAMED: (u32, u16) = (3, 1 << 13);
const STARTED: (u32, u16) = (7, 0);

struct Bench {
    software: Software,
    host: Host,
}

impl Bench {
    fn new() -> Self {
        let catalogue = Catalogue::load(&[]).expect("the built-in table is right");
        let ladder = Ladder::polling("a recorded host");
        let software = Software::new(catalogue, BTreeSet::new(), SharedMemory::default(), ladder);
        Self { software, host: Host::new(Root::new(place("debian-web"))) }
    }

    /// A scan; what it says of uses, without those of programs that the recording shows connected.
    fn scan(&mut self, gathered: Gathered) -> Vec<String> {
        let before: BTreeSet<String> = Self::uses(&Self::plain()).into_iter().collect();
        self.host.refresh();
        let mut section = Section::new(self.software.scope());
        self.software.collect_with(&mut self.host, gathered, &mut section);
        let mut new: Vec<String> = Self::uses(&section);
        new.retain(|one| !before.contains(one));
        new
    }

    fn plain() -> Section {
        let mut bench = Self::new();
        bench.host.refresh();
        let mut section = Section::new(bench.software.scope());
        bench.software.collect(&mut bench.host, &mut section);
        section
    }

    fn uses(section: &Section) -> Vec<String> {
        let mut uses = Vec::new();
        for claim in section.claims() {
            for one in claim.relationships.iter().filter(|one| one.inferred) {
                let to = match one.to.as_ref().and_then(|to| to.to.as_ref()) {
                    Some(cmdb_proto::v1::reference::To::Key(key)) => key.as_str(),
                    _ => "?",
                };
                uses.push(format!("{} {} {to}", claim.key, one.r#type));
            }
        }
        uses
    }
}

fn flow(pid: u32, remote: &str) -> Flow {
    Flow {
        pid,
        local: "10.0.0.5".parse().expect("an address"),
        remote: remote.parse().expect("an address"),
        first_ns: u64::MAX - 1,
        times: 3,
    }
}

fn gathered(flows: &[Flow]) -> Gathered {
    Gathered { flows: flows.to_vec(), ..Gathered::default() }
}

/// The kernel told that `pid` was started by `parent` and became the program `name`.
fn told(programs: &mut Programs, pid: u32, parent: u32, name: Option<&str>) {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
    let mut take = |(kind, flags): (u32, u16), content: &[u8]| {
        programs.take(Step::read(kind, flags, content).expect("a record"), &mut Vec::new());
    };
    take(STARTED, &words(&[pid, parent, pid, parent, 0, 0]));
    if let Some(name) = name {
        let content = [words(&[pid, pid]), name.as_bytes().to_vec(), vec![0; 16]].concat();
        take(NAMED, &content);
    }
}

#[test]
fn a_connection_between_two_scans_is_its_programs_and_what_is_kept_up_is_a_dependency() {
    let mut bench = Bench::new();
    let short = || gathered(&[flow(IDLE, "10.0.0.9:8080")]);
    let uses = |kind: &str| vec![format!("software:python {kind} remote:tcp/10.0.0.9:8080")];
    assert_eq!(bench.scan(short()), uses("connects_to"));
    assert_eq!(bench.scan(gathered(&[])), uses("connects_to"), "said on, so that each request is not news");
    assert_eq!(bench.scan(short()), uses("connects_to"));
    assert_eq!(bench.scan(short()), uses("depends_on"));
    assert_eq!(bench.scan(gathered(&[])), uses("depends_on"));
}

#[test]
fn a_program_that_has_ended_is_known_by_what_the_kernel_told_of_it() {
    let mut bench = Bench::new();
    let mut programs = Programs::default();
    told(&mut programs, 5000, 402, Some("psql"));
    // Started by that server, and the same program: its work, not that of another one.
    told(&mut programs, 5001, POSTGRES, None);
    let flows = [
        flow(5000, "10.0.0.9:5432"),
        flow(5001, "10.0.0.9:5433"),
        // Nothing was told of this one.
        flow(5002, "10.0.0.9:5434"),
    ];
    let expected = [
        "software:postgresql connects_to remote:tcp/10.0.0.9:5433",
        "software:psql connects_to remote:tcp/10.0.0.9:5432",
    ];
    assert_eq!(bench.scan(Gathered { programs, ..gathered(&flows) }), expected);
    assert_eq!(bench.scan(gathered(&[])), expected, "it may run again");
}

#[test]
fn connections_to_this_host_itself_meet_its_own_endpoints() {
    let mut bench = Bench::new();
    let flows = [flow(IDLE, "127.0.0.1:5432"), flow(NODE, "127.0.0.1:3000"), flow(IDLE, "127.0.0.1:9")];
    let expected = ["software:python connects_to endpoint:tcp/5432"];
    assert_eq!(bench.scan(gathered(&flows)), expected, "not to itself, nor to what nobody listens on");
}

#[test]
fn ports_that_a_server_hands_out_are_folded() {
    let mut bench = Bench::new();
    let mut flows: Vec<Flow> =
        (0..20).map(|port| flow(IDLE, &format!("10.0.0.9:{}", 40_000 + port))).collect();
    flows.push(flow(IDLE, "10.0.0.9:21"));
    flows.push(flow(IDLE, "10.0.0.8:45000"));
    flows.sort_by_key(|flow| flow.remote);
    let expected = [
        "software:python connects_to remote:tcp/10.0.0.8:45000",
        "software:python connects_to remote:tcp/10.0.0.9 (ports handed out as needed)",
        "software:python connects_to remote:tcp/10.0.0.9:21",
    ];
    assert_eq!(bench.scan(gathered(&flows)), expected);
}

#[test]
fn a_place_in_a_network_that_the_host_makes_for_its_guests_is_this_hosts_affair() {
    let mut bench = Bench::new();
    let flows = [flow(IDLE, "172.17.0.77:5432")];
    let expected = ["software:python connects_to remote:tcp/172.17.0.77%docker0:5432"];
    assert_eq!(bench.scan(gathered(&flows)), expected);
    assert_eq!(bench.scan(gathered(&[])), expected);
}

#[test]
fn a_connection_that_ended_is_that_of_the_only_program_that_was_seen_to_use_the_server() {
    let mut bench = Bench::new();
    let ended = |remote: &str| {
        let (local, remote) = ("10.0.0.5".parse().expect("one"), remote.parse().expect("one"));
        Gathered { ended: vec![Ended { local, remote, times: 2, bytes: 70 }], ..Gathered::default() }
    };
    assert_eq!(bench.scan(ended("10.0.0.9:8080")), [""; 0], "nobody was seen to use it");
    let uses = |kind: &str| vec![format!("software:python {kind} remote:tcp/10.0.0.9:8080")];
    assert_eq!(bench.scan(gathered(&[flow(IDLE, "10.0.0.9:8080")])), uses("connects_to"));
    bench.scan(ended("10.0.0.9:8080"));
    assert_eq!(bench.scan(ended("10.0.0.9:8080")), uses("depends_on"), "it keeps using it");
    bench.scan(gathered(&[flow(IDLE, "10.0.0.9:9090"), flow(NODE, "10.0.0.9:9090")]));
    (0..3).for_each(|_| drop(bench.scan(ended("10.0.0.9:9090"))));
    let of_two = bench
        .scan(gathered(&[]))
        .iter()
        .filter(|one| one.contains("connects_to") && one.ends_with("9090"))
        .count();
    assert_eq!(of_two, 2, "of two programs, there is no telling which");
}

#[test]
fn private_addresses_are_of_a_site() {
    let mut bench = Bench::new();
    bench.host.site = Site::parse("berlin").expect("a name");
    bench.host.refresh();
    let mut section = Section::new(bench.software.scope());
    let flows = [flow(IDLE, "10.0.0.9:8080"), flow(IDLE, "192.0.2.9:443")];
    bench.software.collect_with(&mut bench.host, gathered(&flows), &mut section);
    let text = format!("{:?}", section.claims().collect::<Vec<_>>());
    for socket in ["tcp/10.0.0.9:8080@berlin", "tcp/192.0.2.9:443", "tcp/10.0.0.5:22@berlin"] {
        assert!(text.contains(&format!("\"{socket}\"")), "{socket} in {text}");
    }
}

#[test]
fn a_process_that_took_over_the_number_of_another_is_not_that_one() {
    let mut bench = Bench::new();
    let mut early = flow(IDLE, "10.0.0.9:8080");
    early.first_ns = 0;
    assert_eq!(bench.scan(gathered(&[early])), [""; 0]);
}
