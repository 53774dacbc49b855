//! Listening endpoints: where programs wait for clients.
//!
//! Knows nothing of connections. Invariant: an endpoint's key names protocol and port; addresses are a part of it
//! only where different programs share the port.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::instances::Instances;
use super::processes::NamespaceId;
use super::sockets::{Activity, Namespaces, Protocol};
use crate::claim::{Draft, Relation};
use crate::host::addresses::Address;
use crate::host::site::Site;
use crate::host::{Host, OS_KEY};

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The agent's key of it.
    pub key: String,
    protocol: Protocol,
    port: u16,
    addresses: BTreeSet<IpAddr>,
    /// `tcp/5432`.
    binding: String,
    /// Index of the instance that listens; `None`: it could not be seen.
    pub provider: Option<usize>,
    is_host: bool,
}

/// All endpoints of the host.
#[derive(Debug, Default)]
pub struct Endpoints {
    /// In the order of their keys.
    pub all: Vec<Endpoint>,
    at: HashMap<(NamespaceId, Protocol, u16), Vec<usize>>,
}

/// Finds the listening sockets of all namespaces.
pub fn find(namespaces: &Namespaces, instances: &Instances) -> Endpoints {
    type Bound = BTreeMap<Option<usize>, BTreeSet<IpAddr>>;
    let mut bound: BTreeMap<(NamespaceId, Protocol, u16), Bound> = BTreeMap::new();
    for (id, namespace) in &namespaces.all {
        for socket in namespace.sockets.iter().filter(|socket| socket.activity == Activity::Listening) {
            let provider = instances.owner_of.get(&socket.inode).copied();
            let at = bound.entry((*id, socket.protocol, socket.local.port())).or_default();
            at.entry(provider).or_default().insert(socket.local.ip());
        }
    }
    let mut endpoints = Endpoints::default();
    for ((namespace, protocol, port), providers) in bound {
        let is_shared = providers.len() > 1;
        let label = namespaces.all.get(&namespace).and_then(|namespace| namespace.label.as_deref());
        for (provider, addresses) in providers {
            let binding = binding(protocol, port, is_shared.then(|| addresses.first()).flatten(), label);
            endpoints.at.entry((namespace, protocol, port)).or_default().push(endpoints.all.len());
            endpoints.all.push(Endpoint {
                key: format!("endpoint:{binding}"),
                protocol,
                port,
                addresses,
                binding,
                provider,
                is_host: label.is_none(),
            });
        }
    }
    endpoints
}

fn binding(protocol: Protocol, port: u16, address: Option<&IpAddr>, label: Option<&str>) -> String {
    let mut binding = match address {
        Some(address) => format!("{}/{}", protocol.as_str(), SocketAddr::new(*address, port)),
        None => format!("{}/{port}", protocol.as_str()),
    };
    if let Some(label) = label {
        binding.push('@');
        binding.push_str(label);
    }
    binding
}

impl Endpoints {
    /// Index of the endpoint that answers at an address of a namespace.
    pub fn answering(
        &self,
        namespace: NamespaceId,
        protocol: Protocol,
        address: SocketAddr,
    ) -> Option<usize> {
        let candidates = self.at.get(&(namespace, protocol, address.port()))?;
        let of = |accepts: &dyn Fn(&IpAddr) -> bool| {
            candidates.iter().copied().find(|index| self.all[*index].addresses.iter().any(accepts))
        };
        // The address itself before "all addresses"; those of IPv6 take IPv4 as well.
        of(&|bound| *bound == address.ip())
            .or_else(|| of(&|bound| bound.is_unspecified() && bound.is_ipv4() == address.is_ipv4()))
            .or_else(|| of(&|bound| bound.is_unspecified() && bound.is_ipv6()))
    }
}

/// `tcp/10.0.0.5:5432`: a place on the network.
pub fn socket_text(protocol: Protocol, address: SocketAddr) -> String {
    format!("{}/{address}", protocol.as_str())
}

/// `tcp/10.0.0.5:5432@berlin`: how hosts tell one another of it. A private address means something in its site only.
pub fn scoped_text(protocol: Protocol, address: SocketAddr, site: &Site) -> String {
    let text = socket_text(protocol, address);
    match site.of(address.ip()) {
        Some(site) => format!("{text}@{site}"),
        None => text,
    }
}

impl Endpoint {
    /// What the report says of it.
    pub fn draft(&self, host: &Host, provider: Option<&str>) -> Draft {
        let name = format!("{} on {}", self.binding, host.name);
        let addresses: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
        let draft = Draft::new(&self.key, "endpoint", &name)
            .within(OS_KEY)
            .set("protocol", self.protocol.as_str())
            .set("port", i64::from(self.port))
            .set("addresses", addresses)
            .set("host_name", &host.name)
            .set("binding", &self.binding)
            .set("sockets", self.sockets(&host.addresses, &host.site));
        match provider {
            Some(provider) => draft.relates(Relation::ProvidedBy, provider),
            None => draft,
        }
    }

    /// Every place through which other hosts reach it. None in another network namespace: its addresses mean
    /// something on this host only.
    fn sockets(&self, addresses: &[Address], site: &Site) -> Vec<String> {
        if !self.is_host {
            return Vec::new();
        }
        let mut reached = BTreeSet::new();
        for bound in &self.addresses {
            let answers = |address: &&Address| match bound {
                _ if *bound == address.ip => true,
                IpAddr::V4(bound) => bound.is_unspecified() && address.ip.is_ipv4(),
                IpAddr::V6(bound) => bound.is_unspecified(),
            };
            reached.extend(
                addresses.iter().filter(answers).filter(|address| address.is_reachable()).map(|a| a.ip),
            );
        }
        let text = |ip| scoped_text(self.protocol, SocketAddr::new(ip, self.port), site);
        reached.into_iter().map(text).collect()
    }
}
