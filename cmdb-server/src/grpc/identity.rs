//! Which items are the same.

use std::sync::Arc;

use cmdb_core::engine::ClaimChoice;
use cmdb_proto::v1;
use cmdb_proto::v1::identity_service_server::IdentityService;
use tonic::{Request, Response, Status};

use super::{limit, person, refuse};
use crate::app::changes::Run;
use crate::app::identity::{CHOICES_MAX, IDENTIFIED_MAX, SETS_DEFAULT, SETS_MAX};
use crate::app::{App, Error};
use crate::convert::change::changes_to;
use crate::convert::identity::{choice_from, duplicates_to, explained_to, identified_to, looked_at_from};

pub struct Identity(pub Arc<App>);

#[tonic::async_trait]
impl IdentityService for Identity {
    async fn merge(&self, request: Request<v1::MergeRequest>) -> Result<Response<v1::MergeResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let answer = self.0.merge(ask.into, ask.item, &person, &ask.reason, Run::dry(ask.dry_run)).await;
        let answer = answer.map_err(refuse)?;
        let change = answer.change;
        Ok(Response::new(v1::MergeResponse {
            revision: change.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&change.applied.changes, &change.names),
            dropped: change.applied.skipped,
            into: answer.other.to_string(),
            item: answer.item.to_string(),
        }))
    }

    async fn split(&self, request: Request<v1::SplitRequest>) -> Result<Response<v1::SplitResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        if ask.choices.len() > CHOICES_MAX {
            return Err(refuse(Error::OutOfRange {
                what: "the number of choices",
                expected: format!("at most {CHOICES_MAX}"),
                given: ask.choices.len().to_string(),
            }));
        }
        let choices = ask.choices.into_iter().map(choice_from);
        let choices: Vec<ClaimChoice> =
            choices.collect::<Result<_, _>>().map_err(|problem| refuse(problem.into()))?;
        let answer = self.0.split(ask.item, choices, &person, &ask.reason, Run::dry(ask.dry_run)).await;
        let answer = answer.map_err(refuse)?;
        let change = answer.change;
        let undecided = change.applied.undecided.into_iter();
        Ok(Response::new(v1::SplitResponse {
            revision: change.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&change.applied.changes, &change.names),
            undecided: undecided.map(|(source, key)| v1::ClaimName { source, key }).collect(),
            notes: change.applied.skipped,
            item: answer.item.to_string(),
            from: answer.other.to_string(),
        }))
    }

    async fn duplicates(
        &self,
        request: Request<v1::DuplicatesRequest>,
    ) -> Result<Response<v1::DuplicatesResponse>, Status> {
        let ask = request.into_inner();
        let limit = limit("limit", ask.limit, SETS_DEFAULT, SETS_MAX)?;
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let answer = self.0.duplicates(ask.item, when, limit).await.map_err(refuse)?;
        Ok(Response::new(duplicates_to(&answer)))
    }

    async fn identify(
        &self,
        request: Request<v1::IdentifyRequest>,
    ) -> Result<Response<v1::IdentifyResponse>, Status> {
        let ask = request.into_inner();
        let claims: usize = ask.sections.iter().map(|section| section.claims.len()).sum();
        if claims > IDENTIFIED_MAX {
            return Err(refuse(Error::OutOfRange {
                what: "the number of claims",
                expected: format!("at most {IDENTIFIED_MAX}"),
                given: claims.to_string(),
            }));
        }
        let sections = ask.sections.into_iter().map(looked_at_from).collect();
        let answer = self.0.identify(ask.source, sections).await.map_err(refuse)?;
        Ok(Response::new(identified_to(&answer)))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let answer = self.0.explain(ask.item, when).await.map_err(refuse)?;
        Ok(Response::new(explained_to(&answer)))
    }
}
