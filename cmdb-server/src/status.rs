//! Every error of the server as it travels: a gRPC code, and a problem with reason, thing, expected, given and
//! what to do. The one place where this is decided.
//!
//! Invariant: what leaves fits into a header, whatever the thing is called.

mod enrolment;

use std::collections::HashMap;

use cmdb_core::engine::EngineError;
use cmdb_core::model::{Problem, Reason};
use cmdb_core::store::StoreError;
use cmdb_proto::v1;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::app::Error;

/// The domain of the reasons.
pub const DOMAIN: &str = "cmdb";
/// The longest message in a status. Clients take 8 to 16 KiB of headers in all.
const MESSAGE_BYTES_MAX: usize = 1_024;
/// The longest value in the details of a status.
const DETAIL_BYTES_MAX: usize = 768;

/// The gRPC status of an error.
pub fn status(error: &Error) -> Status {
    let (code, problem) = explain(error);
    let metadata: HashMap<String, String> = [
        ("thing", &problem.thing),
        ("expected", &problem.expected),
        ("given", &problem.given),
        ("hint", &problem.hint),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), cut(value, DETAIL_BYTES_MAX)))
    .collect();
    let details = ErrorDetails::with_error_info(problem.reason, DOMAIN, metadata);
    Status::with_error_details(code, cut(&problem.message, MESSAGE_BYTES_MAX), details)
}

/// An error as data, for answers that carry errors within.
pub fn problem(error: &Error) -> v1::Problem {
    explain(error).1
}

/// A problem of the engine, as it travels.
pub fn problem_of(problem: &Problem) -> v1::Problem {
    v1::Problem {
        reason: problem.reason.code().to_owned(),
        message: problem.message.clone(),
        thing: problem.thing.clone(),
        expected: problem.expected.clone(),
        given: problem.given.clone(),
        hint: problem.hint.clone(),
    }
}

/// What can be said about an error of this server, apart from its message.
#[derive(Default)]
struct Said {
    thing: String,
    expected: String,
    given: String,
    hint: &'static str,
}

impl Said {
    fn thing(thing: impl Into<String>) -> Said {
        Said { thing: thing.into(), ..Said::default() }
    }

    fn expected(mut self, expected: impl ToString, given: impl ToString) -> Said {
        self.expected = expected.to_string();
        self.given = given.to_string();
        self
    }

    fn hint(mut self, hint: &'static str) -> Said {
        self.hint = hint;
        self
    }
}

fn explain(error: &Error) -> (Code, v1::Problem) {
    let (code, reason, said) = match error {
        Error::Engine(error) => return explain_engine(error),
        Error::Protocol { given, least, most } => {
            let hint = "install an agent of the server's release, or of one of the two before";
            let expected = if least == most { most.to_string() } else { format!("{least} to {most}") };
            let said = Said::thing("agent").expected(expected, given).hint(hint);
            (Code::FailedPrecondition, "PROTOCOL_VERSION", said)
        }
        Error::Enrolment(refusal) => enrolment::explain(refusal),
        Error::AgentId { given } => (
            Code::InvalidArgument,
            "AGENT_ID_INVALID",
            Said::thing("agent_id").expected("such as 0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90", given),
        ),
        Error::HostName { given } => (
            Code::InvalidArgument,
            "HOST_NAME_INVALID",
            Said::thing("host_name").expected("1 to 255 bytes without control characters", given),
        ),
        Error::HelloExpected { given } => {
            (Code::FailedPrecondition, "HELLO_EXPECTED", Said::thing("session").expected("hello", given))
        }
        Error::SessionSilent { .. } => {
            let hint = "send a heartbeat as often as the welcome's settings say";
            (Code::DeadlineExceeded, "SESSION_SILENT", Said::thing("session").hint(hint))
        }
        Error::SessionSuperseded { agent } => {
            let hint = "if two machines have the same agent id, one was copied: give one of them a new id";
            (Code::Aborted, "SESSION_SUPERSEDED", Said::thing(agent).hint(hint))
        }
        Error::SessionsFull { limit } => {
            let hint = "try again later, or raise sessions_max";
            (
                Code::ResourceExhausted,
                "SESSIONS_LIMIT",
                Said::thing("sessions_max").expected(limit, "").hint(hint),
            )
        }
        Error::ReportTooLarge { limit } => {
            let hint = "raise report_bytes_max on the server, or let the agent report less";
            let said = Said::thing("report").expected(format!("at most {limit} bytes"), "more").hint(hint);
            (Code::ResourceExhausted, "REPORT_TOO_LARGE", said)
        }
        Error::ReportInvalid { thing, expected, .. } => {
            (Code::InvalidArgument, "REPORT_INVALID", Said::thing(thing).expected(expected, ""))
        }
        Error::MessageEmpty => (
            Code::InvalidArgument,
            "MESSAGE_EMPTY",
            Said::thing("session").expected("hello, report or heartbeat", "nothing"),
        ),
        Error::ActorInvalid { given } => (
            Code::InvalidArgument,
            "ACTOR_INVALID",
            Said::thing("cmdb-actor")
                .expected("1 to 64 letters, digits, dots, underscores, hyphens and @", given),
        ),
        Error::OutOfRange { what, expected, given } => {
            (Code::InvalidArgument, "OUT_OF_RANGE", Said::thing(*what).expected(expected, given))
        }
        Error::ImportOrder { given, expected } => {
            (Code::InvalidArgument, "IMPORT_ORDER", Said::thing("import").expected(expected, given))
        }
        Error::ImportCut => (
            Code::Aborted,
            "IMPORT_CUT",
            Said::thing("import").expected("an end message", "the end of the stream"),
        ),
        Error::DiskFull { place, free, reserve } => {
            let hint = "free space there; questions are answered all the same";
            let said = Said::thing(place).expected(format!("{reserve} bytes free"), format!("{free} bytes"));
            (Code::ResourceExhausted, "DISK_FULL", said.hint(hint))
        }
        Error::StagingFull { place, free, reserve } => {
            let hint = "free space there, or import in smaller parts";
            let said = Said::thing(place).expected(format!("{reserve} bytes free"), format!("{free} bytes"));
            (Code::ResourceExhausted, "STAGING_FULL", said.hint(hint))
        }
        Error::Staging { place, source } => {
            let problem = v1::Problem {
                reason: "STAGING_FAILED".to_owned(),
                message: format!("{error}: {source}"),
                thing: place.clone(),
                ..v1::Problem::default()
            };
            return (Code::Internal, problem);
        }
        Error::ImportsFull { limit } => {
            let hint = "wait for one to end";
            (Code::ResourceExhausted, "IMPORTS_LIMIT", Said::thing("import").expected(limit, "").hint(hint))
        }
        Error::Busy { limit } => (
            Code::Unavailable,
            "BUSY",
            Said::thing("server").expected(limit, "").hint("try again in a moment"),
        ),
        Error::AnswersFull { limit } => {
            let hint = "wait for a backup, an export or a verification to end";
            (Code::ResourceExhausted, "ANSWERS_LIMIT", Said::thing("server").expected(limit, "").hint(hint))
        }
        Error::AnswerTooLong { seconds } => {
            let said = Said::thing("stream").expected(format!("at most {seconds} s"), "more");
            (Code::DeadlineExceeded, "ANSWER_TOO_LONG", said.hint("take it over a faster connection"))
        }
        Error::Stalled { .. } => {
            (Code::Aborted, "STALLED", Said::thing("stream").hint("read the answer as it comes"))
        }
        Error::Gone => (Code::Cancelled, "GONE", Said::thing("stream")),
        Error::Internal => {
            (Code::Internal, "INTERNAL", Said::thing("server").hint("report this with the server's log"))
        }
    };
    let problem = v1::Problem {
        reason: reason.to_owned(),
        message: error.to_string(),
        thing: said.thing,
        expected: said.expected,
        given: said.given,
        hint: said.hint.to_owned(),
    };
    (code, problem)
}

fn explain_engine(error: &EngineError) -> (Code, v1::Problem) {
    let plain = |reason: &str, hint: &str| v1::Problem {
        reason: reason.to_owned(),
        message: error.to_string(),
        thing: "server".to_owned(),
        hint: hint.to_owned(),
        ..v1::Problem::default()
    };
    match error {
        EngineError::Refused(problem) => (code_of(problem.reason), problem_of(problem)),
        EngineError::Store(store @ StoreError::ReadOnly { .. }) => {
            let hint = "reading goes on; mend the disk and restart the server";
            let problem = v1::Problem {
                reason: "STORE_READ_ONLY".to_owned(),
                message: store.to_string(),
                thing: "store".to_owned(),
                hint: hint.to_owned(),
                ..v1::Problem::default()
            };
            (Code::FailedPrecondition, problem)
        }
        EngineError::Store(store) => {
            let problem = v1::Problem {
                reason: "STORE_FAILED".to_owned(),
                message: format!("{error}: {store}"),
                thing: "store".to_owned(),
                hint: "look at the server's log and at the disk; nothing was changed".to_owned(),
                ..v1::Problem::default()
            };
            let damaged = matches!(store, StoreError::Damaged { .. } | StoreError::NotAStore { .. });
            (if damaged { Code::DataLoss } else { Code::Internal }, problem)
        }
        EngineError::Busy { .. } => (Code::Unavailable, plain("BUSY", "try again in a moment")),
        EngineError::Closed => {
            (Code::Unavailable, plain("SHUTTING_DOWN", "try again when the server is back"))
        }
    }
}

fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::ItemNotFound
        | Reason::CommitUnknown
        | Reason::ClassUnknown
        | Reason::FigureUnknown
        | Reason::GroupUnknown
        | Reason::RelationshipTypeUnknown
        | Reason::ReferenceUnknown => Code::NotFound,
        Reason::HistoryCompacted => Code::OutOfRange,
        Reason::LimitExceeded => Code::ResourceExhausted,
        Reason::MergeInvalid | Reason::NotEmpty | Reason::Pinned | Reason::WithdrawLimit => {
            Code::FailedPrecondition
        }
        _ => Code::InvalidArgument,
    }
}

/// The longest start of `text` of at most `bytes_max` bytes, marked where something is missing.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn every_status_carries_reason_thing_and_what_to_do() {
        let problem = Problem::new(Reason::ItemNotFound, "there is no item \"wbe1\"", "wbe1")
            .expected("an item", "wbe1")
            .hint("did you mean \"web1\"?");
        let cases = [
            (Error::from(problem), Code::NotFound, "ITEM_NOT_FOUND", Some("did you mean \"web1\"?")),
            (
                EngineError::Closed.into(),
                Code::Unavailable,
                "SHUTTING_DOWN",
                Some("try again when the server is back"),
            ),
            (
                Error::Protocol { given: 9, least: 1, most: 1 },
                Code::FailedPrecondition,
                "PROTOCOL_VERSION",
                Some("install an agent of the server's release, or of one of the two before"),
            ),
            (Error::ActorInvalid { given: "a:b".to_owned() }, Code::InvalidArgument, "ACTOR_INVALID", None),
        ];
        for (error, code, reason, hint) in cases {
            let status = status(&error);
            let info = status.get_error_details().error_info().unwrap().clone();
            assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, DOMAIN));
            assert_eq!(info.metadata.get("hint").map(String::as_str), hint);
            assert!(info.metadata.contains_key("thing"), "{reason}");
            assert_eq!(status.message(), error.to_string());
        }
    }

    #[test]
    fn a_status_fits_into_a_header_whatever_the_thing_is_called() {
        let long = "ä".repeat(100_000);
        let problem = Problem::new(Reason::ItemAmbiguous, long.clone(), long.clone())
            .expected(long.clone(), long.clone())
            .hint(long);
        let status = status(&Error::from(problem));
        assert!(status.message().len() <= MESSAGE_BYTES_MAX && status.message().ends_with('…'));
        // In a header, details are written in base64 and the message in percent signs.
        assert!(status.details().len() * 4 / 3 + status.message().len() * 3 < 12 << 10);
    }

    #[test]
    fn a_failing_store_is_not_the_askers_fault_and_says_what_the_disk_said() {
        let store = StoreError::Io { doing: "writing", detail: "no space left on device".to_owned() };
        let status = status(&Error::Engine(store.into()));
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("no space left on device"), "{}", status.message());
    }
}
