//! Between scenarios and their records.

use super::{Edit, Scenario, Subject};
use crate::model::relationship::Require;
use crate::model::{ItemId, Revision, Timestamp};
use crate::store::record::{self, EditRecord, ScenarioRecord};
use crate::store::{StoreError, Table};

/// Provisional numbers stand above all real ones.
const ADDED: u64 = 1 << 63;

/// A scenario as a record.
#[must_use]
pub fn scenario_record(scenario: &Scenario) -> ScenarioRecord {
    ScenarioRecord {
        name: scenario.name.clone(),
        base: scenario.base.0,
        created_at_us: scenario.created_at.0,
        created_by: scenario.created_by.clone(),
        reason: scenario.reason.clone(),
        edits: scenario.edits.iter().map(edit_record).collect(),
    }
}

/// A scenario from its record.
///
/// # Errors
/// When the record is of a kind that this program does not know.
pub fn scenario_from(row: ScenarioRecord) -> Result<Scenario, StoreError> {
    Ok(Scenario {
        name: row.name,
        base: Revision(row.base),
        created_at: Timestamp(row.created_at_us),
        created_by: row.created_by,
        reason: row.reason,
        edits: row.edits.into_iter().map(edit_from).collect::<Result<_, _>>()?,
    })
}

fn number(subject: Subject) -> u64 {
    match subject {
        Subject::Item(id) => id.0,
        Subject::Added(place) => ADDED | u64::from(place),
    }
}

fn subject(number: u64) -> Result<Subject, StoreError> {
    match u32::try_from(number & !ADDED) {
        _ if number & ADDED == 0 => Ok(Subject::Item(ItemId(number))),
        Ok(place) => Ok(Subject::Added(place)),
        Err(_) => Err(damaged("an item that is added nowhere")),
    }
}

fn edit_record(edit: &Edit) -> EditRecord {
    let empty = EditRecord::default();
    match edit {
        Edit::Add { class, name, attributes } => EditRecord {
            kind: 1,
            class: class.clone(),
            name: name.clone(),
            attributes: record::plain_records(attributes),
            ..empty
        },
        Edit::Remove { item } => EditRecord { kind: 2, item: number(*item), ..empty },
        Edit::Set { item, attributes, cleared } => EditRecord {
            kind: 3,
            item: number(*item),
            attributes: record::plain_records(attributes),
            cleared: cleared.clone(),
            ..empty
        },
        Edit::Relate { from, kind, to, group, weight } => EditRecord {
            kind: 4,
            item: number(*from),
            relationship: kind.clone(),
            to: number(*to),
            group: group.clone(),
            weight: *weight,
            ..empty
        },
        Edit::Unrelate { from, kind, to } => {
            EditRecord { kind: 5, item: number(*from), relationship: kind.clone(), to: number(*to), ..empty }
        }
        Edit::Require { item, group, require } => EditRecord {
            kind: 6,
            item: number(*item),
            group: group.clone(),
            require: require.to_string(),
            ..empty
        },
    }
}

fn edit_from(row: EditRecord) -> Result<Edit, StoreError> {
    let edit = match row.kind {
        1 => Edit::Add { class: row.class, name: row.name, attributes: record::plain_from(row.attributes)? },
        2 => Edit::Remove { item: subject(row.item)? },
        3 => Edit::Set {
            item: subject(row.item)?,
            attributes: record::plain_from(row.attributes)?,
            cleared: row.cleared,
        },
        4 => Edit::Relate {
            from: subject(row.item)?,
            kind: row.relationship,
            to: subject(row.to)?,
            group: row.group,
            weight: row.weight,
        },
        5 => Edit::Unrelate { from: subject(row.item)?, kind: row.relationship, to: subject(row.to)? },
        6 => Edit::Require {
            item: subject(row.item)?,
            group: row.group,
            require: row.require.parse::<Require>().map_err(|error| damaged(&error.to_string()))?,
        },
        other => return Err(damaged(&format!("an edit of kind {other}"))),
    };
    Ok(edit)
}

fn damaged(detail: &str) -> StoreError {
    StoreError::Damaged { table: Table::Scenarios.name(), detail: detail.to_owned() }
}
