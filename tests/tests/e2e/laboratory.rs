//! The laboratory: real servers on machines with networks of their own, an agent on each, and the graph that they find.
//!
//! Needs the superuser, `unshare` and `nsenter`, and the servers from Debian's packages; says loudly what is missing. The graph is
//! compared whole: a dependency too many fails as one too few.

mod estate;
mod graph;
mod machine;

use std::collections::BTreeSet;
use std::time::Instant;

use crate::harness::{PATIENCE, tell};
use estate::{Estate, postgres_programs};

const PROGRAMS: [&str; 11] = [
    "nft",
    "unshare",
    "nsenter",
    "setpriv",
    "ip",
    "python3",
    "nginx",
    "haproxy",
    "redis-server",
    "redis-cli",
    "dnsmasq",
];
/// The machines with an agent.
const AGENTS: [&str; 9] = ["cmdb", "lb", "web1", "web2", "app", "db", "cache", "dns", "user"];

/// What there is to find, beside the agents' own sessions.
const SHOP: [&str; 17] = [
    "haproxy on lb depends_on tcp/80 on web1",
    "haproxy on lb depends_on tcp/80 on web2",
    "nginx on web1 depends_on tcp/8000 on app",
    "nginx on web2 depends_on tcp/8000 on app",
    "python app on app depends_on tcp/5432 on db",
    "python app on app depends_on tcp/6379 on cache",
    "python app on app depends_on tcp/10.77.0.60:9000",
    "python browser on user depends_on tcp/80 on lb",
    "tcp/53 on dns provided_by dnsmasq on dns",
    "udp/53 on dns provided_by dnsmasq on dns",
    "tcp/5432 on db provided_by postgresql on db",
    "tcp/6379 on cache provided_by redis on cache",
    "tcp/7400 on cmdb provided_by cmdb-server on cmdb",
    "tcp/80 on lb provided_by haproxy on lb",
    "tcp/80 on web1 provided_by nginx on web1",
    "tcp/80 on web2 provided_by nginx on web2",
    "tcp/8000 on app provided_by python app on app",
];

#[test]
fn what_the_agents_of_an_estate_find_is_what_there_is() {
    if let Some(reason) = missing() {
        tell(&format!("SKIPPED: the laboratory of machines with networks of their own: {reason}"));
        return;
    }
    let mut estate = Estate::start();
    AGENTS.iter().for_each(|name| estate.start_agent(name));
    let mut expected = Expected::new();
    expected.is_found(&estate, "at first");

    // A program that runs for some milliseconds, between two looks.
    estate.machine("user").must(&["redis-cli", "-h", "10.77.0.42", "ping"]);
    expected.add("redis-cli on user connects_to tcp/6379 on cache");
    expected.is_found(&estate, "after a program that ran for a moment");

    // The end that nobody spoke of gets an agent.
    estate.start_agent("legacy");
    expected.take("python app on app depends_on tcp/10.77.0.60:9000");
    expected.add("python app on app depends_on tcp/9000 on legacy");
    expected.add("tcp/9000 on legacy provided_by python http.server on legacy");
    expected.add_agent("legacy");
    expected.is_found(&estate, "when the other end reports as well");

    // The server is away while things happen.
    estate.machine("cmdb").end("server");
    estate.machine("db").must(&["redis-cli", "-h", "10.77.0.42", "ping"]);
    estate.start_cmdb();
    expected.add("redis-cli on db connects_to tcp/6379 on cache");
    expected.is_found(&estate, "after the server was away");

    // The network of a machine is cut, and healed.
    let cache = estate.machine("cache");
    estate.switch.set(cache, "eth0", "down");
    estate.machine("cache").must(&["sh", "-c", "redis-cli -h 10.77.0.42 ping"]);
    estate.switch.set(cache, "eth0", "up");
    expected.add("redis-cli on cache connects_to tcp/6379 on cache");
    expected.is_found(&estate, "after a network was cut");

    // A machine gets another name, and stays itself.
    let system = |estate: &Estate| {
        let found = estate.ask(&["items", "--all", "--class", "operating_system", "--output", "jsonl"]);
        found.lines().count()
    };
    let before = system(&estate);
    estate.machine("web2").must(&["hostname", "front"]);
    expected.rename("web2", "front");
    expected.is_found(&estate, "after a machine was renamed");
    assert_eq!(system(&estate), before, "the same machines");

    // Two branches with the same addresses, each behind a gateway that translates them.
    for (branch, gateway) in [("east", "10.77.0.81/24"), ("west", "10.77.0.82/24")] {
        estate.start_branch(branch, gateway);
        for kind in ["srv", "cl"] {
            let (name, site) = (format!("{kind}-{branch}"), format!("{branch}:192.168.7.0/24"));
            estate.start_agent_with(&name, &["--site", &site]);
            expected.add_agent(&name);
        }
        expected.add(&format!("tcp/8080 on srv-{branch} provided_by python http.server on srv-{branch}"));
        expected.add(&format!("python branch on cl-{branch} depends_on tcp/8080 on srv-{branch}"));
        expected.add(&format!("python branch on cl-{branch} depends_on tcp/80 on lb"));
    }
    expected.is_found(&estate, "with two branches that have the same addresses");
    estate.ask(&["verify"]);
}

/// The graph that must be found.
struct Expected(BTreeSet<String>);

impl Expected {
    fn new() -> Self {
        let mut expected = Self(SHOP.map(str::to_owned).into());
        AGENTS.iter().for_each(|name| expected.add_agent(name));
        expected
    }

    fn add(&mut self, edge: &str) {
        self.0.insert(edge.to_owned());
    }

    fn take(&mut self, edge: &str) {
        assert!(self.0.remove(edge), "{edge}");
    }

    /// Each agent keeps a session with the server, and each machine but one asks the name server.
    fn add_agent(&mut self, name: &str) {
        self.add(&format!("cmdb-agent on {name} depends_on tcp/7400 on cmdb"));
        if name != "dns" {
            self.add(&format!("{name} depends_on udp/53 on dns"));
        }
    }

    fn rename(&mut self, old: &str, new: &str) {
        let word = |word: &str| if word == old { new.to_owned() } else { word.to_owned() };
        self.0 = self.0.iter().map(|edge| edge.split(' ').map(word).collect::<Vec<_>>().join(" ")).collect();
    }

    fn is_found(&self, estate: &Estate, when: &str) {
        let began = Instant::now();
        loop {
            let found: BTreeSet<String> = estate.found().into_iter().map(of_a_moment).collect();
            if found == self.0 {
                return;
            }
            if began.elapsed() > PATIENCE {
                let lacking: Vec<_> = self.0.difference(&found).collect();
                let too_many: Vec<_> = found.difference(&self.0).collect();
                let logs: Vec<String> = AGENTS.iter().map(|name| estate.machine(name).log("agent")).collect();
                panic!(
                    "{when}\nnot found: {lacking:#?}\ntoo many: {too_many:#?}\nagents: {}",
                    logs.join("\n")
                );
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
}

/// What runs for a moment may be looked at in just that moment: then its connection is one that stands, and more is
/// concluded from it.
fn of_a_moment(edge: String) -> String {
    if edge.starts_with("redis-cli ") { edge.replace("depends_on", "connects_to") } else { edge }
}

/// What the laboratory lacks here.
fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("it needs the superuser".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]).collect();
    let lacking: Vec<&str> = PROGRAMS
        .into_iter()
        .filter(|program| !places.iter().any(|place| place.join(program).is_file()))
        .collect();
    if !lacking.is_empty() {
        let packages =
            "iproute2 util-linux python3-minimal nginx-light haproxy redis-server dnsmasq-base nftables";
        return Some(format!(
            "not installed: {}; on Debian `apt-get install {packages}`",
            lacking.join(", ")
        ));
    }
    if postgres_programs().is_none() {
        return Some(
            "`initdb` and `postgres` are not installed; on Debian `apt-get install postgresql`".to_owned(),
        );
    }
    let tried =
        std::process::Command::new("unshare").args(["--net", "--mount", "--pid", "--fork", "true"]).output();
    let is_allowed = tried.is_ok_and(|tried| tried.status.success());
    (!is_allowed).then(|| "this machine does not allow networks of their own".to_owned())
}
