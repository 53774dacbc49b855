//! The servers that the host asks for names: `resolv.conf`, and systemd-resolved's own list behind its stub.
//!
//! Knows nothing of claims; nobody is asked. Invariant: a server is an address; what the library would not ask is
//! left out.

use std::net::IpAddr;

use crate::root::Root;

const CONFIGURATION: &str = "/etc/resolv.conf";
/// Where systemd-resolved writes the servers that it asks itself.
const BEHIND_STUB: &str = "/run/systemd/resolve/resolv.conf";
/// The addresses at which systemd-resolved answers the host's own programs.
const STUBS: [&str; 2] = ["127.0.0.53", "127.0.0.54"];
/// MAXNS: the C libraries ask no more than three servers.
const LIBRARY_SERVERS_MAX: usize = 3;
/// The most servers taken of systemd-resolved, which has no such limit.
const STUB_SERVERS_MAX: usize = 32;
/// The most bytes of the file.
const FILE_BYTES_MAX: usize = 64 << 10;

/// One server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Resolver {
    /// Where it is.
    pub address: IpAddr,
    /// The interface that a link-local address means something on.
    pub zone: Option<String>,
}

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolvers {
    /// The file that says so; empty: none does.
    pub file: &'static str,
    /// In order of asking.
    pub servers: Vec<Resolver>,
    /// Servers in the file that are never asked.
    pub ignored: usize,
}

/// Who is asked.
pub fn read(root: &Root) -> Resolvers {
    let Some(found) = of_file(root, CONFIGURATION, LIBRARY_SERVERS_MAX) else { return Resolvers::default() };
    let is_stub = |resolver: &Resolver| STUBS.contains(&resolver.address.to_string().as_str());
    if found.servers.iter().any(is_stub)
        && let Some(behind) = of_file(root, BEHIND_STUB, STUB_SERVERS_MAX)
    {
        return behind;
    }
    found
}

fn of_file(root: &Root, file: &'static str, servers_max: usize) -> Option<Resolvers> {
    let content = root.read(file, FILE_BYTES_MAX).ok()?;
    let mut servers = parse(&String::from_utf8_lossy(&content));
    let ignored = servers.len().saturating_sub(servers_max);
    servers.truncate(servers_max);
    Some(Resolvers { file, servers, ignored })
}

/// `nameserver ADDRESS` lines; each server once.
fn parse(text: &str) -> Vec<Resolver> {
    let mut servers: Vec<Resolver> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("nameserver") {
            continue;
        }
        if let Some(resolver) = words.next().and_then(parse_server)
            && !servers.contains(&resolver)
        {
            servers.push(resolver);
        }
    }
    servers
}

/// `10.0.0.2`, `fe80::1%eth0`.
fn parse_server(text: &str) -> Option<Resolver> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone.to_owned())),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let address = match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    (!address.is_unspecified()).then_some(Resolver { address, zone })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let one = |resolver: Resolver| match resolver.zone {
            Some(zone) => format!("{}%{zone}", resolver.address),
            None => resolver.address.to_string(),
        };
        parse(text).into_iter().map(one).collect()
    }

    #[test]
    fn servers() {
        let text = "# nameserver 1.1.1.1\nsearch example.com\nnameserver 10.0.0.2 # first\n\tnameserver\t10.0.0.3\n\
            nameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver ::ffff:10.0.0.4\nnameserver 0.0.0.0\n\
            nameserver\nnameserver ns1.example.com\nnameservers 10.0.0.9\n";
        assert_eq!(shown(text), ["10.0.0.2", "10.0.0.3", "fe80::1%eth0", "10.0.0.4"]);
        assert!(shown("\0\u{fffd}nameserver").is_empty());
    }

    fn read_of(files: &[(&str, &str)]) -> (String, Vec<String>, usize) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let found = read(&Root::new(directory.path()));
        let servers = found.servers.iter().map(|resolver| resolver.address.to_string()).collect();
        (found.file.to_owned(), servers, found.ignored)
    }

    #[test]
    fn what_is_behind_the_stub_counts() {
        let stub = ("etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0\n");
        let behind = ("run/systemd/resolve/resolv.conf", "nameserver 10.0.0.2\nnameserver 10.0.0.3\n");
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read_of(&[stub, behind]),
            ("/run/systemd/resolve/resolv.conf".into(), text(&["10.0.0.2", "10.0.0.3"]), 0)
        );
        assert_eq!(read_of(&[stub]), ("/etc/resolv.conf".into(), text(&["127.0.0.53"]), 0));
        let many = "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n";
        assert_eq!(
            read_of(&[("etc/resolv.conf", many), behind]),
            ("/etc/resolv.conf".into(), text(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]), 1)
        );
        assert_eq!(read_of(&[behind]), (String::new(), vec![], 0));
    }
}
