//! Whom a PostgreSQL replica copies its data from, as its files tell it.
//!
//! A replica that lost its primary still answers: the primary `replicates_to` it, and is no dependency of it. The
//! connection's text holds a password: nothing but hosts and ports is taken from it.

use super::paths;
use super::pools::Place;
use super::processes::Process;
use crate::root::{ReadError, Root};

/// The most bytes of one of the files.
const FILE_BYTES_MAX: usize = 1 << 20;
/// The most primaries that one connection names.
const PRIMARIES_MAX: usize = 16;
const PORT: u16 = 5432;
/// Its being there makes the server a replica.
const SIGNAL: &str = "standby.signal";
/// Before version 12, one file said both.
const OLD: &str = "recovery.conf";

/// What a server's files say of replication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Role {
    /// Nothing says that it is a replica.
    NotReplica,
    /// A replica, of the first of these that answers as primary.
    Replica(Vec<Place>),
    /// Its data directory may not be looked into.
    NotVisible,
}

/// The role of a PostgreSQL server. `configuration` is its file, where that is known.
pub fn role(
    root: &Root,
    process: &Process,
    data_path: &str,
    configuration: Option<&str>,
    in_container: bool,
) -> Role {
    let read = |path: &str| root.read(&paths::inside(process, path, in_container), FILE_BYTES_MAX);
    let data = |name: &str| read(&format!("{data_path}/{name}"));
    let text = |content: Vec<u8>| String::from_utf8_lossy(&content).into_owned();
    match (data(SIGNAL), data(OLD)) {
        (Err(ReadError::Denied { .. }), _) => Role::NotVisible,
        (Err(_), Ok(old)) => {
            let old = text(old);
            match setting(&old, "standby_mode").as_deref() {
                Some("on" | "true" | "yes" | "1") => {
                    Role::Replica(primaries(&setting(&old, "primary_conninfo")))
                }
                _ => Role::NotReplica,
            }
        }
        (Err(_), Err(_)) => Role::NotReplica,
        (Ok(_), _) => {
            // What was set by ALTER SYSTEM goes before what the files say.
            let files =
                [data("postgresql.auto.conf"), configuration.map_or_else(|| data("postgresql.conf"), &read)];
            let said =
                files.into_iter().flatten().find_map(|content| setting(&text(content), "primary_conninfo"));
            Role::Replica(primaries(&said))
        }
    }
}

/// The last value of a setting: `name = 'value'`, with a quote in it written twice or behind a backslash.
fn setting(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let rest = line.trim_start();
        let (word, rest) = rest.split_at_checked(name.len())?;
        if !word.eq_ignore_ascii_case(name) || !rest.starts_with(|c: char| c == '=' || c.is_whitespace()) {
            return None;
        }
        let rest = rest.trim_start().trim_start_matches('=').trim_start();
        Some(match rest.strip_prefix('\'') {
            Some(quoted) => unquoted(quoted, true).0,
            None => rest.split([' ', '\t', '#']).next().unwrap_or_default().to_owned(),
        })
    };
    text.lines().filter_map(value).next_back()
}

/// The text up to its closing quote, and what follows.
fn unquoted(text: &str, doubled: bool) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => value.extend(letters.next().map(|(_, next)| next)),
            '\'' if doubled && letters.peek().is_some_and(|(_, next)| *next == '\'') => {
                letters.next();
                value.push('\'');
            }
            '\'' => return (value, &text[at + 1..]),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// The servers that a connection's text names, by address where it has one.
fn primaries(said: &Option<String>) -> Vec<Place> {
    let Some(said) = said else { return Vec::new() };
    let uri = ["postgresql://", "postgres://"].iter().find_map(|scheme| said.strip_prefix(scheme));
    let (hosts, ports) = match uri {
        Some(rest) => return of_uri(rest),
        None => of_words(said),
    };
    let port = |at: usize| match ports.len() {
        0 => Some(PORT),
        1 => ports[0].parse().ok(),
        _ => ports.get(at)?.parse().ok(),
    };
    let place = |(at, host): (usize, &String)| Place::parse(host, Some(port(at)?));
    hosts.iter().enumerate().take(PRIMARIES_MAX).filter_map(place).collect()
}

/// `host=db1,db2 port=5432 user=x password='y z'`.
fn of_words(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut host, mut address, mut port) = (String::new(), String::new(), String::new());
    let mut rest = text.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('\'') {
            Some(quoted) => unquoted(quoted, false),
            None => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (after[..end].to_owned(), &after[end..])
            }
        };
        match name.trim() {
            "host" => host = value,
            "hostaddr" => address = value,
            "port" => port = value,
            _ => {}
        }
        rest = next.trim_start();
    }
    let list = |text: &str| {
        let parts = text.split(',').map(|part| part.trim().to_owned());
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>()
    };
    let hosts = if address.is_empty() { list(&host) } else { list(&address) };
    (hosts, list(&port))
}

/// `user:password@db1:5432,db2/name?x=y`.
fn of_uri(rest: &str) -> Vec<Place> {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
    hosts.split(',').take(PRIMARIES_MAX).filter_map(|host| Place::parse(host, Some(PORT))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let one = |place: Place| match place {
            Place::At(address) => address.to_string(),
            Place::Named(name, port) => format!("{name}:{port}"),
        };
        primaries(&Some(text.to_owned())).into_iter().map(one).collect()
    }

    #[test]
    fn only_hosts_and_ports_are_taken() {
        let cases: [(&str, &[&str]); 11] = [
            ("user=r password=host=evil host=10.0.0.9 port=5433 sslmode=prefer", &["10.0.0.9:5433"]),
            ("host=db1.example.com", &["db1.example.com:5432"]),
            ("host = 'db1' password = 'a \\' host=no' port = 6000", &["db1:6000"]),
            ("host=db1 hostaddr=10.0.0.9", &["10.0.0.9:5432"]),
            ("host=db1,db2 port=5432,5433", &["db1:5432", "db2:5433"]),
            ("host=/var/run/postgresql", &[]),
            ("postgresql://u:p%40w@db1:6000,db2/x?host=no", &["db1:6000", "db2:5432"]),
            ("postgres://10.0.0.9", &["10.0.0.9:5432"]),
            ("host=db1 port=x", &[]),
            ("", &[]),
            ("=", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn the_last_setting_counts() {
        let text = "# primary_conninfo = 'host=a'\nprimary_conninfo = 'host=b'\nPRIMARY_CONNINFO='host=c \
                    password=''x'''\nprimary_conninfo_other = 'd'\nport = 5433 # x\n";
        assert_eq!(setting(text, "primary_conninfo").as_deref(), Some("host=c password='x'"));
        assert_eq!(setting(text, "port").as_deref(), Some("5433"));
        assert_eq!(setting(text, "user"), None);
        assert_eq!(setting("é", "primary_conninfo"), None);
    }
}
