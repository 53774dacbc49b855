//! Disks: block devices that are hardware, or are handed to a virtual machine as such; and the volumes that software
//! RAID makes of them.

mod volumes;

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::devices::{BLOCK, Carrier};
use crate::host::{Host, MACHINE_KEY};
use crate::root::Root;

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
        if let Some(gap) = &host.devices.gap {
            section.gap(gap);
        }
        for name in &host.devices.disks {
            section.add(disk(&host.root, name));
        }
        for array in host.devices.arrays.values() {
            section.add(volumes::volume(host, array));
        }
    }
}

fn disk(root: &Root, name: &str) -> Draft {
    let at = |file: &str| format!("{BLOCK}/{name}/{file}");
    Draft::new(&Carrier::Disk(name.to_owned()).key(), "disk", name)
        .within(MACHINE_KEY)
        .set("device", format!("/dev/{}", name.replace('!', "/")))
        .set("serial_number", serial_number(root, name))
        .set("model", root.text(&at("device/model")))
        .set("size_bytes", size_bytes(root, name))
        .set("rotational", root.number(&at("queue/rotational")).map(|number| number == 1))
        .related_from(MACHINE_KEY, Relation::Contains)
}

fn size_bytes(root: &Root, name: &str) -> Option<u64> {
    root.text(&format!("{BLOCK}/{name}/size"))?.parse::<u64>().ok()?.checked_mul(SECTOR_BYTES)
}

/// The serial number of a disk.
pub fn serial_number(root: &Root, name: &str) -> Option<String> {
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
}
