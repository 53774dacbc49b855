//! How answers are printed: one mechanism per format. What goes where is said by each command.
//!
//! Knows no server and no command. Invariant: text that came from outside cannot move a cursor or forge a
//! line: tables and trees pass it through [`escape`], JSON and Graphviz quote it.

pub mod change;
pub mod dot;
pub mod escape;
pub mod json;
pub mod table;
pub mod tree;
pub mod words;

use clap::ValueEnum;

use crate::error::CommandError;

/// A way to print an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    // Plain comments: clap would print doc comments, and make every help twice as long.
    // Aligned columns and a sentence, for people.
    Table,
    // One JSON object.
    Json,
    // One JSON object per listed thing, a line each.
    Jsonl,
    // An indented tree, for people.
    Tree,
    // A graph for Graphviz.
    Dot,
}

impl Format {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Tree => "tree",
            Format::Dot => "dot",
        }
    }

    /// Whether a person reads it, so that colours help.
    pub fn is_for_people(self) -> bool {
        matches!(self, Format::Table | Format::Tree)
    }
}

/// The format to print in: the asked one where the command supports it, the first supported one by default.
///
/// An empty list means that the command takes no format at all.
pub fn choose(asked: Option<Format>, supported: &[Format]) -> Result<Format, CommandError> {
    match asked {
        None => Ok(supported.first().copied().unwrap_or(Format::Table)),
        Some(format) if supported.contains(&format) => Ok(format),
        Some(format) if supported.is_empty() => Err(CommandError::usage("this command takes no --output")
            .with("given", format.name())
            .hint("leave --output out")),
        Some(format) => Err(CommandError::usage(format!("this command has no {} output", format.name()))
            .with("expected", words::one_of(supported.iter().map(|format| format.name())))
            .with("given", format.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_format_is_the_default_and_others_are_refused_by_name() {
        let supported = [Format::Table, Format::Json, Format::Jsonl];
        assert_eq!(choose(None, &supported).expect("a default"), Format::Table);
        assert_eq!(choose(Some(Format::Jsonl), &supported).expect("supported"), Format::Jsonl);
        let refused = choose(Some(Format::Dot), &supported).expect_err("not supported");
        assert_eq!(refused.details, [("expected", "table, json or jsonl".into()), ("given", "dot".into())]);
        assert!(choose(Some(Format::Json), &[]).is_err());
    }
}
