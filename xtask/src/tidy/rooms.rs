//! Which room of core may look into which, and what impact and the agent may use, read from the paths
//! that each file names.
//!
//! ```text
//! model ← claim ← {import, identify, reconcile} ─┐
//! model ← claim ← store ─────────────────────────┴─ change ← history ─┐
//! model ← {graph, query} ← health ────────────────────────────────────┴─ engine
//! ```

use std::path::{Component, Path};

use super::source::{self, Named};
use super::{Breach, SourceFile};

/// A room of core and the rooms that it may look into.
struct Room {
    name: &'static str,
    may: &'static [&'static str],
}

const BELOW_ENGINE: &[&str] = &[
    "model",
    "claim",
    "import",
    "identify",
    "reconcile",
    "store",
    "change",
    "history",
    "graph",
    "query",
    "health",
    "redundancy",
];

const ROOMS: [Room; 13] = [
    Room { name: "model", may: &[] },
    Room { name: "claim", may: &["model"] },
    Room { name: "import", may: &["model", "claim"] },
    Room { name: "identify", may: &["model", "claim"] },
    Room { name: "reconcile", may: &["model", "claim"] },
    // The store keeps rows and knows nothing of commits; a change is written through it.
    Room { name: "store", may: &["model", "claim"] },
    Room { name: "change", may: &["model", "claim", "identify", "reconcile", "store"] },
    Room { name: "history", may: &["model", "claim", "identify", "reconcile", "store", "change"] },
    // What impact walks: nothing below it but the model.
    Room { name: "graph", may: &["model"] },
    Room { name: "query", may: &["model"] },
    // Judges what the engine hands in.
    Room { name: "redundancy", may: &["model"] },
    Room { name: "engine", may: BELOW_ENGINE },
    // Counts what the engine hands in.
    Room { name: "health", may: &["model", "graph", "query"] },
];

const IMPACT_MAY: [&str; 2] = ["model", "graph"];

/// The paths in `file` that a rule forbids.
pub fn breaches(file: &SourceFile) -> Vec<Breach> {
    if file.path.extension().is_none_or(|extension| extension != "rs") || is_test_file(&file.path) {
        return Vec::new();
    }
    let Some(module) = module_of(&file.path) else {
        return Vec::new();
    };
    let named = source::named_paths(&file.text, &module);
    let judge: fn(&[String], &Named) -> Option<String> = if file.path.starts_with("cmdb-core/src") {
        core_rule
    } else if file.path.starts_with("impact/src") {
        impact_rule
    } else if file.path.starts_with("agent/src") {
        agent_rule
    } else {
        return Vec::new();
    };
    named
        .iter()
        .filter_map(|named| judge(&module, named).map(|rule| (rule, named)))
        .map(|(rule, named)| Breach {
            file: file.path.clone(),
            line: named.line,
            rule,
            found: named.path.join("::"),
        })
        .collect()
}

fn core_rule(module: &[String], named: &Named) -> Option<String> {
    if is_wall_clock(&named.path) {
        return Some("core takes the time of day as an argument and never reads the clock".to_owned());
    }
    let room = room(module.first()?)?;
    let target = room_named(named)?;
    if target == room.name || room.may.contains(&target) {
        return None;
    }
    let may = if room.may.is_empty() { "no other room".to_owned() } else { room.may.join(", ") };
    Some(format!("{} never imports {target}: it may use {may}", room.name))
}

fn impact_rule(_module: &[String], named: &Named) -> Option<String> {
    let forbidden = named.path[0] == "cmdb_core" && !IMPACT_MAY.contains(&named.path[1].as_str());
    forbidden.then(|| "impact uses only the rooms model and graph of core".to_owned())
}

fn agent_rule(_module: &[String], named: &Named) -> Option<String> {
    let is = |path: &[&str]| named.path.windows(path.len()).any(|part| part == path);
    let starts = is(&["process", "Command"]) || is(&["Command", "new"]) && named.path.len() == 2;
    // clap's builder has a type of the same name; the agent derives its arguments.
    starts.then(|| "the agent starts no other programs".to_owned())
}

/// `SystemTime::now` and the like. `Instant` measures how long something takes, and is not the time of day.
fn is_wall_clock(path: &[String]) -> bool {
    let last = path.iter().rev().take(2).map(String::as_str).collect::<Vec<_>>();
    matches!(last.as_slice(), ["now", "SystemTime" | "Timestamp" | "Zoned"])
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// The room that a path leads into, when it leads into one of core's rooms.
fn room_named(named: &Named) -> Option<&'static str> {
    if named.path[0] != "crate" {
        return None;
    }
    room(&named.path[1]).map(|room| room.name)
}

/// `cmdb-core/src/store/read.rs` is `["store", "read"]`; the crate's root is empty.
fn module_of(path: &Path) -> Option<Vec<String>> {
    let mut parts: Vec<String> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => name.to_str().map(str::to_owned),
            _ => None,
        })
        .skip_while(|part| part != "src")
        .skip(1)
        .collect();
    let file = parts.pop()?;
    let stem = file.strip_suffix(".rs")?;
    if !["lib", "main", "mod"].contains(&stem) {
        parts.push(stem.to_owned());
    }
    Some(parts)
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
        || path.file_name().is_some_and(|name| name == "tests.rs")
}
