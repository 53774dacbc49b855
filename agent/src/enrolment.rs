//! Comes by an identity, renews it, gives it up: what the commands do, and what a running agent does by itself.
//!
//! Invariant: an identity is on disk before it is used, and a key that a certificate was asked for is nowhere else.

use std::sync::Arc;

use cmdb_proto::v1;

use crate::client::tls::Trust;
use crate::client::{Address, ClientError, enrolment};
use crate::identity::{IdentityError, Request};
use crate::seal::Seal;
use crate::state::{State, StateError};

/// Why an identity did not change.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The server could not be talked to, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The state could not be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// A key or a certificate cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is nothing to renew.
    #[error(
        "this agent has no certificate; make a token with `cmdb tokens create` on the server, and give it to \
         `cmdb-agent enroll`"
    )]
    NotEnrolled,
}

/// Why a server refuses an agent whose identity has ended there.
const ENDED: [&str; 3] = ["AGENT_REVOKED", "AGENT_LEFT", "CERTIFICATE_SUPERSEDED"];

/// Who asks.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What tells it from a copy.
    pub seal: Seal,
}

/// Takes the identity that a token is good for.
pub async fn enroll(
    address: &Address,
    trust: &Trust,
    token: String,
    host: &Host,
    state: &mut State,
) -> Result<(), EnrolmentError> {
    let request = Request::make()?;
    let ask = v1::EnrollRequest {
        token,
        agent_id: state.agent_id().to_string(),
        host_name: host.name.clone(),
        platform: crate::platform_name(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        csr: request.csr.clone(),
        seal: host.seal.to_wire(),
    };
    let granted = enrolment::enroll(address, trust, ask).await?;
    state.keep_identity(request.granted(&address.url, granted)?)?;
    Ok(state.keep_seal(&host.seal)?)
}

/// Whether the next certificate is for the same agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// It is.
    Same,
    /// This host is a copy, and becomes an agent of its own.
    Another,
}

/// Takes the next certificate.
pub async fn renew(
    address: &Address,
    trust: &Trust,
    next: Next,
    host: &Host,
    state: &mut State,
) -> Result<(), EnrolmentError> {
    let Some(identity) = state.identity().map(Arc::clone) else { return Err(EnrolmentError::NotEnrolled) };
    let request = Request::make()?;
    let ask = v1::RenewRequest {
        csr: request.csr.clone(),
        new_identity: next == Next::Another,
        host_name: host.name.clone(),
        seal: host.seal.to_wire(),
    };
    let granted = enrolment::renew(address, trust, ask).await?;
    state.keep_identity(request.granted(&identity.server, granted)?)?;
    Ok(state.keep_seal(&host.seal)?)
}

/// Gives the identity up, here and at the server.
pub async fn leave(address: &Address, trust: &Trust, state: &mut State) -> Result<(), EnrolmentError> {
    let agent_id = state.agent_id().to_string();
    match enrolment::leave(address, trust, agent_id).await {
        // Who has lost its identity already has nothing more to give up.
        Err(ClientError::Refused { problem, .. }) if ENDED.contains(&problem.reason.as_str()) => {}
        left => left?,
    }
    Ok(state.forget_identity()?)
}
