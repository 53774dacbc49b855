//! The system calls that the agent makes, one file per kind of system.
//!
//! Knows nothing of reports. Invariant: this is the only room with `unsafe` code; whatever it returns is an
//! owned value, and a system that cannot answer gives `None`.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub use other::*;

/// Version of the internet protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A transport protocol that the kernel lists the sockets of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// What the agent itself has used so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Microseconds of CPU.
    pub cpu_us: u64,
    /// Bytes of memory that are resident.
    pub resident_bytes: u64,
}
