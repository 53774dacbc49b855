//! Aligned columns without lines around them.
//!
//! Invariant: one row is one line, and no line ends in blanks. A cell that is wider than [`WIDTH_MAX`] is
//! printed whole and pushes only its own row.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::output::escape;

/// The widest that a column is padded to.
const WIDTH_MAX: usize = 48;
/// What stands where there is nothing.
const NOTHING: &str = "-";

pub const HEADING: Style = Style::new().bold();
pub const FAINT: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default();
pub const NAME: Style = Style::new().bold();

/// One place of a table.
pub struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    pub fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Cell { text: escape::line(text.as_ref()).into_owned(), style }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::styled(text, Style::new())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::styled(text, Style::new())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Cell::styled(text, Style::new())
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Cell::from(super::words::number(number))
    }
}

impl From<u32> for Cell {
    fn from(number: u32) -> Self {
        Cell::from(u64::from(number))
    }
}

/// Rows under headings. Printed in parts, later parts keep the columns of the earlier ones.
pub struct Table {
    headings: &'static [&'static str],
    indent: usize,
    right: Vec<usize>,
    rows: Vec<Vec<Cell>>,
    widths: Vec<usize>,
    is_begun: bool,
}

impl Table {
    /// A table under `headings`; without any heading text no heading line is printed.
    pub fn new(headings: &'static [&'static str]) -> Self {
        Table {
            headings,
            indent: 0,
            right: Vec::new(),
            rows: Vec::new(),
            widths: headings.iter().map(|heading| heading.width()).collect(),
            is_begun: false,
        }
    }

    /// Moves the table in by `columns`.
    pub fn indent(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }

    /// Sets a column's contents against its right edge: numbers.
    pub fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        debug_assert_eq!(N, self.headings.len(), "a cell for every heading");
        self.rows.push(cells.into());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Prints the rows that wait, under the headings the first time.
    pub fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width().min(WIDTH_MAX));
            }
        }
        if !self.is_begun && self.headings.iter().any(|heading| !heading.is_empty()) {
            let headings: Vec<Cell> =
                self.headings.iter().map(|heading| Cell::styled(heading, HEADING)).collect();
            self.line(out, &headings, " ")?;
        }
        self.is_begun = true;
        for row in std::mem::take(&mut self.rows) {
            self.line(out, &row, NOTHING)?;
        }
        Ok(())
    }

    fn line(&self, out: &mut dyn Write, cells: &[Cell], nothing: &str) -> io::Result<()> {
        let last = cells.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        write!(out, "{:1$}", "", self.indent)?;
        for (column, cell) in cells.iter().enumerate().take(last + 1) {
            let text = if cell.text.is_empty() { nothing } else { &cell.text };
            let padding = self.widths[column].saturating_sub(text.width());
            let style = cell.style;
            if self.right.contains(&column) {
                write!(out, "{:padding$}{style}{text}{style:#}", "")?;
            } else if column == last {
                write!(out, "{style}{text}{style:#}")?;
            } else {
                write!(out, "{style}{text}{style:#}{:padding$}", "")?;
            }
            if column < last {
                write!(out, "  ")?;
            }
        }
        writeln!(out)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn printed(table: &mut Table) -> String {
        let mut out = Vec::new();
        table.write(&mut out).expect("memory takes it");
        anstream::adapter::strip_str(&String::from_utf8(out).expect("text")).to_string()
    }

    #[test]
    fn columns_align_and_lines_end_without_blanks() {
        let mut table = Table::new(&["ID", "NAME", "ITEMS", ""]).right(2);
        table.row(["@1".into(), "東京".into(), 12u64.into(), "".into()]);
        table.row(["@1234".into(), "".into(), 1_234u64.into(), "stale".into()]);
        expect![[r#"
            ID     NAME  ITEMS
            @1     東京     12
            @1234  -     1,234  stale
        "#]]
        .assert_eq(&printed(&mut table));
    }

    #[test]
    fn a_second_part_keeps_the_columns_of_the_first() {
        let mut table = Table::new(&["ID", "NAME"]);
        table.row(["@123456".into(), "a".into()]);
        let first = printed(&mut table);
        table.row(["@1".into(), "b".into()]);
        expect![[r#"
            ID       NAME
            @123456  a
            @1       b
        "#]]
        .assert_eq(&(first + &printed(&mut table)));
    }

    #[test]
    fn a_cell_wider_than_the_limit_pushes_only_its_own_row() {
        let mut table = Table::new(&["NAME", "CLASS"]);
        table.row(["x".repeat(60).into(), "server".into()]);
        table.row(["db".into(), "server".into()]);
        let text = printed(&mut table);
        assert!(text.lines().nth(1).expect("a row").starts_with(&format!("{}  server", "x".repeat(60))));
        assert_eq!(text.lines().nth(2).expect("a row"), format!("{:48}  server", "db"));
    }
}
