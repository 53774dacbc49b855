//! What is declared of a relationship type: its two names, and where a failure travels.

/// A type of relationship.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelationshipType {
    /// Its name, read source → target.
    pub name: String,
    /// Its name, read target → source.
    pub inverse: String,
    /// Which end's failure reaches the other.
    pub failure: Failure,
    /// Failure degrades the other end and travels no further.
    pub weak: bool,
    /// After how long unconfirmed half the confidence is left, in microseconds; `None`: 14 days of what was
    /// concluded, and what is declared stays.
    pub confidence_half_life_us: Option<i64>,
    /// After how long unconfirmed what a machine says of it is stale, in microseconds; `None`: 14 days.
    pub stale_after_us: Option<i64>,
    /// What it means.
    pub description: String,
    /// [`super::BUILT_IN`], or the file.
    pub declared_in: String,
}

/// Which end's failure reaches the other end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// The source depends on the target.
    TargetToSource,
    /// The target depends on the source.
    SourceToTarget,
    /// Neither depends on the other.
    None,
}

impl Failure {
    pub(super) const ALL: [Failure; 3] = [Failure::TargetToSource, Failure::SourceToTarget, Failure::None];

    /// As written in schema files and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Failure::TargetToSource => "target_to_source",
            Failure::SourceToTarget => "source_to_target",
            Failure::None => "none",
        }
    }
}
