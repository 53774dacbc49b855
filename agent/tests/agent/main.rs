//! The agent from outside: what it reports of recorded hosts, how it talks to a server, how its command behaves.

mod command;
mod fake_server;
mod fixtures;
mod hostile;
mod identity;
mod ladder;
mod session;
mod sqlite;
