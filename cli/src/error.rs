//! Every error of the shell: what happened, which thing, what to do, and the exit code.
//!
//! The one place that maps errors. Commands make errors with the constructors below or by `?`; nothing else
//! knows codes. Invariant: a [`CommandError`] can be printed as it is, no command adds words to it later.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use cmdb_proto::v1::Problem;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// What kind of error it is; decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Something failed. Exit code 1.
    Failure,
    /// The shell itself saw that the command was not called rightly, and asked no server. Exit code 2.
    Usage,
    /// A thing that was named does not exist. Exit code 3.
    NotFound,
    /// The reader of our output went away: nothing to say, and not an error.
    Closed,
}

/// An error, ready to print.
#[derive(Debug)]
pub struct CommandError {
    pub kind: Kind,
    /// What happened.
    pub message: String,
    /// The thing, what was expected, what was given: a label and a text each.
    pub details: Vec<(&'static str, String)>,
    /// What to do.
    pub hint: Option<String>,
}

impl CommandError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        CommandError { kind, message: message.into(), details: Vec::new(), hint: None }
    }

    pub fn failure(message: impl Into<String>) -> Self {
        Self::new(Kind::Failure, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A file could not be read or written; `doing` as in "reading".
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::failure(format!("{doing} {}: {error}", path.display()))
    }

    /// The server could not be reached at `url`.
    pub fn unreachable(url: &str, error: &tonic::transport::Error) -> Self {
        let cause = innermost(error);
        let hint = if cause.contains("UnknownIssuer") {
            "the server's certificate is not known here: name the certificate of its authority with --ca FILE"
        } else if cause.contains("certificate") {
            "name the server in --server as its certificate does, or give it a certificate that is valid"
        } else if url.starts_with("https:") && cause.contains("InvalidContentType") {
            "that server does not speak TLS: use http:// in --server"
        } else {
            "start a server with `cmdb-server --data DIR`, or name a running one with --server URL or CMDB_SERVER"
        };
        Self::failure("the server cannot be reached").with("server", url).with("cause", cause).hint(hint)
    }

    /// What the server said of one claim or line.
    pub fn problem(problem: &Problem) -> Self {
        let is_unknown = problem.reason.ends_with("_NOT_FOUND") || problem.reason.ends_with("_UNKNOWN");
        let kind = if is_unknown { Kind::NotFound } else { Kind::Failure };
        Self::new(kind, problem.message.clone())
            .with("thing", &problem.thing)
            .with("expected", &problem.expected)
            .with("given", &problem.given)
            .hint(problem.hint.clone())
    }

    /// Adds a labelled detail; an empty text adds nothing, and neither does what was given where it is the thing.
    pub fn with(mut self, label: &'static str, text: impl Display) -> Self {
        let text = text.to_string();
        let is_said = label == "given" && self.details.iter().any(|(_, said)| *said == text);
        if !text.is_empty() && !is_said {
            self.details.push((label, text));
        }
        self
    }

    /// Says what to do; an empty text says nothing.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        if !hint.is_empty() {
            self.hint = Some(hint);
        }
        self
    }

    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Closed => ExitCode::SUCCESS,
            Kind::Failure => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
            Kind::NotFound => ExitCode::from(3),
        }
    }
}

/// Errors of writing the answer. A closed pipe (`| head`) ends quietly.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::Closed, "the reader of the output went away"),
            _ => Self::failure(format!("writing the answer: {error}")),
        }
    }
}

impl From<serde_json::Error> for CommandError {
    fn from(error: serde_json::Error) -> Self {
        Self::from(io::Error::from(error))
    }
}

/// Errors that the server answered with.
impl From<Status> for CommandError {
    fn from(status: Status) -> Self {
        let kind = match status.code() {
            Code::NotFound => Kind::NotFound,
            _ => Kind::Failure,
        };
        let error = Self::new(kind, message_of(&status));
        let Some(info) = status.get_details_error_info() else {
            let code = if status.source().is_some() { Code::Unavailable } else { status.code() };
            return error.hint(hint_for(code));
        };
        let metadata = |name: &str| info.metadata.get(name).map_or("", String::as_str);
        let hint = match metadata("hint") {
            "" => hint_for(status.code()),
            hint => hint,
        };
        error
            .with("thing", metadata("thing"))
            .with("expected", metadata("expected"))
            .with("given", metadata("given"))
            .with("candidates", metadata("candidates"))
            .hint(hint)
    }
}

/// The server's own words, or the transport's where the connection failed.
fn message_of(status: &Status) -> String {
    // What the server sends has no source; what became of the connection has.
    if let Some(cause) = status.source() {
        return format!("the connection to the server was lost: {}", innermost(cause));
    }
    match status.code() {
        Code::Unimplemented if status.message().is_empty() => {
            "the server does not know this request".to_owned()
        }
        code if status.message().is_empty() => format!("the server answered: {code}"),
        _ => status.message().to_owned(),
    }
}

fn hint_for(code: Code) -> &'static str {
    match code {
        Code::Unavailable => {
            "see whether the server still runs (`cmdb status`); one with TLS is named with https://"
        }
        Code::Unimplemented => {
            "compare the versions with `cmdb status` and `cmdb --version`: one of them is old"
        }
        Code::Internal | Code::Unknown | Code::DataLoss => "the server's log says more",
        _ => "",
    }
}

/// The last error of a chain: the one that names the cause.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
