//! An ordinary failure as data: what happened, which thing, what was expected and given, what to do.

use std::fmt;

/// A stable code that programs may compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Reason {
    AttributeUnusable,
    ClassAbstract,
    ClassUnknown,
    CommitUnknown,
    FigureUnknown,
    FilterInvalid,
    FormatInvalid,
    GroupEmpty,
    GroupTooSmall,
    GroupUnknown,
    HistoryCompacted,
    ItemAmbiguous,
    ItemNotFound,
    KeyInvalid,
    KeyRepeated,
    LimitExceeded,
    MatchInvalid,
    MomentInvalid,
    MergeInvalid,
    NotEmpty,
    PinInvalid,
    Pinned,
    ReferenceUnknown,
    RelationshipInvalid,
    RelationshipTypeUnknown,
    RequireInvalid,
    RulesInvalid,
    SourceInvalid,
    ValueType,
    WithdrawLimit,
}

impl Reason {
    /// As it travels.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Reason::AttributeUnusable => "ATTRIBUTE_UNUSABLE",
            Reason::ClassAbstract => "CLASS_ABSTRACT",
            Reason::ClassUnknown => "CLASS_UNKNOWN",
            Reason::CommitUnknown => "COMMIT_UNKNOWN",
            Reason::FigureUnknown => "FIGURE_UNKNOWN",
            Reason::FilterInvalid => "FILTER_INVALID",
            Reason::FormatInvalid => "FORMAT_INVALID",
            Reason::GroupEmpty => "GROUP_EMPTY",
            Reason::GroupTooSmall => "GROUP_TOO_SMALL",
            Reason::GroupUnknown => "GROUP_UNKNOWN",
            Reason::HistoryCompacted => "HISTORY_COMPACTED",
            Reason::ItemAmbiguous => "ITEM_AMBIGUOUS",
            Reason::ItemNotFound => "ITEM_NOT_FOUND",
            Reason::KeyInvalid => "KEY_INVALID",
            Reason::KeyRepeated => "KEY_REPEATED",
            Reason::LimitExceeded => "LIMIT_EXCEEDED",
            Reason::MatchInvalid => "MATCH_INVALID",
            Reason::MomentInvalid => "MOMENT_INVALID",
            Reason::MergeInvalid => "MERGE_INVALID",
            Reason::NotEmpty => "NOT_EMPTY",
            Reason::PinInvalid => "PIN_INVALID",
            Reason::Pinned => "PINNED",
            Reason::ReferenceUnknown => "REFERENCE_UNKNOWN",
            Reason::RelationshipInvalid => "RELATIONSHIP_INVALID",
            Reason::RelationshipTypeUnknown => "RELATIONSHIP_TYPE_UNKNOWN",
            Reason::RequireInvalid => "REQUIRE_INVALID",
            Reason::RulesInvalid => "RULES_INVALID",
            Reason::SourceInvalid => "SOURCE_INVALID",
            Reason::ValueType => "VALUE_TYPE",
            Reason::WithdrawLimit => "WITHDRAW_LIMIT",
        }
    }
}

/// An ordinary failure of the world, not of the program.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct Problem {
    /// Its code.
    pub reason: Reason,
    /// What happened, in lower case, complete in itself.
    pub message: String,
    /// Which thing.
    pub thing: String,
    /// What was expected; empty: nothing in particular.
    pub expected: String,
    /// What was given; empty: nothing.
    pub given: String,
    /// What to do; empty: nothing to add.
    pub hint: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Problem {
    /// A problem with a thing.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>, thing: impl Into<String>) -> Problem {
        Problem {
            reason,
            message: message.into(),
            thing: thing.into(),
            expected: String::new(),
            given: String::new(),
            hint: String::new(),
        }
    }

    /// Adds what was expected and what was given.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>, given: impl Into<String>) -> Problem {
        self.expected = expected.into();
        self.given = given.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = hint.into();
        self
    }
}
