//! How an agent comes by its identity, keeps it and gives it up.

use std::sync::Arc;

use cmdb_proto::v1;
use cmdb_proto::v1::enrolment_service_server::EnrolmentService;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{peer, refuse};
use crate::app::enrolment::{Applicant, Granted, SealPart};
use crate::app::{App, Error};

pub struct Enrolments(pub Arc<App>);

#[tonic::async_trait]
impl EnrolmentService for Enrolments {
    async fn clock(&self, _: Request<v1::ClockRequest>) -> Result<Response<v1::ClockResponse>, Status> {
        Ok(Response::new(v1::ClockResponse { time_us: (self.0.clock)().0 }))
    }

    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        let address = peer(&request).and_then(|peer| peer.remote).map(|address| address.ip());
        let ask = request.into_inner();
        let applicant = Applicant {
            agent_id: agent_id(&ask.agent_id)?,
            host_name: ask.host_name,
            platform: ask.platform,
            version: ask.agent_version,
            request: ask.csr,
            seal: seal_from(ask.seal),
            address,
        };
        let granted = self.0.enroll(&ask.token, applicant).await.map_err(refuse)?;
        Ok(Response::new(self.granted_to(granted)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::EnrollResponse>, Status> {
        let holder = peer(&request).and_then(|peer| peer.holder);
        let ask = request.into_inner();
        let applicant = Applicant {
            agent_id: Uuid::nil(),
            host_name: ask.host_name,
            platform: String::new(),
            version: String::new(),
            request: ask.csr,
            seal: seal_from(ask.seal),
            address: None,
        };
        let granted = self.0.renew(holder.as_ref(), applicant, ask.new_identity).await.map_err(refuse)?;
        Ok(Response::new(self.granted_to(granted)))
    }

    async fn leave(&self, request: Request<v1::LeaveRequest>) -> Result<Response<v1::LeaveResponse>, Status> {
        let holder = peer(&request).and_then(|peer| peer.holder);
        let said = request.into_inner().agent_id;
        let said = if said.is_empty() { None } else { Some(agent_id(&said)?) };
        self.0.leave(holder.as_ref(), said).await.map_err(refuse)?;
        Ok(Response::new(v1::LeaveResponse {}))
    }
}

impl Enrolments {
    fn granted_to(&self, granted: Granted) -> v1::EnrollResponse {
        v1::EnrollResponse {
            agent_id: granted.agent_id.hyphenated().to_string(),
            certificate: granted.issued.certificate.to_vec(),
            authority: granted.authority,
            not_before_us: granted.issued.not_before.0,
            not_after_us: granted.issued.not_after.0,
            server_time_us: (self.0.clock)().0,
            server_name: granted.server_name.to_owned(),
        }
    }
}

fn agent_id(text: &str) -> Result<Uuid, Status> {
    let shown = || text.chars().take(64).flat_map(char::escape_debug).collect();
    Uuid::try_parse(text).map_err(|_| refuse(Error::AgentId { given: shown() }))
}

pub fn seal_from(seal: Vec<v1::SealPart>) -> Vec<SealPart> {
    seal.into_iter().map(|part| SealPart { name: part.name, digests: part.digests }).collect()
}
