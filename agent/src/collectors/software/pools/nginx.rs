//! The `upstream` blocks of nginx: which are used, and which servers stand in each.
//!
//! The parser knows words, strings, comments and blocks, and no directive but those that it looks for; what it does not
//! understand it passes over.

use std::collections::{BTreeMap, BTreeSet};

use super::files::Files;
use super::{POOLS_MAX, Place, Pool, SERVERS_MAX, Server};

/// How deep files include one another.
const DEPTH_MAX: usize = 10;
/// The most words of one directive.
const WORDS_MAX: usize = 10_000;
const PORT: u16 = 80;
/// nginx turns away from a server of which a request failed.
const WATCHED: f64 = 0.8;
/// Told not to: the failed server goes on being asked.
const UNWATCHED: f64 = 0.4;
/// Directives that hand requests on.
const PASSES: [&str; 6] =
    ["proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"];

/// The used upstreams of a configuration, in the order of their names.
pub fn pools(files: &mut Files<'_>, main: &str) -> Vec<Pool> {
    let prefix = main.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
    let mut found = Found { prefix, upstreams: BTreeMap::new(), passed_to: BTreeSet::new(), is_open: false };
    if let Some(text) = files.text(main) {
        found.walk(files, main, &text, None, 0);
    }
    found.used()
}

#[derive(Debug, Default)]
struct Upstream {
    file: String,
    servers: Vec<Server>,
    /// Servers that are not in service, or not on the network.
    down: usize,
    unclear: usize,
    is_unwatched: bool,
}

struct Found {
    prefix: String,
    upstreams: BTreeMap<String, Upstream>,
    /// Names that requests are passed to.
    passed_to: BTreeSet<String>,
    /// A variable says where to: any of them.
    is_open: bool,
}

impl Found {
    fn used(self) -> Vec<Pool> {
        let Found { upstreams, passed_to, is_open, .. } = self;
        let is_used = |name: &str| is_open || passed_to.contains(name);
        upstreams.into_iter().filter(|(name, _)| is_used(name)).map(|(name, one)| one.pool(&name)).collect()
    }

    /// Directives of a text that stands within `upstream`, or outside of any.
    fn walk(&mut self, files: &mut Files<'_>, file: &str, text: &str, upstream: Option<&str>, depth: usize) {
        let mut words: Vec<String> = Vec::new();
        // The name of the upstream whose block is open, at each depth of blocks.
        let mut blocks: Vec<Option<String>> = vec![upstream.map(str::to_owned)];
        for token in (Tokens { rest: text }) {
            let inside = blocks.last().cloned().flatten();
            match token {
                Token::Word(word) if words.len() < WORDS_MAX => words.push(word),
                Token::Word(_) => {}
                Token::End => {
                    self.take(files, file, &words, inside.as_deref(), depth);
                    words.clear();
                }
                Token::Open => {
                    let named = (words.first().map(String::as_str) == Some("upstream")).then(|| words.get(1));
                    let name = named.flatten().map(|name| name.to_ascii_lowercase());
                    if let Some(name) = &name
                        && self.upstreams.len() < POOLS_MAX
                    {
                        self.upstreams.entry(name.clone()).or_default().file = file.to_owned();
                    }
                    blocks.push(name.or(inside));
                    words.clear();
                }
                Token::Close => {
                    if blocks.len() > 1 {
                        blocks.pop();
                    }
                    words.clear();
                }
            }
        }
    }

    fn take(
        &mut self,
        files: &mut Files<'_>,
        file: &str,
        words: &[String],
        upstream: Option<&str>,
        depth: usize,
    ) {
        let Some((directive, values)) = words.split_first() else { return };
        match (directive.as_str(), upstream) {
            ("include", _) if depth < DEPTH_MAX => {
                for pattern in values {
                    for path in files.matching(&self.full(pattern)) {
                        if let Some(text) = files.text(&path) {
                            self.walk(files, file_or(file, &path, upstream), &text, upstream, depth + 1);
                        }
                    }
                }
            }
            ("server", Some(name)) => {
                if let Some(upstream) = self.upstreams.get_mut(name) {
                    upstream.take_server(values);
                }
            }
            (directive, _) if PASSES.contains(&directive) => {
                if let Some(target) = values.first() {
                    self.is_open |= target.contains('$');
                    self.passed_to.insert(host_of(target));
                }
            }
            _ => {}
        }
    }

    /// Paths are relative to where the main file stands.
    fn full(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }
}

/// What is included within an upstream belongs to the file that holds the upstream.
fn file_or<'f>(outer: &'f str, included: &'f str, upstream: Option<&str>) -> &'f str {
    if upstream.is_some() { outer } else { included }
}

/// `http://app/path` → `app`.
fn host_of(target: &str) -> String {
    let rest = target.split_once("://").map_or(target, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase()
}

impl Upstream {
    /// `server 10.0.0.5:8080 weight=2 backup;`
    fn take_server(&mut self, values: &[String]) {
        let Some((address, options)) = values.split_first() else { return };
        let has = |name: &str| options.iter().any(|option| option == name);
        let weight =
            options.iter().find_map(|option| option.strip_prefix("weight=")?.parse().ok()).unwrap_or(1);
        if has("down") || weight == 0 {
            self.down += 1;
            return;
        }
        self.is_unwatched |= has("max_fails=0");
        match Place::parse(address, Some(PORT)) {
            Some(place) if self.servers.len() < SERVERS_MAX => {
                self.servers.push(Server { place, weight, is_backup: has("backup") });
            }
            _ => self.unclear += 1,
        }
    }

    fn pool(self, name: &str) -> Pool {
        let remark = if self.is_unwatched { "; a failed server goes on being asked" } else { "" };
        Pool {
            name: format!("upstream {name}"),
            described: format!("nginx upstream {name} in {}", self.file),
            remark,
            servers: self.servers,
            down: self.down,
            unclear: self.unclear,
            confidence: if self.is_unwatched { UNWATCHED } else { WATCHED },
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

struct Tokens<'a> {
    rest: &'a str,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.chars().next()? {
                '#' => self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest),
                ';' => return Some(self.mark(Token::End)),
                '{' => return Some(self.mark(Token::Open)),
                '}' => return Some(self.mark(Token::Close)),
                quote @ ('"' | '\'') => return Some(self.quoted(quote)),
                _ => return Some(self.plain()),
            }
        }
    }
}

impl Tokens<'_> {
    fn mark(&mut self, token: Token) -> Token {
        self.rest = &self.rest[1..];
        token
    }

    fn quoted(&mut self, quote: char) -> Token {
        self.word(1, |letter| letter == quote, 1)
    }

    fn plain(&mut self) -> Token {
        self.word(0, |letter| letter.is_whitespace() || matches!(letter, ';' | '{' | '}'), 0)
    }

    /// A word up to where `ends` says; `${name}` does not open a block.
    fn word(&mut self, skipped: usize, ends: impl Fn(char) -> bool, behind: usize) -> Token {
        let mut word = String::new();
        let text = &self.rest[skipped..];
        let mut letters = text.char_indices();
        let mut in_variable = false;
        while let Some((at, letter)) = letters.next() {
            if in_variable {
                in_variable = letter != '}';
            } else if letter == '{' && word.ends_with('$') {
                in_variable = true;
            } else if ends(letter) {
                self.rest = &text[at + if behind == 1 { letter.len_utf8() } else { 0 }..];
                return Token::Word(word);
            }
            let escaped = if letter == '\\' { letters.next().map(|(_, next)| next) } else { None };
            word.push(escaped.unwrap_or(letter));
        }
        self.rest = "";
        Token::Word(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::Root;

    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Root::new(directory.path());
        let mut files = Files::new(&root, String::new());
        pools(&mut files, "/etc/nginx/nginx.conf").iter().map(Pool::shown).collect()
    }

    #[test]
    fn upstreams_that_are_used() {
        let main = "user www-data; # upstream x { server 1.2.3.4; }\n\
            http {\n  log_format x '$a {' \"} upstream y {\";\n  include conf.d/*.conf;\n\
              upstream App { least_conn; server 10.0.0.5:8080 weight=3; server app2.example.com:8080 max_fails=2;\n\
                server 10.0.0.7:8080 backup; server 10.0.0.8 down; keepalive 8; }\n\
              upstream unused { server 10.9.9.9; }\n\
              server { location / { proxy_pass http://app/path; } location /x { fastcgi_pass php; } }\n}\n";
        let php = "upstream php {\n include snippets/php.servers;\n}\n";
        let files = [
            ("etc/nginx/nginx.conf", main),
            ("etc/nginx/conf.d/php.conf", php),
            ("etc/nginx/conf.d/php.conf.off", "upstream app { server 6.6.6.6; }"),
            (
                "etc/nginx/snippets/php.servers",
                "server unix:/run/php.sock;\nserver [fd00::5]:9000 max_fails=0;",
            ),
        ];
        assert_eq!(
            shown(&files),
            [
                "upstream app 0.8 [10.0.0.5:8080*3 app2.example.com:8080 10.0.0.7:8080 backup] down 1 unclear 0: \
                 nginx upstream app in /etc/nginx/nginx.conf",
                "upstream php 0.4 [[fd00::5]:9000] down 0 unclear 1: nginx upstream php in \
                 /etc/nginx/conf.d/php.conf; a failed server goes on being asked",
            ]
        );
    }

    #[test]
    fn a_variable_may_mean_any_upstream() {
        let text = "upstream a { server 10.0.0.5; }\nserver { set $b a; proxy_pass http://${b}; }";
        assert_eq!(shown(&[("etc/nginx/nginx.conf", text)]).len(), 1);
    }

    #[test]
    fn includes_that_go_round_come_to_an_end() {
        let text =
            "include nginx.conf;\ninclude *.conf;\nupstream a { server 10.0.0.5; }\nproxy_pass http://a;";
        assert_eq!(shown(&[("etc/nginx/nginx.conf", text)]).len(), 1);
    }

    #[test]
    fn rubbish_gives_nothing() {
        for text in [
            "",
            "}",
            "}}}{{{",
            "upstream",
            "upstream {",
            "upstream a { server",
            "'",
            "\"\\",
            "\\",
            "${",
            "a;;;",
        ] {
            assert!(shown(&[("etc/nginx/nginx.conf", text)]).is_empty(), "{text}");
        }
        arbtest::arbtest(|u| {
            let mut text = String::new();
            for _ in 0..u.int_in_range(0..=40)? {
                text.push_str(u.choose(&[
                    "upstream ",
                    "a ",
                    "{",
                    "}",
                    ";",
                    "server ",
                    "1.2.3.4:",
                    "'",
                    "\"",
                    "\\",
                    "#",
                    "$",
                    "é",
                    "\n",
                    "include ",
                ])?);
            }
            let count = (Tokens { rest: &text }).count();
            assert!(count <= text.len());
            Ok(())
        })
        .budget_ms(500);
    }
}
