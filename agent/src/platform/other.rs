//! Systems other than Linux: what the standard library can say, and nothing more.

use super::Usage;
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

/// Not known here.
pub fn is_superuser() -> bool {
    false
}
