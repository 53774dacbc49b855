//! The figures of one run, as a table in a page: each size has a part of its own there, and the others stay.

use std::path::Path;

use anyhow::{Context, Result};

use super::machine;

/// One line of the table.
pub struct Figure {
    pub what: &'static str,
    pub reach: &'static str,
    pub value: String,
    /// `None`: there is nothing to reach.
    pub reached: Option<bool>,
    /// What belongs beside it.
    pub beside: String,
}

/// The figures of one run.
pub struct Figures {
    size: &'static str,
    heading: String,
    lines: Vec<String>,
}

impl Figures {
    pub fn begin(size: &'static str, items: u64, relationships: u64) -> Result<Figures> {
        let heading = format!(
            "## Size {size}: {items} items, {relationships} relationships\n\n{}.\n\n\
             | what | reach | measured | reached | beside |\n|---|---|---|---|---|\n",
            machine::describe()?
        );
        Ok(Figures { size, heading, lines: Vec::new() })
    }

    /// What counts at size M only.
    pub fn at_m(&self, reached: bool) -> Option<bool> {
        (self.size == "M").then_some(reached)
    }

    #[allow(clippy::print_stdout, reason = "this is a command line program")]
    pub fn add(&mut self, figure: Figure) {
        let reached = match figure.reached {
            None => "",
            Some(true) => "yes",
            Some(false) => "**no**",
        };
        let Figure { what, reach, value, beside, .. } = figure;
        let line = format!("| {what} | {reach} | {value} | {reached} | {beside} |");
        println!("{line}");
        self.lines.push(line);
    }

    /// Puts the table into the page, in place of the one of the same size.
    pub fn write(&self, page: &Path) -> Result<()> {
        let text = std::fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
        let (begin, end) =
            (format!("<!-- size {} -->\n", self.size), format!("<!-- end {} -->\n", self.size));
        let missing = || format!("{} has no place for size {}", page.display(), self.size);
        let (before, rest) = text.split_once(&begin).with_context(missing)?;
        let (_, after) = rest.split_once(&end).with_context(missing)?;
        let table = format!("{before}{begin}{}{}\n{end}{after}", self.heading, self.lines.join("\n"));
        std::fs::write(page, table).with_context(|| format!("writing {}", page.display()))
    }
}
