//! Which items of an answer are listed: those of some classes, and of the classes below them.
//!
//! A question goes through everything, whatever is listed of it: who fails does not depend on what is shown. Invariant:
//! what an answer leaves out for its class it counts.

use cmdb_core::model::schema::Schema;

use crate::app::Error;
use crate::app::schema::known_class;

/// Which items are listed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// Of these classes, and of those below them; none: of all.
    pub classes: Vec<String>,
}

impl Shown {
    /// Whether items of every class are listed.
    pub fn is_all(&self) -> bool {
        self.classes.is_empty()
    }

    /// That there are such classes.
    ///
    /// # Errors
    /// When there are not, with the nearest.
    pub fn check(&self, schema: &Schema) -> Result<(), Error> {
        Ok(self.classes.iter().try_for_each(|class| known_class(schema, class))?)
    }

    /// Whether items of this class are listed.
    pub fn shows(&self, schema: &Schema, class: &str) -> bool {
        self.is_all() || self.classes.iter().any(|wanted| schema.is_a(class, wanted))
    }
}
