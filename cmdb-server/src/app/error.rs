//! Why the server did not do what it was asked; [`crate::status`] says it to each face.

use cmdb_core::engine::EngineError;
use cmdb_core::model::Problem;

use super::enrolment::Refusal;

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("the agent speaks protocol version {given}, and this server speaks versions {least} to {most}")]
    Protocol { given: u32, least: u32, most: u32 },
    #[error(transparent)]
    Enrolment(#[from] Refusal),
    #[error("the agent's id is not a UUID in lower case with hyphens")]
    AgentId { given: String },
    #[error("the agent gave no usable host name")]
    HostName { given: String },
    #[error("the first message of a session must be a hello, and it is {given}")]
    HelloExpected { given: &'static str },
    #[error("the session said nothing for {seconds} s")]
    SessionSilent { seconds: u64 },
    #[error("another session of agent {agent} has begun; this older one ends")]
    SessionSuperseded { agent: String },
    #[error("{limit} agents are connected, which is as many as this server takes")]
    SessionsFull { limit: usize },
    #[error("the report is larger than the {limit} bytes that this server takes")]
    ReportTooLarge { limit: usize },
    #[error("the report is not well formed: {problem}")]
    ReportInvalid { problem: &'static str, thing: String, expected: String },
    #[error("the message of the agent is empty")]
    MessageEmpty,
    #[error("\"{given}\" cannot be the name of a person")]
    ActorInvalid { given: String },
    #[error("{what} is out of range")]
    OutOfRange { what: &'static str, expected: String, given: String },
    #[error("the parts of an import came in the wrong order: {given}")]
    ImportOrder { given: &'static str, expected: &'static str },
    #[error("the import ended before it was complete; nothing was imported")]
    ImportCut,
    #[error(
        "there is no room to stage the import: {free} bytes are free at {place}, and {reserve} must stay free"
    )]
    StagingFull { place: String, free: u64, reserve: u64 },
    #[error(
        "the disk is full: {free} bytes are free at {place}, and {reserve} must be for changes to be taken"
    )]
    DiskFull { place: String, free: u64, reserve: u64 },
    #[error("cannot stage the import at {place}")]
    Staging { place: String, source: std::io::Error },
    #[error("{limit} imports run already")]
    ImportsFull { limit: usize },
    #[error("the server is busy: {limit} questions are waiting")]
    Busy { limit: usize },
    #[error("{limit} long answers are under way")]
    AnswersFull { limit: usize },
    #[error(
        "the answer was given up after {seconds} s: as long as it is under way, the store keeps what it shows"
    )]
    AnswerTooLong { seconds: u64 },
    #[error("the receiver took nothing for {seconds} s, so the answer was given up")]
    Stalled { seconds: u64 },
    /// The asker has gone; nobody reads this.
    #[error("the asker has gone")]
    Gone,
    #[error("the server failed while it worked on this; its log says how")]
    Internal,
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error::Engine(EngineError::Refused(problem))
    }
}
