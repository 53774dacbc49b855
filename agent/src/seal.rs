//! What tells this host from a copy of it: digests of its machine id, firmware UUID, root disk, addresses, cloud id.
//!
//! A disk image that is copied takes the agent's state along; the copy sees another machine around it. Only digests
//! leave this file, made for this one purpose, so that no part can be compared with what others know of the host.
//! Invariant: what cannot be read is no mismatch.

use std::collections::BTreeSet;

use cmdb_proto::v1;

use crate::collectors::disks::serial_number;
use crate::host::devices::{BlockDevices, Carrier};
use crate::host::mounts;
use crate::root::Root;

/// So many parts that differ make it another host: one alone may have been replaced.
const MISMATCHES_MAX: usize = 2;
const DIGEST_BYTES: usize = 16;
const INTERFACES_MAX: usize = 1_024;
const TEXT_BYTES_MAX: usize = 4_096;
/// The most addresses that are kept: one in common is enough.
const ADDRESSES_MAX: usize = 32;
/// What the digests are for.
const PURPOSE: &str = "cmdb-agent 2026-11 clone seal";

/// A digest of one value of one part.
pub type Digest = [u8; DIGEST_BYTES];

/// The parts, each with its name and the digests of its values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seal {
    /// In order of name.
    pub parts: Vec<(String, BTreeSet<Digest>)>,
}

impl Seal {
    /// Reads it.
    pub fn read(root: &Root) -> Self {
        let text = |path: &str| root.text(path).filter(|text| says_something(text));
        let parts: [(&str, Vec<String>); 5] = [
            ("cloud_id", cloud_id(root).into_iter().collect()),
            ("dmi_uuid", text("/sys/class/dmi/id/product_uuid").into_iter().collect()),
            ("mac", addresses(root)),
            ("machine_id", text("/etc/machine-id").into_iter().collect()),
            ("root_disk", root_disks(root)),
        ];
        let sealed = parts.into_iter().map(|(name, values)| {
            let digests = values.iter().map(|value| digest(name, &value.trim().to_ascii_lowercase()));
            (name.to_owned(), digests.collect::<BTreeSet<_>>())
        });
        Self { parts: sealed.filter(|(_, digests)| !digests.is_empty()).collect() }
    }

    /// The parts that both have and that have nothing in common.
    pub fn mismatches<'a>(&'a self, other: &'a Seal) -> Vec<&'a str> {
        let differs = |(name, digests): &&(String, BTreeSet<Digest>)| {
            let theirs = other.parts.iter().find(|(other, _)| other == name);
            theirs.is_some_and(|(_, theirs)| theirs.is_disjoint(digests))
        };
        self.parts.iter().filter(differs).map(|(name, _)| name.as_str()).collect()
    }

    /// Whether the other seal is of another host.
    pub fn is_of_another_host(&self, other: &Seal) -> bool {
        self.mismatches(other).len() >= MISMATCHES_MAX
    }

    /// As it travels.
    pub fn to_wire(&self) -> Vec<v1::SealPart> {
        let part = |(name, digests): &(String, BTreeSet<Digest>)| v1::SealPart {
            name: name.clone(),
            digests: digests.iter().map(|digest| digest.to_vec()).collect(),
        };
        self.parts.iter().map(part).collect()
    }
}

fn digest(name: &str, value: &str) -> Digest {
    let key = blake3::derive_key(PURPOSE, name.as_bytes());
    let digest = blake3::keyed_hash(&key, value.as_bytes());
    *digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
}

/// Firmware and half-made images say such things of every machine.
fn says_something(text: &str) -> bool {
    let text = text.trim();
    text != "uninitialized" && text.chars().any(|c| c.is_alphanumeric() && c != '0' && c != 'f' && c != 'F')
}

/// What a cloud calls this instance.
fn cloud_id(root: &Root) -> Option<String> {
    // Amazon writes the instance's id there; others write what they like.
    let tag = root.text("/sys/class/dmi/id/board_asset_tag").filter(|tag| tag.starts_with("i-"));
    tag.or_else(|| root.text("/run/cloud-init/.instance-id")).filter(|id| says_something(id))
}

/// Hardware addresses of interfaces with a device behind them.
fn addresses(root: &Root) -> Vec<String> {
    const INTERFACES: &str = "/sys/class/net";
    let names = root.names(INTERFACES, INTERFACES_MAX).unwrap_or_default().names;
    let real = names.iter().filter(|name| root.exists(&format!("{INTERFACES}/{name}/device")));
    let found = real.filter_map(|name| root.text(&format!("{INTERFACES}/{name}/address")));
    found.filter(|address| says_something(&address.replace(':', ""))).take(ADDRESSES_MAX).collect()
}

/// The serial numbers of the disks that carry `/`.
fn root_disks(root: &Root) -> Vec<String> {
    let all = mounts::read(root);
    let Some(mount) = mounts::root_of(&all) else { return Vec::new() };
    let carriers = BlockDevices::read(root).carriers_of(&mount.device_number, &mount.source);
    let serial = |carrier: &Carrier| match carrier {
        Carrier::Disk(name) => serial_number(root, name),
        Carrier::Volume(_) => None,
    };
    let found = carriers.iter().filter_map(serial);
    found.filter(|serial| serial.len() <= TEXT_BYTES_MAX && says_something(serial)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with these files.
    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, Seal) {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let seal = Seal::read(&Root::new(directory.path()));
        (directory, seal)
    }

    const MACHINE_ID: (&str, &str) = ("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    const UUID: (&str, &str) = ("sys/class/dmi/id/product_uuid", "4C4C4544-0051-3410-8052-B4C04F4E3732\n");
    const ETH0: (&str, &str) = ("sys/class/net/eth0/address", "52:54:00:12:34:56\n");
    const ETH0_DEVICE: (&str, &str) = ("sys/class/net/eth0/device/vendor", "0x1af4\n");

    #[test]
    fn one_thing_may_be_replaced_and_two_make_another_host() {
        let (_files, original) = host(&[MACHINE_ID, UUID, ETH0, ETH0_DEVICE]);
        let other_uuid = (UUID.0, "00000000-0051-3410-8052-B4C04F4E3733\n");
        let other_address = (ETH0.0, "52:54:00:65:43:21\n");
        let (_files, board) = host(&[MACHINE_ID, other_uuid, ETH0, ETH0_DEVICE]);
        assert_eq!(original.mismatches(&board), ["dmi_uuid"]);
        assert!(!original.is_of_another_host(&board));
        let (_files, copy) = host(&[MACHINE_ID, other_uuid, other_address, ETH0_DEVICE]);
        assert_eq!(original.mismatches(&copy), ["dmi_uuid", "mac"]);
        assert!(original.is_of_another_host(&copy) && copy.is_of_another_host(&original));
        // Without root the UUID is not to be seen; an interface without a device is one of many.
        let (_files, blind) = host(&[(MACHINE_ID.0, "ffff456789abcdef0123456789abcdef\n"), other_address]);
        assert_eq!(original.mismatches(&blind), ["machine_id"]);
    }

    #[test]
    fn what_every_machine_says_seals_nothing_and_no_value_is_shown() {
        let (_files, seal) =
            host(&[(MACHINE_ID.0, "uninitialized\n"), (UUID.0, "00000000-0000-0000-0000-000000000000\n")]);
        assert_eq!(seal, Seal::default());
        let (_files, seal) = host(&[MACHINE_ID]);
        let (_files, again) = host(&[MACHINE_ID]);
        assert_eq!(seal, again);
        assert!(!format!("{:?}", seal.to_wire()).contains("0123456789abcdef"));
    }
}
