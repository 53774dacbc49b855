//! The backends of HAProxy: the servers of each `backend` and `listen` section.
//!
//! What the parser does not understand it passes over. Nothing but addresses, weights and checks is taken.

use super::files::Files;
use super::{POOLS_MAX, Place, Pool, SERVERS_MAX, Server};

/// Every server is checked: a failed one is left out.
const CHECKED: f64 = 0.9;
/// A failed server goes on being asked.
const UNCHECKED: f64 = 0.5;

/// The backends of a configuration, a file or a directory of such, in the order of their names.
pub fn pools(files: &mut Files<'_>, main: &str) -> Vec<Pool> {
    let paths = if files.is_directory(main) {
        files.matching(&format!("{}/*.cfg", main.trim_end_matches('/')))
    } else {
        vec![main.to_owned()]
    };
    let mut backends: Vec<Backend> = Vec::new();
    for path in paths {
        if let Some(text) = files.text(&path) {
            parse(&text, &path, &mut backends);
        }
    }
    let mut pools: Vec<Pool> = backends.into_iter().filter(|one| one.lines > 0).map(Backend::pool).collect();
    pools.sort_by(|one, other| one.name.cmp(&other.name));
    pools
}

#[derive(Debug, Default)]
struct Backend {
    kind: String,
    name: String,
    file: String,
    servers: Vec<Server>,
    lines: usize,
    down: usize,
    unclear: usize,
    unchecked: usize,
    /// What `default-server` says, that of `defaults` first.
    by_default: Options,
}

/// What is said of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    weight: u64,
    is_checked: bool,
    is_backup: bool,
    is_down: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { weight: 1, is_checked: false, is_backup: false, is_down: false }
    }
}

impl Options {
    fn and(mut self, words: &[String]) -> Self {
        for (at, word) in words.iter().enumerate() {
            match word.as_str() {
                "check" => self.is_checked = true,
                "no-check" => self.is_checked = false,
                "backup" => self.is_backup = true,
                "no-backup" => self.is_backup = false,
                "disabled" => self.is_down = true,
                "enabled" => self.is_down = false,
                "weight" => {
                    self.weight = words.get(at + 1).and_then(|text| text.parse().ok()).unwrap_or(self.weight);
                }
                _ => {}
            }
        }
        self
    }
}

fn parse(text: &str, file: &str, backends: &mut Vec<Backend>) {
    /// Words that begin another section.
    const SECTIONS: [&str; 16] = [
        "global",
        "defaults",
        "frontend",
        "backend",
        "listen",
        "peers",
        "resolvers",
        "mailers",
        "userlist",
        "program",
        "cache",
        "ring",
        "http-errors",
        "fcgi-app",
        "crt-store",
        "log-forward",
    ];
    let mut by_default = Options::default();
    let mut is_defaults = false;
    let mut is_open = false;
    for line in text.lines() {
        let words = words(line);
        let Some((first, values)) = words.split_first() else { continue };
        if SECTIONS.contains(&first.as_str()) {
            is_defaults = first == "defaults";
            if is_defaults {
                by_default = Options::default();
            }
            is_open = matches!(first.as_str(), "backend" | "listen") && backends.len() < POOLS_MAX;
            if let Some(name) = values.first().filter(|_| is_open) {
                let (kind, name, file) = (first.clone(), name.clone(), file.to_owned());
                backends.push(Backend { kind, name, file, by_default, ..Backend::default() });
            } else {
                is_open = false;
            }
            continue;
        }
        let backend = if is_open { backends.last_mut() } else { None };
        match (first.as_str(), backend) {
            ("default-server", Some(backend)) => backend.by_default = backend.by_default.and(values),
            ("default-server", None) if is_defaults => by_default = by_default.and(values),
            ("server", Some(backend)) => backend.take_server(values.get(1), values.get(2..)),
            // So many servers of one name: what they are is known to the name's servers only.
            ("server-template", Some(backend)) => backend.take_server(values.get(2), values.get(3..)),
            _ => {}
        }
    }
}

impl Backend {
    fn take_server(&mut self, address: Option<&String>, options: Option<&[String]>) {
        let options = self.by_default.and(options.unwrap_or_default());
        self.lines += 1;
        if options.is_down || options.weight == 0 {
            self.down += 1;
            return;
        }
        if !options.is_checked {
            self.unchecked += 1;
        }
        match address.and_then(|address| Place::parse(plain(address), None)) {
            Some(place) if self.servers.len() < SERVERS_MAX => {
                self.servers.push(Server { place, weight: options.weight, is_backup: options.is_backup });
            }
            _ => self.unclear += 1,
        }
    }

    fn pool(self) -> Pool {
        let is_checked = self.unchecked == 0;
        Pool {
            name: format!("backend {}", self.name),
            described: format!("haproxy {} {} in {}", self.kind, self.name, self.file),
            remark: if is_checked { "" } else { "; not every server is checked" },
            servers: self.servers,
            down: self.down,
            unclear: self.unclear,
            confidence: if is_checked { CHECKED } else { UNCHECKED },
        }
    }
}

/// `ipv4@10.0.0.5:80` → `10.0.0.5:80`.
fn plain(address: &str) -> &str {
    const FAMILIES: [&str; 4] = ["ipv4@", "ipv6@", "tcp4@", "tcp6@"];
    FAMILIES.iter().find_map(|family| address.strip_prefix(family)).unwrap_or(address)
}

/// The words of a line: quotes and backslashes take the meaning from blanks and `#`.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\\', None | Some('"')) => word.extend(letters.next()),
            (letter, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.push(letter),
            ('"' | '\'', None) => quote = Some(letter),
            ('#', None) => break,
            (letter, None) if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(letter),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let mut backends = Vec::new();
        parse(text, "/etc/haproxy/haproxy.cfg", &mut backends);
        backends.into_iter().filter(|one| one.lines > 0).map(|one| one.pool().shown()).collect()
    }

    #[test]
    fn backends() {
        let text = "global\n  stats socket /run/admin.sock\ndefaults\n  default-server check inter 3s\n\
            frontend web\n  bind *:80\n  default_backend app\n  server not.here 1.1.1.1:1\n\
            backend app\n  balance roundrobin # comment\n  server a1 10.0.0.5:8080 weight 3\n\
              server \"a2\" ipv4@10.0.0.6:8080 no-check\n  server a3 10.0.0.7:8080 backup\n  server a4 10.0.0.8:8080 disabled\n\
            listen pg\n  bind :5432\n  option pgsql-check user h\n  server p1 db1.example.com:5432\n\
              server p2 10.0.1.2\n  server p3 /run/pg.sock\n  server p4 ${PG}:5432\n\
            backend empty\n  http-request deny\n";
        assert_eq!(
            shown(text),
            [
                "backend app 0.5 [10.0.0.5:8080*3 10.0.0.6:8080 10.0.0.7:8080 backup] down 1 unclear 0: haproxy \
                 backend app in /etc/haproxy/haproxy.cfg; not every server is checked",
                "backend pg 0.9 [db1.example.com:5432] down 0 unclear 3: haproxy listen pg in \
                 /etc/haproxy/haproxy.cfg",
            ]
        );
    }

    #[test]
    fn rubbish_gives_nothing() {
        for text in ["", "backend", "backend a", "server x 10.0.0.1:1", "\"", "\\", "listen \\\nserver", "#"]
        {
            assert!(shown(text).is_empty(), "{text}");
        }
        assert_eq!(words("a 'b c' \"d\\\" #e\" f\\ g #h"), ["a", "b c", "d\" #e", "f g"]);
    }
}
