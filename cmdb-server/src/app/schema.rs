//! What kinds of items and relationships there are.

use std::collections::BTreeMap;

use cmdb_core::model::schema::{Class, Schema};
use cmdb_core::model::{Problem, Reason};

use super::{App, Error};

/// Classes, and how many active items each has.
pub struct ClassesAnswer {
    /// Parents first.
    pub classes: Vec<Class>,
    /// Items of exactly that class.
    pub items: BTreeMap<String, u64>,
    /// Of the whole schema.
    pub schema_digest: [u8; 32],
}

impl App {
    /// The class and its children; all when the name is empty.
    ///
    /// # Errors
    /// When there is no such class.
    pub async fn classes(&self, name: &str) -> Result<ClassesAnswer, Error> {
        let schema = self.engine.schema();
        if !name.is_empty() {
            known_class(&schema, name)?;
        }
        let classes = schema.classes().filter(|class| name.is_empty() || class.is_a(name)).cloned().collect();
        let schema_digest = schema.digest();
        let figures = self.read(|reader| Ok(reader.figures()?)).await?;
        Ok(ClassesAnswer { classes, items: figures.items_by_class.into_iter().collect(), schema_digest })
    }
}

/// That there is a class of that name.
///
/// # Errors
/// When there is none, with the nearest.
pub fn known_class(schema: &Schema, name: &str) -> Result<(), Problem> {
    if schema.class(name).is_some() {
        return Ok(());
    }
    let mut problem = Problem::new(Reason::ClassUnknown, format!("there is no class \"{name}\""), name);
    problem.given = name.to_owned();
    problem.hint = match schema.nearest_class(name) {
        Some(nearest) => format!("did you mean \"{nearest}\"?"),
        None => "ask for the classes without a name to see all of them".to_owned(),
    };
    Err(problem)
}
