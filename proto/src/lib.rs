//! The wire contract: messages, clients and servers generated from `proto/cmdb/v1/*.proto`.
//!
//! Knows nothing of the model. `cargo xtask regenerate` writes `src/generated/`; a test compares.

/// Package `cmdb.v1`.
#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    missing_docs,
    rust_2018_idioms,
    reason = "generated"
)]
pub mod v1 {
    include!("generated/cmdb.v1.rs");
}

/// Every message and service of `cmdb.v1`, encoded as a `FileDescriptorSet`; feeds reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/cmdb.v1.bin");

/// The version of the agent protocol that this contract speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The oldest version that a server of this contract takes: that of the agents of the two releases before.
pub const PROTOCOL_VERSION_MIN: u32 = 1;
