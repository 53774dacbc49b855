//! Connections from the programs of this host to servers, here or elsewhere.
//!
//! Knows nothing of claims. Invariant: only the client's end gives a dependency; a connection that a server
//! accepted belongs to the other end, and so do a program's connections to itself.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::endpoints::{Endpoints, socket_text};
use super::instances::Instances;
use super::processes::NamespaceId;
use super::sockets::{Activity, Namespaces, Protocol, Socket};
use crate::claim::{Draft, Relation};

/// The most remote servers of one host.
pub const REMOTE_ENDPOINTS_MAX: usize = 20_000;

/// A server on another host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Remote {
    /// At an address by which every host of its network reaches it.
    At(Protocol, SocketAddr),
    /// By a name that means something on this host: nobody else's report is joined with it.
    Named(Protocol, String, u16),
}

impl Remote {
    /// How it is written: `tcp/10.0.0.5:5432`.
    fn text(&self) -> String {
        match self {
            Remote::At(protocol, address) => socket_text(*protocol, *address),
            Remote::Named(protocol, name, port) => format!("{}/{name}:{port}", protocol.as_str()),
        }
    }

    /// The agent's key of it.
    pub fn key(&self) -> String {
        format!("remote:{}", self.text())
    }

    /// What the report says of it.
    pub fn draft(&self) -> Draft {
        let draft = Draft::new(&self.key(), "endpoint", &self.text());
        match self {
            Remote::At(protocol, address) => draft
                .set("protocol", protocol.as_str())
                .set("port", i64::from(address.port()))
                .set("address", address.ip().to_string())
                .set("sockets", vec![self.text()]),
            Remote::Named(protocol, _, port) => {
                draft.set("protocol", protocol.as_str()).set("port", i64::from(*port))
            }
        }
    }
}

/// What the programs of the host use.
#[derive(Debug, Default)]
pub struct Connections {
    /// By instance: the keys of the endpoints it uses, and how.
    pub by_instance: BTreeMap<usize, BTreeMap<String, Relation>>,
    /// The servers elsewhere.
    pub remotes: BTreeSet<Remote>,
    /// Sockets whose program could not be seen.
    pub unowned: usize,
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
            let key = match target {
                Target::Here(endpoint) if endpoints.all[endpoint].provider == Some(client) => continue,
                Target::Here(endpoint) => endpoints.all[endpoint].key.clone(),
                Target::Elsewhere(remote) => {
                    if found.remotes.len() >= REMOTE_ENDPOINTS_MAX && !found.remotes.contains(&remote) {
                        found.truncated = true;
                        continue;
                    }
                    let key = remote.key();
                    found.remotes.insert(remote);
                    key
                }
            };
            let relation = relation(socket);
            let known = found.by_instance.entry(client).or_default().entry(key).or_insert(relation);
            // A lasting connection says more than traffic.
            *known = (*known).min(relation);
        }
    }
    found
}

/// A lasting TCP connection is a dependency; anything else is traffic.
fn relation(socket: &Socket) -> Relation {
    match (socket.protocol, socket.activity) {
        (Protocol::Tcp, Activity::Connected) => Relation::DependsOn,
        _ => Relation::ConnectsTo,
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
}

impl<'a> Places<'a> {
    /// Those of all namespaces.
    pub fn new(namespaces: &'a Namespaces) -> Self {
        let mut listening = HashSet::new();
        let mut by_address: HashMap<IpAddr, Vec<NamespaceId>> = HashMap::new();
        for (id, namespace) in &namespaces.all {
            let open = namespace.sockets.iter().filter(|socket| socket.activity == Activity::Listening);
            listening.extend(open.map(|socket| (*id, socket.protocol, socket.local)));
            for address in &namespace.addresses {
                by_address.entry(*address).or_default().push(*id);
            }
        }
        Self { namespaces, listening, by_address }
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
            None => Some(Target::Elsewhere(Remote::At(protocol, remote))),
        }
    }
}
