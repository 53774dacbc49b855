//! Looks for a server that announces itself by mDNS as `_cmdb._tcp.local`.
//!
//! Only asked when no address is set. A server that speaks TLS says so with `tls=1` in its record.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

use super::ClientError;

const SERVICE: &str = "_cmdb._tcp.local.";
/// The property of a server that speaks TLS.
const TLS_PROPERTY: &str = "tls";

/// The URL of the first server that answers.
pub async fn discover(timeout_s: u32) -> Result<String, ClientError> {
    let failed = |error: mdns_sd::Error| ClientError::DiscoveryFailed(error.to_string());
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let answers = daemon.browse(SERVICE).map_err(failed)?;
    let first = async {
        loop {
            match answers.recv_async().await {
                Ok(ServiceEvent::ServiceResolved(service)) => {
                    if let Some(url) = url_of(&service) {
                        return Some(url);
                    }
                }
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(u64::from(timeout_s)), first).await;
    // The daemon's thread ends by itself once told; nobody waits for it.
    if let Err(error) = daemon.shutdown() {
        tracing::debug!(%error, "the mDNS daemon did not take its leave");
    }
    found.ok().flatten().ok_or(ClientError::NotDiscovered { seconds: timeout_s })
}

fn url_of(service: &ResolvedService) -> Option<String> {
    let speaks_tls = service.get_property_val_str(TLS_PROPERTY).is_some_and(|value| value == "1");
    let addresses = service.get_addresses().iter().map(|address| address.to_ip_addr());
    url(addresses, service.get_port(), service.get_hostname(), speaks_tls)
}

/// IPv4 first, and no link-local IPv6, which would need the interface. With TLS the name, which the certificate
/// has to carry.
fn url(
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
    host_name: &str,
    speaks_tls: bool,
) -> Option<String> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let address = addresses.filter(usable).min()?;
    Some(match speaks_tls {
        true => format!("https://{}:{port}", host_name.trim_end_matches('.')),
        false => format!("http://{}", SocketAddr::new(address, port)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let of = |addresses: &[&str], tls: bool| {
            url(addresses.iter().map(|text| text.parse().unwrap()), 7400, "cmdb.local.", tls)
        };
        assert_eq!(of(&["fd00::1", "10.0.0.5"], false).as_deref(), Some("http://10.0.0.5:7400"));
        assert_eq!(of(&["fd00::1"], false).as_deref(), Some("http://[fd00::1]:7400"));
        assert_eq!(of(&["10.0.0.5"], true).as_deref(), Some("https://cmdb.local:7400"));
        assert_eq!(of(&["fe80::1"], false), None);
        assert_eq!(of(&[], false), None);
    }
}
