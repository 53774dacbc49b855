//! Asks through the `cmdb` binary and prints what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// Classes of what an operating system can run on, the most telling first.
const MACHINES: [&str; 4] = ["server", "virtual_machine", "computer", "container"];

/// The shell, talking to the demo's server.
pub struct Shell {
    /// Where files are named from.
    root: PathBuf,
    binary: PathBuf,
    url: String,
}

impl Shell {
    pub fn new(root: &Path, binary: PathBuf, url: String) -> Self {
        Self { root: root.to_owned(), binary, url }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.root).args(["--server", &self.url]).args(arguments);
        command
    }

    /// Whether the server answers.
    pub fn answers(&self) -> bool {
        process::succeeds(&mut self.command(&["status"]))
    }

    /// Runs a command for the reader's eyes, with the line that does it.
    pub fn show(&self, arguments: &[&str]) -> Result<()> {
        process::say(format!("\n$ cmdb {}", arguments.join(" ")));
        process::run(&mut self.command(arguments))
    }

    fn items(&self, class: Option<&str>) -> Result<Vec<Item>> {
        let mut arguments = vec!["items", "--all", "--output", "jsonl"];
        arguments.extend(class.map(|class| ["--class", class]).into_iter().flatten());
        let lines = process::read(&mut self.command(&arguments))?;
        lines
            .lines()
            .map(|line| Ok(Item(serde_json::from_str(line)?)))
            .collect::<Result<_>>()
            .context("cmdb items")
    }
}

/// An item as `cmdb items --output jsonl` prints it.
struct Item(Value);

impl Item {
    fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> &Value {
        &self.0["attributes"][name]["value"]
    }

    /// Named by the agent, not by the sample estate of an earlier run.
    fn is_of_agent(&self) -> bool {
        self.text("source") != super::SAMPLE_SOURCE
    }
}

/// What the agent told of this machine.
pub struct Machine {
    by_class: BTreeMap<String, usize>,
    software: Vec<Item>,
    seed: String,
}

/// Reads back what the agent reported.
pub fn this_machine(shell: &Shell) -> Result<Machine> {
    let items: Vec<Item> = shell.items(None)?.into_iter().filter(Item::is_of_agent).collect();
    let mut by_class = BTreeMap::new();
    for item in &items {
        *by_class.entry(item.text("class").to_owned()).or_default() += 1;
    }
    let of_class = |class: &&str| items.iter().find(|item| item.text("class") == *class);
    let seed = MACHINES.iter().chain(&["operating_system"]).find_map(of_class);
    let seed =
        seed.context("the agent reported neither a machine nor an operating system")?.text("id").to_owned();
    let software = shell.items(Some("software"))?.into_iter().filter(Item::is_of_agent).collect();
    Ok(Machine { by_class, software, seed })
}

impl Machine {
    /// The item whose failure is asked about.
    pub fn seed(&self) -> &str {
        &self.seed
    }

    pub fn print(&self) {
        process::say("\nThis machine, items by class:");
        for (class, count) in &self.by_class {
            process::say(format!("  {count:>6}  {class}"));
        }
        process::say("\nThe software it runs, with what it listens on:");
        for item in self.software.iter().filter(|item| item.text("status") == "active") {
            let version = item.attribute("version").as_str().unwrap_or("");
            let line = format!(
                "  {:<28} {:<14} {:<20} {}",
                item.text("name"),
                version,
                item.text("class"),
                listens(item)
            );
            process::say(line.trim_end());
        }
    }
}

fn listens(item: &Item) -> String {
    let ports = item.attribute("ports").as_array().cloned().unwrap_or_default();
    if ports.is_empty() {
        return String::new();
    }
    let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
    format!("port {}", ports.join(", "))
}
