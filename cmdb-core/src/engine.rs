//! The one door: every fact enters here and leaves as a snapshot.
//!
//! One writer thread takes work from a bounded queue, groups the reports that are waiting, and makes them one
//! durable commit; only then is anybody told. Readers take a snapshot and never wait for the writer.
//!
//! ```text
//!  report ─┐                      ┌→ store (commit) ─→ live graph ─→ reply, on_commit
//!  apply  ─┼→ queue → writer ─────┤
//!  import ─┘          (one)       └→ nothing, when a dry run or nothing changed
//! ```
//!
//! Invariant: nothing else writes the store.

pub mod request;

mod read;

pub use read::Reader;
pub use request::*;
