//! The same tables over netlink: the kernel's records instead of its text.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Protocol, Socket, ipv6, owned};
use crate::platform::{self, Family, Transport};

/// The sockets of the agent's own network that have an owner. An error leaves `/proc` to be read instead.
pub(super) fn ask(family: Family, protocol: Protocol, count_max: usize) -> io::Result<Vec<Socket>> {
    let transport = match protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    let mut found = Vec::new();
    platform::internet_sockets(family, transport, count_max, &mut |record| {
        found.extend(parse_record(record, family, protocol));
    })?;
    Ok(found)
}

/// An `inet_diag_msg`. Ports and addresses are in the order of the network, the rest in the machine's:
///
/// ```text
/// 0 family  1 state  2 timer  3 retransmits  4 port  6 other's port  8 address (16)  24 other's address (16)
/// 40 interface  44 cookie (8)  52 expires  56 queues (8)  64 user  68 inode
/// ```
fn parse_record(record: &[u8], family: Family, protocol: Protocol) -> Option<Socket> {
    let port = |at: usize| Some(u16::from_be_bytes(*record.get(at..)?.first_chunk()?));
    let address = |at: usize| -> Option<IpAddr> {
        let bytes: [u8; 16] = *record.get(at..)?.first_chunk()?;
        Some(match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?)),
            Family::V6 => ipv6(bytes),
        })
    };
    let state = *record.get(1)?;
    let inode = u32::from_ne_bytes(*record.get(68..)?.first_chunk()?);
    let local = SocketAddr::new(address(8)?, port(4)?);
    let remote = SocketAddr::new(address(24)?, port(6)?);
    owned(protocol, local, remote, state, u64::from(inode))
}

#[cfg(test)]
mod tests {
    use super::super::{Activity, TABLES, parse_table};
    use super::*;

    fn record(state: u8, ports: (u16, u16), addresses: ([u8; 16], [u8; 16]), inode: u32) -> Vec<u8> {
        let mut bytes = vec![2, state, 0, 0];
        bytes.extend(ports.0.to_be_bytes());
        bytes.extend(ports.1.to_be_bytes());
        bytes.extend(addresses.0);
        bytes.extend(addresses.1);
        bytes.resize(68, 0xee);
        bytes.extend(inode.to_ne_bytes());
        bytes
    }

    fn first(bytes: [u8; 4]) -> [u8; 16] {
        let mut all = [0; 16];
        all[..4].copy_from_slice(&bytes);
        all
    }

    #[test]
    fn records() {
        let ends = (first([10, 0, 0, 5]), first([10, 0, 0, 6]));
        let parse = |state, ports, inode| {
            parse_record(&record(state, ports, ends, inode), Family::V4, Protocol::Tcp)
                .map(|s| format!("{} {} {:?} {}", s.local, s.remote, s.activity, s.inode))
        };
        assert_eq!(parse(1, (50_000, 5432), 7).unwrap(), "10.0.0.5:50000 10.0.0.6:5432 Connected 7");
        assert_eq!(parse(10, (80, 0), 8).unwrap(), "10.0.0.5:80 10.0.0.6:0 Listening 8");
        assert_eq!(parse(1, (50_000, 5432), 0), None, "nobody's");
        let mapped = "::ffff:127.0.0.1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let socket =
            parse_record(&record(1, (1, 2), (mapped, mapped), 9), Family::V6, Protocol::Tcp).unwrap();
        assert_eq!(socket.local.to_string(), "127.0.0.1:1");
    }

    #[test]
    fn a_record_cut_short_gives_nothing() {
        let whole = record(1, (1, 2), ([0; 16], [0; 16]), 9);
        for length in 0..whole.len() {
            assert_eq!(parse_record(&whole[..length], Family::V4, Protocol::Tcp), None, "{length}");
        }
    }

    /// Listeners and connections of this test, as one way of asking finds them.
    fn of_ours(all: impl Iterator<Item = Socket>, ports: &[u16]) -> Vec<Socket> {
        let mut ours: Vec<Socket> = all
            .filter(|socket| ports.contains(&socket.local.port()) || ports.contains(&socket.remote.port()))
            .collect();
        ours.sort_unstable();
        ours
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[allow(clippy::print_stderr, reason = "a test that cannot run says so")]
    fn the_kernel_says_the_same_both_ways() {
        use std::net::{TcpListener, TcpStream, UdpSocket};
        for (family, local) in [(Family::V4, "127.0.0.1:0"), (Family::V6, "[::1]:0")] {
            let Ok(listener) = TcpListener::bind(local) else {
                eprintln!("SKIPPED: this machine has no {local}");
                continue;
            };
            let address = listener.local_addr().unwrap();
            let client = TcpStream::connect(address).unwrap();
            let server = listener.accept().unwrap().0;
            let datagrams = UdpSocket::bind(local).unwrap();
            let ports = [address.port(), datagrams.local_addr().unwrap().port()];
            for (file, protocol, _) in TABLES.iter().filter(|(_, _, table)| *table == family) {
                let asked = match ask(family, *protocol, usize::MAX) {
                    Ok(asked) => asked,
                    Err(error) => {
                        eprintln!("SKIPPED: the kernel refuses netlink for {file}: {error}");
                        continue;
                    }
                };
                let text = std::fs::read(format!("/proc/self/net/{file}")).unwrap();
                let asked = of_ours(asked.into_iter(), &ports);
                assert_eq!(asked, of_ours(parse_table(&text, *protocol), &ports), "{file}");
                let listening = asked.iter().filter(|socket| socket.activity == Activity::Listening).count();
                let connected = asked.iter().filter(|socket| socket.activity == Activity::Connected).count();
                let expected = if *protocol == Protocol::Tcp { (1, 2) } else { (1, 0) };
                assert_eq!((listening, connected), expected, "{file}");
            }
            drop((client, server, datagrams));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn no_more_than_asked_for() {
        let _listeners: Vec<_> =
            (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        if let Ok(found) = ask(Family::V4, Protocol::Tcp, 2) {
            assert!(found.len() <= 2, "{found:?}");
        }
    }
}
