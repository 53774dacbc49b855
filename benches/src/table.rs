//! The figures of one run, as a table in a page: each size has a part of its own there, and the others stay.

use std::path::Path;

use anyhow::{Context, Result};

use crate::machine;

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
    /// What marks the table's place in the page.
    place: String,
    quiet: bool,
    heading: String,
    lines: Vec<String>,
}

impl Figures {
    /// `subject`: what is measured, where a page has several tables of one size; empty: the store.
    pub fn begin(
        subject: &'static str,
        size: &'static str,
        items: u64,
        relationships: u64,
    ) -> Result<Figures> {
        let heading = format!(
            "### Size {size}: {items} items, {relationships} relationships\n\n{}.\n\n\
             | what | reach | measured | reached | beside |\n|---|---|---|---|---|\n",
            machine::describe()?
        );
        let place = format!("{subject} size {size}").trim_start().to_owned();
        Ok(Figures { size, place, quiet: false, heading, lines: Vec::new() })
    }

    /// Prints nothing: standard output is for a program.
    pub fn quiet(self) -> Figures {
        Figures { quiet: true, ..self }
    }

    /// What counts at size M only.
    pub fn at_m(&self, reached: bool) -> Option<bool> {
        (self.size == "M").then_some(reached)
    }

    pub fn is_m(&self) -> bool {
        self.size == "M"
    }

    pub fn is_l(&self) -> bool {
        self.size == "L"
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
        if !self.quiet {
            println!("{line}");
        }
        self.lines.push(line);
    }

    /// Puts the table into the page, in place of the one of the same size.
    pub fn write(&self, page: &Path) -> Result<()> {
        replace(page, &self.place, &format!("{}{}", self.heading, self.lines.join("\n")))
    }
}

/// Puts the text between the marks of the place, and leaves the rest of the page as it is.
pub fn replace(page: &Path, place: &str, text: &str) -> Result<()> {
    let known = std::fs::read_to_string(page).with_context(|| format!("reading {}", page.display()))?;
    let (begin, end) = (format!("<!-- {place} -->\n"), format!("<!-- end {place} -->\n"));
    let missing = || format!("{} has no place for {place}", page.display());
    let (before, rest) = known.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    let written = format!("{before}{begin}{text}\n{end}{after}");
    std::fs::write(page, written).with_context(|| format!("writing {}", page.display()))
}
