//! Reads the addresses of the host, or of the network namespace of a process.
//!
//! On a live machine IPv4 addresses come from the system call, which knows their prefixes; elsewhere from the
//! routing tables. IPv6 addresses always come from `/proc`, which knows the temporary ones.
//!
//! Invariant: loopback and temporary addresses are left out.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::root::Root;

/// The most addresses of one network namespace.
const ADDRESSES_MAX: usize = 4096;
/// The most bytes of a routing table: a router that holds the whole Internet's has more, and is refused.
const TABLE_BYTES_MAX: usize = 32 << 20;
/// The ports given to clients where the kernel does not say.
const CLIENT_PORTS: (u16, u16) = (32_768, 60_999);
/// IFA_F_TEMPORARY: changes by itself, and says nothing lasting of the host.
const FLAG_TEMPORARY: u8 = 0x01;
/// IFA_F_TENTATIVE: not usable yet.
const FLAG_TENTATIVE: u8 = 0x40;

/// How far an address reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reach {
    /// Anywhere that is routed.
    Global,
    /// The link only.
    Link,
    /// The site only (deprecated, IPv6).
    Site,
}

impl Reach {
    /// As the schema calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Reach::Global => "global",
            Reach::Link => "link",
            Reach::Site => "site",
        }
    }
}

/// One address of one interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// The interface; empty: not known.
    pub interface: String,
    /// How far it reaches.
    pub reach: Reach,
}

impl Address {
    /// Whether other hosts can reach the host by it, as far as the host can tell: not link-local, and not on a
    /// bridge that exists on every container host with the same address.
    pub fn is_reachable(&self) -> bool {
        self.reach == Reach::Global && !is_internal_bridge(&self.interface)
    }
}

impl Address {
    /// Whether an address is in the network that this one is of.
    pub fn is_beside(&self, other: IpAddr) -> bool {
        self.prefix > 0 && is_in_network(other, self.ip, self.prefix)
    }

    /// Whether it is the host's own on a bridge for its guests.
    pub fn is_for_guests(&self) -> bool {
        is_internal_bridge(&self.interface)
    }
}

/// Whether an address has the first `bits` of another one.
pub fn is_in_network(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |one: u128, other: u128, all: u32| {
        let rest = all.saturating_sub(u32::from(bits));
        one.checked_shr(rest).unwrap_or(0) == other.checked_shr(rest).unwrap_or(0)
    };
    match (ip, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => same(u32::from(one).into(), u32::from(other).into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.into(), other.into(), 128),
        _ => false,
    }
}

/// Whether an address is given out in many networks, to another host in each.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        // RFC 1918, and RFC 6598: what providers give out behind their own translation.
        IpAddr::V4(ip) => ip.is_private() || (u32::from(ip) >> 22) == (0x6440_0000 >> 22),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// Bridges that container and virtual machine managers make for use within the host.
fn is_internal_bridge(interface: &str) -> bool {
    const PREFIXES: [&str; 9] =
        ["docker", "br-", "virbr", "cni", "podman", "lxcbr", "lxdbr", "incusbr", "cbr"];
    PREFIXES.iter().any(|prefix| interface.starts_with(prefix))
}

/// The ports that the kernel gives to clients, the first and the last.
pub fn client_ports(root: &Root) -> (u16, u16) {
    root.text("/proc/sys/net/ipv4/ip_local_port_range")
        .and_then(|text| {
            let mut numbers = text.split_ascii_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        })
        .unwrap_or(CLIENT_PORTS)
}

/// The addresses of the host, in order.
pub fn read(root: &Root) -> Vec<Address> {
    let process = root.own_process();
    let mut found = if root.is_live() { crate::platform::ipv4_addresses() } else { None }
        .unwrap_or_else(|| ipv4_of(root, process));
    found.extend(ipv6_of(root, process));
    in_order(found)
}

/// The addresses in the network namespace of a process, given its directory in `/proc`.
pub fn read_of(root: &Root, process: &str) -> Vec<Address> {
    let mut found = ipv4_of(root, process);
    found.extend(ipv6_of(root, process));
    in_order(found)
}

fn in_order(mut found: Vec<Address>) -> Vec<Address> {
    found.retain(|address| !address.ip.is_loopback());
    found.sort();
    found.dedup_by(|one, other| one.ip == other.ip);
    found.truncate(ADDRESSES_MAX);
    found
}

fn table(root: &Root, path: &str) -> String {
    let content = root.read(path, TABLE_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&content).into_owned()
}

fn ipv4_of(root: &Root, process: &str) -> Vec<Address> {
    let local = parse_fib_trie(&table(root, &format!("{process}/net/fib_trie")));
    let routes = parse_routes(&table(root, &format!("{process}/net/route")));
    local.into_iter().map(|ip| on_interface(ip, &routes)).collect()
}

fn on_interface(ip: Ipv4Addr, routes: &[Route]) -> Address {
    let direct = routes
        .iter()
        .filter(|route| route.mask != 0 && u32::from(ip) & route.mask == route.destination)
        .max_by_key(|route| route.mask);
    ipv4(
        ip,
        direct.map_or(32, |route| u8::try_from(route.mask.count_ones()).unwrap_or(32)),
        direct.map(|route| route.interface.clone()).unwrap_or_default(),
    )
}

/// An IPv4 address with its reach.
pub fn ipv4(ip: Ipv4Addr, prefix: u8, interface: String) -> Address {
    let reach = if ip.is_link_local() { Reach::Link } else { Reach::Global };
    Address { ip: IpAddr::V4(ip), prefix, interface, reach }
}

fn ipv6_of(root: &Root, process: &str) -> Vec<Address> {
    parse_if_inet6(&table(root, &format!("{process}/net/if_inet6")))
}

/// The local addresses of a `fib_trie`: a leaf `|-- 10.0.0.5` followed by `/32 host LOCAL`.
pub fn parse_fib_trie(text: &str) -> BTreeSet<Ipv4Addr> {
    let mut found = BTreeSet::new();
    let mut leaf = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(leaf.filter(|ip| !ip.is_loopback()));
            if found.len() >= ADDRESSES_MAX {
                break;
            }
        }
    }
    found
}

/// A route to a network that hangs on an interface directly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    interface: String,
    destination: u32,
    mask: u32,
}

/// The direct routes of `/proc/net/route`; numbers are in the machine's byte order.
pub fn parse_routes(text: &str) -> Vec<Route> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok().map(u32::from_be);
        let gateway = number(2)?;
        let route =
            Route { interface: (*fields.first()?).to_owned(), destination: number(1)?, mask: number(7)? };
        (gateway == 0).then_some(route)
    };
    text.lines().skip(1).take(ADDRESSES_MAX).filter_map(parse).collect()
}

/// `/proc/net/if_inet6`: `address index prefix scope flags interface`, all numbers hexadecimal.
pub fn parse_if_inet6(text: &str) -> Vec<Address> {
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [address, _, prefix, scope, flags, interface] = fields.as_slice() else { return None };
        let ip = Ipv6Addr::from(u128::from_str_radix(address, 16).ok().filter(|_| address.len() == 32)?);
        let prefix = u8::from_str_radix(prefix, 16).ok().filter(|bits| *bits <= 128)?;
        let reach = match u8::from_str_radix(scope, 16).ok()? & 0xf0 {
            0x00 => Reach::Global,
            0x20 => Reach::Link,
            0x40 => Reach::Site,
            _ => return None,
        };
        // The column holds the lowest eight flags, more on newer kernels.
        let flags = u32::from_str_radix(flags, 16).ok()?.to_le_bytes()[0];
        let passing = flags & (FLAG_TEMPORARY | FLAG_TENTATIVE) != 0;
        (!passing).then(|| Address { ip: IpAddr::V6(ip), prefix, interface: (*interface).to_owned(), reach })
    };
    text.lines().take(ADDRESSES_MAX).filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fib_trie() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.1\n        /32 host LOCAL\n           |-- 192.0.2.2\n              /32 host LOCAL\n           |-- 192.0.2.255\n              /32 link BROADCAST\n|-- not.an.ip\n/32 host LOCAL\n";
        assert_eq!(parse_fib_trie(text).into_iter().collect::<Vec<_>>(), [Ipv4Addr::new(192, 0, 2, 2)]);
        assert!(parse_fib_trie("/32 host LOCAL\n|-- ").is_empty());
    }

    #[test]
    fn an_address_is_put_on_the_interface_of_its_network() {
        let routes = parse_routes(
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\nbad\tline\n",
        );
        assert_eq!(routes.len(), 1);
        let found = on_interface(Ipv4Addr::new(192, 0, 2, 2), &routes);
        assert_eq!((found.interface.as_str(), found.prefix, found.reach), ("eth0", 24, Reach::Global));
        let lone = on_interface(Ipv4Addr::new(10, 0, 0, 1), &routes);
        assert_eq!((lone.interface.as_str(), lone.prefix), ("", 32));
    }

    #[test]
    fn if_inet6() {
        let found = parse_if_inet6(
            "fd000000000000000000000000000002 04 40 00 82     eth0\n\
             fd000000000000000000000000000003 04 40 00 01     eth0\n\
             00000000000000000000000000000001 01 80 10 80       lo\n\
             fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n\
             fd00 04 40 00 80 eth0\n\
             zz\n",
        );
        let shown: Vec<_> =
            found.iter().map(|a| format!("{}/{} {}", a.ip, a.prefix, a.reach.as_str())).collect();
        assert_eq!(shown, ["fd00::2/64 global", "fe80::fc:ff:fe00:1/64 link"]);
    }

    #[test]
    fn container_bridges_are_not_reachable() {
        let on =
            |interface: &str| ipv4(Ipv4Addr::new(172, 17, 0, 1), 16, interface.to_owned()).is_reachable();
        assert!(on("eth0") && !on("docker0") && !on("br-0123456789ab"));
        assert!(!ipv4(Ipv4Addr::new(169, 254, 1, 1), 16, "eth0".into()).is_reachable());
    }
}
