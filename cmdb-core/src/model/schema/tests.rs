mod bad_files;
mod built_in;
mod own_files;
mod values;

use super::Schema;

/// The built-in schema and one file of a user's.
fn with(text: &str) -> Result<Schema, super::SchemaError> {
    Schema::load(&[("own.toml".to_owned(), text.to_owned())])
}
