//! Bonds: which links of one stand in for one another, as the kernel's bonding driver tells it.
//!
//! Only links that are up are members: a bond that has lost one says so by having one less. Links that are joined by
//! other means (teaming, bridges) are not read.

use crate::claim::group::{Group, Members, Require, add_member};
use crate::claim::{Draft, Relation};
use crate::root::Root;

/// The most bytes of what the driver tells of one bond.
const FILE_BYTES_MAX: usize = 256 << 10;
/// The most links of one bond.
const LINKS_MAX: usize = 256;
/// The driver watches the links and leaves out what is down.
const WATCHED: f64 = 0.9;
/// Nothing watches the links: a broken one goes on being used.
const UNWATCHED: f64 = 0.3;

/// One bond.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Bond {
    mode: String,
    /// The links are watched, by their carrier or by ARP.
    is_watched: bool,
    links_min: usize,
    links: Vec<Link>,
}

/// One link.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Link {
    interface: String,
    is_up: bool,
    megabits_per_s: Option<u64>,
}

/// The interface with the links that it needs, where it is a bond. `key` gives the key of a reported interface.
pub fn depends_on_links(
    draft: Draft,
    root: &Root,
    name: &str,
    key: impl Fn(&str) -> Option<String>,
) -> Draft {
    let path = format!("{}/net/bonding/{name}", root.own_process());
    let Ok(content) = root.read(&path, FILE_BYTES_MAX) else { return draft };
    let bond = parse(&String::from_utf8_lossy(&content));
    let mut members = Members::new();
    for link in bond.links.iter().filter(|link| link.is_up) {
        if let Some(key) = key(&link.interface) {
            add_member(&mut members, &key, bond.weight(link));
        }
    }
    draft.relates_in(Relation::DependsOn, &members, &bond.group(name))
}

impl Bond {
    /// Links that are used at once share the traffic by their speed.
    fn shares(&self) -> bool {
        self.mode.contains("802.3ad")
            && self.links.iter().filter(|link| link.is_up).all(|link| link.megabits_per_s.is_some())
    }

    fn weight(&self, link: &Link) -> u64 {
        link.megabits_per_s.filter(|_| self.shares()).unwrap_or(1)
    }

    fn require(&self) -> Require {
        let links = self.links_min.max(1);
        let slowest =
            self.links.iter().filter(|link| link.is_up).filter_map(|link| link.megabits_per_s).min();
        match slowest.filter(|_| self.shares()) {
            Some(slowest) => {
                Require::Capacity(slowest.saturating_mul(u64::try_from(links).unwrap_or(u64::MAX)))
            }
            None if links > 1 => Require::AtLeast(links),
            None => Require::Any,
        }
    }

    fn group(&self, name: &str) -> Group {
        let mut evidence = format!("bond {name} in mode {} has {} links", self.mode, self.links.len());
        if self.links_min > 1 {
            evidence.push_str(&format!(" and needs {}", self.links_min));
        }
        if self.shares() {
            evidence.push_str("; weights are their speeds in Mb/s");
        }
        for link in self.links.iter().filter(|link| !link.is_up) {
            evidence.push_str(&format!("; {} is down", link.interface));
        }
        if !self.is_watched {
            evidence.push_str("; nothing watches whether a link works");
        }
        let confidence = if self.is_watched { WATCHED } else { UNWATCHED };
        Group { name: "links".to_owned(), require: self.require(), confidence, evidence }
    }
}

/// `/proc/net/bonding/NAME`: `Name: value` lines, first of the bond, then of each link from `Slave Interface:` on.
fn parse(text: &str) -> Bond {
    let mut bond = Bond::default();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(':') else { continue };
        let value = value.trim();
        if name.trim() == "Slave Interface" {
            if bond.links.len() == LINKS_MAX {
                break;
            }
            bond.links.push(Link { interface: value.to_owned(), is_up: false, megabits_per_s: None });
            continue;
        }
        let is_number = value.parse::<u64>().is_ok_and(|number| number > 0);
        match (name.trim(), bond.links.last_mut()) {
            ("MII Status", Some(link)) => link.is_up = value == "up",
            ("Speed", Some(link)) => link.megabits_per_s = megabits(value),
            ("Bonding Mode", None) => bond.mode = short(value).to_owned(),
            ("MII Polling Interval (ms)" | "ARP Polling Interval (ms)", None) => bond.is_watched |= is_number,
            ("Min links", None) => bond.links_min = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    bond
}

/// `fault-tolerance (active-backup)` is known as `active-backup`.
fn short(mode: &str) -> &str {
    mode.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or(mode, |(name, _)| name)
}

/// `25000 Mbps`; `Unknown` where the link is down.
fn megabits(text: &str) -> Option<u64> {
    text.strip_suffix("Mbps")?.trim().parse().ok().filter(|speed| *speed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE_BACKUP: &str = "Ethernet Channel Bonding Driver: v6.1.0\n\n\
        Bonding Mode: fault-tolerance (active-backup)\nPrimary Slave: None\nCurrently Active Slave: eno1\n\
        MII Status: up\nMII Polling Interval (ms): 100\nUp Delay (ms): 0\n\n\
        Slave Interface: eno1\nMII Status: up\nSpeed: 25000 Mbps\nDuplex: full\n\n\
        Slave Interface: eno2\nMII Status: down\nSpeed: Unknown\nDuplex: Unknown\n";
    const LACP: &str = "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Status: up\n\
        MII Polling Interval (ms): 100\n\n802.3ad info\nLACP rate: fast\nMin links: 0\n\
        Active Aggregator Info:\n\tAggregator ID: 1\n\tNumber of ports: 2\n\n\
        Slave Interface: a\nMII Status: up\nSpeed: 10000 Mbps\nAggregator ID: 1\n\n\
        Slave Interface: b\nMII Status: up\nSpeed: 10000 Mbps\nAggregator ID: 1\n";

    fn shown(text: &str) -> (String, f64, String, Vec<String>) {
        let bond = parse(text);
        let group = bond.group("bond0");
        let links = bond.links.iter().filter(|link| link.is_up);
        let links = links.map(|link| format!("{} {}", link.interface, bond.weight(link))).collect();
        (group.require.to_string(), group.confidence, group.evidence, links)
    }

    #[test]
    fn one_link_of_those_that_are_up() {
        let evidence = "bond bond0 in mode active-backup has 2 links; eno2 is down";
        assert_eq!(shown(ACTIVE_BACKUP), ("any".into(), WATCHED, evidence.into(), vec!["eno1 1".into()]));
        let unwatched = ACTIVE_BACKUP.replace("(ms): 100", "(ms): 0");
        let said = shown(&unwatched);
        assert_eq!(said.1, UNWATCHED);
        assert!(said.2.ends_with("; nothing watches whether a link works"), "{}", said.2);
    }

    #[test]
    fn links_that_are_used_at_once_add_up() {
        let evidence = "bond bond0 in mode IEEE 802.3ad Dynamic link aggregation has 2 links; weights are their \
                        speeds in Mb/s";
        let links = vec!["a 10000".to_owned(), "b 10000".to_owned()];
        assert_eq!(shown(LACP), ("capacity 10000".into(), WATCHED, evidence.into(), links));
        let two = LACP.replace("Min links: 0", "Min links: 2");
        assert_eq!(shown(&two).0, "capacity 20000");
        let unknown = two.replacen("Speed: 10000 Mbps", "Speed: Unknown", 1);
        assert_eq!(shown(&unknown).0, "at_least 2");
    }

    #[test]
    fn rubbish_gives_no_links() {
        for text in
            ["", ":", "MII Status: up", "Slave Interface", "Min links: x\nBonding Mode:", "\0\u{fffd}:"]
        {
            assert!(parse(text).links.is_empty(), "{text:?}");
        }
    }
}
