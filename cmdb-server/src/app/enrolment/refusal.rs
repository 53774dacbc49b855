//! Why an agent is not let in, or a token not taken; [`crate::status`] says it to each face.

use cmdb_core::model::Timestamp;
use uuid::Uuid;

/// Why an agent is not let in, or a token not taken.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Refusal {
    #[error("this server speaks no TLS, so there are no certificates, tokens or identities")]
    NoTls,
    #[error("tokens are made and agents revoked from the server's own machine only")]
    NotHere,
    #[error("this token is not known")]
    TokenUnknown,
    #[error("token {id} has let in all {uses} agents that it was made for")]
    TokenUsed { id: String, uses: u32 },
    #[error("token {id} ran out at {at}")]
    TokenExpired { id: String, at: Timestamp },
    #[error("token {id} was revoked")]
    TokenRevoked { id: String },
    #[error("token {id} is not for this host")]
    TokenScope { id: String, scopes: Vec<String>, given: String },
    #[error("there is no token {id}")]
    NoSuchToken { id: String },
    #[error("{given:?} cannot be the scope of a token: {problem}")]
    ScopeInvalid { given: String, problem: &'static str },
    #[error("the certificate request cannot be used: {problem}")]
    RequestInvalid { problem: String },
    #[error("this is for agents that show their certificate")]
    NoCertificate,
    #[error("agent {agent} shows no certificate, and here agents need one")]
    CertificateRequired { agent: Uuid },
    #[error("the certificate is of agent {holder}, and the hello of agent {given}")]
    AnotherHolder { holder: Uuid, given: Uuid },
    #[error(
        "the agent's certificate is valid from {from} to {until}; the server's clock says {now}, the agent's {}",
        clock.map_or_else(|| "is not known".to_owned(), |clock| clock.to_string())
    )]
    CertificateTimes { from: Timestamp, until: Timestamp, now: Timestamp, clock: Option<Timestamp> },
    #[error("the certificate is of before the agent enrolled anew")]
    Superseded,
    #[error("this agent has left, and its certificate with it")]
    HasLeft,
    #[error("this agent was revoked{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Revoked { reason: String },
    #[error("there is no agent {given:?}")]
    NoSuchAgent { given: String },
    #[error("{given:?} is the name of {count} agents")]
    AgentAmbiguous { given: String, count: usize },
    #[error("there are as many {what} as may be")]
    TooMany { what: &'static str, limit: u64 },
}
