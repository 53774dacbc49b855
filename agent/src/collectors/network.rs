//! Network interfaces and their addresses.
//!
//! The legs that container and virtual machine managers put on a host for each guest are left out: they come and
//! go with the guests, which have the other end.

mod bonds;

use std::collections::BTreeSet;

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::addresses::Address;
use crate::host::{Host, OS_KEY};
use crate::root::Root;

const INTERFACES: &str = "/sys/class/net";
/// The most interfaces of one host.
const INTERFACES_MAX: usize = 4096;
/// IFF_UP of the interface's flags.
const FLAG_UP: u32 = 1;
/// ARPHRD_ETHER, ARPHRD_LOOPBACK.
const TYPE_ETHERNET: i64 = 1;
const TYPE_LOOPBACK: i64 = 772;
const BITS_PER_MEGABIT: i64 = 1_000_000;

/// Reads interfaces and addresses.
#[derive(Debug)]
pub struct Network;

impl Collector for Network {
    fn scope(&self) -> Scope {
        Scope::Network
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        let root = &host.root;
        let names = match root.names(INTERFACES, INTERFACES_MAX) {
            Ok(names) => names,
            Err(error) => {
                section.gap(error.to_string());
                Default::default()
            }
        };
        if names.truncated {
            section.gap(format!("more than {INTERFACES_MAX} network interfaces: the rest is left out"));
        }
        let mut drafts = Vec::new();
        for name in names.names.into_iter().filter(|name| !is_leg_of_guest(name)) {
            if let Some(draft) = interface(root, &name) {
                drafts.push((name, draft));
            }
        }
        let known: BTreeSet<String> = drafts.iter().map(|(name, _)| name.clone()).collect();
        let key = |name: &str| known.contains(name).then(|| interface_key(name));
        for (name, draft) in drafts {
            section.add(bonds::depends_on_links(draft, root, &name, key));
        }
        for one in &host.addresses {
            section.add(address(one, known.contains(&one.interface)));
        }
    }
}

fn interface_key(name: &str) -> String {
    format!("interface:{name}")
}

fn interface(root: &Root, name: &str) -> Option<Draft> {
    let at = |file: &str| format!("{INTERFACES}/{name}/{file}");
    let kind_number = root.number(&at("type"))?;
    let flags = root.text(&at("flags")).and_then(|text| parse_flags(&text)).unwrap_or(0);
    let has_link = root.text(&at("operstate")).is_none_or(|state| matches!(state.as_str(), "up" | "unknown"));
    let speed = root.number(&at("speed")).filter(|megabits| *megabits > 0);
    Some(
        Draft::new(&interface_key(name), "network_interface", name)
            .within(OS_KEY)
            .set("interface", name)
            .set("mac_address", root.text(&at("address")).filter(|mac| is_mac_address(mac)))
            .set("mtu", root.number(&at("mtu")))
            .set("speed_bits_per_s", speed.and_then(|megabits| megabits.checked_mul(BITS_PER_MEGABIT)))
            .set("kind", kind(root, name, kind_number))
            .set("up", flags & FLAG_UP != 0 && has_link)
            .related_from(OS_KEY, Relation::Contains),
    )
}

fn kind(root: &Root, name: &str, kind_number: i64) -> &'static str {
    let has = |file: &str| root.exists(&format!("{INTERFACES}/{name}/{file}"));
    let described = root.text(&format!("{INTERFACES}/{name}/uevent")).unwrap_or_default();
    let device_type = described.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    match device_type {
        "bridge" => return "bridge",
        "bond" => return "bond",
        "vlan" => return "vlan",
        "vxlan" => return "vxlan",
        "wlan" => return "wireless",
        "wireguard" => return "wireguard",
        _ => {}
    }
    match () {
        () if kind_number == TYPE_LOOPBACK => "loopback",
        () if has("bridge") => "bridge",
        () if has("bonding") => "bond",
        () if has("wireless") => "wireless",
        () if has("tun_flags") => "tunnel",
        () if kind_number == TYPE_ETHERNET && has("device") => "ethernet",
        () if kind_number == TYPE_ETHERNET => "virtual",
        () => "other",
    }
}

fn address(address: &Address, has_interface: bool) -> Draft {
    let text = address.ip.to_string();
    let draft = Draft::new(&format!("address:{text}"), "ip_address", &text)
        .within(OS_KEY)
        .set("address", &text)
        .set("prefix_length", i64::from(address.prefix))
        .set("scope", address.reach.as_str())
        .set("family", if address.ip.is_ipv4() { "ipv4" } else { "ipv6" });
    if has_interface {
        draft.related_from(&interface_key(&address.interface), Relation::Contains)
    } else {
        draft
    }
}

fn is_leg_of_guest(name: &str) -> bool {
    const PREFIXES: [&str; 7] = ["veth", "cali", "lxc", "vnet", "cilium_", "tap", "vif"];
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn parse_flags(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn is_mac_address(text: &str) -> bool {
    text != "00:00:00:00:00:00"
        && text.len() == 17
        && text.split(':').all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses() {
        assert!(is_mac_address("02:fc:00:00:00:01"));
        for text in ["", "00:00:00:00:00:00", "02:fc:00:00:00", "zz:fc:00:00:00:01", "0200:c:00:00:00:01"] {
            assert!(!is_mac_address(text), "{text}");
        }
    }

    #[test]
    fn flags() {
        assert_eq!(parse_flags("0x1003"), Some(0x1003));
        assert_eq!(parse_flags("1003"), None);
        assert_eq!(parse_flags("0xzz"), None);
    }
}
