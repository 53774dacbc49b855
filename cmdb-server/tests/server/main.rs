//! The server in this process, asked over a loopback port with the generated clients.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod admin;
mod blast;
mod classes;
mod commits;
mod discovery;
mod enrolment;
mod graph;
mod groups;
mod harness;
mod health;
mod identity;
mod items;
mod lifecycle;
mod purge;
mod retention;
mod scenarios;
mod time;
mod transfer;
