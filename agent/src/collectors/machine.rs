//! The machine: physical or virtual, with its processor and memory; and the container that the agent runs in.
//!
//! Reads what the firmware says (DMI) from `/sys`, and recognises virtual machines by the hypervisor's names and
//! by the processor's flag.

use std::collections::BTreeSet;

use crate::claim::{Draft, Relation};
use crate::collector::{Collector, Scope, Section};
use crate::host::{CONTAINER_KEY, Host, MACHINE_KEY};
use crate::root::Root;

const DMI: &str = "/sys/class/dmi/id";
const DMI_BYTES_MAX: usize = 4096;
/// A thousand processors with long lists of flags.
const CPUINFO_BYTES_MAX: usize = 8 << 20;
/// The header of an ACPI table, the maker's name included.
const ACPI_HEADER_BYTES: usize = 36;
const ACPI_TABLE_BYTES_MAX: usize = 1 << 16;

/// Reads the machine.
#[derive(Debug)]
pub struct Machine;

impl Collector for Machine {
    fn scope(&self) -> Scope {
        Scope::Machine
    }

    fn collect(&mut self, host: &mut Host, section: &mut Section) {
        let firmware = Firmware::read(&host.root, section);
        if let Some(container) = &host.container {
            let mut draft = Draft::new(CONTAINER_KEY, "container", &host.name)
                .set("container_id", container.id.clone())
                .set("runtime", &container.runtime);
            // From inside a container the host's name is not known. Only what the firmware says tells the machine
            // from others; without it there would be one nameless machine more for each container.
            host.has_machine = firmware.uuid.is_some() || firmware.serial_number.is_some();
            if host.has_machine {
                draft = draft.relates(Relation::RunsOn, MACHINE_KEY);
            }
            section.add(draft);
        } else {
            host.has_machine = true;
        }
        if host.has_machine {
            section.add(machine(host, &firmware));
        }
    }
}

fn machine(host: &Host, firmware: &Firmware) -> Draft {
    let cpuinfo = host.root.read("/proc/cpuinfo", CPUINFO_BYTES_MAX).unwrap_or_default();
    let cpu = parse_cpuinfo(&String::from_utf8_lossy(&cpuinfo));
    let hypervisor = hypervisor(&host.root, firmware);
    let kind = match () {
        () if hypervisor.is_some() || cpu.is_virtual => "virtual_machine",
        () if firmware.chassis.is_some_and(Chassis::is_server) => "server",
        () => "computer",
    };
    // Inside a container the name belongs to the container, not to the machine.
    // The host's name alone is that of the operating system, which people mean more often.
    let name = match (&host.container, &firmware.uuid, &firmware.serial_number) {
        (None, ..) => format!("{} (machine)", host.name),
        (_, Some(id), _) | (_, _, Some(id)) => id.clone(),
        _ => host.name.clone(),
    };
    Draft::new(MACHINE_KEY, kind, &name)
        .set("host_name", host.container.is_none().then_some(host.name.as_str()))
        .set("serial_number", firmware.serial_number.clone())
        .set("uuid", firmware.uuid.clone())
        .set("manufacturer", firmware.manufacturer.clone())
        .set("model", firmware.model.clone())
        .set("chassis", firmware.chassis.map(Chassis::as_str))
        .set("bios.version", firmware.bios_version.clone())
        .set("board.serial_number", firmware.board_serial_number.clone())
        .set("cpu.model", cpu.model)
        .set("cpu.sockets", count(cpu.sockets))
        .set("cpu.cores", count(cpu.cores))
        .set("cpu.threads", count(cpu.threads))
        .set("memory_bytes", host.root.text("/proc/meminfo").and_then(|text| parse_memory_bytes(&text)))
        .set("hypervisor", hypervisor)
}

fn count(number: usize) -> Option<i64> {
    i64::try_from(number).ok().filter(|number| *number > 0)
}

/// What the firmware says of the machine.
#[derive(Debug, Default)]
struct Firmware {
    uuid: Option<String>,
    serial_number: Option<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    chassis: Option<Chassis>,
    bios_version: Option<String>,
    board_serial_number: Option<String>,
    bios_vendor: Option<String>,
}

impl Firmware {
    fn read(root: &Root, section: &mut Section) -> Self {
        let mut denied = false;
        let mut read = |name: &str| {
            let path = format!("{DMI}/{name}");
            match root.read(&path, DMI_BYTES_MAX) {
                Ok(content) => {
                    let text = String::from_utf8_lossy(&content);
                    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
                    (!text.is_empty()).then(|| text.to_owned())
                }
                Err(error) => {
                    denied |= error.is_denied();
                    None
                }
            }
        };
        let found = Self {
            uuid: read("product_uuid").map(|uuid| uuid.to_ascii_lowercase()),
            serial_number: read("product_serial"),
            manufacturer: read("sys_vendor"),
            model: read("product_name").or_else(|| root.text("/proc/device-tree/model")),
            chassis: read("chassis_type").and_then(|code| code.parse().ok()).map(Chassis::from_code),
            bios_version: read("bios_version"),
            board_serial_number: read("board_serial"),
            bios_vendor: read("bios_vendor"),
        };
        if denied {
            section.gap(
                "serial numbers and the UUID of the machine may be read by the superuser only: run as root, \
                 or give the agent CAP_DAC_READ_SEARCH",
            );
        }
        found
    }
}

/// The kinds of chassis of the SMBIOS standard that are told apart here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Chassis {
    Desktop,
    Portable,
    Server,
    Blade,
    Other,
}

impl Chassis {
    /// SMBIOS 7.4.1, without the lock bit.
    fn from_code(code: u8) -> Self {
        match code & 0x7f {
            3..=7 | 13 | 15 | 16 | 24 | 35 | 36 => Chassis::Desktop,
            8..=11 | 14 | 30..=32 => Chassis::Portable,
            17 | 23 | 25 => Chassis::Server,
            28 | 29 => Chassis::Blade,
            _ => Chassis::Other,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Chassis::Desktop => "desktop",
            Chassis::Portable => "portable",
            Chassis::Server => "server",
            Chassis::Blade => "blade",
            Chassis::Other => "other",
        }
    }

    fn is_server(self) -> bool {
        matches!(self, Chassis::Server | Chassis::Blade)
    }
}

/// The hypervisor by the names it leaves in the firmware.
fn hypervisor(root: &Root, firmware: &Firmware) -> Option<&'static str> {
    let texts = [&firmware.manufacturer, &firmware.model, &firmware.bios_vendor];
    let joined =
        texts.into_iter().flatten().map(|text| text.to_ascii_lowercase()).collect::<Vec<_>>().join("\n");
    if let Some(found) = hypervisor_of_firmware(&joined) {
        return Some(found);
    }
    if root.text("/sys/hypervisor/type").as_deref() == Some("xen") {
        // The privileged domain of Xen is the host itself, and sees the physical machine.
        let privileged = root.text("/proc/xen/capabilities").is_some_and(|text| text.contains("control_d"));
        return (!privileged).then_some("xen");
    }
    let table = root.read("/sys/firmware/acpi/tables/FACP", ACPI_TABLE_BYTES_MAX).unwrap_or_default();
    hypervisor_of_acpi(&table)
}

fn hypervisor_of_firmware(text: &str) -> Option<&'static str> {
    const NAMES: [(&str, &str); 15] = [
        ("vmware", "vmware"),
        ("virtualbox", "virtualbox"),
        ("innotek", "virtualbox"),
        ("microsoft corporation\nvirtual machine", "hyper-v"),
        ("parallels", "parallels"),
        ("bhyve", "bhyve"),
        ("google compute engine", "google"),
        ("openstack", "kvm"),
        ("kubevirt", "kvm"),
        ("alibaba cloud ecs", "kvm"),
        ("ovirt", "kvm"),
        ("hetzner\nvserver", "kvm"),
        ("xen", "xen"),
        ("qemu", "kvm"),
        ("kvm", "kvm"),
    ];
    // A bare-metal instance of Amazon carries the same maker's name, and says so in the model.
    if text.contains("amazon ec2") {
        return (!text.contains(".metal")).then_some("amazon");
    }
    NAMES.iter().find(|(name, _)| text.contains(name)).map(|(_, hypervisor)| *hypervisor)
}

/// The maker's name in the header of an ACPI table: where there is no DMI, this is all there is.
fn hypervisor_of_acpi(table: &[u8]) -> Option<&'static str> {
    let maker = table.get(..ACPI_HEADER_BYTES)?.get(10..16)?;
    match maker {
        b"FIRECK" => Some("firecracker"),
        b"CLOUDH" => Some("cloud-hypervisor"),
        b"BOCHS " => Some("kvm"),
        b"VBOX  " => Some("virtualbox"),
        b"BHYVE " => Some("bhyve"),
        _ => None,
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Cpu {
    model: Option<String>,
    sockets: usize,
    cores: usize,
    threads: usize,
    is_virtual: bool,
}

/// `/proc/cpuinfo`: a paragraph of `name : value` lines per hardware thread.
fn parse_cpuinfo(text: &str) -> Cpu {
    let mut cpu = Cpu::default();
    let mut sockets = BTreeSet::new();
    let mut cores = BTreeSet::new();
    let mut socket = "";
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.trim() {
            "processor" if value.parse::<u32>().is_ok() => cpu.threads += 1,
            "model name" if cpu.model.is_none() => cpu.model = Some(value.to_owned()),
            "physical id" => {
                socket = value;
                sockets.insert(value);
            }
            "core id" => {
                cores.insert((socket, value));
            }
            "flags" | "Features" if value.split(' ').any(|flag| flag == "hypervisor") => {
                cpu.is_virtual = true
            }
            _ => {}
        }
    }
    cpu.sockets = sockets.len();
    cpu.cores = cores.len();
    cpu
}

/// The `MemTotal` line of `/proc/meminfo`.
fn parse_memory_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors() {
        let one = "processor\t: 0\nmodel name\t: AMD EPYC\nphysical id\t: 0\ncore id\t\t: 0\nflags\t\t: fpu hypervisor lahf\n\n";
        let text = format!("{one}{}{}", one.replace(": 0", ": 1"), "junk\n:\nprocessor : x\n");
        let cpu = parse_cpuinfo(&text);
        assert_eq!((cpu.sockets, cpu.cores, cpu.threads, cpu.is_virtual), (2, 2, 2, true));
        assert_eq!(cpu.model.as_deref(), Some("AMD EPYC"));
        assert_eq!(parse_cpuinfo(""), Cpu::default());
    }

    #[test]
    fn memory() {
        assert_eq!(parse_memory_bytes("MemTotal:       24684084 kB\nMemFree: 1 kB"), Some(24_684_084 * 1024));
        for text in ["", "MemTotal:", "MemTotal: x kB", "MemTotal: 5", "MemTotal: 99999999999999999999 kB"] {
            assert_eq!(parse_memory_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn hypervisors() {
        let cases = [
            ("qemu\nstandard pc", Some("kvm")),
            ("vmware, inc.\nvmware7,1", Some("vmware")),
            ("microsoft corporation\nvirtual machine", Some("hyper-v")),
            ("microsoft corporation\nsurface laptop", None),
            ("amazon ec2\nc5.large", Some("amazon")),
            ("amazon ec2\nm5.metal", None),
            ("dell inc.\npoweredge r640", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(hypervisor_of_firmware(text), expected, "{text}");
        }
        let mut table = b"FACP\x14\x01\0\0\x06fFIRECKFCVM".to_vec();
        assert_eq!(hypervisor_of_acpi(&table), None, "too short for a header");
        table.resize(ACPI_HEADER_BYTES, 0);
        assert_eq!(hypervisor_of_acpi(&table), Some("firecracker"));
    }

    #[test]
    fn chassis() {
        assert!(Chassis::from_code(23).is_server());
        assert!(Chassis::from_code(0x80 | 28).is_server());
        assert_eq!(Chassis::from_code(10), Chassis::Portable);
        assert_eq!(Chassis::from_code(1), Chassis::Other);
    }
}
