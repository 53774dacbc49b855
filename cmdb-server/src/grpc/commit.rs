//! The one order of all changes.

use std::sync::Arc;

use cmdb_core::model::Revision;
use cmdb_proto::v1;
use cmdb_proto::v1::commit_service_server::CommitService;
use tonic::{Request, Response, Status};

use super::{Answer, answer, limit, person, refuse};
use crate::app::changes::Run;
use crate::app::commits::{CHANGES_DEFAULT, CHANGES_MAX, CommitAnswer, WatchAsk};
use crate::app::diff::{self, DiffAsk};
use crate::app::{App, Error};
use crate::convert::change::{baseline_to, changes_to, commit_to, diff_to, retention_to};

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
        let ask = WatchAsk {
            after: (!ask.from_now).then_some(Revision(ask.after_revision)),
            until: (ask.until_revision != 0).then_some(Revision(ask.until_revision)),
            changes_max,
            class: ask.class,
            item: (!ask.item.is_empty()).then_some(ask.item),
        };
        let commits = self.0.watch(ask).await.map_err(refuse)?;
        Ok(Response::new(answer(commits, |commit| shown(&commit))))
    }

    async fn diff(&self, request: Request<v1::DiffRequest>) -> Result<Response<v1::DiffResponse>, Status> {
        let ask = request.into_inner();
        let from = if ask.from.is_empty() { diff::FROM_DEFAULT } else { &ask.from };
        let ask = DiffAsk {
            from: self.0.when(from).map_err(refuse)?,
            to: self.0.when(&ask.to).map_err(refuse)?,
            around: (!ask.around.is_empty()).then_some(ask.around),
            depth: (ask.depth != 0).then_some(ask.depth),
            listed_max: limit("limit", ask.limit, diff::LISTED_DEFAULT, diff::LISTED_MAX)?,
        };
        Ok(Response::new(diff_to(&self.0.diff(ask).await.map_err(refuse)?)))
    }

    async fn create_baseline(
        &self,
        request: Request<v1::CreateBaselineRequest>,
    ) -> Result<Response<v1::Baseline>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let when = self.0.when(&ask.as_of).map_err(refuse)?;
        let made = self.0.create_baseline(ask.name, when, &person, &ask.reason).await.map_err(refuse)?;
        Ok(Response::new(baseline_to(&made)))
    }

    async fn list_baselines(
        &self,
        _request: Request<v1::ListBaselinesRequest>,
    ) -> Result<Response<v1::ListBaselinesResponse>, Status> {
        let answer = self.0.baselines().await.map_err(refuse)?;
        Ok(Response::new(v1::ListBaselinesResponse {
            baselines: answer.baselines.iter().map(baseline_to).collect(),
            oldest_revision: answer.oldest.0,
        }))
    }

    async fn delete_baseline(
        &self,
        request: Request<v1::DeleteBaselineRequest>,
    ) -> Result<Response<v1::DeleteBaselineResponse>, Status> {
        self.0.delete_baseline(request.into_inner().name).await.map_err(refuse)?;
        Ok(Response::new(v1::DeleteBaselineResponse {}))
    }

    async fn retention(
        &self,
        _request: Request<v1::RetentionRequest>,
    ) -> Result<Response<v1::RetentionResponse>, Status> {
        let answer = self.0.retention().await.map_err(refuse)?;
        Ok(Response::new(retention_to(&answer)))
    }

    async fn set_retention(
        &self,
        request: Request<v1::SetRetentionRequest>,
    ) -> Result<Response<v1::SetRetentionResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        let run = Run::dry(ask.dry_run);
        let answer = self.0.set_retention(ask.history_days, &person, &ask.reason, run).await;
        let (outcome, retention) = answer.map_err(refuse)?;
        Ok(Response::new(v1::SetRetentionResponse {
            revision: outcome.revision.map_or(0, |revision| revision.0),
            history_days_before: outcome.days_before,
            retention: Some(retention_to(&retention)),
        }))
    }

    async fn compact(
        &self,
        request: Request<v1::CompactRequest>,
    ) -> Result<Response<v1::CompactResponse>, Status> {
        let person = person(request.metadata())?;
        let ask = request.into_inner();
        if ask.before.is_empty() {
            return Err(refuse(Error::OutOfRange {
                what: "the moment before which history is compacted",
                expected: "a moment, such as \"90 days ago\"".to_owned(),
                given: "none".to_owned(),
            }));
        }
        let before = self.0.when(&ask.before).map_err(refuse)?;
        let done = self.0.compact(before, &person, &ask.reason, Run::dry(ask.dry_run)).await;
        let (revision, dropped) = done.map_err(refuse)?;
        Ok(Response::new(v1::CompactResponse {
            revision: revision.map_or(0, |revision| revision.0),
            oldest_revision: dropped.horizon.0,
            changes: dropped.changes,
            commits: dropped.commits,
            at_least: dropped.at_least,
        }))
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
