//! The collectors, one file each. A file's parsing functions know nothing of where their text came from.
//!
//! Invariant: nothing here starts a process, opens a network connection or touches a network mount.

pub mod disks;
pub mod filesystems;
pub mod machine;
pub mod network;
pub mod os;
pub mod packages;
#[cfg(not(target_os = "linux"))]
mod portable;
pub mod software;
pub mod units;

use crate::collector::Collector;

/// The collectors of this kind of host, in the order of the report.
pub fn all(software: software::Software) -> Vec<Box<dyn Collector>> {
    #[cfg(not(target_os = "linux"))]
    return portable::all(software);
    #[cfg(target_os = "linux")]
    vec![
        Box::new(os::Os::default()),
        Box::new(machine::Machine),
        Box::new(disks::Disks),
        Box::new(filesystems::Filesystems),
        Box::new(network::Network),
        Box::new(packages::Packages),
        Box::new(units::Units::default()),
        Box::new(software),
    ]
}
