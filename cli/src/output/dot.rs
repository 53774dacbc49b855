//! Directed graphs for Graphviz.

use std::io::{self, Write};

/// How a node is filled, so that a drawing shows states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fill {
    None,
    Seed,
    Failed,
    Degraded,
    AtRisk,
}

impl Fill {
    fn colour(self) -> Option<&'static str> {
        match self {
            Fill::None => None,
            Fill::Seed => Some("lightblue"),
            Fill::Failed => Some("lightcoral"),
            Fill::Degraded => Some("khaki"),
            Fill::AtRisk => Some("lightyellow"),
        }
    }
}

/// Writes a graph as it is told of it; nothing is kept.
pub struct Digraph<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Digraph<'a> {
    /// Opens the graph; `about` says in a comment what an arrow means.
    pub fn open(out: &'a mut dyn Write, about: &str) -> io::Result<Self> {
        writeln!(out, "// {}", about.replace(['\n', '\r'], " "))?;
        writeln!(out, "digraph cmdb {{")?;
        writeln!(out, "  rankdir=LR;")?;
        writeln!(out, "  node [shape=box, style=\"rounded,filled\", fillcolor=white];")?;
        Ok(Digraph { out })
    }

    /// A node: its id, and its label's lines.
    pub fn node(&mut self, id: &str, name: &str, class: &str, fill: Fill) -> io::Result<()> {
        let label = quote(&format!("{name}\n{class}"));
        write!(self.out, "  {} [label={label}", quote(id))?;
        if let Some(colour) = fill.colour() {
            write!(self.out, ", fillcolor={colour}")?;
        }
        writeln!(self.out, "];")
    }

    /// An arrow with a label; `group` names the redundancy group, if any.
    pub fn edge(&mut self, from: &str, to: &str, label: &str, group: &str) -> io::Result<()> {
        let label = if group.is_empty() { label.to_owned() } else { format!("{label} ({group})") };
        write!(self.out, "  {} -> {} [label={}", quote(from), quote(to), quote(&label))?;
        if !group.is_empty() {
            write!(self.out, ", style=dashed")?;
        }
        writeln!(self.out, "];")
    }

    pub fn close(self) -> io::Result<()> {
        writeln!(self.out, "}}")
    }
}

/// A quoted string of the dot language. Control characters other than the line break are left out.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control.is_control() => {}
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn names_are_quoted_and_groups_dashed() {
        let mut out = Vec::new();
        let mut graph = Digraph::open(&mut out, "arrows point at what is needed").expect("memory takes it");
        graph.node("@1", "a \"b\" \\ c", "server", Fill::Seed).expect("memory takes it");
        graph.edge("@1", "@2", "depends_on", "db").expect("memory takes it");
        graph.close().expect("memory takes it");
        expect![[r#"
            // arrows point at what is needed
            digraph cmdb {
              rankdir=LR;
              node [shape=box, style="rounded,filled", fillcolor=white];
              "@1" [label="a \"b\" \\ c\nserver", fillcolor=lightblue];
              "@1" -> "@2" [label="depends_on (db)", style=dashed];
            }
        "#]]
        .assert_eq(&String::from_utf8(out).expect("text"));
    }
}
