//! `cmdb scenario apply` and `diff`: what would change, where the graph has moved on, and making it so.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use cmdb_proto::v1::{ApplyScenarioRequest, DiffScenarioResponse, ScenarioConflict};
use serde_json::{Value as Json, json};

use crate::commands::correction::{self, Options, Outcomes};
use crate::error::CommandError;
use crate::output::table::{NAME, Table, WARN};
use crate::output::{Format, change, escape, json, words};
use crate::session::Session;

/// Which value counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Take {
    /// What the scenario says
    Mine,
    /// What the graph says now
    Theirs,
}

impl Take {
    fn name(self) -> &'static str {
        match self {
            Take::Mine => "mine",
            Take::Theirs => "theirs",
        }
    }
}

#[derive(Args, Debug)]
pub struct Arguments {
    #[arg(value_name = "NAME")]
    name: String,
    /// What counts in fields that have changed since the base, where --take-field does not say
    #[arg(long, value_enum, value_name = "SIDE")]
    take: Option<Take>,
    /// What counts in one field, such as `@42.version=mine`; several times
    #[arg(long, value_name = "FIELD=SIDE", value_parser = take_field)]
    take_field: Vec<(String, Take)>,
    #[command(flatten)]
    options: Options,
}

pub fn take_field(text: &str) -> Result<(String, Take), String> {
    // A field may have a = in it, a side has none.
    let (field, side) =
        text.rsplit_once('=').ok_or("there is no = in it; write FIELD=mine or FIELD=theirs")?;
    let side = <Take as ValueEnum>::from_str(side, false).map_err(|_| "after the = stands mine or theirs")?;
    if field.is_empty() {
        Err("there is no field before the =".to_owned())
    } else {
        Ok((field.to_owned(), side))
    }
}

pub async fn run(arguments: Arguments, session: &mut Session) -> Result<(), CommandError> {
    let take = arguments.take_field.iter().map(|(field, take)| (field.clone(), take.name().to_owned()));
    let request = ApplyScenarioRequest {
        name: arguments.name,
        dry_run: arguments.options.dry_run,
        reason: arguments.options.reason.clone(),
        take_all: arguments.take.map(|take| take.name().to_owned()).unwrap_or_default(),
        take: take.collect::<BTreeMap<_, _>>(),
    };
    let answer = session.connect().await?.scenarios().apply(request).await?.into_inner();
    if answer.conflicts.is_empty() {
        let outcomes = Outcomes {
            revision: answer.revision,
            changes: answer.changes,
            notes: answer.notes,
            skipped: Vec::new(),
        };
        return correction::report(session, &arguments.options, &outcomes);
    }
    match session.format {
        Format::Json => {
            json::write(session.out.as_mut(), &json!({"conflicts": conflicts_json(&answer.conflicts)}))?
        }
        _ => conflicts_table(session.out.as_mut(), &answer.conflicts)?,
    }
    session.flush()?;
    Err(undecided(answer.conflicts.len()))
}

fn undecided(count: usize) -> CommandError {
    let changed = words::count(count as u64, "field has", "fields have");
    CommandError::failure(format!("nothing was applied: {changed} changed since the scenario's base"))
        .hint("decide each with its flag (mine: the scenario; theirs: what is there now), or all with --take mine or --take theirs")
}

pub fn conflicts_table(out: &mut dyn Write, conflicts: &[ScenarioConflict]) -> io::Result<()> {
    let mut rows = Table::new(&["FIELD", "BASE", "NOW (THEIRS)", "SCENARIO (MINE)", "DECIDE WITH"]);
    for conflict in conflicts {
        rows.row([
            (&conflict.title).into(),
            (&conflict.base).into(),
            (&conflict.theirs).into(),
            (&conflict.mine).into(),
            flag(&conflict.field).into(),
        ]);
    }
    rows.write(out)
}

/// As a shell takes it.
fn flag(field: &str) -> String {
    format!("--take-field '{}=mine'", field.replace('\'', "'\\''"))
}

pub fn conflicts_json(conflicts: &[ScenarioConflict]) -> Json {
    let conflict = |conflict: &ScenarioConflict| {
        json!({
            "field": conflict.field,
            "title": conflict.title,
            "base": conflict.base,
            "theirs": conflict.theirs,
            "mine": conflict.mine,
        })
    };
    conflicts.iter().map(conflict).collect()
}

pub fn diff_json(name: &str, diff: &DiffScenarioResponse) -> Json {
    json!({
        "name": name,
        "base_revision": diff.base_revision,
        "head_revision": diff.head_revision,
        "changes": json::changes(&diff.changes),
        "conflicts": conflicts_json(&diff.conflicts),
    })
}

pub fn diff_table(out: &mut dyn Write, name: &str, diff: &DiffScenarioResponse) -> io::Result<()> {
    let name = escape::line(name);
    let summary = change::summary(&diff.changes);
    writeln!(out, "{NAME}scenario {name}{NAME:#} on revision {}: {summary}", diff.base_revision)?;
    change::write_all(out, &diff.changes, 0)?;
    if diff.conflicts.is_empty() {
        return Ok(());
    }
    let changed = words::count(diff.conflicts.len() as u64, "field has", "fields have");
    writeln!(out, "\n{WARN}{changed} changed since, to be decided when it is applied{WARN:#}")?;
    conflicts_table(out, &diff.conflicts)
}
