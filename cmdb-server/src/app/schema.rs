//! What kinds of items and relationships there are.

use std::collections::BTreeMap;
use std::path::Path;

use cmdb_core::engine::{Trial, TrialOptions, When};
use cmdb_core::model::schema::{Class, RelationshipType, Schema, SchemaError};
use cmdb_core::model::{Problem, Reason};

use super::graph::AsOf;
use super::names::Mentioned;
use super::{App, Error, Names};

/// Entries of each list of a trial when nobody says how many.
pub const TRIAL_DEFAULT: usize = 100;
/// Entries of each list of a trial at most.
pub const TRIAL_MAX: usize = 10_000;

/// Classes, and how many active items each has.
pub struct ClassesAnswer {
    /// Parents first.
    pub classes: Vec<Class>,
    /// Items of exactly that class.
    pub items: BTreeMap<String, u64>,
    /// Of the whole schema.
    pub schema_digest: [u8; 32],
    /// The moment.
    pub as_of: AsOf,
}

/// Types of relationships.
pub struct RelationshipTypesAnswer {
    /// All of them.
    pub types: Vec<RelationshipType>,
    /// The moment.
    pub as_of: AsOf,
}

/// What rules that are not in force would change.
pub struct TrialAnswer {
    /// What would change.
    pub trial: Trial,
    /// The user's files that were tried together.
    pub files: Vec<String>,
    /// What is mentioned.
    pub names: Names,
}

impl App {
    /// Tries files of rules on what is stored: each in place of the file of its name that is in force, or after all
    /// of them. Lists at most `limit` of each; 0: [`TRIAL_DEFAULT`].
    ///
    /// # Errors
    /// When the files are wrong, with file and line; or the store cannot be read.
    pub async fn test_rules(&self, given: Vec<(String, String)>, limit: usize) -> Result<TrialAnswer, Error> {
        if given.is_empty() {
            return Err(Problem::new(Reason::RulesInvalid, "no rules are given to be tried", "rules").into());
        }
        let limit = if limit == 0 { TRIAL_DEFAULT } else { limit.min(TRIAL_MAX) };
        let files = with(own_files(&self.engine.schema()), given);
        let room = self.staging.begin()?;
        let engine = self.engine.clone();
        self.work(move || {
            let schema = Schema::load(&files).map_err(|error| invalid(&error))?;
            let reader = engine.reader()?;
            let trial = reader.try_schema(&schema, TrialOptions::new(limit, room.directory()))?;
            let mut mentioned = Mentioned::default();
            for change in &trial.changes.first {
                let sides = [&change.before, &change.after].into_iter().flatten();
                sides.filter_map(|stands| stands.source).for_each(|source| mentioned.source(source));
            }
            let names = mentioned.names(&reader)?;
            Ok(TrialAnswer { trial, files: files.into_iter().map(|(name, _)| name).collect(), names })
        })
        .await
    }

    /// The class and its children, as they were declared at the moment; all when the name is empty.
    ///
    /// # Errors
    /// When there is no such class, or the moment is not to be had.
    pub async fn classes(&self, name: String, when: When) -> Result<ClassesAnswer, Error> {
        self.read_at(when, move |reader| {
            let schema = reader.schema_then()?;
            if !name.is_empty() {
                known_class(&schema, &name)?;
            }
            let wanted = |class: &&Class| name.is_empty() || class.is_a(&name);
            Ok(ClassesAnswer {
                classes: schema.classes().filter(wanted).cloned().collect(),
                items: reader.figures()?.items_by_class.into_iter().collect(),
                schema_digest: schema.digest(),
                as_of: AsOf::of(reader),
            })
        })
        .await
    }

    /// The types of relationships, as they were declared at the moment.
    ///
    /// # Errors
    /// When the moment is not to be had.
    pub async fn relationship_types(&self, when: When) -> Result<RelationshipTypesAnswer, Error> {
        self.read_at(when, move |reader| {
            let types = reader.schema_then()?.relationship_types().cloned().collect();
            Ok(RelationshipTypesAnswer { types, as_of: AsOf::of(reader) })
        })
        .await
    }
}

/// The files of a schema that did not come with the program.
fn own_files(schema: &Schema) -> Vec<(String, String)> {
    let built_in = Schema::built_in().texts().len();
    schema.texts().split_off(built_in)
}

/// Files with others put in their place, or after them.
fn with(mut files: Vec<(String, String)>, given: Vec<(String, String)>) -> Vec<(String, String)> {
    let base = |name: &str| Path::new(name).file_name().map(std::ffi::OsStr::to_owned);
    for (name, text) in given {
        match files.iter_mut().find(|(known, _)| base(known) == base(&name)) {
            Some(known) => *known = (name, text),
            None => files.push((name, text)),
        }
    }
    files
}

fn invalid(error: &SchemaError) -> Problem {
    let first = &error.findings[0];
    let listed: Vec<String> = error.findings.iter().map(ToString::to_string).collect();
    let more = error.findings.len() - 1 + error.omitted;
    let message = match more {
        0 => format!("the rules cannot be used: {first}"),
        more => format!("the rules cannot be used: {first}, and {more} more findings"),
    };
    let mut problem = Problem::new(Reason::RulesInvalid, message, first.file.clone());
    if more > 0 {
        problem.hint = listed[1..].join("; ");
    }
    problem
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
