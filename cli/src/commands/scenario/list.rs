//! Scenarios and their edits, as people and programs read them.

use std::io::{self, Write};

use cmdb_proto::v1::scenario_edit::Edit;
use cmdb_proto::v1::{GraphItem, Scenario, ScenarioEdit, Value};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::commands::walk;
use crate::error::CommandError;
use crate::output::table::{BAD, FAINT, GOOD, NAME, Table, WARN};
use crate::output::{Format, escape, json, words};
use crate::session::Session;
use crate::{time, value};

/// All scenarios.
pub fn all(session: &mut Session, scenarios: &[Scenario]) -> Result<(), CommandError> {
    let now = session.now;
    let out = session.out.as_mut();
    match session.format {
        Format::Json => {
            let scenarios: Vec<Json> = scenarios.iter().map(head_json).collect();
            json::write(out, &json!({ "scenarios": scenarios }))?;
        }
        _ => all_table(out, scenarios, now)?,
    }
    Ok(())
}

pub fn all_table(out: &mut dyn Write, scenarios: &[Scenario], now: Timestamp) -> io::Result<()> {
    if scenarios.is_empty() {
        return writeln!(out, "no scenarios");
    }
    let mut rows = Table::new(&["NAME", "BASE", "EDITS", "MADE", "BY", "REASON"]).right(1).right(2);
    for scenario in scenarios {
        rows.row([
            (&scenario.name).into(),
            scenario.base_revision.into(),
            scenario.edits_total.into(),
            time::ago(scenario.created_at_us, now).unwrap_or_default().into(),
            (&scenario.created_by).into(),
            (&scenario.reason).into(),
        ]);
    }
    rows.write(out)
}

/// One scenario with its edits.
pub fn one(session: &mut Session, scenario: &Scenario) -> Result<(), CommandError> {
    let now = session.now;
    let out = session.out.as_mut();
    match session.format {
        Format::Json => json::write(out, &scenario_json(scenario))?,
        _ => one_table(out, scenario, now)?,
    }
    Ok(())
}

pub fn one_table(out: &mut dyn Write, scenario: &Scenario, now: Timestamp) -> io::Result<()> {
    headline(out, scenario)?;
    write!(out, "  made")?;
    if let Some(age) = time::ago(scenario.created_at_us, now) {
        write!(out, " {age}")?;
    }
    write!(out, " by {}", escape::line(&scenario.created_by))?;
    if !scenario.reason.is_empty() {
        write!(out, ": {}", escape::line(&scenario.reason))?;
    }
    writeln!(out)?;
    write_edits(out, scenario, scenario.edits.len())
}

/// A scenario after edits were added, with the last of them.
pub fn edited(session: &mut Session, scenario: &Scenario, last: usize) -> Result<(), CommandError> {
    match session.format {
        Format::Json => json::write(session.out.as_mut(), &scenario_json(scenario))?,
        _ if session.messages.is_quiet() => {}
        _ => edited_table(session.out.as_mut(), scenario, last)?,
    }
    Ok(())
}

pub fn edited_table(out: &mut dyn Write, scenario: &Scenario, last: usize) -> io::Result<()> {
    headline(out, scenario)?;
    write_edits(out, scenario, last)
}

/// A scenario that is gone.
pub fn deleted(session: &mut Session, name: &str) -> Result<(), CommandError> {
    match session.format {
        Format::Json => json::write(session.out.as_mut(), &json!({ "deleted": name }))?,
        _ if session.messages.is_quiet() => {}
        _ => writeln!(session.out, "scenario {} is deleted", escape::line(name))?,
    }
    Ok(())
}

fn headline(out: &mut dyn Write, scenario: &Scenario) -> io::Result<()> {
    let edits = match scenario.edits_total {
        0 => "no edits yet".to_owned(),
        count => words::count(count, "edit", "edits"),
    };
    let name = escape::line(&scenario.name);
    writeln!(out, "{NAME}scenario {name}{NAME:#} on revision {}: {edits}", scenario.base_revision)
}

fn write_edits(out: &mut dyn Write, scenario: &Scenario, last: usize) -> io::Result<()> {
    for edit in &scenario.edits[scenario.edits.len().saturating_sub(last)..] {
        write_edit(out, edit, &scenario.items)?;
    }
    Ok(())
}

fn write_edit(out: &mut dyn Write, edit: &ScenarioEdit, items: &[GraphItem]) -> io::Result<()> {
    let Some(edit) = &edit.edit else { return Ok(()) };
    let named = |id: &str| {
        let item = items.iter().find(|item| item.id == id);
        item.map_or_else(|| id.to_owned(), |item| format!("{} ({id})", walk::name(item)))
    };
    let (sign, sentence) = match edit {
        Edit::Add(add) => (format!("{GOOD}+{GOOD:#}"), format!("{} ({})", add.name, add.class)),
        Edit::Remove(remove) => (format!("{BAD}-{BAD:#}"), named(&remove.item)),
        Edit::Set(set) => (format!("{WARN}~{WARN:#}"), named(&set.item)),
        Edit::Relate(relate) => {
            let mut sentence = format!("{} {} {}", named(&relate.from), relate.r#type, named(&relate.to));
            if !relate.group.is_empty() {
                sentence += &format!(", group {}", relate.group);
            }
            if (relate.weight - 1.0).abs() > f64::EPSILON {
                sentence += &format!(", weight {}", relate.weight);
            }
            (format!("{GOOD}+{GOOD:#}"), sentence)
        }
        Edit::Unrelate(gone) => {
            (format!("{BAD}-{BAD:#}"), format!("{} {} {}", named(&gone.from), gone.r#type, named(&gone.to)))
        }
        Edit::Require(require) => {
            let sentence =
                format!("{}: group {} needs {}", named(&require.item), require.group, require.require);
            (format!("{WARN}~{WARN:#}"), sentence)
        }
    };
    writeln!(out, "  {sign} {}", escape::line(&sentence))?;
    let attributes = match edit {
        Edit::Add(add) => Some(&add.attributes),
        Edit::Set(set) => Some(&set.attributes),
        _ => None,
    };
    for (name, value) in attributes.into_iter().flatten() {
        writeln!(out, "      {FAINT}{}{FAINT:#}", escape::line(&format!("{name}: {}", shown(value))))?;
    }
    Ok(())
}

fn shown(value: &Value) -> String {
    if value.kind.is_none() { "nothing".to_owned() } else { value::text(value) }
}

fn head_json(scenario: &Scenario) -> Json {
    json!({
        "name": scenario.name,
        "base_revision": scenario.base_revision,
        "created_at": time::rfc3339(scenario.created_at_us),
        "created_by": scenario.created_by,
        "reason": json::or_null(&scenario.reason),
        "edits_total": scenario.edits_total,
    })
}

pub fn scenario_json(scenario: &Scenario) -> Json {
    let mut object = head_json(scenario);
    object["edits"] = scenario.edits.iter().map(edit_json).collect();
    object["items"] = scenario.items.iter().map(|item| Json::Object(json::graph_item(item))).collect();
    object
}

fn edit_json(edit: &ScenarioEdit) -> Json {
    match &edit.edit {
        None => Json::Null,
        Some(Edit::Add(add)) => {
            json!({"edit": "add", "class": add.class, "name": add.name, "attributes": value::json_map(&add.attributes)})
        }
        Some(Edit::Remove(remove)) => json!({"edit": "remove", "item": remove.item}),
        Some(Edit::Set(set)) => {
            json!({"edit": "set", "item": set.item, "attributes": value::json_map(&set.attributes)})
        }
        Some(Edit::Relate(relate)) => json!({
            "edit": "relate",
            "from": relate.from,
            "type": relate.r#type,
            "to": relate.to,
            "group": json::or_null(&relate.group),
            "weight": relate.weight,
        }),
        Some(Edit::Unrelate(gone)) => {
            json!({"edit": "unrelate", "from": gone.from, "type": gone.r#type, "to": gone.to})
        }
        Some(Edit::Require(require)) => json!({
            "edit": "require",
            "item": require.item,
            "group": require.group,
            "require": require.require,
        }),
    }
}
