//! Whether an edit can be made: on the scenario's base, after the edits before it.

use super::not_there;
use crate::engine::read::Reader;
use crate::engine::request::EngineError;
use crate::model::schema::Schema;
use crate::model::value::Attributes;
use crate::model::{Problem, Reason};
use crate::scenario::{EDITS_MAX, Edit, NAME_BYTES_MAX, Scenario, Subject};

impl Reader {
    /// Checks an edit against this moment (the scenario's base) and the edits before it; values in their types.
    ///
    /// # Errors
    /// When it does not fit.
    pub fn check_edit(&self, scenario: &Scenario, edit: Edit) -> Result<Edit, EngineError> {
        let schema = self.schema();
        if scenario.edits.len() >= EDITS_MAX {
            return Err(Problem::new(
                Reason::LimitExceeded,
                format!("scenario {} has as many edits as one may have", scenario.name),
                scenario.name.clone(),
            )
            .expected(format!("at most {EDITS_MAX}"), scenario.edits.len().to_string())
            .into());
        }
        let added = scenario.added();
        let mut classes = Vec::new();
        for subject in edit.subjects() {
            classes.push(match subject {
                Subject::Item(id) => self.item(id)?.ok_or_else(|| not_there(id, scenario))?.class,
                Subject::Added(place) => {
                    added.get(&place).map(|(class, _)| (*class).to_owned()).ok_or_else(|| {
                        Problem::new(Reason::ItemNotFound, "that edit adds no item", place.to_string())
                    })?
                }
            });
        }
        Ok(match edit {
            Edit::Add { class, name, attributes } => {
                check_new(schema, &class, &name)?;
                check_unused(scenario, &name)?;
                let attributes = fit(schema, &class, attributes)?;
                Edit::Add { class, name, attributes }
            }
            Edit::Set { item, attributes, cleared } => {
                Edit::Set { item, attributes: fit(schema, &classes[0], attributes)?, cleared }
            }
            Edit::Relate { from, kind, to, group, weight } => {
                if from == to {
                    return Err(Problem::new(
                        Reason::RelationshipInvalid,
                        "an item cannot be related to itself",
                        kind,
                    )
                    .into());
                }
                check_type(schema, &kind)?;
                Edit::Relate { from, kind, to, group, weight }
            }
            Edit::Unrelate { from, kind, to } => {
                check_type(schema, &kind)?;
                Edit::Unrelate { from, kind, to }
            }
            other @ (Edit::Remove { .. } | Edit::Require { .. }) => other,
        })
    }
}

fn check_new(schema: &Schema, class: &str, name: &str) -> Result<(), Problem> {
    match schema.class(class) {
        None => {
            let near =
                schema.nearest_class(class).map_or_else(String::new, |near| format!("did you mean {near}?"));
            Err(Problem::new(Reason::ClassUnknown, format!("there is no class \"{class}\""), class)
                .hint(near))
        }
        Some(declared) if declared.is_abstract => {
            Err(Problem::new(Reason::ClassAbstract, format!("{class} has no items of its own"), class))
        }
        Some(_) if name.is_empty() => Err(Problem::new(Reason::KeyInvalid, "a new item needs a name", class)),
        Some(_) => Ok(()),
    }
}

/// Within a scenario an added item is known by its name alone.
fn check_unused(scenario: &Scenario, name: &str) -> Result<(), Problem> {
    if scenario.added_as(name).is_none() {
        return Ok(());
    }
    let message = format!("scenario {} adds an item of that name already", scenario.name);
    Err(Problem::new(Reason::KeyRepeated, message, format!("+{name}")).hint("give the item another name"))
}

fn check_type(schema: &Schema, kind: &str) -> Result<(), Problem> {
    if schema.relationship_type(kind).is_some() {
        return Ok(());
    }
    let near = schema.nearest_relationship_type(kind);
    let hint = near.map_or_else(String::new, |near| format!("did you mean {near}?"));
    let message = format!("there is no relationship type \"{kind}\"");
    Err(Problem::new(Reason::RelationshipTypeUnknown, message, kind).hint(hint))
}

fn fit(schema: &Schema, class: &str, attributes: Attributes) -> Result<Attributes, Problem> {
    let fitted = attributes.into_iter().map(|(name, value)| {
        let value = schema.fit(class, &name, value)?;
        Ok((name, value))
    });
    fitted.collect()
}

/// Checks a scenario's name.
///
/// # Errors
/// When it is not one.
pub fn check_scenario_name(name: &str) -> Result<(), Problem> {
    let fits = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if fits {
        return Ok(());
    }
    Err(Problem::new(Reason::KeyInvalid, "this cannot be the name of a scenario", name)
        .expected(format!("letters, digits, '.', '_' and '-', at most {NAME_BYTES_MAX}"), name))
}
