//! Why an agent is not let in, or a token not taken.

use tonic::Code;

use super::Said;
use crate::app::enrolment::Refusal;

/// How an agent comes to a certificate.
const ENROLL: &str =
    "make a token with `cmdb tokens create` on the server, and give it to `cmdb-agent enroll`";
const ANOTHER_TOKEN: &str = "make another token with `cmdb tokens create` on the server";
const CLOCKS: &str = "set the clock that is wrong; if both are right, the agent was away for too long: \
                      make a token with `cmdb tokens create` on the server, and give it to `cmdb-agent enroll`";

pub fn explain(refusal: &Refusal) -> (Code, &'static str, Said) {
    use Code::{
        FailedPrecondition, InvalidArgument, NotFound, PermissionDenied, ResourceExhausted, Unauthenticated,
    };
    match refusal {
        Refusal::NoTls => {
            let hint = "start the server with --tls on, or let it listen beyond loopback";
            (FailedPrecondition, "TLS_REQUIRED", Said::thing("server").hint(hint))
        }
        Refusal::NotHere => {
            let hint = "run this on the server's machine, or through ssh";
            (PermissionDenied, "NOT_ON_THE_SERVER", Said::thing("enrolment").hint(hint))
        }
        Refusal::TokenUnknown => {
            (PermissionDenied, "TOKEN_UNKNOWN", Said::thing("token").hint(ANOTHER_TOKEN))
        }
        Refusal::TokenUsed { id, .. } => {
            (PermissionDenied, "TOKEN_USED", Said::thing(id).hint(ANOTHER_TOKEN))
        }
        Refusal::TokenExpired { id, .. } => {
            (PermissionDenied, "TOKEN_EXPIRED", Said::thing(id).hint(ANOTHER_TOKEN))
        }
        Refusal::TokenRevoked { id } => {
            (PermissionDenied, "TOKEN_REVOKED", Said::thing(id).hint(ANOTHER_TOKEN))
        }
        Refusal::TokenScope { id, scopes, given } => {
            let said = Said::thing(id).expected(scopes.join(" or "), given);
            (PermissionDenied, "TOKEN_SCOPE", said.hint(ANOTHER_TOKEN))
        }
        Refusal::NoSuchToken { id } => {
            (NotFound, "TOKEN_UNKNOWN", Said::thing(id).hint("`cmdb tokens list` lists them"))
        }
        Refusal::ScopeInvalid { given, .. } => {
            let expected = "a network such as 10.1.0.0/16, or a host name such as web-*";
            (InvalidArgument, "SCOPE_INVALID", Said::thing("scope").expected(expected, given))
        }
        Refusal::RequestInvalid { .. } => {
            let said = Said::thing("csr").expected("a certificate request, PKCS #10 in DER", "");
            (InvalidArgument, "CERTIFICATE_REQUEST_INVALID", said)
        }
        Refusal::NoCertificate | Refusal::CertificateRequired { .. } => {
            (Unauthenticated, "CERTIFICATE_REQUIRED", Said::thing("agent").hint(ENROLL))
        }
        Refusal::AnotherHolder { holder, given } => {
            let hint = "do not copy the state directory of one agent in part";
            (PermissionDenied, "ANOTHER_HOLDER", Said::thing("agent_id").expected(holder, given).hint(hint))
        }
        Refusal::CertificateTimes { from, until, now, .. } => {
            let reason = if now < from { "CERTIFICATE_NOT_YET_VALID" } else { "CERTIFICATE_EXPIRED" };
            let said = Said::thing("certificate").expected(format!("{from} to {until}"), now);
            (Unauthenticated, reason, said.hint(CLOCKS))
        }
        Refusal::Superseded => {
            (PermissionDenied, "CERTIFICATE_SUPERSEDED", Said::thing("certificate").hint(ENROLL))
        }
        Refusal::HasLeft => (PermissionDenied, "AGENT_LEFT", Said::thing("agent").hint(ENROLL)),
        Refusal::Revoked { .. } => (PermissionDenied, "AGENT_REVOKED", Said::thing("agent").hint(ENROLL)),
        Refusal::NoSuchAgent { given } => {
            (NotFound, "AGENT_UNKNOWN", Said::thing(given).hint("`cmdb agents` lists them"))
        }
        Refusal::AgentAmbiguous { given, .. } => (
            InvalidArgument,
            "AGENT_AMBIGUOUS",
            Said::thing(given).hint("give its id: `cmdb agents` shows it"),
        ),
        Refusal::TooMany { what, limit } => (
            ResourceExhausted,
            "LIMIT_EXCEEDED",
            Said::thing(*what).expected(format!("at most {limit}"), "more"),
        ),
    }
}
