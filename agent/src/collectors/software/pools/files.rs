//! Reads the configuration of one program, as that program sees it: within its container, with what it includes.
//!
//! Invariant: bounded in files and bytes, whatever includes what; what was left out is said.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::root::Root;

/// The most files of one program's configuration.
const FILES_MAX: usize = 500;
/// The most bytes of all of them.
const BYTES_MAX: usize = 8 << 20;
/// The most names in one directory of it.
const NAMES_MAX: usize = 2_000;
const HOSTS: &str = "/etc/hosts";

/// The files of one program.
pub struct Files<'a> {
    root: &'a Root,
    /// Where the program's own root stands; empty: at the host's.
    below: String,
    files_left: usize,
    bytes_left: usize,
    /// There was more than is read.
    pub truncated: bool,
    /// A file may not be read by this user.
    pub denied: bool,
}

impl<'a> Files<'a> {
    /// The files of a program whose root stands at `below`.
    pub fn new(root: &'a Root, below: String) -> Self {
        Self { root, below, files_left: FILES_MAX, bytes_left: BYTES_MAX, truncated: false, denied: false }
    }

    /// A file as text; `None`: it is not there, or cannot be read.
    pub fn text(&mut self, path: &str) -> Option<String> {
        if self.files_left == 0 || self.bytes_left == 0 {
            self.truncated = true;
            return None;
        }
        self.files_left -= 1;
        match self.root.read(&format!("{}{path}", self.below), self.bytes_left) {
            Ok(content) => {
                self.bytes_left -= content.len();
                Some(String::from_utf8_lossy(&content).into_owned())
            }
            Err(error) => {
                self.denied |= error.is_denied();
                self.truncated |= matches!(error, crate::root::ReadError::TooLarge { .. });
                None
            }
        }
    }

    /// Whether a directory is there.
    pub fn is_directory(&self, path: &str) -> bool {
        self.root.is_directory(&format!("{}{path}", self.below))
    }

    /// The paths that a pattern names: `*` and `?` in the last part of it.
    pub fn matching(&mut self, pattern: &str) -> Vec<String> {
        let Some((directory, name)) = pattern.rsplit_once('/') else { return Vec::new() };
        if !name.contains(['*', '?']) {
            return vec![pattern.to_owned()];
        }
        match self.root.names(&format!("{}{directory}", self.below), NAMES_MAX) {
            Ok(found) => {
                self.truncated |= found.truncated;
                let fits = |one: &String| matches(name.as_bytes(), one.as_bytes());
                found.names.into_iter().filter(fits).map(|one| format!("{directory}/{one}")).collect()
            }
            Err(error) => {
                self.denied |= error.is_denied();
                Vec::new()
            }
        }
    }

    /// The addresses that the program's `/etc/hosts` gives to names.
    pub fn hosts(&mut self) -> BTreeMap<String, IpAddr> {
        parse_hosts(&self.text(HOSTS).unwrap_or_default())
    }
}

/// Whether a name fits a pattern; hidden files fit only patterns that begin with a dot.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    // The place to go back to: behind the last star, and how much of the name that star has taken.
    let (mut at, mut of_name, mut star) = (0, 0, None);
    while of_name < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of_name));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == name[of_name] => {
                at += 1;
                of_name += 1;
            }
            _ => match star {
                Some((starred, taken)) => {
                    star = Some((starred, taken + 1));
                    at = starred + 1;
                    of_name = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

/// `10.0.0.5 web01.example.com web01 # comment`; the first line that has a name counts.
fn parse_hosts(text: &str) -> BTreeMap<String, IpAddr> {
    let mut hosts = BTreeMap::new();
    for line in text.lines().take(NAMES_MAX) {
        let mut words = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        for name in words {
            hosts.entry(name.to_ascii_lowercase()).or_insert(address);
        }
    }
    hosts.entry("localhost".to_owned()).or_insert(IpAddr::from([127, 0, 0, 1]));
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", false),
            ("*", "default", true),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("a?c", "abc", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b", "a1b2", false),
            ("", "a", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn hosts() {
        let hosts =
            parse_hosts("127.0.0.1 localhost\n10.0.0.5\tApp1.example.com app1 # x\n10.0.0.6 app1\nx y\n");
        assert_eq!(hosts["app1"].to_string(), "10.0.0.5");
        assert_eq!(hosts["app1.example.com"].to_string(), "10.0.0.5");
        assert_eq!(hosts["localhost"].to_string(), "127.0.0.1");
        assert_eq!(parse_hosts("").len(), 1);
    }
}
