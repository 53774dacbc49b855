mod csv;
mod exported;
mod json_lines;
mod lines;

use super::{Format, ReadError, Record, reader};
use crate::claim::{Claim, Reference};
use crate::model::Schema;

/// What a reader makes of a file, one line each: claims as below, problems with their place and hint.
fn read(format: Format, bytes: &[u8]) -> String {
    let schema = Schema::built_in();
    let lines: Vec<String> = reader(format, bytes, &schema)
        .map(|record| match record {
            Ok(record) => {
                let shown = match &record.value {
                    Record::Claim(claim) => show(claim),
                    Record::Exported(exported) => format!("{exported:?}"),
                };
                format!("{}: {shown}", record.line)
            }
            Err(ReadError::Line(problem)) => {
                let hint = &problem.problem.hint;
                let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
                format!(
                    "{}:{}: {} {}{hint}",
                    problem.line,
                    problem.column,
                    problem.problem.reason.code(),
                    problem.problem.message
                )
            }
            Err(ReadError::File(error)) => format!("file: {error}"),
        })
        .collect();
    lines.join("\n")
}

/// The only claim of a file.
fn one(format: Format, text: &str) -> Claim {
    let schema = Schema::built_in();
    let mut records = reader(format, text.as_bytes(), &schema);
    let record = records.next().expect("a record").unwrap_or_else(|error| panic!("{error}"));
    match record.value {
        Record::Claim(claim) => *claim,
        Record::Exported(exported) => panic!("not a claim: {exported:?}"),
    }
}

fn show(claim: &Claim) -> String {
    let mut parts = vec![format!("{:?} {}", claim.kind, claim.key)];
    if let Some(item) = &claim.item {
        parts.push(format!("{} {:?}", item.class, item.name));
        parts.extend(item.attributes.iter().map(|(name, value)| format!("{name}={value:?}")));
        parts.extend(item.within.iter().map(|within| format!("within {}", show_reference(within))));
    }
    for relationship in &claim.relationships {
        let (from, to) = (show_reference(&relationship.from), show_reference(&relationship.to));
        parts.push(format!("{from} {} {to}", relationship.kind));
        parts.push(format!(
            "group={:?} weight={} inferred={} confidence={} denied={}",
            relationship.group,
            relationship.weight,
            relationship.inferred,
            relationship.confidence,
            relationship.denied
        ));
        parts.extend(relationship.attributes.iter().map(|(name, value)| format!("{name}={value:?}")));
    }
    for redundancy in &claim.redundancies {
        let item = show_reference(&redundancy.item);
        parts.push(format!(
            "{item} {} {} inferred={} confidence={}",
            redundancy.group, redundancy.require, redundancy.inferred, redundancy.confidence
        ));
    }
    parts.join(" | ")
}

fn show_reference(reference: &Reference) -> String {
    match reference {
        Reference::Key(key) => key.clone(),
        Reference::SourceKey { source, key } => format!("<{source}>:{key}"),
        Reference::Id(id) => id.to_string(),
        Reference::This => ".".to_owned(),
        Reference::Match(wanted) => format!("{}{:?}", wanted.class, wanted.attributes),
    }
}
