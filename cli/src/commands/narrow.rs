//! `--type` and `--min-confidence`: which relationships a question goes over, for every command that asks the graph; and
//! what the answer says of it.

use std::io::{self, Write};

use clap::Args;
use cmdb_proto::v1;
use serde_json::{Value as Json, json};

use crate::output::table::FAINT;
use crate::output::{escape, words};
use crate::session::Session;

#[derive(Args, Debug)]
pub struct Narrow {
    /// Go only over relationships of this type; may be given several times [default: all that carry failure]
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    #[command(flatten)]
    confidence: MinConfidence,
}

#[derive(Args, Clone, Copy, Debug)]
pub struct MinConfidence {
    /// Go only over relationships that are at least so sure, 0 to 1; others count as not said
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_confidence: Option<f64>,
}

impl MinConfidence {
    /// As the server is asked.
    pub fn number(self) -> f64 {
        self.min_confidence.unwrap_or(0.0)
    }
}

impl Narrow {
    /// As the server is asked.
    pub fn request(&self) -> Option<v1::Narrow> {
        let narrow = v1::Narrow { types: self.types.clone(), min_confidence: self.confidence.number() };
        (narrow != v1::Narrow::default()).then_some(narrow)
    }
}

/// A number from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1, such as 0.8".to_owned())
}

/// Says which relationships an answer went over, in one line.
pub fn write(out: &mut dyn Write, over: Option<&v1::Over>) -> io::Result<()> {
    let Some(over) = over else { return Ok(()) };
    writeln!(out, "{FAINT}{}{FAINT:#}", escape::line(&sentence(over)))
}

/// Says the same on standard error of a list that stands alone, where the question was narrowed.
pub fn note(session: &mut Session, over: Option<&v1::Over>) {
    if let Some(over) = over.filter(|over| over.left_out > 0) {
        session.messages.note(&sentence(over));
    }
}

fn sentence(over: &v1::Over) -> String {
    /// Types that are written out; more of them are counted.
    const NAMED_MAX: usize = 4;
    let types = match over.types.as_slice() {
        [] => "no relationship that passes failure on".to_owned(),
        named if named.len() <= NAMED_MAX => words::and(named.iter().map(String::as_str)),
        all => words::count(all.len() as u64, "type of relationship", "types of relationships"),
    };
    let weak = match over.weak_types.as_slice() {
        [] => String::new(),
        weak => format!("; {} only degrades", words::and(weak.iter().map(String::as_str))),
    };
    let sure = match over.min_confidence {
        least if least > 0.0 => format!(", of confidence {least} and more"),
        _ => String::new(),
    };
    let left_out = match over.left_out {
        0 => String::new(),
        count => format!("; {} left out", words::count(count, "relationship", "relationships")),
    };
    format!("went over {types}{sure}{weak}{left_out}")
}

/// The same in JSON.
pub fn json(over: Option<&v1::Over>) -> Json {
    let over = over.cloned().unwrap_or_default();
    json!({
        "types": over.types,
        "weak_types": over.weak_types,
        "min_confidence": over.min_confidence,
        "left_out": over.left_out,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_went_over_is_told_in_words() {
        let over = |types: &[&str], weak: &[&str], min_confidence, left_out| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            sentence(&v1::Over { types: owned(types), weak_types: owned(weak), min_confidence, left_out })
        };
        assert_eq!(
            over(&["a", "b", "c", "d", "e"], &["connects_to"], 0.0, 0),
            "went over 5 types of relationships; connects_to only degrades"
        );
        assert_eq!(
            over(&["runs_on"], &[], 0.8, 12),
            "went over runs_on, of confidence 0.8 and more; 12 relationships left out"
        );
        assert_eq!(
            over(&[], &["connects_to"], 0.0, 1),
            "went over no relationship that passes failure on; connects_to only degrades; 1 relationship left out"
        );
        assert!(share("1.2").is_err() && share("a").is_err() && share("0.8") == Ok(0.8));
    }
}
