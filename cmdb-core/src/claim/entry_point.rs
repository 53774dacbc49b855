//! Entry points of services: where its users meet it, as people write it, and what that means among items.

use crate::claim::Match;
use crate::model::Value;
use crate::model::value::Attributes;

/// The most entry points one service may name.
pub const ENTRY_POINTS_MAX: usize = 256;

/// Where the users of a service meet it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryPoint {
    /// A URL or host:port.
    Address {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A system unit, on a host where one is named.
    Unit {
        /// Such as `nginx.service`.
        unit: String,
        /// Host name; empty: any.
        host: String,
    },
    /// A container with a label.
    ContainerLabel(String),
}

/// The text is not an entry point.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "\"{0}\" is not an entry point: write a URL (https://shop.example.com), host:port, unit:NAME.service[@HOST] or \
     container:LABEL=VALUE"
)]
pub struct NotAnEntryPoint(pub String);

impl std::str::FromStr for EntryPoint {
    type Err = NotAnEntryPoint;

    fn from_str(text: &str) -> Result<EntryPoint, NotAnEntryPoint> {
        let text = text.trim();
        let refuse = || NotAnEntryPoint(text.to_owned());
        if let Some(rest) = text.strip_prefix("unit:") {
            let (unit, host) = rest.split_once('@').unwrap_or((rest, ""));
            return if unit.is_empty() {
                Err(refuse())
            } else {
                Ok(EntryPoint::Unit { unit: unit.to_owned(), host: host.to_owned() })
            };
        }
        if let Some(label) = text.strip_prefix("container:") {
            return if label.contains('=') {
                Ok(EntryPoint::ContainerLabel(label.to_owned()))
            } else {
                Err(refuse())
            };
        }
        let (authority, default_port) = match text.split_once("://") {
            Some((scheme, rest)) => {
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                (authority.rsplit('@').next().unwrap_or_default(), default_port(scheme))
            }
            None => (text, None),
        };
        let (host, port) = split_authority(authority).ok_or_else(refuse)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(refuse)?,
            None => default_port.ok_or_else(refuse)?,
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(refuse());
        }
        Ok(EntryPoint::Address { host: host.to_owned(), port })
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn split_authority(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match authority.rsplit_once(':') {
        Some((host, _)) if host.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((authority, None)),
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    let port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        "postgres" | "postgresql" => 5432,
        "mysql" => 3306,
        "redis" => 6379,
        "amqp" => 5672,
        "mongodb" => 27017,
        "ldap" => 389,
        "ldaps" => 636,
        "ssh" => 22,
        _ => return None,
    };
    Some(port)
}

impl EntryPoint {
    /// What an agent's item has that is meant.
    #[must_use]
    pub fn to_match(&self) -> Match {
        let text = |value: &str| Value::Text(value.to_owned());
        let (class, attributes) = match self {
            EntryPoint::Address { host, port } => {
                let attributes = match host.parse::<std::net::IpAddr>() {
                    Ok(address) => {
                        let address = match address {
                            std::net::IpAddr::V4(address) => format!("tcp/{address}:{port}"),
                            std::net::IpAddr::V6(address) => format!("tcp/[{address}]:{port}"),
                        };
                        vec![("sockets", Value::List(vec![Value::Text(address)]))]
                    }
                    Err(_) => vec![("host_name", text(host)), ("port", Value::Integer(i64::from(*port)))],
                };
                ("endpoint", attributes)
            }
            EntryPoint::Unit { unit, host } if host.is_empty() => ("system_unit", vec![("unit", text(unit))]),
            EntryPoint::Unit { unit, host } => {
                ("system_unit", vec![("unit", text(unit)), ("host_name", text(host))])
            }
            EntryPoint::ContainerLabel(label) => {
                ("container", vec![("container_labels", Value::List(vec![text(label)]))])
            }
        };
        let attributes: Attributes =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Match { class: class.to_owned(), attributes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_as_people_write_them() {
        let address = |host: &str, port| Ok(EntryPoint::Address { host: host.to_owned(), port });
        let cases = [
            ("https://shop.example.com/cart?x=1", address("shop.example.com", 443)),
            ("http://user@[2001:db8::1]:8080/", address("2001:db8::1", 8080)),
            ("db01:5432", address("db01", 5432)),
            (
                "unit:nginx.service@web01",
                Ok(EntryPoint::Unit { unit: "nginx.service".into(), host: "web01".into() }),
            ),
            ("container:app=shop", Ok(EntryPoint::ContainerLabel("app=shop".into()))),
            ("db01", Err(NotAnEntryPoint("db01".into()))),
            ("db01:0", Err(NotAnEntryPoint("db01:0".into()))),
            ("unit:", Err(NotAnEntryPoint("unit:".into()))),
            ("", Err(NotAnEntryPoint(String::new()))),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<EntryPoint>(), expected, "{text}");
        }
    }
}
