//! End to end: the real server, agent and shell as processes, asked through their own doors.
//!
//! Nothing here knows how the binaries work inside; what they promise (the wire contract, the formats, the
//! exit codes) is what is tested. Invariant: every test has a server, a store and files of its own, and
//! ends every process it started, by its id.

mod agent;
mod backup;
mod broken_disk;
mod crash;
mod discovery;
mod enrolment;
mod evidence;
mod foreign;
mod groups;
mod harness;
mod laboratory;
mod messages;
mod ranking;
mod round_trip;
mod scenarios;
mod time;
mod what_if;
