//! Linux.

#![allow(unsafe_code, reason = "the one audited room for system calls; each block says why it is sound")]

mod diag;
mod endings;
mod events;
mod links;

use std::ffi::{CStr, CString};
use std::fs;
use std::mem::MaybeUninit;
use std::net::Ipv4Addr;

use super::Usage;
use crate::host::addresses::{self, Address};

pub use diag::internet_sockets;
pub use endings::Endings;
pub use events::{Record, Rings, Wanted, clocks_ns, unmounted_tracefs, wait};
pub use links::links;

/// The most addresses taken from the system.
const ADDRESSES_MAX: usize = 4096;

/// The kernel's name for this host comes from `/proc`; nothing to add.
pub fn host_name() -> Option<String> {
    None
}

/// The size in bytes of the file system mounted at `point`.
///
/// May wait for the file system: call it for local ones only.
#[allow(clippy::useless_conversion, reason = "the fields are narrower on 32-bit systems")]
pub fn file_system_bytes(point: &str) -> Option<u64> {
    let point = CString::new(point).ok()?;
    let mut answer = MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `point` is a string with its end marked, and `answer` is writable memory of the right type.
    let outcome = unsafe { libc::statvfs(point.as_ptr(), answer.as_mut_ptr()) };
    if outcome != 0 {
        return None;
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    let answer = unsafe { answer.assume_init() };
    u64::from(answer.f_blocks).checked_mul(u64::from(answer.f_frsize))
}

/// The IPv4 addresses of all interfaces, with their prefixes.
pub fn ipv4_addresses() -> Option<Vec<Address>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `first` is writable; on success it holds a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return None;
    }
    let mut found = Vec::new();
    let mut next = first;
    while !next.is_null() && found.len() < ADDRESSES_MAX {
        // SAFETY: `next` is an element of the list, which is not freed before the loop ends.
        let element = unsafe { &*next };
        if let (Some(ip), Some(mask)) = (ipv4(element.ifa_addr), ipv4(element.ifa_netmask)) {
            // SAFETY: the name of an element is a string with its end marked, as long-lived as the list.
            let name = unsafe { CStr::from_ptr(element.ifa_name) }.to_string_lossy().into_owned();
            // An alias such as `eth0:1` is an address of `eth0`.
            let interface = name.split(':').next().unwrap_or_default().to_owned();
            let prefix = u8::try_from(u32::from(mask).count_ones()).unwrap_or(32);
            found.push(addresses::ipv4(ip, prefix, interface));
        }
        next = element.ifa_next;
    }
    // SAFETY: the list came from getifaddrs and is not used after this.
    unsafe { libc::freeifaddrs(first) };
    Some(found)
}

fn ipv4(address: *const libc::sockaddr) -> Option<Ipv4Addr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, and every socket address starts with its family.
    let family = unsafe { (*address).sa_family };
    if i32::from(family) != libc::AF_INET {
        return None;
    }
    // SAFETY: the family says that this is an IPv4 socket address; read_unaligned asks for no alignment.
    let address = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
    Some(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr)))
}

/// What this process has used since it started.
pub fn usage() -> Usage {
    let mut answer = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `answer` is writable memory of the right type.
    let outcome = unsafe { libc::getrusage(libc::RUSAGE_SELF, answer.as_mut_ptr()) };
    let cpu_us = if outcome == 0 {
        // SAFETY: the call succeeded, so it has filled the structure.
        let answer = unsafe { answer.assume_init() };
        microseconds(answer.ru_utime) + microseconds(answer.ru_stime)
    } else {
        0
    };
    Usage { cpu_us, resident_bytes: resident_bytes().unwrap_or(0) }
}

fn microseconds(time: libc::timeval) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
}

fn resident_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(page_bytes()).ok()?)
}

fn page_bytes() -> usize {
    // SAFETY: sysconf reads a constant of the system.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The kernel's ticks in a second, in which it says when a process was started.
pub fn ticks_per_second() -> u64 {
    // SAFETY: sysconf reads a constant of the system.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// Whether this process is the superuser's.
pub fn is_superuser() -> bool {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers() {
        assert!(usage().resident_bytes > 0);
        assert!(file_system_bytes("/").is_some_and(|bytes| bytes > 0));
        assert!(file_system_bytes("/no/such/place").is_none());
        let loopback = ipv4_addresses().unwrap().into_iter().find(|address| address.ip.is_loopback());
        assert_eq!(loopback.map(|address| address.interface).as_deref(), Some("lo"));
    }
}
