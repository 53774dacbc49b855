//! The server: thin faces over the engine, on one port, over one store.
//!
//! ```text
//! main → config → server ─┬→ grpc → convert → app ─→ engine (cmdb-core), impact (cmdb-impact)
//!                         └→ tasks: the clock, the announcement
//! ```
//!
//! The only crate that knows both the wire and the model. Invariants: a face translates and calls `app`, and decides
//! nothing; every error leaves through [`status`]; every queue, message and listing has a named limit.

pub mod app;
pub mod authority;
pub mod config;
pub mod convert;
mod grpc;
mod listen;
pub mod log;
pub mod offline;
pub mod server;
pub mod status;
mod tasks;
mod tls;
