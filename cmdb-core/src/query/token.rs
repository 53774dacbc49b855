//! A filter's text as tokens, each with its column.

use super::FILTER_BYTES_MAX;
use crate::model::{Problem, Reason, Value};

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Kind {
    /// A bare word: a keyword, a name or a text without quotes.
    Word(String),
    /// A text in quotes.
    Quoted(String),
    /// A number, with its text.
    Number(Value, String),
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, `~`
    Operator(&'static str),
    Open,
    Close,
    Comma,
    End,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    /// In characters, from 1.
    pub column: usize,
}

impl Token {
    /// As messages repeat it.
    pub(super) fn shown(&self) -> String {
        match &self.kind {
            Kind::Word(text) | Kind::Number(_, text) => format!("\"{}\"", cut(text)),
            Kind::Quoted(text) => format!("the text \"{}\"", cut(text)),
            Kind::Operator(operator) => format!("\"{operator}\""),
            Kind::Open => "\"(\"".to_owned(),
            Kind::Close => "\")\"".to_owned(),
            Kind::Comma => "\",\"".to_owned(),
            Kind::End => "the end".to_owned(),
        }
    }
}

/// The most characters of the filter that a message repeats.
const SHOWN_CHARACTERS_MAX: usize = 60;

fn cut(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

pub(super) fn problem(column: usize, message: &str, text: &str) -> Problem {
    Problem::new(Reason::FilterInvalid, format!("column {column}: {message}"), cut(text))
}

/// Longer operators before those that they begin with.
const OPERATORS: [(&str, &str); 8] =
    [("!=", "!="), ("<=", "<="), (">=", ">="), ("==", "="), ("=", "="), ("<", "<"), (">", ">"), ("~", "~")];

/// All tokens; the last one is the end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    if text.len() > FILTER_BYTES_MAX {
        let message = format!("a filter has at most {FILTER_BYTES_MAX} bytes, not {}", text.len());
        return Err(problem(1, &message, text));
    }
    let mut scanner = Scanner { text, rest: text, column: 1 };
    let mut tokens = Vec::new();
    loop {
        let token = scanner.next()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

struct Scanner<'t> {
    text: &'t str,
    rest: &'t str,
    column: usize,
}

impl<'t> Scanner<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.column += taken.chars().count();
        taken
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &'t str {
        self.take(self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len()))
    }

    fn next(&mut self) -> Result<Token, Problem> {
        self.take_while(char::is_whitespace);
        let column = self.column;
        let kind = self.kind(column)?;
        Ok(Token { kind, column })
    }

    fn kind(&mut self, column: usize) -> Result<Kind, Problem> {
        let Some(first) = self.rest.chars().next() else { return Ok(Kind::End) };
        match first {
            '(' => self.single(Kind::Open),
            ')' => self.single(Kind::Close),
            ',' => self.single(Kind::Comma),
            '"' | '\'' => self.quoted(first, column),
            '0'..='9' | '-' | '+' => self.number(column),
            c if c.is_alphabetic() || c == '_' || c == '@' => {
                Ok(Kind::Word(self.take_while(is_word).to_owned()))
            }
            _ => match OPERATORS.iter().find(|(written, _)| self.rest.starts_with(written)) {
                Some((written, meant)) => {
                    self.take(written.len());
                    Ok(Kind::Operator(meant))
                }
                None => Err(problem(column, &format!("\"{first}\" means nothing here"), self.text)
                    .hint("write a text in quotes, or one of = != < <= > >= ~ ( ) ,")),
            },
        }
    }

    fn single(&mut self, kind: Kind) -> Result<Kind, Problem> {
        self.take(1);
        Ok(kind)
    }

    /// A text in quotes; `\` takes the next character as it is.
    fn quoted(&mut self, quote: char, column: usize) -> Result<Kind, Problem> {
        let mut value = String::new();
        let mut escaped = false;
        for (place, character) in self.rest.char_indices().skip(1) {
            match character {
                _ if escaped => {
                    value.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                c if c == quote => {
                    self.take(place + 1);
                    return Ok(Kind::Quoted(value));
                }
                c => value.push(c),
            }
        }
        Err(problem(column, &format!("the text that begins with {quote} does not end"), self.text)
            .hint(format!("close it with {quote}")))
    }

    fn number(&mut self, column: usize) -> Result<Kind, Problem> {
        let text = self.take_while(|c| is_word(c) || c == '+');
        let value = match text.parse::<i64>() {
            Ok(number) => Some(Value::Integer(number)),
            Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float),
        };
        match value {
            Some(value) => Ok(Kind::Number(value, text.to_owned())),
            None => Err(problem(column, &format!("\"{}\" is not a number", cut(text)), self.text)
                .hint("write a text in quotes")),
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '@' | '/' | ':')
}
