//! The real `cmdb` against a server in this process that implements the contract with canned answers.
//!
//! What the shell sends is recorded, so that the tests see both sides.

#[path = "../../src/canned.rs"]
#[allow(dead_code, reason = "the tests of the printing use the rest")]
mod canned;
mod corrections;
mod exit_codes;
mod fake;
mod files;
mod formats;
mod shell;
mod streams;
