//! Connections from the programs of this host to servers, here or elsewhere.
//!
//! Knows nothing of claims. Invariant: only the client's end gives a dependency; a connection that a server
//! accepted belongs to the other end, and so do a program's connections to itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::endpoints::{Endpoints, scoped_text, socket_text};
use super::instances::Instances;
use super::memory::Manner;
use super::processes::NamespaceId;
use super::sockets::{Activity, Namespaces, Protocol, Socket};
use crate::claim::Draft;
use crate::connections::{Ended, Flow};
use crate::host::addresses::Address;
use crate::host::site::Site;

/// The most remote servers of one host.
pub const REMOTE_ENDPOINTS_MAX: usize = 20_000;

/// A program that uses more ports of one address than these, all such as are given to clients, is told a new one each time.
const PASSING_PORTS: usize = 4;

/// A server on another host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Remote {
    /// At an address by which every host of its network reaches it.
    At(Protocol, SocketAddr),
    /// By a name that means something on this host: nobody else's report is joined with it.
    Named(Protocol, String, u16),
    /// At ports of an address that it hands out for the moment.
    Passing(Protocol, IpAddr),
}

impl Remote {
    /// How it is written: `tcp/10.0.0.5:5432`.
    fn text(&self) -> String {
        match self {
            Remote::At(protocol, address) => socket_text(*protocol, *address),
            Remote::Named(protocol, name, port) => format!("{}/{name}:{port}", protocol.as_str()),
            Remote::Passing(protocol, ip) => {
                format!("{}/{} (ports handed out as needed)", protocol.as_str(), host_text(*ip))
            }
        }
    }

    /// The agent's key of it.
    pub fn key(&self) -> String {
        format!("remote:{}", self.text())
    }

    /// The one with a key.
    pub fn of_key(key: &str) -> Option<Self> {
        let (protocol, place) = key.strip_prefix("remote:")?.split_once('/')?;
        let protocol = [Protocol::Tcp, Protocol::Udp].into_iter().find(|one| one.as_str() == protocol)?;
        let passing = || {
            let ip = place.split(' ').next()?.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            Some(Remote::Passing(protocol, ip))
        };
        let named = || {
            let (name, port) = place.rsplit_once(':')?;
            Some(Remote::Named(protocol, name.to_owned(), port.parse().ok()?))
        };
        let found = place.parse().map(|address| Remote::At(protocol, address)).ok();
        let found = found.or_else(passing).or_else(named)?;
        (found.key() == key).then_some(found)
    }

    /// What the report says of it.
    pub fn draft(&self, site: &Site) -> Draft {
        let draft = Draft::new(&self.key(), "endpoint", &self.text());
        match self {
            Remote::At(protocol, address) => draft
                .set("protocol", protocol.as_str())
                .set("port", i64::from(address.port()))
                .set("address", address.ip().to_string())
                .set("sockets", vec![scoped_text(*protocol, *address, site)]),
            Remote::Named(protocol, _, port) => {
                draft.set("protocol", protocol.as_str()).set("port", i64::from(*port))
            }
            Remote::Passing(protocol, ip) => {
                draft.set("protocol", protocol.as_str()).set("address", ip.to_string())
            }
        }
    }
}

fn host_text(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// What the programs of the host use.
#[derive(Debug, Default)]
pub struct Connections {
    /// By instance: the keys of the endpoints it uses, and how.
    pub by_instance: BTreeMap<usize, BTreeMap<String, Manner>>,
    /// The servers elsewhere.
    pub remotes: BTreeSet<Remote>,
    /// Sockets whose program could not be seen.
    pub unowned: usize,
    /// Connections of programs that were gone before anybody could see what they were.
    pub unowned_flows: usize,
    /// There were more remote servers than the limit.
    pub truncated: bool,
}

/// Finds what each instance uses.
pub fn find(
    namespaces: &Namespaces,
    instances: &Instances,
    endpoints: &Endpoints,
    places: &Places<'_>,
) -> Connections {
    let mut found = Connections::default();
    for (id, namespace) in &namespaces.all {
        for socket in &namespace.sockets {
            let owner = instances.owner_of.get(&socket.inode).copied();
            if owner.is_none() {
                found.unowned += 1;
            }
            let Some(client) = owner.filter(|_| is_client_end(*id, socket, namespaces, places)) else {
                continue;
            };
            let own = Some(socket.local.ip());
            let Some(target) = places.target(*id, socket.protocol, socket.remote, own, endpoints) else {
                continue;
            };
            found.note(client, target, manner(socket), endpoints);
        }
    }
    found
}

impl Connections {
    /// Adds the connections that were made since the last scan, and may be over; `networks`: that of each process.
    pub fn add_flows(
        &mut self,
        flows: &[Flow],
        networks: &HashMap<u32, NamespaceId>,
        instances: &Instances,
        endpoints: &Endpoints,
        places: &Places<'_>,
    ) {
        let passing = passing_ports(flows, places.namespaces);
        for flow in flows {
            let Some(client) = instances.of_process.get(&flow.pid).copied() else {
                self.unowned_flows += 1;
                continue;
            };
            let id = networks.get(&flow.pid).copied().unwrap_or(places.namespaces.host);
            let own = Some(flow.local);
            let target = places.target(id, Protocol::Tcp, flow.remote, own, endpoints);
            match target {
                // Nothing waits there for others: the server handed the port out for the moment.
                Some(Target::Elsewhere(_)) if passing.contains(&(flow.pid, flow.remote.ip())) => {
                    let is_passing = places.namespaces.is_client_port(flow.remote.port());
                    let remote = if is_passing {
                        Remote::Passing(Protocol::Tcp, flow.remote.ip())
                    } else {
                        Remote::At(Protocol::Tcp, flow.remote)
                    };
                    self.note(client, Target::Elsewhere(remote), Manner::Short, endpoints);
                }
                Some(target) => self.note(client, target, Manner::Short, endpoints),
                None => {}
            }
        }
    }

    fn note(&mut self, client: usize, target: Target, manner: Manner, endpoints: &Endpoints) {
        let key = match target {
            Target::Here(endpoint) if endpoints.all[endpoint].provider == Some(client) => return,
            Target::Here(endpoint) => endpoints.all[endpoint].key.clone(),
            Target::Elsewhere(remote) => {
                if self.remotes.len() >= REMOTE_ENDPOINTS_MAX && !self.remotes.contains(&remote) {
                    self.truncated = true;
                    return;
                }
                let key = remote.key();
                self.remotes.insert(remote);
                key
            }
        };
        let known = self.by_instance.entry(client).or_default().entry(key).or_insert(manner);
        // A lasting connection says more than traffic.
        *known = (*known).min(manner);
    }
}

/// The keys of endpoints to which connections of the host's own network ended.
pub fn ended_at(ended: &[Ended], endpoints: &Endpoints, places: &Places<'_>) -> BTreeSet<String> {
    let host = places.namespaces.host;
    let target = |one: &Ended| places.target(host, Protocol::Tcp, one.remote, Some(one.local), endpoints);
    let key = |target| match target {
        Target::Here(endpoint) => endpoints.all[endpoint].key.clone(),
        Target::Elsewhere(remote) => remote.key(),
    };
    ended.iter().filter_map(target).map(key).collect()
}

/// Processes and addresses between which very many ports are used that are given out for the moment.
fn passing_ports(flows: &[Flow], namespaces: &Namespaces) -> HashSet<(u32, IpAddr)> {
    let mut ports: HashMap<(u32, IpAddr), HashSet<u16>> = HashMap::new();
    for flow in flows.iter().filter(|flow| namespaces.is_client_port(flow.remote.port())) {
        ports.entry((flow.pid, flow.remote.ip())).or_default().insert(flow.remote.port());
    }
    ports.into_iter().filter(|(_, ports)| ports.len() > PASSING_PORTS).map(|(ends, _)| ends).collect()
}

/// Of TCP, a connection that is open when somebody looks is a lasting one.
fn manner(socket: &Socket) -> Manner {
    match (socket.protocol, socket.activity) {
        (Protocol::Tcp, Activity::Connected) => Manner::Lasting,
        _ => Manner::Traffic,
    }
}

/// Whether this end is the one that asked for the connection.
fn is_client_end(id: NamespaceId, socket: &Socket, namespaces: &Namespaces, places: &Places<'_>) -> bool {
    if socket.activity == Activity::Listening || socket.remote.port() == 0 {
        return false;
    }
    if places.listens(id, socket.protocol, socket.local) {
        return false;
    }
    // The listener may be gone while what it accepted lives on.
    let accepted =
        !namespaces.is_client_port(socket.local.port()) && namespaces.is_client_port(socket.remote.port());
    !accepted
}

/// What answers at an address.
pub enum Target {
    /// The endpoint of this host with this index.
    Here(usize),
    /// An endpoint elsewhere.
    Elsewhere(Remote),
}

/// Which addresses and ports are on this host, and in which namespace.
pub struct Places<'a> {
    namespaces: &'a Namespaces,
    listening: HashSet<(NamespaceId, Protocol, SocketAddr)>,
    by_address: HashMap<IpAddr, Vec<NamespaceId>>,
    /// The host's own addresses in the networks that it makes for its guests.
    for_guests: Vec<&'a Address>,
}

impl<'a> Places<'a> {
    /// Those of all namespaces; `addresses`: the host's.
    pub fn new(namespaces: &'a Namespaces, addresses: &'a [Address]) -> Self {
        let mut listening = HashSet::new();
        let mut by_address: HashMap<IpAddr, Vec<NamespaceId>> = HashMap::new();
        for (id, namespace) in &namespaces.all {
            let open = namespace.sockets.iter().filter(|socket| socket.activity == Activity::Listening);
            listening.extend(open.map(|socket| (*id, socket.protocol, socket.local)));
            for address in &namespace.addresses {
                by_address.entry(*address).or_default().push(*id);
            }
        }
        let for_guests = addresses.iter().filter(|address| address.is_for_guests()).collect();
        Self { namespaces, listening, by_address, for_guests }
    }

    /// In a network that the host makes for its guests, as others do with the same addresses, a place is this host's affair.
    fn elsewhere(&self, protocol: Protocol, remote: SocketAddr) -> Remote {
        match self.for_guests.iter().find(|own| own.is_beside(remote.ip())) {
            Some(own) => Remote::Named(
                protocol,
                format!("{}%{}", host_text(remote.ip()), own.interface),
                remote.port(),
            ),
            None => Remote::At(protocol, remote),
        }
    }

    fn listens(&self, id: NamespaceId, protocol: Protocol, local: SocketAddr) -> bool {
        let any = |ip: IpAddr| self.listening.contains(&(id, protocol, SocketAddr::new(ip, local.port())));
        any(local.ip()) || any(IpAddr::from([0; 4])) || any(IpAddr::from([0u16; 8]))
    }

    /// What answers at an address, seen from a namespace; `local`: the end it was asked from. `None`: the address is
    /// this host's own, and nothing listens there.
    pub fn target(
        &self,
        id: NamespaceId,
        protocol: Protocol,
        remote: SocketAddr,
        local: Option<IpAddr>,
        endpoints: &Endpoints,
    ) -> Option<Target> {
        let own = self.namespaces.all.get(&id)?;
        let is_own =
            remote.ip().is_loopback() || Some(remote.ip()) == local || own.addresses.contains(&remote.ip());
        let mut namespaces = Vec::new();
        if is_own {
            namespaces.push(id);
        } else if let Some(others) = self.by_address.get(&remote.ip()) {
            namespaces.extend(others);
        }
        let here = namespaces.iter().find_map(|namespace| endpoints.answering(*namespace, protocol, remote));
        match here {
            Some(endpoint) => Some(Target::Here(endpoint)),
            // Nothing listens there any more, and the address means nothing to others.
            None if is_own => None,
            None => Some(Target::Elsewhere(self.elsewhere(protocol, remote))),
        }
    }
}
