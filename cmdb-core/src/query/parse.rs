//! Tokens to a condition: `or` binds loosest, then `and`, then `not`.

use super::token::{Kind, Token, problem, tokens};
use super::{FILTER_DEPTH_MAX, IN_VALUES_MAX, Literal, Node, Operator};
use crate::model::nearest::nearest;
use crate::model::{Problem, Value};

const KEYWORDS: [&str; 7] = ["and", "or", "not", "has", "in", "is", "contains"];
const COMPARISONS: &str = "= != < <= > >= ~ or in";

pub(super) fn filter(text: &str) -> Result<Node, Problem> {
    let mut parser = Parser { tokens: tokens(text)?, place: 0, depth: 0, text };
    let root = parser.alternatives()?;
    match parser.peek().kind {
        Kind::End => Ok(root),
        _ => Err(parser.expected("\"and\", \"or\" or the end", &["and", "or"])),
    }
}

struct Parser<'t> {
    tokens: Vec<Token>,
    place: usize,
    depth: usize,
    text: &'t str,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.place]
    }

    /// The token, and on to the next; the end stays.
    fn next(&mut self) -> Token {
        let token = self.tokens[self.place].clone();
        self.place = (self.place + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_keyword(&self, keyword: &str) -> bool {
        matches!(&self.peek().kind, Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn took_keyword(&mut self, keyword: &str) -> bool {
        let there = self.is_keyword(keyword);
        if there {
            self.next();
        }
        there
    }

    /// The problem that something else was expected at the present token.
    fn expected(&self, what: &str, words: &[&str]) -> Problem {
        let token = self.peek();
        let problem = problem(token.column, &format!("expected {what}, found {}", token.shown()), self.text)
            .expected(what, token.shown());
        match &token.kind {
            Kind::Word(word) => match nearest(word, words.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean \"{near}\"?")),
                None => problem,
            },
            _ => problem,
        }
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == FILTER_DEPTH_MAX {
            let message = format!("nested deeper than {FILTER_DEPTH_MAX}");
            return Err(problem(self.peek().column, &message, self.text));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn alternatives(&mut self) -> Result<Node, Problem> {
        let mut nodes = vec![self.conjunction()?];
        while self.took_keyword("or") {
            nodes.push(self.conjunction()?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::Or(nodes) })
    }

    fn conjunction(&mut self) -> Result<Node, Problem> {
        let mut nodes = Vec::new();
        loop {
            match self.negation()? {
                // (a and b) and c is one conjunction: its parts are found by indexes.
                Node::And(inner) => nodes.extend(inner),
                node => nodes.push(node),
            }
            if !self.took_keyword("and") {
                break;
            }
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { Node::And(nodes) })
    }

    fn negation(&mut self) -> Result<Node, Problem> {
        if self.took_keyword("not") {
            return self.deeper(|parser| parser.negation().map(|node| Node::Not(Box::new(node))));
        }
        self.condition()
    }

    fn condition(&mut self) -> Result<Node, Problem> {
        match &self.peek().kind {
            Kind::Open => {
                self.next();
                let node = self.deeper(Self::alternatives)?;
                self.close("\"and\", \"or\" or \")\"", &["and", "or"])?;
                Ok(node)
            }
            Kind::Word(_) if self.is_keyword("has") => {
                self.next();
                self.name().map(Node::Has)
            }
            _ => self.comparison(),
        }
    }

    fn close(&mut self, expected: &str, words: &[&str]) -> Result<(), Problem> {
        match self.peek().kind {
            Kind::Close => {
                self.next();
                Ok(())
            }
            _ => Err(self.expected(expected, words)),
        }
    }

    /// An attribute's name: a word that is no keyword.
    fn name(&mut self) -> Result<String, Problem> {
        match &self.peek().kind {
            Kind::Word(word) if !is_keyword(word) => {
                let name = word.clone();
                self.next();
                Ok(name)
            }
            _ => Err(self.expected("the name of an attribute, \"not\", \"has\" or \"(\"", &["not", "has"])),
        }
    }

    fn comparison(&mut self) -> Result<Node, Problem> {
        let attribute = self.name()?;
        if attribute == "class" && self.took_keyword("is") {
            return self.literal().map(Node::ClassIs);
        }
        if self.took_keyword("in") {
            return self.values().map(|literals| Node::In(attribute, literals));
        }
        let Kind::Operator(written) = self.peek().kind else {
            if attribute == "class" {
                return Err(self.expected(&format!("a comparison ({COMPARISONS}, is)"), &["in", "is"]));
            }
            let problem = self.expected(&format!("a comparison ({COMPARISONS})"), &["in"]);
            return Err(match self.is_keyword("is") {
                true => problem.hint("\"is\" asks for a kind of class: class is software"),
                false => problem,
            });
        };
        self.next();
        let literal = self.literal()?;
        Ok(Node::Compare { attribute, operator: operator(written), literal })
    }

    fn values(&mut self) -> Result<Vec<Literal>, Problem> {
        if self.peek().kind != Kind::Open {
            return Err(self.expected("\"(\"", &[]));
        }
        self.next();
        let mut literals = vec![self.literal()?];
        while self.peek().kind == Kind::Comma {
            if literals.len() == IN_VALUES_MAX {
                let message = format!("\"in\" takes at most {IN_VALUES_MAX} values");
                return Err(problem(self.peek().column, &message, self.text));
            }
            self.next();
            literals.push(self.literal()?);
        }
        self.close("\",\" or \")\"", &[])?;
        Ok(literals)
    }

    fn literal(&mut self) -> Result<Literal, Problem> {
        let column = self.peek().column;
        let (value, text) = match &self.peek().kind {
            Kind::Quoted(text) => (Value::Text(text.clone()), text.clone()),
            Kind::Number(value, text) => (value.clone(), text.clone()),
            Kind::Word(word) if word == "true" => (Value::Boolean(true), word.clone()),
            Kind::Word(word) if word == "false" => (Value::Boolean(false), word.clone()),
            Kind::Word(word) if !is_keyword(word) => (Value::Text(word.clone()), word.clone()),
            _ => return Err(self.expected("a value: text in quotes, a number, true or false", &[])),
        };
        self.next();
        Ok(Literal { value, text, column })
    }
}

fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn operator(written: &str) -> Operator {
    match written {
        "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "<" => Operator::Less,
        "<=" => Operator::LessOrEqual,
        ">" => Operator::Greater,
        ">=" => Operator::GreaterOrEqual,
        "~" => Operator::Contains,
        _ => unreachable!("the scanner knows no other operator"),
    }
}
