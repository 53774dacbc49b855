//! The agents and tokens of the fake server.

use cmdb_proto::v1::agent_service_server::AgentService;
use cmdb_proto::v1::*;
use tonic::{Request, Response};

use super::{Answer, Services};
use crate::canned;

#[tonic::async_trait]
impl AgentService for Services {
    async fn list_agents(&self, _: Request<ListAgentsRequest>) -> Answer<ListAgentsResponse> {
        Ok(Response::new(canned::agents()))
    }

    async fn revoke_agent(&self, request: Request<RevokeAgentRequest>) -> Answer<RevokeAgentResponse> {
        let host_name = request.into_inner().agent;
        let agent_id = "0b6f3c1e-5a0e-4f1c-9a3b-2f8d1c7e4a90".to_owned();
        Ok(Response::new(RevokeAgentResponse { agent_id, host_name }))
    }

    async fn create_token(&self, _: Request<CreateTokenRequest>) -> Answer<CreateTokenResponse> {
        Ok(Response::new(canned::created_token()))
    }

    async fn list_tokens(&self, _: Request<ListTokensRequest>) -> Answer<ListTokensResponse> {
        Ok(Response::new(ListTokensResponse { tokens: vec![canned::token()] }))
    }

    async fn revoke_token(&self, _: Request<RevokeTokenRequest>) -> Answer<RevokeTokenResponse> {
        Ok(Response::new(RevokeTokenResponse {}))
    }
}
