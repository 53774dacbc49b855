//! The operating system's name servers: it needs one of those that it is told to ask.
//!
//! Where a program of this host is asked first, the others are only its fall-back, and whom it asks in turn is its own
//! affair: then no more is said than that the host talks to them.

use std::net::SocketAddr;

use super::connections::Remote;
use super::sockets::Protocol;
use crate::claim::group::{Group, Members, Require, add_member};
use crate::claim::{Draft, Relation};
use crate::host::Host;
use crate::host::resolvers::Resolver;

const PORT: u16 = 53;
/// Servers of one list need not know the same names.
const CONFIDENCE: f64 = 0.8;
const GROUP: &str = "name servers";

/// The name servers on other hosts.
pub fn elsewhere(host: &Host) -> impl Iterator<Item = Remote> {
    host.resolvers.servers.iter().filter(|resolver| !is_here(host, resolver)).map(remote)
}

fn is_here(host: &Host, resolver: &Resolver) -> bool {
    resolver.address.is_loopback() || host.addresses.iter().any(|address| address.ip == resolver.address)
}

/// An address of one link is no name for others.
fn remote(resolver: &Resolver) -> Remote {
    match (&resolver.zone, is_of_one_link(resolver)) {
        (None, false) => Remote::At(Protocol::Udp, SocketAddr::new(resolver.address, PORT)),
        (zone, _) => {
            let zone = zone.as_deref().unwrap_or_default();
            Remote::Named(Protocol::Udp, format!("[{}%{zone}]", resolver.address), PORT)
        }
    }
}

fn is_of_one_link(resolver: &Resolver) -> bool {
    match resolver.address {
        std::net::IpAddr::V4(four) => four.is_link_local(),
        std::net::IpAddr::V6(six) => six.is_unicast_link_local(),
    }
}

/// The operating system with its name servers, which the software section describes.
pub fn depends_on_name_servers(mut draft: Draft, host: &Host) -> Draft {
    let resolvers = &host.resolvers;
    let mut members = Members::new();
    for remote in elsewhere(host) {
        add_member(&mut members, &remote.key(), 1);
    }
    let asks_itself = resolvers.servers.iter().any(|resolver| is_here(host, resolver));
    if asks_itself || members.len() < 2 {
        let relation = if asks_itself { Relation::ConnectsTo } else { Relation::DependsOn };
        for key in members.keys() {
            draft = draft.relates(relation, key);
        }
        return draft;
    }
    let mut evidence = format!("{} lists {} name servers, asked in turn", resolvers.file, members.len());
    if resolvers.ignored > 0 {
        evidence.push_str(&format!("; {} more are never asked", resolvers.ignored));
    }
    let group = Group { name: GROUP.to_owned(), require: Require::Any, confidence: CONFIDENCE, evidence };
    draft.relates_in(Relation::DependsOn, &members, &group)
}
