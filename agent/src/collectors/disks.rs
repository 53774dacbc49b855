//! Disks: block devices that are hardware, or are handed to a virtual machine as such.
//!
//! Loop devices, memory disks and what is built of other devices (device mapper, software RAID) are no disks;
//! [`BlockDevices`] follows them down to the disks they lie on.

use std::collections::{BTreeMap, BTreeSet};

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::{Host, MACHINE_KEY};
use crate::root::Root;

const BLOCK: &str = "/sys/block";
/// The most block devices of one host.
const DEVICES_MAX: usize = 16_384;
/// How far devices are built on one another.
const LAYERS_MAX: usize = 16;
const SECTOR_BYTES: u64 = 512;

/// Reads the disks.
#[derive(Debug)]
pub struct Disks;

impl Collector for Disks {
    fn scope(&self) -> Scope {
        Scope::Disks
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        if !host.has_machine {
            // Inside a container that does not see its machine: the disks are the machine's.
            return;
        }
        let root = &host.root;
        let names = match root.names(BLOCK, DEVICES_MAX) {
            Ok(names) => names,
            Err(error) if error.is_missing() => return,
            Err(error) => return section.gap(error.to_string()),
        };
        if names.truncated {
            section.gap(format!("more than {DEVICES_MAX} block devices: the rest is left out"));
        }
        for name in names.names.iter().filter(|name| is_disk(root, name)) {
            section.add(disk(root, name));
        }
    }
}

/// The agent's key of a disk.
pub fn disk_key(name: &str) -> String {
    format!("disk:{name}")
}

fn disk(root: &Root, name: &str) -> Draft {
    let at = |file: &str| format!("{BLOCK}/{name}/{file}");
    let sectors = root.text(&at("size")).and_then(|text| text.parse::<u64>().ok());
    Draft::new(&disk_key(name), "disk", name)
        .within(MACHINE_KEY)
        .set("device", format!("/dev/{}", name.replace('!', "/")))
        .set("serial_number", serial_number(root, name))
        .set("model", root.text(&at("device/model")))
        .set("size_bytes", sectors.and_then(|sectors| sectors.checked_mul(SECTOR_BYTES)))
        .set("rotational", root.number(&at("queue/rotational")).map(|number| number == 1))
        .related_from(MACHINE_KEY, Relation::Contains)
}

fn is_disk(root: &Root, name: &str) -> bool {
    const BUILT: [&str; 8] = ["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"];
    if BUILT.iter().any(|prefix| name.starts_with(prefix)) {
        return false;
    }
    // A drive without a medium has no size, and is not there for us.
    root.number(&format!("{BLOCK}/{name}/size")).is_some_and(|sectors| sectors > 0)
}

fn serial_number(root: &Root, name: &str) -> Option<String> {
    let at = |file: &str| format!("{BLOCK}/{name}/{file}");
    ["serial", "device/serial"]
        .iter()
        .find_map(|file| root.text(&at(file)))
        .or_else(|| parse_unit_serial(&root.read(&at("device/vpd_pg80"), 4096).ok()?))
        .or_else(|| root.text(&at("device/cid")))
        .or_else(|| root.text(&at("wwid")).or_else(|| root.text(&at("device/wwid"))))
}

/// The page of a SCSI disk that holds its serial number: four bytes of header, then the text.
fn parse_unit_serial(page: &[u8]) -> Option<String> {
    let [_, 0x80, high, low, text @ ..] = page else { return None };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let text = String::from_utf8_lossy(text.get(..length)?);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Which disks each block device lies on.
#[derive(Debug, Default)]
pub struct BlockDevices {
    by_number: BTreeMap<String, String>,
    by_name: BTreeMap<String, String>,
    below: BTreeMap<String, Vec<String>>,
    disks: BTreeSet<String>,
}

impl BlockDevices {
    /// Reads the names and numbers of all block devices and their partitions.
    pub fn read(root: &Root) -> Self {
        let mut found = Self::default();
        for name in root.names(BLOCK, DEVICES_MAX).unwrap_or_default().names {
            found.take_device(root, &name);
        }
        found
    }

    fn take_device(&mut self, root: &Root, name: &str) {
        let directory = format!("{BLOCK}/{name}");
        if is_disk(root, name) {
            self.disks.insert(name.to_owned());
        }
        if let Some(number) = root.text(&format!("{directory}/dev")) {
            self.by_number.insert(number, name.to_owned());
        }
        if let Some(mapped) = root.text(&format!("{directory}/dm/name")) {
            self.by_name.insert(format!("mapper/{mapped}"), name.to_owned());
        }
        self.by_name.insert(name.replace('!', "/"), name.to_owned());
        let lower = root.names(&format!("{directory}/slaves"), DEVICES_MAX).unwrap_or_default().names;
        self.below.insert(name.to_owned(), lower);
        for part in root.names(&directory, DEVICES_MAX).unwrap_or_default().names {
            if !part.starts_with(name) {
                continue;
            }
            if let Some(number) = root.text(&format!("{directory}/{part}/dev")) {
                self.by_number.insert(number, part.clone());
                self.by_name.insert(part.clone(), part.clone());
                self.below.insert(part, vec![name.to_owned()]);
            }
        }
    }

    /// The disks below a file system, by its device number (`8:1`) or its source (`/dev/sda1`).
    pub fn disks_below(&self, number: &str, source: &str) -> BTreeSet<String> {
        let by_source = || self.by_name.get(source.strip_prefix("/dev/")?);
        let mut disks = BTreeSet::new();
        let mut layer: Vec<&String> = self.by_number.get(number).or_else(by_source).into_iter().collect();
        for _ in 0..LAYERS_MAX {
            let mut next = Vec::new();
            for name in layer {
                if self.disks.contains(name) {
                    disks.insert(name.clone());
                } else {
                    next.extend(self.below.get(name).into_iter().flatten());
                }
            }
            layer = next;
        }
        disks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_of_scsi_disks() {
        assert_eq!(parse_unit_serial(b"\0\x80\0\x06 WD12 rest").as_deref(), Some("WD12"));
        for page in [&b""[..], b"\0\x80", b"\0\x80\xff\xffx", b"\0\x83\0\x01x", b"\0\x80\0\0"] {
            assert_eq!(parse_unit_serial(page), None);
        }
    }

    #[test]
    fn a_file_system_is_followed_down_to_its_disks() {
        let directory = tempfile::tempdir().unwrap();
        let block = directory.path().join("sys/block");
        let write = |path: &str, text: &str| {
            let path = block.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (disk, number) in [("sda", "8:0"), ("sdb", "8:16")] {
            write(&format!("{disk}/size"), "100\n");
            write(&format!("{disk}/dev"), &format!("{number}\n"));
        }
        write("sda/sda1/dev", "8:1\n");
        write("dm-0/dev", "254:0\n");
        write("dm-0/dm/name", "vg-root\n");
        write("dm-0/slaves/sda1", "");
        write("dm-0/slaves/sdb", "");
        let devices = BlockDevices::read(&Root::new(directory.path()));
        let below =
            |number: &str, source: &str| devices.disks_below(number, source).into_iter().collect::<Vec<_>>();
        assert_eq!(below("8:1", ""), ["sda"]);
        assert_eq!(below("254:0", ""), ["sda", "sdb"]);
        assert_eq!(below("0:31", "/dev/mapper/vg-root"), ["sda", "sdb"]);
        assert!(below("0:99", "tmpfs").is_empty());
    }
}
