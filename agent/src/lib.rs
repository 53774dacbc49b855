//! The discovery agent: reads what this machine is and what it depends on, and reports it.
//!
//! ```text
//!  root ─→ host ─→ collectors ─→ sections ─→ report ─→ schedule ⇄ client ⇄ server
//!  (files)         (one each)    (claims)   (digests)     └─ state
//! ```
//!
//! Depends on the wire contract and never on the server's model. Invariants: no child process is ever started, no
//! network mount is touched, nothing is written outside the state directory.

pub mod claim;
pub mod client;
pub mod collector;
pub mod collectors;
pub mod config;
pub mod connections;
pub mod enrolment;
pub mod goodbye;
pub mod host;
pub mod identity;
pub mod packages;
pub mod platform;
pub mod report;
pub mod root;
pub mod scan;
pub mod schedule;
pub mod seal;
pub mod show;
pub mod state;

/// What this agent runs on, such as `linux-x86_64`.
pub fn platform_name() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
