//! Which hosts a token lets in: networks such as `10.1.0.0/16`, and host names such as `web-*`.

use std::net::IpAddr;

/// One line of a token's scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Addresses whose first bits are these.
    Network(IpAddr, u8),
    /// Host names; a star stands for anything.
    Name(String),
}

impl Scope {
    /// Reads one; what is wrong with it, otherwise.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str) -> Result<Scope, &'static str> {
        if let Some((address, prefix)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| "its address is none")?;
            let prefix: u8 = prefix.parse().map_err(|_| "its length is no number")?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            return if prefix <= bits {
                Ok(Scope::Network(address, prefix))
            } else {
                Err("its length is too large")
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Scope::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
        if text.is_empty() || text.len() > 255 || !text.chars().all(good) {
            return Err(
                "a host name has letters, digits, hyphens, underscores and dots, and * for any of them",
            );
        }
        Ok(Scope::Name(text.to_ascii_lowercase()))
    }

    /// Whether a host is within it.
    pub fn holds(&self, host_name: &str, address: Option<IpAddr>) -> bool {
        match self {
            Scope::Network(network, prefix) => {
                address.is_some_and(|address| within(address.to_canonical(), *network, *prefix))
            }
            Scope::Name(pattern) => fits(pattern.as_bytes(), host_name.to_ascii_lowercase().as_bytes()),
        }
    }
}

fn within(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let same = |one: u128, other: u128, bits: u32| {
        let left_out = bits.saturating_sub(u32::from(prefix));
        one.checked_shr(left_out).unwrap_or(0) == other.checked_shr(left_out).unwrap_or(0)
    };
    match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            same(u128::from(u32::from(one)), u128::from(u32::from(other)), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => same(one.into(), other.into(), 128),
        _ => false,
    }
}

/// Whether a text fits a pattern, in time proportional to both lengths: a star that failed is tried one further.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((after, from)) => {
                    *from += 1;
                    (p, t) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_names() {
        let cases = [
            ("10.1.0.0/16", "web-1", "10.1.2.3", true),
            ("10.1.0.0/16", "web-1", "10.2.2.3", false),
            ("10.1.0.0/16", "web-1", "::ffff:10.1.2.3", true),
            ("0.0.0.0/0", "web-1", "192.0.2.1", true),
            ("0.0.0.0/0", "web-1", "2001:db8::1", false),
            ("10.1.2.3", "web-1", "10.1.2.3", true),
            ("2001:db8::/32", "web-1", "2001:db8:1::1", true),
            ("::/0", "web-1", "2001:db8:1::1", true),
            ("web-*", "web-1", "10.1.2.3", true),
            ("web-*", "WEB-1", "10.1.2.3", true),
            ("web-*", "db-1", "10.1.2.3", false),
            ("*.example.org", "a.b.example.org", "10.1.2.3", true),
            ("*a*b", "xxaxxbxb", "10.1.2.3", true),
            ("*a*b", "xxaxxbx", "10.1.2.3", false),
            ("web-1", "web-11", "10.1.2.3", false),
        ];
        for (scope, host, address, expected) in cases {
            let holds = Scope::read(scope).unwrap().holds(host, Some(address.parse().unwrap()));
            assert_eq!(holds, expected, "{scope} {host} {address}");
        }
        assert!(!Scope::read("10.0.0.0/8").unwrap().holds("web-1", None));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "a b", "web/1"] {
            assert!(Scope::read(bad).is_err(), "{bad}");
        }
    }
}
