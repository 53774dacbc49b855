//! Reads the sockets of each network namespace: who listens where, and who is connected to whom.
//!
//! The tables of a namespace are read once: the agent's own asked for over netlink, where the kernel answers, and else read
//! through any process in it. Both ways give the same. Knows nothing of programs. Invariant: a
//! socket without an inode has no owner any more (it only waits for its end), and is left out.

mod diag;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::processes::{NamespaceId, Process};
use crate::host::addresses;
use crate::platform::Family;
use crate::root::{ReadError, Root};

/// The most network namespaces of one host.
pub const NAMESPACES_MAX: usize = 4096;
/// The most sockets kept of one namespace.
pub const SOCKETS_MAX: usize = 500_000;
/// The most bytes of one table.
const TABLE_BYTES_MAX: usize = 128 << 20;

/// Transport protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// As the schema calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        }
    }
}

/// What a socket is doing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Activity {
    /// Waits for clients.
    Listening,
    /// Connected.
    Connected,
    /// Tries to connect, or is about to part.
    Passing,
}

/// One socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Socket {
    /// Its protocol.
    pub protocol: Protocol,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// What it is doing.
    pub activity: Activity,
    /// What tells whose it is.
    pub inode: u64,
}

/// One network namespace.
#[derive(Debug, Default)]
pub struct Namespace {
    /// Its sockets.
    pub sockets: Vec<Socket>,
    /// Its addresses, loopback left out.
    pub addresses: BTreeSet<IpAddr>,
    /// What to call it where the host's is not meant; `None`: the host's.
    pub label: Option<String>,
}

/// All network namespaces that a process is in.
#[derive(Debug, Default)]
pub struct Namespaces {
    /// By their ids.
    pub all: BTreeMap<NamespaceId, Namespace>,
    /// The host's own.
    pub host: NamespaceId,
    /// The ports that clients are given.
    pub client_ports: (u16, u16),
    /// What could not be read.
    pub gaps: Vec<String>,
}

impl Namespaces {
    /// The namespace of a process: the host's where it could not be read.
    pub fn of(&self, process: &Process) -> NamespaceId {
        if self.all.contains_key(&process.namespace) { process.namespace } else { self.host }
    }

    /// Whether a port is one that clients are given.
    pub fn is_client_port(&self, port: u16) -> bool {
        (self.client_ports.0..=self.client_ports.1).contains(&port)
    }
}

/// A table of the kernel's: its file, and what it holds.
const TABLES: [(&str, Protocol, Family); 4] = [
    ("tcp", Protocol::Tcp, Family::V4),
    ("tcp6", Protocol::Tcp, Family::V6),
    ("udp", Protocol::Udp, Family::V4),
    ("udp6", Protocol::Udp, Family::V6),
];

/// Reads the sockets of all namespaces that the processes are in.
pub fn read(root: &Root, processes: &[Process]) -> Namespaces {
    let own = root.own_process();
    let mut found = Namespaces {
        host: super::processes::namespace(root, own),
        client_ports: addresses::client_ports(root),
        ..Namespaces::default()
    };
    found.read_one(root, found.host, own, None);
    let mut first_in: BTreeMap<NamespaceId, &Process> = BTreeMap::new();
    for process in processes.iter().filter(|process| process.namespace != NamespaceId(0)) {
        let first = first_in.entry(process.namespace).or_insert(process);
        if process.started < first.started {
            *first = process;
        }
    }
    first_in.remove(&found.host);
    if first_in.len() > NAMESPACES_MAX {
        found.gaps.push(format!("more than {NAMESPACES_MAX} network namespaces: the rest is left out"));
    }
    // In the order in which they came to be, so that the numbers of equal names stay.
    let mut others: Vec<(NamespaceId, &Process)> = first_in.into_iter().collect();
    others.sort_by_key(|(_, first)| (first.started, first.pid));
    let mut given: BTreeMap<String, u32> = BTreeMap::new();
    for (id, first) in others.into_iter().take(NAMESPACES_MAX) {
        let label = label(first);
        let times = given.entry(label.clone()).and_modify(|times| *times += 1).or_insert(1);
        let label = if *times == 1 { label } else { format!("{label}-{times}") };
        found.read_one(root, id, &first.directory(), Some(label));
    }
    found
}

/// A name for another namespace that stays the same while what runs in it does.
fn label(first: &Process) -> String {
    let container = first.placement.container.as_ref().and_then(|container| container.id.as_deref());
    match (container, &first.placement.unit) {
        (Some(id), _) => crate::claim::cut(id, 12).to_owned(),
        (None, Some(unit)) => unit.trim_end_matches(".service").to_owned(),
        (None, None) => first.program_name().to_owned(),
    }
}

impl Namespaces {
    fn read_one(&mut self, root: &Root, id: NamespaceId, directory: &str, label: Option<String>) {
        let mut namespace = Namespace { label, ..Namespace::default() };
        let mut content = Vec::new();
        // Netlink speaks of the network that we are in, and of no other.
        let is_ours = root.is_live() && directory == root.own_process();
        for (file, protocol, family) in TABLES {
            let asked = is_ours.then(|| diag::ask(family, protocol, SOCKETS_MAX));
            if let Some(Ok(sockets)) = asked {
                let all = sockets.into_iter().filter(|socket| !self.is_passing_listener(socket));
                namespace.sockets.extend(all);
                continue;
            }
            let path = format!("{directory}/net/{file}");
            match root.read_into(&path, TABLE_BYTES_MAX, &mut content) {
                Ok(()) => {}
                Err(error) if error.is_missing() => continue,
                Err(error @ ReadError::TooLarge { .. }) => self.gaps.push(error.to_string()),
                Err(error) => {
                    self.gaps.push(error.to_string());
                    continue;
                }
            }
            let all = parse_table(&content, protocol);
            namespace
                .sockets
                .extend(all.filter(|socket| !self.is_passing_listener(socket)).take(SOCKETS_MAX));
        }
        if namespace.sockets.len() >= SOCKETS_MAX {
            self.gaps.push(format!("more than {SOCKETS_MAX} sockets in one network: the rest is left out"));
        }
        namespace.sockets.sort_unstable();
        namespace.sockets.dedup();
        namespace.addresses =
            addresses::read_of(root, directory).into_iter().map(|address| address.ip).collect();
        self.all.insert(id, namespace);
    }

    /// A UDP socket on a port that clients are given waits for answers, not for clients.
    fn is_passing_listener(&self, socket: &Socket) -> bool {
        socket.protocol == Protocol::Udp
            && socket.activity == Activity::Listening
            && self.is_client_port(socket.local.port())
    }
}

/// The sockets of `/proc/PID/net/{tcp,tcp6,udp,udp6}` that have an owner.
fn parse_table(content: &[u8], protocol: Protocol) -> impl Iterator<Item = Socket> {
    content.split(|byte| *byte == b'\n').skip(1).filter_map(move |line| parse_line(line, protocol))
}

/// `slot: local remote state queues timer retransmits user timeout inode …`
fn parse_line(line: &[u8], protocol: Protocol) -> Option<Socket> {
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = parse_end(fields.next()?)?;
    let remote = parse_end(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let inode: u64 = fields.nth(5)?.parse().ok()?;
    owned(protocol, local, remote, state, inode)
}

/// What the kernel says of a socket, unless that has no owner.
fn owned(protocol: Protocol, local: SocketAddr, remote: SocketAddr, state: u8, inode: u64) -> Option<Socket> {
    let activity = match (protocol, state) {
        (Protocol::Tcp, 0x0A) => Activity::Listening,
        (Protocol::Tcp, 0x01) => Activity::Connected,
        (Protocol::Tcp, _) => Activity::Passing,
        (Protocol::Udp, _) if remote.port() == 0 => Activity::Listening,
        (Protocol::Udp, _) => Activity::Connected,
    };
    (inode != 0 && local.port() != 0).then_some(Socket { protocol, local, remote, activity, inode })
}

fn ipv6(bytes: [u8; 16]) -> IpAddr {
    let ip = Ipv6Addr::from(bytes);
    ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
}

/// `0100007F:1538`: the address in words of the machine's byte order, the port as it reads.
fn parse_end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let word =
        |at: usize| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            ipv6(bytes)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(table: &str, protocol: Protocol) -> Vec<String> {
        parse_table(table.as_bytes(), protocol)
            .map(|s| format!("{} {} {:?} {}", s.local, s.remote, s.activity, s.inode))
            .collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn tables() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   113        0 1001 1 0 100 0 0 10 0\n\
             1: 0500000A:C350 0600000A:1538 01 00000000:00000000 00:00000000 00000000  1000        0 1002 1 0\n\
             2: 0500000A:C351 0600000A:1538 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n\
             3: 0500000A:C352 0600000A:1538 02 00000000:00000000 00:00000000 00000000     0        0 1003 1 0\n\
             4: rubbish\n";
        assert_eq!(
            shown(tcp, Protocol::Tcp),
            [
                "127.0.0.1:5432 0.0.0.0:0 Listening 1001",
                "10.0.0.5:50000 10.0.0.6:5432 Connected 1002",
                "10.0.0.5:50002 10.0.0.6:5432 Passing 1003",
            ]
        );
        let tcp6 = "head\n 0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 7 1\n\
             1: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000100007F:C350 01 0:0 0:0 0 0 0 8 1\n";
        assert_eq!(
            shown(tcp6, Protocol::Tcp),
            ["[::]:80 [::]:0 Listening 7", "127.0.0.1:80 127.0.0.1:50000 Connected 8"]
        );
    }

    #[test]
    fn rubbish_gives_nothing() {
        for text in [
            "",
            "head",
            "head\n0: 0100007F:15380 00000000:0000 0A 0:0 0:0 0 0 0 1",
            "head\n0: 0100007:1538 00000000:0000 0A 0:0 0:0 0 0 0 1",
            "head\n0: ßßßß:1538 00000000:0000 0A 0:0 0:0 0 0 0 1",
            "head\n0: 0100007F:1538 00000000:0000 0A 0:0 0:0 0 0 0 -1",
            "head\n0: 0100007F:1538",
        ] {
            assert!(shown(text, Protocol::Tcp).is_empty(), "{text}");
        }
        assert_eq!(parse_line(&[0xff; 200], Protocol::Tcp), None);
    }
}
