//! The one order of all changes.

use std::sync::Arc;

use cmdb_core::model::Revision;
use cmdb_proto::v1;
use cmdb_proto::v1::commit_service_server::CommitService;
use tonic::{Request, Response, Status};

use super::{Answer, answer, limit, person, refuse};
use crate::app::App;
use crate::app::changes::Run;
use crate::app::commits::{CHANGES_DEFAULT, CHANGES_MAX, CommitAnswer};
use crate::convert::change::{changes_to, commit_to};

pub struct Commits(pub Arc<App>);

fn shown(commit: &CommitAnswer) -> v1::Commit {
    commit_to(&commit.header, &commit.changes, &commit.names)
}

#[tonic::async_trait]
impl CommitService for Commits {
    async fn get(&self, request: Request<v1::GetCommitRequest>) -> Result<Response<v1::Commit>, Status> {
        let ask = request.into_inner();
        let changes_max = limit("changes_max", ask.changes_max, CHANGES_DEFAULT, CHANGES_MAX)?;
        let commit = self.0.commit(Revision(ask.revision), changes_max).await.map_err(refuse)?;
        Ok(Response::new(shown(&commit)))
    }

    type WatchStream = Answer<v1::Commit>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let ask = request.into_inner();
        let changes_max = limit("changes_max", ask.changes_max, CHANGES_DEFAULT, CHANGES_MAX)?;
        let after = (!ask.from_now).then_some(Revision(ask.after_revision));
        let commits = self.0.watch(after, changes_max).await.map_err(refuse)?;
        Ok(Response::new(answer(commits, |commit| shown(&commit))))
    }

    async fn revert(
        &self,
        request: Request<v1::RevertRequest>,
    ) -> Result<Response<v1::RevertResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let answer = self.0.revert(Revision(ask.revision), &person, &ask.reason, Run::dry(ask.dry_run)).await;
        let answer = answer.map_err(refuse)?;
        Ok(Response::new(v1::RevertResponse {
            revision: answer.applied.revision.map_or(0, |revision| revision.0),
            changes: changes_to(&answer.applied.changes, &answer.names),
            skipped: answer.applied.skipped,
        }))
    }
}
