//! Classes and relationship types.

use std::sync::Arc;

use cmdb_proto::v1;
use cmdb_proto::v1::schema_service_server::SchemaService;
use tonic::{Request, Response, Status};

use super::refuse;
use crate::app::App;
use crate::convert::schema::{classes_to, relationship_types_to, trial_to};

pub struct Schemas(pub Arc<App>);

#[tonic::async_trait]
impl SchemaService for Schemas {
    async fn classes(
        &self,
        request: Request<v1::ClassesRequest>,
    ) -> Result<Response<v1::ClassesResponse>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let classes = self.0.classes(ask.class, when).await.map_err(refuse)?;
        Ok(Response::new(classes_to(&classes)))
    }

    async fn relationship_types(
        &self,
        request: Request<v1::RelationshipTypesRequest>,
    ) -> Result<Response<v1::RelationshipTypesResponse>, Status> {
        let when = self.0.when(&request.into_inner().as_of).map_err(refuse)?;
        let answer = self.0.relationship_types(when).await.map_err(refuse)?;
        Ok(Response::new(relationship_types_to(&answer)))
    }

    async fn test_rules(
        &self,
        request: Request<v1::TestRulesRequest>,
    ) -> Result<Response<v1::TestRulesResponse>, Status> {
        let ask = request.into_inner();
        let files = ask.files.into_iter().map(|file| (file.name, file.text)).collect();
        let answer = self.0.test_rules(files, ask.limit as usize).await.map_err(refuse)?;
        Ok(Response::new(trial_to(&answer)))
    }
}
