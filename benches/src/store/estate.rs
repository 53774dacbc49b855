//! An estate of any size as two CSV files, written line by line; and single changes to it.
//!
//! Two of five items are servers with a serial number and a host name, the others run on them and use one another.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use cmdb_core::claim::{Claim, ItemClaim, UnitKind};
use cmdb_core::model::Value;

use crate::generator::Random;

/// The key of an item.
pub fn key(number: u64) -> String {
    format!("item-{number:07}")
}

fn is_server(number: u64) -> bool {
    number % 5 < 2
}

fn serial(number: u64) -> String {
    if is_server(number) { format!("SN{number:09}") } else { String::new() }
}

fn host_name(number: u64) -> String {
    if is_server(number) { format!("host-{number:07}.example.org") } else { String::new() }
}

fn class(number: u64) -> &'static str {
    if is_server(number) { "server" } else { "application" }
}

/// Writes both files.
pub fn write(items: &Path, relationships: &Path, count: u64, seed: u64) -> Result<()> {
    let mut out = BufWriter::new(File::create(items)?);
    writeln!(out, "key,class,name,serial_number,host_name,description")?;
    for number in 0..count {
        let (key, class, serial, host) = (key(number), class(number), serial(number), host_name(number));
        writeln!(out, "{key},{class},Name of {key},{serial},{host},as it was imported")?;
    }
    out.flush()?;
    let mut out = BufWriter::new(File::create(relationships)?);
    writeln!(out, "from,type,to")?;
    let mut random = Random::new(seed);
    for number in 0..count {
        let mut chosen = Vec::new();
        while chosen.len() < 4 {
            let other = random.below(count);
            if other != number && !chosen.contains(&other) {
                chosen.push(other);
            }
        }
        for (kind, other) in ["depends_on", "depends_on", "runs_on", "connects_to"].iter().zip(chosen) {
            writeln!(out, "{},{kind},{}", key(number), key(other))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// What the import said of an item, with another description.
pub fn changed(number: u64, version: u64) -> Claim {
    let mut item = ItemClaim {
        class: class(number).to_owned(),
        name: format!("Name of {}", key(number)),
        ..ItemClaim::default()
    };
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            item.attributes.insert(name.to_owned(), Value::Text(value));
        }
    };
    say("serial_number", serial(number));
    say("host_name", host_name(number));
    say("description", format!("changed for the {version}th time"));
    Claim {
        kind: UnitKind::Item,
        key: key(number),
        item: Some(item),
        relationships: Vec::new(),
        redundancies: Vec::new(),
    }
}
