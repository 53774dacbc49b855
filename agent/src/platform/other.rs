//! Systems other than Linux: what the standard library can say, and nothing more.

use std::io;
use std::path::Path;

use super::{Family, Transport, Usage};
use crate::host::addresses::Address;

/// The host's name, where the environment has it.
pub fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").or_else(|_| std::env::var("HOSTNAME")).ok().filter(|name| !name.is_empty())
}

/// Not available here.
pub fn file_system_bytes(_point: &str) -> Option<u64> {
    None
}

/// Not available here.
pub fn ipv4_addresses() -> Option<Vec<Address>> {
    None
}

/// Not available here.
pub fn usage() -> Usage {
    Usage::default()
}

/// Where the symbolic links of a directory point.
pub fn links<const TARGET_BYTES: usize>(
    directory: &Path,
    count_max: usize,
    each: &mut dyn FnMut(io::Result<&[u8]>),
) -> io::Result<bool> {
    for (count, entry) in std::fs::read_dir(directory)?.enumerate() {
        if count == count_max {
            return Ok(true);
        }
        let target = std::fs::read_link(entry?.path()).map(|target| target.to_string_lossy().into_owned());
        let first = |target: &String| target.len().min(TARGET_BYTES);
        match &target {
            Ok(target) => each(Ok(&target.as_bytes()[..first(target)])),
            Err(error) => each(Err(error.kind().into())),
        }
    }
    Ok(false)
}

/// Not available here.
pub fn internet_sockets(
    _family: Family,
    _transport: Transport,
    _count_max: usize,
    _each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Not known here.
pub fn ticks_per_second() -> u64 {
    100
}

/// Not known here.
pub fn is_superuser() -> bool {
    false
}
