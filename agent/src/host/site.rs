//! The network that the host's private addresses are of, where several networks use the same ones.
//!
//! Written `berlin`, or `berlin:192.168.7.0/24,10.9.0.0/16` where only these are the site's own and other private addresses
//! mean the same everywhere. Pure.

use std::net::IpAddr;

use super::addresses::{is_in_network, is_private};

/// The longest name of a site.
const NAME_BYTES_MAX: usize = 64;
/// The most networks of one site.
const NETWORKS_MAX: usize = 64;

/// A site; without a name there is one only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Site {
    name: String,
    /// Address and bits; none: all that are private.
    networks: Vec<(IpAddr, u8)>,
}

impl Site {
    /// As it is written; `None`: it is not written so.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, networks) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
        if name.len() > NAME_BYTES_MAX
            || !name.chars().all(is_plain)
            || (name.is_empty() && networks.is_some())
        {
            return None;
        }
        let networks: Vec<_> =
            networks.into_iter().flat_map(|list| list.split(',')).map(network).collect::<Option<_>>()?;
        (networks.len() <= NETWORKS_MAX).then(|| Self { name: name.to_owned(), networks })
    }

    /// In which site an address is meant; `None`: it means the same everywhere.
    pub fn of(&self, ip: IpAddr) -> Option<&str> {
        let is_own = match self.networks.as_slice() {
            [] => is_private(ip),
            networks => networks.iter().any(|(network, bits)| is_in_network(ip, *network, *bits)),
        };
        (is_own && !self.name.is_empty()).then_some(self.name.as_str())
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = text.trim().split_once('/')?;
    let (ip, bits) = (ip.parse::<IpAddr>().ok()?, bits.parse().ok()?);
    (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_a_site_or_of_none() {
        let cases = [
            ("", "10.0.0.5", None),
            ("berlin", "10.0.0.5", Some("berlin")),
            ("berlin", "100.64.0.1", Some("berlin")),
            ("berlin", "fd00::5", Some("berlin")),
            ("berlin", "192.0.2.5", None),
            ("berlin", "2001:db8::5", None),
            ("berlin:192.168.7.0/24", "192.168.7.9", Some("berlin")),
            ("berlin:192.168.7.0/24", "10.0.0.5", None),
            ("berlin:10.9.0.0/16, fd00:9::/32", "fd00:9::1", Some("berlin")),
        ];
        for (site, ip, expected) in cases {
            assert_eq!(Site::parse(site).unwrap().of(ip.parse().unwrap()), expected, "{site} {ip}");
        }
    }

    #[test]
    fn what_is_written_otherwise_is_refused() {
        for text in ["Berlin", "a b", "a@b", ":10.0.0.0/8", "a:", "a:10.0.0.0", "a:10.0.0.0/33", "a:x/8"] {
            assert_eq!(Site::parse(text), None, "{text}");
        }
    }
}
