//! Who states facts.

use std::fmt;
use std::str::FromStr;

use super::id::SourceId;

/// What kind of source states a fact; the default order of precedence speaks of kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum SourceKind {
    Person,
    Agent,
    Connector,
    Import,
    /// Concluded by the server from what others said, such as a service's entry points.
    Rule,
}

impl SourceKind {
    /// As written in schema files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SourceKind::Person => "person",
            SourceKind::Agent => "agent",
            SourceKind::Connector => "connector",
            SourceKind::Import => "import",
            SourceKind::Rule => "rule",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for SourceKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [SourceKind::Person, SourceKind::Agent, SourceKind::Connector, SourceKind::Import, SourceKind::Rule]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or(())
    }
}

/// A source that this store knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Its number here.
    pub id: SourceId,
    /// Its name, unique; never contains a colon.
    pub name: String,
    /// Its kind.
    pub kind: SourceKind,
    /// What it calls itself, such as an agent's host name.
    pub title: String,
    /// The version of the program behind it; empty where there is none.
    pub version: String,
}
