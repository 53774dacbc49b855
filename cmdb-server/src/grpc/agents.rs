//! Agents and their tokens, for people.

use std::sync::Arc;

use cmdb_proto::v1;
use cmdb_proto::v1::agent_service_server::AgentService;
use tonic::{Request, Response, Status};

use super::{peer, person, refuse};
use crate::app::App;
use crate::app::enrolment::{AgentRow, NewToken, Refusal, Token, TokenState};
use crate::config::Accepts;

pub struct Agents(pub Arc<App>);

#[tonic::async_trait]
impl AgentService for Agents {
    async fn list_agents(
        &self,
        _: Request<v1::ListAgentsRequest>,
    ) -> Result<Response<v1::ListAgentsResponse>, Status> {
        let agents = self.0.agents().await.map_err(refuse)?;
        let accepts = match self.0.enrolment.accepts {
            Accepts::Open => "open",
            Accepts::Enrolled => "enrolled",
        };
        let agents = agents.into_iter().map(agent_to).collect();
        Ok(Response::new(v1::ListAgentsResponse { agents, accepts: accepts.to_owned() }))
    }

    async fn revoke_agent(
        &self,
        request: Request<v1::RevokeAgentRequest>,
    ) -> Result<Response<v1::RevokeAgentResponse>, Status> {
        here(&request)?;
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let (id, host_name) = self.0.revoke_agent(&ask.agent, &ask.reason, &person).await.map_err(refuse)?;
        Ok(Response::new(v1::RevokeAgentResponse { agent_id: id.hyphenated().to_string(), host_name }))
    }

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        here(&request)?;
        let person = person(request.metadata())?;
        let v1::CreateTokenRequest { uses, valid_s, scopes, reason } = request.into_inner();
        let asked = NewToken { uses, valid_s, scopes, reason };
        let (token, secret) = self.0.create_token(asked, &person).await.map_err(refuse)?;
        Ok(Response::new(v1::CreateTokenResponse {
            token: Some(token_to(token, TokenState::Valid)),
            secret,
            ca_fingerprint: self.0.enrolment.fingerprint(),
            server: self.0.url.clone(),
        }))
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        here(&request)?;
        let tokens = self.0.tokens().into_iter().map(|(token, state)| token_to(token, state)).collect();
        Ok(Response::new(v1::ListTokensResponse { tokens }))
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        here(&request)?;
        self.0.revoke_token(&request.into_inner().id).await.map_err(refuse)?;
        Ok(Response::new(v1::RevokeTokenResponse {}))
    }
}

/// Until people sign in, whoever may decide which agents there are sits at the server's own machine.
fn here<T>(request: &Request<T>) -> Result<(), Status> {
    match peer(request) {
        Some(peer) if peer.is_here() => Ok(()),
        _ => Err(refuse(Refusal::NotHere.into())),
    }
}

fn agent_to(row: AgentRow) -> v1::Agent {
    let AgentRow { heard, identity, .. } = row;
    let (enrolled, identity) = (identity.is_some(), identity.unwrap_or_default());
    let stopped = row.standing == crate::app::enrolment::Standing::Stopped;
    v1::Agent {
        agent_id: row.agent_id.hyphenated().to_string(),
        source: row.source,
        host_name: heard.host_name,
        version: heard.version,
        platform: heard.platform,
        rung: heard.rung,
        rung_reason: heard.rung_reason,
        state: row.standing.name().to_owned(),
        reason: if stopped { heard.goodbye } else { identity.reason },
        since_us: row.since.map_or(0, |moment| moment.0),
        last_seen_us: row.last_seen.map_or(0, |moment| moment.0),
        cost: row.cost.map(super::admin::cost_to),
        errors: row.errors,
        last_error: row.last_error,
        incomplete: row.incomplete.into_iter().map(|(scope, reason)| format!("{scope}: {reason}")).collect(),
        enrolled,
        enrolled_at_us: identity.enrolled_at_us,
        expires_at_us: identity.expires_at_us,
        token: identity.token,
        outdated: row.outdated,
    }
}

fn token_to(token: Token, state: TokenState) -> v1::Token {
    v1::Token {
        id: token.id,
        uses: token.uses,
        used: token.used,
        created_at_us: token.created_at_us,
        expires_at_us: token.expires_at_us,
        scopes: token.scopes,
        created_by: token.created_by,
        reason: token.reason,
        state: state.name().to_owned(),
    }
}
