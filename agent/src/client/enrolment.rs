//! Getting an identity from the server, keeping it, giving it up.

use std::time::Duration;

use cmdb_proto::v1;
use cmdb_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Response, Status};

use super::connect::connect;
use super::tls::Trust;
use super::{Address, ClientError, refused};

/// How long the server may take to answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);

/// The first certificate, for a token.
pub async fn enroll(
    address: &Address,
    trust: &Trust,
    ask: v1::EnrollRequest,
) -> Result<v1::EnrollResponse, ClientError> {
    let mut client = client(address, trust).await?;
    answered(client.enroll(ask)).await
}

/// The next certificate.
pub async fn renew(
    address: &Address,
    trust: &Trust,
    ask: v1::RenewRequest,
) -> Result<v1::EnrollResponse, ClientError> {
    let mut client = client(address, trust).await?;
    answered(client.renew(ask)).await
}

/// Gives the identity up.
pub async fn leave(address: &Address, trust: &Trust, agent_id: String) -> Result<(), ClientError> {
    let mut client = client(address, trust).await?;
    answered(client.leave(v1::LeaveRequest { agent_id })).await.map(drop)
}

async fn client(address: &Address, trust: &Trust) -> Result<EnrolmentServiceClient<Channel>, ClientError> {
    Ok(EnrolmentServiceClient::new(connect(address, trust).await?))
}

async fn answered<T>(asked: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, ClientError> {
    let silent = ClientError::Silent { seconds: ANSWER_WAIT_MAX.as_secs() };
    let answer = timeout(ANSWER_WAIT_MAX, asked).await.map_err(|_| silent)?;
    answer.map(Response::into_inner).map_err(|status| refused(&status))
}
