//! Which of the servers that one client uses look like they stand in for one another, and how sure that is.
//!
//! Pure: the engine hands in what a client uses and takes the proposals. A proposal is a guess with its evidence; it
//! counts as one until a person confirms or rejects it.
//!
//! ```text
//!  uses of one client ─→ by (class, protocol, port, product) ─→ on two hosts or more ─→ proposal
//! ```
//!
//! Invariant: the result depends on the set of uses and on nothing else; what does not fit the limits is left out from
//! the end of the order of ids, never at random.

mod evidence;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::ItemId;

/// The most uses of one client that are looked at.
pub const USES_MAX: usize = 10_000;
/// The most members of one proposed group.
pub const MEMBERS_MAX: usize = 1_000;
/// The most groups proposed for one client.
pub const PROPOSALS_MAX: usize = 100;

/// A relationship by which a client needs a server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Use {
    /// Its type.
    pub kind: String,
    /// What it is written to: an endpoint, or software.
    pub provider: ItemId,
    /// What answers there.
    pub server: Server,
}

/// What answers a client.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Server {
    /// The software behind an endpoint, or what is used itself where that is not known.
    pub item: ItemId,
    /// Its class.
    pub class: String,
    /// tcp, udp; empty: not known.
    pub protocol: String,
    /// Where it listens.
    pub port: i64,
    /// Its product; empty: not known.
    pub product: String,
    /// The host it runs on; empty: not known.
    pub host: String,
    /// Its address, where it was seen from outside only.
    pub address: Option<IpAddr>,
    /// Clusters that it is a member of, with their names.
    pub clusters: BTreeMap<ItemId, String>,
    /// Servers that it replicates to.
    pub replicas: BTreeSet<ItemId>,
}

impl Server {
    /// What tells one host from another; none: not known.
    fn place(&self) -> Option<String> {
        let named = (!self.host.is_empty()).then(|| self.host.to_lowercase());
        named.or_else(|| self.address.map(|address| address.to_string()))
    }

    /// The network of its address: neighbours are more likely to be run by the same people.
    fn network(&self) -> Option<String> {
        match self.address? {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Some(format!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
        }
    }
}

/// A group that a client's uses seem to make: any one of its members would do.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal {
    /// Its name on the client. It follows from what the servers are, not from which they are.
    pub group: String,
    /// The relationships in it: type and provider, in order.
    pub members: Vec<(String, ItemId)>,
    /// 0 to 1.
    pub confidence: f64,
    /// What it was concluded from, in words.
    pub evidence: String,
}

/// What makes servers alike.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Kind<'u> {
    class: &'u str,
    protocol: &'u str,
    port: i64,
    product: &'u str,
    /// Where the product is not known: servers of one network only.
    network: String,
}

impl Kind<'_> {
    fn group(&self) -> String {
        let protocol = if self.protocol.is_empty() { "port" } else { self.protocol };
        if self.product.is_empty() {
            format!("{protocol}/{} in {}", self.port, self.network)
        } else {
            format!("{}:{}", self.product, self.port)
        }
    }
}

/// The groups that a client's uses seem to make, in order of their names.
#[must_use]
pub fn propose(uses: &[Use]) -> Vec<Proposal> {
    let uses: BTreeSet<&Use> = uses.iter().collect();
    let mut alike: BTreeMap<Kind<'_>, Vec<&Use>> = BTreeMap::new();
    for used in uses.into_iter().take(USES_MAX) {
        if let Some(kind) = kind_of(&used.server) {
            alike.entry(kind).or_default().push(used);
        }
    }
    let mut proposals: BTreeMap<String, Proposal> = BTreeMap::new();
    for (kind, mut members) in alike {
        members.truncate(MEMBERS_MAX);
        let group = kind.group();
        // Two classes of one product and port: which of them the name means would be a guess.
        if !proposals.contains_key(&group)
            && let Some(proposal) = judge(group.clone(), &kind, &members)
        {
            proposals.insert(group, proposal);
        }
    }
    proposals.into_values().take(PROPOSALS_MAX).collect()
}

fn kind_of(server: &Server) -> Option<Kind<'_>> {
    if server.port <= 0 {
        return None;
    }
    let network = if server.product.is_empty() { server.network()? } else { String::new() };
    Some(Kind {
        class: &server.class,
        protocol: &server.protocol,
        port: server.port,
        product: &server.product,
        network,
    })
}

fn judge(group: String, kind: &Kind<'_>, members: &[&Use]) -> Option<Proposal> {
    let places: BTreeSet<String> = members.iter().filter_map(|used| used.server.place()).collect();
    let known = members.iter().all(|used| used.server.place().is_some());
    if places.len() < 2 || !known {
        return None;
    }
    let servers: Vec<&Server> = members.iter().map(|used| &used.server).collect();
    let (confidence, evidence) = evidence::weigh(kind.product, kind.port, &places, &servers);
    let members = members.iter().map(|used| (used.kind.clone(), used.provider)).collect();
    Some(Proposal { group, members, confidence, evidence })
}
