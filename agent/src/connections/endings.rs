//! The middle rung: sockets that end, with how many bytes they carried; whose they were is not told.
//!
//! Only the client's end counts, and its own port never matters. Invariant: bounded; what was left out is counted.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most servers between two scans.
const SERVERS_MAX: usize = 20_000;
/// Bytes of an `inet_diag_msg`; attributes follow.
const RECORD_BYTES: usize = 72;
/// INET_DIAG_INFO, and where a `tcp_info` says what was sent and acknowledged, and what was received.
const INFO: u16 = 2;
const SENT_AT: usize = 120;
const RECEIVED_AT: usize = 128;
const INTERNET_6: u8 = 10;

/// Connections to one server that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    /// This end.
    pub local: IpAddr,
    /// The server.
    pub remote: SocketAddr,
    /// How many.
    pub times: u32,
    /// In both directions.
    pub bytes: u64,
}

/// One connection that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ending {
    local: SocketAddr,
    remote: SocketAddr,
    bytes: u64,
}

/// What ended since the last scan.
#[derive(Debug, Default)]
pub struct EndedTally {
    all: HashMap<(IpAddr, SocketAddr), (u32, u64)>,
    /// Beyond the limit.
    pub left_out: u64,
}

impl EndedTally {
    /// Takes a record of the kernel; `client_ports`: those that are given to clients.
    pub fn note(&mut self, record: &[u8], client_ports: (u16, u16)) {
        let Some(ending) = parse(record) else { return };
        let is_client = |port: u16| (client_ports.0..=client_ports.1).contains(&port);
        // A listener, or the end that accepted.
        if ending.remote.port() == 0 || !is_client(ending.local.port()) {
            return;
        }
        let ends = (ending.local.ip(), ending.remote);
        if self.all.len() >= SERVERS_MAX && !self.all.contains_key(&ends) {
            self.left_out += 1;
            return;
        }
        let (times, bytes) = self.all.entry(ends).or_default();
        *times = times.saturating_add(1);
        *bytes = bytes.saturating_add(ending.bytes);
    }

    /// Hands over what ended, in order, and begins anew.
    pub fn gather(&mut self) -> Vec<Ended> {
        let all = std::mem::take(&mut self.all).into_iter();
        let mut ended: Vec<Ended> =
            all.map(|((local, remote), (times, bytes))| Ended { local, remote, times, bytes }).collect();
        ended.sort_unstable_by_key(|ended| (ended.remote, ended.local));
        ended
    }
}

/// ```text
/// 0 family  1 state  4 port  6 other's port  8 address (16)  24 other's address (16)  …  72 attributes
/// ```
fn parse(record: &[u8]) -> Option<Ending> {
    let head = record.get(..RECORD_BYTES)?;
    let end = |port: usize, address: usize| -> Option<SocketAddr> {
        let port = u16::from_be_bytes(*head.get(port..)?.first_chunk()?);
        let bytes: [u8; 16] = *head.get(address..)?.first_chunk()?;
        let ip = if head[0] == INTERNET_6 {
            let ip = Ipv6Addr::from(bytes);
            ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
        } else {
            Ipv4Addr::from(*bytes.first_chunk::<4>()?).into()
        };
        Some(SocketAddr::new(ip, port))
    };
    Some(Ending { local: end(4, 8)?, remote: end(6, 24)?, bytes: bytes_of(&record[RECORD_BYTES..]) })
}

/// What a connection carried, where the kernel says so: attributes of length, kind and content, at multiples of four.
fn bytes_of(mut attributes: &[u8]) -> u64 {
    while let Some(head) = attributes.first_chunk::<4>() {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let Some(content) = attributes.get(4..length) else { return 0 };
        if u16::from_ne_bytes([head[2], head[3]]) == INFO {
            let number = |at: usize| {
                content
                    .get(at..)
                    .and_then(|rest| rest.first_chunk())
                    .map_or(0, |bytes| u64::from_ne_bytes(*bytes))
            };
            return number(SENT_AT).saturating_add(number(RECEIVED_AT));
        }
        attributes = attributes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(local: u16, remote: u16, sent: u64, received: u64) -> Vec<u8> {
        let mut bytes = vec![2, 7, 0, 0];
        bytes.extend([local.to_be_bytes(), remote.to_be_bytes()].concat());
        bytes.extend([10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([10, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.resize(RECORD_BYTES, 0);
        // Another attribute before the one with the numbers.
        bytes.extend([5u16.to_ne_bytes(), 18u16.to_ne_bytes()].concat());
        bytes.extend([6, 0, 0, 0]);
        bytes.extend([140u16.to_ne_bytes(), INFO.to_ne_bytes()].concat());
        let mut info = vec![0; 136];
        info[SENT_AT..SENT_AT + 8].copy_from_slice(&sent.to_ne_bytes());
        info[RECEIVED_AT..RECEIVED_AT + 8].copy_from_slice(&received.to_ne_bytes());
        bytes.extend(info);
        bytes
    }

    #[test]
    fn the_clients_end_is_added_up_without_its_port() {
        let mut tally = EndedTally::default();
        for (local, remote) in [(40_000, 5432), (40_001, 5432), (5432, 40_002), (80, 0)] {
            tally.note(&record(local, remote, 100, 20), (32_768, 60_999));
        }
        let (local, remote) = ("10.0.0.5".parse().unwrap(), "10.0.0.6:5432".parse().unwrap());
        assert_eq!(tally.gather(), [Ended { local, remote, times: 2, bytes: 240 }]);
        assert_eq!(tally.gather(), []);
    }

    #[test]
    fn what_is_cut_short_says_less_or_nothing() {
        let whole = record(40_000, 5432, 100, 20);
        for length in 0..whole.len() {
            let parsed = parse(&whole[..length]);
            assert_eq!(parsed.is_some(), length >= RECORD_BYTES, "{length}");
            assert!(parsed.is_none_or(|ending| ending.bytes == 0), "{length}");
        }
    }
}
