//! Who asks, and under which name what they say is kept.
//!
//! Until people sign in, the one who asks is whoever they say they are: the server listens on loopback, or behind
//! TLS, and this name is for the record, not for rights.

use cmdb_core::engine::{Actor, SourceName};
use cmdb_core::model::{Problem, Reason, SourceKind};

use super::Error;

/// Who asks when they do not say.
const DEFAULT_NAME: &str = "operator";
/// The longest name of a person or an import, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Longest reason kept with a commit, in bytes.
const REASON_BYTES_MAX: usize = 4_096;
/// Names of imports that would pass for other kinds of sources.
const RESERVED: [&str; 3] = ["agent-", "person-", "rule-"];

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person(String);

impl Person {
    /// The person of that name; the operator when none is given.
    ///
    /// # Errors
    /// When it cannot be a name.
    pub fn named(name: Option<&str>) -> Result<Person, Error> {
        let Some(name) = name else { return Ok(Person(DEFAULT_NAME.to_owned())) };
        let good = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(good) {
            let given = name.chars().take(NAME_BYTES_MAX).flat_map(char::escape_debug).collect();
            return Err(Error::ActorInvalid { given });
        }
        Ok(Person(name.to_owned()))
    }

    /// As kept with a commit.
    ///
    /// # Errors
    /// When the reason is too long.
    pub fn actor(&self, reason: &str) -> Result<Actor, Error> {
        if reason.len() > REASON_BYTES_MAX {
            return Err(Error::OutOfRange {
                what: "the reason",
                expected: format!("at most {REASON_BYTES_MAX} bytes"),
                given: format!("{} bytes", reason.len()),
            });
        }
        Ok(Actor { name: self.0.clone(), reason: reason.to_owned() })
    }

    /// As a source of facts.
    pub fn source(&self) -> SourceName {
        SourceName {
            name: format!("person-{}", self.0),
            kind: SourceKind::Person,
            title: self.0.clone(),
            version: String::new(),
        }
    }
}

/// The source that an import states facts as.
///
/// # Errors
/// When the name cannot be one of an import.
pub fn import_source(name: &str) -> Result<SourceName, Error> {
    let invalid = |message: &str, expected: &str| {
        let given: String = name.chars().take(NAME_BYTES_MAX).flat_map(char::escape_debug).collect();
        Error::from(Problem::new(Reason::SourceInvalid, message, "source").expected(expected, given))
    };
    let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(good) {
        return Err(invalid(
            "this cannot be the name of a source",
            "1 to 64 letters, digits, dots, underscores and hyphens",
        ));
    }
    if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
        return Err(invalid(
            "this name is kept for another kind of source",
            "a name that does not begin with agent-, person- or rule-",
        ));
    }
    Ok(SourceName {
        name: name.to_owned(),
        kind: SourceKind::Import,
        title: String::new(),
        version: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_who_they_say_within_reason() {
        assert_eq!(Person::named(None).unwrap().source().name, "person-operator");
        assert_eq!(Person::named(Some("ada@example.org")).unwrap().source().name, "person-ada@example.org");
        for bad in ["", "a b", "a:b", "ä", &"x".repeat(65)] {
            assert!(Person::named(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_import_passes_for_no_other_kind_of_source() {
        assert_eq!(import_source("webshop.v2").unwrap().kind, SourceKind::Import);
        for bad in ["", "agent-0b6f3c1e5a0e", "person-ada", "rule-x", "a:b", "a/b", "a b", &"x".repeat(65)] {
            assert!(import_source(bad).is_err(), "{bad}");
        }
    }
}
