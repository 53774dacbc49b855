//! How sure it is that servers stand in for one another, and why, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::Server;
use crate::model::ItemId;

/// They replicate to one another, or are members of one cluster.
const LINKED: f64 = 0.9;
/// The same product on the same port, on hosts whose names differ in a number only.
const NUMBERED_HOSTS: f64 = 0.7;
/// The same product on the same port.
const SAME_PRODUCT: f64 = 0.6;
/// The same port of one network, whatever listens there.
const SAME_NETWORK: f64 = 0.3;

/// The confidence and the evidence for servers on at least two hosts that are alike.
pub(super) fn weigh(
    product: &str,
    port: i64,
    places: &BTreeSet<String>,
    servers: &[&Server],
) -> (f64, String) {
    let what = if product.is_empty() { format!("port {port}") } else { format!("{product} on port {port}") };
    // Which ones is to be read from the members: what is named here could not be purged there.
    let said = format!("one client uses {what} of {} hosts", places.len());
    if let Some(cluster) = common_cluster(servers) {
        return (LINKED, format!("{said}; all are members of {cluster}"));
    }
    if replicate(servers) {
        return (LINKED, format!("{said}; they replicate to one another"));
    }
    if product.is_empty() {
        return (SAME_NETWORK, format!("{said} in one network; what listens there is not known"));
    }
    if numbered(places) {
        return (NUMBERED_HOSTS, format!("{said}; the hosts' names differ in a number only"));
    }
    (SAME_PRODUCT, said)
}

/// The name of the first cluster that all of them are members of.
fn common_cluster<'s>(servers: &[&'s Server]) -> Option<&'s str> {
    let (first, rest) = servers.split_first()?;
    let common = |cluster: &ItemId| rest.iter().all(|server| server.clusters.contains_key(cluster));
    first.clusters.iter().find(|(cluster, _)| common(cluster)).map(|(_, name)| name.as_str())
}

/// Whether replication among them, in whichever direction, reaches all of them.
fn replicate(servers: &[&Server]) -> bool {
    let mut linked: BTreeMap<ItemId, BTreeSet<ItemId>> = BTreeMap::new();
    let items: BTreeSet<ItemId> = servers.iter().map(|server| server.item).collect();
    for server in servers {
        for other in server.replicas.iter().filter(|other| items.contains(other)) {
            linked.entry(server.item).or_default().insert(*other);
            linked.entry(*other).or_default().insert(server.item);
        }
    }
    let Some(first) = items.first() else { return false };
    let mut reached = BTreeSet::from([*first]);
    let mut next = vec![*first];
    while let Some(item) = next.pop() {
        let others = linked.get(&item).into_iter().flatten();
        next.extend(others.filter(|other| reached.insert(**other)).copied());
    }
    items.len() > 1 && reached == items
}

/// Whether the names of the hosts are one name with different numbers. An address is not a name.
fn numbered(places: &BTreeSet<String>) -> bool {
    let is_address = |place: &String| place.parse::<std::net::IpAddr>().is_ok();
    let letters = |place: &String| place.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let shapes: BTreeSet<String> = places.iter().map(letters).collect();
    shapes.len() == 1 && !places.iter().any(is_address)
}
