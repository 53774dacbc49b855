//! Pools of servers that a balancer's configuration names: the balancer needs one server of each.
//!
//! ```text
//!  nginx ────┐
//!            ├→ pools ─resolve→ endpoints here or elsewhere ─→ groups of the balancer
//!  haproxy ──┘
//! ```
//!
//! Names are looked up in the program's `/etc/hosts` only: nobody is asked. Invariant: a relationship stands in one
//! group at most; where pools share servers, no answer is rosier than the configuration, as far as one group each can
//! say it.

pub mod files;
mod haproxy;
mod nginx;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::connections::Remote;
use super::sockets::Protocol;
use crate::claim::group::{Group, MEMBERS_MAX, Members, Require, add_member};
use files::Files;

/// The most pools of one program.
const POOLS_MAX: usize = 1_000;
/// The most servers of one pool.
const SERVERS_MAX: usize = MEMBERS_MAX;

/// Servers of which a balancer needs one.
#[derive(Clone, PartialEq, Debug)]
pub struct Pool {
    /// Its name as a group.
    pub name: String,
    /// What it is and where it stands.
    pub described: String,
    /// What else speaks for or against it.
    pub remark: &'static str,
    /// Those in service.
    pub servers: Vec<Server>,
    /// Those not in service.
    pub down: usize,
    /// Those that are not on the network, or not understood.
    pub unclear: usize,
    /// That they stand in for one another.
    pub confidence: f64,
}

/// One server of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// Where it is.
    pub place: Place,
    /// Its share of the requests.
    pub weight: u64,
    /// It is asked when no other one answers.
    pub is_backup: bool,
}

/// Where a server is, as the configuration writes it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// By address.
    At(SocketAddr),
    /// By name.
    Named(String, u16),
}

impl Place {
    /// `10.0.0.5:80`, `[fd00::5]:80`, `app1:80`; without a port where there is a usual one.
    pub fn parse(text: &str, usual_port: Option<u16>) -> Option<Self> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return (address.port() != 0).then_some(Place::At(address));
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(ip) = bare.parse::<IpAddr>() {
            return Some(Place::At(SocketAddr::new(ip, usual_port?)));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, usual_port?),
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let is_name = !name.is_empty() && name.len() <= 253 && name.bytes().all(fits);
        is_name.then(|| Place::Named(name.trim_end_matches('.').to_ascii_lowercase(), port))
    }

    /// As an address, where the program's own table of names has one.
    pub fn settle(&self, hosts: &BTreeMap<String, IpAddr>) -> Self {
        match self {
            Place::Named(name, port) => match hosts.get(name) {
                Some(ip) => Place::At(SocketAddr::new(*ip, *port)),
                None => self.clone(),
            },
            Place::At(_) => self.clone(),
        }
    }
}

/// What stands at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stands {
    /// An endpoint of this host, by its key.
    Here(String),
    /// An endpoint elsewhere.
    Elsewhere(Remote),
    /// The balancer itself.
    Itself,
    /// On this host, and nothing listens there.
    Nothing,
}

impl Stands {
    /// A server that is known by its name only.
    pub fn named(name: &str, port: u16) -> Self {
        Stands::Elsewhere(Remote::Named(Protocol::Tcp, name.to_owned(), port))
    }
}

/// The pools of a product whose configuration is understood, with their names settled.
pub fn read(product: &str, files: &mut Files<'_>, configuration: &str) -> Vec<Pool> {
    let mut pools = match product {
        "nginx" => nginx::pools(files, configuration),
        "haproxy" => haproxy::pools(files, configuration),
        _ => return Vec::new(),
    };
    let servers = pools.iter_mut().flat_map(|pool| &mut pool.servers);
    let by_name: Vec<&mut Server> =
        servers.filter(|server| matches!(server.place, Place::Named(..))).collect();
    if !by_name.is_empty() {
        let hosts = files.hosts();
        for server in by_name {
            server.place = server.place.settle(&hosts);
        }
    }
    pools
}

/// What a balancer is related to by its pools.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Placed {
    /// It needs one of each.
    pub groups: Vec<(Group, Members)>,
    /// It needs each.
    pub alone: BTreeSet<String>,
    /// It uses each, and can do without.
    pub spare: BTreeSet<String>,
    /// Servers elsewhere.
    pub remotes: BTreeSet<Remote>,
}

impl Placed {
    /// Whether it says how the balancer is related to this endpoint.
    pub fn speaks_of(&self, key: &str) -> bool {
        self.alone.contains(key)
            || self.spare.contains(key)
            || self.groups.iter().any(|(_, members)| members.contains_key(key))
    }
}

/// A pool whose servers are found.
struct Found {
    pool: Pool,
    members: Members,
    backups: usize,
}

/// Puts each server into one group at most. Small pools go first: what cannot do without its two servers needs them
/// more than a pool of ten does.
pub fn place(pools: Vec<Pool>, stands_at: &dyn Fn(&Place) -> Stands) -> Placed {
    let mut placed = Placed::default();
    let mut found: Vec<Found> =
        pools.into_iter().map(|pool| find(pool, stands_at, &mut placed.remotes)).collect();
    found.sort_by(|one, other| {
        (one.members.len(), &one.pool.name).cmp(&(other.members.len(), &other.pool.name))
    });
    let mut needed: Vec<BTreeSet<String>> = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for one in found {
        let keys: BTreeSet<String> = one.members.keys().cloned().collect();
        // A server that is not understood may stand in for the others; and a pool that holds all of a smaller one
        // fails only after it.
        if one.pool.unclear > 0 || needed.iter().any(|smaller| smaller.is_subset(&keys)) {
            placed.spare.extend(keys);
            continue;
        }
        let own: Members = one
            .members
            .iter()
            .filter(|(key, _)| !taken.contains(*key))
            .map(|(key, w)| (key.clone(), *w))
            .collect();
        match (keys.len(), own.is_empty()) {
            (0, _) | (_, true) => {}
            (1, false) => placed.alone.extend(keys.iter().cloned()),
            _ => {
                let group = one.group(keys.len() - own.len());
                placed.groups.push((group, own));
            }
        }
        taken.extend(keys.iter().cloned());
        if !keys.is_empty() {
            needed.push(keys);
        }
    }
    placed.spare.retain(|key| !taken.contains(key));
    placed.groups.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    placed
}

fn find(mut pool: Pool, stands_at: &dyn Fn(&Place) -> Stands, remotes: &mut BTreeSet<Remote>) -> Found {
    let mut members = Members::new();
    let mut backups = 0;
    for server in std::mem::take(&mut pool.servers) {
        let key = match stands_at(&server.place) {
            Stands::Here(key) => key,
            Stands::Elsewhere(remote) => {
                let key = remote.key();
                remotes.insert(remote);
                key
            }
            Stands::Itself => {
                pool.unclear += 1;
                continue;
            }
            Stands::Nothing => {
                pool.down += 1;
                continue;
            }
        };
        backups += usize::from(server.is_backup);
        add_member(&mut members, &key, server.weight);
    }
    Found { pool, members, backups }
}

impl Found {
    fn group(&self, elsewhere: usize) -> Group {
        let mut evidence = format!("{} has {} servers", self.pool.described, self.members.len());
        for (number, what) in [
            (self.backups, "asked only when the others fail"),
            (elsewhere, "counted in another group"),
            (self.pool.down, "beside them not in service"),
        ] {
            if number > 0 {
                evidence.push_str(&format!("; {number} {what}"));
            }
        }
        evidence.push_str(self.pool.remark);
        Group {
            name: self.pool.name.clone(),
            require: Require::Any,
            confidence: self.pool.confidence,
            evidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Pool {
        /// In one line.
        pub fn shown(&self) -> String {
            let server = |server: &Server| {
                let weight = if server.weight == 1 { String::new() } else { format!("*{}", server.weight) };
                let backup = if server.is_backup { " backup" } else { "" };
                match &server.place {
                    Place::At(address) => format!("{address}{weight}{backup}"),
                    Place::Named(name, port) => format!("{name}:{port}{weight}{backup}"),
                }
            };
            let servers = self.servers.iter().map(server).collect::<Vec<_>>().join(" ");
            format!(
                "{} {} [{servers}] down {} unclear {}: {}{}",
                self.name, self.confidence, self.down, self.unclear, self.described, self.remark
            )
        }
    }

    fn pool(name: &str, servers: &[&str]) -> Pool {
        let server = |text: &&str| Server {
            place: Place::parse(text, Some(80)).unwrap(),
            weight: 1,
            is_backup: false,
        };
        Pool {
            name: name.to_owned(),
            described: name.to_owned(),
            remark: "",
            servers: servers.iter().map(server).collect(),
            down: 0,
            unclear: 0,
            confidence: 0.8,
        }
    }

    /// Servers whose names say where they stand.
    fn stands_at(place: &Place) -> Stands {
        match place {
            Place::Named(name, _) if name == "itself" => Stands::Itself,
            Place::Named(name, _) if name == "gone" => Stands::Nothing,
            Place::Named(name, _) => Stands::Here(name.clone()),
            Place::At(address) => Stands::Elsewhere(Remote::At(Protocol::Tcp, *address)),
        }
    }

    fn shown(pools: Vec<Pool>) -> Vec<String> {
        let placed = place(pools, &stands_at);
        let keys = |keys: &BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>().join(" ");
        let mut shown: Vec<String> = placed
            .groups
            .iter()
            .map(|(group, members)| {
                let members = members.keys().cloned().collect::<Vec<_>>().join(" ");
                format!("{} of [{members}]: {}", group.require, group.evidence)
            })
            .collect();
        for (word, set) in [("alone", &placed.alone), ("spare", &placed.spare)] {
            if !set.is_empty() {
                shown.push(format!("{word} {}", keys(set)));
            }
        }
        shown
    }

    #[test]
    fn each_server_stands_in_one_group() {
        let mut unclear = pool("x", &["a", "b"]);
        unclear.unclear = 1;
        let cases = [
            (vec![pool("x", &["a", "b"])], vec!["any of [a b]: x has 2 servers"]),
            (vec![pool("x", &["a"])], vec!["alone a"]),
            (vec![pool("x", &[])], vec![]),
            // The same servers for two ends.
            (vec![pool("x", &["a", "b"]), pool("y", &["b", "a"])], vec!["any of [a b]: x has 2 servers"]),
            // All of a smaller one: what is beside it is never decisive.
            (vec![pool("x", &["a", "b"]), pool("y", &["a"])], vec!["alone a", "spare b"]),
            (
                vec![pool("x", &["a", "b"]), pool("y", &["b", "c"])],
                vec![
                    "any of [a b]: x has 2 servers",
                    "any of [c]: y has 2 servers; 1 counted in another group",
                ],
            ),
            (vec![unclear], vec!["spare a b"]),
            (vec![pool("x", &["a", "itself"])], vec!["spare a"]),
            (
                vec![pool("x", &["a", "b", "gone"])],
                vec!["any of [a b]: x has 2 servers; 1 beside them not in service"],
            ),
            (
                vec![pool("x", &["10.0.0.5:80", "10.0.0.5:80", "10.0.0.6:80"])],
                vec!["any of [remote:tcp/10.0.0.5:80 remote:tcp/10.0.0.6:80]: x has 2 servers"],
            ),
        ];
        for (pools, expected) in cases {
            assert_eq!(shown(pools.clone()), expected, "{pools:?}");
        }
    }

    /// Whether the balancer fails, by its configuration and by what is stated of it, when some servers fail.
    #[test]
    fn no_group_hides_a_pool_that_fails_unless_its_servers_are_all_in_others() {
        arbtest::arbtest(|u| {
            let names = ["a", "b", "c", "d"];
            let mut pools = Vec::new();
            for number in 0..u.int_in_range(1..=3)? {
                let mut servers = Vec::new();
                for name in names {
                    if u.arbitrary()? {
                        servers.push(name);
                    }
                }
                pools.push(pool(&format!("p{number}"), &servers));
            }
            let placed = place(pools.clone(), &stands_at);
            for failed in 0..16u8 {
                let fails = |name: &str| {
                    names.iter().position(|one| *one == name).is_some_and(|at| failed & (1 << at) != 0)
                };
                let stated = placed.alone.iter().any(|name| fails(name))
                    || placed.groups.iter().any(|(_, members)| members.keys().all(|name| fails(name)));
                for one in &pools {
                    let keys: Vec<String> =
                        find(one.clone(), &stands_at, &mut BTreeSet::new()).members.into_keys().collect();
                    let spread = keys.iter().all(|key| {
                        placed
                            .groups
                            .iter()
                            .any(|(group, members)| group.name != one.name && members.contains_key(key))
                    });
                    let down = !keys.is_empty() && keys.iter().all(|key| fails(key));
                    assert!(!down || stated || spread, "{pools:?} {placed:?} {failed:b}");
                }
            }
            Ok(())
        })
        .budget_ms(1_000);
    }

    #[test]
    fn places() {
        let cases = [
            ("10.0.0.5:8080", Some("10.0.0.5:8080")),
            ("10.0.0.5", Some("10.0.0.5:80")),
            ("[fd00::5]:81", Some("[fd00::5]:81")),
            ("[fd00::5]", Some("[fd00::5]:80")),
            ("App1.Example.com.:81", Some("app1.example.com:81")),
            ("app1", Some("app1:80")),
            ("unix:/run/x.sock", None),
            ("/run/x.sock", None),
            ("${PG}:5432", None),
            ("*:80", None),
            ("app:0", None),
            ("app:99999", None),
            (":80", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = Place::parse(text, Some(80)).map(|place| match place {
                Place::At(address) => address.to_string(),
                Place::Named(name, port) => format!("{name}:{port}"),
            });
            assert_eq!(found.as_deref(), expected, "{text}");
        }
        assert_eq!(Place::parse("10.0.0.5", None), None);
    }
}
