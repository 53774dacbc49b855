//! Block devices, and what each lies on: partitions and mapped devices down to software RAID and disks.
//!
//! Loop devices and memory disks carry nothing that lasts and are left out. Knows nothing of claims. Invariant: only
//! what the kernel tells in `/sys` and `/proc` is read, never a device.

use std::collections::{BTreeMap, BTreeSet};

use super::arrays::{self, Array};
use crate::root::Root;

/// Where block devices stand.
pub const BLOCK: &str = "/sys/block";
/// The most block devices of one host.
const DEVICES_MAX: usize = 16_384;
/// How far devices are built on one another.
const LAYERS_MAX: usize = 16;
/// What is no disk, and carries nothing.
const PASSING: [&str; 6] = ["loop", "ram", "zram", "sr", "fd", "nbd"];
/// What is built of other devices.
const BUILT: [&str; 2] = ["dm-", "md"];

/// Something that data lies on and that fails as a whole.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Carrier {
    /// A disk.
    Disk(String),
    /// A volume of software RAID.
    Volume(String),
}

impl Carrier {
    /// The agent's key of it.
    pub fn key(&self) -> String {
        match self {
            Carrier::Disk(name) => format!("disk:{name}"),
            Carrier::Volume(name) => format!("volume:{name}"),
        }
    }
}

/// The block devices of a host.
#[derive(Debug, Default)]
pub struct BlockDevices {
    /// Names of the disks.
    pub disks: BTreeSet<String>,
    /// Running software RAID, by name.
    pub arrays: BTreeMap<String, Array>,
    /// What could not be read.
    pub gap: Option<String>,
    by_number: BTreeMap<String, String>,
    by_name: BTreeMap<String, String>,
    below: BTreeMap<String, Vec<String>>,
}

impl BlockDevices {
    /// Reads the names and numbers of all block devices and their partitions.
    pub fn read(root: &Root) -> Self {
        let mut found = Self::default();
        let names = match root.names(BLOCK, DEVICES_MAX) {
            Ok(names) => names,
            Err(error) if error.is_missing() => return found,
            Err(error) => return Self { gap: Some(error.to_string()), ..found },
        };
        if names.truncated {
            found.gap = Some(format!("more than {DEVICES_MAX} block devices: the rest is left out"));
        }
        for name in names.names.iter().filter(|name| !begins_with(name, &PASSING)) {
            found.take_device(root, name);
        }
        if names.names.iter().any(|name| name.starts_with("md")) {
            let arrays = arrays::read(root).into_iter();
            found.arrays = arrays.map(|array| (array.name.clone(), array)).collect();
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

    /// A part of a disk.
    #[cfg(test)]
    pub fn put(&mut self, part: &str, disk: &str) {
        self.disks.insert(disk.to_owned());
        self.below.insert(part.to_owned(), vec![disk.to_owned()]);
    }

    /// What carries a file system, given by its device number (`8:1`) or its source (`/dev/sda1`).
    pub fn carriers_of(&self, number: &str, source: &str) -> BTreeSet<Carrier> {
        let by_source = || self.by_name.get(source.strip_prefix("/dev/")?);
        self.by_number
            .get(number)
            .or_else(by_source)
            .map(|name| self.carriers_below(name))
            .unwrap_or_default()
    }

    /// What carries a device: the device itself where it is a disk or an array.
    pub fn carriers_below(&self, device: &str) -> BTreeSet<Carrier> {
        let mut carriers = BTreeSet::new();
        let mut layer: BTreeSet<&str> = BTreeSet::from([device]);
        for _ in 0..LAYERS_MAX {
            let mut next = BTreeSet::new();
            for name in layer {
                if self.disks.contains(name) {
                    carriers.insert(Carrier::Disk(name.to_owned()));
                } else if self.arrays.contains_key(name) {
                    carriers.insert(Carrier::Volume(name.to_owned()));
                } else {
                    next.extend(self.below.get(name).into_iter().flatten().map(String::as_str));
                }
            }
            layer = next;
        }
        carriers
    }
}

fn begins_with(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

fn is_disk(root: &Root, name: &str) -> bool {
    // A drive without a medium has no size, and is not there for us.
    !begins_with(name, &PASSING)
        && !begins_with(name, &BUILT)
        && root.number(&format!("{BLOCK}/{name}/size")).is_some_and(|sectors| sectors > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_is_followed_down_to_what_carries_it() {
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
        write("md0/dev", "9:0\n");
        write("md0/slaves/sda1", "");
        write("dm-1/dev", "254:1\n");
        write("dm-1/slaves/md0", "");
        let root = Root::new(directory.path());
        let devices = BlockDevices::read(&root);
        let below = |devices: &BlockDevices, number: &str, source: &str| {
            devices.carriers_of(number, source).iter().map(Carrier::key).collect::<Vec<_>>()
        };
        assert_eq!(
            below(&devices, "254:1", ""),
            ["disk:sda"],
            "an array that is not known is passed through"
        );
        std::fs::create_dir(directory.path().join("proc")).unwrap();
        std::fs::write(directory.path().join("proc/mdstat"), "md0 : active raid1 sda1[0]\n").unwrap();
        let devices = BlockDevices::read(&root);
        let below = |number: &str, source: &str| below(&devices, number, source);
        assert_eq!(below("8:1", ""), ["disk:sda"]);
        assert_eq!(below("254:0", ""), ["disk:sda", "disk:sdb"]);
        assert_eq!(below("0:31", "/dev/mapper/vg-root"), ["disk:sda", "disk:sdb"]);
        assert_eq!(below("254:1", ""), ["volume:md0"]);
        assert!(below("0:99", "tmpfs").is_empty());
    }
}
