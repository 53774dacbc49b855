//! Looks for a server that announces itself by mDNS as `_cmdb._tcp.local`.
//!
//! Only asked when no address is set. A server that speaks TLS says so with `tls=1` in its record.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mdns_sd::{ResolvedService, ServiceDaemon, ServiceEvent};

use super::{Address, ClientError};

const SERVICE: &str = "_cmdb._tcp.local.";
/// The property of a server that speaks TLS.
const TLS_PROPERTY: &str = "tls";

/// The first server that answers.
pub async fn discover(timeout_s: u32) -> Result<Address, ClientError> {
    let failed = |error: mdns_sd::Error| ClientError::DiscoveryFailed(error.to_string());
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let answers = daemon.browse(SERVICE).map_err(failed)?;
    let first = async {
        loop {
            match answers.recv_async().await {
                Ok(ServiceEvent::ServiceResolved(service)) => {
                    if let Some(address) = address_of(&service) {
                        return Some(address);
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

fn address_of(service: &ResolvedService) -> Option<Address> {
    let speaks_tls = service.get_property_val_str(TLS_PROPERTY).is_some_and(|value| value == "1");
    let addresses = service.get_addresses().iter().map(|address| address.to_ip_addr());
    address(addresses, service.get_port(), service.get_hostname(), speaks_tls)
}

/// IPv4 first, and no link-local IPv6, which would need the interface. Few machines can look up `HOST.local`, so the
/// connection goes to the number, and the certificate has to carry the name.
fn address(
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
    host_name: &str,
    speaks_tls: bool,
) -> Option<Address> {
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => true,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let socket = SocketAddr::new(addresses.filter(usable).min()?, port);
    Some(match speaks_tls {
        true => Address {
            url: format!("https://{socket}"),
            certificate_name: Some(host_name.trim_end_matches('.').to_owned()),
        },
        false => Address { url: format!("http://{socket}"), certificate_name: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let of = |addresses: &[&str], tls: bool| {
            let addresses = addresses.iter().map(|text| text.parse().unwrap());
            address(addresses, 7400, "cmdb.local.", tls).map(|found| (found.url, found.certificate_name))
        };
        let plain = |url: &str| Some((url.to_owned(), None));
        assert_eq!(of(&["fd00::1", "10.0.0.5"], false), plain("http://10.0.0.5:7400"));
        assert_eq!(of(&["fd00::1"], false), plain("http://[fd00::1]:7400"));
        assert_eq!(
            of(&["10.0.0.5"], true),
            Some(("https://10.0.0.5:7400".into(), Some("cmdb.local".into())))
        );
        assert_eq!(of(&["fe80::1"], false), None);
        assert_eq!(of(&[], false), None);
    }
}
