//! The estate as files that everybody loads, and what is asked of it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::graph::estate::Estate;

/// Items by id, from 1 without a gap, and who takes whom down: relationships that are not weak, each pair once, by
/// provider. Nobody is given groups, since nobody but us could use them.
pub struct Facts {
    pub directory: PathBuf,
    pub items_file: PathBuf,
    pub needs_file: PathBuf,
    pub items: usize,
    pub relationships: usize,
    /// What is asked about.
    pub seeds: Vec<u64>,
}

impl Facts {
    pub fn write(made: &Estate, directory: &Path, seed: u64, questions: usize) -> Result<Facts> {
        let mut pairs = made.hard_pairs();
        pairs.sort_unstable();
        pairs.dedup();
        let facts = Facts {
            directory: directory.to_owned(),
            items_file: directory.join("items.csv"),
            needs_file: directory.join("needs.csv"),
            items: made.items(),
            relationships: pairs.len(),
            seeds: made.questions(seed, questions).iter().map(|id| id.0).collect(),
        };
        write(&facts.items_file, "id", (1..=facts.items).map(|id| id.to_string()))?;
        let rows = pairs.iter().map(|(provider, dependent)| format!("{},{}", provider.0, dependent.0));
        write(&facts.needs_file, "provider,dependent", rows)?;
        Ok(facts)
    }
}

fn write(path: &Path, heading: &str, rows: impl Iterator<Item = String>) -> Result<()> {
    let lines = || {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{heading}")?;
        for row in rows {
            writeln!(file, "{row}")?;
        }
        file.flush()
    };
    lines().with_context(|| format!("writing {}", path.display()))
}
