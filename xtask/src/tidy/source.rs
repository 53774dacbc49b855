//! Reads paths such as `crate::store::redb` out of a Rust file, without a compiler.
//!
//! Comments, strings and characters are skipped; `use` groups are opened; `super` is followed. Code in
//! modules named `tests` is left out: a test may look into every room. Macros that build paths are not seen.

/// A path that the file names.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// From 1.
    pub line: usize,
    /// First segment `crate` or the name of a crate, `super` already followed.
    pub path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    PathSeparator,
    Mark(char),
}

/// Every path with at least two segments, in the order of the file. `module` is the file's own module
/// path below the crate: `["store", "read"]` for `src/store/read.rs`.
pub fn named_paths(text: &str, module: &[String]) -> Vec<Named> {
    let tokens = tokens(text);
    let mut reader =
        Reader { tokens: &tokens, at: 0, module: module.to_vec(), open: Vec::new(), found: Vec::new() };
    reader.read();
    reader.found
}

struct Reader<'a> {
    tokens: &'a [(usize, Token)],
    at: usize,
    module: Vec<String>,
    /// For each open brace: whether it opened an inline module.
    open: Vec<bool>,
    found: Vec<Named>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while let Some((_, token)) = self.tokens.get(self.at) {
            match token {
                Token::Word(word) if word == "mod" => self.inline_module(),
                Token::Word(_) => self.path(&mut Vec::new()),
                Token::Mark('{') => self.opened(false),
                Token::Mark('}') => self.closed(),
                _ => self.at += 1,
            }
        }
    }

    fn inline_module(&mut self) {
        let name = self.word_at(self.at + 1).map(str::to_owned);
        self.at += 1;
        if let (Some(name), Some(Token::Mark('{'))) =
            (name, self.tokens.get(self.at + 1).map(|(_, token)| token))
        {
            self.at += 1;
            self.module.push(name);
            self.opened(true);
        }
    }

    fn opened(&mut self, module: bool) {
        self.open.push(module);
        self.at += 1;
    }

    fn closed(&mut self) {
        if self.open.pop() == Some(true) {
            self.module.pop();
        }
        self.at += 1;
    }

    fn word_at(&self, at: usize) -> Option<&str> {
        match self.tokens.get(at) {
            Some((_, Token::Word(word))) => Some(word),
            _ => None,
        }
    }

    /// Reads `a::b::{c, d::e}` from a word on; `prefix` is what stands before the brace.
    fn path(&mut self, prefix: &mut Vec<String>) {
        let given = prefix.len();
        let line = self.tokens[self.at].0;
        loop {
            match self.tokens.get(self.at).map(|(_, token)| token.clone()) {
                Some(Token::Word(word)) => prefix.push(word),
                Some(Token::Mark('{')) if prefix.len() > given || given > 0 => {
                    self.group(prefix);
                    break;
                }
                _ => break,
            }
            self.at += 1;
            if self.tokens.get(self.at).map(|(_, token)| token) != Some(&Token::PathSeparator) {
                self.note(line, prefix);
                break;
            }
            self.at += 1;
            // `::<T>` and `::*` end the path here.
            if !matches!(self.tokens.get(self.at), Some((_, Token::Word(_) | Token::Mark('{')))) {
                self.note(line, prefix);
                break;
            }
        }
        prefix.truncate(given);
    }

    fn group(&mut self, prefix: &mut Vec<String>) {
        self.at += 1;
        while let Some((_, token)) = self.tokens.get(self.at) {
            match token {
                Token::Mark('}') => {
                    self.at += 1;
                    return;
                }
                Token::Word(_) => self.path(prefix),
                _ => self.at += 1,
            }
        }
    }

    fn note(&mut self, line: usize, path: &[String]) {
        if self.module.iter().any(|name| name == "tests") {
            return;
        }
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        let path = if supers > 0 {
            let above = &self.module[..self.module.len().saturating_sub(supers)];
            std::iter::once("crate".to_owned())
                .chain(above.iter().cloned())
                .chain(path[supers..].to_vec())
                .collect()
        } else {
            path.to_vec()
        };
        if path.len() > 1 {
            self.found.push(Named { line, path });
        }
    }
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let characters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while at < characters.len() {
        let end = skipped(&characters, at);
        if end > at {
            line += characters[at..end].iter().filter(|character| **character == '\n').count();
            at = end;
            continue;
        }
        let character = characters[at];
        if character == '_' || character.is_alphanumeric() {
            let end = word_end(&characters, at);
            tokens.push((line, Token::Word(characters[at..end].iter().collect())));
            at = end;
        } else if character == ':' && characters.get(at + 1) == Some(&':') {
            tokens.push((line, Token::PathSeparator));
            at += 2;
        } else {
            tokens.push((line, Token::Mark(character)));
            at += 1;
        }
    }
    tokens
}

fn word_end(characters: &[char], at: usize) -> usize {
    let word = |character: &&char| **character == '_' || character.is_alphanumeric();
    at + characters[at..].iter().take_while(word).count()
}

/// The end of the comment, text, character or white space that begins at `at`; `at` when there is none.
fn skipped(characters: &[char], at: usize) -> usize {
    let next = characters.get(at + 1);
    match characters[at] {
        '/' if next == Some(&'/') => until(characters, at, '\n'),
        '/' if next == Some(&'*') => block_comment_end(characters, at),
        '"' => text_end(characters, at + 1),
        'r' if at == 0 || !is_word(characters[at - 1]) => raw_text_end(characters, at),
        '\'' => character_end(characters, at),
        character if character.is_whitespace() => at + 1,
        _ => at,
    }
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn until(characters: &[char], at: usize, end: char) -> usize {
    at + characters[at..].iter().take_while(|character| **character != end).count()
}

fn block_comment_end(characters: &[char], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at + 1 < characters.len() {
        match (characters[at], characters[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') if depth == 1 => return at + 2,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
    }
    characters.len()
}

fn text_end(characters: &[char], mut at: usize) -> usize {
    while at < characters.len() && characters[at] != '"' {
        at += if characters[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(characters.len())
}

/// `r"…"`, `r#"…"#`; `at` itself for a word that begins with r and for `r#word`.
fn raw_text_end(characters: &[char], at: usize) -> usize {
    let marks = characters[at + 1..].iter().take_while(|character| **character == '#').count();
    if characters.get(at + 1 + marks) != Some(&'"') {
        return at;
    }
    let mut end = at + 2 + marks;
    while end < characters.len() {
        let closing = characters[end] == '"'
            && characters[end + 1..].iter().take(marks).filter(|character| **character == '#').count()
                == marks;
        if closing {
            return end + 1 + marks;
        }
        end += 1;
    }
    characters.len()
}

/// `'a'`, `'\n'`; a lifetime is left to be read as a mark and a word.
fn character_end(characters: &[char], at: usize) -> usize {
    match characters.get(at + 1) {
        Some('\\') => until(characters, at + 3, '\'') + 1,
        Some(_) if characters.get(at + 2) == Some(&'\'') => at + 3,
        _ => at,
    }
}
