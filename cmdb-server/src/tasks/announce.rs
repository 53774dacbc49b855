//! The server makes itself known on the local network, so that agents need no address.

use std::net::SocketAddr;

use anyhow::Context;
use mdns_sd::{ServiceDaemon, ServiceInfo};

/// What agents look for.
const SERVICE: &str = "_cmdb._tcp.local.";

/// The announcement stands until it is dropped.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

/// Announces the address.
///
/// # Errors
/// When multicast DNS does not work on this machine.
pub fn announce(address: SocketAddr, tls: bool) -> anyhow::Result<Announcement> {
    let daemon = ServiceDaemon::new().context("cannot begin to announce the server by mDNS")?;
    let host = host_name();
    let protocol = cmdb_proto::PROTOCOL_VERSION.to_string();
    let properties = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("protocol", protocol.as_str()),
        ("tls", if tls { "1" } else { "0" }),
    ];
    let instance = format!("cmdb-{host}-{}", address.port());
    let host = format!("{host}.local.");
    let described =
        |ip: &str| ServiceInfo::new(SERVICE, &instance, &host, ip, address.port(), &properties[..]);
    let service = if address.ip().is_unspecified() {
        described("")?.enable_addr_auto()
    } else {
        described(&address.ip().to_string())?
    };
    let name = service.get_fullname().to_owned();
    daemon.register(service).context("cannot announce the server by mDNS")?;
    if address.ip().is_loopback() {
        tracing::warn!(%address, "a loopback address is announced: only agents of this machine can use it");
    }
    tracing::info!(name, %address, "announced by mDNS");
    Ok(Announcement { daemon, name })
}

/// A label of DNS has at most 63 letters, digits and hyphens.
fn host_name() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy().into_owned();
    let first = name.split('.').next().unwrap_or_default();
    let label: String = first.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    if label.is_empty() { "server".to_owned() } else { label }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // A daemon that is gone announces nothing any more.
        drop(self.daemon.unregister(&self.name));
        drop(self.daemon.shutdown());
    }
}
