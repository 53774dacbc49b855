//! The gRPC face: one file per service. It translates, and calls `app`.

mod admin;
mod agents;
mod commit;
mod discovery;
mod enrolment;
mod graph;
mod group;
mod health;
mod identity;
mod item;
mod scenario;
mod schema;
mod transfer;

use std::pin::Pin;
use std::sync::Arc;

use cmdb_proto::v1;
use tokio_stream::{Stream, StreamExt};
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::{Code, Request, Status};

use crate::app::{App, Error, Person};
use crate::listen::Peer;
use crate::status::status;

/// The header by which the asker says who they are.
const ACTOR_HEADER: &str = "cmdb-actor";
/// The largest question that carries no claims, in bytes. A part of an import has at most 1 MiB of data.
const QUESTION_BYTES_MAX: usize = 2 << 20;
/// The largest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// A long answer on the wire.
type Answer<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The services of `cmdb.v1`.
pub fn routes(app: &Arc<App>) -> Routes {
    let report_bytes_max = app.limits.report_bytes_max;
    let app = || Arc::clone(app);
    let mut routes = Routes::builder();
    routes
        .add_service(
            v1::discovery_service_server::DiscoveryServiceServer::new(discovery::Discovery(app()))
                .max_decoding_message_size(report_bytes_max),
        )
        .add_service(
            v1::enrolment_service_server::EnrolmentServiceServer::new(enrolment::Enrolments(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX),
        )
        .add_service(
            v1::agent_service_server::AgentServiceServer::new(agents::Agents(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::item_service_server::ItemServiceServer::new(item::Items(app()))
                .max_decoding_message_size(report_bytes_max)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::graph_service_server::GraphServiceServer::new(graph::Graph(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::commit_service_server::CommitServiceServer::new(commit::Commits(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::schema_service_server::SchemaServiceServer::new(schema::Schemas(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::scenario_service_server::ScenarioServiceServer::new(scenario::Scenarios(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::transfer_service_server::TransferServiceServer::new(transfer::Transfers(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::health_service_server::HealthServiceServer::new(health::Healths(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::group_service_server::GroupServiceServer::new(group::Groups(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::identity_service_server::IdentityServiceServer::new(identity::Identity(app()))
                .max_decoding_message_size(report_bytes_max)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        )
        .add_service(
            v1::admin_service_server::AdminServiceServer::new(admin::Admin(app()))
                .max_decoding_message_size(QUESTION_BYTES_MAX)
                .max_encoding_message_size(ANSWER_BYTES_MAX),
        );
    routes.routes()
}

/// The names of the services, for the health check.
pub const SERVICES: [&str; 13] = [
    <v1::discovery_service_server::DiscoveryServiceServer<discovery::Discovery> as tonic::server::NamedService>::NAME,
    <v1::enrolment_service_server::EnrolmentServiceServer<enrolment::Enrolments> as tonic::server::NamedService>::NAME,
    <v1::agent_service_server::AgentServiceServer<agents::Agents> as tonic::server::NamedService>::NAME,
    <v1::item_service_server::ItemServiceServer<item::Items> as tonic::server::NamedService>::NAME,
    <v1::graph_service_server::GraphServiceServer<graph::Graph> as tonic::server::NamedService>::NAME,
    <v1::commit_service_server::CommitServiceServer<commit::Commits> as tonic::server::NamedService>::NAME,
    <v1::schema_service_server::SchemaServiceServer<schema::Schemas> as tonic::server::NamedService>::NAME,
    <v1::scenario_service_server::ScenarioServiceServer<scenario::Scenarios> as tonic::server::NamedService>::NAME,
    <v1::transfer_service_server::TransferServiceServer<transfer::Transfers> as tonic::server::NamedService>::NAME,
    <v1::health_service_server::HealthServiceServer<health::Healths> as tonic::server::NamedService>::NAME,
    <v1::group_service_server::GroupServiceServer<group::Groups> as tonic::server::NamedService>::NAME,
    <v1::identity_service_server::IdentityServiceServer<identity::Identity> as tonic::server::NamedService>::NAME,
    <v1::admin_service_server::AdminServiceServer<admin::Admin> as tonic::server::NamedService>::NAME,
];

/// An error as a status; what is the server's own fault also stands in its log.
fn refuse(error: Error) -> Status {
    let status = status(&error);
    match status.code() {
        Code::Internal | Code::DataLoss => tracing::error!(error = status.message(), "a request failed"),
        Code::Cancelled => {}
        code => tracing::debug!(?code, error = status.message(), "a request was refused"),
    }
    status
}

/// Who is at the other end of a request's connection.
fn peer<T>(request: &Request<T>) -> Option<&Peer> {
    request.extensions().get::<Peer>()
}

/// Who asks.
fn person(metadata: &MetadataMap) -> Result<Person, Status> {
    // What is not text cannot be a name, and neither can the empty text that stands for it here.
    let named = metadata.get(ACTOR_HEADER).map(|value| value.to_str().unwrap_or_default());
    Person::named(named).map_err(refuse)
}

fn answer<T: 'static, U: Send + 'static>(
    stream: impl Stream<Item = Result<T, Error>> + Send + 'static,
    convert: impl Fn(T) -> U + Send + 'static,
) -> Answer<U> {
    Box::pin(stream.map(move |piece| piece.map(&convert).map_err(refuse)))
}

/// A number of things as asked for: 0 is the default, and nothing above the limit.
fn limit(what: &'static str, given: u32, default: usize, max: usize) -> Result<usize, Status> {
    let given = given as usize;
    if given > max {
        let error = Error::OutOfRange { what, expected: format!("at most {max}"), given: given.to_string() };
        return Err(refuse(error));
    }
    Ok(if given == 0 { default } else { given })
}
